"""When to try again: doubling, with jitter, up to a ceiling, and `Retry-After` obeyed."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from onboarding import podero

# Those who were told to wait come back over so long a time, and at least half of the wait.
SPREAD_SECONDS = 15.0
# Of whom found all places toward Podero taken.
LONGEST_PAUSE_SECONDS = 90.0

# When an attempt that did not come back is looked up, counted from when its form was opened;
# once more when the form has run out for certain.
LOOKUPS = (
    timedelta(minutes=15),
    timedelta(hours=1),
    timedelta(hours=6),
    timedelta(hours=18),
)


def after_being_turned_away(*, since: datetime, now: datetime) -> datetime:
    """When to come again who has waited `since` and found no place: the later, the longer it was.

    So thousands who wait ask no more often than there are places for.
    """
    waited = (now - since).total_seconds()
    pause = min(max(waited / 2, 6), LONGEST_PAUSE_SECONDS)
    return now + timedelta(seconds=pause * random.uniform(0.5, 1.5))  # noqa: S311


def next_try(
    *,
    now: datetime,
    tries: int,
    first_seconds: float,
    ceiling_seconds: float,
    error: podero.PoderoError | None = None,
) -> datetime:
    """The moment of the next try after `tries` failed ones (1 or more)."""
    delay = min(first_seconds * 2 ** min(tries - 1, 30), ceiling_seconds)
    # Customers who failed together must not come back together.
    delay *= random.uniform(0.8, 1.2)  # noqa: S311
    if error is not None and error.retry_after_seconds is not None:
        asked = error.retry_after_seconds
        delay = max(delay, asked + random.uniform(0, max(SPREAD_SECONDS, asked / 2)))  # noqa: S311
    return now + timedelta(seconds=delay)
