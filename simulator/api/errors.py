"""Error answers in the shapes of Django Ninja."""

from __future__ import annotations

from typing import Any

from flask import Response

from simulator.faults.answers import json_response


class ApiError(Exception):
    """Ends a request with a status and a JSON body."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(status)
        self.status = status
        self.body = body


class SchemaError(ApiError):
    """The request broke the schema; `errors` is the list inside `detail`."""

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        super().__init__(422, {"detail": errors})
        self.errors = errors


def unauthorized() -> ApiError:
    """Return the error for a missing, unknown or expired bearer token."""
    return ApiError(401, {"detail": "Unauthorized"})


def not_found() -> ApiError:
    """Return the error for an unknown id; somebody else's counts as unknown."""
    return ApiError(404, {"detail": "Not Found"})


def refuse_deletion(status: int) -> None:
    """End a DELETE with the refusal that the settings ask for; return when it is allowed.

    Whether a partner may delete anything is not documented, hence the switch.
    """
    if status in (200, 204):
        return
    if status == 404:
        raise not_found()
    if status == 422:
        problem = {"type": "value_error", "loc": ["path"], "msg": "Value error, not possible"}
        raise SchemaError([problem])
    details = {403: "Forbidden", 405: "Method not allowed", 409: "Conflict"}
    raise ApiError(status, {"detail": details[status]})


def duplicate_answer(field: str, status: int) -> Response:
    """Return the answer for an e-mail or external id that is already taken."""
    text = f"A user with this {field} already exists in the organization."
    if status == 422:
        problem = {"type": "value_error", "loc": ["body", "payload", field], "msg": text}
        return json_response({"detail": [problem]}, 422)
    return json_response({"detail": text}, status)
