"""Whether Podero accepts our credentials: what one process learns of it, all of them know."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.cache import cache as shared_cache
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

_KEY = "podero-refused"
_SECONDS = 600

_noted = threading.Event()
# A process that begins does not know what those before it have noted.
_noted.set()


@contextmanager
def without_cache() -> Iterator[None]:
    """Go on as if the cache were empty when it cannot be reached."""
    try:
        yield
    except (RedisError, OSError) as error:
        logger.warning("Cache could not be reached", extra={"reason": type(error).__name__})


def are_refused() -> bool:
    """Whether Podero did not accept them when it was last asked, in any process.

    Raises what the cache raises while it cannot be reached.
    """
    return bool(shared_cache.get(_KEY))


def note_refusal() -> None:
    _noted.set()
    with without_cache():
        shared_cache.set(_KEY, "yes", timeout=_SECONDS)


def note_acceptance() -> None:
    if _noted.is_set():
        _noted.clear()
        with without_cache():
            shared_cache.delete(_KEY)
