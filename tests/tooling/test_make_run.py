"""`make run` from nothing to a working app, and back to nothing."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.servers import ROOT
from tests.settings import ENVIRONMENT
from tests.simulator.launch import free_port

READY_SECONDS = 120.0
STOP_SECONDS = 30.0

Start = Callable[..., "Run"]


class Run:
    """One `make run`, with everything that it starts."""

    def __init__(self, var_dir: Path, **env: str) -> None:
        self.port, self.simulator_port = free_port(), free_port()
        self.var_dir = var_dir
        self.log = var_dir.with_suffix(".log")
        inherited = {
            name: value
            for name, value in os.environ.items()
            if name not in ENVIRONMENT and name != "DJANGO_SETTINGS_MODULE"
        }
        own = {
            # Empty means not set, also where a .env says otherwise.
            **dict.fromkeys(ENVIRONMENT, ""),
            "VAR_DIR": str(var_dir),
            "PORT": str(self.port),
            "SIMULATOR_PORT": str(self.simulator_port),
            "MARK_OF_THIS_RUN": str(var_dir),
        }
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "scripts.run"],
                cwd=ROOT,
                env=inherited | own | env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_for(self, text: str) -> str:
        """Wait until this was printed; returns everything printed so far."""
        ends_at = time.monotonic() + READY_SECONDS
        while time.monotonic() < ends_at:
            printed = self.log.read_text()
            if text in printed:
                return printed
            assert self.process.poll() is None, printed
            time.sleep(0.1)
        pytest.fail(f"{text!r} was never printed:\n{self.log.read_text()}")

    def wait_for_beat(self) -> None:
        """Wait until it has begun; interrupted while it loads its modules, Celery tells of it."""
        ends_at = time.monotonic() + READY_SECONDS
        while not list(self.var_dir.glob("celerybeat-schedule*")):
            assert time.monotonic() < ends_at, self.log.read_text()
            time.sleep(0.1)

    def processes(self) -> dict[int, str]:
        """Return the command lines of all that carry this run's mark in their environment."""
        mark = f"MARK_OF_THIS_RUN={self.var_dir}".encode()
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (folder / "environ").read_bytes().split(b"\0"):
                    words = (folder / "cmdline").read_bytes().split(b"\0")
                    found[int(folder.name)] = b" ".join(words).decode()
            except OSError:  # ended meanwhile
                continue
        return {pid: line for pid, line in found.items() if line}

    def wait_for_nothing_left(self) -> None:
        ends_at = time.monotonic() + STOP_SECONDS
        while self.processes() and time.monotonic() < ends_at:
            time.sleep(0.1)
        assert self.processes() == {}

    def pid_of(self, words: str) -> int:
        return min(pid for pid, line in self.processes().items() if words in line)


@pytest.fixture
def start(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Start]:
    """Start `make run`; `prepared` saves the work of a first start."""
    runs: list[Run] = []

    def begin(*, prepared: bool = False, **env: str) -> Run:
        if prepared:
            shutil.copytree(request.getfixturevalue("prepared_var_dir"), tmp_path / "var")
        runs.append(Run(tmp_path / "var", **env))
        return runs[-1]

    yield begin
    for run in runs:
        run.process.poll()
        for pid in run.processes():
            os.kill(pid, signal.SIGKILL)
        run.process.wait()


def test_run_starts_everything_and_ctrl_c_ends_everything(start: Start) -> None:
    run = start()

    welcome = run.wait_for("Stop it")

    assert f"http://localhost:{run.port}" in welcome
    assert f"http://localhost:{run.simulator_port}/control" in welcome
    for account in ("anna@example.com", "support@example.com", "demomyuplink@nibe.se"):
        assert account in welcome
    lines = " ".join(run.processes().values())
    for part in ("gunicorn config.wsgi", "config worker", "config beat", "-m simulator"):
        assert part in lines
    assert _status(run.port, "/static/no-such-file") == 404
    for name in ("secret_key", "handoff_secret"):
        assert stat.S_IMODE((run.var_dir / name).stat().st_mode) == 0o600
    run.wait_for_beat()

    os.killpg(run.process.pid, signal.SIGINT)

    assert run.process.wait(STOP_SECONDS) == 0
    run.wait_for_nothing_left()
    printed = run.log.read_text()
    assert "Traceback" not in printed
    assert "superuser" not in printed
    assert printed.rstrip().endswith("Everything has stopped.")


def test_polite_signal_to_the_runner_ends_everything(start: Start) -> None:
    run = start(prepared=True)
    run.wait_for("Stop it")

    run.process.terminate()

    assert run.process.wait(STOP_SECONDS) == 0
    run.wait_for_nothing_left()


def test_closed_terminal_ends_a_start_under_way(start: Start) -> None:
    run = start()
    run.wait_for("Preparing")

    run.process.send_signal(signal.SIGHUP)

    assert run.process.wait(STOP_SECONDS) == 0
    run.wait_for_nothing_left()


def test_killing_the_runner_leaves_nothing_behind(start: Start) -> None:
    run = start(prepared=True)
    run.wait_for("Stop it")

    run.process.kill()

    assert run.process.wait(STOP_SECONDS) == -signal.SIGKILL
    run.wait_for_nothing_left()


def test_death_of_one_process_ends_all_and_names_it(start: Start) -> None:
    run = start(prepared=True)
    run.wait_for("Stop it")

    os.kill(run.pid_of("config worker"), signal.SIGKILL)

    assert run.process.wait(STOP_SECONDS) == 1
    run.wait_for_nothing_left()
    assert "worker ended by itself (killed by SIGKILL): stopping all." in run.log.read_text()


@pytest.mark.parametrize("name", ["PORT", "SIMULATOR_PORT"])
def test_busy_port_is_named_in_one_line(start: Start, name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]

        run = start(**{name: str(port)})

        assert run.process.wait(READY_SECONDS) == 1
    assert run.log.read_text() == (
        f"Cannot start: {name}: port {port} cannot be used (address already in use). "
        f"Choose another one: {name}={port + 100} make run\n"
    )


def test_impossible_port_is_named_in_one_line(start: Start) -> None:
    run = start(PORT="eight")

    assert run.process.wait(READY_SECONDS) == 1
    assert (
        run.log.read_text() == "Cannot start: PORT: expected a port from 1 to 65535, not 'eight'\n"
    )


def test_wrong_setting_stops_the_start_with_its_name(start: Start) -> None:
    run = start(BRAND_COLOR="green")

    assert run.process.wait(READY_SECONDS) == 1
    printed = run.log.read_text()
    assert "BRAND_COLOR: expected a color such as #0a5c36" in printed
    assert "Traceback" not in printed


def _status(port: int, path: str) -> int:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()
