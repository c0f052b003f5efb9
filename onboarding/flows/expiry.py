"""End what was never opened, and take over what a killed process left in its hands."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from importlib import import_module

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase

from onboarding.models import (
    ChargeWish,
    Device,
    InvalidTransition,
    Mail,
    OnboardingSession,
    PoderoUser,
    Reconnection,
)
from onboarding.models.claims import CLAIM_LIFETIME
from onboarding.states import Actor, Event, FailureCode, State

logger = logging.getLogger(__name__)

# A customer who has not got into the form within this time is not waiting for it any more.
OPENING_PERIOD = timedelta(hours=24)
BATCH = 500


def expire_unopened_attempts(*, now: datetime) -> int:
    """Expire attempts that never got a hosted form; returns how many."""
    expired = 0
    due = OnboardingSession.objects.filter(
        state=State.STARTED, started_at__lte=now - OPENING_PERIOD
    )
    for attempt in due.order_by("pk")[:BATCH]:
        try:
            attempt.mark_expired(failure_code=FailureCode.NEVER_OPENED, at=now)
        except InvalidTransition:
            logger.info("Attempt moved on meanwhile", extra={"attempt": attempt.reference})
        else:
            expired += 1
    return expired


def forget_ended_sign_ins() -> None:
    """Erase browser sessions that have run out: they know which attempts a browser left with."""
    store: type[SessionBase] = import_module(settings.SESSION_ENGINE).SessionStore
    store.clear_expired()


def free_stuck_claims(*, now: datetime) -> int:
    """Free what was claimed so long ago that its process must be gone; returns how many."""
    before = now - CLAIM_LIFETIME
    freed = 0
    for attempt in OnboardingSession.objects.filter(claimed_at__lt=before).order_by("pk")[:BATCH]:
        if attempt.release():
            attempt.note(Event.CLAIM_FREED, at=now, actor=Actor.SYSTEM)
            freed += 1
    for rows in (
        ChargeWish.objects.all(),
        Device.objects.all(),
        PoderoUser.objects.all(),
        Mail.objects.all(),
        Reconnection.objects.all(),
    ):
        freed += rows.filter(claimed_at__lt=before).update(claimed_at=None)
    return freed
