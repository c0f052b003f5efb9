"""Can this process serve customers, and what does it have to do without?

Each part is asked in a thread of its own and given up on in time: a server that has stopped
answering must not stop the answer about it. A thread that never comes back is not asked again.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from functools import cache

from celery import current_app
from django.conf import settings
from django.core.cache import cache as shared_cache
from django.db import Error as DatabaseProblem
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone
from kombu.exceptions import ChannelError, OperationalError
from redis.exceptions import RedisError

from onboarding import credentials
from onboarding.metrics import breaker_state

DATABASE_SECONDS = 3.0
SERVER_SECONDS = 1.0
KEPT_SECONDS = 3.0

OK = "ok"
_IMPATIENT = {
    "socket_connect_timeout": SERVER_SECONDS / 2,
    "socket_timeout": SERVER_SECONDS / 2,
    "max_retries": 0,
}


class Part:
    """One thing to be asked about. `ask` returns a word; "ok" is the good one."""

    def __init__(
        self, ask: Callable[[], str], *, within_seconds: float, kept_seconds: float = 0
    ) -> None:
        self._ask = ask
        self._within = within_seconds
        self._kept_seconds = kept_seconds
        self._lock = threading.Lock()
        self._word = "unknown"
        self._answered_at = float("-inf")
        self._ends_at = float("-inf")
        self._thread: threading.Thread | None = None

    def word(self) -> str:
        """The part's answer, "no answer" when there is none in time."""
        self.begin()
        return self.answer()

    def begin(self) -> None:
        """Ask, unless that is under way or was answered a moment ago."""
        with self._lock:
            is_kept = time.monotonic() - self._answered_at < self._kept_seconds
            if is_kept or (self._thread is not None and self._thread.is_alive()):
                return
            self._ends_at = time.monotonic() + self._within
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()

    def answer(self) -> str:
        """The answer to what was begun."""
        with self._lock:
            thread, ends_at = self._thread, self._ends_at
        if thread is not None:
            thread.join(max(ends_at - time.monotonic(), 0))
            if thread.is_alive():
                return "no answer"
        return self._word

    def _run(self) -> None:
        word = "unknown"
        try:
            word = self._ask()
            self._answered_at = time.monotonic()
        finally:
            self._word = word
            connection.close()


def _database() -> str:
    try:
        executor = MigrationExecutor(connection)
        pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
        is_read_only = _is_read_only()
    except DatabaseProblem:
        return "unreachable"
    if is_read_only:
        return "read only"
    return "not migrated" if pending else OK


def _is_read_only() -> bool:
    """Whether this is a standby, or a server that was told to take nothing."""
    if connection.vendor != "postgresql":
        return False
    with connection.cursor() as cursor:
        cursor.execute("SHOW transaction_read_only")
        return bool(cursor.fetchone() == ("on",))


def _broker() -> str:
    try:
        with current_app.connection_for_write(
            connect_timeout=SERVER_SECONDS,
            transport_options=_IMPATIENT if settings.REDIS_URL else {},
        ) as broker:
            # Opening a channel asks the server, once.
            is_open = broker.default_channel is not None
    except (OperationalError, ChannelError, RedisError, OSError):
        return "unreachable"
    return OK if is_open else "unreachable"


def _cache() -> str:
    """A round trip: a cache that is away takes everything and keeps nothing."""
    mark = str(uuid.uuid4())
    try:
        shared_cache.set(f"health:{mark}", mark, timeout=5)
        is_kept = shared_cache.get(f"health:{mark}") == mark
        shared_cache.delete(f"health:{mark}")
    except OSError:
        return "unreachable"
    return OK if is_kept else "unreachable"


def _podero() -> str:
    if credentials.are_refused():
        return "credentials refused"
    try:
        state = breaker_state(timezone.now())
    except DatabaseProblem:
        return "unknown"
    return OK if state == "closed" else f"breaker {state.replace('_', ' ')}"


def words() -> dict[str, str]:
    """What each part says; all are asked at once, so that the slowest of them is all there is to wait for."""
    for part in parts().values():
        part.begin()
    return {name: part.answer() for name, part in parts().items()}


@cache
def parts() -> dict[str, Part]:
    """What there is to ask about, the database first; of it alone everything depends."""
    return {
        "database": Part(_database, within_seconds=DATABASE_SECONDS),
        "broker": Part(_broker, within_seconds=SERVER_SECONDS, kept_seconds=KEPT_SECONDS),
        "cache": Part(_cache, within_seconds=SERVER_SECONDS, kept_seconds=KEPT_SECONDS),
        "podero": Part(_podero, within_seconds=DATABASE_SECONDS, kept_seconds=KEPT_SECONDS),
    }
