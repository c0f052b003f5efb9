"""Redis refuses, does not answer, comes back empty: customers notice nothing, and nothing is lost."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from celery import current_app
from django.core.cache.backends.redis import RedisCache
from django.utils import timezone
from redis import Redis

from config.caching import RedisWhileItAnswers
from onboarding import health, messages
from onboarding.tasks import switch_customer_devices
from tests import servers
from tests.conftest import StartApp, missing
from tests.servers import ROOT, RunningApp, RunningServer
from tests.simulator.launch import RunningSimulator
from tests.tooling.test_processes import wait_for

REFUSED_SECONDS = 0.05
SILENT_SECONDS = 0.3
# What a busy machine may add to a figure.
SLACK_SECONDS = 0.15
BEARER = {"Authorization": "Bearer only-for-tests"}


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RunningServer]:
    """A Redis that the test may stop."""
    try:
        server = servers.start_redis()
    except servers.NotInstalled as reason:
        missing(str(reason))
    yield server
    os.kill(server.pid, signal.SIGCONT)
    server.stop()


@pytest.fixture
def broker(redis: RunningServer, settings: Any) -> Iterator[None]:
    """Messages go to that Redis."""
    settings.REDIS_URL = redis.url
    conf = current_app.conf
    before = conf.broker_url, conf.broker_transport
    conf.update(broker_url=redis.url, broker_transport=None)
    forget()
    yield
    conf.update(broker_url=before[0], broker_transport=before[1])
    forget()


def forget() -> None:
    messages._away_until = 0.0
    messages._producers.cache_clear()
    health.parts.cache_clear()


def silence(server: RunningServer) -> None:
    os.kill(server.pid, signal.SIGSTOP)


def timed(act: Callable[[], Any]) -> tuple[Any, float]:
    started = time.perf_counter()
    result = act()
    return result, time.perf_counter() - started


def send() -> bool:
    return messages.send(switch_customer_devices, customer_id=1)


@pytest.mark.usefixtures("broker")
def test_refusing_broker_costs_a_request_nothing(redis: RunningServer) -> None:
    assert send()
    os.kill(redis.pid, signal.SIGKILL)

    for _time in range(3):
        messages._away_until = 0.0
        is_sent, seconds = timed(send)
        assert not is_sent
        assert seconds < REFUSED_SECONDS + SLACK_SECONDS
    assert timed(send)[1] < 0.005


@pytest.mark.usefixtures("broker")
def test_silent_broker_is_waited_for_once_and_not_for_long(redis: RunningServer) -> None:
    assert send()
    silence(redis)

    is_sent, seconds = timed(send)
    again, next_seconds = timed(send)

    assert (is_sent, again) == (False, False)
    assert seconds < SILENT_SECONDS + SLACK_SECONDS
    assert next_seconds < 0.005


@pytest.mark.usefixtures("broker")
def test_broker_that_is_back_is_used_again(redis: RunningServer) -> None:
    send()
    silence(redis)
    send()
    os.kill(redis.pid, signal.SIGCONT)

    messages._away_until = 0.0

    assert send()


@pytest.mark.usefixtures("broker")
def test_messages_end_and_can_be_thrown_away(redis: RunningServer) -> None:
    """Workers may be away for a weekend; where none is at all, nobody takes what is sent."""
    assert send()
    assert send()
    with Redis.from_url(redis.url) as server:
        waiting = [json.loads(message) for message in server.lrange("celery", 0, -1)]
        messages.forget_all()
        left = server.llen("celery")

    ends = [datetime.fromisoformat(message["headers"]["expires"]) for message in waiting]
    assert [
        timedelta(seconds=60) < end - timezone.now() <= timedelta(seconds=120) for end in ends
    ] == [
        True,
        True,
    ]
    assert left == 0


@pytest.mark.usefixtures("broker")
def test_broker_that_is_away_has_nothing_thrown_away(redis: RunningServer) -> None:
    silence(redis)

    _nothing, seconds = timed(messages.forget_all)

    assert seconds < SILENT_SECONDS + SLACK_SECONDS


@pytest.mark.usefixtures("broker")
def test_readiness_tells_of_a_silent_broker_in_time(redis: RunningServer) -> None:
    assert health.parts()["broker"].word() == "ok"
    silence(redis)
    health.parts.cache_clear()

    word, seconds = timed(health.parts()["broker"].word)

    assert word in ("unreachable", "no answer")
    assert seconds < health.SERVER_SECONDS + SLACK_SECONDS


@pytest.fixture(autouse=True)
def _redis_is_tried() -> None:
    RedisWhileItAnswers.away_until = 0.0


def cache_at(server: RunningServer) -> RedisWhileItAnswers:
    options = {"socket_connect_timeout": 0.2, "socket_timeout": 0.2}
    return RedisWhileItAnswers(server.url, {"OPTIONS": options})


def test_cache_that_is_away_is_an_empty_one(redis: RunningServer) -> None:
    cache = cache_at(redis)
    cache.set("key", "value")
    assert cache.get("key") == "value"
    silence(redis)

    answer, seconds = timed(lambda: cache.get("key", "nothing"))

    assert answer == "nothing"
    assert seconds < SILENT_SECONDS + SLACK_SECONDS
    answers, seconds = timed(
        lambda: [
            cache.add("key", 1),
            cache.set("key", 1),
            cache.touch("key"),
            cache.delete("key"),
            cache.get_many(["key"]),
            cache.has_key("key"),
            cache.set_many({"key": 1}),
            cache.delete_many(["key"]),
            cache.clear(),
            cache.get("key"),
        ]
    )
    assert answers == [True, None, False, False, {}, False, ["key"], None, False, None]
    assert seconds < 0.05
    with pytest.raises(ValueError, match="away"):
        cache.incr("key")
    # Each thread of a process has a cache of its own; they wait together, once.
    assert timed(lambda: cache_at(redis).get("key"))[1] < 0.05


def test_every_method_of_the_cache_can_do_without_redis() -> None:
    public = {name for name in vars(RedisCache) if not name.startswith("_")}

    assert public - set(vars(RedisWhileItAnswers)) <= {"get_backend_timeout"}


# --- The whole app ----------------------------------------------------------------------------


class Person:
    """Somebody with a browser, at the real app."""

    def __init__(self, app: RunningApp, number: str) -> None:
        self.app = app
        self.browser = requests.Session()
        self.slowest = 0.0
        self.get(app.handoff_link(number, f"{number}@example.com"))

    def get(self, address: str) -> requests.Response:
        return self._timed(lambda: self.browser.get(address, timeout=20))

    def post(self, page: requests.Response, **fields: str) -> requests.Response:
        hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page.text))
        return self._timed(
            lambda: self.browser.post(
                page.url, data={**hidden, **fields}, allow_redirects=False, timeout=20
            )
        )

    def opt_in(self) -> str:
        """Returns the id of the session that Podero made."""
        page = self.get(f"{self.app.base_url}/optimize/consent/?device_type=ev")
        answer = self.post(page, device_type="ev", allows_control="on", allows_data_exchange="on")
        return answer.headers["Location"].rpartition("onboarding_session_id=")[2]

    def withdraw(self) -> requests.Response:
        return self.post(self.get(f"{self.app.base_url}/optimize/leave/"))

    def _timed(self, act: Callable[[], requests.Response]) -> requests.Response:
        started = time.perf_counter()
        answer = act()
        self.slowest = max(self.slowest, time.perf_counter() - started)
        assert answer.status_code in (200, 302), answer.text
        return answer


def steered(simulator: RunningSimulator) -> list[bool]:
    devices = simulator.control.state(journal=0)["devices"]
    return [bool(device["fields"]["is_smart_optimization_active"]) for device in devices]


def readiness(app: RunningApp) -> Any:
    answer = requests.get(f"{app.base_url}/health/ready", timeout=5)
    assert answer.status_code == 200
    return answer.json()


def is_told_without_broker(told: dict[str, str]) -> bool:
    return told["status"] == "degraded" and told["broker"] != "ok"


def test_customers_come_return_and_leave_while_redis_does_not_answer(
    start_app: StartApp, simulator: RunningSimulator, redis: RunningServer, tmp_path: Path
) -> None:
    app = start_app(
        simulator,
        with_worker=True,
        REDIS_URL=redis.url,
        LOG_FORMAT="json",
        METRICS_TOKEN="only-for-tests",
    )
    app.processes["second-beat"] = servers.spawn(
        [sys.executable, "-m", "celery", "-A", "config", "beat", "-s", str(tmp_path / "second")],
        log=app.log_file("second-beat"),
        cwd=ROOT,
        env=app.env,
    )
    person = Person(app, "R-1")
    session = person.opt_in()
    silence(redis)
    person.slowest = 0.0

    person.get(str(simulator.control.complete(session).redirect_url))
    assert steered(simulator) == [True]
    simulator.control.arm("get_device", "http_503", count=1)
    other = Person(app, "R-2")
    second_session = other.opt_in()
    other.get(str(simulator.control.complete(second_session).redirect_url))
    person.withdraw()

    assert max(person.slowest, other.slowest) < 2.0
    # In one answer: each process keeps what each part has said, and not for the same while.
    wait_for(lambda: is_told_without_broker(readiness(app)), seconds=10)

    os.kill(redis.pid, signal.SIGCONT)
    wait_for(lambda: steered(simulator) == [False, True], seconds=120)
    assert readiness(app)["status"] == "ok"
    told = requests.get(f"{app.base_url}/health/metrics", headers=BEARER, timeout=10).text
    assert 'last_success_timestamp_seconds{task="switch_due_devices"} 1' in told
    app.stop()
    assert "Traceback" not in app.log_file("web").read_text()
    for key in ("token=ey", "onboarding_session_id=", "@example.com", "demo-secret"):
        assert key not in app.logs()
