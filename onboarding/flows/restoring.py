"""What Podero has of somebody whose consent went with what a restored backup does not know."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from onboarding import podero

# What may have been told to charge at once.
_CHARGED = (podero.DeviceType.EV, podero.DeviceType.WB)


@dataclass(frozen=True)
class Ended:
    """How many devices Podero has listed, and what it has not done: `on` are still steered, `left`
    are not removed, and of the kinds that are `not_listed` nothing is known."""

    devices: int
    on: int
    left: int
    not_listed: tuple[podero.DeviceType, ...]
    is_user_left: bool

    @property
    def has_no_devices_left(self) -> bool:
        return not (self.on or self.left or self.not_listed)


def end_unrecorded(
    *, client: podero.PoderoClient, customer_number: str, may_user_go: Callable[[], bool]
) -> Ended | None:
    """Switch off and remove the devices that Podero has under a customer number; None when it knows
    no such user.

    No call that fails keeps any other device. The user is to go last, once no form can bring a device
    any more, which is asked for just before, and stays where one is left: without the user nobody
    could switch it off. No row says that it is under way. Repeatable: raises podero.PoderoError
    where Podero does not tell whether there is such a user.
    """
    user_id = _find_user(client, customer_number)
    if user_id is None:
        return None
    listed, not_listed = _listed(client, user_id)
    on = [device for device in listed if not _is_off(client, user_id, device)]
    left = [device for device in listed if not _is_removed(client, user_id, device)]
    stays = bool(on or left or not_listed) or not may_user_go()
    return Ended(
        devices=len(listed),
        on=len(on),
        left=len(left),
        not_listed=not_listed,
        is_user_left=stays or not _is_user_removed(client, user_id, customer_number),
    )


def _find_user(client: podero.PoderoClient, customer_number: str) -> UUID | None:
    # One answer that there is nobody may be a mistake.
    for _ in range(2):
        if user := client.find_user_by_external_id(customer_number):
            return user.id
    return None


def _listed(
    client: podero.PoderoClient, user_id: UUID
) -> tuple[list[podero.Device], tuple[podero.DeviceType, ...]]:
    """The devices, and the kinds of which Podero, asked twice, does not tell whether there are any.

    Of a kind of which it says twice that there is no such collection there is none, but not of all.
    """
    found: list[podero.Device] = []
    said: dict[podero.DeviceType, list[podero.PoderoError]] = {
        kind: [] for kind in podero.DeviceType
    }
    for kind, errors in said.items():
        for _ in range(2):
            try:
                found += client.list_devices_of_type(user_id, kind)
            except podero.PoderoError as error:
                errors.append(error)
            else:
                errors.clear()
                break
    are_all_refused = all(said.values())
    not_listed = tuple(
        kind
        for kind, errors in said.items()
        if any(not isinstance(error, podero.NotFound) for error in errors)
        or (errors and are_all_refused)
    )
    return [device for device in found if device.is_of(user_id)], not_listed


def _is_off(client: podero.PoderoClient, user_id: UUID, device: podero.Device) -> bool:
    kind = device.device_type
    is_off = device.is_smart_optimization_active is False
    try:
        after = client.update_device(user_id, kind, device.id, is_smart_optimization_active=False)
        is_off = not after.is_smart_optimization_active
    except podero.PoderoError as error:
        is_off = _is_gone(client, user_id, device, error) or is_off
    if kind in _CHARGED:
        # Charging ends by itself, and with the device.
        with suppress(podero.PoderoError):
            client.stop_boost(user_id, kind, device.id)
    return is_off


def _is_removed(client: podero.PoderoClient, user_id: UUID, device: podero.Device) -> bool:
    try:
        client.delete_device(user_id, device.device_type, device.id)
    except podero.PoderoError as error:
        return _is_gone(client, user_id, device, error)
    return True


def _is_gone(
    client: podero.PoderoClient, user_id: UUID, device: podero.Device, said: podero.PoderoError
) -> bool:
    """Whether what Podero has `said` is that it has no such device, and it has not."""
    if not isinstance(said, podero.NotFound):
        return False
    try:
        return client.find_device_of_type(user_id, device.device_type, device.id) is None
    except podero.PoderoError:
        return False


def _is_user_removed(client: podero.PoderoClient, user_id: UUID, customer_number: str) -> bool:
    try:
        client.delete_user(user_id)
    except podero.PoderoError as error:
        return isinstance(error, podero.NotFound) and _find_user(client, customer_number) is None
    return True
