"""Plays many customers' stories at once, with few threads: who waits holds none."""

from __future__ import annotations

import heapq
import itertools
import random
import threading
import time
from collections.abc import Callable

from drill.customers import NEXT_DAY, Customer, GaveUp, Waits, World
from drill.plan import Plan


class Fleet:
    """All customers of a plan. `days` tells how many days the clock has been moved on so far."""

    def __init__(
        self, plan: Plan, world: World, *, days: Callable[[], int], threads: int = 16
    ) -> None:
        self.plan = plan
        self.world = world
        self.errors: list[str] = []
        """Stories that broke off by the drill's own fault."""
        self._days = days
        self._turn = itertools.count()
        self._due: list[tuple[float, int, Customer, Waits]] = []
        self._sleeping: list[tuple[int, Customer, Waits]] = []
        self._busy = 0
        self._is_open = True
        self._changed = threading.Condition()
        self._threads = [
            threading.Thread(target=self._work, name=f"customers-{number}", daemon=True)
            for number in range(threads)
        ]

    def start(self) -> None:
        began = time.monotonic()
        for arrival in self.plan.arrivals:
            person = self.world.new_person(arrival.story.__name__)
            customer = Customer(self.world, person, random.Random(arrival.seed))
            self._put(began + arrival.at, customer, arrival.story(customer))
        for thread in self._threads:
            thread.start()

    def finish(self, *, deadline: float, next_day: Callable[[], None]) -> int:
        """Wait until all stories are told, or until `deadline`; how many were not begun or ended.

        When all who are left sleep, the next day comes.
        """
        while time.monotonic() < deadline:
            with self._changed:
                is_quiet = not self._due and not self._busy
                if is_quiet and not self._sleeping:
                    break
            if is_quiet:
                next_day()
            time.sleep(0.2)
        with self._changed:
            self._is_open = False
            left = len(self._due) + len(self._sleeping)
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()
        return left

    def _put(self, at: float, customer: Customer, story: Waits) -> None:
        heapq.heappush(self._due, (at, next(self._turn), customer, story))

    def _wake_who_slept_long_enough(self) -> None:
        today = self._days()
        # Who has slept for longest comes first.
        if not self._sleeping or self._sleeping[0][0] >= today:
            return
        awake = [entry for entry in self._sleeping if entry[0] < today]
        self._sleeping = [entry for entry in self._sleeping if entry[0] >= today]
        for _day, customer, story in awake:
            # Not all at the same breakfast.
            at = time.monotonic() + customer.rng.uniform(0, 5)
            heapq.heappush(self._due, (at, next(self._turn), customer, story))

    def _work(self) -> None:
        while True:
            with self._changed:
                self._wake_who_slept_long_enough()
                wait = self._due[0][0] - time.monotonic() if self._due else 0.5
                if not self._is_open:
                    return
                if wait > 0:
                    self._changed.wait(min(wait, 0.5))
                    continue
                _at, _turn, customer, story = heapq.heappop(self._due)
                self._busy += 1
            pause = self._go_on(customer, story)
            with self._changed:
                self._busy -= 1
                if pause == NEXT_DAY:
                    self._sleeping.append((self._days(), customer, story))
                elif pause is not None:
                    self._put(time.monotonic() + pause, customer, story)

    def _go_on(self, customer: Customer, story: Waits) -> float | None:
        """Play a story to its next pause; None when it is over."""
        try:
            pause = next(story)
        except StopIteration:
            pause = None
        except GaveUp:
            pause = None
        except Exception as error:  # noqa: BLE001  (whatever it is, it must not pass unseen)
            self.errors.append(f"{customer.person.story}: {error!r}")
            pause = None
        if pause is None or pause == NEXT_DAY or pause > 1.0:
            customer.hang_up()
        return pause
