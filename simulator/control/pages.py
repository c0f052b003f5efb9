"""The control page for people."""

from __future__ import annotations

import json

from flask import Response, render_template, request

from simulator.control.blueprint import UnableToControl, control
from simulator.control.interface import arm
from simulator.faults.catalogue import ENDPOINTS, FAULTS
from simulator.runtime import simulator

SHOWN = 50


@control.get("/control")
def overview() -> Response:
    """Show what the simulator holds and what is armed."""
    return _page()


@control.post("/control")
def act() -> Response:
    """Do what one of the page's forms asks, then show the page again."""
    running = simulator()
    action = request.form.get("action")
    try:
        if action == "arm":
            arm(running, _described_fault())
        elif action == "clear":
            number = request.form.get("number", type=int)
            running.faults.clear(number)
        elif action == "reset":
            running.reset()
    except UnableToControl as error:
        return _page(problem=str(error))
    return Response(status=303, headers={"Location": "/control"})


def _described_fault() -> dict[str, object]:
    form = request.form
    try:
        params = json.loads(form.get("params") or "{}")
    except ValueError as error:
        raise UnableToControl("parameters must be a JSON object") from error
    if not isinstance(params, dict):
        raise UnableToControl("parameters must be a JSON object")
    return {
        **params,
        "endpoint": form.get("endpoint", ""),
        "fault": form.get("fault", ""),
        "count": form.get("count") or 1,
    }


def _page(problem: str = "") -> Response:
    running = simulator()
    with running.store.lock:
        held = running.store.as_dict()
        sessions = [(session, session.is_expired) for session in running.store.sessions.values()]
        html = render_template(
            "control/overview.html",
            users=held["users"][-SHOWN:],
            sessions=sessions[-SHOWN:],
            devices=held["devices"][-SHOWN:],
            counts={name: len(items) for name, items in held.items()},
            settings=running.settings.as_dict(),
            faults=running.faults.as_dict(),
            log=running.journal.as_dict(last=SHOWN),
            fault_kinds=FAULTS.values(),
            endpoints=ENDPOINTS,
            problem=problem,
        )
    return Response(html, status=400 if problem else 200, mimetype="text/html")
