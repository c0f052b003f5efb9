"""The drill's hand on the clock of everything it starts, and what time it was when."""

from __future__ import annotations

import struct
import time
from datetime import UTC, datetime
from pathlib import Path

# Processes are this much wrong on purpose, and look at the clock a little before they write.
TOLERANCE = 5.0
SHIFTED = Path(__file__).resolve().parent / "shifted"


class Clock:
    """A clock that can be moved. `DRILL_CLOCK` names its file to the processes that follow it."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.shift = 0.0
        # (real moment, shift in force from then on)
        self._moves: list[tuple[float, float]] = []
        file.write_bytes(struct.pack("<d", 0.0))
        self.move(0)

    def move(self, seconds: float) -> None:
        """Move it by so much; back, if negative."""
        self.shift += seconds
        self._moves.append((time.time(), self.shift))
        with self.file.open("r+b") as opened:
            opened.write(struct.pack("<d", self.shift))

    def time(self) -> float:
        """What the moved clock shows."""
        return time.time() + self.shift

    def earliest(self, shown: datetime) -> float:
        """The first real moment at which the moved clock may have shown this."""
        return min(self._real(shown))

    def latest(self, shown: datetime) -> float:
        """The last one: a clock that was put back has shown some moments twice."""
        return max(self._real(shown))

    def _real(self, shown: datetime) -> list[float]:
        stamp = shown.astimezone(UTC).timestamp()
        found = []
        ends = [began for began, _shift in self._moves[1:]] + [float("inf")]
        for (began, shift), end in zip(self._moves, ends, strict=True):
            if began - TOLERANCE <= stamp - shift <= end + TOLERANCE:
                found.append(stamp - shift)
        # Between two moves the clock has never shown it; a process that had looked before may.
        return found or [stamp - shift for began, shift in self._moves if stamp - shift >= began]

    def environment(self, skew: float = 0.0) -> dict[str, str]:
        """What a process must be told to follow it, `skew` seconds wrong."""
        return {
            "DRILL_CLOCK": str(self.file),
            "DRILL_CLOCK_SKEW": str(skew),
            "PYTHONPATH": str(SHIFTED),
        }
