"""Make Podero steer a device, or leave it alone, as the customer wants; keep our picture fresh."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.db import transaction

from onboarding import podero
from onboarding.flows import failures, keeping, schedule
from onboarding.log_context import lines_name
from onboarding.models import Device, PoderoUser
from onboarding.states import Actor, Event

logger = logging.getLogger(__name__)

# Podero calls list data stale after this when a person is looking at it.
FRESH_PERIOD = timedelta(seconds=30)
# Podero asks to be polled no more often than this in the background.
UNWATCHED_PERIOD = timedelta(minutes=15)
# Switching on is given up after about a month. Switching off never is: somebody may have left.
MAX_TRIES_TO_SWITCH_ON = 120


def confirm_device(*, device: Device, now: datetime) -> None:
    """The customer says "this is my device": from now on it is to be optimized. Repeatable.

    Raises HasLeft when the consent under which it was linked has been withdrawn.
    """
    with transaction.atomic():
        keeping.hold_consent(device.attempt)
        if device.confirm(now=now):
            device.attempt.note(Event.DEVICE_CONFIRMED, at=now, actor=Actor.CUSTOMER)


@lines_name("device")
def switch_optimization(*, client: podero.PoderoClient, device: Device, now: datetime) -> bool:
    """Bring Podero in line with what is wanted for the device; otherwise plan the next try.

    False when Podero could not be asked.
    """
    is_wanted = device.is_optimization_wanted
    user_id = device.podero_user.podero_id
    # In doubt from before the call: it may take effect without our learning of it.
    if device.is_settled or not device.claim(now=now, is_optimization_in_doubt=True):
        return True
    if user_id is None:
        _record_not_switched(device, None, now=now)
        return True
    try:
        found = client.update_device(
            user_id,
            podero.DeviceType(device.device_type),
            device.podero_id,
            is_smart_optimization_active=is_wanted,
        )
    except podero.NotFound as error:
        if is_wanted:
            _record_not_switched(device, error, now=now)
        else:
            # A device that Podero does not know is not steered.
            _record_switched(device, is_active=False, now=now)
            device.record_missing(at=now)
        return True
    except podero.PoderoError as error:
        _record_not_switched(device, error, now=now)
        return not error.is_retryable
    if found.is_smart_optimization_active not in (None, is_wanted):
        _record_not_switched(device, None, now=now)
        return True
    _record_switched(device, is_active=is_wanted, now=now)
    return True


def _record_switched(device: Device, *, is_active: bool, now: datetime) -> None:
    with transaction.atomic():
        if not device.release(
            is_optimization_active=is_active, is_optimization_in_doubt=False, tries=0
        ):
            return
        # A wish that changed during the call has set its own due time, which must stay.
        rows = Device.objects.filter(pk=device.pk, is_optimization_wanted=is_active)
        rows.update(next_try_at=None, checked_at=now)
        device.attempt.note(Event.OPTIMIZATION_SWITCHED, at=now, actor=Actor.SYSTEM)


def _record_not_switched(
    device: Device, error: podero.PoderoError | None, *, now: datetime
) -> None:
    tries = device.tries + 1
    when = schedule.next_try(
        now=now, tries=tries, first_seconds=10, ceiling_seconds=6 * 3600, error=error
    )
    is_given_up = device.is_optimization_wanted and tries >= MAX_TRIES_TO_SWITCH_ON
    code = failures.code_of(error).value if error else ""
    with transaction.atomic():
        if device.release(tries=tries, next_try_at=None if is_given_up else when):
            device.attempt.note(
                Event.OPTIMIZATION_FAILED,
                at=now,
                actor=Actor.SYSTEM,
                failure_code=code,
                podero_status=error.status if error else None,
            )
    logger.warning(
        "Optimization could not be switched",
        extra={"device": device.reference, "failure_code": code},
    )


def is_stale(*, devices: list[Device], now: datetime) -> bool:
    return any(device.checked_at < now - FRESH_PERIOD for device in devices)


def refresh_devices(*, client: podero.PoderoClient, customer: PoderoUser, now: datetime) -> bool:
    """Take over what Podero says of the customer's devices.

    False when Podero could not be asked; what we know then stays, with its age.
    """
    user_id = customer.podero_id
    if user_id is None:
        return True
    try:
        listed = {found.id: found for found in client.list_devices(user_id)}
        own = list(Device.objects.for_customer(customer).order_by("pk"))
        missing = [device for device in own if device.podero_id not in listed]
        for device in missing:
            # A list may lag behind, so the device itself has the last word.
            kind = podero.DeviceType(device.device_type)
            found = client.find_device(user_id, device.podero_id, device_type=kind)
            if found is not None:
                listed[found.id] = found
    except podero.PoderoError as error:
        logger.warning(
            "Devices could not be refreshed",
            extra={"failure_code": failures.code_of(error).value, "endpoint": error.endpoint},
        )
        return False
    for device in own:
        if device.podero_id in listed:
            device.record_seen(listed[device.podero_id], at=now)
        else:
            device.record_missing(at=now)
    return True
