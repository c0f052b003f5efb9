"""When to try again: doubling, with jitter, up to a ceiling, and `Retry-After` obeyed."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from onboarding import podero

MAX_RETRY_AFTER_SECONDS = 3600.0


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
        delay = max(delay, min(error.retry_after_seconds, MAX_RETRY_AFTER_SECONDS))
    return now + timedelta(seconds=delay)
