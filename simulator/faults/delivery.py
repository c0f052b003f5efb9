"""Turns a fault that struck into what the client sees."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from threading import Event
from typing import Any

from flask import Response, request

from simulator.api.errors import duplicate_answer
from simulator.faults import wire
from simulator.faults.answers import error_answer, html_page, json_response
from simulator.faults.book import Armed
from simulator.faults.tampering import TAMPERING, tamper

SILENT = ("timeout_before", "reset_before", "reset_after")


def instead(armed: Armed, endpoint: str, released: Event, duplicate_status: int) -> Response:
    """Return the answer to a request that must have no effect."""
    name = armed.kind.name
    if name == "timeout_before":
        return _stream(wire.hang_then_close(_socket(), float(armed.params["seconds"]), released))
    if name == "reset_before":
        return _stream(wire.reset(_socket()))
    if name == "redirect":
        return Response(status=302, headers={"Location": armed.params["url"]})
    if name == "duplicate":
        return duplicate_answer(armed.params["field"], duplicate_status)
    return error_answer(name, endpoint, armed.params)


def spoil(armed: Armed, endpoint: str, released: Event, response: Response) -> Response:
    """Return what becomes of the answer to a request that took effect."""
    name, params = armed.kind.name, armed.params
    if name in TAMPERING:
        return _tampered(armed, endpoint, response)
    if name in _SPOILERS:
        return _SPOILERS[name](params, released, response)
    return error_answer(name, endpoint, params)


def _timeout_after(params: dict[str, Any], released: Event, response: Response) -> Response:
    body = response.get_data()
    late = wire.hang_then_send(_socket(), float(params["seconds"]), released, body)
    return _stream(late, like=response)


def _reset_after(_params: dict[str, Any], _released: Event, _response: Response) -> Response:
    return _stream(wire.reset(_socket()))


def _drip(params: dict[str, Any], released: Event, response: Response) -> Response:
    body = response.get_data()
    size = max(1, -(-len(body) // max(1, int(params["pieces"]))))
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    slow = wire.drip(_socket(), float(params["seconds"]), released, pieces)
    return _stream(slow, like=response)


def _not_json(_params: dict[str, Any], _released: Event, _response: Response) -> Response:
    return html_page()


def _empty(_params: dict[str, Any], _released: Event, _response: Response) -> Response:
    return Response(b"", status=200, mimetype="application/json")


def _broken(_params: dict[str, Any], _released: Event, response: Response) -> Response:
    body = response.get_data() or b'{"id": "'
    return Response(body[: max(1, len(body) // 2)], status=200, mimetype="application/json")


_SPOILERS: dict[str, Callable[[dict[str, Any], Event, Response], Response]] = {
    "timeout_after": _timeout_after,
    "reset_after": _reset_after,
    "drip": _drip,
    "not_json_html": _not_json,
    "empty_body": _empty,
    "broken_json": _broken,
}


def _tampered(armed: Armed, endpoint: str, response: Response) -> Response:
    if not response.is_json:
        if armed.kind.name == "huge_body":
            return json_response({"padding": "x" * int(armed.params["bytes"])})
        return response
    body = tamper(armed.kind.name, endpoint, armed.params, json.loads(response.get_data()))
    return json_response(body, response.status_code)


def _stream(pieces: Iterator[bytes], like: Response | None = None) -> Response:
    if like is None:
        return Response(pieces)
    headers = like.headers.copy()
    headers["Content-Length"] = str(len(like.get_data()))
    return Response(pieces, status=like.status_code, headers=headers)


def _socket() -> socket.socket | None:
    connection: socket.socket | None = request.environ.get("gunicorn.socket")
    return connection
