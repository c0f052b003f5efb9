from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from tests.simulator.launch import SimulatorControl
from tests.simulator.partner import Partner
from tests.simulator.test_devices import device_id_of, linked

DEMO = {"username": "demo-tesla@getfreeheat.com", "password": "Demo1234"}
OTHER = {"username": "other-account@example.com", "password": "Demo1234"}
ADDRESSES = {"success_url": "http://shop.test/ok", "cancel_url": "http://shop.test/no"}
CUE_ADDRESSES = {"successUrl": "http://shop.test/ok", "cancelUrl": "http://shop.test/no"}


def lapsed(partner: Partner, control: SimulatorControl) -> str:
    """Link a car, let its login lapse and return its address."""
    address = linked(partner, control, "ev")
    control.set_device(device_id_of(address), is_authenticated=False)
    return address


def link_of(partner: Partner, address: str) -> str:
    """Return the address inside the device's only action."""
    (action,) = partner.call("GET", address).json()["actions"]
    return str(action["resolution_link"]["url"])


def sign_in(page: str, login: dict[str, str]) -> requests.Response:
    """Sign in on a hosted re-login page."""
    query = parse_qs(urlsplit(page).query)
    form = {"auth_session_id": query["auth_session_id"][0]} | login
    base = page.partition("/reconnect")[0]
    return requests.post(f"{base}/reconnect", data=form, allow_redirects=False, timeout=5)


def test_lapsed_login_shows_as_one_action(partner: Partner, control: SimulatorControl) -> None:
    address = lapsed(partner, control)

    device = partner.call("GET", address).json()

    assert device["is_authenticated"] is False
    assert device["action_needed"] is True
    (action,) = device["actions"]
    assert action["code"] == "reauthenticate"
    assert action["resolution_link"]["url"].startswith(f"{partner.base_url}/api/partners/v2.0/cues")
    assert action["resolution_link"]["required_parameters"] == ["successUrl", "cancelUrl"]


def test_action_leads_through_the_login_to_its_end(
    partner: Partner, control: SimulatorControl
) -> None:
    address = lapsed(partner, control)
    link = link_of(partner, address)

    page = partner.call("POST", link, CUE_ADDRESSES | {"language": "de"}).json()["redirect_url"]
    back = sign_in(page, DEMO)
    device = partner.call("GET", address).json()

    assert back.status_code == 302
    assert back.headers["Location"] == f"http://shop.test/ok?deviceId={device_id_of(address)}"
    assert device["is_authenticated"] is True
    assert device["action_needed"] is True, "in progress until its outcome is reported"
    report = requests.post(link.replace("/resolve", "/state"), json={"state": "success"}, timeout=5)
    assert report.status_code == 200
    assert report.json()["action_id"] in link
    device = partner.call("GET", address).json()
    assert (device["action_needed"], device["actions"]) == (False, [])


def test_failed_action_can_be_started_again(partner: Partner, control: SimulatorControl) -> None:
    address = lapsed(partner, control)
    link = link_of(partner, address)
    report = link.replace("/resolve", "/state")

    assert partner.call("POST", report, {"state": "fail"}).status_code == 404, "not started yet"
    assert partner.call("POST", link, CUE_ADDRESSES).status_code == 200
    assert partner.call("POST", report, {"state": "fail"}).status_code == 200
    assert partner.call("POST", link, CUE_ADDRESSES).status_code == 200


def test_hosted_page_may_report_by_itself(partner: Partner, control: SimulatorControl) -> None:
    control.settings(cue_closes_itself=True)
    address = lapsed(partner, control)
    link = link_of(partner, address)

    sign_in(partner.call("POST", link, CUE_ADDRESSES).json()["redirect_url"], DEMO)

    assert partner.call("GET", address).json()["action_needed"] is False
    report = partner.call("POST", link.replace("/resolve", "/state"), {"state": "success"})
    assert report.status_code == 404


@pytest.mark.parametrize("status", [401, 403, 404])
def test_dead_or_forged_secret_is_refused(
    partner: Partner, control: SimulatorControl, status: int
) -> None:
    address = lapsed(partner, control)
    link = link_of(partner, address)
    control.settings(cue_secret_status=status)

    assert partner.call("POST", f"{link}x", CUE_ADDRESSES).status_code == status
    control.settings(cue_secret_seconds=0)
    assert partner.call("POST", link, CUE_ADDRESSES).status_code == status


def test_resolve_wants_its_camel_case_fields(partner: Partner, control: SimulatorControl) -> None:
    link = link_of(partner, lapsed(partner, control))

    reply = partner.call("POST", link, ADDRESSES)

    assert reply.status_code == 422
    assert {error["type"] for error in reply.json()["detail"]} == {"missing", "extra_forbidden"}


def test_auth_session_leads_back_and_clears_the_action(
    partner: Partner, control: SimulatorControl
) -> None:
    address = lapsed(partner, control)

    reply = partner.call("POST", f"{address}/auth_session", ADDRESSES)
    body = reply.json()
    refused = sign_in(body["authentication_url"], DEMO | {"password": "wrong"})
    back = sign_in(body["authentication_url"], DEMO)

    assert reply.status_code == 200
    assert body["device_id"] == device_id_of(address)
    assert refused.status_code == 401
    assert 'role="alert"' in refused.text
    assert back.headers["Location"] == f"http://shop.test/ok?deviceId={body['device_id']}"
    device = partner.call("GET", address).json()
    assert (device["is_authenticated"], device["actions"]) == (True, [])
    assert sign_in(body["authentication_url"], DEMO).status_code == 410, "used up"


def test_reconnect_may_append_nothing(partner: Partner, control: SimulatorControl) -> None:
    control.settings(reconnect_appends_device_id=False)
    address = lapsed(partner, control)
    page = partner.call("POST", f"{address}/auth_session", ADDRESSES).json()["authentication_url"]

    assert sign_in(page, DEMO).headers["Location"] == "http://shop.test/ok"


def test_auth_session_without_addresses_ends_on_its_own_page(
    partner: Partner, control: SimulatorControl
) -> None:
    address = lapsed(partner, control)
    page = partner.call("POST", f"{address}/auth_session", {}).json()["authentication_url"]

    reply = sign_in(page, DEMO)

    assert reply.status_code == 200
    assert "connected again" in reply.text


def test_reconnect_can_be_cancelled(partner: Partner, control: SimulatorControl) -> None:
    address = lapsed(partner, control)
    page = partner.call("POST", f"{address}/auth_session", ADDRESSES).json()["authentication_url"]

    back = requests.get(
        page.replace("/reconnect?", "/reconnect/cancel?"), allow_redirects=False, timeout=5
    )

    assert (back.status_code, back.headers["Location"]) == (302, "http://shop.test/no")
    assert partner.call("GET", address).json()["is_authenticated"] is False


def test_login_with_another_account_is_recorded(
    partner: Partner, control: SimulatorControl
) -> None:
    address = lapsed(partner, control)
    before = partner.call("GET", address).json()["external_device_id"]
    page = partner.call("POST", f"{address}/auth_session", ADDRESSES).json()["authentication_url"]

    sign_in(page, OTHER)

    assert partner.call("GET", address).json()["external_device_id"] != before
    (device,) = control.state()["devices"]
    assert device["has_changed_account"] is True


def test_login_with_another_account_may_bring_a_device_of_its_own(
    partner: Partner, control: SimulatorControl
) -> None:
    control.settings(reconnect_other_account="new_device")
    address = lapsed(partner, control)
    page = partner.call("POST", f"{address}/auth_session", ADDRESSES).json()["authentication_url"]

    back = sign_in(page, OTHER)

    first, second = control.state()["devices"]
    assert back.headers["Location"].endswith(f"?deviceId={second['id']}")
    assert partner.call("GET", address).json()["is_authenticated"] is False
    assert first["has_changed_account"] is False


def test_notice_can_be_marked_as_read(partner: Partner, control: SimulatorControl) -> None:
    address = linked(partner, control, "hp")
    control.set_device(device_id_of(address), has_unread_information=True)
    device = partner.call("GET", address).json()
    assert (device["action_needed"], device["actions"][0]["code"]) == (False, "information")

    reply = partner.call("POST", link_of(partner, address), {})

    assert reply.status_code == 200
    device = partner.call("GET", address).json()
    assert (device["has_unread_information"], device["actions"]) == (False, [])
