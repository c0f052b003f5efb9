"""A customer asks for their data, or for its erasure: GDPR, articles 15 and 17."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any, Literal

from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from onboarding import podero
from onboarding.flows import devices
from onboarding.flows.personal_data import (
    HELD,
    failed_sign_ins_of,
    log_entries_of,
    sign_ins_of,
    tallies_of,
    told_of,
)
from onboarding.models import (
    ChargeWish,
    Device,
    ErasedCount,
    OnboardingSession,
    PoderoUser,
    Reconnection,
)
from onboarding.models.append_only import erase
from onboarding.models.attempt_queries import LATE

# Sign-ins are dated by the machine that wrote them.
CLOCKS_APART = timedelta(minutes=5)

Reason = Literal[
    "not_asked", "steered", "linked", "being_removed", "form_open", "perhaps_there", "staff"
]


class UnableToErase(Exception):
    """Erasing now could leave a device steered that nobody knows of any more, or is no customer's.

    `reason`: Podero could not be asked; a device is steered or is to be; one is linked, paused or
    not, and nobody has asked Podero to remove it; Podero is still to remove something; a hosted
    form may still bring a device, or may have (until `until`, where that is known); Podero may have
    made a user without our learning of it; the account is a member of staff's.
    """

    def __init__(self, reason: Reason, *, until: datetime | None = None) -> None:
        super().__init__(reason)
        self.reason: Reason = reason
        self.until = until


def export_customer(*, customer: PoderoUser, now: datetime) -> dict[str, Any]:
    """Everything held about the customer; keys are left out.

    So is by what a device that nobody has confirmed goes at its manufacturer: it may be a stranger's.
    """
    held_rows = {held.name: told_of(held, customer) for held in HELD}
    for device in held_rows["devices"]:
        if device["confirmed_at"] is None:
            device["external_device_id"] = ""
    return {
        "exported_at": now,
        **held_rows,
        "sign_ins": [{"ends_at": session.expire_date} for session in sign_ins_of(customer)],
        "failed_sign_ins": [
            {
                "last_at": row.attempt_time,
                "address": row.ip_address,
                "times": row.failures_since_start,
            }
            for row in failed_sign_ins_of(customer)
        ],
        "refused_links_and_looks": [
            {"since": row.started_at, "times": row.count} for row in tallies_of(customer)
        ],
        "seen_by_staff": [
            {"at": entry.action_time, "what": entry.object_repr, "how": entry.change_message}
            for entry in log_entries_of(customer)
        ],
    }


def erase_customer(
    *, client: podero.PoderoClient, customer: PoderoUser, now: datetime
) -> Counter[str]:
    """Erase everything held about the customer, the account included; returns what it was.

    A mail that was not sent yet goes too, unsent. What Podero refused to remove is no obstacle.
    Raises UnableToErase, and then nothing is erased.
    """
    if customer.account.is_staff or customer.account.is_superuser:
        raise UnableToErase("staff")
    own = Device.objects.for_customer(customer)
    try:
        if own.present().exists():
            devices.read_devices(client=client, customer=customer, now=now)
    except podero.PoderoError as error:
        raise UnableToErase("not_asked") from error
    looked_at = timezone.now()
    # Of the many sign-ins only the newest are looked through while others wait.
    sign_ins = [session.pk for session in sign_ins_of(customer)]
    with transaction.atomic():
        # Linking holds the customer too: what is seen here is so until the end.
        PoderoUser.objects.select_for_update().get(pk=customer.pk)
        customer.refresh_from_db()
        _refuse_while_a_form_is_open(customer, now=now)
        _refuse_while_steered(customer)
        recent = sign_ins_of(customer, saved_since=looked_at - CLOCKS_APART)
        erased = _erase(customer, sign_ins=[*sign_ins, *(session.pk for session in recent)])
        ErasedCount.add(erased, day=now.date())
    return erased


def _refuse_while_steered(customer: PoderoUser) -> None:
    own = Device.objects.for_customer(customer)
    if own.filter(
        Q(is_optimization_active=True)
        | Q(is_optimization_wanted=True)
        | Q(is_optimization_in_doubt=True)
    ).exists():
        raise UnableToErase("steered")
    if ChargeWish.objects.filter(device__podero_user=customer, answer="").exists():
        raise UnableToErase("steered")
    if own.present().filter(removal_wanted_at=None, missing_since=None).exists():
        raise UnableToErase("linked")
    if customer.is_creation_in_doubt and not customer.is_removal_wanted:
        raise UnableToErase("perhaps_there")
    if own.filter(removal_due_at__isnull=False).exists() or (
        # Without its devices gone, the user is not asked about.
        customer.is_being_removed and not own.present().filter(removal_due_at=None).exists()
    ):
        raise UnableToErase("being_removed")


def _refuse_while_a_form_is_open(customer: PoderoUser, *, now: datetime) -> None:
    attempts = OnboardingSession.objects.for_customer(customer)
    # A way back from the manufacturer holds its own row before the attempt's.
    renewals = Reconnection.objects.for_customer(customer).select_for_update(of=("self",))
    list(renewals.order_by("pk").values_list("pk", flat=True))
    # Whoever is about to open a form waits here, and then finds the attempt gone.
    list(attempts.select_for_update().order_by("pk").values_list("pk", flat=True))
    last = attempts.that_may_bring_a_device(now=now).order_by("-expires_at").first()
    if last is not None:
        ends_at = last.expires_at
        # What somebody has linked at the last moment is looked for until then.
        until = ends_at + LATE if ends_at is not None and ends_at <= now else ends_at
        raise UnableToErase("form_open", until=until)
    waited = attempts.that_are_waited_for().order_by("-next_try_at").first()
    if waited is not None and customer.podero_id is not None:
        raise UnableToErase("form_open", until=waited.next_try_at)


def _erase(customer: PoderoUser, *, sign_ins: list[str]) -> Counter[str]:
    account = customer.account
    erased = Counter(log_entries_of(customer).delete()[1])
    erased += Counter(Session.objects.filter(pk__in=sign_ins).delete()[1])
    erased += Counter(failed_sign_ins_of(customer).delete()[1])
    erased += Counter(tallies_of(customer).delete()[1])
    # Attempts protect those they continue, even from being erased together.
    OnboardingSession.objects.for_customer(customer).update(continues=None)
    for held in HELD:
        if not held.is_shared and held.model is not type(account):
            pks = list(held.rows_of(customer).values_list("pk", flat=True))
            erased += Counter(erase(held.model._base_manager.filter(pk__in=pks))[1])
    return erased + Counter(account.delete()[1])
