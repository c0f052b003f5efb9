"""Pause and resume: the newest wish counts, at once or as soon as Podero can be told."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from onboarding import clients
from onboarding.models import ChargeWish, Device
from tests.factories import make_customer
from tests.journeys.cards import (
    charge,
    charge_at_podero,
    link,
    page,
    pause,
    resume,
    sweep_after,
    told,
)
from tests.journeys.customer import Customer
from tests.journeys.test_leaving import is_steered, leave
from tests.simulator.launch import RunningSimulator

pytestmark = pytest.mark.django_db(transaction=True)


def test_paused_device_is_left_alone_at_once_and_stays_so(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = link(customer, simulator)
    assert is_steered(simulator, device) is True

    pause(customer, device)

    assert is_steered(simulator, device) is False
    assert "You have paused this device." in page(customer)
    sweep_after(minutes=16)
    sweep_after(minutes=32)
    assert is_steered(simulator, device) is False
    assert "You have paused this device." in page(customer)


def test_resumed_device_is_optimized_at_once(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = link(customer, simulator)
    pause(customer, device)

    resume(customer, device)

    assert is_steered(simulator, device) is True
    assert "Linked, and optimization is on." in page(customer)
    assert told(device) == ["paused", "resumed"]


def test_pause_that_a_clock_which_was_ahead_has_put_off_is_not_waited_for(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = link(customer, simulator)
    simulator.control.arm("update_device", "http_503", count=-1)
    pause(customer, device)
    simulator.control.clear_faults()
    Device.objects.update(next_try_at=timezone.now() + timedelta(days=1))

    sweep_after(minutes=1)

    assert is_steered(simulator, device) is False


def test_pause_while_podero_is_away_is_said_and_carried_out_later(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = link(customer, simulator)
    simulator.control.arm("update_device", "http_503", count=2)

    pause(customer, device)

    text = page(customer)
    assert "Pausing: Podero has not confirmed yet. We keep trying." in text
    assert "You have paused this device." not in text
    sweep_after(minutes=1)
    assert is_steered(simulator, device) is True
    sweep_after(minutes=5)
    assert is_steered(simulator, device) is False
    assert "You have paused this device." in page(customer)


def test_pause_whose_confirmation_was_lost_is_not_called_done(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = link(customer, simulator)
    simulator.control.arm("update_device", "reset_after", count=1)

    pause(customer, device)

    assert is_steered(simulator, device) is False
    assert "Podero has not confirmed yet" in page(customer)
    sweep_after(minutes=1)
    assert "You have paused this device." in page(customer)


def test_pause_pressed_when_too_many_wait_is_carried_out_later(
    customer: Customer, simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = link(customer, simulator)

    class Full:
        def acquire(self, *, blocking: bool) -> bool:
            return False

    monkeypatch.setattr(clients, "_places", Full())

    pause(customer, device)

    assert is_steered(simulator, device) is True
    assert "Podero has not confirmed yet" in page(customer)
    sweep_after()
    assert is_steered(simulator, device) is False


def test_newest_of_two_wishes_that_could_not_be_told_wins(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = link(customer, simulator)
    simulator.control.arm("update_device", "http_503", count=-1)
    pause(customer, device)
    resume(customer, device)
    pause(customer, device)
    simulator.control.clear_faults()

    sweep_after(minutes=1)

    assert is_steered(simulator, device) is False
    assert told(device) == ["paused", "resumed", "paused"]


@pytest.mark.parametrize("is_away", [False, True])
def test_pausing_takes_back_what_waits_to_charge(
    customer: Customer, simulator: RunningSimulator, is_away: bool
) -> None:
    device = link(customer, simulator)
    charge(customer, device)
    assert charge_at_podero(simulator, device)["boost_for_next_session"] is True
    if is_away:
        simulator.control.arm("*", "http_503", count=-1)

    pause(customer, device)
    simulator.control.clear_faults()
    sweep_after(minutes=2)

    assert charge_at_podero(simulator, device)["boost_for_next_session"] is False
    shown = page(customer)
    assert "You have paused this device." in shown
    assert "Charging starts at once when the car is plugged in next" not in shown


def test_pausing_does_not_stop_what_charges_already(
    customer: Customer, simulator: RunningSimulator
) -> None:
    simulator.control.settings(boost_requested_seconds=0)
    device = link(customer, simulator, "wb")
    simulator.control.set_device(str(device.podero_id), is_plugged_in=True)
    charge(customer, device)
    assert charge_at_podero(simulator, device)["boost_state"] == "ongoing"

    pause(customer, device)
    sweep_after(minutes=2)

    assert charge_at_podero(simulator, device)["boost_state"] == "ongoing"


def test_pressing_twice_is_one_pause(customer: Customer, simulator: RunningSimulator) -> None:
    device = link(customer, simulator)
    before = len(simulator.control.requests_to("update_device"))

    pause(customer, device)
    pause(customer, device)

    assert told(device) == ["paused"]
    assert len(simulator.control.requests_to("update_device")) == before + 1


def test_device_switched_on_elsewhere_while_paused_is_switched_off_again(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = link(customer, simulator)
    pause(customer, device)
    simulator.control.set_device(str(device.podero_id), is_smart_optimization_active=True)

    sweep_after(minutes=16)
    sweep_after(minutes=17)

    assert is_steered(simulator, device) is False


def test_device_switched_off_elsewhere_is_said_and_can_be_switched_on(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = link(customer, simulator)
    simulator.control.set_device(str(device.podero_id), is_smart_optimization_active=False)
    sweep_after(minutes=16)
    assert "Optimization is off at Podero" in page(customer)

    resume(customer, device)

    assert is_steered(simulator, device) is True


def test_who_has_withdrawn_resumes_nothing(customer: Customer, simulator: RunningSimulator) -> None:
    device = link(customer, simulator)
    leave(customer)
    sweep_after()
    before = len(simulator.control.requests_to("update_device"))

    resume(customer, device)

    device.refresh_from_db()
    assert not device.is_optimization_wanted
    assert told(device) == []
    assert len(simulator.control.requests_to("update_device")) == before
    assert "Switch optimization on again" not in page(customer)


def test_unconfirmed_device_is_not_resumed(customer: Customer, simulator: RunningSimulator) -> None:
    customer.opt_in()
    simulator.control.complete(str(customer.attempt.podero_id))
    sweep_after(minutes=20)
    device = Device.objects.get()

    resume(customer, device)

    device.refresh_from_db()
    assert (device.is_confirmed, device.is_optimization_wanted) == (False, False)
    assert is_steered(simulator, device) is False


def test_device_of_another_customer_cannot_be_steered(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = link(customer, simulator)
    stranger = Customer(make_customer())

    for act in ("pause_device", "resume_device", "charge_device", "do_not_charge_device"):
        response = stranger.browser.post(reverse(act, args=[device.reference]))
        assert response.status_code == 404, act

    device.refresh_from_db()
    assert device.is_optimization_wanted
    assert ChargeWish.objects.count() == 0


@pytest.mark.parametrize(
    "act", ["pause_device", "resume_device", "charge_device", "do_not_charge_device"]
)
def test_address_of_an_act_that_is_only_opened_does_nothing(
    customer: Customer, simulator: RunningSimulator, act: str
) -> None:
    device = link(customer, simulator)
    before = simulator.control.state()["journal"]

    response = customer.browser.get(reverse(act, args=[device.reference]))

    assert response.status_code == 302
    assert Client().post(reverse(act, args=[device.reference])).status_code == 302
    assert simulator.control.state()["journal"] == before
    device.refresh_from_db()
    assert device.is_optimization_wanted
    assert ChargeWish.objects.count() == 0
