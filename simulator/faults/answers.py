"""Error answers, in the bodies Django Ninja, a proxy or a load balancer would give."""

from __future__ import annotations

import json
from typing import Any

from flask import Response

_DETAILS: dict[int, Any] = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    409: "Conflict",
    422: [{"type": "value_error", "loc": ["body", "payload"], "msg": "Value error, not possible"}],
    429: "Too many requests.",
}
_HTML = "<!doctype html><html><head><title>{0}</title></head><body><h1>{0}</h1></body></html>"


def json_response(body: Any, status: int = 200) -> Response:
    """Return a JSON response without the cost of Flask's pretty printing."""
    return Response(
        json.dumps(body, separators=(",", ":")), status=status, mimetype="application/json"
    )


def error_answer(name: str, endpoint: str, params: dict[str, Any]) -> Response:
    """Return the answer for one of the http_* faults."""
    status = int(name.split("_")[1])
    if status == 503:
        return Response("upstream unavailable\n", status=503, mimetype="text/plain")
    if status >= 500:
        title = "Server Error (500)" if status == 500 else "502 Bad Gateway"
        return Response(_HTML.format(title), status=status, mimetype="text/html")
    detail = "That is not possible." if name == "http_422_text" else _DETAILS[status]
    body = {"detail": detail}
    if endpoint == "token" and status in (400, 401):
        body = {"error": "invalid_client" if status == 401 else "invalid_request"}
    response = json_response(body, status)
    if name == "http_429_retry_after":
        response.headers["Retry-After"] = str(params["seconds"])
    return response


def html_page() -> Response:
    """Return a page where JSON was expected, as a captive or maintenance proxy does."""
    return Response(_HTML.format("Maintenance"), status=200, mimetype="text/html")
