"""Checks of request bodies and queries, strict about unknown fields.

Podero's own tolerance for unknown fields is not documented. Refusing them shows a client that
sends a field by a wrong name, which a tolerant stand-in would hide.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from flask import request

from simulator.api.errors import ApiError, SchemaError
from simulator.vocabulary import URL_MAX_LENGTH

EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
TIME_OF_DAY = re.compile(r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?")
TRUE = ("true", "1", "yes", "on")
FALSE = ("false", "0", "no", "off")

Check = Callable[[Any], Any]


class Unacceptable(Exception):
    """A value that does not fit, with the error type Pydantic would name."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


@dataclass(frozen=True)
class Field:
    """How one field of a body is checked."""

    check: Check
    is_required: bool = False
    is_nullable: bool = False


Schema = Mapping[str, Field]


def read_body(schema: Schema) -> dict[str, Any]:
    """Return the checked fields that were sent.

    Raises ApiError 400 for what is not JSON, SchemaError for what breaks the schema.
    """
    raw = request.get_data()
    if len(raw) < (request.content_length or 0):
        # The client was killed while it sent; nobody reads what it is told.
        raise ApiError(400, {"detail": "Incomplete request body"})
    body = request.get_json(force=True, silent=True) if raw.strip() else {}
    if body is None and raw.strip() != b"null":
        raise ApiError(400, {"detail": "Cannot parse request body"})
    if not isinstance(body, dict):
        raise SchemaError([_problem((), "dict_type", "Input should be a valid dictionary")])
    problems = [
        _problem((name,), "missing", "Field required")
        for name, field in schema.items()
        if field.is_required and name not in body
    ]
    values: dict[str, Any] = {}
    for name, value in body.items():
        field = schema.get(name)
        if field is None:
            message = "Extra inputs are not permitted"
            problems.append(_problem((name,), "extra_forbidden", message))
            continue
        if value is None and field.is_nullable:
            values[name] = None
            continue
        try:
            values[name] = field.check(value)
        except Unacceptable as error:
            problems.append(_problem((name,), error.kind, error.message))
    if problems:
        raise SchemaError(problems)
    return values


def _problem(path: tuple[str, ...], kind: str, message: str) -> dict[str, Any]:
    return {"type": kind, "loc": ["body", "payload", *path], "msg": message}


def query_problem(name: str, kind: str, message: str) -> SchemaError:
    """Return the error for a query parameter."""
    return SchemaError([{"type": kind, "loc": ["query", name], "msg": message}])


def query_flag(name: str) -> bool:
    """Return an optional boolean of the query, false by default."""
    value = request.args.get(name, "false").lower()
    if value not in TRUE + FALSE:
        raise query_problem(name, "bool_parsing", "Input should be a valid boolean")
    return value in TRUE


def text(max_length: int = 255) -> Check:
    """Return a check for a string up to that length."""

    def check(value: Any) -> str:
        if not isinstance(value, str):
            raise Unacceptable("string_type", "Input should be a valid string")
        if len(value) > max_length:
            message = f"String should have at most {max_length} characters"
            raise Unacceptable("string_too_long", message)
        return value

    return check


def one_of(choices: tuple[str, ...]) -> Check:
    """Return a check for one of these strings."""

    def check(value: Any) -> str:
        if not isinstance(value, str) or value not in choices:
            expected = ", ".join(f"'{choice}'" for choice in choices)
            raise Unacceptable("enum", f"Input should be {expected}")
        return value

    return check


def number(low: float | None = None, high: float | None = None) -> Check:
    """Return a check for a number within bounds."""

    def check(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Unacceptable("float_type", "Input should be a valid number")
        if low is not None and value < low:
            raise Unacceptable("greater_than_equal", f"Input should be {low} or more")
        if high is not None and value > high:
            raise Unacceptable("less_than_equal", f"Input should be {high} or less")
        return value

    return check


def flag(value: Any) -> bool:
    """Accept true and false only, not words for them."""
    if not isinstance(value, bool):
        raise Unacceptable("bool_type", "Input should be a valid boolean")
    return value


def anything(value: Any) -> Any:
    """Accept whatever comes."""
    return value


def mapping(value: Any) -> dict[str, Any]:
    """Accept a JSON object."""
    if not isinstance(value, dict):
        raise Unacceptable("dict_type", "Input should be a valid dictionary")
    return value


def identifier(value: Any) -> str:
    """Accept a UUID, in the hyphenated form the API uses."""
    try:
        return str(uuid.UUID(value))
    except (ValueError, AttributeError, TypeError) as error:
        raise Unacceptable("uuid_parsing", "Input should be a valid UUID") from error


def email(value: Any) -> str:
    """Accept what looks like an e-mail address."""
    checked: str = text(254)(value)
    if not EMAIL.fullmatch(checked):
        raise Unacceptable("value_error", "value is not a valid email address")
    return checked


def web_address(value: Any) -> str:
    """Accept an absolute http(s) address of bounded length."""
    checked: str = text(URL_MAX_LENGTH)(value)
    try:
        parts = urlsplit(checked)
        is_usable = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        is_usable = False
    if not is_usable or re.search(r"\s", checked):
        raise Unacceptable("url_parsing", "Input should be a valid URL")
    return checked


def zip_code(value: Any) -> str:
    """Accept a string or an integer: the documentation shows both."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    checked: str = text(20)(value)
    return checked


def moment(value: Any) -> str:
    """Accept a date and time in ISO 8601."""
    checked: str = text(40)(value)
    try:
        datetime.fromisoformat(checked)
    except ValueError as error:
        raise Unacceptable("datetime_parsing", "Input should be a valid datetime") from error
    return checked


def time_of_day_or_moment(value: Any) -> str:
    """Accept `HH:MM` (the guide) or a date and time (the wallbox reference)."""
    checked: str = text(40)(value)
    return checked if TIME_OF_DAY.fullmatch(checked) else moment(checked)
