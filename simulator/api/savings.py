"""Savings and statistics: invented, but the same numbers each time (section 5.7)."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Response, request

from simulator.api.blueprint import USER_PATH, api
from simulator.api.devices import load_device
from simulator.api.schema import query_problem
from simulator.clock import timestamp, utc_now
from simulator.faults.answers import json_response
from simulator.runtime import simulator
from simulator.vocabulary import RESOLUTIONS, STATISTICS_KEYWORDS

MAX_PERIODS = 2000
UNITS = {
    "savings.total": "EUR",
    "savings.percentage": "%",
    "consumption.total": "kWh",
    "heat_pump.estimated_consumption_wh": "Wh",
    "electric_vehicle.estimated_consumption_wh": "Wh",
    "electric_vehicle.average_charge_power_w": "W",
}
DAYS = {"1DAY": 1, "1WEEK": 7}
MONTHS = {"1MONTH": 1, "1QUARTER": 3, "1YEAR": 12}


@api.get(f'{USER_PATH}/<any("electric-vehicles","heat-pumps"):collection>/<device_id>/savings')
def savings(user_id: str, collection: str, device_id: str) -> Response:
    """Return savings and consumption per period."""
    start, end = _moment("from"), _moment("to")
    if end <= start:
        raise query_problem("to", "value_error", "to must be after from")
    resolution = request.args.get("resolution", "1MONTH")
    _check_choice("resolution", resolution, RESOLUTIONS)
    with simulator().store.lock:
        device = load_device(user_id, collection, device_id)
        kind = device.kind
    periods = _periods(start, end, resolution)
    return _answer([_entry(device_id, kind, resolution, *period) for period in periods])


@api.get(f'{USER_PATH}/<any("heat-pumps"):collection>/<device_id>/statistics')
def statistics(user_id: str, collection: str, device_id: str) -> Response:
    """Return the current period for each resolution asked for."""
    resolutions = request.args.get("resolution", "1DAY").split(",")
    keywords = request.args.get("keywords", ",".join(STATISTICS_KEYWORDS)).split(",")
    for name in resolutions:
        _check_choice("resolution", name, RESOLUTIONS)
    for name in keywords:
        _check_choice("keywords", name, STATISTICS_KEYWORDS)
    with simulator().store.lock:
        kind = load_device(user_id, collection, device_id).kind
    now = utc_now()
    entries = []
    for name in resolutions:
        start, end = next(_periods(now - timedelta(seconds=1), now, name))
        entry = _entry(device_id, kind, name, start, end)
        entries.append({k: v for k, v in entry.items() if k in keywords or k not in
                        STATISTICS_KEYWORDS})  # fmt: skip
    return _answer(entries)


def _answer(entries: list[dict[str, Any]]) -> Response:
    metadata = {
        "requested_at": timestamp(),
        "query": request.args.to_dict(),
        "units": UNITS,
        "error": "",
    }
    return json_response({"metadata": metadata, "data": entries})


def _entry(
    device_id: str, kind: str, resolution: str, start: datetime, end: datetime
) -> dict[str, Any]:
    dice = random.Random(f"{device_id}{resolution}{start.isoformat()}")  # noqa: S311
    days = (end - start).days
    kwh = round(dice.uniform(6, 14) * days, 2)
    percentage = round(dice.uniform(8, 24), 1)
    sessions = max(1, days // 3)
    return {
        "resolution": resolution,
        "period": {"start_period": timestamp(start), "end_period": timestamp(end)},
        "savings": {"total": round(kwh * 0.28 * percentage / 100, 2), "percentage": percentage},
        "consumption": {"total": kwh},
        "heat_pump": {"estimated_consumption_wh": int(kwh * 1000)} if kind == "hp" else None,
        "electric_vehicle": {
            "estimated_consumption_wh": int(kwh * 1000),
            "charge_session_count": sessions,
            "average_charge_power_w": dice.randint(3200, 7200),
        }
        if kind == "ev"
        else None,
        "inverter": None,
    }


def _periods(
    start: datetime, end: datetime, resolution: str
) -> Iterator[tuple[datetime, datetime]]:
    at = start.replace(hour=0, minute=0, second=0, microsecond=0)
    if resolution == "1WEEK":
        at -= timedelta(days=at.weekday())
    elif resolution in MONTHS:
        length = MONTHS[resolution]
        at = at.replace(day=1, month=(at.month - 1) // length * length + 1)
    for _ in range(MAX_PERIODS):
        if at >= end:
            return
        following = _add(at, resolution)
        yield at, following
        at = following


def _add(moment: datetime, resolution: str) -> datetime:
    if resolution in DAYS:
        return moment + timedelta(days=DAYS[resolution])
    months = moment.month - 1 + MONTHS[resolution]
    return moment.replace(year=moment.year + months // 12, month=months % 12 + 1)


def _moment(name: str) -> datetime:
    value = request.args.get(name)
    if value is None:
        raise query_problem(name, "missing", "Field required")
    try:
        # An unescaped + of a time zone arrives as a blank.
        found = datetime.fromisoformat(value.replace(" ", "+") if "T" in value else value)
    except ValueError as error:
        raise query_problem(name, "datetime_parsing", "Input should be a valid datetime") from error
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    return found.astimezone(UTC)


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        expected = ", ".join(f"'{choice}'" for choice in choices)
        raise query_problem(name, "enum", f"Input should be {expected}")
