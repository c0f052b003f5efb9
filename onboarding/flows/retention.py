"""Erase what is no longer needed, and keep a count of it.

What hangs on something goes before it: devices that were removed or whose customers left, then
attempts, then consents, then customers of whom nothing is left. A living consent keeps its
customer, a living device its attempt; a device that Podero has not known for so long, or that nobody
calls theirs and whose customer has not been here since, is to be removed. An agreement of which
nothing has come, given by somebody who has not been here since, ends like one that was withdrawn;
Podero is then asked to remove the user before the last is forgotten here.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Exists, Model, OuterRef, Q, QuerySet

from onboarding.flows import passes, removal
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
from onboarding.models.podero_users import KEPT_BY_PODERO
from onboarding.states import FINAL, Actor, Event

logger = logging.getLogger(__name__)

BATCH = 500


def erase_what_is_over(*, now: datetime) -> int:
    """Erase all that is over, in bounded batches; returns how many rows it were."""
    before = now - timedelta(days=settings.RETAIN_ATTEMPTS_DAYS)
    withdrawn_before = now - timedelta(days=settings.RETAIN_CONSENTS_DAYS)
    of_device = partial(_erase_of, "podero_user")
    # What hangs on something goes before it.
    steps: list[tuple[QuerySet[Any], Callable[..., Counter[str]]]] = [
        (_old_events(before), _erase),
        (_old_reconnections(before), partial(_erase_of, "device__podero_user")),
        (_removed_devices(before), of_device),
        (_devices_of_withdrawn(before), of_device),
        (_old_attempts(before), partial(_erase_of, "podero_user", first=_let_go_of)),
        (_old_consents(withdrawn_before), _erase),
        (_lapsed_consents(withdrawn_before), _erase),
        (_empty_customers(before).filter(~KEPT_BY_PODERO), _erase_customers),
        (LogEntry.objects.filter(action_time__lt=before), _erase),
        (_lost_devices(before), _give_up),
        (_nobodys_devices(before), _give_up),
        (_empty_customers(before).filter(KEPT_BY_PODERO), _have_podero_forget),
    ]
    erased: Counter[str] = Counter()
    ends_at = time.monotonic() + passes.PASS_SECONDS

    def take_all(number: int) -> int:
        # Each has an equal share of the time that those before it have left.
        seconds = (ends_at - time.monotonic()) / (len(steps) - number)
        rows, take = steps[number]
        for keys in passes.batches(rows, size=BATCH, seconds=seconds):
            erased.update(take(rows, keys, now=now))
        return erased.total()

    try:
        passes.each_by_itself(
            {f"step {number}": partial(take_all, number) for number in range(len(steps))}
        )
    finally:
        if erased:
            logger.info("Erased what is no longer needed", extra={"counts": dict(erased)})
    return erased.total()


def _old_events(before: datetime) -> QuerySet[SessionEvent]:
    return SessionEvent.objects.filter(at__lt=before, attempt__state__in=FINAL)


def _old_reconnections(before: datetime) -> QuerySet[Reconnection]:
    doubt = _casts_doubt(customer="device__podero_user")
    return Reconnection.objects.filter(
        ~doubt, finished_at__lt=before, next_try_at=None, device__login_doubted_at=None
    )


def _old_attempts(before: datetime) -> QuerySet[OnboardingSession]:
    ended = Q(finished_at__lt=before) | Q(finished_at=None, started_at__lt=before)
    doubt = _casts_doubt(customer="podero_user")
    return OnboardingSession.objects.filter(~doubt, ended, state__in=FINAL, devices=None)


def _casts_doubt(*, customer: str) -> Q:
    """Whether somebody came back elsewhere with it who may have brought what is linked still."""
    unproven = Device.objects.present().filter(
        podero_user=OuterRef(customer),
        attempt__consent__withdrawn_at=None,
        is_holder_proven=False,
    )
    # In this order, so that hardly a row is looked up for it.
    return Q(foreign_return_at__isnull=False, is_return_matched=False) & Q(Exists(unproven))


def _old_consents(withdrawn_before: datetime) -> QuerySet[Consent]:
    return Consent.objects.filter(withdrawn_at__lt=withdrawn_before, attempts=None)


def _lapsed_consents(before: datetime) -> QuerySet[Consent]:
    """Agreements of which nothing is left, of customers not seen since, who link nothing."""
    own = {"podero_user": OuterRef("podero_user")}
    return Consent.objects.filter(
        _not_seen_since(before, account="podero_user__account"),
        ~Exists(Device.objects.filter(**own)),
        ~Exists(OnboardingSession.objects.filter(**own)),
        given_at__lt=before,
        withdrawn_at=None,
    )


def _not_seen_since(before: datetime, *, account: str) -> Q:
    return Q(**{f"{account}__last_login": None}) | Q(**{f"{account}__last_login__lt": before})


# Each question by itself, since no index answers "the one or the other".
def _removed_devices(before: datetime) -> QuerySet[Device]:
    return _dead_devices().filter(removed_at__lt=before)


def _devices_of_withdrawn(before: datetime) -> QuerySet[Device]:
    return _dead_devices().filter(attempt__consent__withdrawn_at__lt=before)


def _dead_devices() -> QuerySet[Device]:
    doubtful = Reconnection.objects.filter(_casts_doubt(customer="device__podero_user"))
    own = doubtful.filter(device=OuterRef("pk"))
    return Device.objects.off().filter(~Exists(own), removal_due_at=None)


def _empty_customers(before: datetime) -> QuerySet[PoderoUser]:
    return PoderoUser.objects.filter(
        _not_seen_since(before, account="account"),
        consents=None,
        devices=None,
        attempts=None,
        created_at__lt=before,
        removal_due_at=None,
        account__is_staff=False,
        account__is_superuser=False,
    )


def _lost_devices(before: datetime) -> QuerySet[Device]:
    return Device.objects.present().filter(missing_since__lt=before, removal_wanted_at=None)


def _nobodys_devices(before: datetime) -> QuerySet[Device]:
    """Those that no customer has called theirs, nor been here to be asked about."""
    asked_since = SessionEvent.objects.filter(
        attempt=OuterRef("attempt"), event=Event.CONFIRMATION_RECALLED, at__gte=before
    )
    return Device.objects.present().filter(
        _not_seen_since(before, account="podero_user__account"),
        ~Exists(asked_since),
        confirmed_at=None,
        linked_at__lt=before,
        removal_wanted_at=None,
    )


def _give_up(rows: QuerySet[Device], keys: list[int], *, now: datetime) -> Counter[str]:
    """Want these devices removed at Podero; nothing is erased yet."""
    for device in rows.filter(pk__in=keys).select_related("podero_user", "attempt").order_by("pk"):
        with transaction.atomic():
            _hold([device.podero_user_id])
            if rows.filter(pk=device.pk).exists():
                removal.want_device_removed(device=device, actor=Actor.SYSTEM, now=now)
    return Counter()


def _have_podero_forget(
    rows: QuerySet[PoderoUser], keys: list[int], *, now: datetime
) -> Counter[str]:
    """Want users removed at Podero who are to be forgotten here then; nothing is erased yet."""
    with transaction.atomic():
        _hold(keys)
        for customer in rows.filter(pk__in=keys):
            customer.want_removal(now=now)
    return Counter()


def _let_go_of(attempts: list[int]) -> None:
    """A younger attempt may go on from one that is erased."""
    OnboardingSession.objects.filter(continues__in=attempts).update(continues=None)


def _erase(
    rows: QuerySet[Model],
    keys: list[int],
    *,
    now: datetime,
    first: Callable[[list[int]], None] = lambda _pks: None,
) -> Counter[str]:
    """Erase those with these keys, and what hangs on them, and count it in the same transaction."""
    with transaction.atomic():
        erased = _erase_uncounted(rows, keys, first=first)
        ErasedCount.add(erased, day=now.date())
    return erased


def _erase_uncounted(
    rows: QuerySet[Model],
    keys: list[int],
    *,
    first: Callable[[list[int]], None] = lambda _pks: None,
) -> Counter[str]:
    pks = list(rows.filter(pk__in=keys).order_by("pk").values_list("pk", flat=True))
    if not pks:
        return Counter()
    first(pks)
    return +Counter(erase(rows.model._base_manager.filter(pk__in=pks))[1])


def _erase_of(
    customer: str,
    rows: QuerySet[Model],
    keys: list[int],
    *,
    now: datetime,
    first: Callable[[list[int]], None] = lambda _pks: None,
) -> Counter[str]:
    """The same, holding the rows and their customers.

    Linking, leaving, and giving a word hold the customer too, and coming back holds the row: so
    what is over is so until the end.
    """
    with transaction.atomic():
        _hold(list(rows.filter(pk__in=keys).values_list(customer, flat=True)))
        held = rows.select_for_update(of=("self",))
        return _erase(held, keys, now=now, first=first)


def _erase_customers(rows: QuerySet[PoderoUser], keys: list[int], *, now: datetime) -> Counter[str]:
    with transaction.atomic():
        _hold(keys)
        accounts = list(rows.filter(pk__in=keys).values_list("account", flat=True))
        erased = _erase_uncounted(rows, keys) + _erase_uncounted(User.objects.all(), accounts)
        # All at once, so that whoever counts at the same time does so in the same order.
        ErasedCount.add(erased, day=now.date())
        return erased


def _hold(customers: list[int]) -> None:
    rows = PoderoUser.objects.select_for_update().filter(pk__in=customers)
    list(rows.order_by("pk").values_list("pk", flat=True))
