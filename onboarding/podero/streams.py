"""Incoming bytes, bounded in time and number.

urllib3 offers no total deadline for the reading of headers, so the one place where bytes arrive
(the raw stream under http.client's response) asks before each read how much time is left.
"""

from __future__ import annotations

import http.client
import io
import socket
from typing import Any, Final

from onboarding.podero import deadline
from onboarding.podero.retrying import ReplyTooLarge

# Bounds what no body limit sees, such as interim responses without an end.
MAX_RAW_BYTES: Final = 4 * 1024 * 1024


class BoundedStream(io.RawIOBase):
    """The incoming bytes of one response."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__()
        self._sock = sock
        # makefile() keeps the socket open for us after http.client has closed its own handle.
        self._stream = sock.makefile("rb", buffering=0)
        self._read_seconds = sock.gettimeout()
        self._bytes_left = MAX_RAW_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        limit = float("inf") if self._read_seconds is None else self._read_seconds
        seconds = deadline.seconds_left(limit)
        self._sock.settimeout(None if seconds == float("inf") else seconds)
        count = self._stream.readinto(buffer)
        self._bytes_left -= count or 0
        if self._bytes_left < 0:
            raise ReplyTooLarge("reply too large")
        return count

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
        super().close()


class BoundedResponse(http.client.HTTPResponse):
    """A response that reads from such a stream."""

    def __init__(
        self,
        sock: socket.socket,
        debuglevel: int = 0,
        method: str | None = None,
        url: str | None = None,
    ) -> None:
        super().__init__(sock, debuglevel, method, url)
        unbounded, self.fp = self.fp, io.BufferedReader(BoundedStream(sock))
        unbounded.close()
