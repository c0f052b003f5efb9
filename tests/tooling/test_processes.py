"""The processes of production, as they are started there: gunicorn, worker and beat."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from redis import Redis

from tests.conftest import StartApp
from tests.servers import RunningApp
from tests.simulator.launch import RunningSimulator


def link(app: RunningApp, simulator: RunningSimulator, customer: str) -> requests.Session:
    """Lead a new customer through opt-in and hosted form while Podero cannot confirm it."""
    browser = requests.Session()
    browser.get(app.handoff_link(customer, f"{customer}@example.com"), timeout=20)
    page = browser.get(f"{app.base_url}/optimize/consent/?device_type=ev", timeout=20)
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page.text))
    fields |= {"device_type": "ev", "allows_control": "on", "allows_data_exchange": "on"}
    leaving = browser.post(page.url, data=fields, allow_redirects=False, timeout=20)
    session_id = parse_qs(urlsplit(leaving.headers["Location"]).query)["onboarding_session_id"][0]
    way_back = simulator.control.complete(session_id).redirect_url
    simulator.control.arm("get_device", "http_503", count=1)
    browser.get(str(way_back), timeout=20)
    return browser


def wait_for(is_so: Callable[[], bool], *, seconds: float = 30.0) -> None:
    ends_at = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < ends_at, "this took too long"
        time.sleep(0.05)


def messages_waiting(app: RunningApp) -> int:
    """On whichever broker the app has."""
    if app.env.get("REDIS_URL"):
        with Redis.from_url(app.env["REDIS_URL"]) as server:
            return sum(server.llen(key) for key in server.keys("celery*"))
    return len(list((Path(app.env["VAR_DIR"]) / "broker" / "messages").glob("*.msg")))


def test_worker_finishes_what_the_web_process_could_not(
    start_app: StartApp, simulator: RunningSimulator
) -> None:
    app = start_app(simulator, with_worker=True)
    worker_log = app.log_file("worker")

    link(app, simulator, "P-1")
    wait_for(lambda: "endpoint=find_device outcome=ok" in worker_log.read_text())

    app.kill("worker")
    app.start("worker")
    app.kill("beat")
    app.start("beat")
    link(app, simulator, "P-2")
    wait_for(lambda: worker_log.read_text().count("endpoint=find_device outcome=ok") == 2)

    app.stop()
    # Nothing had to be killed; a beat that has only just started has no handler for SIGTERM yet.
    assert {process.returncode for process in app.processes.values()} <= {0, -signal.SIGTERM}
    logs = app.logs()
    assert "Traceback" not in logs
    for key in ("token=ey", "onboarding_session_id=", "@example.com", "demo-secret"):
        assert key not in logs


def test_beat_that_is_back_has_done_what_was_missed(
    start_app: StartApp, simulator: RunningSimulator
) -> None:
    """No message tells of it: the row does, and only the beat looks for such rows."""
    app = start_app(simulator, with_worker=True)
    worker_log = app.log_file("worker")
    app.kill("beat")
    app.kill("worker")
    link(app, simulator, "P-4")
    app.manage("shell", "-c", "from onboarding import messages; messages.forget_all()")

    app.start("worker")
    wait_for(lambda: "ready" in worker_log.read_text())
    time.sleep(3)
    assert "endpoint=find_device outcome=ok" not in worker_log.read_text()
    app.start("beat")

    wait_for(lambda: "endpoint=find_device outcome=ok" in worker_log.read_text(), seconds=120)


def test_sweep_throws_away_what_no_worker_takes(
    start_app: StartApp, simulator: RunningSimulator
) -> None:
    """Where there is none, each press would leave a message for ever."""
    app = start_app(simulator)
    link(app, simulator, "P-3")
    assert messages_waiting(app) == 1

    assert app.manage("sweep").returncode == 0

    assert messages_waiting(app) == 0


def test_web_process_stops_in_good_order_on_sigterm(
    start_app: StartApp, simulator: RunningSimulator
) -> None:
    app = start_app(simulator)
    web = app.processes["web"]

    web.send_signal(signal.SIGTERM)

    assert web.wait(30) == 0
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{app.base_url}/health/live", timeout=5)


def test_address_that_breaks_the_server_is_logged_without_its_key(
    start_app: StartApp, simulator: RunningSimulator
) -> None:
    app = start_app(simulator)
    for path in (
        "/optimize/return/very-secret-key/success/?deviceId=1",
        "/optimize/devices/return/very-secret-key/success/?deviceId=1",
        "/optimize/reminders/very-secret-key/stop/",
    ):
        requests.get(app.base_url + path, timeout=20)
        too_long = {"Cookie": "sessionid=" + "x" * 9000}
        requests.get(app.base_url + path, timeout=20, headers=too_long)

    assert "very-secret-key" not in app.logs()
