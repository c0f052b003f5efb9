"""Which fields a partner may write, per device type (sections 5.3 to 5.6 of the reference)."""

from __future__ import annotations

from simulator.api.schema import (
    Field,
    Schema,
    flag,
    identifier,
    mapping,
    moment,
    number,
    one_of,
    text,
    time_of_day_or_moment,
)
from simulator.vocabulary import PRICE_ZONES

PERCENT = Field(number(0, 100))

_COMMON = {
    "is_smart_optimization_active": Field(flag),
    "is_pause_power_active": Field(flag),
    "pause_power_until": Field(moment, is_nullable=True),
    "device_model": Field(mapping),
    "price_zone": Field(one_of(PRICE_ZONES)),
    "building_id": Field(identifier, is_nullable=True),
    "deleted_at": Field(moment, is_nullable=True),
    "lifecycle_state": Field(text(20)),
    "lifecycle_error": Field(text(1000)),
    "optimization_score": Field(number()),
    "comment": Field(text(300)),
    "last_monitoring_executed_at": Field(moment),
    "is_inverter_forced_mode_enabled": Field(flag),
    "is_trading_enabled": Field(flag),
    "actual_steering_state": Field(text(20)),
}
_HEAT_PUMP = {
    "optimization_level": Field(one_of(("Low", "Mid", "Max"))),
    "indoor_target_temperature_offset": Field(number(-10, 10)),
    "dhw_standard_temperature": Field(number(0, 80)),
    "is_hot_water_heating_enabled": Field(flag),
    "is_space_heating_enabled": Field(flag),
    "is_pool_heating_enabled": Field(flag),
    "is_space_cooling_enabled": Field(flag),
    "heating_policy_name": Field(text(100)),
    "maximum_temperature_limit": Field(number(0, 40)),
    "minimum_temperature_limit": Field(number(0, 40)),
    "minimum_dhw_temperature_limit": Field(number(0, 80)),
    "is_heating_policy_enabled": Field(flag),
    "away_mode_start": Field(moment, is_nullable=True),
    "away_mode_end": Field(moment, is_nullable=True),
    "is_away_mode_enabled": Field(flag),
    "away_mode_minimum_temperature_limit": Field(number(0, 40)),
}
_CHARGING = {
    "is_charge_policy_enabled": Field(flag),
    "charge_deadline_at": Field(time_of_day_or_moment, is_nullable=True),
    "minimum_charge_limit": PERCENT,
}
_INVERTER = {
    "solar_power_rating_kw": Field(number(0)),
    "is_battery_connected": Field(flag),
    "battery_capacity_kwh": Field(number(0), is_nullable=True),
    "min_battery_charge": PERCENT,
    "max_battery_charge": PERCENT,
}
_WALLBOX = {
    "charge_target_min": PERCENT,
    "charge_target_max": PERCENT,
    "charge_power_max_w": Field(number(0)),
}
_WRITABLE: dict[str, Schema] = {
    "hp": _COMMON | _HEAT_PUMP,
    "ev": _COMMON | _CHARGING,
    "iv": _COMMON | _INVERTER,
    "wb": _COMMON | _CHARGING | _WALLBOX,
}


def writable_fields(kind: str) -> Schema:
    """Return the schema of a partial update for a device type."""
    return _WRITABLE[kind]
