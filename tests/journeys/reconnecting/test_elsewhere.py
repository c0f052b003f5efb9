"""Somebody comes back in another browser than the one that left."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from django.urls import reverse

from onboarding.models import Device
from tests.factories import make_customer
from tests.journeys.customer import Customer, heading_of
from tests.journeys.reconnecting.steps import (
    RENEWED,
    calls_of,
    finish,
    newest,
    press_reconnect,
    told_of,
)
from tests.journeys.test_proof_of_return import (
    path_of,
    stranger,
)
from tests.simulator.launch import RunningSimulator

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("signed_in", [False, True])
def test_foreign_browser_changes_a_time_and_a_line(
    customer: Customer, device: Device, simulator: RunningSimulator, signed_in: bool
) -> None:
    way_back = finish(press_reconnect(customer).headers["Location"])
    browser = Customer(make_customer()).browser if signed_in else stranger()
    before = len(calls_of(simulator))

    for _visit in range(2):
        response = browser.get(path_of(way_back))

    leads_to = "/optimize/return/other-customer/" if signed_in else "/sign-in/"
    assert urlsplit(response.headers["Location"]).path == leads_to
    shown = newest(customer)
    assert shown.state == "open"
    assert shown.foreign_return_at is not None
    assert told_of(customer).count("reconnect_seen") == 1
    assert len(calls_of(simulator)) == before


@pytest.mark.parametrize("kind", ["head", "prefetch"])
def test_guess_of_a_browser_or_scanner_acts_not(
    customer: Customer, device: Device, simulator: RunningSimulator, kind: str
) -> None:
    way_back = path_of(finish(press_reconnect(customer).headers["Location"]))

    if kind == "head":
        customer.browser.head(way_back)
    else:
        customer.browser.get(way_back, headers={"Sec-Purpose": "prefetch"})

    assert newest(customer).state == "open"


def test_customer_who_signs_in_where_they_came_back_sees_the_answer(
    customer: Customer, device: Device, simulator: RunningSimulator
) -> None:
    way_back = finish(press_reconnect(customer).headers["Location"])
    phone = stranger()
    entrance = phone.get(path_of(way_back)).headers["Location"]
    way_on = parse_qs(urlsplit(entrance).query)["next"][0]

    page = phone.post(
        entrance,
        {
            "username": customer.podero_user.account.username,
            "password": "demo",
            "next": way_on,
        },
        follow=True,
    )

    assert heading_of(page) == RENEWED
    assert (newest(customer).state, newest(customer).is_return_matched) == ("renewed", False)


def test_browser_that_left_cannot_make_up_a_return(customer: Customer, doubtful: Device) -> None:
    press_reconnect(customer)

    customer.browser.get(reverse("resume_reconnection", args=[newest(customer).reference]))

    assert newest(customer).state == "open"
    assert not Device.objects.get().is_holder_proven


def test_nobody_else_sees_a_reconnection(customer: Customer, device: Device) -> None:
    press_reconnect(customer)
    other = Customer(make_customer())
    reference = newest(customer).reference

    for name in (
        "reconnection",
        "reconnection_status",
        "check_reconnection",
        "resume_reconnection",
    ):
        assert other.browser.get(reverse(name, args=[reference])).status_code == 404
    status = Client().get(reverse("reconnection_status", args=[reference]))
    assert status.status_code == 401


def test_status_says_how_it_stands(customer: Customer, device: Device) -> None:
    address = press_reconnect(customer).headers["Location"]
    where = reverse("reconnection_status", args=[newest(customer).reference])

    assert customer.browser.get(where).json() == {
        "state": "open",
        "is_final": False,
        "next_poll_ms": 3000,
    }
    customer.go(finish(address))
    assert customer.browser.get(where).json() == {
        "state": "renewed",
        "is_final": True,
        "next_poll_ms": None,
    }
