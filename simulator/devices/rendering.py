"""Device objects as the API returns them: the list without actions, the detail with."""

from __future__ import annotations

from typing import Any

from simulator.api.blueprint import PREFIX
from simulator.devices.behaviour import settle_boost
from simulator.devices.secrets import issue_secret
from simulator.records import Cue, Device
from simulator.runtime import base_url, simulator


def render_device(device: Device, *, with_actions: bool) -> dict[str, Any]:
    """Return the device object; the caller holds the lock."""
    running = simulator()
    settle_boost(device, running.settings.boost_requested_seconds)
    owner = running.store.users[device.user_id]
    cues = running.store.open_cues(device.id)
    body = {
        "id": device.id,
        "owner": {
            "id": owner.id,
            "email": owner.email,
            "first_name": owner.first_name,
            "last_name": owner.last_name,
            "external_id": owner.external_user_id,
        },
        **device.fields,
        "action_needed": any(cue.code == "reauthenticate" for cue in cues),
    }
    if with_actions:
        body["actions"] = [_render_action(cue, device) for cue in cues]
    return body


def _render_action(cue: Cue, device: Device) -> dict[str, Any]:
    secret = issue_secret(cue.id, device.user_id)
    is_information = cue.code == "information"
    step = "information/resolve" if is_information else "resolve"
    return {
        "code": cue.code,
        "resolution_link": {
            "url": f"{base_url()}{PREFIX}/cues/{cue.id}/{step}?secret={secret}",
            "required_parameters": [] if is_information else ["successUrl", "cancelUrl"],
        },
    }
