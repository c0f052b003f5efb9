"""Signing in at the manufacturer brings a device of its own: whose is it?"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from onboarding.clients import podero_client
from onboarding.flows.sweep import sweep
from onboarding.models import Device
from tests.journeys.cards import link, remove
from tests.journeys.customer import Customer
from tests.journeys.reconnecting.steps import (
    comes_back,
    finish,
    lapse,
    press_reconnect,
)
from tests.journeys.test_detours import gets_nothing, is_steered, reads_anew
from tests.journeys.test_patient_detours import age
from tests.journeys.test_proof_of_return import (
    ACTIVATIONS,
    path_of,
    sign_in,
    stranger,
)
from tests.simulator.launch import RunningSimulator
from tests.simulator.test_reconnecting import OTHER

pytestmark = pytest.mark.django_db(transaction=True)


def way_to_a_new_device(
    customer: Customer, simulator: RunningSimulator, *, device: Device
) -> tuple[str, Device]:
    """Somebody finishes the sign-in with another account; the way back, and what it brought."""
    simulator.control.settings(reconnect_other_account="new_device")
    way_back = finish(press_reconnect(customer, device).headers["Location"], OTHER)
    reads_anew(customer)
    return way_back, Device.objects.exclude(pk=device.pk).get()


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("is_lapsed", [True, False])
def test_device_of_somebody_else_who_signed_in_is_never_optimized(
    customer: Customer, simulator: RunningSimulator, settings: Any, activation: str, is_lapsed: bool
) -> None:
    settings.ONBOARDING_ACTIVATION = activation
    device = link(customer, simulator)
    if is_lapsed:
        lapse(simulator, device)
    way_back, theirs = way_to_a_new_device(customer, simulator, device=device)

    stranger().get(path_of(way_back))

    gets_nothing(customer, simulator, theirs.podero_id)
    shown = customer.browser.get(reverse("devices")).content.decode()
    assert reverse("confirm_device", args=[theirs.reference]) not in shown
    assert is_steered(simulator, device.podero_id), "their own is left alone"


def test_word_given_before_somebody_else_came_back_is_taken_back(
    customer: Customer, simulator: RunningSimulator
) -> None:
    way_back, theirs = way_to_a_new_device(customer, simulator, device=link(customer, simulator))
    customer.browser.post(reverse("confirm_device", args=[theirs.reference]))
    sweep(client=podero_client(), now=timezone.now())
    assert is_steered(simulator, theirs.podero_id)

    comes_back(way_back, customer)

    assert not is_steered(simulator, theirs.podero_id)
    gets_nothing(customer, simulator, theirs.podero_id)


@pytest.mark.parametrize("is_told", [True, False])
def test_edited_return_does_not_vouch_for_what_somebody_else_has_brought(
    customer: Customer, simulator: RunningSimulator, is_told: bool
) -> None:
    """A form of their own, finished by themselves, and the victim's device in the way back."""
    simulator.control.settings(object_id_filled=is_told)
    device = link(customer, simulator)
    age(customer.attempt, days=5)
    way_back, theirs = way_to_a_new_device(customer, simulator, device=device)
    customer.opt_in()
    own = simulator.control.complete(str(customer.attempt.podero_id))
    simulator.control.drop_device(str(own.device_id))

    customer.go(str(own.redirect_url).replace(str(own.device_id), str(theirs.podero_id)))
    comes_back(way_back, customer)

    gets_nothing(customer, simulator, theirs.podero_id)


def test_customer_who_signed_in_on_a_phone_says_there_that_the_new_one_is_theirs(
    customer: Customer, simulator: RunningSimulator
) -> None:
    way_back, new = way_to_a_new_device(customer, simulator, device=link(customer, simulator))
    browser = stranger()
    back = browser.get(path_of(way_back))
    sign_in(browser, customer, by_the_portal=False, at=back.headers["Location"])

    browser.post(reverse("confirm_device", args=[new.reference]))

    for hours in (0, 3):
        sweep(client=podero_client(), now=timezone.now() + timedelta(hours=hours))
    assert is_steered(simulator, new.podero_id)


def test_sign_in_that_nobody_finished_bars_nothing_that_is_linked_later(
    customer: Customer, simulator: RunningSimulator
) -> None:
    simulator.control.settings(object_id_filled=False)
    press_reconnect(customer, link(customer, simulator))

    later = link(customer, simulator, "wb")

    sweep(client=podero_client(), now=timezone.now())
    assert is_steered(simulator, later.podero_id)


def test_doubt_that_a_sign_in_has_left_is_not_erased_before_its_device(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = link(customer, simulator)
    way_back, theirs = way_to_a_new_device(customer, simulator, device=device)
    stranger().get(path_of(way_back))
    remove(customer, device)
    # So that it is not given up by then, as what nobody has called theirs for so long.
    later = timezone.now() + timedelta(days=100)
    Device.objects.filter(pk=theirs.pk).update(linked_at=later)

    for days in (1, 3, 4, 405, 406):
        sweep(client=podero_client(), now=timezone.now() + timedelta(days=days))

    gets_nothing(customer, simulator, theirs.podero_id)
