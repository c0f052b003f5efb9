"""Podero joins what it appends in whichever way, and hands out whichever id: neither costs anybody
their device."""

from __future__ import annotations

import dataclasses
import uuid
from typing import Any

import pytest
from django.urls import reverse

from onboarding import podero
from onboarding.models import Device
from onboarding.states import State
from tests.factories import make_attempt, make_customer
from tests.journeys.customer import Customer
from tests.journeys.reconnecting.steps import finish, lapse, newest, press_reconnect
from tests.journeys.test_coming_back import cancel_address, success_address
from tests.journeys.test_leaving import link_a_device
from tests.journeys.test_proof_of_return import path_of
from tests.simulator.launch import RunningSimulator

pytestmark = pytest.mark.django_db(transaction=True)

JOINED = (
    "?deviceId={}",
    "&deviceId={}",
    "%3FdeviceId={}",
    "&state=ok&deviceId={}",
    "?&deviceId={}",
)


@pytest.mark.parametrize("appended", JOINED)
def test_return_names_its_device_however_the_parameter_is_joined(
    customer: Customer, simulator: RunningSimulator, appended: str
) -> None:
    customer.opt_in()
    completed = simulator.control.complete(str(customer.attempt.podero_id))
    way_back = success_address(simulator, customer.attempt)

    answer = customer.browser.get(path_of(way_back) + appended.format(completed.device_id))

    attempt = customer.attempt
    assert answer.headers["Location"] == reverse("attempt", args=[attempt.reference])
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert (attempt.state, str(attempt.returned_device_id)) == ("linked", completed.device_id)
    assert Device.objects.get().is_confirmed


@pytest.mark.parametrize("joined", ["?", "&"])
def test_return_with_thousands_of_parameters_is_one_that_names_no_device(
    customer: Customer, simulator: RunningSimulator, joined: str
) -> None:
    customer.opt_in()
    simulator.control.complete(str(customer.attempt.podero_id))
    way_back = path_of(success_address(simulator, customer.attempt))

    answer = customer.browser.get(way_back + joined + "a=b&" * 1500)

    assert answer.headers["Location"] == reverse("attempt", args=[customer.attempt.reference])
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert customer.attempt.state == "linked"
    assert customer.attempt.returned_device_id is None


@pytest.mark.parametrize("appended", ["&error=login_failed", "failed", "a/b?c=d", "&deviceId=x"])
def test_cancel_is_one_whatever_is_appended(
    customer: Customer, simulator: RunningSimulator, appended: str
) -> None:
    customer.opt_in()

    answer = customer.browser.get(path_of(cancel_address(simulator, customer.attempt)) + appended)

    assert answer.headers["Location"] == reverse("attempt", args=[customer.attempt.reference])
    assert customer.attempt.state == "cancelled"


@pytest.mark.parametrize("kind", ["success", "cancel"])
def test_way_back_from_the_manufacturer_is_one_whatever_is_appended(
    customer: Customer, simulator: RunningSimulator, kind: str
) -> None:
    link_a_device(customer, simulator)
    device = Device.objects.get()
    lapse(simulator, device)
    finish(press_reconnect(customer).headers["Location"])
    (relogin,) = simulator.control.state()["relogins"]

    answer = customer.browser.get(path_of(relogin[f"{kind}_url"]) + f"&deviceId={device.podero_id}")

    assert answer.headers["Location"] == reverse("reconnection", args=[newest(customer).reference])
    assert newest(customer).state == ("renewed" if kind == "success" else "cancelled")


def test_form_that_is_another_attempts_is_not_led_to(
    customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_of_another = uuid.uuid4()
    taken = make_attempt(customer=make_customer(), state=State.OPEN, podero_id=id_of_another)
    create = podero.PoderoClient.create_onboarding_session

    def repeat(client: podero.PoderoClient, **asked: Any) -> podero.HostedSession:
        return dataclasses.replace(create(client, **asked), id=id_of_another)

    monkeypatch.setattr(podero.PoderoClient, "create_onboarding_session", repeat)

    answer = customer.opt_in()

    assert answer.headers["Location"] == reverse("attempt", args=[customer.attempt.reference])
    attempt = customer.attempt
    assert (attempt.state, attempt.failure_code) == ("failed", "unexpected_reply")
    assert attempt.claimed_at is None
    assert customer.page.status_code == 200
    taken.refresh_from_db()
    assert taken.state == "open"
