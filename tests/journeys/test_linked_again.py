"""A device is linked once more: by whoever has it already, and by somebody else."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from onboarding.clients import podero_client
from onboarding.flows.sweep import sweep
from onboarding.models import Device, OnboardingSession
from tests.journeys.cards import link, pause, remove, sweep_after
from tests.journeys.customer import Customer
from tests.journeys.reconnecting.steps import (
    break_off,
    comes_back,
    finish,
    press_reconnect,
)
from tests.journeys.removal.steps import comes_back_naming
from tests.journeys.test_coming_back import success_address
from tests.journeys.test_detours import (
    comes_back_with_own_form_naming,
    edited,
    gets_nothing,
    is_steered,
)
from tests.journeys.test_patient_detours import age
from tests.journeys.test_proof_of_return import path_of, stranger, worker_hears_of
from tests.simulator.launch import RunningSimulator
from tests.simulator.test_reconnecting import OTHER

pytestmark = pytest.mark.django_db(transaction=True)


def test_device_that_is_theirs_stays_proven_when_it_is_linked_again(
    customer: Customer, simulator: RunningSimulator
) -> None:
    """Between the two another attempt was finished on a phone, where they were not signed in."""
    simulator.control.settings(object_id_filled=False)
    device = link(customer, simulator)
    age(customer.attempt, days=150)
    customer.opt_in(device_type="wb")
    wallbox = simulator.control.complete(
        str(customer.attempt.podero_id), account="wallbox@example.com"
    )
    stranger().get(path_of(wallbox.redirect_url))
    worker_hears_of(customer.attempt)
    age(customer.attempt, days=90)
    OnboardingSession.objects.update(next_try_at=None)

    customer.opt_in()

    comes_back_with_own_form_naming(customer, simulator, device.podero_id)
    sweep(client=podero_client(), now=timezone.now())

    assert Device.objects.get(pk=device.pk).is_holder_proven
    assert is_steered(simulator, device.podero_id)


def test_page_says_where_the_question_is_about_what_was_linked_once_more(
    customer: Customer, simulator: RunningSimulator
) -> None:
    """They finished on a phone, signed out; then again here, with the same car."""
    simulator.control.settings(object_id_filled=False)
    customer.opt_in()
    first = simulator.control.complete(str(customer.attempt.podero_id))
    stranger().get(path_of(first.redirect_url))
    worker_hears_of(customer.attempt)
    customer.opt_in()

    customer.go(edited(success_address(simulator, customer.attempt), first.device_id))

    assert "Please look there: we have a question." in customer.page.content.decode()


@pytest.mark.parametrize("status", [200, 404, 405])
@pytest.mark.parametrize("doubt", ["attempt", "login", "own sign-in"])
def test_doubted_device_is_had_again_by_removing_and_linking_it(
    customer: Customer, simulator: RunningSimulator, doubt: str, status: int
) -> None:
    """With the account of before, where somebody came back elsewhere; and whether Podero removes it
    or not."""
    simulator.control.settings(device_delete_status=status)
    if doubt == "attempt":
        customer.opt_in()
        done = simulator.control.complete(str(customer.attempt.podero_id))
        stranger().get(path_of(done.redirect_url))
        worker_hears_of(customer.attempt)
    else:
        before = link(customer, simulator).external_device_id
        way_back = finish(press_reconnect(customer).headers["Location"], OTHER)
        if doubt == "login":
            comes_back(way_back, customer)
        else:
            customer.go(way_back)
    device = Device.objects.get()
    age(customer.attempt, days=9)
    remove(customer, device)

    customer.opt_in()
    if status == 200:
        customer.go(str(simulator.control.complete(str(customer.attempt.podero_id)).redirect_url))
    else:
        if doubt == "login":
            simulator.control.set_device(str(device.podero_id), external_device_id=before)
        comes_back_naming(customer, simulator, device)
    again = Device.objects.get(attempt=customer.attempt)
    sweep(client=podero_client(), now=timezone.now())

    assert is_steered(simulator, again.podero_id)


def test_device_behind_which_another_account_stays_is_not_had_by_removing_and_linking_it(
    customer: Customer, simulator: RunningSimulator
) -> None:
    """Podero removes nothing, and names that account still."""
    simulator.control.settings(device_delete_status=405)
    device = link(customer, simulator)
    comes_back(finish(press_reconnect(customer).headers["Location"], OTHER), customer)
    remove(customer, device)
    customer.opt_in()

    comes_back_naming(customer, simulator, device)

    gets_nothing(customer, simulator, device.podero_id)
    assert 'href="#help"' in shown_to(customer)


def shown_to(customer: Customer) -> str:
    return str(customer.browser.get(reverse("devices")).content.decode())


def test_device_that_somebody_else_links_once_more_is_asked_about(
    customer: Customer, simulator: RunningSimulator
) -> None:
    """It is the customer's no more, for example: the same car, with another account."""
    device = link(customer, simulator)
    customer.opt_in()
    simulator.control.set_session(str(customer.attempt.podero_id), object_id=str(device.podero_id))
    way_back = edited(success_address(simulator, customer.attempt), device.podero_id)

    stranger().get(path_of(way_back))
    worker_hears_of(customer.attempt)

    device.refresh_from_db()
    assert device.attempt == customer.attempt
    gets_nothing(customer, simulator, device.podero_id)


def test_sign_in_that_was_broken_off_doubts_nothing_that_is_linked_once_more(
    customer: Customer, simulator: RunningSimulator
) -> None:
    """They gave up renewing the login, and linked the device anew; Podero had not removed it."""
    simulator.control.settings(device_delete_status=405)
    device = link(customer, simulator)
    customer.go(break_off(press_reconnect(customer).headers["Location"]))
    remove(customer, device)
    customer.opt_in()

    comes_back_naming(customer, simulator, device)

    sweep(client=podero_client(), now=timezone.now())
    assert is_steered(simulator, device.podero_id)


def test_removing_and_naming_a_device_does_not_hide_with_which_attempt_it_turned_up(
    customer: Customer, simulator: RunningSimulator
) -> None:
    """It turned up long after somebody else had come back with that."""
    simulator.control.settings(object_id_filled=False, device_delete_status=405)
    customer.opt_in()
    done = simulator.control.complete(str(customer.attempt.podero_id))
    stranger().get(path_of(done.redirect_url))
    worker_hears_of(customer.attempt)
    OnboardingSession.objects.update(
        started_at=timezone.now() - timedelta(days=6),
        expires_at=timezone.now() - timedelta(days=4),
        foreign_return_at=timezone.now() - timedelta(days=5),
        next_try_at=None,
    )
    Device.objects.update(linked_after=timezone.now())
    theirs = Device.objects.get()
    remove(customer, theirs)
    customer.opt_in()

    comes_back_with_own_form_naming(customer, simulator, theirs.podero_id)

    assert Device.objects.get(pk=theirs.pk).attempt == customer.attempt
    gets_nothing(customer, simulator, theirs.podero_id)


@pytest.mark.parametrize("is_paused_after", [True, False])
def test_pause_counts_that_was_wished_after_coming_back_with_the_device_again(
    customer: Customer, simulator: RunningSimulator, is_paused_after: bool
) -> None:
    device = link(customer, simulator)
    if not is_paused_after:
        pause(customer, device)
    customer.opt_in()
    simulator.control.arm("get_device", "http_503", count=1)
    comes_back_naming(customer, simulator, device)
    assert customer.attempt.state == "returned"
    if is_paused_after:
        pause(customer, device)

    sweep_after(minutes=1)

    assert customer.attempt.state == "linked"
    assert is_steered(simulator, device.podero_id) is not is_paused_after
