"""All background work that is due, by the same flows that the pages use.

The rows are the queue: each function takes what is due now, in bounded batches, and a row that a
customer moves meanwhile is the customer's. Podero being away ends a pass early; the next one
comes soon enough.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import TypeVar

from django.db.models import Min, Q

from onboarding import podero
from onboarding.flows import devices, expiry, handoff, lookups, mails, retention, returning
from onboarding.models import Device, OnboardingSession, PoderoUser
from onboarding.states import AWAITING_DEVICE, State

BATCH = 200
# So many rows in a row without an answer, and Podero is taken to be away.
UNANSWERED_LIMIT = 3
# A pass ends after this, well before a message about it could be delivered a second time.
PASS_SECONDS = 45.0

Row = TypeVar("Row")


def verify_due_returns(*, client: podero.PoderoClient, now: datetime) -> int:
    due = OnboardingSession.objects.due(State.RETURNED, now=now)
    return _each(
        client,
        due.select_related("podero_user", "consent")[:BATCH],
        lambda attempt, at: returning.verify_return(client=client, attempt=attempt, now=at),
        now=now,
    )


def look_up_due_attempts(*, client: podero.PoderoClient, now: datetime) -> int:
    due = OnboardingSession.objects.due(*AWAITING_DEVICE, now=now).filter(podero_id__isnull=False)
    return _each(
        client,
        due.select_related("podero_user", "consent")[:BATCH],
        lambda attempt, at: lookups.look_up_attempt(client=client, attempt=attempt, now=at),
        now=now,
    )


def switch_due_devices(*, client: podero.PoderoClient, now: datetime) -> int:
    due = Device.objects.due(now=now).select_related("podero_user", "attempt")
    return _each(
        client,
        due[:BATCH],
        lambda device, at: devices.switch_optimization(client=client, device=device, now=at),
        now=now,
    )


def refresh_due_devices(*, client: podero.PoderoClient, now: datetime) -> int:
    """Refresh the devices of customers that have not been read for a while, oldest first."""
    oldest = Min("devices__checked_at", filter=Q(devices__missing_since=None))
    due = PoderoUser.objects.alias(oldest=oldest).filter(
        oldest__lte=now - devices.UNWATCHED_PERIOD, podero_id__isnull=False
    )
    return _each(
        client,
        due.order_by("oldest")[:BATCH],
        lambda customer, at: devices.refresh_devices(client=client, customer=customer, now=at),
        now=now,
    )


def sweep(
    *, client: podero.PoderoClient, post: mails.Post | None = None, now: datetime
) -> dict[str, int]:
    """Do everything that is due once; returns how many rows each step took up.

    Without `post` no mail is sent.
    """
    clock = _clock_from(now)
    expiry.forget_ended_sign_ins()
    # In this order a return that is confirmed has its device switched on in the same sweep.
    return {
        "claims freed": expiry.free_stuck_claims(now=clock()),
        "returns checked": verify_due_returns(client=client, now=clock()),
        "attempts looked up": look_up_due_attempts(client=client, now=clock()),
        "devices switched": switch_due_devices(client=client, now=clock()),
        "customers' devices refreshed": refresh_due_devices(client=client, now=clock()),
        "attempts expired": expiry.expire_unopened_attempts(now=clock()),
        "mails taken up": mails.send_due_mails(post=post, now=clock()) if post else 0,
        "hand-offs forgotten": handoff.forget_used(now=clock()),
        "rows erased": retention.erase_what_is_over(now=clock()),
    }


def _clock_from(now: datetime) -> Callable[[], datetime]:
    """A clock that stands at `now` and runs on: a claim must say when it was really made."""
    started = time.monotonic()
    return lambda: now + timedelta(seconds=time.monotonic() - started)


def _each(
    client: podero.PoderoClient,
    rows: Iterable[Row],
    act: Callable[[Row, datetime], bool],
    *,
    now: datetime,
) -> int:
    clock = _clock_from(now)
    ends_at = now + timedelta(seconds=PASS_SECONDS)
    taken = unanswered = 0
    for row in rows:
        if unanswered == UNANSWERED_LIMIT or clock() > ends_at or client.is_shut:
            break
        taken += 1
        unanswered = 0 if act(row, clock()) else unanswered + 1
    return taken
