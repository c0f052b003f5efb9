"""Tolerant reading of single values: a wrong type or a null is the default, never an exception."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Final
from uuid import UUID

MAX_TEXT: Final = 255
MAX_FIELDS: Final = 20
_LARGEST: Final = 1e15
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_FIELD_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}", re.ASCII)
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)

Fields = Mapping[str, object]


def fields_of(value: object) -> Fields:
    """Return a JSON object's fields; none for anything else."""
    return value if isinstance(value, dict) else {}


def uuid_of(value: object) -> UUID | None:
    """Return the UUID written in its usual form of 36 characters."""
    if isinstance(value, str) and _UUID.fullmatch(value):
        return UUID(value)
    return None


def identifier_of(value: object, *, longest: int = MAX_TEXT) -> str | None:
    """Return a string exactly as it came, or None if a database could not hold it."""
    if not isinstance(value, str) or len(value) > longest:
        return None
    is_storable = not any(c == "\0" or "\ud800" <= c <= "\udfff" for c in value)
    return value if is_storable else None


def text_of(value: object, default: str = "") -> str:
    """Return a string fit for people: one line, no control characters, at most 255 long."""
    if not isinstance(value, str):
        return default
    # Cut first: what is dropped afterwards can only make it shorter.
    head = value[: 4 * MAX_TEXT]
    visible = "".join(" " if c.isspace() else c for c in head)
    kept = "".join(c for c in visible if unicodedata.category(c)[0] != "C")
    return " ".join(kept.split())[:MAX_TEXT].strip() or default


def flag_of(value: object) -> bool | None:
    """Return a JSON boolean; None for anything else, 0 and "true" included."""
    return value if isinstance(value, bool) else None


def number_of(value: object) -> float | None:
    """Return a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # Compared, not converted: JSON knows integers that no float can hold.
    return float(value) if abs(value) < _LARGEST else None


def percent_of(value: object) -> int | None:
    """Return a whole number from 0 to 100."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return round(value) if 0 <= value <= 100 else None


def date_of(value: object) -> date | None:
    """Return the date that an ISO 8601 date, or a time stamp, begins with."""
    if not isinstance(value, str):
        return None
    match = _DATE.match(value)
    try:
        return None if match is None else date.fromisoformat(match.group())
    except ValueError:
        return None


def moment_of(value: object) -> datetime | None:
    """Return an ISO 8601 time stamp in UTC; the API writes unset ones as year 0001: None."""
    if not isinstance(value, str) or not _DATE.match(value):
        return None
    try:
        moment = datetime.fromisoformat(value)
        moment = moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment if moment.year > 1 else None


def refused_fields(body: object) -> tuple[str, ...]:
    """Return the last name in each `detail[].loc` of an error body, in order, without repeats.

    `detail` may as well be a string, and other error bodies need not be JSON: then none.
    """
    detail = fields_of(body).get("detail")
    names: dict[str, None] = {}
    for entry in detail if isinstance(detail, list) else []:
        location = fields_of(entry).get("loc")
        parts = location if isinstance(location, list) else []
        strings = [part for part in parts if isinstance(part, str)]
        # A name is ours; anything else might be a value somebody typed.
        if strings and _FIELD_NAME.fullmatch(strings[-1]):
            names[strings[-1]] = None
    return tuple(names)[:MAX_FIELDS]
