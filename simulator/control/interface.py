"""The control API for tests: JSON in, JSON out, never subject to faults."""

from __future__ import annotations

import uuid
from datetime import date, timedelta
from typing import Any

from flask import Response, request

from simulator.clock import today
from simulator.control.blueprint import UnableToControl, control, read_object
from simulator.devices.behaviour import patch
from simulator.faults.answers import json_response
from simulator.faults.book import Order, UnableToArm
from simulator.hosted.linking import Choice, UnableToUseSession, complete
from simulator.records import Device, OnboardingSession
from simulator.runtime import Simulator, simulator
from simulator.settings import InvalidSetting
from simulator.vocabulary import DEVICE_TYPES, find_manufacturer

FAULT_FIELDS = ("endpoint", "fault", "count", "probability", "skip")
COMPLETE_FIELDS = ("device_type", "manufacturer", "account", "devices")


@control.get("/control/state")
def state() -> Response:
    """Return everything the simulator holds; `?journal=N` limits the journal to the last N."""
    last = request.args.get("journal", type=int)
    running = simulator()
    with running.store.lock:
        body = running.store.as_dict() | {
            "settings": running.settings.as_dict(),
            "live_tokens": len(running.store.tokens),
            "issued_tokens": list(running.store.issued_tokens),
        }
        for entry in body["sessions"]:
            entry["is_expired"] = running.store.sessions[entry["id"]].is_expired
            entry.pop("receipt")
    return json_response(
        body | {"faults": running.faults.as_dict()} | running.journal.as_dict(last)
    )


@control.post("/control/reset")
def reset() -> Response:
    """Forget everything: records, tokens, journal, faults, settings."""
    simulator().reset()
    return json_response({"reset": True})


@control.post("/control/faults")
def arm_fault() -> Response:
    """Arm a fault; parameters of the fault stand beside the named fields."""
    body = read_object()
    return json_response(arm(simulator(), body))


def arm(running: Simulator, body: dict[str, Any]) -> dict[str, Any]:
    """Arm the fault that a body describes. Raises UnableToControl."""
    try:
        order = Order(
            endpoint=str(body.get("endpoint", "")),
            fault=str(body.get("fault", "")),
            count=int(body.get("count", 1)),
            probability=float(body.get("probability", 1)),
            skip=int(body.get("skip", 0)),
            params={key: value for key, value in body.items() if key not in FAULT_FIELDS},
        )
        armed = running.faults.arm(order)
    except (UnableToArm, TypeError, ValueError) as error:
        raise UnableToControl(str(error)) from error
    return armed.as_dict()


@control.get("/control/faults")
def show_faults() -> Response:
    """Return what is armed, what has struck, and the counters: the state without its records."""
    running = simulator()
    return json_response({"faults": running.faults.as_dict()} | running.journal.as_dict(0))


@control.delete("/control/faults")
def clear_faults() -> Response:
    """Disarm everything and let hanging requests go."""
    simulator().faults.clear()
    return json_response({"cleared": True})


@control.delete("/control/faults/<int:number>")
def clear_fault(number: int) -> Response:
    """Disarm one fault."""
    simulator().faults.clear(number)
    return json_response({"cleared": True})


@control.post("/control/settings")
def change_settings() -> Response:
    """Change some settings; returns all."""
    body = read_object()
    running = simulator()
    try:
        with running.store.lock:
            running.settings = running.settings.changed(body)
    except InvalidSetting as error:
        raise UnableToControl(str(error)) from error
    return json_response(running.settings.as_dict())


@control.post("/control/sessions/<session_id>/complete")
def complete_session(session_id: str) -> Response:
    """Finish a session as a customer would; return faults apply here, too."""
    body = read_object()
    unknown = sorted(set(body) - set(COMPLETE_FIELDS))
    if unknown:
        raise UnableToControl(f"unknown fields: {', '.join(unknown)}")
    running = simulator()
    session = _session(running, session_id)
    if session.completed_at is not None and session.is_result_repeated:
        return _completion_answer(session.object_id, session.redirect_url)
    device_type = body.get("device_type") or session.device_type or "hp"
    kind = DEVICE_TYPES.get(device_type)
    if kind is None:
        raise UnableToControl(f"device_type must be one of {', '.join(DEVICE_TYPES)}")
    maker = find_manufacturer(device_type, body.get("manufacturer") or kind.manufacturers[0].code)
    if maker is None:
        codes = ", ".join(item.code for item in kind.manufacturers)
        raise UnableToControl(f"manufacturer must be one of {codes}")
    account = str(body.get("account") or maker.demo_username)
    try:
        choice = Choice(device_type, maker, account, body.get("devices"))
        done = complete(running, session.id, choice)
    except UnableToUseSession as error:
        raise UnableToControl(f"session is {error.reason}", status=409) from error
    return _completion_answer(done.device_id, done.redirect_url)


@control.post("/control/sessions/<session_id>/expire")
def expire_session(session_id: str) -> Response:
    """Put the last valid day into the past."""
    running = simulator()
    with running.store.lock:
        session = _session(running, session_id)
        session.expiration_date = (today() - timedelta(days=1)).isoformat()
        running.store.changed()
    return json_response({"id": session.id, "expiration_date": session.expiration_date})


@control.post("/control/sessions/<session_id>")
def change_session(session_id: str) -> Response:
    """Set `expiration_date` or `object_id`."""
    body = read_object()
    if not body.keys() <= {"expiration_date", "object_id"}:
        raise UnableToControl("only expiration_date and object_id can be set")
    running = simulator()
    with running.store.lock:
        session = _session(running, session_id)
        for name, value in body.items():
            if name == "expiration_date":
                date.fromisoformat(value)
            setattr(session, name, value)
        running.store.changed()
    return json_response({"id": session.id, **body})


@control.post("/control/devices/<device_id>")
def change_device(device_id: str) -> Response:
    """Set any field of a device; connection and plug have their usual consequences."""
    body = read_object()
    running = simulator()
    with running.store.lock:
        device = running.store.devices.get(device_id)
        if device is None:
            raise UnableToControl("no such device", status=404)
        patch(running.store, device, body)
        return json_response({"id": device.id, "kind": device.kind, **device.fields})


@control.delete("/control/devices/<device_id>")
def drop_device(device_id: str) -> Response:
    """Make a device vanish at Podero, as if its owner had removed it elsewhere."""
    running = simulator()
    with running.store.lock:
        device: Device | None = running.store.devices.get(device_id)
        if device is None:
            raise UnableToControl("no such device", status=404)
        patch(running.store, device, {"deleted_at": device.fields["updated_at"]})
    return json_response({"id": device_id, "deleted": True})


@control.post("/control/tokens/expire")
def expire_tokens() -> Response:
    """Let all bearer tokens die."""
    store = simulator().store
    with store.lock:
        count = len(store.tokens)
        store.tokens.clear()
    return json_response({"expired": count})


def _session(running: Simulator, session_id: str) -> OnboardingSession:
    try:
        found = running.store.sessions.get(str(uuid.UUID(session_id)))
    except ValueError:
        found = None
    if found is None:
        raise UnableToControl("no such session", status=404)
    return found


def _completion_answer(device_id: str | None, redirect_url: str | None) -> Response:
    return json_response({"device_id": device_id, "redirect_url": redirect_url})
