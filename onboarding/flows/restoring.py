"""What Podero has of somebody whose consent went with what a restored backup does not know."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from onboarding import podero

_REFUSALS = (podero.NotFound, podero.Forbidden, podero.Refused)
# What may have been told to charge at once.
_CHARGED = (podero.DeviceType.EV, podero.DeviceType.WB)


@dataclass(frozen=True)
class Ended:
    """How many devices there were, all of them off now, and what Podero would not remove."""

    devices: int
    devices_left: int
    is_user_left: bool


def end_unrecorded(*, client: podero.PoderoClient, customer_number: str) -> Ended | None:
    """Switch off and remove all that Podero has under a customer number; None when it has nothing.

    For a time in which nothing else runs, since no row says that it is under way. Repeatable:
    raises podero.PoderoError where Podero has not answered, or has not switched off.
    """
    user = None
    # One answer that there is nobody may be a mistake.
    for _ in range(2):
        user = user or client.find_user_by_external_id(customer_number)
    if user is None:
        return None
    devices = _devices_of(client, user.id)
    for device in devices:
        _switch_off(client, user.id, device)
    left = [device for device in devices if not _is_removed(client, user.id, device)]
    try:
        client.delete_user(user.id)
    except _REFUSALS:
        found = client.find_user_by_external_id(customer_number)
        return Ended(len(devices), len(left), is_user_left=found is not None)
    return Ended(len(devices), len(left), is_user_left=False)


def _devices_of(client: podero.PoderoClient, user_id: UUID) -> list[podero.Device]:
    # One refusal may be a mistake; a collection that Podero never lets us list is not waited for.
    with suppress(*_REFUSALS):
        return client.list_devices(user_id, is_last_word=True)
    return client.list_devices(user_id)


def _switch_off(client: podero.PoderoClient, user_id: UUID, device: podero.Device) -> None:
    if device.device_type in _CHARGED:
        with suppress(*_REFUSALS):
            client.stop_boost(user_id, device.device_type, device.id)
    after = client.update_device(
        user_id, device.device_type, device.id, is_smart_optimization_active=False
    )
    if after.is_smart_optimization_active:
        raise podero.UnexpectedReply("update_device", field="is_smart_optimization_active")


def _is_removed(client: podero.PoderoClient, user_id: UUID, device: podero.Device) -> bool:
    try:
        client.delete_device(user_id, device.device_type, device.id)
    except podero.NotFound:
        return client.find_device(user_id, device.id, device_type=device.device_type) is None
    except (podero.Forbidden, podero.Refused):
        return False
    return True
