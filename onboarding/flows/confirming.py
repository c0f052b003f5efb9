"""Whose device is it? The customer's word, and when more than that is needed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from onboarding.flows import charging, keeping
from onboarding.models import Device, OnboardingSession
from onboarding.models.attempts import OnboardingSessionQuerySet
from onboarding.models.devices import DeviceQuerySet
from onboarding.states import Actor, Event, State

BATCH = 500

# The attempts that a browser has come back with, and the device that each return named, if any.
CameBack = Mapping[UUID, UUID | None]
# What may have changed of a device while a word about it waited for whoever came back.
_PROOF = (
    "is_holder_proven",
    "is_login_in_doubt",
    "is_named_by_session",
    "linked_at",
    "linked_after",
    "attempt",
)


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
        attempts = list(_attempts_to_mind(device.podero_user_id).select_for_update())
        device.refresh_from_db(fields=_PROOF)
        word = _Word(device, attempts, came_back)
        if word.is_barred:
            raise ReturnedElsewhere
        if word.is_proof:
            device.record_holder()
        # It was the customer in that browser, so that these leave no doubt about any device.
        vouched_for = [attempt.pk for attempt in word.vouched_for]
        OnboardingSession.objects.filter(pk__in=vouched_for).update(foreign_return_at=None)
        if device.confirm(now=now):
            device.attempt.note(Event.DEVICE_CONFIRMED, at=now, actor=Actor.CUSTOMER)


def barred_devices(devices: Iterable[Device], *, came_back: CameBack) -> set[int]:
    """Those of one customer's `devices` that a "yes, mine" in this browser is not enough for."""
    asked = [each for each in devices if not (each.is_confirmed or each.is_holder_proven)]
    if not asked:
        return set()
    attempts = list(_attempts_to_mind(asked[0].podero_user_id))
    return {each.pk for each in asked if _Word(each, attempts, came_back).is_barred}


def recall_doubtful_confirmations(*, among: DeviceQuerySet | None = None, now: datetime) -> int:
    """Ask again about devices confirmed by a mere word before somebody else came back with them.

    Until then they are to be off. Returns how many it were.
    """
    rows = Device.objects.all() if among is None else among
    elsewhere = OnboardingSession.objects.that_came_back_elsewhere()
    own = elsewhere.filter(pk=OuterRef("attempt"))
    others = elsewhere.filter(
        Q(expires_at__gte=OuterRef("linked_after")) | ~Q(state=State.LINKED),
        podero_user=OuterRef("podero_user"),
        started_at__lte=OuterRef("linked_at"),
    )
    doubtful = rows.filter(
        Exists(own) | Exists(others) & Q(is_named_by_session=False),
        confirmed_at__isnull=False,
        is_holder_proven=False,
    )
    recalled = 0
    for device in doubtful.select_related("attempt").order_by("pk")[:BATCH]:
        recalled += recall(device, now=now)
    return recalled


def recall(device: Device, *, now: datetime) -> bool:
    """Ask again whose it is; until then it is off, and what was to charge is taken back."""
    with transaction.atomic():
        if not device.recall_confirmation(now=now):
            return False
        charging.take_back_if_asked(device=device, now=now)
        device.attempt.note(Event.CONFIRMATION_RECALLED, at=now, actor=Actor.SYSTEM)
    return True


def _attempts_to_mind(customer_id: int) -> OnboardingSessionQuerySet:
    own = OnboardingSession.objects.filter(podero_user=customer_id).order_by("pk")
    return own.that_may_matter_for_devices()


@dataclass(frozen=True)
class _Word:
    """What "this is my device" counts for, said in a browser that has come back with `came_back`.

    `attempts` are those of the customer that came back elsewhere or are unsettled.
    """

    device: Device
    attempts: list[OnboardingSession]
    came_back: CameBack

    @property
    def is_barred(self) -> bool:
        """Whether the device may be somebody else's, and this browser cannot vouch for it."""
        if self.device.is_holder_proven:
            return False
        return self.device.is_login_in_doubt or not self._has_come_back_with(self._elsewhere)

    @property
    def is_proof(self) -> bool:
        """Whether it shows for good that the customer signed in at the manufacturer.

        It does where no other attempt may have brought the device.
        """
        brought = self._elsewhere or [self.device.attempt]
        if self.device.is_login_in_doubt or not self._has_come_back_with(brought):
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
