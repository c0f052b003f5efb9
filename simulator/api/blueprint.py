"""What holds for every route of the API: bearer token, ids in the path, error answers."""

from __future__ import annotations

import hmac
import uuid

from flask import Blueprint, Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from simulator.api.errors import ApiError, SchemaError, not_found, unauthorized
from simulator.clock import timestamp
from simulator.faults.answers import json_response
from simulator.records import User
from simulator.runtime import simulator

PREFIX = "/api/partners/v2.0"
USER_PATH = f"{PREFIX}/org/<org_id>/users/<user_id>"

# The page of POST /cues/{id}/state has no authorization section: its signed secret is enough.
WITHOUT_BEARER = ("api.token", "api.cue_state")

api = Blueprint("api", __name__)


@api.before_request
def check_bearer_and_ids() -> None:
    """Refuse an unknown caller first, then ids that are none."""
    if request.endpoint not in WITHOUT_BEARER and not _has_valid_bearer():
        raise unauthorized()
    values = request.view_args or {}
    for name in values.keys() - {"collection", "external_id"}:
        try:
            values[name] = str(uuid.UUID(values[name]))
        except ValueError as error:
            message = "Input should be a valid UUID"
            problem = {"type": "uuid_parsing", "loc": ["path", name], "msg": message}
            raise SchemaError([problem]) from error
    # There is one organisation, so the views need not be told which.
    org_id = values.pop("org_id", simulator().config.org_id)
    if org_id != simulator().config.org_id:
        raise not_found()


def load_user(user_id: str, *, include_deleted: bool = False) -> User:
    """Return the user of the path, or end the request with 404."""
    user = simulator().store.find_user(user_id, include_deleted=include_deleted)
    if user is None:
        raise not_found()
    return user


def install_error_answers(app: Flask) -> None:
    """Answer errors under the API's paths in JSON."""
    app.register_error_handler(ApiError, answer_api_error)
    app.register_error_handler(HTTPException, answer_http_error)


def answer_api_error(error: ApiError) -> Response:
    """Write the error's body, and note a request that broke the schema."""
    if isinstance(error, SchemaError):
        simulator().journal.reject(
            {
                "time": timestamp(),
                "endpoint": g.get("endpoint", "unknown"),
                "method": request.method,
                "path": request.path,
                "errors": error.errors,
            }
        )
    return json_response(error.body, error.status)


def answer_http_error(error: HTTPException) -> Response | HTTPException:
    """Answer unknown paths and methods like Django Ninja, elsewhere like Flask."""
    if not request.path.startswith(("/api/", "/oauth2/")):
        return error
    status = error.code or 500
    detail = {404: "Not Found", 405: "Method not allowed"}.get(status, error.name)
    return json_response({"detail": detail}, status)


def _has_valid_bearer() -> bool:
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not token:
        return False
    running = simulator()
    fixed = running.config.fixed_token
    if fixed and hmac.compare_digest(fixed.encode(), token.encode()):
        return True
    return running.store.is_token_valid(token)
