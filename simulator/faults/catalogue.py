"""Every fault the simulator knows, when it strikes and on which endpoints."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Literal

Phase = Literal["before", "after", "link"]

HOSTED_FORM: Final = "hosted_form"
USER_ENDPOINTS: Final = ("create_user", "list_users", "find_user", "get_user", "update_user")
SESSION_ENDPOINTS: Final = ("create_session", "get_session")
DEVICE_ENDPOINTS: Final = ("list_devices", "register_device", "get_device", "update_device")
HANDING_OUT_ADDRESSES: Final = ("create_session", "get_session", "auth_session", "cue_resolve")
ENDPOINTS: Final = (
    "token",
    *USER_ENDPOINTS,
    "delete_user",
    *SESSION_ENDPOINTS,
    *DEVICE_ENDPOINTS,
    "delete_device",
    "auth_session",
    "boost",
    "savings",
    "statistics",
    "cue_resolve",
    "cue_state",
    "cue_information",
    HOSTED_FORM,
)

HANG: Final = {"seconds": 30.0}
VARIANTS: Final = (
    "host",
    "subdomain",
    "suffix",
    "userinfo",
    "port",
    "javascript",
    "data",
    "relative",
    "scheme",
)


@dataclass(frozen=True)
class FaultKind:
    """One kind of fault.

    `before` strikes instead of the request's effect, `after` spoils the answer to a request that
    took effect, `link` changes what happens when a customer finishes the hosted form.
    """

    name: str
    phase: Phase
    summary: str
    endpoints: tuple[str, ...] = ENDPOINTS
    params: dict[str, Any] = field(default_factory=dict)


def _http(status: int, what: str, name: str = "", **params: Any) -> FaultKind:
    return FaultKind(
        name or f"http_{status}",
        "before",
        f"{status}, {what}; no effect unless takes_effect",
        params={"takes_effect": False, **params},
    )


def _link(name: str, summary: str) -> FaultKind:
    return FaultKind(name, "link", summary, endpoints=(HOSTED_FORM,))


_KINDS: Final = (
    _http(400, "text detail"),
    _http(401, "as for an expired token (token endpoint: invalid_client)"),
    _http(403, "text detail"),
    _http(404, "text detail"),
    _http(409, "text detail"),
    _http(422, "detail is a list"),
    _http(422, "detail is a text", "http_422_text"),
    _http(429, "without Retry-After"),
    _http(429, "with Retry-After", "http_429_retry_after", seconds=5),
    _http(500, "HTML body"),
    _http(502, "HTML body"),
    _http(503, "plain text body"),
    FaultKind("timeout_before", "before", "hangs, no effect, then closes", params=dict(HANG)),
    FaultKind("timeout_after", "after", "takes effect, hangs, then answers", params=dict(HANG)),
    FaultKind("reset_before", "before", "connection reset, no effect"),
    FaultKind("reset_after", "after", "takes effect, then connection reset"),
    FaultKind("broken_json", "after", "JSON cut off in the middle"),
    FaultKind("not_json_html", "after", "200 with an HTML page"),
    FaultKind("empty_body", "after", "200 with nothing in it"),
    FaultKind("missing_field", "after", "a field is left out", params={"field": ""}),
    FaultKind(
        "wrong_type", "after", "a field has another type", params={"field": "", "value": None}
    ),
    FaultKind(
        "null_authentication_url",
        "after",
        "the hosted address is null",
        endpoints=HANDING_OUT_ADDRESSES,
    ),
    FaultKind(
        "foreign_authentication_url",
        "after",
        f"the hosted address leads elsewhere; variant {', '.join(VARIANTS)}; or any url",
        endpoints=HANDING_OUT_ADDRESSES,
        params={"variant": "host", "url": ""},
    ),
    FaultKind("extra_fields", "after", "unknown fields, nested ones too"),
    FaultKind(
        "unknown_enum",
        "after",
        "values outside the documented lists",
        endpoints=(*USER_ENDPOINTS, *SESSION_ENDPOINTS, *DEVICE_ENDPOINTS, "boost"),
        params={"field": "", "value": ""},
    ),
    FaultKind("huge_body", "after", "a body over 1 MiB", params={"bytes": 2 * 1024 * 1024}),
    FaultKind(
        "drip", "after", "sends the body little by little", params={"seconds": 30.0, "pieces": 100}
    ),
    FaultKind(
        "duplicate",
        "before",
        "answers as for a user that exists although it does not",
        endpoints=("create_user",),
        params={"field": "email"},
    ),
    FaultKind(
        "redirect",
        "before",
        "302 elsewhere, no effect",
        params={"url": "https://elsewhere.example/"},
    ),
    _link("return_forged_device", "device linked, but another deviceId in the way back"),
    _link("return_forged_nothing_linked", "a deviceId in the way back, but nothing linked"),
    _link("return_without_device_id", "device linked, no deviceId in the way back"),
    _link("return_twice", "the finished form offers the same way back again"),
    _link("never_return", "device linked, no way back offered"),
    _link("return_to_cancel_after_link", "device linked, way back is the cancel address"),
)

FAULTS: Final = {kind.name: kind for kind in _KINDS}
