"""What a page's time is made of in the process that serves it, told in a header."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

from django.http import HttpRequest, HttpResponse

_SCHEDSTAT = Path("/proc/thread-self/schedstat")
_PART = re.compile(r"(\w+);dur=([\d.]+)")


def server_timing(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Add a Server-Timing header (https://www.w3.org/TR/server-timing/), in milliseconds: the
    thread at `work`, waiting for a `core`, and waiting for `others`: Python's lock and PostgreSQL.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        began, worked, waited = _now()
        response = get_response(request)
        ended, has_worked, has_waited = _now()
        work, core = has_worked - worked, has_waited - waited
        parts = {"work": work, "core": core, "others": max(ended - began - work - core, 0)}
        told = (f"{name};dur={seconds * 1000:.3f}" for name, seconds in parts.items())
        response.headers["Server-Timing"] = ", ".join(told)
        return response

    return middleware


def seconds_of(header: str) -> dict[str, float]:
    """The parts that a Server-Timing header tells of, in seconds."""
    return {name: float(milliseconds) / 1000 for name, milliseconds in _PART.findall(header)}


def _now() -> tuple[float, float, float]:
    """The clock, this thread's processor time, and its time on the list of those that could run."""
    waited = int(_SCHEDSTAT.read_text().split()[1]) / 1e9
    return time.perf_counter(), time.thread_time(), waited
