"""All background work that is due, by the same flows that the pages use.

The rows are the queue: each function takes what is due now, in bounded batches, and a row that a
customer moves meanwhile is the customer's. Podero being away ends a pass early; the next one
comes soon enough.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TypeVar

from onboarding import podero
from onboarding.flows import devices, expiry, handoff, lookups, returning
from onboarding.models import Device, OnboardingSession
from onboarding.models.claims import Claimable
from onboarding.states import AWAITING_DEVICE, State

BATCH = 200
# So many rows in a row without an answer, and Podero is taken to be away.
UNANSWERED_LIMIT = 3

Row = TypeVar("Row", bound=Claimable)


def verify_due_returns(*, client: podero.PoderoClient, now: datetime) -> int:
    due = OnboardingSession.objects.due(State.RETURNED, now=now)
    return _each(
        due.select_related("podero_user", "consent")[:BATCH],
        lambda attempt: returning.verify_return(client=client, attempt=attempt, now=now),
    )


def look_up_due_attempts(*, client: podero.PoderoClient, now: datetime) -> int:
    due = OnboardingSession.objects.due(*AWAITING_DEVICE, now=now).filter(podero_id__isnull=False)
    return _each(
        due.select_related("podero_user", "consent")[:BATCH],
        lambda attempt: lookups.look_up_attempt(client=client, attempt=attempt, now=now),
    )


def switch_due_devices(*, client: podero.PoderoClient, now: datetime) -> int:
    due = Device.objects.due(now=now).select_related("podero_user", "attempt")
    return _each(
        due[:BATCH],
        lambda device: devices.switch_optimization(client=client, device=device, now=now),
    )


def sweep(*, client: podero.PoderoClient, now: datetime) -> dict[str, int]:
    """Do everything that is due once; returns how many rows each step took up."""
    expiry.forget_ended_sign_ins()
    return {
        "claims freed": expiry.free_stuck_claims(now=now),
        "returns checked": verify_due_returns(client=client, now=now),
        "attempts looked up": look_up_due_attempts(client=client, now=now),
        "devices switched": switch_due_devices(client=client, now=now),
        "attempts expired": expiry.expire_unopened_attempts(now=now),
        "hand-offs forgotten": handoff.forget_used(now=now),
    }


def _each(rows: Iterable[Row], act: Callable[[Row], bool]) -> int:
    taken = unanswered = 0
    for row in rows:
        taken += 1
        unanswered = 0 if act(row) else unanswered + 1
        if unanswered == UNANSWERED_LIMIT:
            break
    return taken
