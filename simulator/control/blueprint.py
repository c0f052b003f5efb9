"""The control routes' blueprint and what reads their bodies."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request

from simulator.faults.answers import json_response

control = Blueprint("control", __name__)


class UnableToControl(ValueError):
    """A control request that makes no sense."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


@control.errorhandler(UnableToControl)
def refuse(error: UnableToControl) -> Response:
    """Say what is wrong with the request."""
    return json_response({"error": str(error)}, error.status)


def read_object() -> dict[str, Any]:
    """Return the JSON object of the request; nothing counts as an empty one."""
    if not request.get_data().strip():
        return {}
    body = request.get_json(force=True, silent=True)
    if not isinstance(body, dict):
        raise UnableToControl("expected a JSON object")
    return body
