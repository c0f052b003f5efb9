"""Leaving: takes effect here at once, and at Podero as soon as Podero can be reached."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from onboarding.flows import charging
from onboarding.models import (
    Consent,
    Device,
    Mail,
    OnboardingSession,
    PoderoUser,
)
from onboarding.states import Actor, Event, State

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Acknowledgement:
    """What one withdrawal ended, and how it stands at Podero by now.

    `is_past_records`: what it ended may have been erased since. `has_come_back`: the customer has
    agreed anew after it, so that they have an entry at Podero again, and devices may be linked anew.
    """

    at: datetime
    is_past_records: bool
    has_come_back: bool
    consents: list[Consent]
    attempts: list[OnboardingSession]
    devices: list[Device]
    is_user_removed: bool
    is_user_refused: bool
    may_bring_device: bool

    @property
    def is_all_off(self) -> bool:
        return all(device.is_settled for device in self.devices)

    @property
    def is_all_removed(self) -> bool:
        is_user_done = self.is_user_removed or self.has_come_back
        return is_user_done and all(device.is_removed for device in self.devices)

    @property
    def has_refusals(self) -> bool:
        is_user_refused = self.is_user_refused and not self.has_come_back
        return is_user_refused or any(device.is_removal_refused for device in self.devices)


def withdraw(*, customer: PoderoUser, now: datetime) -> list[Device]:
    """End all consents and attempts, and want nothing steered or left at Podero. Repeatable.

    Returns the devices. Switching off and removing are left to `removal`, retried until done. The
    acknowledgement is mailed once per withdrawal, where mails are sent; a customer who is erased
    before that is not written to any more.
    """
    with transaction.atomic():
        # Devices that are being linked this moment wait here, and then find the consent gone.
        customer.hold()
        living = customer.consents.filter(withdrawn_at=None).order_by("-pk")
        newest = living.first()
        Consent.objects.filter(podero_user=customer).withdraw(at=now)
        if newest is not None or customer.withdrawn_at is None:
            customer.record_withdrawal(at=now)
            # Known there or not: somebody may be about to make the user this moment.
            customer.want_removal(now=now)
        if newest is not None and settings.IS_MAIL_ON:
            Mail.objects.create(consent=newest, kind=Mail.Kind.WITHDRAWAL, next_try_at=now)
        charging.take_back_all(customer=customer, now=now)
        devices = list(Device.objects.for_customer(customer).present().order_by("pk"))
        for device in devices:
            device.want_optimization(is_wanted=False, now=now)
            if newest is not None or not device.is_removal_wanted:
                device.want_removal(now=now)
        linked = customer.attempts.filter(state=State.LINKED, consent__withdrawn_at=now)
        for attempt in linked.order_by("pk"):
            attempt.note(Event.WITHDRAWN, at=now, actor=Actor.CUSTOMER)
        unfinished = customer.attempts.filter(state__in=[State.STARTED, State.OPEN])
        # A form that opens this very moment waits, or is waited for: it must not stay open.
        for attempt in unfinished.select_for_update(no_key=True).order_by("pk"):
            attempt.mark_cancelled(at=now, event=Event.WITHDRAWN)
    if newest is not None:
        # Who restores a backup of before learns it from here.
        logger.info("Customer withdrew", extra={"customer": customer.reference})
    return devices


def acknowledge(
    *, customer: PoderoUser, consent: UUID | None = None, now: datetime
) -> Acknowledgement | None:
    """What a withdrawal of the customer ended, with what turned up since.

    It is the one that ended the consent with this reference, or the last one; None where there was
    none.
    """
    may_bring = customer.attempts.that_may_bring_a_device(now=now)
    withdrawn: list[Any] = list(
        customer.consents.exclude(withdrawn_at=None)
        .select_related("text")
        .annotate(may_bring=Exists(may_bring.filter(consent=OuterRef("pk"))))
        .order_by("given_at", "pk")
    )
    at = customer.withdrawn_at
    if consent is not None:
        at = next((each.withdrawn_at for each in withdrawn if each.reference == consent), None)
    elif at is None:
        at = max((each.withdrawn_at for each in withdrawn), default=None)
    if at is None:
        return None
    ended = [each for each in withdrawn if each.withdrawn_at == at]
    own = Device.objects.for_customer(customer).filter(
        Q(removed_at=None) | Q(removed_at__gte=at), attempt__consent__withdrawn_at__lte=at
    )
    attempts = customer.attempts.filter(consent__in=ended).filter(
        Q(finished_at=None) | Q(finished_at__gte=at)
    )
    return Acknowledgement(
        at=at,
        is_past_records=at < now - timedelta(days=settings.RETAIN_ATTEMPTS_DAYS),
        has_come_back=customer.withdrawn_at != at,
        consents=ended,
        attempts=list(attempts.exclude(state=State.LINKED).order_by("started_at", "pk")),
        devices=list(own.select_related("attempt__consent").order_by("pk")),
        is_user_removed=customer.is_removed,
        is_user_refused=customer.is_removal_refused,
        may_bring_device=any(each.may_bring for each in ended),
    )
