"""The simulator as a process: control page, journal, snapshot, clean end."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tests.simulator.launch import RunningSimulator, SimulatorControl, start_simulator
from tests.simulator.partner import Partner


def test_journal_names_fields_but_holds_no_secrets(
    partner: Partner, control: SimulatorControl
) -> None:
    partner.create_user(first_name="Annegret")
    partner.token(data={"grant_type": "client_credentials"})

    state = control.state()

    entry = next(entry for entry in state["journal"] if entry["endpoint"] == "create_user")
    assert (entry["method"], entry["status"]) == ("POST", 200)
    assert entry["fields"] == ["email", "external_user_id", "first_name", "role"]
    assert state["counters"]["by_endpoint"] == {"token": 2, "create_user": 1}
    text = json.dumps(state["journal"])
    assert "Annegret" not in text
    assert str(partner.http.headers["Authorization"]) not in json.dumps(state)


def test_reset_forgets_everything(partner: Partner, control: SimulatorControl) -> None:
    control.complete(partner.session_id(partner.user_id()))
    control.settings(create_status=201)
    control.arm("*", "http_500")

    control.reset()

    state = control.state()
    assert state["users"] == state["sessions"] == state["devices"] == state["journal"] == []
    assert state["settings"]["create_status"] == 200
    assert state["faults"]["armed"] == []
    assert partner.call("GET", partner.users).status_code == 401


def test_impossible_setting_is_refused(control: SimulatorControl) -> None:
    for wrong in ({"create_status": 202}, {"colour": "red"}, {"latency_ms": -1}):
        with pytest.raises(requests.HTTPError):
            control.settings(**wrong)


def test_unknown_ids_are_refused_by_control(control: SimulatorControl) -> None:
    for act in (control.complete, control.expire_session, control.set_device):
        with pytest.raises(requests.HTTPError, match="404"):
            act("5b1bd2c0-3f0e-4d8c-9e7e-0d5e4f6a7b8c")


def test_control_page_arms_and_clears(
    simulator: RunningSimulator, control: SimulatorControl
) -> None:
    page = f"{simulator.base_url}/control"
    form = {"action": "arm", "endpoint": "token", "fault": "timeout_before", "count": "2"}

    requests.post(page, data=form | {"params": '{"seconds": 1}'}, timeout=5)
    (armed,) = control.state()["faults"]["armed"]
    refused = requests.post(page, data=form | {"params": "nonsense"}, timeout=5)
    shown = requests.get(page, timeout=5)
    requests.post(page, data={"action": "clear"}, timeout=5)

    assert (armed["params"], armed["remaining"]) == ({"seconds": 1}, 2)
    assert refused.status_code == 400
    assert "timeout_before on token" in shown.text
    assert control.state()["faults"]["armed"] == []


def test_restart_keeps_users_sessions_and_devices(tmp_path: Path) -> None:
    data = {"SIMULATOR_DATA": str(tmp_path / "deep" / "simulator.json")}
    first = start_simulator(env=data)
    try:
        partner = Partner(first.base_url)
        user_id = partner.user_id()
        done = first.control.complete(partner.session_id(user_id), device_type="hp")
        before = first.control.state()
    finally:
        assert first.stop() == 0

    second = start_simulator(env=data)
    try:
        after = second.control.state()
        again = Partner(second.base_url)
        (device,) = again.call("GET", again.devices(user_id, "heat-pumps")).json()
        duplicate = again.create_user()
    finally:
        second.stop()

    assert {key: after[key] for key in ("users", "sessions", "devices")} == {
        key: before[key] for key in ("users", "sessions", "devices")
    }
    assert device["id"] == done.device_id
    assert duplicate.status_code == 409


def test_damaged_snapshot_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "simulator.json"
    path.write_text("{broken", encoding="utf-8")

    running = start_simulator(env={"SIMULATOR_DATA": str(path)})
    try:
        assert running.control.state()["users"] == []
    finally:
        running.stop()

    assert (tmp_path / "simulator.damaged").read_text(encoding="utf-8") == "{broken"


def test_credentials_come_from_the_environment() -> None:
    org_id = "22222222-0000-4000-8000-000000000002"
    running = start_simulator(
        env={
            "SIMULATOR_ORG_ID": org_id,
            "SIMULATOR_CLIENT_ID": "shop",
            "SIMULATOR_CLIENT_SECRET": "s3cret",
            "SIMULATOR_FIXED_TOKEN": "fixed-token",
            "SIMULATOR_PUBLIC_URL": "https://podero.test/",
        }
    )
    try:
        partner = Partner(running.base_url)
        assert partner.token().status_code == 401
        assert partner.token(auth=("shop", "s3cret")).status_code == 200
        partner.http.headers["Authorization"] = "Bearer fixed-token"
        users = f"{partner.api}/org/{org_id}/users"
        user = partner.call("POST", users, {"role": "user", "email": "a@example.com"}).json()
        session = partner.create_session(user["id"]).json()
    finally:
        running.stop()

    assert session["authentication_url"].startswith("https://podero.test?onboarding_session_id=")


def test_stop_is_clean_and_prompt_even_while_requests_hang() -> None:
    running = start_simulator()
    running.control.arm("list_users", "timeout_after", count=-1, seconds=30)
    partner = Partner(running.base_url)
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(partner.call, "GET", partner.users) for _ in range(4)]
        while len(running.control.requests_to("list_users")) < 4:
            pass

        started = time.monotonic()
        exit_code = running.stop()
        seconds = time.monotonic() - started

    assert exit_code == 0
    assert seconds < 4
    assert all(isinstance(reply.exception(), requests.ConnectionError) for reply in waiting)


def test_injected_faults_leave_the_log_silent() -> None:
    running = start_simulator()
    try:
        partner = Partner(running.base_url)
        for fault in ("reset_before", "reset_after", "timeout_before"):
            params = {"seconds": 0} if fault == "timeout_before" else {}
            running.control.arm("list_users", fault, **params)
            with pytest.raises(requests.ConnectionError):
                partner.call("GET", partner.users)
        lines = running.output().splitlines()
    finally:
        running.stop()

    assert len(lines) == 1, lines
