"""What every request passes: name, latency, faults, journal."""

from __future__ import annotations

import time
from typing import Any

from flask import Flask, Response, g, request

from simulator.clock import timestamp
from simulator.faults.catalogue import HOSTED_FORM
from simulator.faults.delivery import SILENT, instead, spoil
from simulator.runtime import simulator

# Blueprints whose requests are part of the stand-in; control and static files are not.
SERVED = ("api", "hosted")


def install(app: Flask) -> None:
    """Put the gate in front of every request."""
    app.before_request(enter)
    app.after_request(leave)


def enter() -> Response | None:
    """Name the request, wait as told, and answer at once when a fault says so."""
    if _is_unserved():
        return None
    running = simulator()
    g.started = time.monotonic()
    g.endpoint = _endpoint_name()
    g.fault = None
    latency = running.settings.latency_ms
    if latency:
        time.sleep(latency / 1000)
    g.fault = running.faults.take(g.endpoint, "before", "after")
    if g.fault is None or g.fault.phase != "before":
        return None
    return instead(g.fault, g.endpoint, running.faults.released, running.settings.duplicate_status)


def leave(response: Response) -> Response:
    """Write the request down, and spoil its answer when a fault says so."""
    if "endpoint" not in g:
        return response
    running = simulator()
    armed = g.fault
    real_status = response.status_code
    if armed is not None and armed.phase == "after":
        response = spoil(armed, g.endpoint, running.faults.released, response)
    entry: dict[str, Any] = {
        "time": timestamp(),
        "method": request.method,
        "path": request.path,
        "endpoint": g.endpoint,
        "status": response.status_code,
        "fields": _field_names(),
        "query": sorted(request.args),
        "request_id": request.headers.get("X-Request-ID"),
        "milliseconds": round((time.monotonic() - g.started) * 1000, 2),
    }
    if armed is not None:
        entry["fault"] = armed.kind.name
        if armed.kind.name in SILENT:
            entry["status"] = None
        if armed.phase == "after":
            entry["status_before_fault"] = real_status
    running.journal.add(entry)
    return response


def _is_unserved() -> bool:
    if request.endpoint is None:
        return not request.path.startswith(("/api/", "/oauth2/"))
    return request.blueprint not in SERVED


def _endpoint_name() -> str:
    if request.endpoint is None:
        return "unknown"
    if request.blueprint == "hosted":
        return HOSTED_FORM
    return request.endpoint.removeprefix("api.").removesuffix("_cancel")


def _field_names() -> list[str]:
    if not request.content_length:
        return []
    if request.mimetype == "application/x-www-form-urlencoded":
        return sorted(request.form)
    body = request.get_json(force=True, silent=True)
    return sorted(body) if isinstance(body, dict) else []
