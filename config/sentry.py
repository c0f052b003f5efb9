"""Sentry, told what broke and where in the code, and nothing about whom it broke for."""

from __future__ import annotations

import logging
from typing import Any, Final

import sentry_sdk
from sentry_sdk.integrations.atexit import AtexitIntegration
from sentry_sdk.integrations.celery import CeleryIntegration
from sentry_sdk.integrations.django import DjangoIntegration
from sentry_sdk.integrations.logging import LoggingIntegration
from sentry_sdk.scrubber import EventScrubber
from sentry_sdk.types import Event, Hint

from config.logs import on_one_line, own_fields, without_keys

# All that an event may keep; what is not named here is left out, also what a newer SDK adds.
_KEPT: Final = (
    "event_id", "timestamp", "level", "platform", "logger", "release", "environment",
    "transaction", "transaction_info", "fingerprint", "sdk", "exception", "logentry", "tags",
    "type",
)  # fmt: skip
_KEPT_OF_FRAME: Final = ("filename", "module", "function", "lineno", "in_app")
# Ours to name things by; see `_OWN_FIELDS` in logs.py.
_KEPT_TAGS: Final = ("request_id", "attempt", "support_code", "endpoint", "failure_code", "task")


def start(dsn: str, *, site: str, transport: Any = None) -> None:
    """Report unhandled errors, and what is logged as an error, from web and worker."""
    sentry_sdk.init(
        dsn=dsn,
        environment=site,
        transport=transport,
        # `send_default_pii` is off unless it is set, and setting it at all is deprecated.
        include_local_variables=False,
        include_source_context=False,
        max_request_body_size="never",
        max_breadcrumbs=0,
        traces_sample_rate=None,
        auto_session_tracking=False,
        server_name="",
        default_integrations=False,
        integrations=[
            AtexitIntegration(callback=lambda _pending, _timeout: None),
            DjangoIntegration(middleware_spans=False, signals_spans=False),
            CeleryIntegration(monitor_beat_tasks=False),
            LoggingIntegration(level=None, event_level=logging.ERROR),
        ],
        event_scrubber=EventScrubber(recursive=True),
        before_send=scrubbed,
    )


def scrubbed(event: Event, hint: Hint) -> Event:
    """The event with code and codes only.

    Even the text of an exception is somebody else's: a database quotes rows in it, a parser what
    it was given. Its class and where it was raised say what is to be known.
    """
    kept: dict[str, Any] = {name: event[name] for name in _KEPT if name in event}
    kept["exception"] = {
        "values": [
            {
                "type": error.get("type"),
                "module": error.get("module"),
                "mechanism": {"type": "generic", "handled": False},
                "stacktrace": {"frames": _frames(error)},
            }
            for error in (event.get("exception") or {}).get("values") or []
        ]
    }
    record = hint.get("log_record")
    kept["logentry"] = {"message": on_one_line(without_keys(record.msg))} if record else None
    kept["tags"] = _tags(record, hint)
    kept["transaction"] = without_keys(event.get("transaction") or "")
    return {name: value for name, value in kept.items() if value}  # type: ignore[return-value]


def _frames(error: dict[str, Any]) -> list[dict[str, Any]]:
    frames = (error.get("stacktrace") or {}).get("frames") or []
    return [{name: frame.get(name) for name in _KEPT_OF_FRAME} for frame in frames]


def _tags(record: Any, hint: Hint) -> dict[str, str]:
    told = record.__dict__ if record is not None else {"exc_info": hint.get("exc_info")}
    fields = own_fields(told)
    return {name: str(fields[name]) for name in _KEPT_TAGS if name in fields}
