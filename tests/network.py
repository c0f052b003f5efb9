"""Keeps the test process on this machine: any other address is refused before it is tried."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

_connect = socket.socket.connect
_connect_ex = socket.socket.connect_ex
_sendto = socket.socket.sendto
_getaddrinfo = socket.getaddrinfo


class LeftThisMachine(Exception):
    """A test tried to reach another machine. No OSError, so that no code can swallow it."""


def allow_only_this_machine() -> None:
    """Refuse connections and look-ups that leave this machine, for the rest of the process."""
    socket.socket.connect = _guarded_connect  # type: ignore[method-assign, assignment]
    socket.socket.connect_ex = _guarded_connect_ex  # type: ignore[method-assign, assignment]
    socket.socket.sendto = _guarded_sendto  # type: ignore[method-assign, assignment]
    socket.getaddrinfo = _guarded_getaddrinfo


def _is_here(host: object) -> bool:
    if host in {None, "", "localhost", "0.0.0.0", b"localhost"}:  # noqa: S104
        return True
    try:
        return ipaddress.ip_address(str(host)).is_loopback
    except ValueError:
        return False


def _check(sock: socket.socket, address: Any) -> None:
    if sock.family in {socket.AF_INET, socket.AF_INET6} and not _is_here(address[0]):
        raise LeftThisMachine(f"tests stay on this machine, but this one calls {address[0]}")


def _guarded_connect(self: socket.socket, address: Any) -> None:
    _check(self, address)
    _connect(self, address)


def _guarded_connect_ex(self: socket.socket, address: Any) -> int:
    _check(self, address)
    return _connect_ex(self, address)


def _guarded_sendto(self: socket.socket, data: Any, *rest: Any) -> int:
    _check(self, rest[-1])
    return _sendto(self, data, *rest)


def _guarded_getaddrinfo(host: Any, *rest: Any, **options: Any) -> Any:
    if not _is_here(host):
        raise LeftThisMachine(f"tests stay on this machine, but this one looks up {host}")
    return _getaddrinfo(host, *rest, **options)
