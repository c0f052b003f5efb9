"""Somebody who wants another's device has days of patience, and knows how Podero fails."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db.models import F
from django.urls import reverse
from django.utils import timezone

from onboarding.clients import podero_client
from onboarding.flows.sweep import sweep
from onboarding.models import Device, OnboardingSession
from tests.journeys.cards import link, remove
from tests.journeys.customer import Customer
from tests.journeys.reconnecting.steps import finish, press_reconnect
from tests.journeys.test_detours import (
    edited,
    gets_nothing,
    is_steered,
    presses_everything,
    reads_anew,
)
from tests.journeys.test_proof_of_return import ACTIVATIONS, path_of, stranger, worker_hears_of
from tests.simulator.launch import RunningSimulator
from tests.simulator.test_reconnecting import OTHER

pytestmark = pytest.mark.django_db(transaction=True)


def age(attempt: OnboardingSession, *, days: int) -> None:
    """As if it had begun and run out so many days earlier, with all that it brought."""
    attempt.refresh_from_db()
    earlier = timedelta(days=days)
    assert attempt.opened_at is not None
    assert attempt.expires_at is not None
    OnboardingSession.objects.filter(pk=attempt.pk).update(
        started_at=attempt.started_at - earlier,
        opened_at=attempt.opened_at - earlier,
        expires_at=attempt.expires_at - earlier,
        foreign_return_at=F("foreign_return_at") - earlier,
    )
    for device in attempt.devices.all():
        Device.objects.filter(pk=device.pk).update(
            linked_at=device.linked_at - earlier, linked_after=device.linked_after - earlier
        )


def test_form_a_day_does_not_date_the_victims_device_before_the_victims_form(
    customer: Customer, simulator: RunningSimulator
) -> None:
    """A form of the attacker's is always open, so that an older one is looked at for ever."""
    simulator.control.settings(object_id_filled=False)
    # A form lives until the end of the simulator's next day, which must not be all too near.
    now = timezone.now()
    start = min(now, now.replace(hour=18))
    with time_machine.travel(start, tick=False):
        customer.opt_in()
        link(customer, simulator)
    first = customer.attempt
    for hours in range(0, 96, 6):
        with time_machine.travel(start + timedelta(hours=hours), tick=False):
            if hours and hours % 24 == 0:
                customer.opt_in()
            sweep(client=podero_client(), now=timezone.now())
    first.refresh_from_db()
    assert first.next_try_at is not None
    with time_machine.travel(start + timedelta(hours=97), tick=True):
        customer.opt_in()
        victims = customer.attempt
        customer.opt_in()
        own = simulator.control.complete(str(customer.attempt.podero_id), account="own@example.com")
        theirs = simulator.control.complete(str(victims.podero_id), account="victim@example.com")

        customer.go(edited(own.redirect_url, theirs.device_id))
        stranger().get(path_of(theirs.redirect_url))
        worker_hears_of(victims)

        gets_nothing(customer, simulator, theirs.device_id)


@pytest.mark.parametrize("is_told", [True, False])
def test_older_attempt_that_is_still_looked_at_hides_nothing(
    customer: Customer, simulator: RunningSimulator, is_told: bool
) -> None:
    simulator.control.settings(object_id_filled=is_told)
    link(customer, simulator)
    first = customer.attempt
    age(first, days=5)
    customer.opt_in()
    victims = customer.attempt
    sweep(client=podero_client(), now=timezone.now())
    customer.opt_in()
    own = simulator.control.complete(str(customer.attempt.podero_id), account="own@example.com")
    if is_told:
        # What its session names is gone at Podero: found by a look, and removed at once.
        customer.browser.post(reverse("check_attempt", args=[victims.reference]))
        remove(customer, Device.objects.get(podero_id=str(own.device_id)))
        sweep(client=podero_client(), now=timezone.now())
    theirs = simulator.control.complete(str(victims.podero_id), account="victim@example.com")

    customer.go(edited(own.redirect_url, theirs.device_id))
    stranger().get(path_of(theirs.redirect_url))
    worker_hears_of(victims)

    gets_nothing(customer, simulator, theirs.device_id)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_login_put_behind_one_device_does_not_vouch_for_the_other_of_that_login(
    customer: Customer, simulator: RunningSimulator, settings: Any, activation: str
) -> None:
    """The victim's login brings two devices; the attacker signs in anew behind the first."""
    settings.ONBOARDING_ACTIVATION = activation
    customer.opt_in()
    victims = customer.attempt
    theirs = simulator.control.complete(
        str(victims.podero_id), account="victim@example.com", devices=2
    )
    for _look in range(2):
        customer.browser.post(reverse("check_attempt", args=[victims.reference]))
    first = Device.objects.get(podero_id=str(theirs.device_id))
    held = {one["id"] for one in simulator.control.state()["devices"]}
    (second,) = held - {str(theirs.device_id)}
    simulator.control.set_device(str(first.podero_id), is_authenticated=False)
    customer.go(finish(press_reconnect(customer, first).headers["Location"], OTHER))
    customer.opt_in()
    own = simulator.control.complete(str(customer.attempt.podero_id), account="own@example.com")

    customer.go(edited(own.redirect_url, second))
    stranger().get(path_of(theirs.redirect_url))
    worker_hears_of(victims)

    gets_nothing(customer, simulator, second)


@pytest.mark.parametrize("fault", ["http_503", "http_403"])
def test_login_renewed_by_the_victim_while_the_device_is_to_be_removed_is_noticed(
    customer: Customer, simulator: RunningSimulator, fault: str
) -> None:
    simulator.control.settings(object_id_filled=False)
    device = link(customer, simulator)
    simulator.control.set_device(str(device.podero_id), is_authenticated=False)
    address = press_reconnect(customer).headers["Location"]
    # Podero does not remove it at once; meanwhile a form opened since keeps it waiting.
    simulator.control.arm("delete_device", fault, count=1)
    remove(customer, device)
    customer.opt_in()
    sweep(client=podero_client(), now=timezone.now())
    own = simulator.control.complete(str(customer.attempt.podero_id), account="own2@example.com")
    way_back = finish(address, OTHER)
    stranger().get(path_of(way_back))
    reads_anew(customer)
    sweep(client=podero_client(), now=timezone.now())

    customer.go(edited(own.redirect_url, device.podero_id))
    for _time in range(2):
        reads_anew(customer)
        sweep(client=podero_client(), now=timezone.now())
        stranger().get(path_of(way_back))

    assert not is_steered(simulator, device.podero_id)
    gets_nothing(customer, simulator, device.podero_id)


def test_device_of_a_foreign_return_that_shows_only_after_its_form_has_ended(
    customer: Customer, simulator: RunningSimulator
) -> None:
    simulator.control.settings(object_id_filled=False)
    link(customer, simulator)
    customer.opt_in()
    victims = customer.attempt
    theirs = simulator.control.complete(str(victims.podero_id), account="victim@example.com")
    stranger().get(path_of(theirs.redirect_url))
    # The last look was had, and Podero named nothing yet.
    age(victims, days=4)
    made_at = (timezone.now() - timedelta(days=4)).isoformat()
    simulator.control.set_device(str(theirs.device_id), created_at=made_at)
    OnboardingSession.objects.filter(pk=victims.pk).update(
        state="expired", next_try_at=None, finished_at=timezone.now() - timedelta(days=1)
    )
    OnboardingSession.objects.exclude(pk=victims.pk).update(next_try_at=None)

    reads_anew(customer)
    assert Device.objects.filter(podero_id=str(theirs.device_id)).exists()
    presses_everything(customer)

    gets_nothing(customer, simulator, theirs.device_id)


def test_device_that_podero_calls_removed_and_still_has_keeps_its_doubt(
    customer: Customer, simulator: RunningSimulator
) -> None:
    simulator.control.settings(object_id_filled=False)
    customer.opt_in()
    victims = customer.attempt
    theirs = simulator.control.complete(str(victims.podero_id), account="victim@example.com")
    customer.press_check()
    device = Device.objects.get()
    simulator.control.arm("delete_device", "http_404", count=1)
    remove(customer, device)
    age(victims, days=4)
    for hours in (0, 2):
        sweep(client=podero_client(), now=timezone.now() + timedelta(hours=hours))
    customer.opt_in()
    own = simulator.control.complete(str(customer.attempt.podero_id), account="own@example.com")

    customer.go(edited(own.redirect_url, device.podero_id))
    stranger().get(path_of(theirs.redirect_url))
    worker_hears_of(victims)

    gets_nothing(customer, simulator, device.podero_id)


def test_word_about_a_device_of_ones_own_clears_no_other_doubt(
    customer: Customer, simulator: RunningSimulator
) -> None:
    simulator.control.settings(object_id_filled=False)
    customer.opt_in()
    victims = customer.attempt
    own = link(customer, simulator)
    theirs = simulator.control.complete(str(victims.podero_id), account="victim@example.com")
    Device.objects.filter(pk=own.pk).update(is_holder_proven=True)
    stranger().get(path_of(theirs.redirect_url))

    customer.browser.post(reverse("confirm_device", args=[own.reference]))

    victims.refresh_from_db()
    assert victims.foreign_return_at is not None
    worker_hears_of(victims)
    gets_nothing(customer, simulator, theirs.device_id)


def test_word_said_where_one_came_back_is_no_proof_while_another_form_may_have_brought_it(
    customer: Customer, simulator: RunningSimulator
) -> None:
    simulator.control.settings(object_id_filled=False)
    customer.opt_in()
    victims = customer.attempt
    customer.opt_in()
    own = simulator.control.complete(str(customer.attempt.podero_id), account="own@example.com")
    theirs = simulator.control.complete(str(victims.podero_id), account="victim@example.com")
    browser = stranger()
    browser.get(path_of(edited(own.redirect_url, theirs.device_id)))
    browser.force_login(customer.podero_user.account)
    elsewhere = Customer(customer.podero_user, browser)
    worker_hears_of(customer.attempt)
    presses_everything(elsewhere)
    assert Device.objects.get(podero_id=str(theirs.device_id)).is_confirmed

    stranger().get(path_of(theirs.redirect_url))
    worker_hears_of(victims)

    gets_nothing(elsewhere, simulator, theirs.device_id)


def test_form_that_lives_longer_than_was_said_is_doubted_by_its_return(
    customer: Customer, simulator: RunningSimulator
) -> None:
    simulator.control.settings(object_id_filled=False)
    start = timezone.now()
    customer.opt_in()
    victims = customer.attempt
    customer.opt_in()
    own = simulator.control.complete(str(customer.attempt.podero_id), account="own@example.com")
    customer.browser.post(reverse("check_attempt", args=[victims.reference]))
    customer.go(str(own.redirect_url))
    simulator.control.set_session(str(victims.podero_id), expiration_date="2999-12-31")
    for hours in range(0, 130, 6):
        with time_machine.travel(start + timedelta(hours=hours), tick=False):
            sweep(client=podero_client(), now=timezone.now())
    with time_machine.travel(start + timedelta(hours=131), tick=True):
        theirs = simulator.control.complete(str(victims.podero_id), account="victim@example.com")
        customer.browser.force_login(customer.podero_user.account)
        reads_anew(customer)

        stranger().get(path_of(theirs.redirect_url))
        worker_hears_of(victims)

        gets_nothing(customer, simulator, theirs.device_id)
