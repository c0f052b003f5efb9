"""Wishing something gone, what Podero answers to that, and what it has then."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.urls import reverse

from onboarding.clients import podero_client
from onboarding.flows.sweep import sweep
from onboarding.models import Device
from tests.journeys.customer import Customer
from tests.simulator.launch import RunningSimulator

# What is done with a device or a user by what a DELETE is answered. Faults are named as in
# simulator/faults/catalogue.py; a number is the switch for what Podero answers always.
GONE = [200, 204, "http_404 after effect"]
REFUSED = [403, 405, 409, 422, "http_400", "http_403", "redirect", "http_422_text"]
RETRIED = [
    "http_500",
    "http_500 after effect",
    "http_502",
    "http_503",
    "http_429",
    "http_401",
    "timeout_before",
    "timeout_after",
    "reset_before",
    "reset_after",
]


def remove(customer: Customer, device: Device | None = None) -> Any:
    device = device or Device.objects.get()
    return customer.browser.post(reverse("remove_device", args=[device.reference]), follow=True)


def sweep_at(now: datetime) -> dict[str, int]:
    return sweep(client=podero_client(), now=now)


def answer_deletion(simulator: RunningSimulator, what: str, answer: int | str) -> None:
    """Have DELETE answered so; faults strike once, and again where the client asks again."""
    if isinstance(answer, int):
        simulator.control.settings(**{f"{what}_delete_status": answer})
        return
    # A 204 is complete with its headers, so there would be nothing to wait for.
    simulator.control.settings(**{f"{what}_delete_status": 200})
    name, _, effect = answer.partition(" ")
    more: dict[str, Any] = {"takes_effect": True} if effect else {}
    times = 2 if name == "http_401" else 1
    simulator.control.arm(f"delete_{what}", name, count=times, **more)


def user_at_podero(simulator: RunningSimulator) -> dict[str, Any]:
    (user,) = simulator.control.state()["users"]
    return dict(user)


def is_listed(simulator: RunningSimulator) -> bool:
    (device,) = simulator.control.state()["devices"]
    return device["fields"]["deleted_at"] is None


def comes_back_naming(
    customer: Customer, simulator: RunningSimulator, device: Device, *, browser: Any = None
) -> None:
    """Finish the newest form with a device that Podero had before."""
    simulator.control.set_session(str(customer.attempt.podero_id), object_id=str(device.podero_id))
    held = simulator.control.state()["sessions"]
    session = next(s for s in held if s["id"] == str(customer.attempt.podero_id))
    customer.go(f"{session['success_url']}?deviceId={device.podero_id}")


def user_at_podero_by_id(simulator: RunningSimulator, user_id: str) -> dict[str, Any]:
    return next(dict(u) for u in simulator.control.state()["users"] if u["id"] == user_id)
