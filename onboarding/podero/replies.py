"""What Podero answers, as frozen values.

Fields that hold keys or personal data are kept out of `repr`, so that a value that ends up in a
log line or a traceback gives nothing away.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

from onboarding.podero.device_types import DeviceType


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """An end user of the organisation. Source: api-reference/users."""

    id: UUID
    email: str = field(default="", repr=False)
    external_user_id: str | None = field(default=None, repr=False)
    role: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostedSession:
    """One onboarding session. Source: api-reference/device-onboarding-sessions.

    authentication_url: the key to the customer's form, checked; never None from a create.
    expiration_date: a bare date, "valid until the end of the next day", no time zone given.
    object_id: probably the id of the device linked through it, once there is one.
    """

    id: UUID
    authentication_url: str | None = field(default=None, repr=False)
    user_id: UUID | None = None
    expiration_date: date | None = None
    object_id: str | None = None
    device_type: DeviceType | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """Something the customer should do about a device.

    Known codes: "reauthenticate", "information"; others may come and are to be ignored.
    url: as received, holds a secret valid for an hour; check its host before use.
    """

    code: str
    url: str | None = field(default=None, repr=False)
    required_parameters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cue:
    """What an action's link names: the cue, and the secret that lets one act on it for an hour."""

    id: UUID
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A linked device. Source: partner-api/reference/*/attributes and */state.

    The three statuses are "ok", "warning", "error" or "unknown". battery_level is in percent.
    Times are aware, in UTC. `actions` comes with a detail only, never with a list.
    current_mode: of a heat pump "min", "low", "mid" or "max"; wallbox_mode: "READY",
    "PLUGGED_IN", "CHARGING", "UNAVAILABLE" or "UNKNOWN".
    battery_flow_w: what an inverter's battery gives (positive) or takes (negative).
    """

    id: UUID
    device_type: DeviceType
    owner_id: UUID | None = None
    owner_external_id: str | None = field(default=None, repr=False)
    manufacturer: str = ""
    model: str = ""
    external_device_id: str = field(default="", repr=False)
    is_authenticated: bool | None = None
    is_smart_optimization_active: bool | None = None
    connection_status: str = "unknown"
    monitoring_status: str = "unknown"
    steering_status: str = "unknown"
    lifecycle_state: str = ""
    lifecycle_error: str = ""
    is_action_needed: bool = False
    current_mode: str = ""
    wallbox_mode: str = ""
    wallbox_connection: str = ""
    boost_state: str = ""
    is_boost_armed: bool | None = None
    is_plugged_in: bool | None = None
    is_charging: bool | None = None
    is_fully_charged: bool | None = None
    battery_level: int | None = None
    battery_flow_w: float | None = None
    solar_production_w: float | None = None
    state_updated_at: datetime | None = None
    created_at: datetime | None = None
    is_deleted: bool = False
    actions: tuple[Action, ...] = ()

    def is_of(self, user_id: UUID) -> bool:
        """Whether the user, under whom it was found, is its owner, as far as it names one."""
        return self.owner_id in (None, user_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reauthentication:
    """Where to send the customer to renew the manufacturer's login of a device.

    authentication_url: None when the device cannot be renewed this way.
    Source: api-reference/user-electric-vehicles/reauthenticate-a-users-electric-vehicle.
    """

    authentication_url: str | None = field(default=None, repr=False)
    device_id: UUID | None = None
    session_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SavingsPeriod:
    """Savings of one period; `total` in the unit of `Savings.units`, None when not known."""

    resolution: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    total: float | None = None
    percentage: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Savings:
    """What optimization saved. Source: .../get-savings-data-for-a-specified-heat-pump.

    units: unit by name, as Podero tells them ("savings.total": "EUR"). error: Podero's own
    remark on the data, empty if none.
    """

    periods: tuple[SavingsPeriod, ...] = ()
    units: Mapping[str, str] = field(default_factory=dict)
    error: str = ""
