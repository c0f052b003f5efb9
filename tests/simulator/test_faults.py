from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from tests.simulator.launch import RunningSimulator, SimulatorControl
from tests.simulator.partner import Partner


def emails(control: SimulatorControl) -> list[str]:
    return [user["email"] for user in control.state()["users"]]


@pytest.mark.parametrize(
    ("fault", "status", "detail_type"),
    [
        ("http_400", 400, str),
        ("http_401", 401, str),
        ("http_403", 403, str),
        ("http_404", 404, str),
        ("http_409", 409, str),
        ("http_422", 422, list),
        ("http_422_text", 422, str),
        ("http_429", 429, str),
    ],
)
def test_refusal_has_its_body_and_no_effect(
    partner: Partner,
    control: SimulatorControl,
    fault: str,
    status: int,
    detail_type: type[object],
) -> None:
    control.arm("create_user", fault)

    reply = partner.create_user()

    assert reply.status_code == status
    assert isinstance(reply.json()["detail"], detail_type)
    assert "Retry-After" not in reply.headers
    assert emails(control) == []
    assert partner.create_user().status_code == 200, "armed once, strikes once"


@pytest.mark.parametrize("status", [500, 502, 503])
def test_server_error_is_not_json(partner: Partner, control: SimulatorControl, status: int) -> None:
    control.arm("create_user", f"http_{status}")

    reply = partner.create_user()

    assert reply.status_code == status
    assert "json" not in reply.headers["Content-Type"]
    assert emails(control) == []


def test_server_error_may_come_after_the_effect(
    partner: Partner, control: SimulatorControl
) -> None:
    control.arm("create_user", "http_500", takes_effect=True)

    assert partner.create_user().status_code == 500
    assert emails(control) == ["anna@example.com"]


def test_throttling_can_name_the_pause(partner: Partner, control: SimulatorControl) -> None:
    control.arm("list_users", "http_429_retry_after", seconds=7)

    reply = partner.call("GET", partner.users)

    assert (reply.status_code, reply.headers["Retry-After"]) == (429, "7")


def test_token_refusal_speaks_oauth(partner: Partner, control: SimulatorControl) -> None:
    control.arm("token", "http_401")

    assert partner.token().json() == {"error": "invalid_client"}


def test_hanging_without_effect(partner: Partner, control: SimulatorControl) -> None:
    control.arm("create_user", "timeout_before", seconds=5)

    with pytest.raises(requests.Timeout):
        partner.call("POST", partner.users, {"role": "user", "email": "a@b.c"}, timeout=0.3)

    assert emails(control) == []
    (entry,) = control.requests_to("create_user")
    assert (entry["status"], entry["fault"]) == (None, "timeout_before")


def test_hanging_after_the_effect(partner: Partner, control: SimulatorControl) -> None:
    control.arm("create_user", "timeout_after", seconds=5)

    with pytest.raises(requests.Timeout):
        partner.call("POST", partner.users, {"role": "user", "email": "a@b.cc"}, timeout=0.3)

    assert emails(control) == ["a@b.cc"]


def test_hanging_ends_after_its_time(partner: Partner, control: SimulatorControl) -> None:
    control.arm("list_users", "timeout_after", seconds=0.3)
    control.arm("list_users", "timeout_before", seconds=0.3)

    started = time.monotonic()
    assert partner.call("GET", partner.users).json() == []
    assert time.monotonic() - started >= 0.3
    with pytest.raises(requests.ConnectionError):
        partner.call("GET", partner.users)


def test_clearing_lets_hanging_requests_go(partner: Partner, control: SimulatorControl) -> None:
    control.arm("list_users", "timeout_after", seconds=30)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(partner.call, "GET", partner.users)
        while not control.requests_to("list_users"):
            pass

        control.clear_faults()

        assert waiting.result(timeout=3).status_code == 200


def test_hanging_requests_block_nobody(partner: Partner, control: SimulatorControl) -> None:
    control.arm("list_users", "timeout_after", count=-1, seconds=30)
    with ThreadPoolExecutor(40) as pool:
        waiting = [pool.submit(partner.call, "GET", partner.users) for _ in range(40)]
        while control.state(journal=0)["counters"]["by_endpoint"].get("list_users", 0) < 40:
            pass

        started = time.monotonic()
        assert partner.create_user().status_code == 200
        assert time.monotonic() - started < 1
        control.clear_faults()

        assert {reply.result(timeout=5).status_code for reply in waiting} == {200}


def test_hanging_ends_when_the_client_has_gone(partner: Partner, control: SimulatorControl) -> None:
    control.arm("list_users", "timeout_before", count=200, seconds=30)
    with ThreadPoolExecutor(50) as pool:

        def give_up(_: int) -> str:
            try:
                requests.get(partner.users, timeout=0.2)
            except requests.Timeout:
                return "timeout"
            return "answered"

        # Three times as many as there are threads: they fit only if left requests free theirs.
        assert set(pool.map(give_up, range(200))) == {"timeout"}

    assert control.state(journal=0)["counters"]["by_endpoint"]["list_users"] == 200


@pytest.mark.parametrize(("fault", "left"), [("reset_before", []), ("reset_after", ["x@y.zz"])])
def test_connection_reset_before_or_after_the_effect(
    partner: Partner, control: SimulatorControl, fault: str, left: list[str]
) -> None:
    control.arm("create_user", fault)

    with pytest.raises(requests.ConnectionError) as caught:
        partner.create_user(email="x@y.zz")

    assert "reset by peer" in str(caught.value)
    assert emails(control) == left


def test_broken_bodies(partner: Partner, control: SimulatorControl) -> None:
    for fault in ("broken_json", "not_json_html", "empty_body"):
        control.arm("list_users", fault)
        reply = partner.call("GET", partner.users)
        assert reply.status_code == 200
        with pytest.raises(requests.JSONDecodeError):
            reply.json()


def test_missing_and_mistyped_fields(partner: Partner, control: SimulatorControl) -> None:
    control.arm("token", "missing_field")
    assert "access_token" not in partner.token().json()
    control.arm("create_user", "missing_field")
    user = partner.create_user()
    assert "id" not in user.json()
    control.arm("list_users", "missing_field", field="email")
    (listed,) = partner.call("GET", partner.users).json()
    assert "email" not in listed
    control.arm("create_session", "wrong_type", field="expiration_date")
    session = partner.create_session(listed["id"]).json()
    assert session["expiration_date"] == 12345
    control.arm("get_session", "wrong_type", field="object_id", value=["x"])
    read = partner.call("GET", f"device-onboarding/{session['id']}").json()
    assert read["object_id"] == ["x"]


def test_hosted_address_can_be_null(partner: Partner, control: SimulatorControl) -> None:
    control.arm("create_session", "null_authentication_url")

    reply = partner.create_session(partner.user_id())

    assert (reply.status_code, reply.json()["authentication_url"]) == (200, None)


@pytest.mark.parametrize(
    ("params", "start"),
    [
        ({}, "https://evil.example/?"),
        ({"variant": "subdomain"}, "https://127.0.0.1.evil.example/?"),
        ({"variant": "suffix"}, "https://evil127.0.0.1/?"),
        ({"variant": "userinfo"}, "http://127.0.0.1:"),
        ({"variant": "port"}, "http://127.0.0.1:1/?"),
        ({"variant": "javascript"}, "javascript:alert(1)"),
        ({"variant": "data"}, "data:text/html"),
        ({"variant": "relative"}, "//evil.example/?"),
        ({"variant": "scheme"}, "ftp://127.0.0.1:"),
        ({"url": "https://phish.test/x"}, "https://phish.test/x"),
    ],
)
def test_hosted_address_can_lead_elsewhere(
    partner: Partner, control: SimulatorControl, params: dict[str, str], start: str
) -> None:
    control.arm("create_session", "foreign_authentication_url", **params)

    address = partner.create_session(partner.user_id()).json()["authentication_url"]

    assert address.startswith(start)


def test_extra_fields_surround_the_right_ones(partner: Partner, control: SimulatorControl) -> None:
    control.arm("create_user", "extra_fields")

    body = partner.create_user().json()

    assert body["email"] == "anna@example.com"
    assert body["x_new_object"] == {"deep": [1, {"deeper": None}]}


def test_values_outside_the_documented_lists(partner: Partner, control: SimulatorControl) -> None:
    user_id = partner.user_id()
    done = control.complete(partner.session_id(user_id), device_type="ev")
    cars = partner.devices(user_id, "electric-vehicles")

    control.arm("get_user", "unknown_enum")
    assert partner.call("GET", f"{partner.users}/{user_id}").json()["role"] == "guest"
    control.arm("get_device", "unknown_enum")
    car = partner.call("GET", f"{cars}/{done.device_id}").json()
    assert car["actions"][0]["code"] == "firmware_update"
    assert car["lifecycle_state"] == "hibernating"
    control.arm("list_devices", "unknown_enum", field="connection_status", value="rusty")
    (car,) = partner.call("GET", cars).json()
    assert (car["connection_status"], car["lifecycle_state"]) == ("rusty", "authenticated")


@pytest.mark.parametrize("endpoint", ["create_user", "list_users"])
def test_huge_body_is_over_one_mebibyte(
    partner: Partner, control: SimulatorControl, endpoint: str
) -> None:
    control.arm(endpoint, "huge_body")

    created, listed = partner.create_user(), partner.call("GET", partner.users)

    reply = created if endpoint == "create_user" else listed
    assert len(reply.content) > 1024 * 1024
    reply.json()


def test_dripping_body_arrives_slowly_but_whole(
    partner: Partner, control: SimulatorControl
) -> None:
    control.arm("create_user", "drip", seconds=0.6, pieces=6)

    started = time.monotonic()
    reply = partner.create_user()

    assert time.monotonic() - started > 0.4
    assert reply.json()["email"] == "anna@example.com"


def test_duplicate_answer_without_a_duplicate(partner: Partner, control: SimulatorControl) -> None:
    control.settings(duplicate_status=422)
    control.arm("create_user", "duplicate")

    assert partner.create_user().status_code == 422
    assert emails(control) == []


def test_redirect_elsewhere(partner: Partner, control: SimulatorControl) -> None:
    control.arm("create_session", "redirect")

    reply = partner.create_session(partner.user_id())

    assert (reply.status_code, reply.headers["Location"]) == (302, "https://elsewhere.example/")


def test_star_means_any_endpoint_where_the_fault_is_possible(
    partner: Partner, control: SimulatorControl
) -> None:
    control.arm("*", "null_authentication_url")
    control.arm("*", "http_503", count=-1, skip=1)

    user = partner.create_user()
    assert user.status_code == 200, "skipped once"
    assert partner.create_session(user.json()["id"]).json()["authentication_url"] is None
    assert partner.token().status_code == 503
    assert requests.get(f"{partner.base_url}/", timeout=5).status_code == 503
    assert control.state()["faults"]["armed"][0]["hits"] == 2


def test_probability_strikes_some(partner: Partner, control: SimulatorControl) -> None:
    control.arm("list_users", "http_500", count=-1, probability=0.5)

    statuses = [partner.call("GET", partner.users).status_code for _ in range(60)]

    assert set(statuses) == {200, 500}


@pytest.mark.parametrize(
    "body",
    [
        {"endpoint": "create_user", "fault": "nonsense"},
        {"endpoint": "nonsense", "fault": "http_500"},
        {"endpoint": "list_users", "fault": "duplicate"},
        {"endpoint": "list_users", "fault": "http_500", "seconds": 3},
        {"endpoint": "list_users", "fault": "timeout_before", "seconds": "long"},
        {"endpoint": "list_users", "fault": "http_500", "count": 0},
        {"endpoint": "list_users", "fault": "http_500", "probability": 2},
        {"endpoint": "create_session", "fault": "foreign_authentication_url", "variant": "x"},
    ],
)
def test_impossible_fault_is_refused(control: SimulatorControl, body: dict[str, Any]) -> None:
    with pytest.raises(requests.HTTPError):
        control.arm(**body)

    assert control.state()["faults"]["armed"] == []


def test_latency_slows_every_request(
    partner: Partner, control: SimulatorControl, simulator: RunningSimulator
) -> None:
    control.settings(latency_ms=200)

    started = time.monotonic()
    partner.call("GET", partner.users)

    assert time.monotonic() - started >= 0.2


def test_what_has_struck_is_counted_until_a_reset(
    partner: Partner, control: SimulatorControl
) -> None:
    control.arm("create_user", "http_503", count=2)
    for _ in range(3):
        partner.create_user()
    control.clear_faults()

    told = control.faults()

    assert told["faults"]["struck"] == {"create_user http_503": 2}
    assert told["counters"]["by_endpoint"]["create_user"] == 3
    assert "users" not in told
    control.reset()
    assert control.faults()["faults"]["struck"] == {}
