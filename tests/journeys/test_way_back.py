"""What the way back may say, and when: of an expired attempt, another type, a known device."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from onboarding.clients import podero_client
from onboarding.flows.sweep import sweep
from onboarding.flows.throttling import LOOKS_A_MINUTE
from onboarding.models import Device, OnboardingSession
from tests.journeys.cards import link
from tests.journeys.customer import Customer, heading_of
from tests.journeys.test_coming_back import success_address
from tests.journeys.test_proof_of_return import events_of
from tests.simulator.launch import Completed, RunningSimulator

pytestmark = pytest.mark.django_db(transaction=True)


def test_reload_of_a_used_way_back_asks_podero_nothing(
    customer: Customer, completed: Completed, simulator: RunningSimulator
) -> None:
    customer.go(str(completed.redirect_url))
    calls = len(simulator.control.state()["journal"])
    told = events_of(customer.attempt)

    response = customer.go(str(completed.redirect_url))

    attempt = customer.attempt
    assert response.headers["Location"] == reverse("attempt", args=[attempt.reference])
    assert events_of(attempt) == told
    assert len(simulator.control.state()["journal"]) == calls


@pytest.mark.parametrize("comes_back", [False, True])
def test_check_again_pressed_again_and_again_asks_podero_a_few_times(
    customer: Customer, simulator: RunningSimulator, comes_back: bool
) -> None:
    customer.opt_in()
    if comes_back:
        customer.go(success_address(simulator, customer.attempt))
    asked = len(simulator.control.requests_to("get_session"))

    for _press in range(30):
        customer.press_check()

    assert 1 <= len(simulator.control.requests_to("get_session")) - asked <= LOOKS_A_MINUTE
    assert customer.page.status_code == 200


def test_way_back_of_an_expired_attempt_still_links(
    customer: Customer, simulator: RunningSimulator
) -> None:
    customer.opt_in()
    expires_at = customer.attempt.expires_at
    assert expires_at is not None
    sweep(client=podero_client(), now=expires_at)
    assert customer.attempt.state == "expired"
    completed = simulator.control.complete(str(customer.attempt.podero_id))

    customer.go(str(completed.redirect_url))

    assert heading_of(customer.page) == "Your device is linked"
    assert Device.objects.get().is_optimization_active


def test_device_of_another_type_than_chosen_is_found_and_linked(
    customer: Customer, simulator: RunningSimulator
) -> None:
    customer.opt_in(device_type="ev")
    completed = simulator.control.complete(str(customer.attempt.podero_id), device_type="hp")

    customer.go(str(completed.redirect_url))

    assert heading_of(customer.page) == "Your device is linked"
    device = Device.objects.get()
    assert (device.device_type, device.is_optimization_active) == ("hp", True)


def test_device_that_was_linked_before_is_found_again_and_kept_once(
    customer: Customer, completed: Completed, simulator: RunningSimulator
) -> None:
    customer.go(str(completed.redirect_url))
    customer.opt_in()
    simulator.control.arm("hosted_form", "return_forged_nothing_linked", count=1)
    simulator.control.complete(str(customer.attempt.podero_id))

    customer.go(f"{success_address(simulator, customer.attempt)}?deviceId={completed.device_id}")

    assert heading_of(customer.page) == "Your device is linked"
    device = Device.objects.get()
    assert (device.attempt, device.is_optimization_active) == (customer.attempt, True)


def test_look_of_an_attempt_that_is_over_takes_nothing_from_the_one_that_is_open(
    customer: Customer, simulator: RunningSimulator
) -> None:
    simulator.control.settings(object_id_filled=False)
    link(customer, simulator)
    over = customer.attempt
    customer.opt_in()
    simulator.control.complete(str(customer.attempt.podero_id), account="second@example.com")
    customer.browser.post(reverse("check_attempt", args=[over.reference]))

    customer.go(success_address(simulator, customer.attempt))

    assert heading_of(customer.page) == "Is this your device?"
    assert Device.objects.filter(attempt=customer.attempt).count() == 1


def test_unknown_device_is_waited_for_in_plain_words(
    customer: Customer, simulator: RunningSimulator
) -> None:
    simulator.control.arm("hosted_form", "return_forged_nothing_linked", count=1)
    customer.opt_in()
    completed = simulator.control.complete(str(customer.attempt.podero_id))

    customer.go(str(completed.redirect_url))

    assert heading_of(customer.page) == "We are checking with Podero"
    assert Device.objects.count() == 0


def test_killed_during_verification_is_taken_over(
    customer: Customer, completed: Completed, simulator: RunningSimulator
) -> None:
    simulator.control.arm("*", "http_503", count=-1)
    customer.go(str(completed.redirect_url))
    simulator.control.clear_faults()
    killed_at = timezone.now()
    OnboardingSession.objects.update(claimed_at=killed_at, next_try_at=killed_at)
    sweep(client=podero_client(), now=killed_at + timedelta(minutes=1))
    assert customer.attempt.state == "returned"

    sweep(client=podero_client(), now=killed_at + timedelta(minutes=3))

    assert customer.attempt.state == "linked"
    assert events_of(customer.attempt).count("linked") == 1
    assert Device.objects.get().is_optimization_active
