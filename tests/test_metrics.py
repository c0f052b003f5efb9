"""What Prometheus is told: by whom it may be asked, what it costs, and that it is true."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from celery import current_app
from django.conf import settings as our_settings
from django.core.management import call_command
from django.db import OperationalError
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from config import processes
from config.processes import forget_ended_processes
from onboarding import credentials, metrics, podero, tasks
from onboarding.models import Breaker, JobRun, Mail, OnboardingSession, PoderoUser
from onboarding.states import State
from tests.conftest import StartApp
from tests.factories import make_attempt, make_consent, make_device
from tests.servers import ROOT
from tests.settings import ENVIRONMENT
from tests.simulator.launch import RunningSimulator
from tests.tooling.test_processes import link, wait_for

TOKEN = "only-for-tests"
LAST = "onboarding_job_last_success_timestamp_seconds"
Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture(autouse=True)
def _read_anew() -> Iterator[None]:
    metrics.forget_what_was_read()
    yield
    metrics.forget_what_was_read()


def told(text: str | None = None) -> Series:
    text = metrics.exposition().decode() if text is None else text
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(name: str, series: Series | None = None, **labels: str) -> float:
    found = told() if series is None else series
    return found[name, frozenset(labels.items())]


@pytest.mark.django_db
@pytest.mark.parametrize("given", ["", "Bearer wrong", "only-for-tests", "Bearer only-for-testsä"])
def test_there_is_no_such_page_without_the_token(given: str, settings: Any) -> None:
    settings.METRICS_TOKEN = TOKEN

    answer = Client().get("/health/metrics", headers={"Authorization": given})

    assert answer.status_code == 404
    assert b"onboarding_" not in answer.content


@pytest.mark.parametrize("given", ["Bearer ", "Bearer", "Bearer None"])
def test_there_is_no_such_page_where_no_token_is_set(given: str, settings: Any) -> None:
    settings.METRICS_TOKEN = ""

    assert Client().get("/health/metrics", headers={"Authorization": given}).status_code == 404


@pytest.mark.django_db
def test_whoever_has_the_token_is_told(settings: Any) -> None:
    settings.METRICS_TOKEN = TOKEN

    answer = Client(HTTP_HOST="10.0.0.7").get(
        "/health/metrics", headers={"Authorization": f"Bearer {TOKEN}"}
    )

    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert value("onboarding_database_up", told(answer.content.decode())) == 1


@pytest.mark.django_db
def test_gauges_say_what_the_database_holds(settings: Any) -> None:
    settings.IS_MAIL_ON = True
    now = timezone.now()
    make_attempt(state=State.OPEN, next_try_at=now + timedelta(hours=1))
    make_attempt(state=State.OPEN, next_try_at=now - timedelta(seconds=40))
    make_attempt(state=State.RETURNED, next_try_at=now - timedelta(seconds=300))
    device = make_device(attempt=make_attempt(state=State.LINKED, next_try_at=None))
    device.confirm(now=now - timedelta(seconds=70))
    Mail.objects.create(consent=make_consent(), kind="receipt", next_try_at=now)
    Mail.objects.create(consent=make_consent(), kind="receipt", next_try_at=None, sent_at=now)
    JobRun.record_success("send_due_mails", at=now)

    series = told()

    assert value("onboarding_attempts", series, state="open") == 2
    assert value("onboarding_attempts", series, state="returned") == 1
    assert value("onboarding_attempts", series, state="failed") == 0
    assert value("onboarding_mails_due", series) == 1
    assert 300 <= value("onboarding_queue_age_seconds", series, kind="returns") < 330
    assert 40 <= value("onboarding_queue_age_seconds", series, kind="look_ups") < 70
    assert 70 <= value("onboarding_queue_age_seconds", series, kind="switches") < 100
    assert 0 <= value("onboarding_queue_age_seconds", series, kind="mails") < 30
    assert value(LAST, series, task="send_due_mails") == pytest.approx(now.timestamp(), abs=1)
    assert value(LAST, series, task="expire_due_attempts") == 0


@pytest.mark.django_db
def test_no_mail_is_late_where_none_is_sent_any_more(settings: Any) -> None:
    settings.IS_MAIL_ON = False
    long_ago = timezone.now() - timedelta(days=1)
    Mail.objects.create(consent=make_consent(), kind="receipt", next_try_at=long_ago, tries=5)

    series = told()

    assert value("onboarding_mails_due", series) == 0
    assert value("onboarding_queue_age_seconds", series, kind="mails") == 0
    assert value("onboarding_stuck", series, kind="mails") == 0


@pytest.mark.django_db
def test_what_was_tried_in_vain_again_and_again_is_told_although_it_is_not_late(
    settings: Any,
) -> None:
    """A device that stays on after its customer left is due only hours later each time."""
    settings.IS_MAIL_ON = True
    later = timezone.now() + timedelta(hours=6)
    linked: dict[str, Any] = {
        "attempt": make_attempt(state=State.LINKED, next_try_at=None),
        "next_try_at": later,
    }
    make_device(**linked, is_optimization_in_doubt=True, tries=5)
    make_device(**linked, is_optimization_active=True, tries=4)
    make_device(
        **linked, is_optimization_wanted=True, confirmed_at=later, tries=9
    )  # to be switched on: nobody is steered who should not be
    make_attempt(state=State.RETURNED, next_try_at=later, tries=5)
    Mail.objects.create(consent=make_consent(), kind="receipt", next_try_at=later, tries=5)
    Mail.objects.create(consent=make_consent(), kind="receipt", next_try_at=None, tries=5)
    wanted: dict[str, Any] = {"removal_wanted_at": later}
    make_device(**wanted, removal_due_at=None)
    make_device(**wanted, removal_due_at=later, removal_tries=5)
    make_device(**wanted, removal_due_at=later, removal_tries=1)
    make_device(**wanted, removed_at=later)
    PoderoUser.objects.filter(pk=make_attempt().podero_user_id).update(**wanted)

    series = told()

    found = {kind: value("onboarding_stuck", series, kind=kind) for kind in metrics.STUCK}
    assert found == {"switches_off": 1, "returns": 1, "mails": 1, "removals": 3}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("open_for", "state"),
    [(None, "closed"), (timedelta(minutes=1), "open"), (timedelta(minutes=-1), "half_open")],
)
def test_breaker_is_in_one_state(open_for: timedelta | None, state: str) -> None:
    now = timezone.now()
    until = now + open_for if open_for is not None else None
    Breaker.objects.create(pk=1, window_started_at=now, open_until=until)

    series = told()

    assert [value("onboarding_breaker", series, state=each) for each in metrics.BREAKER_STATES] == [
        float(each == state) for each in metrics.BREAKER_STATES
    ]


@pytest.mark.django_db
def test_asking_again_at_once_asks_the_database_nothing(
    django_assert_num_queries: Any, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(29):
        told()
    with django_assert_num_queries(0):
        told()


@pytest.mark.django_db
def test_counting_ends_somewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "COUNTED_ROWS", 2)
    for _attempt in range(3):
        make_attempt()

    assert OnboardingSession.objects.count() == 3
    assert value("onboarding_attempts", state="started") == 2


@pytest.mark.django_db
def test_database_that_is_away_is_told_and_calls_are_told_still(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def away() -> None:
        raise OperationalError

    monkeypatch.setattr(metrics, "_attempts", away)
    metrics.note_call("create_user", "ok", 0.2)

    series = told()

    assert value("onboarding_database_up", series) == 0
    assert value("onboarding_podero_calls_total", series, endpoint="create_user", outcome="ok") > 0


@pytest.mark.django_db
def test_calls_are_counted_and_timed_but_for_those_not_made() -> None:
    def seen(**labels: str) -> tuple[float, float]:
        series = told()
        calls = series.get(("onboarding_podero_calls_total", frozenset(labels.items())), 0)
        endpoint = frozenset({("endpoint", labels["endpoint"])})
        return calls, series.get(("onboarding_podero_call_seconds_count", endpoint), 0)

    before = seen(endpoint="boost", outcome="timeout")
    held_before = seen(endpoint="boost", outcome="held_back")
    metrics.note_call("boost", "timeout", 8)
    metrics.note_call("boost", "held_back", 0)

    assert seen(endpoint="boost", outcome="timeout") == (before[0] + 1, before[1] + 1)
    assert seen(endpoint="boost", outcome="held_back")[0] == held_before[0] + 1


def test_files_of_a_process_have_all_their_room_before_anything_is_counted() -> None:
    """What is written into them as into memory would end the process where the disk is full."""
    metrics.note_call("create_user", "ok", 0.2)

    for kind in ("counter", "histogram"):
        told = (our_settings.METRICS_DIR / f"{kind}_{os.getpid()}.db").stat()
        assert told.st_blocks * 512 >= metrics.ROOM_BYTES


def test_process_that_counts_nothing_touches_no_file(tmp_path: Path) -> None:
    """Or it could not even begin where the disk is full."""
    env = os.environ | ENVIRONMENT | {"VAR_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    ask = "import django; django.setup(); import onboarding.clients"

    subprocess.run(
        [sys.executable, "-c", ask],
        env=env | {"DJANGO_SETTINGS_MODULE": "config.settings"},
        cwd=tmp_path,
        check=True,
    )

    assert list((tmp_path / "metrics").iterdir()) == []


def test_sweep_leaves_no_file_of_counts_behind(
    start_app: StartApp, simulator: RunningSimulator
) -> None:
    """Run by a timer, it would leave two each minute."""
    app = start_app(simulator)
    link(app, simulator, "M-2")
    folder = app.var_dir / "metrics"
    before = set(folder.iterdir())

    # Until it is time to ask Podero again.
    wait_for(lambda: "endpoint=" in app.manage("sweep").stderr)

    assert set(folder.iterdir()) == before


@pytest.mark.django_db
def test_call_that_cannot_be_counted_is_made_all_the_same(
    monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_arguments: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    settings.METRICS_DIR = tmp_path

    metrics.note_call("create_user", "ok", 0.2)
    metrics.note_turned_away()

    assert [record.message for record in caplog.records] == ["Could not be counted"] * 2


@pytest.mark.django_db
def test_each_scheduled_task_leaves_when_it_succeeded() -> None:
    before = timezone.now()

    for name in our_settings.SCHEDULED_JOBS:
        tasks.remember_success(sender=current_app.tasks[f"onboarding.{name}"])
    tasks.remember_success(sender=tasks.verify_return)

    runs = dict(JobRun.objects.values_list("name", "succeeded_at"))
    assert set(runs) == set(our_settings.SCHEDULED_JOBS)
    assert min(runs.values()) >= before


@pytest.mark.django_db
def test_job_that_is_shared_out_is_as_late_as_the_latest_of_its_passes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = timezone.now()
    beat = our_settings.CELERY_BEAT_SCHEDULE
    shares: dict[str, Any] = {f"look_up_due_attempts-{number}": {} for number in (1, 2)}
    monkeypatch.setattr(our_settings, "CELERY_BEAT_SCHEDULE", beat | shares)
    for name, minutes in (("look_up_due_attempts", 1), ("look_up_due_attempts-1", 50)):
        JobRun.record_success(name, at=now - timedelta(minutes=minutes))
    JobRun.record_success("look_up_due_attempts-7", at=now - timedelta(days=9))  # there once
    assert value(LAST, task="look_up_due_attempts") == 0

    JobRun.record_success("look_up_due_attempts-2", at=now)

    metrics.forget_what_was_read()
    expected = (now - timedelta(minutes=50)).timestamp()
    assert value(LAST, task="look_up_due_attempts") == pytest.approx(expected, abs=1)
    assert (LAST, frozenset({("task", "look_up_due_attempts-7")})) not in told()


@pytest.mark.django_db
def test_each_pass_leaves_when_it_succeeded() -> None:
    task = current_app.tasks["onboarding.fetch_due_savings"]

    task.apply(kwargs={"number": 2, "of": 3})

    assert JobRun.objects.filter(name="fetch_due_savings-2").exists()


def test_success_is_remembered_by_celerys_own_signal() -> None:
    from celery.signals import task_success  # noqa: PLC0415

    receivers = [str(receiver) for _key, receiver in task_success.receivers]
    assert any("remember_success" in receiver for receiver in receivers)


ENDED = ("histogram_999999999.db", "counter_999999999.db")


def test_counts_are_forgotten_when_nobody_counts_any_more(tmp_path: Path) -> None:
    for name in (*ENDED, "note.txt"):
        (tmp_path / name).touch()

    forget_ended_processes(tmp_path)

    assert [file.name for file in tmp_path.iterdir()] == ["note.txt"]


def test_counts_of_ended_processes_stay_while_others_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sum that falls would be read as one that began anew, and all of it as news."""
    for name in (*ENDED, "counter_1.db"):
        (tmp_path / name).touch()

    forget_ended_processes(tmp_path)
    assert len(list(tmp_path.iterdir())) == 3

    monkeypatch.setattr(processes, "MANY", 2)
    forget_ended_processes(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["counter_1.db"]


def test_web_process_that_ends_again_and_again_does_not_fill_the_disk(
    start_app: StartApp, simulator: RunningSimulator
) -> None:
    """gunicorn begins a new one each time, and itself goes on."""
    app = start_app(simulator)
    folder = app.var_dir / "metrics"
    master = app.processes["web"].pid
    for number in range(processes.MANY + 1):
        (folder / f"counter_{999_000_000 + number}.db").touch()
    [child, *_others] = Path(f"/proc/{master}/task/{master}/children").read_text().split()

    os.kill(int(child), signal.SIGKILL)

    wait_for(lambda: not list(folder.glob("counter_999*.db")))


def test_command_prints_what_was_counted_here_and_nothing_else(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Read from a file, the rest would hide that no web process tells it any more."""
    metrics.note_call("create_user", "ok", 0.2)

    call_command("metrics")

    printed = told(capsys.readouterr().out)
    assert value("onboarding_podero_calls_total", printed, endpoint="create_user", outcome="ok") > 0
    assert {"onboarding_database_up", LAST}.isdisjoint(name for name, _labels in printed)


@pytest.mark.django_db
def test_errors_of_requests_and_tasks_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    def count(where: str) -> float:
        return told().get(("onboarding_errors_total", frozenset({("where", where)})), 0)

    before = count("request"), count("task")
    monkeypatch.setattr("onboarding.views.health.JsonResponse", None)

    assert Client(raise_request_exception=False).get("/health/live").status_code == 500
    tasks.verify_return.apply(kwargs={"attempt_id": 0}, throw=False)

    assert (count("request"), count("task")) == (before[0] + 1, before[1] + 1)


def test_calls_of_web_and_worker_are_added_up_at_one_place(
    start_app: StartApp, simulator: RunningSimulator
) -> None:
    app = start_app(simulator, with_worker=True, METRICS_TOKEN=TOKEN, WEB_WORKERS="2")

    def scraped() -> Series:
        answer = requests.get(
            f"{app.base_url}/health/metrics",
            headers={"Authorization": f"Bearer {TOKEN}"},
            timeout=10,
        )
        assert answer.status_code == 200
        return told(answer.text)

    def counted(endpoint: str, outcome: str) -> float:
        labels = frozenset({"endpoint": endpoint, "outcome": outcome}.items())
        return scraped().get(("onboarding_podero_calls_total", labels), 0)

    link(app, simulator, "M-1")

    # The web process met the fault, the worker came after it.
    wait_for(lambda: counted("find_device", "ok") == 1)
    assert counted("find_device", "server_error") == 1
    assert counted("create_user", "ok") == 1
    assert counted("fetch_token", "ok") == 1
    printed = told(app.manage("metrics").stdout)
    assert (
        value("onboarding_podero_calls_total", printed, endpoint="find_device", outcome="ok") == 1
    )


def test_readiness_tells_each_part(start_app: StartApp, simulator: RunningSimulator) -> None:
    app = start_app(simulator)

    answer = requests.get(f"{app.base_url}/health/ready", timeout=10)

    assert answer.json() == {
        "status": "ok",
        "database": "ok",
        "broker": "ok",
        "cache": "ok",
        "podero": "ok",
    }


# --- What the documents name ------------------------------------------------------------------


def have_told_everything() -> None:
    metrics.note_call("create_user", "ok", 0.2)
    metrics.note_error("request")
    metrics.note_turned_away()
    credentials.note_refusal()
    credentials.note_acceptance()


def named_in(text: str) -> set[str]:
    return set(re.findall(r"\bonboarding_[a-z_]+", text))


def named_by(rules: str, label: str) -> set[str]:
    found = re.findall(rf'{label}(?:=~?|!=|!~)"([\w|]+)"', rules)
    return {name for each in found for name in each.split("|")}


@pytest.mark.django_db
def test_refused_credentials_are_told_whichever_process_found_out() -> None:
    assert ("onboarding_credentials_refused", frozenset()) not in told()

    credentials.note_refusal()
    assert value("onboarding_credentials_refused") == 1

    credentials.note_acceptance()
    assert value("onboarding_credentials_refused") == 0


def test_refusal_that_another_process_has_noted_is_soon_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    credentials.note_acceptance()
    looks_at = credentials._says_at
    credentials.note_refusal()
    # It was not this one, which has looked a moment ago.
    monkeypatch.setattr(credentials, "_says_at", looks_at)

    credentials.note_acceptance()
    assert credentials.are_refused()

    monkeypatch.setattr(credentials, "_says_at", looks_at - credentials._SAID_SECONDS)
    credentials.note_acceptance()
    assert not credentials.are_refused()


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["monitoring.md", "alerts.yaml", "dashboard.json"])
def test_each_metric_in_the_documents_exists(name: str) -> None:
    have_told_everything()
    exposed = metrics.exposition().decode()
    existing = {series for series, _labels in told(exposed)}
    existing |= {family.name for family in text_string_to_metric_families(exposed)}

    named = named_in((ROOT / "docs" / name).read_text())

    assert named
    assert named <= existing


@pytest.mark.django_db
def test_each_metric_is_in_the_documents() -> None:
    have_told_everything()
    families = {
        family.name for family in text_string_to_metric_families(metrics.exposition().decode())
    }

    described = (ROOT / "docs" / "monitoring.md").read_text()

    assert {name for name in families if name not in described} == set()


@pytest.mark.django_db
def test_no_label_is_one_that_prometheus_gives_itself() -> None:
    """It would rename ours, and each rule that asks for it would look at the target's instead."""
    samples = [
        sample
        for family in text_string_to_metric_families(metrics.exposition().decode())
        for sample in family.samples
    ]

    assert {"kind", "task"} <= {label for sample in samples for label in sample.labels}
    assert not [sample.name for sample in samples if {"job", "instance"} & sample.labels.keys()]


def test_labels_in_alerts_are_ones_that_are_told() -> None:
    rules = (ROOT / "docs" / "alerts.yaml").read_text()

    stuck = set(re.findall(r'stuck\{kind="(\w+)"', rules))
    queues = named_by(re.sub(r"stuck\{.*", "", rules), "kind")
    endpoints = named_by(rules, "endpoint")
    outcomes = named_by(rules, "outcome")
    tasks = named_by(rules, "task")
    states = set(re.findall(r'state="(\w+)"', rules))
    assert queues == set(metrics.QUEUES)
    assert stuck == set(metrics.STUCK)
    assert all(name == "fetch_token" or hasattr(podero.PoderoClient, name) for name in endpoints)
    assert outcomes <= {"ok", *(code.value for code in podero.Code)}
    assert {"sweep", "erase_what_is_over"} <= tasks <= {"sweep", *our_settings.SCHEDULED_JOBS}
    assert states <= {*metrics.BREAKER_STATES, *State.values}


def test_dashboard_is_one_that_grafana_can_read() -> None:
    board = json.loads((ROOT / "docs" / "dashboard.json").read_text())

    assert board["title"]
    assert all(panel["targets"][0]["expr"] for panel in board["panels"])
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
