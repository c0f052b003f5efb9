"""Which tracebacks the drill's audit takes for a breach, and what it says of them."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from drill.customers import EMAIL_DOMAIN, FAMILY_NAME
from drill.logs import crashes_in, keys_in, tracebacks_in
from drill.saboteur import GRACE_SECONDS, Outages

RAISED = """\
Traceback (most recent call last):
  File "onboarding/flows/sweep.py", line 1, in sweep
    fail()
    ^^^^^^
ValueError: it broke
"""


REFUSED = RAISED.replace("ValueError: it broke", "OperationalError: connection refused")


class Watching:
    """Everything was written just now."""

    def written_between(self, _log: Path, _offset: int) -> tuple[float, float]:
        return time.time(), time.time()


def found_in(log: Path, text: str, outages: Outages | None = None) -> list[str]:
    log.write_text(text)
    watching: Any = Watching()
    found = tracebacks_in(log, watching, outages or Outages(), "PostgreSQL", "Redis")
    return [str(breach.what) for breach in found]


def set_in(head: str) -> str:
    lines = "".join(f"    {line}\n" for line in RAISED.splitlines())
    return f"2026-11-29 03:05:32,408 ERROR {head}\n{lines}2026-11-29 03:05:39,392 INFO on\n"


def test_key_person_or_address_is_told_wherever_a_server_has_written_it(tmp_path: Path) -> None:
    log = tmp_path / "postgresql.log"

    def told(line: str) -> list[str]:
        log.write_text(f"ERROR: duplicate key\nDETAIL: {line}\n")
        found = keys_in(
            log, {"0f8fad5b-d9cb-469f-a165-70867728950e", "K2-0000000007"}, {FAMILY_NAME}
        )
        return [breach.what for breach in found]

    assert told("Key (id)=(7) already exists.") == []
    assert told("Key (podero_id)=(0f8fad5b-d9cb-469f-a165-70867728950e)") == ["a key, in 1 lines"]
    assert told("SET 'K2-0000000007'") == ["a key, in 1 lines"]
    assert told(f"VALUES ('{FAMILY_NAME}')") == ["personal data or a secret, in 1 lines"]
    assert told(f"VALUES ('k2@{EMAIL_DOMAIN}')") == ["an e-mail address, in 1 lines"]


def test_traceback_is_told_by_its_error_and_its_place(tmp_path: Path) -> None:
    said = ['ValueError: it broke (File "onboarding/flows/sweep.py", line 1, in sweep)']

    assert found_in(tmp_path / "log", RAISED) == said
    assert found_in(tmp_path / "log", set_in("celery.app.trace Task raised unexpected")) == said


def test_traceback_is_found_in_json_lines_too(tmp_path: Path) -> None:
    line = {"logger": "celery.app.trace", "message": "Task raised", "exception": RAISED}
    whole = json.dumps(line) + "\n"

    said = ['ValueError: it broke (File "onboarding/flows/sweep.py", line 1, in sweep)']
    assert found_in(tmp_path / "log", whole) == said
    assert len(found_in(tmp_path / "log", whole[:-20])) == 1
    told = {**line, "message": f"it broke: {RAISED}", "exception": None}
    assert len(found_in(tmp_path / "log", json.dumps(told))) == 1
    ending = {**line, "logger": "celery.bootsteps", "message": "Error on stopping Hub"}
    assert found_in(tmp_path / "log", json.dumps(ending)) == []


def test_outage_of_a_server_explains_what_was_written_soon_after(tmp_path: Path) -> None:
    now = time.time()
    soon = Outages([("Redis", now - 20, now - GRACE_SECONDS + 5)])
    late = Outages([("Redis", now - 99, now - GRACE_SECONDS - 5)])

    assert found_in(tmp_path / "log", REFUSED, soon) == []
    assert len(found_in(tmp_path / "log", REFUSED, late)) == 1


def test_outage_explains_nothing_that_has_to_do_with_no_connection(tmp_path: Path) -> None:
    soon = Outages([("Redis", time.time() - 20, time.time())])
    line = {"logger": "celery.app.trace", "message": "Task raised", "exception": RAISED}
    chained = (
        f"{REFUSED}\nDuring handling of the above exception, another one occurred:\n\n{RAISED}"
    )
    another = json.dumps({**line, "exception": REFUSED})

    assert len(found_in(tmp_path / "log", set_in("it broke"), soon)) == 1
    assert len(found_in(tmp_path / "log", json.dumps(line) + "\n" + another, soon)) == 1
    assert found_in(tmp_path / "log", json.dumps({**line, "exception": chained}), soon) == []


def test_web_process_that_crashes_is_told_but_not_one_that_was_killed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(
        "2026-11-29 ERROR gunicorn.error Worker (pid:7) was sent SIGKILL! Perhaps out of memory?\n"
    )
    assert list(crashes_in(log)) == []

    log.write_text(
        "2026-11-29 ERROR gunicorn.error Worker (pid:7) was sent SIGBUS!\n"
        "2026-11-29 ERROR gunicorn.error Worker (pid:8) exited with code 1.\n"
    )
    assert [breach.what for breach in crashes_in(log)] == [
        "a web process exited with code 1",
        "a web process was sent SIGBUS",
    ]


def test_worker_that_has_told_why_it_ends_may_take_its_time(tmp_path: Path) -> None:
    text = set_in("celery.bootsteps Error on stopping Hub: AttributeError()")

    assert found_in(tmp_path / "log", text) == []
    assert len(found_in(tmp_path / "log", text + set_in("celery.worker Unrecoverable error"))) == 1
