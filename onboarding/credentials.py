"""Whether Podero accepts our credentials: what one process learns of it, all of them know."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.cache import cache as shared_cache
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

_KEY, _REFUSED, _ACCEPTED = "podero-refused", "yes", "no"
_SECONDS = 600

# Whoever is accepted says so this often, whatever another process has noted.
_SAID_SECONDS = 30.0
_says_at = 0.0


@contextmanager
def without_cache() -> Iterator[None]:
    """Go on as if the cache were empty when it cannot be reached."""
    try:
        yield
    except (RedisError, OSError) as error:
        logger.warning("Cache could not be reached", extra={"reason": type(error).__name__})


def are_refused() -> bool | None:
    """Whether Podero did not accept them when it was last asked, in any process.

    None where it was not asked for ten minutes, or that cannot be known. Raises what the cache
    raises while it cannot be reached.
    """
    answer = shared_cache.get(_KEY)
    return None if answer is None else answer == _REFUSED


def note_refusal() -> None:
    global _says_at  # noqa: PLW0603  (one per process, like the refusal)
    _says_at = 0.0
    with without_cache():
        shared_cache.set(_KEY, _REFUSED, timeout=_SECONDS)


def note_acceptance() -> None:
    global _says_at  # noqa: PLW0603  (one per process, like the refusal)
    if time.monotonic() >= _says_at:
        _says_at = time.monotonic() + _SAID_SECONDS
        with without_cache():
            shared_cache.set(_KEY, _ACCEPTED, timeout=_SECONDS)
