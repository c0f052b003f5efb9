"""End what was never opened, and take over what a killed process left in its hands."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.contrib.sessions.models import Session
from django.utils import timezone

from onboarding.flows import passes
from onboarding.models import (
    ChargeWish,
    Device,
    Mail,
    OnboardingSession,
    PoderoUser,
    Reconnection,
)
from onboarding.models.claims import left_behind, unclaimed
from onboarding.states import FailureCode, State

# A customer who has not got into the form within this time is not waiting for it any more.
OPENING_PERIOD = timedelta(hours=24)
# So many rows are held at a time, for some hundredths of a second.
BATCH = 1000


def expire_unopened_attempts(*, now: datetime) -> int:
    """Expire attempts that never got a hosted form; returns how many.

    One whose form is being opened at this very moment is left to its customer.
    """
    due = OnboardingSession.objects.filter(
        unclaimed(now), state=State.STARTED, started_at__lte=now - OPENING_PERIOD
    )
    oldest = due.order_by("started_at")
    return passes.repeat(
        lambda: oldest.mark_expired(failure_code=FailureCode.NEVER_OPENED, at=now, at_most=BATCH)
    )


def forget_ended_sign_ins() -> int:
    """Erase browser sessions that have run out: they know which attempts a browser left with.

    By the clock that Django asks, too. Returns how many.
    """
    return passes.delete_in_batches(Session.objects.filter(expire_date__lt=timezone.now()))


def free_stuck_claims(*, now: datetime) -> int:
    """Free what was claimed so long ago that its process must be gone; returns how many."""
    stuck = OnboardingSession.objects.filter(left_behind(now)).order_by("claimed_at")
    freed = passes.repeat(lambda: stuck.free_claims(at=now, at_most=BATCH))
    # No process can have left more claims on these than it has threads.
    for rows in (
        ChargeWish.objects.all(),
        Device.objects.all(),
        PoderoUser.objects.all(),
        Mail.objects.all(),
        Reconnection.objects.all(),
    ):
        freed += rows.filter(left_behind(now)).update(claimed_at=None)
    return freed
