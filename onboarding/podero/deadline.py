"""How much time is left, for everything that may wait on Podero.

requests and urllib3 know timeouts per connect and per read only, so a host that sends one byte
a second could hold a thread for ever. The end of a call is therefore kept beside the call, per
thread, and every wait asks for what is left of it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Limits in seconds.

    connect_seconds: for each of TCP and TLS. read_seconds: between two arrivals of bytes.
    total_seconds: for one whole call, with its token, its one renewal and the reading of the body.
    Name resolution cannot be interrupted: the resolver's own limits (resolv.conf) apply to it.
    """

    connect_seconds: float = 3.05
    read_seconds: float = 6
    total_seconds: float = 8


_ends_at: ContextVar[float | None] = ContextVar("podero_deadline", default=None)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Let no call inside this block wait longer; nested blocks can only shorten.

    Calls that find no time left raise `Unavailable` with code "timeout".
    """
    ends_at = time.monotonic() + seconds
    outer = _ends_at.get()
    reset = _ends_at.set(ends_at if outer is None else min(ends_at, outer))
    try:
        yield
    finally:
        _ends_at.reset(reset)


def seconds_left(limit: float) -> float:
    """Return the time left, at most `limit`.

    Raises TimeoutError when nothing is left.
    """
    ends_at = _ends_at.get()
    if ends_at is None:
        return limit
    left = ends_at - time.monotonic()
    if left <= 0:
        raise TimeoutError("deadline passed")
    return min(limit, left)


def remaining() -> float:
    """The seconds until the end of the surrounding block; infinite without one, not above 0 after it."""
    ends_at = _ends_at.get()
    return math.inf if ends_at is None else ends_at - time.monotonic()
