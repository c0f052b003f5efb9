"""What is kept of Podero's words about a device is a closed set, whatever was said or stored."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onboarding import podero
from onboarding.models.reports import Report
from onboarding.models.savings import Saved
from onboarding.podero.parsing import device_from

JANUARY, FEBRUARY, MARCH = (datetime(2026, month, 1, tzinfo=UTC) for month in (1, 2, 3))
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def told(kind: str, **fields: Any) -> Report:
    body = {"id": str(uuid.uuid4()), **fields}
    return Report.of(device_from(body, podero.DeviceType(kind)))


def period(start: datetime, end: datetime, total: float | None) -> podero.SavingsPeriod:
    return podero.SavingsPeriod(started_at=start, ended_at=end, total=total)


@pytest.mark.parametrize(
    ("kind", "fields", "expected"),
    [
        ("hp", {"current_mode": "low"}, {"mode": "low"}),
        ("hp", {"current_mode": "turbo", "mode": "READY"}, {}),
        ("wb", {"mode": "CHARGING"}, {"mode": "CHARGING"}),
        ("wb", {"current_mode": "PLUGGED_IN"}, {"mode": "PLUGGED_IN"}),
        ("wb", {"mode": "UNKNOWN", "connection": "odd"}, {}),
        ("ev", {"is_plugged_in": False, "battery_level": 0}, {"is_plugged_in": False,
                                                               "battery_level": 0}),
        ("ev", {"is_plugged_in": "yes", "battery_level": 101, "boost_state": "x"}, {}),
        ("ev", {"boost_state": "ongoing", "boost_for_next_session": True},
         {"boost_state": "ongoing", "is_boost_armed": True}),
        ("iv", {"battery_charge_level_percent": 5, "current_solar_production_w": 12},
         {"battery_level": 5, "solar_production_w": 12.0}),
    ],
)  # fmt: skip
def test_known_values_are_kept_and_others_are_not(
    kind: str, fields: dict[str, Any], expected: dict[str, Any]
) -> None:
    report = told(kind, **fields)

    assert report.as_json() == expected
    assert Report.from_json(report.as_json()) == report


@given(kept=ANYTHING)
def test_any_stored_value_is_a_report(kept: object) -> None:
    for candidate in (kept, {"battery_level": kept, "mode": kept, "state_at": kept}):
        report = Report.from_json(candidate)
        assert report.battery_level is None or 0 <= report.battery_level <= 100
        assert Saved.from_json(candidate) == Saved()
        assert Saved.from_json({"currency": "EUR", "periods": candidate}) == Saved()


@pytest.mark.parametrize(
    ("fields", "cable"),
    [
        ({}, ""),
        ({"is_plugged_in": False}, "unplugged"),
        ({"mode": "READY"}, "unplugged"),
        ({"is_plugged_in": True}, "plugged_in"),
        ({"mode": "PLUGGED_IN"}, "plugged_in"),
        ({"is_plugged_in": True, "is_fully_charged": True}, "full"),
        ({"is_plugged_in": True, "is_charging": True}, "charging"),
        ({"mode": "CHARGING"}, "charging"),
        ({"mode": "UNAVAILABLE"}, ""),
    ],
)
def test_cable(fields: dict[str, Any], cable: str) -> None:
    assert Report.from_json(fields).cable == cable


@pytest.mark.parametrize(
    ("units", "currency"),
    [
        ({"savings.total": "EUR"}, "EUR"),
        ({"savings": "eur"}, "EUR"),
        ({"savings.total": "€"}, "EUR"),
        ({"savings.total": "SEK"}, "SEK"),
        ({"savings.total": "kWh"}, ""),
        ({"savings.total": "ct"}, ""),
        ({"consumption.total": "EUR"}, ""),
        ({}, ""),
    ],
)
def test_number_without_a_known_currency_is_not_money(units: dict[str, str], currency: str) -> None:
    saved = Saved.of(podero.Savings(units=units, periods=(period(JANUARY, FEBRUARY, 3.5),)))

    assert saved.currency == currency
    assert bool(saved.periods) == bool(currency)
    assert Saved.from_json(saved.as_json()) == saved


def test_savings_are_the_two_newest_whole_statements() -> None:
    saved = Saved.of(
        podero.Savings(
            units={"savings.total": "EUR"},
            periods=(
                period(JANUARY, FEBRUARY, 1.0),
                period(FEBRUARY, MARCH, -2.0),
                podero.SavingsPeriod(total=9.0),
                period(MARCH, JANUARY, 9.0),
                period(MARCH, datetime(2026, 4, 1, tzinfo=UTC), None),
            ),
        )
    )

    assert [one.total for one in saved.periods] == [-2.0, 1.0]
    assert saved.periods[0].cost == 2.0


@pytest.mark.parametrize("hours", [-2, 0, 2])
def test_days_of_a_period_are_right_in_whichever_zone_they_begin(hours: int) -> None:
    shift = timedelta(hours=hours)
    february = period(FEBRUARY + shift, MARCH + shift, 1.0)

    (shown,) = Saved.of(podero.Savings(units={"savings": "EUR"}, periods=(february,))).periods

    assert (shown.first_day, shown.last_day) == (date(2026, 2, 1), date(2026, 2, 28))


def test_savings_with_a_remark_of_podero_are_not_shown() -> None:
    told = podero.Savings(
        units={"savings.total": "EUR"}, periods=(period(JANUARY, FEBRUARY, 1.0),), error="partial"
    )

    assert Saved.of(told) == Saved()
