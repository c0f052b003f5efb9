"""What the simulator remembers. Times are ISO strings, so that a snapshot is plain JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any

from simulator.clock import timestamp, today


@dataclass
class User:
    """An end user or a colleague in the partner's organisation."""

    id: str
    organization_id: str
    role: str
    email: str
    external_user_id: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    street_and_number: str | None = None
    street_add_info: str | None = None
    zip_code: str | None = None
    town: str | None = None
    country: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    joined_at: str = field(default_factory=timestamp)
    deleted_at: str | None = None


@dataclass
class OnboardingSession:
    """One attempt of a customer to connect a device through the hosted form."""

    id: str
    user_id: str
    success_url: str
    cancel_url: str
    language: str
    price_zone_default: str
    expiration_date: str
    device_type: str | None = None
    building_id: str | None = None
    is_smart_optimization_active_default: bool = True
    external_metadata: dict[str, Any] = field(default_factory=dict)
    object_id: str | None = None
    created_at: str = field(default_factory=timestamp)
    completed_at: str | None = None
    cancelled_at: str | None = None
    linked_device_ids: list[str] = field(default_factory=list)
    # Where the hosted form sends the customer in the end; None after a link means no way back.
    redirect_url: str | None = None
    # Key of the success page: a completed session's id alone must not reveal the way back.
    receipt: str | None = None
    is_result_repeated: bool = False

    @property
    def is_expired(self) -> bool:
        """Say whether the last valid day (UTC) is over."""
        return date.fromisoformat(self.expiration_date) < today()


@dataclass
class Device:
    """One device; `fields` are the API's own names, without those computed when read."""

    id: str
    user_id: str
    kind: str
    account: str
    fields: dict[str, Any]
    has_changed_account: bool = False
    boost_refusal: str | None = None
    boost_requested_at: float | None = None
    # When optimization was switched, and whether on or off, from the first moment on.
    switches: list[tuple[str, bool]] = field(default_factory=list)

    def note_switch(self) -> None:
        """Write down whether optimization is on, if that is news."""
        is_on = bool(self.fields["is_smart_optimization_active"]) and not self.is_deleted
        if not self.switches or self.switches[-1][1] != is_on:
            self.switches.append((timestamp(), is_on))

    @property
    def is_deleted(self) -> bool:
        """Say whether the device was removed; removal is soft."""
        return self.fields["deleted_at"] is not None


@dataclass
class Cue:
    """A pending action on a device."""

    id: str
    device_id: str
    code: str
    state: str = "available"  # then "active" after resolve, "done" in the end
    outcome: str | None = None


@dataclass
class Relogin:
    """A hosted page on which the owner signs in at the manufacturer again."""

    id: str
    device_id: str
    success_url: str | None
    cancel_url: str | None
    language: str = "en"
    cue_id: str | None = None
    completed_at: str | None = None
