"""The four device collections (section 5 of the reference)."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Response

from simulator.api.blueprint import USER_PATH, api, load_user
from simulator.api.device_schema import writable_fields
from simulator.api.errors import not_found, refuse_deletion
from simulator.api.schema import Field, query_flag, read_body, web_address
from simulator.clock import timestamp
from simulator.devices.behaviour import lose_authentication, touch
from simulator.devices.fields import fresh_fields
from simulator.devices.rendering import render_device
from simulator.faults.answers import json_response
from simulator.records import Device, Relogin
from simulator.runtime import base_url, simulator
from simulator.vocabulary import BY_COLLECTION, DeviceType

COLLECTION_NAMES = "any(" + ",".join(f'"{name}"' for name in BY_COLLECTION) + ")"
COLLECTION = f"{USER_PATH}/<{COLLECTION_NAMES}:collection>"
DEVICE = f"{COLLECTION}/<device_id>"
RETURN_ADDRESSES = {
    "success_url": Field(web_address, is_nullable=True),
    "cancel_url": Field(web_address, is_nullable=True),
}


def load_device(
    user_id: str, collection: str, device_id: str, *, include_deleted: bool = False
) -> Device:
    """Return the device, if it is in this user's collection; otherwise end with 404."""
    load_user(user_id, include_deleted=include_deleted)
    device = simulator().store.devices.get(device_id)
    if (
        device is None
        or device.user_id != user_id
        or device.kind != BY_COLLECTION[collection].code
        or (device.is_deleted and not include_deleted)
    ):
        raise not_found()
    return device


@api.get(COLLECTION)
def list_devices(user_id: str, collection: str) -> Response:
    """List a user's devices of one type, as a bare array."""
    include_deleted = query_flag("include_deleted")
    kind = BY_COLLECTION[collection].code
    store = simulator().store
    with store.lock:
        load_user(user_id, include_deleted=include_deleted)
        devices = [
            device
            for device in store.devices_of(user_id)
            if device.kind == kind and (include_deleted or not device.is_deleted)
        ]
        return json_response([render_device(device, with_actions=False) for device in devices])


@api.post(COLLECTION)
def register_device(user_id: str, collection: str) -> Response:
    """Register an empty device, the older way: it must be authenticated afterwards."""
    kind = BY_COLLECTION[collection]
    values = _stored(read_body(writable_fields(kind.code)))
    running = simulator()
    with running.store.lock:
        load_user(user_id)
        device = Device(str(uuid.uuid4()), user_id, kind.code, "", _empty_fields(kind) | values)
        running.store.add_device(device)
        lose_authentication(running.store, device)
        device.fields["lifecycle_error"] = "Not authenticated yet."
        body = render_device(device, with_actions=True)
        return json_response(body, running.settings.create_status)


@api.get(DEVICE)
def get_device(user_id: str, collection: str, device_id: str) -> Response:
    """Read one device with its actions."""
    include_deleted = query_flag("include_deleted")
    with simulator().store.lock:
        device = load_device(user_id, collection, device_id, include_deleted=include_deleted)
        return json_response(render_device(device, with_actions=True))


@api.put(DEVICE)
def update_device(user_id: str, collection: str, device_id: str) -> Response:
    """Change the fields that were sent."""
    values = _stored(read_body(writable_fields(BY_COLLECTION[collection].code)))
    store = simulator().store
    with store.lock:
        device = load_device(user_id, collection, device_id)
        device.fields |= values
        if values.keys() & {"is_charge_policy_enabled", "charge_deadline_at"}:
            device.fields["charge_policy_last_updated_at"] = timestamp()
        touch(device)
        store.changed()
        return json_response(render_device(device, with_actions=True))


@api.delete(DEVICE)
def delete_device(user_id: str, collection: str, device_id: str) -> Response:
    """Remove a device softly; whether this exists at all is not documented, hence the switch."""
    running = simulator()
    status = running.settings.device_delete_status
    with running.store.lock:
        device = load_device(user_id, collection, device_id)
        refuse_deletion(status)
        device.fields["deleted_at"] = timestamp()
        device.fields["is_smart_optimization_active"] = False
        touch(device)
        running.store.changed()
        if status == 200:
            return json_response(render_device(device, with_actions=True))
        return Response(status=204)


@api.post(f"{DEVICE}/auth_session")
def auth_session(user_id: str, collection: str, device_id: str) -> Response:
    """Make a page on which the owner signs in at the manufacturer again."""
    values = read_body(RETURN_ADDRESSES)
    store = simulator().store
    with store.lock:
        device = load_device(user_id, collection, device_id)
        relogin = Relogin(
            id=str(uuid.uuid4()),
            device_id=device.id,
            success_url=values.get("success_url"),
            cancel_url=values.get("cancel_url"),
        )
        store.add_relogin(relogin)
    return json_response(
        {
            "authentication_url": f"{base_url()}/reconnect?auth_session_id={relogin.id}",
            "device_id": device.id,
            "session_id": relogin.id,
        }
    )


def _empty_fields(kind: DeviceType) -> dict[str, Any]:
    return fresh_fields(
        kind,
        kind.manufacturers[0],
        price_zone="DE_LU",
        is_optimized=False,
        account="",
    ) | {"external_device_id": ""}


def _stored(values: dict[str, Any]) -> dict[str, Any]:
    """Rename what is written by another name than it is read."""
    if "building_id" in values:
        values["building"] = values.pop("building_id")
    return values
