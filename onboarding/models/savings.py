"""What optimization saved, as far as a page shows it: money of a known currency, by period."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from onboarding import podero
from onboarding.podero import reading

# Currencies of the countries with a price zone. A number in another unit is not money to us.
CURRENCIES = ("EUR", "CHF", "GBP", "HUF", "RON", "SEK")
_SIGNS = {"€": "EUR", "£": "GBP"}
# Nobody has said what the unit of `savings.total` is called in `metadata.units`.
_NAMES = ("savings.total", "savings", "total")
# In which time zone a period's days begin is not documented: the nearest midnight is meant.
_HALF_A_DAY = timedelta(hours=12)


@dataclass(frozen=True, kw_only=True)
class SavedPeriod:
    """`ended_at` is the first moment after the period. Both are in UTC."""

    started_at: datetime
    ended_at: datetime
    total: float

    @property
    def first_day(self) -> date:
        return (self.started_at + _HALF_A_DAY).date()

    @property
    def last_day(self) -> date:
        return (self.ended_at - _HALF_A_DAY).date()

    @property
    def cost(self) -> float:
        """What was paid more, where the total is below nothing."""
        return -self.total


@dataclass(frozen=True, kw_only=True)
class Saved:
    """Newest period first; none where Podero told nothing that could be shown as it is."""

    currency: str = ""
    periods: tuple[SavedPeriod, ...] = ()

    @classmethod
    def of(cls, told: podero.Savings) -> Saved:
        unit = next((told.units[name] for name in _NAMES if name in told.units), "")
        currency = _SIGNS.get(unit, unit.upper())
        if told.error or currency not in CURRENCIES:
            return cls()
        periods = [
            SavedPeriod(started_at=period.started_at, ended_at=period.ended_at, total=period.total)
            for period in told.periods
            if period.started_at is not None
            and period.ended_at is not None
            and period.total is not None
            and period.started_at < period.ended_at
        ]
        periods.sort(key=lambda period: period.started_at, reverse=True)
        return cls(currency=currency, periods=tuple(periods[:2])) if periods else cls()

    @classmethod
    def from_json(cls, kept: object) -> Saved:
        fields = reading.fields_of(kept)
        rows = fields.get("periods")
        return cls.of(
            podero.Savings(
                units={"savings.total": reading.text_of(fields.get("currency"))},
                periods=tuple(
                    podero.SavingsPeriod(
                        started_at=reading.moment_of(reading.fields_of(row).get("started_at")),
                        ended_at=reading.moment_of(reading.fields_of(row).get("ended_at")),
                        total=reading.number_of(reading.fields_of(row).get("total")),
                    )
                    for row in (rows if isinstance(rows, list) else [])
                ),
            )
        )

    def as_json(self) -> dict[str, Any]:
        if not self.periods:
            return {}
        return {
            "currency": self.currency,
            "periods": [
                {
                    "started_at": period.started_at.isoformat(),
                    "ended_at": period.ended_at.isoformat(),
                    "total": period.total,
                }
                for period in self.periods
            ],
        }
