"""What stands between a web server and the pages: static names, health checks, the shared cache."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

import pytest
from django.core.cache import cache
from django.test import Client
from redis.exceptions import ConnectionError as RedisAway

from config.storage import HashedFiles
from onboarding import clients
from onboarding.clients import CachedToken
from tests.factories import make_customer
from tests.journeys.customer import Customer
from tests.servers import ROOT, app_environment
from tests.simulator.launch import RunningSimulator, free_port

PROBES = ["/health/live", "/health/ready"]
KEY = "token-of-a-test"


class CacheAway:
    """A cache whose server does not answer."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def get(self, key: str) -> NoReturn:
        self._fail("get")

    def set(self, key: str, value: str, timeout: int) -> NoReturn:
        self._fail("set")

    def delete(self, key: str) -> NoReturn:
        self._fail("delete")

    def _fail(self, name: str) -> NoReturn:
        self.asked.append(name)
        raise RedisAway


@pytest.fixture
def cache_away(monkeypatch: pytest.MonkeyPatch) -> CacheAway:
    away = CacheAway()
    monkeypatch.setattr(clients, "shared_cache", away)
    return away


@pytest.fixture
def https_settings(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["flex.alpenstrom.example"]
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")


def test_file_that_nobody_collected_keeps_its_plain_name(tmp_path: Path) -> None:
    files = HashedFiles(location=tmp_path, base_url="/static/")

    assert files.url("css/base.css") == "/static/css/base.css"
    assert files.stored_name("css/base.css") == "css/base.css"


def test_collected_file_has_a_name_that_changes_with_its_content(tmp_path: Path) -> None:
    paths = {"css/base.css": "css/base.0123456789ab.css"}
    manifest = {"version": "1.1", "hash": "", "paths": paths}
    (tmp_path / "staticfiles.json").write_text(json.dumps(manifest))

    files = HashedFiles(location=tmp_path, base_url="/static/")

    assert files.url("css/base.css") == "/static/css/base.0123456789ab.css"
    assert files.url("css/newer.css") == "/static/css/newer.css"


@pytest.mark.django_db
@pytest.mark.parametrize("host", ["localhost", "10.0.0.7:8000", "elsewhere.example", "no host!"])
@pytest.mark.parametrize("path", PROBES)
def test_health_is_told_whatever_the_host_is_called(path: str, host: str) -> None:
    response = Client(HTTP_HOST=host).get(path)

    assert response.status_code == 200
    assert response.json()["status"] == "ok"


@pytest.mark.django_db
@pytest.mark.usefixtures("https_settings")
@pytest.mark.parametrize("path", PROBES)
def test_health_is_told_without_https(path: str) -> None:
    response = Client(HTTP_HOST="10.0.0.7").get(path)

    assert response.status_code == 200
    assert response.json()["status"] == "ok"
    assert "Location" not in response.headers


@pytest.mark.usefixtures("https_settings")
@pytest.mark.parametrize("path", ["/", "/health/", "/health/unknown"])
@pytest.mark.parametrize(
    ("host", "status"), [("flex.alpenstrom.example", 301), ("elsewhere.example", 400)]
)
def test_nothing_else_is_told_to_another_host_or_without_https(
    path: str, host: str, status: int
) -> None:
    response = Client(HTTP_HOST=host).get(path)

    assert response.status_code == status


def test_token_is_shared_through_the_cache() -> None:
    one, other = CachedToken(KEY), CachedToken(KEY)

    one.set("first", 60)

    assert (one.get(), other.get()) == ("first", "first")
    assert CachedToken(f"{KEY}-of-another-client").get() is None


def test_newer_token_of_another_process_wins() -> None:
    one, other = CachedToken(KEY), CachedToken(KEY)
    one.set("first", 60)

    other.set("second", 60)

    assert one.get() == "second"


def test_discarding_an_old_token_keeps_the_newer_one() -> None:
    one, other = CachedToken(KEY), CachedToken(KEY)
    one.set("first", 60)
    other.set("second", 60)

    one.discard("first")
    assert (one.get(), other.get()) == ("second", "second")
    one.discard("second")

    assert one.get() is None
    assert cache.get(KEY) is None


def test_token_that_one_process_discards_is_not_shared_any_more() -> None:
    one, other = CachedToken(KEY), CachedToken(KEY)
    one.set("first", 60)

    other.discard("first")

    assert (other.get(), CachedToken(KEY).get()) == (None, None)
    assert cache.get(KEY) is None


def test_each_process_does_with_its_own_token_while_the_cache_is_away(
    cache_away: CacheAway,
) -> None:
    one, other = CachedToken(KEY), CachedToken(KEY)

    one.set("first", 60)

    assert (one.get(), other.get()) == ("first", None)
    assert cache_away.asked == ["set", "get", "get"]
    assert cache.get(KEY) is None


def test_token_can_be_discarded_while_the_cache_is_away(cache_away: CacheAway) -> None:
    token = CachedToken(KEY)
    token.set("first", 60)

    token.discard("another")
    assert token.get() == "first"
    token.discard("first")

    assert token.get() is None


@pytest.mark.django_db(transaction=True)
def test_customer_is_sent_to_the_form_while_redis_is_away(
    podero_settings: Any, simulator: RunningSimulator
) -> None:
    customer = Customer(make_customer())
    podero_settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": f"redis://127.0.0.1:{free_port()}/0",
            "OPTIONS": {"socket_connect_timeout": 1, "socket_timeout": 1},
        }
    }

    response = customer.opt_in()
    customer.opt_in()

    assert response.status_code == 302
    assert response.headers["Location"].startswith(f"{simulator.base_url}?")
    assert customer.attempt.state == "open"
    assert len(simulator.control.requests_to("token")) == 1


@pytest.mark.parametrize(
    ("env", "workers", "threads", "waiting"),
    [
        ({}, "cores", "80 // workers", "threads // 2"),
        ({"WEB_WORKERS": "1"}, 1, 80, 40),
        ({"WEB_THREADS": "9"}, "cores", 9, 4),
        ({"WEB_WORKERS": "3", "WEB_THREADS": "1"}, 3, 1, 1),
        ({"WEB_THREADS": "8", "PODERO_MAX_WAITING": "7"}, "cores", 8, 7),
    ],
)
def test_half_of_the_threads_may_wait_on_podero(
    env: dict[str, str], workers: Any, threads: Any, waiting: Any, tmp_path: Path
) -> None:
    code = (
        "import runpy; web = runpy.run_path('gunicorn.conf.py')\n"
        "from config import settings\n"
        "print(web['workers'], web['threads'], settings.PODERO_MAX_WAITING)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=app_environment(tmp_path, 8000, {"WEB_WORKERS": ""} | env),
        check=True,
        capture_output=True,
        text=True,
    )

    told = tuple(int(number) for number in done.stdout.split())
    cores = min(max(len(os.sched_getaffinity(0)), 2), 8)
    expected_workers = cores if workers == "cores" else workers
    expected_threads = 80 // expected_workers if threads == "80 // workers" else threads
    expected_waiting = expected_threads // 2 if waiting == "threads // 2" else waiting
    assert told == (expected_workers, expected_threads, expected_waiting)
