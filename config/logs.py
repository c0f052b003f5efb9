"""What reaches a log: attempt references and codes, never keys or people.

Two shapes: JSON lines for machines, plain lines for people (LOG_FORMAT). In both a record is told
from another one by us alone: whatever a stranger sends stays inside its value.
"""

from __future__ import annotations

import copy
import logging
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django_guid import get_guid
from pythonjsonlogger.json import JsonFormatter

from onboarding import log_context

# A return token and one that stops reminders stand in a path, a hand-off token in a query; none may
# outlive its use.
_KEY_PATTERNS = (
    (re.compile(r"(/optimize/(?:return|devices/return|reminders)/)[^/\s?\"']+"), r"\1[key]"),
    (re.compile(r"(onboarding_session_id=)[^&\s\"']+"), r"\1[key]"),
    (re.compile(r"((?:token|secret)=)[^&\s\"']+"), r"\1[key]"),
    (re.compile(r"(Bearer |Basic )[A-Za-z0-9._~+/=-]+"), r"\1[key]"),
    # Bounded, since a long text without an @ would be gone through for each of its characters.
    (re.compile(r"[^\s@\"'<(=]{1,64}@[^\s@\"'>)]{1,255}\.[A-Za-z]{2,}"), "[e-mail]"),
    # PostgreSQL quotes the offending row in an error's detail.
    (re.compile(r"(?m)^DETAIL:.*$"), "DETAIL: [left out]"),
    (re.compile(r"\beyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"), "[key]"),
)
# What a terminal obeys, and what makes one line look like two or read backwards.
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_OWN_FIELDS = (
    "request_id",
    "attempt",
    "support_code",
    "consent",
    "mail",
    "device",
    "customer",
    "reconnection",
    "state",
    "failure_code",
    "endpoint",
    "outcome",
    "status",
    "seconds",
    "task",
    "counts",
    "reason",
)


def without_keys(text: str) -> str:
    for pattern, replacement in _KEY_PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def on_one_line(text: str) -> str:
    """Write out what would end the line or be obeyed by a terminal."""
    return _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


class KeysOut(logging.Filter):
    """Drop the request object, which drags addresses and cookies along."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.__dict__.pop("request", None)
        return True


def own_fields(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record's fields of ours, with the request and the attempt that it belongs to."""
    error = (record.get("exc_info") or (None, None))[1]
    about = {**log_context.subject_of(error), **log_context.subject()}
    given: dict[str, Any] = {"request_id": get_guid(), **about, **record}
    shown = given.get("reconnection") or given.get("attempt")
    if shown is not None:
        # What customers read out on the phone; see the `support_code` of either.
        given["support_code"] = str(shown)[:8].upper()
    return {name: given[name] for name in _OWN_FIELDS if given.get(name) is not None}


class LineFormatter(logging.Formatter):
    """One line with our own fields behind the message, keys replaced, tracebacks indented."""

    def format(self, record: logging.LogRecord) -> str:
        # Another handler may have left its own text of the traceback, with everything in it.
        record = copy.copy(record)
        record.exc_text = None
        return super().format(record)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  (logging's name)
        fields = " ".join(f"{name}={value}" for name, value in own_fields(record.__dict__).items())
        return on_one_line(without_keys(f"{super().formatMessage(record)} {fields}".rstrip()))

    def formatException(self, ei: Any) -> str:  # noqa: N802
        lines = without_keys(super().formatException(ei)).split("\n")
        return "\n".join(f"    {on_one_line(line)}" for line in lines)

    def formatStack(self, stack_info: str) -> str:  # noqa: N802
        lines = without_keys(stack_info).split("\n")
        return "\n".join(f"    {on_one_line(line)}" for line in lines)


class JsonLines(JsonFormatter):
    """One JSON object in one line, with the same fields, and nothing else that a record carries."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **own_fields(record.__dict__),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            line["stack"] = record.stack_info
        return self.jsonify_log_record({name: _clean(value) for name, value in line.items()})


def _clean(value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {_clean_text(name): _clean(each) for name, each in value.items()}
    return _clean_text(value)


def _clean_text(value: object) -> str:
    return without_keys(str(value))


def formatter(kind: str) -> dict[str, Any]:
    """The formatter of a logging configuration, by LOG_FORMAT."""
    if kind == "json":
        return {"()": "config.logs.JsonLines"}
    return {
        "()": "config.logs.LineFormatter",
        "format": "{asctime} {levelname} {name} {message}",
        "style": "{",
    }
