"""Readiness by part: what stops customers, what is merely missed, and an answer in any case."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import environ
import pytest
from django.db import OperationalError
from django.db.utils import ConnectionHandler
from django.test import Client
from django.utils import timezone

from onboarding import credentials, health, tasks
from onboarding.health import Part
from onboarding.models import Breaker
from tests.factories import make_customer
from tests.journeys.customer import Customer
from tests.servers import RunningServer
from tests.simulator.launch import RunningSimulator


@pytest.fixture(autouse=True)
def _ask_anew() -> Iterator[None]:
    health.parts.cache_clear()
    yield
    health.parts.cache_clear()


def ready() -> tuple[int, dict[str, str]]:
    answer = Client().get("/health/ready")
    return answer.status_code, answer.json()


@pytest.mark.django_db
def test_all_is_well() -> None:
    assert ready() == (
        200,
        {"status": "ok", "database": "ok", "broker": "ok", "cache": "ok", "podero": "ok"},
    )


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
def test_answers_to_probers_name_the_request(path: str) -> None:
    name = "0f2d9c1a4b3e4f5a8c7d6e5f4a3b2c1d"

    assert Client().get(path, headers={"X-Request-ID": name}).headers["X-Request-ID"] == name
    assert Client().get(path, headers={"X-Request-ID": "a b"}).headers["X-Request-ID"] != "a b"


@pytest.mark.django_db
@pytest.mark.parametrize("word", ["unreachable", "not migrated", "no answer"])
def test_only_the_database_stops_customers(word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    health.parts()["database"] = Part(lambda: word, within_seconds=1)

    status, told = ready()

    assert status == 503
    assert (told["status"], told["database"]) == ("unavailable", word)


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["broker", "cache", "podero"])
def test_customers_are_served_without_the_rest(name: str) -> None:
    health.parts()[name] = Part(lambda: "unreachable", within_seconds=1)

    status, told = ready()

    assert (status, told["status"], told[name]) == (200, "degraded", "unreachable")


@pytest.mark.django_db
def test_database_that_refuses_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_args: object) -> Any:
        raise OperationalError

    monkeypatch.setattr(health, "MigrationExecutor", away)

    assert ready()[0] == 503
    assert ready()[1]["database"] == "unreachable"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("is_standby", "word"), [("on", "read only"), ("off", "not migrated")], ids=str
)
def test_database_that_takes_no_writes_takes_no_customers(
    is_standby: str, word: str, postgres_server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading alone would not tell a standby from the server whose place it is to take."""
    address = postgres_server.create_database(f"standby_{is_standby}")
    options = {"options": f"-c default_transaction_read_only={is_standby}"}
    database = environ.Env.db_url_config(address) | {"OPTIONS": options}
    servers = ConnectionHandler({"default": database})
    monkeypatch.setattr(health, "connection", servers["default"])

    assert health._database() == word

    servers["default"].close()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("seconds", "word"), [(60, "breaker open"), (-60, "breaker half open")])
def test_breaker_is_told(seconds: int, word: str) -> None:
    now = timezone.now()
    Breaker.objects.create(pk=1, window_started_at=now, open_until=now + timedelta(seconds=seconds))

    assert ready()[1] | {"broker": "", "cache": ""} == {
        "status": "degraded",
        "database": "ok",
        "broker": "",
        "cache": "",
        "podero": word,
    }


@pytest.mark.django_db(transaction=True)
def test_credentials_that_podero_refuses_are_told_until_it_takes_them(
    podero_settings: Any, simulator: RunningSimulator
) -> None:
    simulator.control.arm("token", "http_401", count=1)
    Customer(make_customer()).opt_in()

    assert ready()[1]["podero"] == "credentials refused"

    Customer(make_customer()).opt_in()
    health.parts.cache_clear()
    assert ready()[1]["podero"] == "ok"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("answer", ["http_400", "http_401", "http_403"])
def test_wrong_secret_is_told_before_the_first_customer_comes(
    podero_settings: Any, simulator: RunningSimulator, answer: str
) -> None:
    simulator.control.arm("token", answer, count=-1)
    tasks.have_a_token()
    assert ready()[1]["podero"] == "credentials refused"

    simulator.control.clear_faults()
    # Mended, and started anew: the processes that had noted it are gone.
    credentials._says_at = 0.0
    Customer(make_customer()).opt_in()

    health.parts.cache_clear()
    assert ready()[1]["podero"] == "ok"


@pytest.mark.django_db(transaction=True)
def test_token_that_ran_out_is_no_refusal(
    podero_settings: Any, simulator: RunningSimulator
) -> None:
    customer = Customer(make_customer())
    customer.opt_in()
    simulator.control.expire_tokens()

    Customer(make_customer()).opt_in()

    assert not credentials.are_refused()


def test_part_that_hangs_is_given_up_on_and_not_asked_twice() -> None:
    release, asked = threading.Event(), []

    def hang() -> str:
        asked.append(1)
        release.wait(10)
        return "ok"

    part = Part(hang, within_seconds=0.05)
    started = time.monotonic()

    words = [part.word() for _time in range(4)]

    assert words == ["no answer"] * 4
    assert time.monotonic() - started < 1
    assert len(asked) == 1
    release.set()
    assert part._thread is not None
    part._thread.join(5)
    assert part.word() == "ok"


@pytest.mark.django_db
def test_parts_that_hang_are_waited_for_all_at_once() -> None:
    release = threading.Event()
    for name in ("broker", "cache", "podero"):
        health.parts()[name] = Part(lambda: str(release.wait(10)), within_seconds=0.4)
    started = time.monotonic()

    _status, told = ready()

    assert [told[name] for name in ("broker", "cache", "podero")] == ["no answer"] * 3
    assert time.monotonic() - started < 0.8
    release.set()


def test_who_asks_while_another_is_being_answered_reads_no_other_word() -> None:
    """The word of before stands until there is a new one."""
    begun, release = threading.Event(), threading.Event()
    words = iter(["ok", "unreachable"])

    def ask() -> str:
        word = next(words)
        begun.set()
        release.wait(10)
        return word

    part = Part(ask, within_seconds=5)
    release.set()
    assert part.word() == "ok"
    begun.clear()
    release.clear()
    part.begin()
    begun.wait(5)

    assert part._word == "ok"
    release.set()
    assert part.answer() == "unreachable"


def test_answer_is_kept_for_its_time() -> None:
    words = iter(["first", "second"])
    part = Part(lambda: next(words), within_seconds=1, kept_seconds=60)

    assert [part.word(), part.word()] == ["first", "first"]
