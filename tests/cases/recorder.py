"""A pytest plugin that watches the tests of the catalogue: page, rows and calls of each case.

What it sees is compared with docs/cases.md, so that the table cannot grow old unnoticed. With
`--write-cases FILE` it is written there instead, as JSON; `make cases` makes the table of it.
"""

from __future__ import annotations

import json
import random
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any
from unittest import mock

import pytest
from django.apps import apps
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from django.test import Client

from onboarding.flows import schedule
from onboarding.podero.transport import Transport
from tests.cases import table
from tests.cases.catalogue import CASES, Case

# Rows written and calls made by the app count, not those of the test that sets the scene.
_OUR_CODE = re.compile(
    r"/(axes|onboarding/(admin|flows|management|podero|views))/|onboarding/tasks\.py"
)
# Upkeep that tells nothing of the case.
_LEFT_OUT = {"Breaker", "JobRun", "Session"}
_WRITE = re.compile(r'^(INSERT|UPDATE|DELETE)(?: OR \w+)?(?: INTO| FROM)?\s+"?(\w+)"?')
_BASE = re.compile(r"^/api/partners/v[\d.]+(/org/[^/]+)?")
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_HEADING = re.compile(r"<h1[^>]*>(.*?)</h1>", re.DOTALL)
_MAX_HOPS = 5
_BY_TEST = {case.test: case for case in CASES}
_SIGNS = {"INSERT": "+", "UPDATE": "~", "DELETE": "-"}


@dataclass
class Record:
    """What was seen from the case's first act until its end."""

    pages: list[str] = field(default_factory=list)
    rows: set[str] = field(default_factory=set)
    calls: list[str] = field(default_factory=list)

    def note_page(self, page: str) -> None:
        if page not in self.pages:
            self.pages.append(page)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-cases", help="write what the cases do to this file, compare nothing")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Recorder(config.getoption("--write-cases")), "recorder of cases")


class Recorder:
    def __init__(self, target: str | None) -> None:
        self.target = Path(target) if target else None
        self.rows: dict[str, dict[str, str]] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        case = _BY_TEST.get(item.nodeid)
        if case is None:
            return (yield)
        with _watching(case) as record:
            result = yield
        row = asdict(_row(record))
        self.rows[case.test] = row
        if self.target is None and row != asdict(table.rows().get(case.test, table.NOTHING)):
            pytest.fail(
                f"docs/cases.md tells something else of {case.test} than {row}; if this is"
                " what should happen: make cases",
                pytrace=False,
            )
        return result

    def pytest_sessionfinish(self) -> None:
        if self.target is not None:
            self.target.write_text(json.dumps(self.rows))


def _row(record: Record) -> table.Row:
    calls = [f"{n} × {call}" if n > 1 else call for call, n in Counter(record.calls).items()]
    return table.Row(
        page="; ".join(record.pages) or table.NONE,
        rows=", ".join(sorted(record.rows, key=lambda row: (row[1:], row))) or table.NONE,
        calls=", ".join(calls) or table.NONE,
    )


@contextmanager
def _watching(case: Case) -> Iterator[Record]:
    record = Record()
    # A case without an address is played by a job: all of its test counts.
    watch = _Watch(case, record, is_on=not case.address)
    request, attempt = Client.request, Transport._attempt
    execute, execute_many = CursorWrapper.execute, CursorWrapper.executemany
    with (
        # The waits between tries differ from run to run, and with them who is asked how often.
        mock.patch.object(schedule, "random", random.Random(0)),
        mock.patch.object(Client, "request", lambda *a, **k: watch.visit(request, *a, **k)),
        mock.patch.object(Transport, "_attempt", lambda *a: watch.call(attempt, *a)),
        mock.patch.object(CursorWrapper, "execute", lambda *a: watch.write(execute, *a)),
        mock.patch.object(CursorWrapper, "executemany", lambda *a: watch.write(execute_many, *a)),
        watch.written.followed(),
    ):
        yield record
        watch.follow()
    record.rows = watch.written.rows()


class _Watch:
    def __init__(self, case: Case, record: Record, *, is_on: bool) -> None:
        self.case = case
        self.record = record
        self.is_on = is_on
        self.unfollowed: tuple[Any, str] | None = None
        self.written = _Written()

    def visit(self, request: Any, client: Any, **environ: Any) -> Any:
        address = environ["PATH_INFO"]
        if self.case.address and re.match(self.case.address, address):
            self.is_on = True
        response = request(client, **environ)
        if self.is_on:
            self._note_page(client, response)
        return response

    def _note_page(self, client: Any, response: Any) -> None:
        self.unfollowed = None
        location = response.headers.get("Location", "")
        if location.startswith("/"):
            self.unfollowed = (client, location)
        elif location:
            self.record.note_page("(sent to Podero)")
        elif not response.streaming and (found := _HEADING.search(response.content.decode())):
            heading = re.sub(r"<[^>]*>|\s+", " ", found[1]).strip()
            status = f"{response.status_code} " if response.status_code != 200 else ""
            self.record.note_page(status + heading)
        elif not response.content and response.status_code != 200:
            self.record.note_page(f"{response.status_code} (no page)")

    def follow(self) -> None:
        """As a browser would, when the test has not."""
        for _hop in range(_MAX_HOPS):
            if self.unfollowed is None:
                return
            client, location = self.unfollowed
            client.get(location)

    def call(self, attempt: Any, transport: Any, call: Any) -> Any:
        result = attempt(transport, call)
        if self.is_on and "token" not in call.endpoint:
            outcome = result.status or result.code.value
            path = _ID.sub("{id}", _BASE.sub("", call.path))
            path = re.sub("(?<=/by-ext-id/).*", "{number}", path)
            self.record.calls.append(f"{call.method} {path} → {outcome}")
        return result

    def write(self, execute: Any, cursor: Any, sql: Any, *params: Any) -> Any:
        result = execute(cursor, sql, *params)
        found = self.is_on and isinstance(sql, str) and _WRITE.match(sql)
        # Of a row that is written and read back at once, SQLite does not tell the number.
        if found and (cursor.rowcount or "RETURNING" in sql) and _is_ours():
            model = _model_of(found[2])
            if model not in _LEFT_OUT:
                self.written.add(cursor.db, _SIGNS[found[1]] + model)
        return result


class _Written:
    """What was written on each connection, without what was taken back."""

    def __init__(self) -> None:
        self._lines: dict[Any, list[str]] = {}
        self._marks: dict[tuple[Any, str], int] = {}

    def add(self, connection: Any, line: str) -> None:
        self._lines.setdefault(connection, []).append(line)
        if connection.autocommit:
            self._mark(connection, "")

    def rows(self) -> set[str]:
        return {line for lines in self._lines.values() for line in lines}

    @contextmanager
    def followed(self) -> Iterator[None]:
        def before(name: str, act: Callable[..., None]) -> Any:
            original = getattr(BaseDatabaseWrapper, name)

            def wrapper(connection: Any, *names: str) -> Any:
                act(connection, *(names or ("",)))
                return original(connection, *names)

            return mock.patch.object(BaseDatabaseWrapper, name, wrapper)

        with (
            before("_savepoint", self._mark),
            before("_commit", self._mark),
            before("_savepoint_rollback", self._take_back),
            before("_rollback", self._take_back),
        ):
            yield

    def _mark(self, connection: Any, name: str) -> None:
        self._marks[connection, name] = len(self._lines.get(connection, []))

    def _take_back(self, connection: Any, name: str) -> None:
        del self._lines.setdefault(connection, [])[self._marks.get((connection, name), 0) :]


def _is_ours() -> bool:
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and not _OUR_CODE.search(frame.f_code.co_filename):
        frame = frame.f_back
    return frame is not None


def _model_of(db_table: str) -> str:
    names = {model._meta.db_table: model.__name__ for model in apps.get_models()}
    return names.get(db_table, db_table)
