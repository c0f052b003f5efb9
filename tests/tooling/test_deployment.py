"""What operators are given: the compose file, the systemd units, and stops that lose nobody."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import requests

from tests.conftest import StartApp, missing
from tests.servers import ROOT, RunningApp, find_program
from tests.simulator.launch import RunningSimulator

UNITS = ROOT / "deploy" / "systemd"


def test_compose_file_is_accepted(tmp_path: Path) -> None:
    program = find_program("docker-compose")
    if program is None:
        missing("no docker-compose: install Debian's package docker-compose")
    (tmp_path / ".env").write_text("POSTGRES_PASSWORD=secret\n")
    (tmp_path / "compose.yaml").write_text((ROOT / "compose.yaml").read_text())

    done = subprocess.run(
        [program, "-f", "compose.yaml", "config", "--services"],
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) == {"web", "worker", "beat", "migrate", "postgres", "redis"}


def test_database_writes_no_values_into_its_log() -> None:
    """By default PostgreSQL quotes the statement that a double click made fail."""
    told = (ROOT / "compose.yaml").read_text() + (ROOT / "docs" / "deploy.md").read_text()

    for setting in ("log_error_verbosity", "log_min_error_statement"):
        assert told.count(setting) == 2


def test_image_holds_what_the_app_needs() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    copied = {word for line in re.findall(r"^COPY (?!--)(.+) \S+$", dockerfile, re.M)
              for word in line.split()}  # fmt: skip
    let_in = {
        line[1:] for line in (ROOT / ".dockerignore").read_text().split() if line.startswith("!")
    }

    assert copied == let_in
    assert all((ROOT / name).exists() for name in copied)
    assert "USER 10001" in dockerfile


def test_units_are_accepted(tmp_path: Path) -> None:
    program = find_program("systemd-analyze")
    if program is None:
        missing("no systemd-analyze: install Debian's package systemd")
    for unit in UNITS.iterdir():
        # On this machine the app lies elsewhere and has no account of its own.
        text = unit.read_text().replace(
            "/opt/podero-onboarding/current/.venv/bin", str(Path(sys.executable).parent)
        )
        (tmp_path / unit.name).write_text(text.replace("User=podero-onboarding", "User=root"))

    done = subprocess.run(
        [program, "verify", *map(str, sorted(tmp_path.iterdir()))],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert (done.returncode, done.stderr) == (0, "")


def _consent_form(app: RunningApp, customer: str) -> tuple[requests.Session, dict[str, str]]:
    browser = requests.Session()
    browser.get(app.handoff_link(customer, f"{customer}@example.com"), timeout=20)
    page = browser.get(f"{app.base_url}/optimize/consent/?device_type=ev", timeout=20)
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page.text))
    return browser, fields | {
        "device_type": "ev",
        "allows_control": "on",
        "allows_data_exchange": "on",
    }


def test_customer_on_the_way_to_podero_gets_there_while_the_web_process_stops(
    start_app: StartApp, simulator: RunningSimulator
) -> None:
    app = start_app(simulator)
    browser, fields = _consent_form(app, "D-1")
    simulator.control.arm("create_session", "drip", seconds=2.0, pieces=10)

    with ThreadPoolExecutor() as pool:
        leaving = pool.submit(
            browser.post,
            f"{app.base_url}/optimize/consent/",
            data=fields,
            allow_redirects=False,
            timeout=20,
        )
        while not simulator.control.state()["sessions"]:
            time.sleep(0.02)
        app.processes["web"].terminate()
        answer = leaving.result()

    assert answer.status_code == 302
    assert "onboarding_session_id=" in answer.headers["Location"]
    assert app.processes["web"].wait(10) == 0


_AS_SYSTEMD_DOES = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv(sys.executable, [sys.executable, "-m", "gunicorn", "config.wsgi"])
"""


@contextmanager
def _started_on(listener: socket.socket, app: RunningApp) -> Iterator[subprocess.Popen[bytes]]:
    """Gunicorn on a socket that somebody else holds, handed over as file descriptor 3."""
    process = subprocess.Popen(
        [sys.executable, "-c", _AS_SYSTEMD_DOES, str(listener.fileno())],
        cwd=ROOT,
        env=app.env | {"WEB_LOG_LEVEL": "WARNING"},
        pass_fds=[listener.fileno()],
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


def test_customers_wait_instead_of_failing_while_the_web_processes_restart(
    start_app: StartApp, simulator: RunningSimulator
) -> None:
    app = start_app(simulator)
    app.stop()
    address = f"{app.base_url}/optimize/"
    with socket.create_server(("127.0.0.1", int(app.env["PORT"]))) as listener, ExitStack() as ends:
        old = ends.enter_context(_started_on(listener, app))
        assert requests.get(address, timeout=30).status_code == 200
        old.terminate()
        assert old.wait(20) == 0

        with ThreadPoolExecutor() as pool:
            meanwhile = pool.submit(requests.get, address, timeout=30)
            ends.enter_context(_started_on(listener, app))
            assert meanwhile.result().status_code == 200
