"""Faults of the way back from the hosted form."""

from __future__ import annotations

import pytest
import requests

from tests.simulator.launch import SimulatorControl
from tests.simulator.partner import CANCEL_URL, SUCCESS_URL, Partner


@pytest.fixture
def session_id(partner: Partner) -> str:
    return partner.session_id(partner.user_id(), device_type="ev")


def cars(partner: Partner, control: SimulatorControl) -> list[str]:
    (user,) = control.state()["users"]
    devices = partner.call("GET", partner.devices(user["id"], "electric-vehicles")).json()
    return [device["id"] for device in devices]


def test_forged_device_id_although_a_device_is_linked(
    partner: Partner, control: SimulatorControl, session_id: str
) -> None:
    control.arm("hosted_form", "return_forged_device")

    done = control.complete(session_id)

    assert cars(partner, control) == [done.device_id]
    assert done.redirect_url is not None
    assert done.redirect_url.startswith(f"{SUCCESS_URL}?deviceId=")
    assert str(done.device_id) not in done.redirect_url


def test_forged_device_id_with_nothing_linked(
    partner: Partner, control: SimulatorControl, session_id: str
) -> None:
    control.arm("hosted_form", "return_forged_nothing_linked")

    done = control.complete(session_id)

    assert cars(partner, control) == []
    assert done.device_id is None
    assert str(done.redirect_url).startswith(f"{SUCCESS_URL}?deviceId=")


def test_no_device_id(partner: Partner, control: SimulatorControl, session_id: str) -> None:
    control.arm("hosted_form", "return_without_device_id")

    done = control.complete(session_id)

    assert done.redirect_url == SUCCESS_URL
    assert cars(partner, control) == [done.device_id]


def test_same_way_back_twice(partner: Partner, control: SimulatorControl, session_id: str) -> None:
    control.arm("hosted_form", "return_twice")

    first, second = control.complete(session_id), control.complete(session_id)
    page = requests.get(f"{partner.base_url}/?onboarding_session_id={session_id}", timeout=5)

    assert first == second
    assert cars(partner, control) == [first.device_id]
    assert page.status_code == 200
    assert f'href="{first.redirect_url}"' in page.text


def test_no_way_back(partner: Partner, control: SimulatorControl, session_id: str) -> None:
    control.arm("hosted_form", "never_return")

    done = control.complete(session_id)

    assert done.redirect_url is None
    assert cars(partner, control) == [done.device_id]


def test_cancel_address_after_linking(
    partner: Partner, control: SimulatorControl, session_id: str
) -> None:
    control.arm("hosted_form", "return_to_cancel_after_link")

    done = control.complete(session_id)

    assert done.redirect_url == CANCEL_URL
    assert cars(partner, control) == [done.device_id]


def test_return_faults_strike_at_the_end_only(
    partner: Partner, control: SimulatorControl, session_id: str
) -> None:
    control.arm("*", "never_return")
    address = f"{partner.base_url}/?onboarding_session_id={session_id}"

    assert requests.get(address, timeout=5).status_code == 200

    assert control.state()["faults"]["armed"][0]["hits"] == 0
    assert control.complete(session_id).redirect_url is None
