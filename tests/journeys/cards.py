"""The cards of My devices: what a customer presses there, and what came of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.urls import reverse
from django.utils import timezone

from onboarding.clients import podero_client
from onboarding.flows.sweep import sweep
from onboarding.models import Device
from onboarding.states import Event
from tests.journeys.customer import Customer
from tests.simulator.launch import RunningSimulator


def link(customer: Customer, simulator: RunningSimulator, device_type: str = "ev") -> Device:
    customer.opt_in(device_type=device_type)
    way_back = simulator.control.complete(str(customer.attempt.podero_id)).redirect_url
    customer.go(str(way_back))
    return Device.objects.latest("pk")


def press(customer: Customer, act: str, device: Device) -> None:
    """Press a button of the device's card; the way leads back to the card."""
    response = customer.browser.post(reverse(act, args=[device.reference]))
    assert response.headers["Location"] == f"{reverse('devices')}#device-{device.reference}"


def pause(customer: Customer, device: Device) -> None:
    press(customer, "pause_device", device)


def resume(customer: Customer, device: Device) -> None:
    press(customer, "resume_device", device)


def charge(customer: Customer, device: Device) -> None:
    press(customer, "charge_device", device)


def do_not_charge(customer: Customer, device: Device) -> None:
    press(customer, "do_not_charge_device", device)


def page(customer: Customer) -> str:
    return str(customer.browser.get(reverse("devices")).content.decode())


def sweep_after(**wait: float) -> None:
    sweep(client=podero_client(), now=timezone.now() + timedelta(**wait))


def told(device: Device) -> list[str]:
    acts = (Event.PAUSED, Event.RESUMED, Event.CHARGE_WISHED, Event.CHARGE_TAKEN_BACK)
    events = device.attempt.events.filter(event__in=acts, actor="customer").order_by("pk")
    return [event.event for event in events]


def charge_at_podero(simulator: RunningSimulator, device: Device) -> dict[str, Any]:
    held = simulator.control.state()["devices"]
    fields = next(one["fields"] for one in held if one["id"] == str(device.podero_id))
    return {name: fields.get(name) for name in ("boost_state", "boost_for_next_session")}


def remove(customer: Customer, device: Device) -> None:
    customer.browser.post(reverse("remove_device", args=[device.reference]))


def what_ended(simulator: RunningSimulator) -> list[str]:
    """The calls that took back what was to charge, or removed a device, in order."""
    return [
        f"{entry['endpoint']} {entry['method']}"
        for entry in simulator.control.state()["journal"]
        if entry["endpoint"] in {"boost", "delete_device"} and entry["method"] == "DELETE"
    ]
