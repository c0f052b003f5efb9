"""Faults inside a JSON body that is otherwise right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from simulator.faults.catalogue import DEVICE_ENDPOINTS, SESSION_ENDPOINTS, USER_ENDPOINTS

_MAIN_FIELD = {
    "token": "access_token",
    "create_session": "authentication_url",
    "auth_session": "authentication_url",
    "cue_resolve": "redirect_url",
    "cue_state": "action_id",
    "cue_information": "action_id",
    "savings": "data",
    "statistics": "data",
}
_UNKNOWN_DEVICE_VALUES = {
    "connection_status": "degraded",
    "monitoring_status": "paused",
    "steering_status": "manual",
    "lifecycle_state": "hibernating",
    "actual_steering_state": "experimental",
    "current_mode": "turbo",
    "boost_state": "cooling_down",
    "price_zone": "XX_1",
}


def tamper(name: str, endpoint: str, params: dict[str, Any], body: Any) -> Any:
    """Return the body with the named fault in it; in a list, every entry has it."""
    if isinstance(body, list) and name not in ("huge_body",):
        return [_HANDLERS[name](dict(item), endpoint, params) for item in body]
    if isinstance(body, dict):
        return _HANDLERS[name](dict(body), endpoint, params)
    if isinstance(body, list):
        return [*body, {"padding": "x" * int(params["bytes"])}]
    return body


def _missing_field(body: dict[str, Any], endpoint: str, params: dict[str, Any]) -> dict[str, Any]:
    body.pop(params["field"] or _MAIN_FIELD.get(endpoint, "id"), None)
    return body


def _wrong_type(body: dict[str, Any], endpoint: str, params: dict[str, Any]) -> dict[str, Any]:
    field = params["field"] or _MAIN_FIELD.get(endpoint, "id")
    old = body.get(field)
    new: Any = 12345
    if isinstance(old, bool):
        new = "maybe"
    elif isinstance(old, int | float):
        new = "many"
    elif isinstance(old, dict | list):
        new = "not an object"
    body[field] = new if params["value"] is None else params["value"]
    return body


def _null_address(body: dict[str, Any], endpoint: str, _params: dict[str, Any]) -> dict[str, Any]:
    body[_address_field(endpoint)] = None
    return body


def _foreign_address(body: dict[str, Any], endpoint: str, params: dict[str, Any]) -> dict[str, Any]:
    field = _address_field(endpoint)
    body[field] = params["url"] or _foreign(str(body.get(field)), params["variant"])
    return body


def _foreign(address: str, variant: str) -> str:
    parts = urlsplit(address)
    tail = f"/?{parts.query}"
    return {
        "host": f"https://evil.example{tail}",
        "subdomain": f"https://{parts.hostname}.evil.example{tail}",
        "suffix": f"https://evil{parts.hostname}{tail}",
        "userinfo": f"{parts.scheme}://{parts.netloc}@evil.example{tail}",
        "port": f"{parts.scheme}://{parts.hostname}:1{tail}",
        "javascript": f"javascript:alert(1)//{parts.netloc}{tail}",
        "data": "data:text/html,<script>alert(1)</script>",
        "relative": f"//evil.example{tail}",
        "scheme": f"ftp://{parts.netloc}{tail}",
    }[variant]


def _address_field(endpoint: str) -> str:
    return "redirect_url" if endpoint == "cue_resolve" else "authentication_url"


def _extra_fields(body: dict[str, Any], _endpoint: str, _params: dict[str, Any]) -> dict[str, Any]:
    extra = {"x_new_text": "surprise", "x_new_object": {"deep": [1, {"deeper": None}]}}
    for key, value in body.items():
        if isinstance(value, dict):
            body[key] = value | {"x_new_inside": True}
    return {"x_new_first": None, **body, **extra}


def _unknown_enum(body: dict[str, Any], endpoint: str, params: dict[str, Any]) -> dict[str, Any]:
    if params["field"]:
        body[params["field"]] = params["value"]
    elif endpoint in USER_ENDPOINTS:
        body["role"] = "guest"
    elif endpoint in SESSION_ENDPOINTS:
        body |= {"device_type": "bt", "price_zone_default": "XX_1"}
    elif endpoint in DEVICE_ENDPOINTS:
        body |= {key: new for key, new in _UNKNOWN_DEVICE_VALUES.items() if key in body}
        if "actions" in body:
            unknown = {"code": "firmware_update", "resolution_type": "in_app", "steps": ["wait"]}
            body |= {"actions": [unknown, *body["actions"]], "action_needed": True}
    elif "reason" in body:
        body |= {"state": "cooling_down", "reason": "grid_limit"}
    return body


def _huge_body(body: dict[str, Any], _endpoint: str, params: dict[str, Any]) -> dict[str, Any]:
    return {"padding": "x" * int(params["bytes"]), **body}


_HANDLERS: dict[str, Callable[[dict[str, Any], str, dict[str, Any]], dict[str, Any]]] = {
    "missing_field": _missing_field,
    "wrong_type": _wrong_type,
    "null_authentication_url": _null_address,
    "foreign_authentication_url": _foreign_address,
    "extra_fields": _extra_fields,
    "unknown_enum": _unknown_enum,
    "huge_body": _huge_body,
}
TAMPERING = tuple(_HANDLERS)
