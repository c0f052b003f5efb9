"""Two devices that get in each other's way: linked twice, or a car and the charger it hangs on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from onboarding.models import Device
from onboarding.podero import DeviceType

Kind = Literal["same", "maybe_same", "car_and_wallbox"]


@dataclass(frozen=True)
class Double:
    """Two devices of one customer, and why they should not both be controlled.

    `to_pause` is the one that had better be paused: the older link of two, the car of a car and a
    wallbox, because the wallbox is what the cable hangs on. None when it is not controlled anyway.
    """

    kind: Kind
    devices: tuple[Device, Device]
    to_pause: Device | None


def find_doubles(devices: Iterable[Device]) -> list[Double]:
    """Pairs among one customer's devices. One of which a device is paused is no double any more."""
    counted = [device for device in devices if _counts(device)]
    found = []
    cars = set()
    for one, other in combinations(counted, 2):
        kind = _kind_of(one, other)
        if kind is None:
            continue
        to_pause = _to_pause(kind, one, other)
        if kind == "car_and_wallbox":
            # Said once for a car, however many wallboxes there are.
            if to_pause in cars:
                continue
            cars.add(to_pause)
        found.append(Double(kind, (one, other), to_pause))
    return found


def linked_already(devices: Iterable[Device], device_type: str) -> list[Device]:
    """Devices of this type that are linked and not given up: not to be linked once more.

    Where no type has been chosen yet, those of all types.
    """
    return [each for each in devices if device_type in ("", each.device_type) and _is_here(each)]


def shares_cable_with(devices: Iterable[Device], device_type: str) -> list[Device]:
    """Controlled wallboxes where a car is to be linked, and the other way round."""
    counterpart = {DeviceType.EV: DeviceType.WB, DeviceType.WB: DeviceType.EV}
    kind = counterpart.get(DeviceType(device_type)) if device_type else None
    controlled = [each for each in devices if each.is_optimization_wanted]
    return linked_already(controlled, kind) if kind else []


def _is_here(device: Device) -> bool:
    return device.standing not in {"withdrawn", "missing", "being_removed"}


def _counts(device: Device) -> bool:
    return _is_here(device) and (device.is_optimization_wanted or not device.is_confirmed)


def _kind_of(one: Device, other: Device) -> Kind | None:
    if {one.device_type, other.device_type} == {DeviceType.EV, DeviceType.WB}:
        are_both_controlled = one.is_optimization_wanted and other.is_optimization_wanted
        return "car_and_wallbox" if are_both_controlled else None
    if one.device_type != other.device_type or _make(one) != _make(other):
        return None
    ids = (one.external_device_id, other.external_device_id)
    if all(ids):
        return "same" if ids[0] == ids[1] else None
    # Without a name there is nothing that the two have in common.
    return "maybe_same" if _make(one) and _model(one) == _model(other) else None


def _to_pause(kind: Kind, one: Device, other: Device) -> Device | None:
    if kind == "car_and_wallbox":
        return one if one.device_type == DeviceType.EV else other
    controlled = [device for device in _oldest_first((one, other)) if device.is_optimization_wanted]
    return controlled[0] if len(controlled) == 2 else None


def _oldest_first(pair: Sequence[Device]) -> list[Device]:
    return sorted(pair, key=lambda device: (device.linked_at, device.pk))


def _make(device: Device) -> str:
    return device.manufacturer.casefold()


def _model(device: Device) -> str:
    return device.model.casefold()
