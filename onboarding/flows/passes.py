"""A pass over what is due: in bounded batches, within a bounded time, each row once.

The rows are the queue, so a pass keeps no place in it: what is left when the time is up, or when
the process is killed, is still due, and the next pass or another worker takes it up. Passes over
the same kind of work may go on side by side, each with a share of the rows.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar, cast

from django.db import DatabaseError, InterfaceError, OperationalError, connection
from django.db.models import F, Model, QuerySet

logger = logging.getLogger(__name__)

# A pass ends after this, well before a message about it could be delivered a second time.
PASS_SECONDS = 45.0
BATCH = 200
# Keys that one pass reads ahead; a number each, so that memory stays flat.
LONGEST_QUEUE = 10_000
# So many rows in a row without an answer, and whoever should give it is taken to be away.
UNANSWERED_LIMIT = 10
# So many rows that cannot be worked on, and it is not the rows that are at fault.
FAILED_LIMIT = 10

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, slots=True)
class Share:
    """The part of all rows that one of several passes takes up: `number` of `of`, from 0."""

    number: int = 0
    of: int = 1

    def out_of(self, rows: QuerySet[Row], *, by: str = "pk") -> QuerySet[Row]:
        """Rows that have the same number in `by` fall to the same pass."""
        if self.of == 1:
            return rows
        falling = rows.alias(falls_to=F(by) % self.of).filter(falls_to=self.number)
        return cast("QuerySet[Row]", falling)


WHOLE = Share()


def take_up_each(
    due: QuerySet[Row],
    act: Callable[[Row, datetime], bool | None],
    *,
    put_off: Callable[[Row, datetime], object] = lambda _row, _at: None,
    now: datetime,
    is_over: Callable[[], bool] = lambda: False,
) -> int:
    """Call `act` with each due row and the moment; returns how many rows were taken up.

    Rows are read a batch at a time, so that what is no longer due when its batch comes is left
    out. `act` says whether it got an answer, None where it did not ask; without any for a while, or when
    `is_over`, the pass ends early. A row with which `act` fails is `put_off`, and the others are
    gone on with; raises what went wrong when the database is away, or when it is the same with many.
    """
    clock = clock_from(now)
    ends_at = now + timedelta(seconds=PASS_SECONDS)
    taken = unanswered = failed = 0
    queue = list(due.values_list("pk", flat=True)[:LONGEST_QUEUE])
    for start in range(0, len(queue), BATCH):
        for row in due.filter(pk__in=queue[start : start + BATCH]):
            if unanswered == UNANSWERED_LIMIT or clock() > ends_at or is_over():
                return taken
            taken += 1
            try:
                is_answered = act(row, clock())
                if is_answered is not None:
                    unanswered = 0 if is_answered else unanswered + 1
            except Exception as error:
                if is_database_away(error):
                    raise
                _try_to_put_off(put_off, row, clock())
                failed += 1
                if failed == FAILED_LIMIT:
                    raise
                logger.exception("Row could not be worked on")
    return taken


def _try_to_put_off(put_off: Callable[[Row, datetime], object], row: Row, at: datetime) -> None:
    """Somebody who holds the row for long is no reason to leave the others."""
    try:
        put_off(row, at)
    except DatabaseError as error:
        if is_database_away(error):
            raise
        logger.warning("Row could not be put off", extra={"reason": type(error).__name__})


def is_database_away(error: Exception) -> bool:
    """Whether it is; one that answers has only given up on a row that another process holds."""
    is_told = isinstance(error, OperationalError | InterfaceError)
    return is_told and not connection.is_usable()


def each_by_itself(
    steps: Mapping[str, Callable[[], int]],
    *,
    report: Callable[[str, int], object] = lambda _name, _count: None,
) -> dict[str, int]:
    """Do one step after the other; returns how many rows each took up, and reports it at once.

    A step that fails keeps none from its turn, unless the database is away; what went wrong is
    raised at the end, as one ExceptionGroup.
    """
    done: dict[str, int] = {}
    failures: list[Exception] = []
    for name, step in steps.items():
        try:
            done[name] = step()
        except Exception as error:
            if is_database_away(error):
                raise
            failures.append(error)
        else:
            report(name, done[name])
    if failures:
        raise ExceptionGroup("Not all that is due could be done", failures)
    return done


def repeat(batch: Callable[[], int], *, seconds: float = PASS_SECONDS) -> int:
    """Do one batch after the other until one finds nothing; returns how many rows it were."""
    ends_at = time.monotonic() + seconds
    total = 0
    while done := batch():
        total += done
        if time.monotonic() > ends_at:
            break
    return total


def clock_from(now: datetime) -> Callable[[], datetime]:
    """A clock that stands at `now` and runs on: a claim must say when it was really made."""
    started = time.monotonic()
    return lambda: now + timedelta(seconds=time.monotonic() - started)


def batches(rows: QuerySet[Row], *, size: int, seconds: float) -> Iterator[list[Any]]:
    """The keys of all rows, each once and so many at a time, until the time is up.

    Many are read ahead, since what is rare among millions takes long to find: whoever takes up a
    batch asks again whether each of it is still wanted.
    """
    ends_at = time.monotonic() + seconds
    rest = rows.order_by("pk")
    while ahead := list(rest.values_list("pk", flat=True)[:LONGEST_QUEUE]):
        for start in range(0, len(ahead), size):
            yield ahead[start : start + size]
            if time.monotonic() > ends_at:
                return
        if len(ahead) < LONGEST_QUEUE:
            return
        rest = rows.filter(pk__gt=ahead[-1]).order_by("pk")


def in_batches(rows: QuerySet[Row], *, size: int) -> Iterator[Row]:
    """All rows in the order of their keys, so many at a time.

    For millions: outside of a transaction PostgreSQL would write what a cursor is to read to its
    disk first, all of it.
    """
    rest = ordered = rows.order_by("pk")
    while ahead := list(rest[:size]):
        yield from ahead
        if len(ahead) < size:
            return
        rest = ordered.filter(pk__gt=ahead[-1].pk)


def delete_in_batches(rows: QuerySet[Row]) -> int:
    """Delete them a bounded number at a time; returns how many rows that were."""
    total = 0
    # One task has several kinds of rows to delete.
    for keys in batches(rows, size=BATCH, seconds=PASS_SECONDS / 5):
        # Asked again: one of them may have become another wish meanwhile.
        deleted, _per_model = rows.filter(pk__in=keys).delete()
        total += deleted
    return total
