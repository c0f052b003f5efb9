"""Messages to the workers, sent from a request that will not wait for the broker."""

from __future__ import annotations

import logging
import time
from functools import cache
from typing import Any

from celery import Task, current_app
from django.conf import settings
from kombu import pools
from kombu.exceptions import ChannelError, LimitExceeded, OperationalError
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

# A broker on the same network answers within a millisecond.
CONNECT_SECONDS = 0.1
ANSWER_SECONDS = 0.15
# So long a process does without the broker before it tries again.
AWAY_SECONDS = 5.0
# By then the beat has found the row.
WORTH_SECONDS = 120
CONNECTIONS = 10

_away_until = 0.0


def send(task: Task[Any, Any], **arguments: int) -> bool:
    """Have `task` done soon; False when the broker was of no help, after 0.3 s at most.

    For some seconds after that nobody in this process waits for it again.
    """
    global _away_until  # noqa: PLW0603  (one broker per process)
    if time.monotonic() < _away_until:
        return False
    try:
        with _producers().acquire(block=True, timeout=ANSWER_SECONDS) as producer:
            task.apply_async(
                kwargs=arguments, producer=producer, retry=False, expires=WORTH_SECONDS
            )
    except (OperationalError, ChannelError, LimitExceeded, RedisError, OSError) as error:
        _away_until = time.monotonic() + AWAY_SECONDS
        logger.warning(
            "Broker could not be reached",
            extra={"task": task.name, "reason": type(error).__name__},
        )
        return False
    return True


def forget_all() -> None:
    """Throw away what waits on the broker: the rows say what is due. For whoever works by them alone."""
    try:
        with _producers().acquire(block=True, timeout=ANSWER_SECONDS) as producer:
            current_app.control.purge(connection=producer.connection)
    except (OperationalError, ChannelError, LimitExceeded, RedisError, OSError) as error:
        logger.warning("Broker could not be reached", extra={"reason": type(error).__name__})


@cache
def _producers() -> Any:
    """Connections of their own: a worker that listens must wait longer than a request may."""
    options: dict[str, Any] = {}
    if settings.REDIS_URL:
        options = {
            "socket_connect_timeout": CONNECT_SECONDS,
            "socket_timeout": ANSWER_SECONDS,
            "max_retries": 0,
        }
    connection = current_app.connection_for_write(
        connect_timeout=CONNECT_SECONDS, transport_options=options
    )
    return pools.ProducerPool(connection.Pool(CONNECTIONS), limit=CONNECTIONS)
