"""Redis as a cache that may go away: nothing in it is needed for the truth."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.cache.backends.redis import RedisCache
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

logger = logging.getLogger(__name__)

# So long a process, with all its threads, does without Redis before it tries again.
AWAY_SECONDS = 5.0


def _else(otherwise: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """What a method answers while Redis is away."""

    def decorate(method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        def wrapper(self: RedisWhileItAnswers, *args: Any, **kwargs: Any) -> Any:
            if time.monotonic() < RedisWhileItAnswers.away_until:
                return otherwise
            try:
                return method(self, *args, **kwargs)
            except (RedisError, OSError) as error:
                RedisWhileItAnswers.away_until = time.monotonic() + AWAY_SECONDS
                logger.warning("Cache could not be reached", extra={"reason": type(error).__name__})
                return otherwise

        return wrapper

    return decorate


class RedisWhileItAnswers(RedisCache):
    """Redis, or nothing: while it does not answer, the cache is empty and keeps nothing.

    As in any empty cache, `add` succeeds and `incr` raises ValueError.
    """

    # Of the class: Django makes an instance for each thread.
    away_until = 0.0

    def __init__(self, server: Any, params: dict[str, Any]) -> None:
        # One try: redis-py would go on for seconds.
        options = params.get("OPTIONS", {}) | {"retry": Retry(NoBackoff(), 0)}
        super().__init__(server, params | {"OPTIONS": options})

    add = _else(otherwise=True)(RedisCache.add)
    set = _else(otherwise=None)(RedisCache.set)
    touch = _else(otherwise=False)(RedisCache.touch)
    delete = _else(otherwise=False)(RedisCache.delete)
    get_many = _else(otherwise={})(RedisCache.get_many)
    has_key = _else(otherwise=False)(RedisCache.has_key)
    delete_many = _else(otherwise=None)(RedisCache.delete_many)
    clear = _else(otherwise=False)(RedisCache.clear)
    _incr = _else(otherwise=None)(RedisCache.incr)

    def get(self, key: Any, default: Any = None, version: Any = None) -> Any:
        return _else(otherwise=default)(RedisCache.get)(self, key, default, version)

    def set_many(self, data: Any, timeout: Any = DEFAULT_TIMEOUT, version: Any = None) -> Any:
        return _else(otherwise=list(data))(RedisCache.set_many)(self, data, timeout, version)

    def incr(self, key: Any, delta: int = 1, version: Any = None) -> Any:
        number = self._incr(key, delta, version)
        if number is None:
            raise ValueError("the cache is away")
        return number
