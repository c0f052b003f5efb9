"""Customers with none but their own attempts and devices are not asked more than needed."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.urls import reverse
from django.utils import timezone

from onboarding.clients import podero_client
from onboarding.flows.sweep import sweep
from onboarding.models import Device
from tests.journeys.cards import link, pause
from tests.journeys.customer import Customer
from tests.journeys.test_coming_back import cancel_address, success_address
from tests.journeys.test_detours import is_steered
from tests.journeys.test_proof_of_return import (
    confirm_by_hand,
    path_of,
    sign_in,
    stranger,
    worker_hears_of,
)
from tests.simulator.launch import Completed, RunningSimulator

pytestmark = pytest.mark.django_db(transaction=True)


def finishes_at_the_second_try(
    customer: Customer, simulator: RunningSimulator, first: str
) -> Completed:
    customer.opt_in()
    if first == "cancelled":
        customer.go(cancel_address(simulator, customer.attempt))
    customer.press_continue()
    return simulator.control.complete(str(customer.attempt.podero_id))


TOLD = pytest.mark.parametrize("is_told", [True, False])


@TOLD
@pytest.mark.parametrize("first", ["closed the window", "cancelled"])
def test_retry_in_the_same_browser_and_a_scanner_afterwards(
    customer: Customer, simulator: RunningSimulator, is_told: bool, first: str
) -> None:
    simulator.control.settings(object_id_filled=is_told)
    done = finishes_at_the_second_try(customer, simulator, first)
    customer.go(str(done.redirect_url))
    sweep(client=podero_client(), now=timezone.now())
    assert is_steered(simulator, done.device_id)
    stranger().get(path_of(done.redirect_url))
    worker_hears_of(customer.attempt)
    sweep(client=podero_client(), now=timezone.now())
    assert Device.objects.get().is_confirmed
    assert is_steered(simulator, done.device_id)


@TOLD
@pytest.mark.parametrize("first", ["closed the window", "cancelled"])
def test_retry_that_is_finished_signed_out_on_the_phone(
    customer: Customer, simulator: RunningSimulator, is_told: bool, first: str
) -> None:
    simulator.control.settings(object_id_filled=is_told)
    done = finishes_at_the_second_try(customer, simulator, first)
    browser = stranger()
    back = browser.get(path_of(done.redirect_url))
    sign_in(browser, customer, by_the_portal=False, at=back.headers["Location"])
    phone = Customer(customer.podero_user, browser)
    confirm_by_hand(phone)
    sweep(client=podero_client(), now=timezone.now())
    assert Device.objects.get().is_confirmed


@TOLD
def test_retry_in_the_same_browser_whose_session_had_run_out(
    customer: Customer, simulator: RunningSimulator, is_told: bool
) -> None:
    simulator.control.settings(object_id_filled=is_told)
    customer.opt_in()
    customer.press_continue()
    done = simulator.control.complete(str(customer.attempt.podero_id))
    customer.browser.post(reverse("sign_out"))
    back = customer.browser.get(path_of(done.redirect_url))
    sign_in(customer.browser, customer, by_the_portal=False, at=back.headers["Location"])
    confirm_by_hand(customer)
    sweep(client=podero_client(), now=timezone.now())
    assert Device.objects.get().is_confirmed


@TOLD
def test_same_car_linked_twice_and_a_scanner(
    customer: Customer, simulator: RunningSimulator, is_told: bool
) -> None:
    simulator.control.settings(object_id_filled=is_told)
    link(customer, simulator)
    link(customer, simulator)
    sweep(client=podero_client(), now=timezone.now())
    stranger().get(path_of(success_address(simulator, customer.attempt)))
    worker_hears_of(customer.attempt)
    sweep(client=podero_client(), now=timezone.now())
    assert all(device.is_confirmed for device in Device.objects.all())


def test_late_return_of_the_browser_that_left_does_not_end_a_pause(
    customer: Customer, simulator: RunningSimulator
) -> None:
    customer.opt_in()
    done = simulator.control.complete(str(customer.attempt.podero_id))
    browser = stranger()
    back = browser.get(path_of(done.redirect_url))
    sign_in(browser, customer, by_the_portal=False, at=back.headers["Location"])
    phone = Customer(customer.podero_user, browser)
    confirm_by_hand(phone)
    pause(phone, Device.objects.get())
    customer.go(str(done.redirect_url))
    sweep(client=podero_client(), now=timezone.now())
    assert not Device.objects.get().is_optimization_wanted


@TOLD
def test_car_and_wallbox_the_same_day_and_a_scanner_for_the_second(
    customer: Customer, simulator: RunningSimulator, is_told: bool
) -> None:
    simulator.control.settings(object_id_filled=is_told)
    link(customer, simulator)
    customer.opt_in(device_type="wb")
    done = simulator.control.complete(
        str(customer.attempt.podero_id), account="wallbox@example.com"
    )
    customer.go(str(done.redirect_url))
    stranger().get(path_of(done.redirect_url))
    worker_hears_of(customer.attempt)
    sweep(client=podero_client(), now=timezone.now())
    assert all(device.is_confirmed for device in Device.objects.all())


def test_return_elsewhere_of_which_nothing_came_bars_what_is_linked_in_days_no_more(
    customer: Customer, simulator: RunningSimulator
) -> None:
    """Finished on a phone, signed out, and never confirmed by Podero; tried again days later."""
    simulator.control.settings(object_id_filled=False)
    customer.opt_in()
    done = simulator.control.complete(str(customer.attempt.podero_id))
    simulator.control.drop_device(str(done.device_id))
    stranger().get(path_of(done.redirect_url))
    start = timezone.now()
    for hours in (0, 24, 80):
        sweep(client=podero_client(), now=start + timedelta(hours=hours))
    with time_machine.travel(start + timedelta(days=5), tick=True):
        customer.browser.force_login(customer.podero_user.account)
        customer.opt_in()
        own = simulator.control.complete(str(customer.attempt.podero_id))
        made_at = timezone.now().isoformat()
        simulator.control.set_device(str(own.device_id), created_at=made_at)
        customer.go(str(own.redirect_url))
        sweep(client=podero_client(), now=timezone.now())
        assert is_steered(simulator, own.device_id)
