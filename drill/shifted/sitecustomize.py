"""Shifts the clock of every Python process that has this folder in PYTHONPATH.

By how many seconds stands in the file that DRILL_CLOCK names, as one number of 8 bytes, read at
each look at the clock; DRILL_CLOCK_SKEW adds what this one process's clock is wrong by.
time.monotonic is left alone, as it is when an operator sets a machine's clock.
"""

from __future__ import annotations

import mmap
import os
import struct
import sys
from pathlib import Path

NANOSECONDS = 1_000_000_000


def shift_the_clock(file: Path, skew: float) -> None:
    # time_machine would import pytest into every process, if it could.
    sys.modules["pytest"] = None  # type: ignore[assignment]
    import time_machine  # noqa: PLC0415
    from _time_machine import original_time_ns  # noqa: PLC0415

    del sys.modules["pytest"]
    with file.open("rb") as opened:
        seconds = mmap.mmap(opened.fileno(), 8, access=mmap.ACCESS_READ)

    class Shifted(time_machine.Traveller):
        """Where time_machine asks what time it is."""

        def time_ns(self) -> int:
            shift: float = struct.unpack("<d", seconds[:8])[0] + skew
            return int(original_time_ns() + shift * NANOSECONDS)

    time_machine.travel(0).start()
    time_machine.traveller_stack[:] = [Shifted(0, None, tick=True)]


if os.environ.get("DRILL_CLOCK"):
    shift_the_clock(Path(os.environ["DRILL_CLOCK"]), float(os.environ.get("DRILL_CLOCK_SKEW") or 0))
