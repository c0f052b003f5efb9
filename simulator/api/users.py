"""Users of the organisation (section 3 of the reference)."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

from flask import Response

from simulator.api.blueprint import PREFIX, USER_PATH, api, load_user
from simulator.api.errors import duplicate_answer, not_found, refuse_deletion
from simulator.api.schema import Field, email, number, one_of, query_flag, read_body, text, zip_code
from simulator.faults.answers import json_response
from simulator.records import User
from simulator.runtime import simulator
from simulator.vocabulary import DEVICE_TYPES, ROLES

UPDATE = {
    "role": Field(one_of(ROLES)),
    "email": Field(email),
    "external_user_id": Field(text(), is_nullable=True),
    "first_name": Field(text(), is_nullable=True),
    "last_name": Field(text(), is_nullable=True),
    "street_and_number": Field(text(), is_nullable=True),
    "street_add_info": Field(text(), is_nullable=True),
    "zip_code": Field(zip_code, is_nullable=True),
    "town": Field(text(), is_nullable=True),
    "country_iso2": Field(text(3), is_nullable=True),
    "latitude": Field(number(-90, 90), is_nullable=True),
    "longitude": Field(number(-180, 180), is_nullable=True),
}
CREATE = {
    **UPDATE,
    "role": replace(UPDATE["role"], is_required=True),
    "email": replace(UPDATE["email"], is_required=True),
}
COLLECTION = f"{PREFIX}/org/<org_id>/users"


def render_user(user: User) -> dict[str, Any]:
    """Return variant B of the user object."""
    devices = simulator().store.devices_of(user.id)
    kinds = [device.kind for device in devices if not device.is_deleted]
    counts = {kind.counter: kinds.count(kind.code) for kind in DEVICE_TYPES.values()}
    return {
        "id": user.id,
        "organization_id": user.organization_id,
        "role": user.role,
        "email": user.email,
        "external_user_id": user.external_user_id,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "is_onboarded": bool(kinds),
        "street_and_number": user.street_and_number,
        "street_add_info": user.street_add_info,
        "zip_code": user.zip_code,
        "town": user.town,
        "country": user.country,
        "latitude": user.latitude,
        "longitude": user.longitude,
        "last_login": None,
        "joined_at": user.joined_at,
        **counts,
    }


@api.post(COLLECTION)
def create_user() -> Response:
    """Make a user, unless the e-mail or the external id is taken and may not be twice."""
    values = _columns(read_body(CREATE))
    running = simulator()
    with running.store.lock:
        taken = running.store.conflicting_field(
            values["email"],
            values.get("external_user_id"),
            deleted_count_too=running.settings.deleted_users_block_reuse,
        )
        if taken and not running.settings.duplicates_allowed:
            return duplicate_answer(taken, running.settings.duplicate_status)
        user = User(id=str(uuid.uuid4()), organization_id=running.config.org_id, **values)
        running.store.add_user(user)
        return json_response(render_user(user), running.settings.create_status)


@api.get(COLLECTION)
def list_users() -> Response:
    """List the users as a bare array."""
    include_deleted = query_flag("include_deleted")
    store = simulator().store
    with store.lock:
        users = [user for user in store.users.values() if include_deleted or not user.deleted_at]
        return json_response([render_user(user) for user in users])


@api.get(f"{COLLECTION}/by-ext-id/<path:external_id>")
def find_user(external_id: str) -> Response:
    """Find a user by the partner's own id."""
    include_deleted = query_flag("include_deleted")
    store = simulator().store
    with store.lock:
        user = store.find_by_external_id(external_id, include_deleted=include_deleted)
        if user is None:
            raise not_found()
        return json_response(render_user(user))


@api.get(USER_PATH)
def get_user(user_id: str) -> Response:
    """Read one user."""
    include_deleted = query_flag("include_deleted")
    with simulator().store.lock:
        return json_response(render_user(load_user(user_id, include_deleted=include_deleted)))


@api.put(USER_PATH)
def update_user(user_id: str) -> Response:
    """Change the fields that were sent."""
    values = _columns(read_body(UPDATE))
    running = simulator()
    with running.store.lock:
        user = load_user(user_id)
        taken = running.store.conflicting_field(
            values.get("email"),
            values.get("external_user_id"),
            but_not=user.id,
            deleted_count_too=running.settings.deleted_users_block_reuse,
        )
        if taken:
            return duplicate_answer(taken, running.settings.duplicate_status)
        running.store.update_user(user, values)
        return json_response(render_user(user))


@api.delete(USER_PATH)
def delete_user(user_id: str) -> Response:
    """Remove a user softly; with it the devices, unless switched off."""
    running = simulator()
    with running.store.lock:
        user = load_user(user_id)
        refuse_deletion(running.settings.user_delete_status)
        running.store.delete_user(user, with_devices=running.settings.user_delete_removes_devices)
        if running.settings.user_delete_status == 200:
            return json_response(render_user(user))
        return Response(status=204)


def _columns(values: dict[str, Any]) -> dict[str, Any]:
    """Rename what is written by another name than it is read."""
    if "country_iso2" in values:
        values["country"] = values.pop("country_iso2")
    return values
