""" "Charge now" for cars and wallboxes: asked for at once, retried for a while, then given up."""

from __future__ import annotations

import logging
from datetime import datetime
from uuid import UUID

from django.db import transaction

from onboarding import podero
from onboarding.flows import failures, keeping, passes, schedule
from onboarding.log_context import lines_name
from onboarding.models import ChargeWish, Device, PoderoUser
from onboarding.states import Actor, Event

logger = logging.getLogger(__name__)

Answer = ChargeWish.Answer

_REASONS = {
    "already_charging": Answer.ALREADY_CHARGING,
    "fully_charged": Answer.FULLY_CHARGED,
    "no_active_session": Answer.NO_ACTIVE_SESSION,
    "internal_error": Answer.INTERNAL_ERROR,
}


class CannotBeCharged(Exception):
    """Not a car or wallbox, not confirmed, or not within Podero's reach."""


def charge_now(*, device: Device, now: datetime) -> None:
    """The customer wants it charged at once, whatever electricity costs. Repeatable.

    Raises CannotBeCharged; HasLeft when the consent under which it was linked was withdrawn.
    """
    with transaction.atomic():
        keeping.hold_consent(device.attempt)
        device.refresh_from_db(fields=["confirmed_at", "removal_wanted_at", "removed_at"])
        if not device.charging.is_possible:
            raise CannotBeCharged
        if ChargeWish.wish(device, is_start=True, now=now):
            device.attempt.note(Event.CHARGE_WISHED, at=now, actor=Actor.CUSTOMER)


def do_not_charge_now(*, device: Device, now: datetime) -> None:
    """The customer takes that back. Repeatable.

    Podero is told in any case: an earlier call of unknown outcome may have been heard.
    """
    with transaction.atomic():
        PoderoUser.objects.hold(device.podero_user_id)
        device.refresh_from_db(fields=["removed_at"])
        is_chargeable = device.device_type in (podero.DeviceType.EV, podero.DeviceType.WB)
        if is_chargeable and not device.is_removed:
            _take_back(device, now=now)


def take_back_unless_charging(*, device: Device, now: datetime) -> None:
    """For a device that is paused: nothing begins to charge later because of what was wished."""
    wish = ChargeWish.objects.filter(device=device).first()
    is_charging = wish is not None and wish.answer == Answer.STARTED
    may_wait = wish is not None and wish.may_be_taken_back and not is_charging
    if device.reported.is_boost_armed or may_wait:
        _take_back(device, now=now)


def take_back_all(*, customer: PoderoUser, now: datetime) -> None:
    """For a customer who leaves: nothing charges any more because of what was wished here."""
    present = Device.objects.for_customer(customer).present()
    for device in present.select_related("attempt", "charge_wish"):
        take_back_if_asked(device=device, now=now)


def take_back_if_asked(
    *,
    device: Device,
    is_boosted: bool = False,
    actor: Actor = Actor.CUSTOMER,
    now: datetime,
) -> None:
    """For a device that is to go: what may be armed, or running, at Podero is taken back before."""
    wish = getattr(device, "charge_wish", None)
    if is_boosted or device.charging.may_be_ended or (wish is not None and wish.may_be_taken_back):
        _take_back(device, actor=actor, now=now)


def _take_back(device: Device, *, actor: Actor = Actor.CUSTOMER, now: datetime) -> None:
    if ChargeWish.wish(device, is_start=False, now=now):
        device.attempt.note(Event.CHARGE_TAKEN_BACK, at=now, actor=actor)


@lines_name("wish.device", "wish.device.attempt")
def carry_out(*, client: podero.PoderoClient, wish: ChargeWish, now: datetime) -> bool:
    """Tell Podero what the customer wishes; otherwise plan the next try, or give up.

    False when Podero could not be asked.
    """
    # Whoever has withdrawn meanwhile is not charged for.
    if not ChargeWish.objects.carried_on().filter(pk=wish.pk).exists() or not wish.claim(now=now):
        return True
    user_id = wish.device.podero_user.podero_id
    if now >= wish.gives_up_at or user_id is None:
        _record_answer(wish, Answer.GAVE_UP, now=now)
        return True
    kind = podero.DeviceType(wish.device.device_type)
    ask = client.start_boost if wish.is_start else client.stop_boost
    try:
        ask(user_id, kind, wish.device.podero_id)
    except podero.BoostRefused as refusal:
        answer = _REASONS.get(refusal.reason, Answer.REFUSED)
        if answer == Answer.ALREADY_CHARGING and wish.tries:
            answer = _what_it_charges_by(client, wish, user_id=user_id, now=now)
        _record_answer(wish, answer, now=now)
        return True
    except podero.PoderoError as error:
        # What Podero does not have any more charges nothing; once it may say so by mistake.
        if wish.is_start or not isinstance(error, podero.NotFound) or not wish.tries:
            _record_failure(wish, error, now=now)
            return failures.is_answer(error)
    answer = Answer.TAKEN_BACK
    if wish.is_start:
        answer = _what_was_started(client, wish, user_id=user_id, now=now)
    _record_answer(wish, answer, now=now)
    return True


def forget_answered(*, now: datetime) -> int:
    """Wishes whose answer has been there long enough to be read; returns how many."""
    old = ChargeWish.objects.filter(answered_at__lt=now - ChargeWish.MEMORY)
    return passes.delete_in_batches(old)


def _what_was_started(
    client: podero.PoderoClient, wish: ChargeWish, *, user_id: UUID, now: datetime
) -> ChargeWish.Answer:
    """Podero says yes in one word: whether a cable is in tells what it has said yes to."""
    if not _look_again(client, wish.device, user_id=user_id, now=now):
        return Answer.ACCEPTED
    reported = wish.device.reported
    if reported.is_boost_armed or reported.cable == "unplugged":
        return Answer.ARMED
    return Answer.STARTED if reported.cable else Answer.ACCEPTED


def _what_it_charges_by(
    client: podero.PoderoClient, wish: ChargeWish, *, user_id: UUID, now: datetime
) -> ChargeWish.Answer:
    """An earlier try, whose answer was lost, may have started what Podero says is under way."""
    is_seen = _look_again(client, wish.device, user_id=user_id, now=now)
    is_boosting = is_seen and wish.device.reported.is_boosting
    return Answer.STARTED if is_boosting else Answer.ALREADY_CHARGING


def _look_again(
    client: podero.PoderoClient, device: Device, *, user_id: UUID, now: datetime
) -> bool:
    """False when Podero could not be asked."""
    try:
        found = client.get_device(user_id, podero.DeviceType(device.device_type), device.podero_id)
    except podero.PoderoError:
        return False
    device.record_seen(found, at=now)
    return True


def _record_answer(wish: ChargeWish, answer: ChargeWish.Answer, *, now: datetime) -> None:
    event = Event.CHARGE_GIVEN_UP if answer == Answer.GAVE_UP else Event.CHARGE_ANSWERED
    with transaction.atomic():
        if wish.record_answer(answer, at=now):
            wish.device.attempt.note(event, at=now, actor=Actor.SYSTEM)


def _record_failure(wish: ChargeWish, error: podero.PoderoError, *, now: datetime) -> None:
    code = failures.code_of(error)
    logger.warning(
        "Charging could not be asked for",
        extra={"failure_code": code.value},
    )
    # Nothing charges later because of one mistaken answer: taking back is tried twice.
    if failures.is_answer(error) and (wish.is_start or wish.tries):
        _record_answer(wish, Answer.REFUSED, now=now)
        return
    when = schedule.next_try(
        now=now, tries=wish.tries + 1, first_seconds=5, ceiling_seconds=300, error=error
    )
    wish.record_failure(next_try_at=min(when, wish.gives_up_at))
