"""Before each call to Podero: is it any use, and is it our turn? One answer for all processes.

The breaker is a row (`models/breakers.py`), the ceiling of calls per second is kept in `pace.py`.
While all is well a call costs nothing here but a look at what this process read a moment ago.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import Error as DatabaseProblem
from django.utils import timezone

from onboarding import podero
from onboarding.models import Breaker
from onboarding.pace import Pace

logger = logging.getLogger(__name__)

# How old the picture of the shared row may be, and how often good calls are reported meanwhile.
FRESH_SECONDS = 1.0
# While it is shut, those who come have time to look whether it still is.
FRESH_SECONDS_WHILE_SHUT = 0.2
# When to ask again while somebody else's probe is under way.
PROBED_SECONDS = 2.0

_FAILURES = frozenset(
    {
        podero.Code.UNREACHABLE,
        podero.Code.TIMEOUT,
        podero.Code.SERVER_ERROR,
        podero.Code.RATE_LIMITED,
    }
)


@dataclass(frozen=True, slots=True)
class Ticket:
    """One call on its way. probe: what the fate of the breaker hangs on, if it does."""

    entered_at: datetime
    probe: UUID | None = None


class SharedGate:
    """The gate of all processes. lease_seconds: longer than any one call."""

    def __init__(self, *, lease_seconds: float, pace: Pace | None = None) -> None:
        self._lease_seconds = lease_seconds
        self._pace = pace
        self._lock = threading.Lock()
        self._picture: Breaker | None = None
        self._looked_at = 0.0
        self._unreported = 0
        self._reported_at = 0.0

    @property
    def is_shut(self) -> bool:
        """Whether a call would be held back; takes no probe."""
        state, now = self._state(), timezone.now()
        return state.is_open and (state.seconds_left(now=now) > 0 or state.is_probed(now=now))

    def enter(self, *, wait_seconds: float) -> Ticket:
        """Raises podero.HeldBack while the breaker is open or the ceiling is reached."""
        ticket = self._past_the_breaker()
        if self._pace is not None:
            try:
                self._pace.take(wait_seconds=wait_seconds)
            except podero.HeldBack:
                self.leave(ticket, None)
                raise
        return ticket

    def leave(self, ticket: object, outcome: podero.Outcome | None) -> None:
        """Take in what became of the call. Only bad news, and good after bad, are written down."""
        if not isinstance(ticket, Ticket):
            raise TypeError("not a ticket of this gate")
        with self._in_spite_of_the_database():
            if ticket.probe is not None:
                self._conclude(ticket.probe, outcome)
            elif outcome is not None:
                self._report(ticket, outcome)

    def forget(self) -> None:
        """Look at the shared row again before the next call."""
        with self._lock:
            self._picture = None
            self._unreported = 0

    def _past_the_breaker(self) -> Ticket:
        state, now = self._state(), timezone.now()
        if not state.is_open:
            return Ticket(now)
        is_told = state.reason == Breaker.Reason.TOLD
        code = podero.Code.PACED if is_told else podero.Code.HELD_BACK
        left = state.seconds_left(now=now)
        if left > 0:
            raise podero.HeldBack(code, left)
        probe = None
        with self._in_spite_of_the_database():
            probe = Breaker.take_probe(lease_seconds=self._lease_seconds, now=now)
        self._look_again()
        if probe is None:
            raise podero.HeldBack(code, PROBED_SECONDS)
        return Ticket(now, probe)

    def _conclude(self, probe: UUID, outcome: podero.Outcome | None) -> None:
        now = timezone.now()
        if outcome is None:
            Breaker.give_probe_back(probe)
        elif outcome.code in _FAILURES:
            at_least = outcome.retry_after_seconds or 0
            Breaker.reopen(probe, at_least_seconds=at_least, now=now)
        elif Breaker.close(probe, now=now):
            logger.warning("Breaker closed: Podero answers again")
        self._look_again()

    def _report(self, ticket: Ticket, outcome: podero.Outcome) -> None:
        has_failed = outcome.code in _FAILURES
        calls = self._to_report(is_urgent=has_failed)
        if not calls:
            return
        now = timezone.now()
        has_opened = Breaker.record(
            calls=calls, failures=int(has_failed), entered_at=ticket.entered_at, now=now
        )
        if has_failed and outcome.retry_after_seconds:
            Breaker.pause(seconds=outcome.retry_after_seconds, now=now)
            logger.warning(
                "Podero asked to be left alone", extra={"seconds": outcome.retry_after_seconds}
            )
        if has_opened:
            logger.error("Breaker opened: Podero is failing")
        self._look_again()

    def _to_report(self, *, is_urgent: bool) -> int:
        """How many calls to write down now; 0: it can wait, or need not be.

        While all is well the calls of the last moment are kept in mind, so that the first failure
        of a window is seen among them: many calls at once bring many failures at once.
        """
        with self._lock:
            picture, clock = self._picture, time.monotonic()
            has_trouble = picture is not None and picture.failures > 0
            is_due = clock - self._reported_at >= FRESH_SECONDS
            if is_due and not has_trouble and not is_urgent:
                self._unreported, self._reported_at = 0, clock
            self._unreported += 1
            if not is_urgent and not (has_trouble and is_due):
                return 0
            calls, self._unreported, self._reported_at = self._unreported, 0, clock
            return calls

    def _state(self) -> Breaker:
        with self._lock:
            picture = self._picture
            is_shut = picture is not None and picture.is_open
            fresh = FRESH_SECONDS_WHILE_SHUT if is_shut else FRESH_SECONDS
            if picture is not None and time.monotonic() - self._looked_at < fresh:
                return picture
            # One thread looks, the others do with what was seen before.
            self._looked_at = time.monotonic()
        seen = picture if picture is not None else Breaker(pk=Breaker.ONLY)
        with self._in_spite_of_the_database():
            seen = Breaker.now_known()
        with self._lock:
            self._picture = seen
        return seen

    def _look_again(self) -> None:
        with self._lock:
            self._looked_at = float("-inf")

    @contextmanager
    def _in_spite_of_the_database(self) -> Iterator[None]:
        """A breaker that cannot be read or written is no reason to fail a call."""
        try:
            yield
        except DatabaseProblem as error:
            logger.warning("Breaker could not be used", extra={"reason": type(error).__name__})
