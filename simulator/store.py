"""The simulator's memory. Every method expects the caller to hold `lock`."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import asdict
from threading import RLock
from typing import Any

from simulator.clock import timestamp
from simulator.records import Cue, Device, OnboardingSession, Relogin, User


class Store:
    """Users, sessions, devices, cues and tokens behind one lock."""

    def __init__(self, on_change: Callable[[], None] = lambda: None) -> None:
        self.lock = RLock()
        self.changed = on_change
        self.clear()

    def clear(self) -> None:
        """Forget everything, tokens included; secrets issued before stop working."""
        self.secret_key = secrets.token_hex(16)
        self.users: dict[str, User] = {}
        self.sessions: dict[str, OnboardingSession] = {}
        self.devices: dict[str, Device] = {}
        self.cues: dict[str, Cue] = {}
        self.relogins: dict[str, Relogin] = {}
        self.tokens: dict[str, float] = {}
        self.issued_tokens: list[str] = []
        self._devices_of: dict[str, list[str]] = {}
        self._cues_of: dict[str, list[str]] = {}
        self._live_emails: dict[str, str] = {}
        self._live_external_ids: dict[str, str] = {}

    # Tokens

    def issue_token(self, seconds: int) -> str:
        """Make a bearer token of 30 characters that lives so long."""
        now = time.monotonic()
        for old in [key for key, ends_at in self.tokens.items() if ends_at <= now]:
            del self.tokens[old]
        token = secrets.token_urlsafe(32).replace("-", "a").replace("_", "b")[:30]
        self.tokens[token] = now + seconds
        self.issued_tokens.append(token)
        return token

    def is_token_valid(self, token: str) -> bool:
        """Say whether the token was issued here and still lives."""
        return self.tokens.get(token, 0.0) > time.monotonic()

    # Users

    def add_user(self, user: User) -> None:
        """Keep a new user; the caller has looked for conflicts under the same lock."""
        self.users[user.id] = user
        self._index_user(user)
        self.changed()

    def update_user(self, user: User, values: dict[str, Any]) -> None:
        """Change the named attributes only."""
        self._unindex_user(user)
        for name, value in values.items():
            setattr(user, name, value)
        self._index_user(user)
        self.changed()

    def delete_user(self, user: User, *, with_devices: bool) -> None:
        """Mark the user as deleted, and the user's devices too if asked."""
        self._unindex_user(user)
        user.deleted_at = timestamp()
        if with_devices:
            for device in self.devices_of(user.id):
                device.fields["deleted_at"] = device.fields["deleted_at"] or user.deleted_at
                device.note_switch()
        self.changed()

    def find_user(self, user_id: str, *, include_deleted: bool = False) -> User | None:
        """Return the user with this id, if known."""
        user = self.users.get(user_id)
        if user is None or (user.deleted_at and not include_deleted):
            return None
        return user

    def find_by_external_id(self, external_id: str, *, include_deleted: bool) -> User | None:
        """Return the user with the partner's id; a living one is preferred."""
        user_id = self._live_external_ids.get(external_id)
        if user_id is not None:
            return self.users[user_id]
        if not include_deleted:
            return None
        gone = (user for user in self.users.values() if user.external_user_id == external_id)
        return max(gone, key=lambda user: user.deleted_at or "", default=None)

    def conflicting_field(
        self,
        email: str | None,
        external_id: str | None,
        *,
        but_not: str = "",
        deleted_count_too: bool = False,
    ) -> str | None:
        """Return the name of the unique field already taken by another user."""
        if email is not None and self._live_emails.get(email.lower(), but_not) != but_not:
            return "email"
        if external_id is not None and self._live_external_ids.get(external_id, but_not) != but_not:
            return "external_user_id"
        if deleted_count_too:
            for user in self.users.values():
                if user.deleted_at is None or user.id == but_not:
                    continue
                if email is not None and user.email.lower() == email.lower():
                    return "email"
                if external_id is not None and user.external_user_id == external_id:
                    return "external_user_id"
        return None

    def _index_user(self, user: User) -> None:
        if user.deleted_at is None:
            self._live_emails[user.email.lower()] = user.id
            if user.external_user_id is not None:
                self._live_external_ids[user.external_user_id] = user.id

    def _unindex_user(self, user: User) -> None:
        if user.deleted_at is None:
            self._live_emails.pop(user.email.lower(), None)
            if user.external_user_id is not None:
                self._live_external_ids.pop(user.external_user_id, None)

    # Devices, cues, sessions

    def add_device(self, device: Device) -> None:
        """Keep a new device."""
        device.note_switch()
        self.devices[device.id] = device
        self._devices_of.setdefault(device.user_id, []).append(device.id)
        self.changed()

    def devices_of(self, user_id: str) -> list[Device]:
        """Return all devices of a user, deleted ones included, oldest first."""
        return [self.devices[key] for key in self._devices_of.get(user_id, ())]

    def add_cue(self, cue: Cue) -> None:
        """Keep a new pending action."""
        self.cues[cue.id] = cue
        self._cues_of.setdefault(cue.device_id, []).append(cue.id)
        self.changed()

    def open_cues(self, device_id: str) -> list[Cue]:
        """Return the actions of a device whose outcome is still missing."""
        cues = (self.cues[key] for key in self._cues_of.get(device_id, ()))
        return [cue for cue in cues if cue.state != "done"]

    def add_session(self, session: OnboardingSession) -> None:
        """Keep a new onboarding session."""
        self.sessions[session.id] = session
        self.changed()

    def add_relogin(self, relogin: Relogin) -> None:
        """Keep a new re-login page."""
        self.relogins[relogin.id] = relogin
        self.changed()

    # Snapshot

    def as_dict(self) -> dict[str, Any]:
        """Return all records as plain data; no tokens, no key."""
        return {
            "users": [asdict(item) for item in self.users.values()],
            "sessions": [asdict(item) for item in self.sessions.values()],
            "devices": [asdict(item) for item in self.devices.values()],
            "cues": [asdict(item) for item in self.cues.values()],
            "relogins": [asdict(item) for item in self.relogins.values()],
        }

    def restore(self, data: dict[str, Any]) -> None:
        """Replace everything by records that `as_dict` returned earlier."""
        self.clear()
        for values in data["users"]:
            self.add_user(User(**values))
        for values in data["sessions"]:
            self.add_session(OnboardingSession(**values))
        for values in data["devices"]:
            self.add_device(Device(**(values | {"boost_requested_at": None})))
        for values in data["cues"]:
            self.add_cue(Cue(**values))
        for values in data["relogins"]:
            self.add_relogin(Relogin(**values))
