"""Whether Podero accepts our credentials: what one process learns of it, all of them know."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.cache import cache as shared_cache
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

_KEY = "podero-refused"
_SECONDS = 600

# What another process has noted is looked for this often by those that are accepted.
_LOOK_SECONDS = 30.0
_looks_at = 0.0


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
    global _looks_at  # noqa: PLW0603  (one per process, like the refusal)
    _looks_at = 0.0
    with without_cache():
        shared_cache.set(_KEY, "yes", timeout=_SECONDS)


def note_acceptance() -> None:
    global _looks_at  # noqa: PLW0603  (one per process, like the refusal)
    if time.monotonic() >= _looks_at:
        _looks_at = time.monotonic() + _LOOK_SECONDS
        with without_cache():
            shared_cache.delete(_KEY)
