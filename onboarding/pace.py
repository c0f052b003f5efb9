"""At most so many calls to Podero in each second of the clock, over all processes.

Each second has a counter that a call adds itself to: in Redis for many machines, in a locked file
for one. A process that cannot reach the counter keeps the ceiling by itself.
"""

from __future__ import annotations

import fcntl
import logging
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from django.core.cache import cache as shared_cache

from onboarding import podero

logger = logging.getLogger(__name__)

# A customer rather sees a page that says so than waits longer for a turn.
LONGEST_WAIT_SECONDS = 2.0
# What is further ahead was counted before the clock was set back.
LATE_SECONDS = 5


class Counter(Protocol):
    """Counts calls by the second."""

    def add_to(self, second: int) -> int:
        """Add one; returns which number it is in that second. Raises OSError."""


class CounterInCache:
    """For many machines: the cache adds up at one place."""

    def add_to(self, second: int) -> int:
        key = f"podero-calls:{second}"
        shared_cache.add(key, 0, timeout=10)
        try:
            return shared_cache.incr(key)
        except ValueError as error:
            raise OSError("the cache keeps nothing") from error


class CounterInFile:
    """For one machine: the lock of a file makes processes take turns, for microseconds."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add_to(self, second: int) -> int:
        with self._path.open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            then, _, count = file.read(64).partition(" ")
            is_kept = then.isdecimal() and count.isdecimal()
            second, number = _one_more((int(then), int(count)) if is_kept else (0, 0), second)
            file.truncate(0)
            file.write(f"{second} {number}")
        return number


class CounterInMemory:
    """For one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept = (0, 0)

    def add_to(self, second: int) -> int:
        with self._lock:
            self._kept = _one_more(self._kept, second)
            return self._kept[1]


def _one_more(kept: tuple[int, int], second: int) -> tuple[int, int]:
    """The second and its number of calls after one more. Who looked at the clock before the second
    that is counted began, and comes late, counts to that."""
    then, number = kept
    return (then, number + 1) if second <= then <= second + LATE_SECONDS else (second, 1)


class Pace:
    """Keeps to a ceiling of calls per second."""

    def __init__(
        self,
        *,
        calls_per_second: int,
        counter: Counter,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._ceiling = calls_per_second
        self._counter = counter
        self._own = CounterInMemory()
        self._clock = clock
        self._sleep = sleep

    def take(self, *, wait_seconds: float) -> None:
        """Wait for a turn, but not for long. Raises podero.HeldBack when there is none in time."""
        # Counted by the waits, not by the clock, which may be set back meanwhile.
        left = min(wait_seconds, LONGEST_WAIT_SECONDS)
        while self._number_in(int(self._clock())) > self._ceiling:
            now = self._clock()
            # Those who wait for the same second do not all rush at its beginning.
            wait = int(now) + 1 + random.uniform(0, 0.2) - now  # noqa: S311
            if wait > left:
                raise podero.HeldBack(podero.Code.PACED, max(wait, 1))
            self._sleep(wait)
            left -= wait

    def _number_in(self, second: int) -> int:
        try:
            return self._counter.add_to(second)
        except OSError as error:
            logger.warning(
                "Calls are counted by this process alone", extra={"reason": type(error).__name__}
            )
            return self._own.add_to(second)
