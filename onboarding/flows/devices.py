"""Make Podero steer a device, or leave it alone, as the customer wants; keep our picture fresh."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.db import transaction

from onboarding import podero
from onboarding.flows import failures, linking, schedule
from onboarding.models import Device, PoderoUser
from onboarding.states import Actor, Event

logger = logging.getLogger(__name__)

# Podero calls list data stale after this when a person is looking at it.
FRESH_PERIOD = timedelta(seconds=30)
# With a ceiling of six hours between tries this is about a month.
MAX_TRIES = 120


def confirm_device(*, device: Device, now: datetime) -> None:
    """The customer says "this is my device": from now on it is to be optimized. Repeatable.

    Raises HasLeft when the consent under which it was linked has been withdrawn.
    """
    with transaction.atomic():
        linking.hold_consent(device.attempt)
        if device.confirm(now=now):
            device.attempt.note(Event.DEVICE_CONFIRMED, at=now, actor=Actor.CUSTOMER)


def switch_optimization(*, client: podero.PoderoClient, device: Device, now: datetime) -> bool:
    """Bring Podero in line with what is wanted for the device; otherwise plan the next try.

    False when Podero could not be asked.
    """
    is_wanted = device.is_optimization_wanted
    user_id = device.podero_user.podero_id
    if is_wanted == device.is_optimization_active or not device.claim(now=now):
        return True
    if user_id is None:
        # Podero has lost the customer; the next attempt finds or makes them again.
        _record_not_switched(device, None, now=now)
        return True
    try:
        found = client.update_device(
            user_id,
            podero.DeviceType(device.device_type),
            device.podero_id,
            is_smart_optimization_active=is_wanted,
        )
    except podero.PoderoError as error:
        _record_not_switched(device, error, now=now)
        return not error.is_retryable
    if found.is_smart_optimization_active not in (None, is_wanted):
        _record_not_switched(device, None, now=now)
        return True
    with transaction.atomic():
        if device.release(is_optimization_active=is_wanted, tries=0, checked_at=now):
            device.attempt.note(Event.OPTIMIZATION_SWITCHED, at=now, actor=Actor.SYSTEM)
    return True


def _record_not_switched(
    device: Device, error: podero.PoderoError | None, *, now: datetime
) -> None:
    tries = device.tries + 1
    when = schedule.next_try(
        now=now, tries=tries, first_seconds=10, ceiling_seconds=6 * 3600, error=error
    )
    code = failures.code_of(error).value if error else ""
    with transaction.atomic():
        if device.release(tries=tries, next_try_at=when if tries < MAX_TRIES else None):
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
    if customer.podero_id is None:
        return True
    try:
        listed = {found.id: found for found in client.list_devices(customer.podero_id)}
    except podero.PoderoError as error:
        logger.warning(
            "Devices could not be refreshed",
            extra={"failure_code": failures.code_of(error).value, "endpoint": error.endpoint},
        )
        return False
    for device in Device.objects.for_customer(customer).filter(podero_id__in=listed):
        device.record_seen(listed[device.podero_id], at=now)
    return True
