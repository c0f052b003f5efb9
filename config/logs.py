"""What reaches a log: attempt references and codes, never keys or people."""

from __future__ import annotations

import logging
import re
from typing import Any

# A return token and one that stops reminders stand in a path, a hand-off token in a query; none may
# outlive its use.
_KEY_PATTERNS = (
    (re.compile(r"(/optimize/(?:return|devices/return|reminders)/)[^/\s?\"']+"), r"\1[key]"),
    (re.compile(r"(onboarding_session_id=)[^&\s\"']+"), r"\1[key]"),
    (re.compile(r"((?:token|secret)=)[^&\s\"']+"), r"\1[key]"),
    (re.compile(r"(Bearer |Basic )[A-Za-z0-9._~+/=-]+"), r"\1[key]"),
    (re.compile(r"[^\s@\"'<(=]+@[^\s@\"'>)]+\.[A-Za-z]{2,}"), "[e-mail]"),
    # PostgreSQL quotes the offending row in an error's detail.
    (re.compile(r"(?m)^DETAIL:.*$"), "DETAIL: [left out]"),
    (re.compile(r"\beyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"), "[key]"),
)
# What a terminal obeys, and what makes one line look like two or read backwards.
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_OWN_FIELDS = (
    "attempt",
    "consent",
    "mail",
    "device",
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


def in_one_line(text: str) -> str:
    """What others have sent may neither begin a line of its own nor color the screen."""
    return _CONTROLS.sub(lambda found: ascii(found[0])[1:-1], text)


class KeysOut(logging.Filter):
    """Drop the request object, which drags addresses and cookies along."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.__dict__.pop("request", None)
        return True


class LineFormatter(logging.Formatter):
    """One line with our own fields behind the message, keys replaced; tracebacks are indented."""

    def format(self, record: logging.LogRecord) -> str:
        return without_keys(super().format(record))

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  (logging's name)
        fields = " ".join(
            f"{name}={record.__dict__[name]}" for name in _OWN_FIELDS if name in record.__dict__
        )
        return in_one_line(f"{super().formatMessage(record)} {fields}".rstrip())

    def formatException(self, ei: Any) -> str:  # noqa: N802
        lines = super().formatException(ei).split("\n")
        return "\n".join(f"  {in_one_line(line)}" for line in lines)
