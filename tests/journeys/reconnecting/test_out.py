"""Out to the manufacturer: by the action of the device, or by the older way."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from onboarding.clients import podero_client
from onboarding.flows import withdrawal
from onboarding.flows.sweep import sweep
from onboarding.models import Device, Reconnection
from tests.factories import make_device
from tests.journeys.customer import Customer, heading_of
from tests.journeys.reconnecting.steps import calls_of, finish, newest, page_of, press_reconnect
from tests.simulator.launch import RunningSimulator

pytestmark = pytest.mark.django_db(transaction=True)


def test_card_offers_to_sign_in_again(customer: Customer, device: Device) -> None:
    Device.objects.update(is_authenticated=False)

    text = customer.browser.get(reverse("devices")).content.decode()

    assert reverse("reconnect_device", args=[device.reference]) in text
    assert "cannot renew" not in text


def test_press_leads_straight_to_the_manufacturer_by_the_action(
    customer: Customer, device: Device, simulator: RunningSimulator
) -> None:
    before = len(calls_of(simulator))

    response = press_reconnect(customer)

    assert response.status_code == 302
    assert response.headers["Location"].startswith(f"{simulator.base_url}/reconnect?")
    assert calls_of(simulator)[before:] == ["get_device", "cue_resolve"]
    assert newest(customer).state == "open"
    assert newest(customer).was_lapsed
    assert simulator.control.state()["rejected"] == []


def test_device_without_an_action_goes_by_the_older_way(
    customer: Customer, device: Device, simulator: RunningSimulator
) -> None:
    simulator.control.set_device(str(device.podero_id), is_authenticated=True)
    before = len(calls_of(simulator))

    response = press_reconnect(customer)

    assert response.headers["Location"].startswith(f"{simulator.base_url}/reconnect?")
    assert calls_of(simulator)[before:] == ["get_device", "auth_session"]
    assert newest(customer).cue_id is None


@pytest.mark.parametrize("status", [401, 403, 404])
def test_dead_link_is_read_anew_once_and_then_the_older_way_is_taken(
    customer: Customer, device: Device, simulator: RunningSimulator, status: int
) -> None:
    simulator.control.settings(cue_secret_seconds=0, cue_secret_status=status)
    before = len(calls_of(simulator))

    response = press_reconnect(customer)

    assert response.headers["Location"].startswith(f"{simulator.base_url}/reconnect?")
    made = calls_of(simulator)[before:]
    assert made.count("get_device") == 2
    assert made[-1] == "auth_session"


def test_link_that_died_just_now_is_replaced_by_a_fresh_one(
    customer: Customer, device: Device, simulator: RunningSimulator
) -> None:
    simulator.control.arm("cue_resolve", "http_403", count=1)

    press_reconnect(customer)

    assert newest(customer).cue_id is not None
    assert "auth_session" not in calls_of(simulator)


@pytest.mark.parametrize("endpoint", ["auth_session", "get_device"])
def test_device_that_cannot_be_renewed_is_explained_with_a_human(
    customer: Customer, device: Device, simulator: RunningSimulator, endpoint: str
) -> None:
    if endpoint == "auth_session":
        simulator.control.set_device(str(device.podero_id), is_authenticated=True)
        simulator.control.arm("auth_session", "null_authentication_url", count=1)
    else:
        simulator.control.drop_device(str(device.podero_id))

    response = press_reconnect(customer)

    shown = newest(customer)
    assert response.headers["Location"] == reverse("reconnection", args=[shown.reference])
    assert shown.state == "impossible"
    text = page_of(customer).content.decode()
    assert heading_of(page_of(customer)) == "This device cannot be renewed here"
    assert "help@alpenstrom.example" in text
    assert shown.support_code in text


@pytest.mark.parametrize("fault", ["http_503", "http_429", "reset_before", "broken_json"])
def test_podero_away_is_said_and_can_be_tried_again(
    customer: Customer, device: Device, simulator: RunningSimulator, fault: str
) -> None:
    simulator.control.arm("*", fault, count=-1)

    press_reconnect(customer)

    assert newest(customer).state == "not_opened"
    page = page_of(customer)
    assert heading_of(page) == "The sign-in page could not be opened"
    assert reverse("reconnect_device", args=[device.reference]) in page.content.decode()
    assert reverse("devices") in page.content.decode()
    simulator.control.clear_faults()
    assert press_reconnect(customer).headers["Location"].startswith(simulator.base_url)


@pytest.mark.parametrize("variant", ["host", "userinfo", "javascript", "scheme"])
@pytest.mark.parametrize("endpoint", ["cue_resolve", "auth_session"])
def test_customer_is_sent_to_listed_hosts_only(
    customer: Customer,
    device: Device,
    simulator: RunningSimulator,
    endpoint: str,
    variant: str,
) -> None:
    if endpoint == "auth_session":
        simulator.control.set_device(str(device.podero_id), is_authenticated=True)
    simulator.control.arm(endpoint, "foreign_authentication_url", variant=variant)

    response = press_reconnect(customer)

    assert response.headers["Location"].startswith("/optimize/")
    assert (newest(customer).state, newest(customer).failure_code) == (
        "not_opened",
        "unexpected_reply",
    )


def test_too_many_waiting_is_said(
    customer: Customer, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onboarding.clients._places.acquire", lambda **_: False)

    press_reconnect(customer)

    assert (newest(customer).state, newest(customer).failure_code) == ("not_opened", "podero_busy")


def test_device_of_somebody_else_cannot_be_reconnected(
    customer: Customer, simulator: RunningSimulator
) -> None:
    assert press_reconnect(customer, make_device()).status_code == 404
    assert Reconnection.objects.count() == 0


def test_after_leaving_nothing_is_renewed(
    customer: Customer, device: Device, simulator: RunningSimulator
) -> None:
    withdrawal.withdraw(customer=customer.podero_user, now=timezone.now())
    before = len(calls_of(simulator))

    response = press_reconnect(customer)

    assert response.headers["Location"] == reverse("devices")
    assert Reconnection.objects.count() == 0
    assert len(calls_of(simulator)) == before


def test_opening_that_was_killed_ends_and_frees_the_way(customer: Customer, device: Device) -> None:
    now = timezone.now()
    Reconnection.objects.create(
        device=device, started_at=now, claimed_at=now, next_try_at=now + timedelta(minutes=5)
    )

    sweep(client=podero_client(), now=now + timedelta(minutes=6))

    assert newest(customer).state == "not_opened"
    press_reconnect(customer)
    assert newest(customer).state == "open"


def test_no_key_is_kept_or_shown(
    customer: Customer, device: Device, simulator: RunningSimulator, caplog: Any
) -> None:
    address = press_reconnect(customer).headers["Location"]
    way_back = finish(address)
    customer.go(way_back)

    (relogin,) = simulator.control.state()["relogins"]
    token = relogin["success_url"].split("/")[-3]
    row = str(Reconnection.objects.values().get())
    shown = page_of(customer).content.decode()
    for key in (token, relogin["cancel_url"].split("/")[-3], relogin["id"]):
        assert len(key) >= 36
        assert key not in row + shown + caplog.text
    assert "secret=" not in row + shown + caplog.text
