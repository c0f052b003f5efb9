"""Who came back in the browser that left, while Podero could not say what with, has come back."""

from __future__ import annotations

from datetime import timedelta

import pytest

from onboarding.models import Device
from tests.connected import let_the_breaker_rest
from tests.journeys.cards import pause, sweep_after
from tests.journeys.customer import Customer
from tests.journeys.removal.steps import comes_back_naming
from tests.journeys.test_detours import is_steered, reads_anew
from tests.simulator.launch import Completed, RunningSimulator

pytestmark = pytest.mark.django_db(transaction=True)


def fails(*, since: timedelta) -> None:
    """Podero is asked as often as it takes to give up, beginning so long from now, and is away."""
    for hour in range(0, 12, 2):
        let_the_breaker_rest()
        sweep_after(seconds=(since + timedelta(hours=hour)).total_seconds())


@pytest.fixture
def in_vain(customer: Customer, completed: Completed, simulator: RunningSimulator) -> Completed:
    """The customer came back, and Podero was away for a day."""
    simulator.control.arm("*", "http_503", count=-1)
    customer.go(str(completed.redirect_url))
    fails(since=timedelta(hours=21))
    assert (customer.attempt.state, customer.attempt.failure_code) == ("failed", "not_confirmed")
    return completed


def device_of(completed: Completed) -> Device:
    return Device(podero_id=str(completed.device_id))


def is_back(simulator: RunningSimulator) -> None:
    simulator.control.clear_faults()
    let_the_breaker_rest()


def test_device_is_on_once_podero_names_it(
    customer: Customer, in_vain: Completed, simulator: RunningSimulator
) -> None:
    is_back(simulator)

    sweep_after(days=7)

    assert customer.attempt.state == "linked"
    assert is_steered(simulator, in_vain.device_id)


def test_it_is_on_although_podero_was_away_for_days_after_the_form_ran_out(
    customer: Customer, in_vain: Completed, simulator: RunningSimulator
) -> None:
    fails(since=timedelta(days=7))
    sweep_after(days=9)
    is_back(simulator)

    sweep_after(days=10)

    assert customer.attempt.state == "linked"
    assert is_steered(simulator, in_vain.device_id)


def test_late_answer_switches_on_nothing_that_the_retailer_has_switched_off(
    customer: Customer, in_vain: Completed, simulator: RunningSimulator
) -> None:
    is_back(simulator)
    customer.opt_in()
    comes_back_naming(customer, simulator, device_of(in_vain))
    assert is_steered(simulator, in_vain.device_id)
    simulator.control.set_device(str(in_vain.device_id), is_smart_optimization_active=False)
    reads_anew(customer)

    sweep_after(days=7)

    assert not is_steered(simulator, in_vain.device_id)


def test_returns_that_are_verified_after_a_pause_leave_it(
    customer: Customer, completed: Completed, simulator: RunningSimulator
) -> None:
    """Each moves the device to its own attempt; the pause stands with the one before."""
    simulator.control.arm("get_device", "http_503", count=1)
    customer.go(str(completed.redirect_url))
    customer.opt_in()
    simulator.control.arm("get_device", "http_503", count=1)
    comes_back_naming(customer, simulator, device_of(completed))
    assert customer.attempt.state == "returned"
    customer.opt_in()
    comes_back_naming(customer, simulator, device_of(completed))
    assert is_steered(simulator, completed.device_id)
    pause(customer, Device.objects.get())

    sweep_after(minutes=1)

    assert not is_steered(simulator, completed.device_id)
