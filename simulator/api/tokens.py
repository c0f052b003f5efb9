"""POST /oauth2/token/: client credentials, as django-oauth-toolkit answers them."""

from __future__ import annotations

import hmac

from flask import Response, request

from simulator.api.blueprint import api
from simulator.faults.answers import json_response
from simulator.runtime import simulator


@api.post("/oauth2/token/")
def token() -> Response:
    """Hand out an opaque bearer token."""
    running = simulator()
    if _grant_type(running.settings.token_body) != "client_credentials":
        return json_response({"error": "unsupported_grant_type"}, 400)
    given = request.authorization
    if given is None or given.type != "basic" or not _is_client(given.username, given.password):
        response = json_response({"error": "invalid_client"}, 401)
        response.headers["WWW-Authenticate"] = 'Bearer error="invalid_client"'
        return response
    seconds = running.settings.token_seconds
    with running.store.lock:
        access_token = running.store.issue_token(seconds)
    response = json_response(
        {
            "access_token": access_token,
            "expires_in": seconds,
            "token_type": "Bearer",
            "scope": "read write",
        }
    )
    response.headers["Cache-Control"] = "no-store"
    return response


def _grant_type(accepted_body: str) -> object:
    # The toolkit's backends read one kind of body each and see nothing in the other.
    if request.mimetype == "application/x-www-form-urlencoded":
        return request.form.get("grant_type") if accepted_body in ("form", "any") else None
    if accepted_body == "form":
        return None
    body = request.get_json(force=True, silent=True)
    return body.get("grant_type") if isinstance(body, dict) else None


def _is_client(client_id: str | None, secret: str | None) -> bool:
    config = simulator().config
    return hmac.compare_digest(
        config.client_id.encode(), (client_id or "").encode()
    ) and hmac.compare_digest(config.client_secret.encode(), (secret or "").encode())
