"""The API's fields of a fresh device, with plausible values (section 5 of the reference)."""

from __future__ import annotations

import uuid
from typing import Any

from simulator.clock import timestamp
from simulator.vocabulary import DeviceType, Manufacturer

UNSET_MOMENT = "0001-01-01T00:00:00Z"


def fresh_fields(
    kind: DeviceType,
    maker: Manufacturer,
    *,
    price_zone: str,
    is_optimized: bool,
    account: str,
) -> dict[str, Any]:
    """Return all stored fields of a device that was just connected."""
    now = timestamp()
    common = {
        "connection_status": "ok",
        "monitoring_status": "ok",
        "steering_status": "ok" if is_optimized else "unknown",
        "device_model": device_model(kind, maker),
        "building": None,
        "price_zone": price_zone,
        "created_at": now,
        "updated_at": now,
        "deleted_at": None,
        "lifecycle_state": "authenticated",
        "lifecycle_error": "",
        "is_authenticated": True,
        "is_smart_optimization_active": is_optimized,
        "optimization_score": 0.0,
        "current_mode": "mid" if kind.code == "hp" else "",
        "pause_power_until": None,
        "is_pause_power_active": False,
        "external_device_id": external_device_id(maker, account),
        "comment": "",
        "current_state_last_updated_at": now,
        "last_monitoring_executed_at": now,
        "is_trading_enabled": False,
        "is_inverter_forced_mode_enabled": False,
        "is_inverter_forced_mode_active": False,
        "inverter_forced_mode_since": UNSET_MOMENT,
        "actual_steering_state": "unknown",
        "is_forecasting_enabled": True,
        "authorization_url": None,
        "has_unread_information": False,
    }
    return common | _BY_KIND[kind.code]()


def device_model(kind: DeviceType, maker: Manufacturer) -> dict[str, Any]:
    """Return the nested description of manufacturer and model."""
    return {
        "manufacturer": maker.name,
        "model": maker.model,
        "year": maker.year,
        "device_type": {"short_name": kind.short_name, "long_name": kind.long_name},
        "cloud_service": str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{maker.code}.example")),
        "cloud_service_instructions": f"Sign in with your {maker.login_name} login.",
        "cloud_service_signup_link": f"https://{maker.code}.example/sign-up",
    }


def external_device_id(maker: Manufacturer, account: str) -> str:
    """Return the manufacturer's id of the device, different for each account."""
    return f"{maker.code}-{uuid.uuid5(uuid.NAMESPACE_URL, account).hex[:12]}"


def _heat_pump() -> dict[str, Any]:
    return {
        "current_power_consumption_w": 1240,
        "outdoor_temperature": 4.5,
        "indoor_actual_temperature": 21.3,
        "indoor_target_temperature": 21.0,
        "indoor_target_temperature_offset": 0,
        "inlet_temperature": 31.2,
        "outlet_temperature": 35.8,
        "dhw_temperature": 48.6,
        "dhw_standard_temperature": 50,
        "is_hot_water_heating_enabled": True,
        "is_space_heating_enabled": True,
        "is_pool_heating_enabled": False,
        "is_space_cooling_enabled": False,
        "optimization_level": "Mid",
        "heating_policy_name": "",
        "is_heating_policy_enabled": False,
        "maximum_temperature_limit": 24,
        "minimum_temperature_limit": 19,
        "minimum_dhw_temperature_limit": 42,
        "is_away_mode_enabled": False,
        "away_mode_start": None,
        "away_mode_end": None,
        "away_mode_minimum_temperature_limit": 16,
    }


def _electric_vehicle() -> dict[str, Any]:
    return {
        "charge_target_min": 50,
        "charge_target_max": 80,
        "is_charge_policy_enabled": False,
        "charge_deadline_at": "07:00",
        "minimum_charge_limit": 50,
        "charge_policy_last_updated_at": timestamp(),
        "is_plugged_in": False,
        "is_charging": False,
        "is_fully_charged": False,
        "charge_rate_w": 0,
        "battery_level": 62,
        "battery_capacity_kwh": 57.5,
        "driving_range": 268,
        "boost_state": "available",
        "boost_for_next_session": False,
    }


def _inverter() -> dict[str, Any]:
    return {
        "solar_power_rating_kw": 10.0,
        "is_battery_connected": True,
        "battery_capacity_kwh": 11.0,
        "min_battery_charge": 10,
        "max_battery_charge": 100,
        "current_solar_production_w": 3200,
        "household_consumption_w": 640,
        "solar_surplus_w": 2560,
        "battery_charge_level_percent": 57,
        "battery_charge_discharge_power_w": -1500,
        "current_power_to_grid_w": 1060,
    }


def _wallbox() -> dict[str, Any]:
    return {
        "mode": "READY",
        "connection": "online",
        "is_ocpp_connected": True,
        "charge_target_min": 50,
        "charge_target_max": 80,
        "charge_power_max_w": 7000,
        "is_charge_policy_enabled": False,
        "charge_policy_last_updated_at": timestamp(),
        "minimum_charge_limit": 80,
        "charge_deadline_at": None,
        "charge_rate_w": 0,
        "boost_state": "available",
        "boost_for_next_session": False,
    }


_BY_KIND = {
    "hp": _heat_pump,
    "ev": _electric_vehicle,
    "iv": _inverter,
    "wb": _wallbox,
}
