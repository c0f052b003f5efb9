"""Whose device is it? The customer's word, and when more than that is needed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, Q

from onboarding.flows import keeping, passes, proof
from onboarding.models import Device, OnboardingSession, Reconnection
from onboarding.models.attempt_queries import OnboardingSessionQuerySet
from onboarding.models.device_queries import DeviceQuerySet
from onboarding.states import Actor, Event

BATCH = 500

# What a browser has come back with, and the device that each return named, if any.
CameBack = Mapping[UUID, UUID | None]


class ReturnedElsewhere(Exception):
    """Somebody came back with this device in another browser: a word is not enough any more."""


def confirm_device(*, device: Device, came_back: CameBack, now: datetime) -> None:
    """The customer says "this is my device": from now on it is to be optimized. Repeatable.

    `came_back` is what the browser in which they say it has come back with. Raises
    ReturnedElsewhere when another browser came back and nothing shows that it is the customer who
    signed in at the manufacturer; HasLeft when the consent under which it was linked has been
    withdrawn.
    """
    with transaction.atomic():
        keeping.hold_consent(device.attempt)
        # Whoever comes back elsewhere this moment waits here, or is seen.
        attempts = list(_attempts_to_mind(device.podero_user_id).select_for_update(no_key=True))
        renewals = Reconnection.objects.for_customer(device.podero_user).that_anybody_may_finish()
        list(renewals.select_for_update(of=["self"], no_key=True).order_by("pk"))
        own = Device.objects.filter(pk=device.pk).select_related("attempt")
        said_of = proof.with_sign_ins(own, came_back=came_back).get()
        word = _Word(said_of, attempts, came_back)
        if word.is_barred:
            raise ReturnedElsewhere
        if word.is_proof:
            said_of.record_holder()
        if said_of.is_login_in_doubt:
            said_of.settle_login(at=max(now, said_of.checked_at))
        # It was the customer in that browser, so that these leave no doubt about any device.
        vouched_for = [attempt.pk for attempt in word.vouched_for]
        OnboardingSession.objects.filter(pk__in=vouched_for).update(foreign_return_at=None)
        renewals.filter(reference__in=list(came_back)).update(foreign_return_at=None)
        if said_of.confirm(now=now):
            said_of.attempt.note(Event.DEVICE_CONFIRMED, at=now, actor=Actor.CUSTOMER)


def barred_devices(devices: Iterable[Device], *, came_back: CameBack) -> set[int]:
    """Those of one customer's `devices` that a "yes, mine" in this browser is not enough for.

    They are of `proof.with_sign_ins`.
    """
    asked = [each for each in devices if not (each.is_confirmed or each.is_holder_proven)]
    if not asked:
        return set()
    attempts = list(_attempts_to_mind(asked[0].podero_user_id))
    return {each.pk for each in asked if _Word(each, attempts, came_back).is_barred}


def recall_doubtful_confirmations(*, among: DeviceQuerySet | None = None, now: datetime) -> int:
    """Ask again about devices confirmed by a mere word before somebody else came back with them.

    Until then they are to be off. Returns how many it were. One that fails keeps none from its
    turn; what went wrong is raised at the end.
    """
    rows = Device.objects.all() if among is None else among
    elsewhere = OnboardingSession.objects.that_brought_it_elsewhere()
    # Most customers have never come back elsewhere, and need not be looked at one by one.
    forms = OnboardingSession.objects.that_came_back_elsewhere().values("podero_user")
    renewals = Reconnection.objects.that_came_back_elsewhere().values("device__podero_user")
    doubtful = proof.with_sign_ins(rows, came_back=()).filter(
        Exists(elsewhere) | Q(is_let_in_elsewhere=True),
        podero_user__in=forms.union(renewals),
        confirmed_at__isnull=False,
        is_holder_proven=False,
    )
    found = doubtful.select_related("attempt").order_by("pk")[:BATCH]
    recalls = {str(device.reference): partial(proof.recall, device, now=now) for device in found}
    return sum(passes.each_by_itself(recalls).values())


def _attempts_to_mind(customer_id: int) -> OnboardingSessionQuerySet:
    own = OnboardingSession.objects.filter(podero_user=customer_id).order_by("pk")
    return own.that_may_matter_for_devices()


@dataclass(frozen=True)
class _Word:
    """What "this is my device" counts for, said in a browser that has come back with `came_back`.

    `device` is one of `proof.with_sign_ins`; `attempts` are those of the customer that came back
    elsewhere or are unsettled.
    """

    device: Any
    attempts: list[OnboardingSession]
    came_back: CameBack

    @property
    def is_barred(self) -> bool:
        """Whether the device may be somebody else's, and this browser cannot vouch for it."""
        if self.device.is_holder_proven:
            return False
        if self.device.is_login_in_doubt and (
            self.device.account_mark or self.device.is_signed_in_elsewhere
        ):
            return True
        return self.device.is_let_in_elsewhere or not self._has_come_back_with(self._elsewhere)

    @property
    def is_proof(self) -> bool:
        """Whether it shows for good that the customer signed in at the manufacturer.

        It does where nothing else may have brought the device.
        """
        if self.device.is_login_in_doubt:
            return False
        brought = self._elsewhere or [self.device.attempt]
        if self.device.may_be_let_in or not self._has_come_back_with(brought):
            return False
        others = (attempt for attempt in self.attempts if attempt not in brought)
        return not any(other.may_have_brought(self.device) for other in others)

    @property
    def vouched_for(self) -> list[OnboardingSession]:
        """Those that this browser came back with, in which the customer was not signed in then."""
        return self._elsewhere if self._has_come_back_with(self._elsewhere) else []

    @property
    def _elsewhere(self) -> list[OnboardingSession]:
        """Those that may have brought it, and came back where its customer was not signed in."""
        return [
            attempt
            for attempt in self.attempts
            if attempt.came_back_elsewhere and attempt.may_have_brought(self.device)
        ]

    def _has_come_back_with(self, attempts: Iterable[OnboardingSession]) -> bool:
        """Whether this browser has come back with all of them, naming no other device.

        That it named this one shows nothing: an address is edited easily.
        """
        unnamed = object()
        named = {self.came_back.get(each.reference, unnamed) for each in attempts}
        return named <= {None, self.device.podero_id}
