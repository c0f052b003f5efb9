"""Switches for everything Podero's documentation leaves open; changed while running."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

# What a DELETE may answer; the first two do what they say, the others refuse without effect.
DELETE_STATUSES = (200, 204, 403, 404, 405, 409, 422)

CHOICES: dict[str, tuple[object, ...]] = {
    "create_status": (200, 201),
    "duplicate_status": (400, 409, 422),
    "token_body": ("json", "form", "any"),
    "device_delete_status": DELETE_STATUSES,
    "user_delete_status": DELETE_STATUSES,
    "cue_secret_status": (401, 403, 404),
    "reconnect_other_account": ("taken", "new_device"),
}


class InvalidSetting(ValueError):
    """A setting that does not exist or cannot have this value."""


@dataclass(frozen=True)
class Settings:
    """How the simulator behaves where the documentation is silent. Defaults are the likeliest."""

    latency_ms: int = 0
    create_status: int = 200
    duplicate_status: int = 409
    duplicates_allowed: bool = False
    token_body: str = "json"  # noqa: S105
    token_seconds: int = 36000
    expired_session_readable: bool = True
    object_id_filled: bool = True
    device_delete_status: int = 204
    user_delete_status: int = 204
    user_delete_removes_devices: bool = True
    deleted_users_block_reuse: bool = False
    devices_per_login: int = 1
    cue_secret_seconds: int = 3600
    cue_secret_status: int = 403
    cue_closes_itself: bool = False
    reconnect_appends_device_id: bool = True
    reconnect_other_account: str = "taken"
    boost_requested_seconds: int = 3

    def changed(self, patch: dict[str, Any]) -> Settings:
        """Return a copy with the given values.

        Raises InvalidSetting when a name is unknown or a value impossible.
        """
        kinds = {item.name: type(getattr(self, item.name)) for item in fields(self)}
        for name, value in patch.items():
            if name not in kinds:
                raise InvalidSetting(f"unknown setting {name!r}; known: {', '.join(sorted(kinds))}")
            if type(value) is not kinds[name]:
                raise InvalidSetting(f"{name} must be {kinds[name].__name__}")
            if name in CHOICES and value not in CHOICES[name]:
                raise InvalidSetting(f"{name} must be one of {CHOICES[name]}")
            if type(value) is int and value < 0:
                raise InvalidSetting(f"{name} must not be negative")
        return replace(self, **patch)

    def as_dict(self) -> dict[str, Any]:
        """Return all values by name."""
        return asdict(self)
