"""Faults below HTTP: hanging, resetting and dripping. The gunicorn socket is needed for them."""

from __future__ import annotations

import errno
import select
import socket
import struct
import time
from collections.abc import Callable, Iterator
from threading import Event

LINGER_NOTHING = struct.pack("ii", 1, 0)
SLICE_SECONDS = 0.1


def hang(connection: socket.socket | None, seconds: float, released: Event) -> None:
    """Wait so long, or until the client has gone or the hanging requests are released."""
    ends_at = time.monotonic() + seconds
    poll = None
    gone = getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR
    if connection is not None:
        poll = select.poll()
        poll.register(connection, gone)
    while not released.is_set():
        left = ends_at - time.monotonic()
        if left <= 0:
            return
        if poll is None:
            released.wait(min(left, SLICE_SECONDS))
        elif poll.poll(min(left, SLICE_SECONDS) * 1000):
            return


class Silence(Iterator[bytes]):
    """A response body that never comes: does something, then ends the connection."""

    def __init__(self, what: str, act: Callable[[], None]) -> None:
        self._what = what
        self._act = act

    def __next__(self) -> bytes:
        """Do it. gunicorn takes the error as the client's and stays silent."""
        self._act()
        raise ConnectionResetError(errno.ECONNRESET, self._what)


def reset(connection: socket.socket | None) -> Silence:
    """Send a TCP reset instead of an answer."""

    def act() -> None:
        if connection is not None:
            # Closing with a linger time of zero makes the kernel send RST rather than FIN.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOTHING)
            connection.close()

    return Silence("reset on purpose", act)


def hang_then_close(connection: socket.socket | None, seconds: float, released: Event) -> Silence:
    """Wait, then end without any answer."""
    return Silence("closed on purpose", lambda: hang(connection, seconds, released))


def hang_then_send(
    connection: socket.socket | None, seconds: float, released: Event, body: bytes
) -> Iterator[bytes]:
    """Wait, then answer as if nothing had been."""
    hang(connection, seconds, released)
    yield body


def drip(
    connection: socket.socket | None, seconds: float, released: Event, pieces: list[bytes]
) -> Iterator[bytes]:
    """Send the body piece by piece over so many seconds."""
    for piece in pieces:
        yield piece
        hang(connection, seconds / len(pieces), released)
