"""Boost charging of cars and wallboxes (section 5.4 of the reference)."""

from __future__ import annotations

import time

from flask import Response

from simulator.api.blueprint import USER_PATH, api
from simulator.api.devices import load_device
from simulator.api.schema import read_body
from simulator.devices.behaviour import (
    is_charging,
    is_plugged_in,
    set_charging,
    settle_boost,
    touch,
)
from simulator.faults.answers import json_response
from simulator.records import Device
from simulator.runtime import simulator

BOOST = f'{USER_PATH}/<any("electric-vehicles","wallboxes"):collection>/<device_id>/boost'


@api.post(BOOST)
def boost(user_id: str, collection: str, device_id: str) -> Response:
    """Charge at once, or arm that for the next plug-in."""
    read_body({})
    running = simulator()
    with running.store.lock:
        device = load_device(user_id, collection, device_id)
        settle_boost(device, running.settings.boost_requested_seconds)
        reason = _refusal(device)
        if reason:
            return json_response({"state": device.fields["boost_state"], "reason": reason}, 409)
        if is_plugged_in(device):
            device.fields["boost_state"] = "requested"
            device.boost_requested_at = time.monotonic()
        else:
            device.fields["boost_for_next_session"] = True
        touch(device)
        running.store.changed()
        return Response(status=204)


@api.delete(BOOST)
def boost_cancel(user_id: str, collection: str, device_id: str) -> Response:
    """Disarm; a wallbox also stops a boost that runs."""
    running = simulator()
    with running.store.lock:
        device = load_device(user_id, collection, device_id)
        device.fields["boost_for_next_session"] = False
        is_live = device.fields["boost_state"] in ("requested", "ongoing")
        if device.kind == "wb" and is_live:
            device.fields["boost_state"] = "available"
            device.boost_requested_at = None
            set_charging(device, charging=False)
        touch(device)
        running.store.changed()
        return Response(status=204)


def _refusal(device: Device) -> str | None:
    if device.boost_refusal:
        return device.boost_refusal
    if not device.fields["is_authenticated"]:
        return "internal_error"
    if is_charging(device) or device.fields["boost_state"] == "requested":
        return "already_charging"
    if is_plugged_in(device) and device.fields.get("is_fully_charged", False):
        return "fully_charged"
    return None
