from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest

from tests.simulator.launch import RunningSimulator, SimulatorControl
from tests.simulator.partner import CANCEL_URL, SUCCESS_URL, Partner

COUNTERS = {
    "hp": "num_heat_pumps",
    "ev": "num_electric_vehicles",
    "iv": "num_inverters",
    "wb": "num_wallboxes",
}


def test_session_has_the_documented_shape(partner: Partner) -> None:
    user_id = partner.user_id()

    reply = partner.create_session(user_id, device_type="hp")

    assert reply.status_code == 200
    body = reply.json()
    UUID(body["id"])
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    assert body == {
        "id": body["id"],
        "authentication_url": f"{partner.base_url}?onboarding_session_id={body['id']}",
        "user": user_id,
        "success_url": SUCCESS_URL,
        "cancel_url": CANCEL_URL,
        "expiration_date": tomorrow.isoformat(),
        "object_id": None,
        "external_metadata": {},
        "price_zone_default": "DE_LU",
        "device_type": "hp",
    }
    assert partner.call("GET", f"device-onboarding/{body['id']}").json() == body


@pytest.mark.parametrize(
    "values",
    [
        {"price_zone_default": "DE"},
        {"language": "fr"},
        {"device_type": "heat-pump"},
        {"success_url": "javascript:alert(1)"},
        {"cancel_url": "/relative"},
        {"success_url": "https://shop.test/" + "x" * 8000},
        {"user_id": "5"},
        {"is_smart_optimization_active_default": "yes"},
        {"building_id": "home"},
        {"vendor": "nibe"},
        {"user": "5b1bd2c0-3f0e-4d8c-9e7e-0d5e4f6a7b8c"},
    ],
    ids=lambda values: next(iter(values)),
)
def test_wrong_value_is_refused(
    partner: Partner, control: SimulatorControl, values: dict[str, Any]
) -> None:
    user_id = partner.user_id()

    reply = partner.create_session(**{"user_id": user_id, **values})

    assert reply.status_code == 422
    assert reply.json()["detail"][0]["loc"] == ["body", "payload", next(iter(values))]
    assert control.state()["sessions"] == []
    assert control.state()["counters"]["rejected"] == 1


def test_client_that_is_killed_while_it_sends_is_no_client_that_errs(
    partner: Partner, control: SimulatorControl
) -> None:
    address = urlsplit(partner.base_url)
    token = partner.token().json()["access_token"]
    head = (
        "POST /api/partners/v2.0/device-onboarding HTTP/1.1\r\n"
        f"Host: {address.netloc}\r\nAuthorization: Bearer {token}\r\n"
        "Content-Type: application/json\r\nContent-Length: 200\r\n\r\n"
    )
    with socket.create_connection((address.hostname, address.port), timeout=10) as killed:
        killed.sendall(head.encode())
        killed.shutdown(socket.SHUT_WR)
        killed.recv(4096)

    assert control.state()["counters"]["rejected"] == 0


def test_address_of_exactly_8000_characters_is_accepted(partner: Partner) -> None:
    address = "https://shop.test/".ljust(8000, "x")

    assert partner.create_session(partner.user_id(), success_url=address).status_code == 200


def test_unknown_user_is_a_404(partner: Partner) -> None:
    reply = partner.create_session("5b1bd2c0-3f0e-4d8c-9e7e-0d5e4f6a7b8c")

    assert (reply.status_code, reply.json()) == (404, {"detail": "Not Found"})


def test_required_fields_are_those_of_the_guide(partner: Partner) -> None:
    reply = partner.call("POST", "device-onboarding", {})

    assert {error["loc"][-1] for error in reply.json()["detail"]} == {
        "user_id",
        "success_url",
        "cancel_url",
        "language",
        "price_zone_default",
    }


@pytest.mark.parametrize(
    ("device_type", "collection"),
    [
        ("hp", "heat-pumps"),
        ("ev", "electric-vehicles"),
        ("iv", "inverters"),
        ("wb", "wallboxes"),
    ],
)
@pytest.mark.parametrize("is_optimized", [True, False])
def test_completed_session_puts_the_device_where_it_belongs(
    partner: Partner,
    control: SimulatorControl,
    device_type: str,
    collection: str,
    is_optimized: bool,
) -> None:
    user_id = partner.user_id()
    session_id = partner.session_id(user_id, is_smart_optimization_active_default=is_optimized)

    done = control.complete(session_id, device_type=device_type)

    assert done.redirect_url == f"{SUCCESS_URL}?deviceId={done.device_id}"
    (device,) = partner.call("GET", partner.devices(user_id, collection)).json()
    assert device["id"] == done.device_id
    assert device["is_smart_optimization_active"] is is_optimized
    assert device["owner"]["external_id"] == "C-1"
    session = partner.call("GET", f"device-onboarding/{session_id}").json()
    assert session["object_id"] == done.device_id
    assert partner.call("GET", f"{partner.users}/{user_id}").json()[COUNTERS[device_type]] == 1


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("http://shop.test/s", "http://shop.test/s?deviceId={}"),
        ("http://shop.test/s?a=1", "http://shop.test/s?a=1&deviceId={}"),
        ("http://shop.test/s?", "http://shop.test/s?deviceId={}"),
        ("http://shop.test/s?a=%2F#part", "http://shop.test/s?a=%2F&deviceId={}#part"),
    ],
)
def test_device_id_is_joined_properly(
    partner: Partner, control: SimulatorControl, address: str, expected: str
) -> None:
    session_id = partner.session_id(partner.user_id(), success_url=address)

    done = control.complete(session_id)

    assert done.redirect_url == expected.format(done.device_id)


def test_object_id_can_stay_empty(partner: Partner, control: SimulatorControl) -> None:
    control.settings(object_id_filled=False)
    session_id = partner.session_id(partner.user_id())

    control.complete(session_id)

    assert partner.call("GET", f"device-onboarding/{session_id}").json()["object_id"] is None


def test_expired_session_is_readable_unless_switched_off(
    partner: Partner, control: SimulatorControl
) -> None:
    session_id = partner.session_id(partner.user_id())
    control.expire_session(session_id)

    yesterday = (datetime.now(UTC).date() - timedelta(days=1)).isoformat()
    reply = partner.call("GET", f"device-onboarding/{session_id}")
    assert (reply.status_code, reply.json()["expiration_date"]) == (200, yesterday)
    control.settings(expired_session_readable=False)
    assert partner.call("GET", f"device-onboarding/{session_id}").status_code == 404


def test_one_login_can_expose_several_devices(partner: Partner, control: SimulatorControl) -> None:
    user_id = partner.user_id()

    done = control.complete(partner.session_id(user_id), device_type="ev", devices=3)

    cars = partner.call("GET", partner.devices(user_id, "electric-vehicles")).json()
    assert len({car["external_device_id"] for car in cars}) == 3
    assert cars[0]["id"] == done.device_id


def test_public_address_of_the_request_is_used(
    partner: Partner, simulator: RunningSimulator
) -> None:
    named = Partner(simulator.base_url.replace("127.0.0.1", "localhost"))

    session = named.create_session(partner.user_id()).json()

    port = simulator.base_url.rsplit(":", 1)[1]
    assert session["authentication_url"].startswith(f"http://localhost:{port}?onboarding_")
