"""What smart optimization saved.

Source: api-reference/user-heat-pumps/get-savings-data-for-a-specified-heat-pump and the electric
vehicles' page of the same name; inferred for inverters and wallboxes.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, Literal
from uuid import UUID

from onboarding.podero.calls import Calls, read
from onboarding.podero.device_types import DeviceType
from onboarding.podero.parsing import NotUnderstood
from onboarding.podero.reading import fields_of, moment_of, number_of, text_of
from onboarding.podero.replies import Savings, SavingsPeriod

Resolution = Literal["1DAY", "1WEEK", "1MONTH", "1QUARTER", "1YEAR"]
_MAX_PERIODS: Final = 1000


class SavingsCalls:
    """The part of the client that deals with savings."""

    _calls: Calls

    def get_savings(
        self,
        user_id: UUID,
        device_type: DeviceType,
        device_id: UUID,
        *,
        start: datetime,
        end: datetime,
        resolution: Resolution = "1MONTH",
    ) -> Savings:
        """Return the savings between two aware times, per period. Raises NotFound."""
        path = self._calls.device_path(user_id, device_type, device_id) + "/savings"
        params = {"from": _iso(start), "to": _iso(end), "resolution": resolution}
        return read(self._calls.send("get_savings", "GET", path, params=params), savings_from)


def savings_from(body: object) -> Savings:
    """Read the reply: `data`, an array of periods, and `metadata` with the units."""
    fields = fields_of(body)
    data = fields.get("data")
    if not isinstance(data, list):
        raise NotUnderstood("data")
    metadata = fields_of(fields.get("metadata"))
    return Savings(
        periods=tuple(_period(entry) for entry in data[:_MAX_PERIODS]),
        units=_units(metadata.get("units")),
        error=text_of(metadata.get("error")),
    )


def _period(entry: object) -> SavingsPeriod:
    fields = fields_of(entry)
    period, savings = fields_of(fields.get("period")), fields_of(fields.get("savings"))
    return SavingsPeriod(
        resolution=text_of(fields.get("resolution")),
        started_at=moment_of(period.get("start_period")),
        ended_at=moment_of(period.get("end_period")),
        total=number_of(savings.get("total")),
        percentage=number_of(savings.get("percentage")),
    )


def _units(value: object) -> dict[str, str]:
    # The stored page shows an empty object: names may come flat or one level down.
    units = {}
    for name, unit in fields_of(value).items():
        for inner, inner_unit in fields_of(unit).items() or [("", unit)]:
            if text := text_of(inner_unit):
                units[f"{name}.{inner}".rstrip(".")] = text
    return units


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
