"""What happens when a customer finishes: the device appears, the way back is decided."""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass
from typing import Literal

from simulator.clock import timestamp
from simulator.devices.fields import fresh_fields
from simulator.faults.book import Armed
from simulator.faults.catalogue import HOSTED_FORM
from simulator.records import Device, OnboardingSession
from simulator.runtime import Simulator
from simulator.vocabulary import DEVICE_TYPES, Manufacturer

Reason = Literal["unknown", "expired", "completed"]


class UnableToUseSession(Exception):
    """The onboarding session is not there, over or already used."""

    def __init__(self, reason: Reason, session: OnboardingSession | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.session = session


@dataclass(frozen=True)
class Choice:
    """What the customer chose, and the manufacturer's account they signed in with."""

    device_type: str
    maker: Manufacturer
    account: str
    devices: int | None = None  # how many the account holds; by default as the settings say


@dataclass(frozen=True)
class Completion:
    """How a customer's visit ended; `device_id` is the real device, whatever the way back says."""

    device_id: str | None
    redirect_url: str | None
    receipt: str


def get_usable_session(running: Simulator, session_id: str) -> OnboardingSession:
    """Return the session if a customer may still use it. Raises UnableToUseSession."""
    session = running.store.sessions.get(session_id)
    if session is None:
        raise UnableToUseSession("unknown")
    if session.completed_at is not None:
        raise UnableToUseSession("completed", session)
    if session.is_expired:
        raise UnableToUseSession("expired", session)
    if running.store.find_user(session.user_id) is None:
        raise UnableToUseSession("unknown", session)
    return session


def complete(running: Simulator, session_id: str, choice: Choice) -> Completion:
    """Connect the device(s) and use the session up. Raises UnableToUseSession.

    Checked and done under one lock: of two customers who finish at the same time, one is refused.
    """
    with running.store.lock:
        session = get_usable_session(running, session_id)
        armed = running.faults.take(HOSTED_FORM, "link")
        fault = armed.kind.name if armed else ""
        if fault != "return_forged_nothing_linked":
            for _ in range(choice.devices or running.settings.devices_per_login):
                _add_device(running, session, choice)
        session.completed_at = timestamp()
        session.receipt = secrets.token_urlsafe(16)
        session.is_result_repeated = fault == "return_twice"
        session.redirect_url = _way_back(session, armed)
        running.store.changed()
        device_id = session.linked_device_ids[0] if session.linked_device_ids else None
        return Completion(device_id, session.redirect_url, session.receipt)


def with_device_id(address: str, device_id: str) -> str:
    """Append `deviceId` to an address, keeping its query and fragment as they are."""
    head, mark, fragment = address.partition("#")
    joint = "&" if "?" in head else "?"
    if head.endswith(("?", "&")):
        joint = ""
    return f"{head}{joint}deviceId={device_id}{mark}{fragment}"


def _add_device(running: Simulator, session: OnboardingSession, choice: Choice) -> None:
    fields = fresh_fields(
        DEVICE_TYPES[choice.device_type],
        choice.maker,
        price_zone=session.price_zone_default,
        is_optimized=session.is_smart_optimization_active_default,
        account=choice.account,
    )
    fields["building"] = session.building_id
    number = len(session.linked_device_ids)
    if number:
        fields["external_device_id"] += f"-{number + 1}"
    device = Device(str(uuid.uuid4()), session.user_id, choice.device_type, choice.account, fields)
    running.store.add_device(device)
    session.linked_device_ids.append(device.id)
    session.object_id = session.object_id or device.id


def _way_back(session: OnboardingSession, armed: Armed | None) -> str | None:
    fault = armed.kind.name if armed else ""
    if fault == "never_return":
        return None
    if fault == "return_to_cancel_after_link":
        return session.cancel_url
    if fault == "return_without_device_id":
        return session.success_url
    if fault in ("return_forged_device", "return_forged_nothing_linked"):
        return with_device_id(session.success_url, str(uuid.uuid4()))
    return with_device_id(session.success_url, session.linked_device_ids[0])
