"""What Prometheus is told.

Calls to Podero are counted by each process into a file of its own below PROMETHEUS_MULTIPROC_DIR,
and added up when somebody asks. What the database knows is read then, in short queries, and kept
for some seconds; it is the same whoever is asked.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import cache, wraps
from pathlib import Path
from typing import Any, ParamSpec

from django.conf import settings
from django.core.signals import got_request_exception
from django.db import Error as DatabaseProblem
from django.db.models import Q, QuerySet
from django.dispatch import receiver
from django.utils import timezone
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from onboarding import credentials
from onboarding.flows import devices, removal, saving
from onboarding.models import (
    Breaker,
    ChargeWish,
    Device,
    JobRun,
    Mail,
    OnboardingSession,
    PoderoUser,
    Reconnection,
)
from onboarding.states import AWAITING_DEVICE, State

logger = logging.getLogger(__name__)

Params = ParamSpec("Params")

# More rows of a kind are not counted one by one.
COUNTED_ROWS = 100_000
KEPT_SECONDS = 10.0
STUCK_AFTER = 5
BREAKER_STATES = ("closed", "open", "half_open")

# Twice what all endpoints with all their outcomes take.
ROOM_BYTES = 128 * 1024
_reserving = threading.Lock()
KINDS = ("counter", "histogram")

# Each process writes its own file; the registry of the process itself is not asked.
_own = CollectorRegistry()
_calls = Counter(
    "onboarding_podero_calls",
    "Calls to Podero; outcome is ok or why not (held_back, paced: not made).",
    ["endpoint", "outcome"],
    registry=_own,
)
_errors = Counter(
    "onboarding_errors",
    "Requests that ended in an error page of ours, and tasks that ended in an error.",
    ["where"],
    registry=_own,
)
_seconds = Histogram(
    "onboarding_podero_call_seconds",
    "How long Podero took to answer, or not to.",
    ["endpoint"],
    buckets=(0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 8, 15),
    registry=_own,
)


def _if_possible(count: Callable[Params, None]) -> Callable[Params, None]:
    """What cannot be counted, on a full disk for example, is done all the same."""

    @wraps(count)
    def counted(*args: Params.args, **kwargs: Params.kwargs) -> None:
        try:
            _reserve_space(settings.METRICS_DIR, os.getpid())
            count(*args, **kwargs)
        except OSError as error:
            logger.warning("Could not be counted", extra={"reason": type(error).__name__})

    return counted


@_if_possible
def note_call(endpoint: str, outcome: str, seconds: float) -> None:
    """Count one call; told by the client after each exchange."""
    _calls.labels(endpoint, outcome).inc()
    if outcome not in ("held_back", "paced"):
        _seconds.labels(endpoint).observe(seconds)


@_if_possible
def note_error(where: str) -> None:
    """Count one `request` or `task` that has ended in an error which nobody had expected."""
    _errors.labels(where).inc()


@receiver(got_request_exception)
def count_request_error(**_signal: Any) -> None:
    """Told by Django, whichever page it was."""
    note_error("request")


@_if_possible
def note_turned_away() -> None:
    """Count one press for which there was no place toward Podero."""
    _turned_away().inc()


@cache
def _turned_away() -> Counter:
    """Made on first need: without labels it writes into its file at once."""
    return Counter(
        "onboarding_turned_away",
        "Presses for which all places toward Podero of the process were taken.",
        registry=_own,
    )


@cache
def _reserve_space(folder: Path, process: int) -> None:
    """See to it that a process's files have all the room that they will ever need. Raises OSError.

    prometheus_client writes into them as into memory: with no room left on the disk that would not
    be an error but the end of the process (SIGBUS).
    """
    with _reserving:
        for kind in KINDS:
            path = folder / f"{kind}_{process}.db"
            # Whoever adds up meanwhile must not meet an empty file.
            unready = path if path.exists() else path.with_suffix(".new")
            with unready.open("ab") as file:
                os.posix_fallocate(file.fileno(), 0, ROOM_BYTES)
            unready.rename(path)


def forget_own_counts() -> None:
    """Leave nothing behind of this process, which is about to end."""
    for kind in KINDS:
        (settings.METRICS_DIR / f"{kind}_{os.getpid()}.db").unlink(missing_ok=True)


def exposition() -> bytes:
    """Everything in Prometheus' text format."""
    registry = _counts()
    registry.register(_from_database)
    registry.register(_FROM_CACHE)
    return generate_latest(registry)


def exposition_of_counts() -> bytes:
    """Only what the processes of this machine have counted; the rest any web process tells."""
    return generate_latest(_counts())


def _counts() -> CollectorRegistry:
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(settings.METRICS_DIR))  # type: ignore[no-untyped-call]
    return registry


class FromDatabase(Collector):
    """Gauges of what the database knows."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: list[Metric] = []
        self._read_at = float("-inf")

    def collect(self) -> Iterator[Metric]:
        # Two who ask at once read once.
        with self._lock:
            if time.monotonic() - self._read_at > KEPT_SECONDS:
                self._kept = _read()
                self._read_at = time.monotonic()
            yield from self._kept

    def forget(self) -> None:
        """Read again when next asked."""
        self._read_at = float("-inf")


class FromCache(Collector):
    """What only the calls of other processes have found out; nothing where none has lately."""

    def collect(self) -> Iterator[Metric]:
        with credentials.without_cache():
            are_refused = credentials.are_refused()
            if are_refused is not None:
                yield GaugeMetricFamily(
                    "onboarding_credentials_refused",
                    "Whether Podero did not accept our credentials when it was last asked.",
                    value=are_refused,
                )


_FROM_CACHE = FromCache()
_from_database = FromDatabase()
forget_what_was_read = _from_database.forget


def _read() -> list[Metric]:
    is_up = GaugeMetricFamily("onboarding_database_up", "Whether the database could be asked.")
    try:
        gauges = [
            _attempts(),
            *_queues(timezone.now()),
            _stuck(),
            _jobs(),
            _breaker(timezone.now()),
            _mails(timezone.now()),
        ]
    except DatabaseProblem:
        is_up.add_metric([], 0)
        return [is_up]
    is_up.add_metric([], 1)
    return [is_up, *gauges]


def _attempts() -> Metric:
    gauge = GaugeMetricFamily(
        "onboarding_attempts",
        f"Attempts by state, counted up to {COUNTED_ROWS}.",
        labels=["state"],
    )
    for state in State:
        gauge.add_metric([state.value], _count(OnboardingSession.objects.filter(state=state)))
    return gauge


def _mails(now: datetime) -> Metric:
    gauge = GaugeMetricFamily("onboarding_mails_due", "Mails that should have been sent by now.")
    gauge.add_metric([], _count(_to_be_sent(now)))
    return gauge


def _to_be_sent(now: datetime) -> QuerySet[Mail]:
    """Where no mail is sent (any more), none is late."""
    return Mail.objects.due(now=now) if settings.IS_MAIL_ON else Mail.objects.none()


def _count(rows: QuerySet[Any]) -> int:
    return rows.order_by()[:COUNTED_ROWS].count()


def _oldest_return(now: datetime) -> datetime | None:
    return _first_due(OnboardingSession.objects.due(State.RETURNED, now=now))


def _oldest_look_up(now: datetime) -> datetime | None:
    # State by state, so that each question is the beginning of an index.
    found = [
        _first_due(OnboardingSession.objects.due(state, now=now).filter(podero_id__isnull=False))
        for state in sorted(AWAITING_DEVICE)
    ]
    return min((moment for moment in found if moment), default=None)


def _oldest_removal(now: datetime) -> datetime | None:
    found = [
        _first_due(rows, by="removal_due_at")
        for rows in (removal.due_devices(now=now), removal.due_customers(now=now))
    ]
    return min((moment for moment in found if moment), default=None)


def _oldest_reading(now: datetime) -> datetime | None:
    asked_at = _first_due(
        Device.objects.unread_since(now - devices.UNWATCHED_PERIOD), by="asked_about_at"
    )
    return asked_at + devices.UNWATCHED_PERIOD if asked_at else None


QUEUES: dict[str, Callable[[datetime], datetime | None]] = {
    "returns": _oldest_return,
    "look_ups": _oldest_look_up,
    "switches": lambda now: _first_due(Device.objects.due(now=now)),
    "mails": lambda now: _first_due(_to_be_sent(now)),
    "reconnections": lambda now: _first_due(Reconnection.objects.due(now=now)),
    "wishes": lambda now: _first_due(ChargeWish.objects.due(now=now)),
    "removals": _oldest_removal,
    "readings": _oldest_reading,
    "savings": lambda now: _first_due(saving.due_for_savings(now=now), by="savings_due_at"),
}
"""When the oldest row of each kind of work was due; None when nothing is."""


def _first_due(rows: QuerySet[Any], *, by: str = "next_try_at") -> datetime | None:
    return rows.order_by(by).values_list(by, flat=True).first()


def _queues(now: datetime) -> Iterator[Metric]:
    gauge = GaugeMetricFamily(
        "onboarding_queue_age_seconds",
        "How long the oldest row of a kind of work has been due; 0 when none is.",
        labels=["kind"],
    )
    for kind, oldest in QUEUES.items():
        due_at = oldest(now)
        gauge.add_metric([kind], max((now - due_at).total_seconds(), 0) if due_at else 0)
    yield gauge


STUCK: dict[str, Callable[[], list[QuerySet[Any]]]] = {
    "switches_off": lambda: [Device.objects.not_surely_off().filter(tries__gte=STUCK_AFTER)],
    "returns": lambda: [
        OnboardingSession.objects.filter(
            state=State.RETURNED, next_try_at__isnull=False, tries__gte=STUCK_AFTER
        )
    ],
    "mails": lambda: [
        Mail.objects.filter(sent_at=None, next_try_at__isnull=False, tries__gte=STUCK_AFTER)
        if settings.IS_MAIL_ON
        else Mail.objects.none()
    ],
    "removals": lambda: [
        rows.filter(
            Q(removal_due_at=None) | Q(removal_tries__gte=STUCK_AFTER),
            removal_wanted_at__isnull=False,
            removed_at=None,
        )
        for rows in (Device.objects.all(), PoderoUser.objects.all())
    ],
}
"""What was tried again and again in vain, or given up. Such rows are not late, but due later."""


def _stuck() -> Metric:
    gauge = GaugeMetricFamily(
        "onboarding_stuck",
        f"Rows of a kind of work that were tried {STUCK_AFTER} times without success, or given up.",
        labels=["kind"],
    )
    for kind, found in STUCK.items():
        gauge.add_metric([kind], sum(_count(rows) for rows in found()))
    return gauge


def _jobs() -> Metric:
    gauge = GaugeMetricFamily(
        "onboarding_job_last_success_timestamp_seconds",
        "When a scheduled job last did its work; 0 for never.",
        labels=["task"],
    )
    known = dict(JobRun.objects.values_list("name", "succeeded_at"))
    # Not what another release has left behind.
    for job in sorted({*settings.SCHEDULED_JOBS, *({"sweep"} & known.keys())}):
        # A job that is shared out is as late as the latest of its passes.
        passes = [name for name in settings.CELERY_BEAT_SCHEDULE if name.partition("-")[0] == job]
        moments = [known.get(name) for name in passes or [job]]
        gauge.add_metric([job], min(moment.timestamp() if moment else 0 for moment in moments))
    return gauge


def _breaker(now: datetime) -> Metric:
    gauge = GaugeMetricFamily(
        "onboarding_breaker",
        "1 for the state that the breaker toward Podero is in.",
        labels=["state"],
    )
    current = breaker_state(now)
    for state in BREAKER_STATES:
        gauge.add_metric([state], int(state == current))
    return gauge


def breaker_state(now: datetime) -> str:
    """`closed`, `open`, or `half_open` while one call at a time finds out."""
    breaker = Breaker.now_known()
    if not breaker.is_open:
        return "closed"
    return "open" if breaker.seconds_left(now=now) > 0 else "half_open"
