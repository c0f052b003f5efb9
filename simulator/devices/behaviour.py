"""How a device changes: connection lost and regained, plug, boost, and patches from control.

The caller holds the store's lock.
"""

from __future__ import annotations

import time
import uuid
from typing import Any

from simulator.clock import timestamp
from simulator.records import Cue, Device
from simulator.store import Store

CHARGING_KINDS = ("ev", "wb")
NOT_FIELDS = ("has_changed_account", "boost_refusal", "account")


def is_plugged_in(device: Device) -> bool:
    """Say whether a cable is in; a wallbox knows it by its mode."""
    if device.kind == "wb":
        return device.fields["mode"] in ("PLUGGED_IN", "CHARGING")
    return bool(device.fields["is_plugged_in"])


def is_charging(device: Device) -> bool:
    """Say whether power flows."""
    if device.kind == "wb":
        return bool(device.fields["mode"] == "CHARGING")
    return bool(device.fields["is_charging"])


def set_charging(device: Device, *, charging: bool) -> None:
    """Start or stop the flow of power."""
    if device.kind == "wb":
        device.fields["mode"] = "CHARGING" if charging else "PLUGGED_IN"
    else:
        device.fields["is_charging"] = charging
    device.fields["charge_rate_w"] = 7000 if charging else 0
    touch(device)


def settle_boost(device: Device, requested_seconds: int) -> None:
    """Let a requested boost become an ongoing one when its time has come."""
    asked_at = device.boost_requested_at
    if asked_at is None or device.fields.get("boost_state") != "requested":
        return
    if time.monotonic() - asked_at >= requested_seconds:
        device.boost_requested_at = None
        device.fields["boost_state"] = "ongoing"
        set_charging(device, charging=True)


def lose_authentication(store: Store, device: Device) -> None:
    """Let the manufacturer's permission lapse: the owner must sign in again."""
    device.fields |= {
        "is_authenticated": False,
        "connection_status": "error",
        "steering_status": "error",
        "lifecycle_state": "error",
        "lifecycle_error": "The manufacturer no longer accepts the stored login.",
    }
    if device.kind == "wb":
        device.fields["connection"] = "offline"
    if not any(cue.code == "reauthenticate" for cue in store.open_cues(device.id)):
        store.add_cue(Cue(id=str(uuid.uuid4()), device_id=device.id, code="reauthenticate"))
    touch(device)


def regain_authentication(device: Device) -> None:
    """Undo `lose_authentication` apart from the action, whose outcome is reported separately."""
    device.fields |= {
        "is_authenticated": True,
        "connection_status": "ok",
        "steering_status": "ok",
        "lifecycle_state": "authenticated",
        "lifecycle_error": "",
    }
    if device.kind == "wb":
        device.fields["connection"] = "online"
    touch(device)


def close_reauthentication(store: Store, device: Device, outcome: str) -> None:
    """Drop the pending sign-in action of a device."""
    for cue in store.open_cues(device.id):
        if cue.code == "reauthenticate":
            cue.state = "done"
            cue.outcome = outcome
    store.changed()


def patch(store: Store, device: Device, values: dict[str, Any]) -> None:
    """Apply what the control API wants, with the consequences a real device would show."""
    values = dict(values)
    for name in NOT_FIELDS:
        if name in values:
            setattr(device, name, values.pop(name))
    authenticated = values.pop("is_authenticated", None)
    if authenticated is False:
        lose_authentication(store, device)
    elif authenticated is True:
        regain_authentication(device)
        close_reauthentication(store, device, "control")
    if device.kind == "wb":
        _translate_to_wallbox_mode(device, values)
    if values.get("has_unread_information") and not any(
        cue.code == "information" for cue in store.open_cues(device.id)
    ):
        store.add_cue(Cue(id=str(uuid.uuid4()), device_id=device.id, code="information"))
    device.fields |= values
    if device.kind in CHARGING_KINDS and "boost_state" not in values:
        _derive_boost_state(device, values)
    touch(device)
    store.changed()


def touch(device: Device) -> None:
    """Move the freshness fields to now, and note whether optimization was switched."""
    now = timestamp()
    device.note_switch()
    device.fields["updated_at"] = now
    device.fields["current_state_last_updated_at"] = now


def _translate_to_wallbox_mode(device: Device, values: dict[str, Any]) -> None:
    if "is_plugged_in" in values:
        device.fields["mode"] = "PLUGGED_IN" if values.pop("is_plugged_in") else "READY"
    if "is_charging" in values:
        set_charging(device, charging=bool(values.pop("is_charging")))


def _derive_boost_state(device: Device, values: dict[str, Any]) -> None:
    if not values.keys() & {"is_plugged_in", "is_charging", "is_fully_charged", "mode"}:
        return
    fields = device.fields
    if fields["boost_for_next_session"] and is_plugged_in(device) and not is_charging(device):
        fields["boost_for_next_session"] = False
        fields["boost_state"] = "requested"
        device.boost_requested_at = time.monotonic()
        return
    is_full = is_plugged_in(device) and fields.get("is_fully_charged", False)
    fields["boost_state"] = "unavailable" if is_full or is_charging(device) else "available"
