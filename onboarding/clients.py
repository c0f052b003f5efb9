"""The configured Podero client of this process, and how many may wait on it at one time."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from django.conf import settings
from django.core.cache import cache as shared_cache
from django_guid import get_guid

from onboarding import credentials, metrics, podero
from onboarding.credentials import without_cache
from onboarding.gate import SharedGate
from onboarding.pace import Counter, CounterInCache, CounterInFile, Pace

logger = logging.getLogger(__name__)

_TOKEN_KEY = "podero-token"  # noqa: S105


class TooManyWaiting(Exception):
    """So many requests of this process wait on Podero that another one would only queue up."""


class CachedToken:
    """Keeps the bearer token in Django's cache, so that all processes share one.

    While the cache is down each process does with its own.
    """

    def __init__(self, key: str) -> None:
        self._key = key
        self._own = podero.MemoryStore()

    def get(self) -> str | None:
        token: str | None = None
        with without_cache():
            token = shared_cache.get(self._key)
        return token or self._own.get()

    def set(self, token: str, seconds: float) -> None:
        self._own.set(token, seconds)
        with without_cache():
            shared_cache.set(self._key, token, timeout=max(int(seconds), 1))

    def discard(self, token: str) -> None:
        self._own.discard(token)
        with without_cache():
            if shared_cache.get(self._key) == token:
                shared_cache.delete(self._key)


@cache
def podero_client() -> podero.PoderoClient:
    """One client per process: its connections are kept open and shared by the threads."""
    return podero.PoderoClient(
        base_url=settings.PODERO_BASE_URL,
        org_id=settings.PODERO_ORG_ID,
        token_source=_token_source(),
        connect_hosts=settings.PODERO_CONNECT_HOSTS,
        timeouts=_timeouts(settings.PODERO_TIMEOUT_SECONDS),
        on_call=_note_call,
        gate=podero_gate(),
        request_id=get_guid,
    )


@cache
def podero_gate() -> SharedGate:
    """What every call of this process has to pass, those for a token included."""
    return SharedGate(
        # A probe that has not concluded by then never will: its process is gone.
        lease_seconds=settings.PODERO_TIMEOUT_SECONDS + 5,
        pace=_pace(),
    )


def _pace() -> Pace | None:
    ceiling = settings.PODERO_CALLS_PER_SECOND
    if not ceiling:
        return None
    counter: Counter = CounterInFile(settings.VAR_DIR / "podero-calls")
    if settings.REDIS_URL:
        counter = CounterInCache()
    return Pace(calls_per_second=ceiling, counter=counter)


def _timeouts(seconds: float) -> podero.Timeouts:
    usual = podero.Timeouts()
    return podero.Timeouts(
        connect_seconds=min(usual.connect_seconds, seconds),
        read_seconds=min(usual.read_seconds, seconds),
        total_seconds=seconds,
    )


def _token_source() -> podero.FixedToken | podero.ClientCredentialsToken:
    if settings.PODERO_AUTH_TOKEN:
        return podero.FixedToken(settings.PODERO_AUTH_TOKEN)
    return podero.ClientCredentialsToken(
        base_url=settings.PODERO_BASE_URL,
        client_id=settings.PODERO_CLIENT_ID,
        client_secret=settings.PODERO_CLIENT_SECRET,
        timeouts=_timeouts(settings.PODERO_TIMEOUT_SECONDS),
        # Another environment or client must never be handed this one's token.
        store=CachedToken(f"{_TOKEN_KEY}:{settings.PODERO_BASE_URL}:{settings.PODERO_CLIENT_ID}"),
        on_call=_note_call,
        gate=podero_gate(),
        request_id=get_guid,
    )


def have_a_token() -> None:
    """See to it that a token is at hand. Raises podero.PoderoError when there is none to be had."""
    try:
        podero_client().have_a_token()
    except podero.Unauthorized:
        # Whatever the status was: a server may say "bad request" to a wrong secret.
        credentials.note_refusal()
        raise


def _note_credentials(endpoint: str, outcome: str) -> None:
    if outcome == podero.Code.UNAUTHORIZED:
        credentials.note_refusal()
    elif outcome == "ok" and endpoint != "fetch_token":
        credentials.note_acceptance()


def _note_call(endpoint: str, outcome: str, seconds: float) -> None:
    metrics.note_call(endpoint, outcome, seconds)
    _note_credentials(endpoint, outcome)
    is_calm = outcome in ("ok", *podero.NOT_MADE)
    level = logging.INFO if is_calm else logging.WARNING
    logger.log(
        level,
        "Podero called",
        extra={"endpoint": endpoint, "outcome": outcome, "seconds": round(seconds, 3)},
    )


def longest_wait() -> float:
    """Seconds that a customer's press may wait on Podero in all."""
    return 2 * settings.PODERO_TIMEOUT_SECONDS


_places = threading.BoundedSemaphore(settings.PODERO_MAX_WAITING)


@contextmanager
def place_in_line(*, at_most_seconds: float | None = None) -> Iterator[podero.PoderoClient]:
    """The client, for a request that a customer waits for. Raises TooManyWaiting at once.

    Podero being slow then never takes all threads of a web process away from our own pages, and
    no customer waits longer than two slow calls take, or than told.
    """
    if not _places.acquire(blocking=False):
        metrics.note_turned_away()
        raise TooManyWaiting
    try:
        longest = longest_wait()
        with podero.within(longest if at_most_seconds is None else min(at_most_seconds, longest)):
            yield podero_client()
    finally:
        _places.release()
