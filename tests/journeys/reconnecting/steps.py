"""Out to the manufacturer and back, as a customer does it, and what is on record of it."""

from __future__ import annotations

from typing import Any

import requests
from django.urls import reverse

from onboarding import tasks
from onboarding.models import Device, Reconnection
from tests.journeys.customer import Customer
from tests.journeys.test_proof_of_return import path_of, stranger
from tests.simulator.launch import RunningSimulator
from tests.simulator.test_reconnecting import DEMO, sign_in

RENEWED = "Your device is connected again"
OTHER_DEVICE = "Another device was linked"


def press_reconnect(customer: Customer, device: Device | None = None) -> Any:
    device = device or Device.objects.get(podero_user=customer.podero_user)
    return customer.browser.post(reverse("reconnect_device", args=[device.reference]))


def lapse(simulator: RunningSimulator, device: Device) -> None:
    """The manufacturer does not take the login any more: signing in again will show."""
    simulator.control.set_device(str(device.podero_id), is_authenticated=False)


def is_named_no_more(simulator: RunningSimulator, device: Device) -> None:
    """Podero does not tell by what the device goes at the manufacturer, and never has."""
    simulator.control.set_device(str(device.podero_id), external_device_id="")
    Device.objects.filter(pk=device.pk).update(external_device_id="", account_mark="")


def newest(customer: Customer) -> Reconnection:
    return Reconnection.objects.for_customer(customer.podero_user).latest("pk")


def page_of(customer: Customer) -> Any:
    return customer.browser.get(reverse("reconnection", args=[newest(customer).reference]))


def finish(address: str, login: dict[str, str] | None = None) -> str:
    """Sign in at the manufacturer; returns the way back."""
    return sign_in(address, login or DEMO).headers["Location"]


def break_off(address: str) -> str:
    page = address.replace("/reconnect?", "/reconnect/cancel?")
    return requests.get(page, allow_redirects=False, timeout=5).headers["Location"]


def calls_of(simulator: RunningSimulator) -> list[str]:
    return [entry["endpoint"] for entry in simulator.control.state()["journal"]]


def told_of(customer: Customer) -> list[str]:
    return [event.event for event in customer.attempt.events.order_by("pk")]


def comes_back(way_back: str, customer: Customer) -> None:
    """Somebody who is not signed in follows the customer's way back; and what that sets off."""
    stranger().get(path_of(way_back))
    tasks.look_who_signed_in(customer_id=customer.podero_user.pk)
