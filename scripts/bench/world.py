"""PostgreSQL, Redis, the simulator and the app as an operator would run them, all the bench's own."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import environ
import requests
from django.conf import settings
from django.db import connections

from onboarding.clients import podero_client
from tests import servers
from tests.settings import ENVIRONMENT
from tests.simulator.launch import free_port, start_simulator


class World:
    """Servers that are there for the whole run, and apps that come and go."""

    def __init__(self) -> None:
        self.postgres = servers.start_postgres(is_durable=True)
        self.redis = servers.start_redis()
        self.simulator = start_simulator()
        self._databases: dict[str, str] = {}
        self._numbers = 0

    def close(self) -> None:
        connections.close_all()
        self.simulator.stop()
        self.redis.stop()
        self.postgres.stop()

    def numbers(self, count: int) -> list[str]:
        """Customer numbers that nobody has had yet."""
        start, self._numbers = self._numbers, self._numbers + count
        return [f"N{number}" for number in range(start, start + count)]

    def database(self, name: str) -> str:
        """The DATABASE_URL of a database of this name, made and migrated on first need."""
        if name not in self._databases:
            self._databases[name] = self.postgres.create_database(name)
            folder = Path(tempfile.mkdtemp(prefix="bench-"))
            servers.prepare(folder, {"DATABASE_URL": self._databases[name]})
            shutil.rmtree(folder)
        return self._databases[name]

    @contextmanager
    def app(self, database: str = "pages", **env: str) -> Iterator[servers.RunningApp]:
        """The app's web processes, with as many workers and threads as it has by default."""
        variables = {
            "DATABASE_URL": self.database(database),
            "REDIS_URL": self.redis.url,
            "WEB_WORKERS": "",
            "THROTTLE": "off",
            **env,
        }
        app = servers.start_app(simulator=self.simulator, env=variables)
        try:
            yield app
        finally:
            app.stop()

    @contextmanager
    def plain_app(self) -> Iterator[str]:
        """The yardstick's web process; gives its address."""
        port = free_port()
        answer = requests.post(
            f"{self.simulator.base_url}/oauth2/token/",
            json={"grant_type": "client_credentials"},
            auth=(ENVIRONMENT["PODERO_CLIENT_ID"], ENVIRONMENT["PODERO_CLIENT_SECRET"]),
            timeout=10,
        )
        with tempfile.TemporaryDirectory() as folder:
            process = subprocess.Popen(
                [sys.executable, "-m", "gunicorn", "scripts.bench.plain",
                 "--bind", f"127.0.0.1:{port}", "--no-control-socket"],
                cwd=folder,  # where no gunicorn.conf.py lies
                env={
                    "PATH": "/usr/bin:/bin",
                    "PYTHONPATH": str(servers.ROOT),
                    "PODERO_BASE_URL": self.simulator.base_url,
                    "PODERO_ORG_ID": ENVIRONMENT["PODERO_ORG_ID"],
                    "PODERO_AUTH_TOKEN": answer.json()["access_token"],
                },
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )  # fmt: skip
            try:
                _wait_for(port, process)
                yield f"http://localhost:{port}"
            finally:
                process.terminate()
                process.wait(10)

    def work_in(self, database: str) -> None:
        """Lead the models and flows of this process to a database and to the simulator."""
        connections.close_all()
        config = {"default": dict(environ.Env.db_url_config(self.database(database)))}
        connections.settings["default"] = connections.configure_settings(config)["default"]
        # The one made for another database.
        with suppress(AttributeError):
            del connections["default"]
        settings.PODERO_BASE_URL = self.simulator.base_url
        settings.PODERO_CONNECT_HOSTS = frozenset({self.simulator.host})
        podero_client.cache_clear()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _try in range(200):
        if process.poll() is not None:
            break
        try:
            requests.get(f"http://127.0.0.1:{port}/", timeout=5)
        except requests.ConnectionError:
            time.sleep(0.05)
        else:
            return
    raise servers.UnableToStart("the yardstick's server did not come up")
