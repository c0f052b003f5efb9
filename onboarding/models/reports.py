"""What Podero last told of a device, as far as a page shows it: a closed set of checked values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from onboarding import podero
from onboarding.podero import reading

HEAT_PUMP_MODES = ("min", "low", "mid", "max")
WALLBOX_MODES = ("READY", "PLUGGED_IN", "CHARGING", "UNAVAILABLE")
WALLBOX_CONNECTIONS = ("online", "offline", "never_connected")
BOOST_STATES = ("available", "requested", "ongoing", "unavailable")

Cable = Literal["", "unplugged", "plugged_in", "full", "charging"]


@dataclass(frozen=True, kw_only=True)
class Report:
    """Each value is None or empty where Podero did not tell, or told something unknown.

    `state_at` is when the device itself last reported to Podero. Kept as JSON in `Device.report`,
    which is read as carefully as Podero's answers are.
    """

    state_at: datetime | None = None
    is_plugged_in: bool | None = None
    is_charging: bool | None = None
    is_fully_charged: bool | None = None
    battery_level: int | None = None
    battery_flow_w: float | None = None
    solar_production_w: float | None = None
    mode: str = ""
    connection: str = ""
    boost_state: str = ""
    is_boost_armed: bool | None = None

    @property
    def is_boosting(self) -> bool:
        """Whether it charges because it was asked to at once, not because of what electricity costs."""
        return self.boost_state in {"requested", "ongoing"}

    @classmethod
    def of(cls, found: podero.Device) -> Report:
        modes = {
            podero.DeviceType.HP: (found.current_mode, HEAT_PUMP_MODES),
            # Its field's name is deduced; other types have their state in `current_mode`.
            podero.DeviceType.WB: (found.wallbox_mode or found.current_mode, WALLBOX_MODES),
        }
        mode, known = modes.get(found.device_type, ("", ()))
        return cls(
            state_at=found.state_updated_at,
            is_plugged_in=found.is_plugged_in,
            is_charging=found.is_charging,
            is_fully_charged=found.is_fully_charged,
            battery_level=found.battery_level,
            battery_flow_w=found.battery_flow_w,
            solar_production_w=found.solar_production_w,
            mode=_one_of(known, mode),
            connection=_one_of(WALLBOX_CONNECTIONS, found.wallbox_connection),
            boost_state=_one_of(BOOST_STATES, found.boost_state),
            is_boost_armed=found.is_boost_armed,
        )

    @classmethod
    def from_json(cls, kept: object) -> Report:
        fields = reading.fields_of(kept)
        return cls(
            state_at=reading.moment_of(fields.get("state_at")),
            is_plugged_in=reading.flag_of(fields.get("is_plugged_in")),
            is_charging=reading.flag_of(fields.get("is_charging")),
            is_fully_charged=reading.flag_of(fields.get("is_fully_charged")),
            battery_level=reading.percent_of(fields.get("battery_level")),
            battery_flow_w=reading.number_of(fields.get("battery_flow_w")),
            solar_production_w=reading.number_of(fields.get("solar_production_w")),
            mode=_one_of(HEAT_PUMP_MODES + WALLBOX_MODES, fields.get("mode")),
            connection=_one_of(WALLBOX_CONNECTIONS, fields.get("connection")),
            boost_state=_one_of(BOOST_STATES, fields.get("boost_state")),
            is_boost_armed=reading.flag_of(fields.get("is_boost_armed")),
        )

    def as_json(self) -> dict[str, Any]:
        """What is known; what is not takes no room."""
        known: Mapping[str, Any] = {
            name: value for name, value in asdict(self).items() if value not in (None, "")
        }
        return {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in known.items()
        }

    @property
    def solar_production_kw(self) -> float | None:
        return None if self.solar_production_w is None else self.solar_production_w / 1000

    @property
    def cable(self) -> Cable:
        """How a car or a wallbox stands; empty when that is not known."""
        if self.is_charging or self.mode == "CHARGING":
            return "charging"
        if self.is_plugged_in is False or self.mode == "READY":
            return "unplugged"
        if self.is_plugged_in or self.mode == "PLUGGED_IN":
            return "full" if self.is_fully_charged else "plugged_in"
        return ""


def _one_of(known: tuple[str, ...], value: object) -> str:
    return value if isinstance(value, str) and value in known else ""
