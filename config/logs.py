"""What reaches a log: attempt references and codes, never keys or people."""

from __future__ import annotations

import logging
import re

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


class KeysOut(logging.Filter):
    """Drop the request object, which drags addresses and cookies along."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.__dict__.pop("request", None)
        return True


class LineFormatter(logging.Formatter):
    """One line with our own fields behind the message, keys replaced, tracebacks included."""

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        fields = " ".join(
            f"{name}={record.__dict__[name]}" for name in _OWN_FIELDS if name in record.__dict__
        )
        return without_keys(f"{line} {fields}".rstrip())
