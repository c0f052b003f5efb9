"""Onboarding sessions (section 4 of the reference)."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Response

from simulator.api.blueprint import PREFIX, api, load_user
from simulator.api.errors import not_found
from simulator.api.schema import Field, flag, identifier, mapping, one_of, read_body, web_address
from simulator.clock import tomorrow
from simulator.faults.answers import json_response
from simulator.records import OnboardingSession
from simulator.runtime import base_url, simulator
from simulator.vocabulary import DEVICE_TYPES, LANGUAGES, PRICE_ZONES

CREATE = {
    "user_id": Field(identifier, is_required=True),
    "success_url": Field(web_address, is_required=True),
    "cancel_url": Field(web_address, is_required=True),
    "language": Field(one_of(LANGUAGES), is_required=True),
    "price_zone_default": Field(one_of(PRICE_ZONES), is_required=True),
    "is_smart_optimization_active_default": Field(flag),
    "building_id": Field(identifier, is_nullable=True),
    "device_type": Field(one_of(tuple(DEVICE_TYPES)), is_nullable=True),
    "external_metadata": Field(mapping),
}


def render_session(session: OnboardingSession) -> dict[str, Any]:
    """Return the session object; note `user`, not `user_id`."""
    return {
        "id": session.id,
        "authentication_url": f"{base_url()}?onboarding_session_id={session.id}",
        "user": session.user_id,
        "success_url": session.success_url,
        "cancel_url": session.cancel_url,
        "expiration_date": session.expiration_date,
        "object_id": session.object_id if simulator().settings.object_id_filled else None,
        "external_metadata": session.external_metadata,
        "price_zone_default": session.price_zone_default,
        "device_type": session.device_type,
    }


@api.post(f"{PREFIX}/device-onboarding")
def create_session() -> Response:
    """Make a session for one attempt."""
    values = read_body(CREATE)
    running = simulator()
    with running.store.lock:
        load_user(values["user_id"])
        session = OnboardingSession(
            id=str(uuid.uuid4()), expiration_date=tomorrow().isoformat(), **values
        )
        running.store.add_session(session)
        return json_response(render_session(session), running.settings.create_status)


@api.get(f"{PREFIX}/device-onboarding/<session_id>")
def get_session(session_id: str) -> Response:
    """Read a session; an expired one may be gone, by a switch."""
    running = simulator()
    with running.store.lock:
        session = running.store.sessions.get(session_id)
        if session is None or (
            session.is_expired and not running.settings.expired_session_readable
        ):
            raise not_found()
        return json_response(render_session(session))
