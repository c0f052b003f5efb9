"""Erase what is no longer needed, and keep a count of it.

What hangs on something goes before it: devices that were removed or whose customers left, then attempts, then
consents, then customers of whom nothing is left. A living consent keeps its customer, a living
device its attempt.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Exists, Model, OuterRef, Q, QuerySet

from onboarding.flows import passes
from onboarding.models import (
    Consent,
    Device,
    ErasedCount,
    OnboardingSession,
    PoderoUser,
    Reconnection,
    SessionEvent,
)
from onboarding.models.append_only import erase
from onboarding.states import FINAL

logger = logging.getLogger(__name__)

BATCH = 500


def erase_what_is_over(*, now: datetime) -> int:
    """Erase all that is over, in bounded batches; returns how many rows it were.

    What hung on rows erased in one batch may be over in the next.
    """
    before = now - timedelta(days=settings.RETAIN_ATTEMPTS_DAYS)
    withdrawn_before = now - timedelta(days=settings.RETAIN_CONSENTS_DAYS)
    erased: Counter[str] = Counter()

    def erase_batch() -> int:
        done = (
            _erase(_old_events(before), now=now)
            + _erase(_old_reconnections(before), now=now)
            + _erase_devices(before, now=now)
            + _erase(_old_attempts(before), now=now, first=_let_go_of)
            + _erase(_old_consents(withdrawn_before), now=now)
            + _erase_customers(before, now=now)
        )
        erased.update(done)
        return done.total()

    passes.repeat(erase_batch)
    if erased:
        logger.info("Erased what is no longer needed", extra={"counts": dict(erased)})
    return erased.total()


def _old_events(before: datetime) -> QuerySet[SessionEvent]:
    return SessionEvent.objects.filter(at__lt=before, attempt__state__in=FINAL)


def _old_reconnections(before: datetime) -> QuerySet[Reconnection]:
    return Reconnection.objects.filter(finished_at__lt=before, next_try_at=None)


def _old_attempts(before: datetime) -> QuerySet[OnboardingSession]:
    ended = Q(finished_at__lt=before) | Q(finished_at=None, started_at__lt=before)
    unproven = Device.objects.present().filter(
        podero_user=OuterRef("podero_user"), is_holder_proven=False
    )
    casts_doubt = Q(foreign_return_at__isnull=False) & Exists(unproven)
    return OnboardingSession.objects.filter(~casts_doubt, ended, state__in=FINAL, devices=None)


def _old_consents(withdrawn_before: datetime) -> QuerySet[Consent]:
    return Consent.objects.filter(withdrawn_at__lt=withdrawn_before, attempts=None)


def _dead_devices(before: datetime) -> QuerySet[Device]:
    over = Q(attempt__consent__withdrawn_at__lt=before) | Q(removed_at__lt=before)
    return Device.objects.off().filter(over, removal_due_at=None)


def _empty_customers(before: datetime) -> QuerySet[PoderoUser]:
    not_seen = Q(account__last_login=None) | Q(account__last_login__lt=before)
    return PoderoUser.objects.filter(
        not_seen,
        consents=None,
        devices=None,
        attempts=None,
        created_at__lt=before,
        removal_due_at=None,
        account__is_staff=False,
        account__is_superuser=False,
    )


def _let_go_of(attempts: list[int]) -> None:
    """A younger attempt may go on from one that is erased."""
    OnboardingSession.objects.filter(continues__in=attempts).update(continues=None)


def _erase(
    rows: QuerySet[Model],
    *,
    now: datetime,
    first: Callable[[list[int]], None] = lambda _pks: None,
) -> Counter[str]:
    """Erase one batch of `rows` with what hangs on them, and count it in the same transaction."""
    with transaction.atomic():
        pks = list(rows.order_by("pk").values_list("pk", flat=True)[:BATCH])
        if not pks:
            return Counter()
        first(pks)
        _total, per_model = erase(rows.model._base_manager.filter(pk__in=pks))
        erased = Counter(per_model)
        ErasedCount.add(erased, day=now.date())
    return +erased


def _erase_devices(before: datetime, *, now: datetime) -> Counter[str]:
    with transaction.atomic():
        owners = list(
            _dead_devices(before).order_by("pk").values_list("podero_user", flat=True)[:BATCH]
        )
        # Linking and leaving hold the customer too, so what is dead stays dead until the end.
        _hold(owners)
        return _erase(_dead_devices(before).filter(podero_user__in=owners), now=now)


def _erase_customers(before: datetime, *, now: datetime) -> Counter[str]:
    with transaction.atomic():
        empty = list(_empty_customers(before).order_by("pk").values_list("pk", flat=True)[:BATCH])
        _hold(empty)
        rows = _empty_customers(before).filter(pk__in=empty)
        accounts = list(rows.values_list("account", flat=True))
        erased = _erase(rows, now=now)
        return erased + _erase(User.objects.filter(pk__in=accounts), now=now)


def _hold(customers: list[int]) -> None:
    rows = PoderoUser.objects.select_for_update().filter(pk__in=customers)
    list(rows.order_by("pk").values_list("pk", flat=True))
