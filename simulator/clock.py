"""Time as Podero writes it: UTC, ISO 8601, milliseconds and a `Z`."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta


def utc_now() -> datetime:
    """Return the present moment in UTC."""
    return datetime.now(UTC)


def timestamp(moment: datetime | None = None) -> str:
    """Write a moment (now by default) the way the API does."""
    moment = moment or utc_now()
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def today() -> date:
    """Return the date in UTC."""
    return utc_now().date()


def tomorrow() -> date:
    """Return the last day on which a session made now is valid."""
    return today() + timedelta(days=1)
