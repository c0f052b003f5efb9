"""Pending actions (section 6.2 of the reference). Note the camelCase of the first body."""

from __future__ import annotations

import uuid

from flask import Response, request

from simulator.api.blueprint import PREFIX, api
from simulator.api.errors import ApiError, not_found
from simulator.api.schema import Field, mapping, one_of, read_body, text, web_address
from simulator.devices.behaviour import touch
from simulator.devices.secrets import is_secret_valid
from simulator.faults.answers import json_response
from simulator.records import Cue, Device, Relogin
from simulator.runtime import base_url, simulator

OBJECT = Field(mapping, is_nullable=True)
RESOLVE = {
    "successUrl": Field(web_address, is_required=True),
    "cancelUrl": Field(web_address, is_required=True),
    "language": Field(text(35), is_nullable=True),
    "location": OBJECT,
    "clientInfo": OBJECT,
}
STATE = {
    "state": Field(one_of(("success", "fail")), is_required=True),
    "payload": OBJECT,
    "location": OBJECT,
    "client_info": OBJECT,
}
INFORMATION = {"location": OBJECT, "client_info": OBJECT}


@api.post(f"{PREFIX}/cues/<cue_id>/resolve")
def cue_resolve(cue_id: str) -> Response:
    """Start a pending sign-in action: says where to send the owner."""
    values = read_body(RESOLVE)
    store = simulator().store
    with store.lock:
        cue, device = _load_cue(cue_id, "reauthenticate")
        if cue.state == "done":
            raise not_found()
        cue.state = "active"
        relogin = Relogin(
            id=str(uuid.uuid4()),
            device_id=device.id,
            success_url=values["successUrl"],
            cancel_url=values["cancelUrl"],
            language=values.get("language") or "en",
            cue_id=cue.id,
        )
        store.add_relogin(relogin)
    return json_response({"redirect_url": f"{base_url()}/reconnect?auth_session_id={relogin.id}"})


@api.post(f"{PREFIX}/cues/<cue_id>/state")
def cue_state(cue_id: str) -> Response:
    """Report the outcome of an action that was started."""
    values = read_body(STATE)
    store = simulator().store
    with store.lock:
        cue, _ = _load_cue(cue_id, "reauthenticate")
        if cue.state != "active":
            raise not_found()
        cue.outcome = values["state"]
        cue.state = "done" if values["state"] == "success" else "available"
        store.changed()
    return json_response({"action_id": cue.id})


@api.post(f"{PREFIX}/cues/<cue_id>/information/resolve")
def cue_information(cue_id: str) -> Response:
    """Mark a notice as read."""
    read_body(INFORMATION)
    store = simulator().store
    with store.lock:
        cue, device = _load_cue(cue_id, "information")
        if cue.state == "done":
            raise not_found()
        cue.state = "done"
        device.fields["has_unread_information"] = False
        touch(device)
        store.changed()
    return json_response({"action_id": cue.id})


def close_by_itself(cue_id: str) -> None:
    """Report success on the owner's behalf, where the hosted page is set to do so."""
    cue = simulator().store.cues[cue_id]
    cue.state = "done"
    cue.outcome = "success"


def _load_cue(cue_id: str, code: str) -> tuple[Cue, Device]:
    running = simulator()
    cue = running.store.cues.get(cue_id)
    if cue is None or cue.code != code:
        raise not_found()
    device = running.store.devices[cue.device_id]
    if not is_secret_valid(request.args.get("secret", ""), cue.id, device.user_id):
        status = running.settings.cue_secret_status
        detail = {401: "Unauthorized", 403: "Forbidden", 404: "Not Found"}[status]
        raise ApiError(status, {"detail": detail})
    return cue, device
