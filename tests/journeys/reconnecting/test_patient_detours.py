"""Somebody who sends another the way to the manufacturer has patience, and hides what came of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from onboarding import tasks
from onboarding.clients import podero_client
from onboarding.flows.sweep import sweep
from onboarding.models import Device, OnboardingSession, Reconnection
from tests.journeys.cards import link, remove
from tests.journeys.customer import Customer
from tests.journeys.reconnecting.steps import (
    break_off,
    comes_back,
    finish,
    is_named_no_more,
    lapse,
    press_reconnect,
)
from tests.journeys.test_coming_back import success_address
from tests.journeys.test_detours import (
    comes_back_with_own_form_naming,
    edited,
    gets_nothing,
    is_steered,
    presses_everything,
    reads_anew,
)
from tests.journeys.test_patient_detours import age
from tests.journeys.test_proof_of_return import ACTIVATIONS, path_of, stranger, worker_hears_of
from tests.simulator.launch import RunningSimulator
from tests.simulator.test_reconnecting import OTHER

pytestmark = pytest.mark.django_db(transaction=True)

# Another account than that of the device, which holds a car of its own.
OWN = {"username": "demo-tesla@getfreeheat.com", "password": "Demo1234"}


def held_at_podero(simulator: RunningSimulator) -> set[str]:
    return {device["id"] for device in simulator.control.state()["devices"]}


@pytest.mark.parametrize("by", ["form", "sign-in", "login"])
@pytest.mark.parametrize(
    ("fate", "activation"),
    [
        ("found", "immediately"),
        ("removed", "after_return"),
        ("never made", "immediately"),
        ("made late", "after_return"),
    ],
)
def test_signing_in_with_an_own_account_clears_no_doubt_about_the_device_of_another(
    customer: Customer,
    simulator: RunningSimulator,
    settings: Any,
    activation: str,
    by: str,
    fate: str,
) -> None:
    """Whatever becomes of what that account brings: theirs shows nothing of it."""
    settings.ONBOARDING_ACTIVATION = activation
    if by == "form":
        customer.opt_in()
        done = simulator.control.complete(
            str(customer.attempt.podero_id), account="victim@example.com"
        )
        stranger().get(path_of(done.redirect_url))
        worker_hears_of(customer.attempt)
    else:
        if by == "sign-in":
            simulator.control.settings(reconnect_other_account="new_device")
        device = link(customer, simulator)
        comes_back(finish(press_reconnect(customer, device).headers["Location"], OTHER), customer)
    theirs = Device.objects.latest("pk")
    simulator.control.settings(reconnect_other_account="new_device")
    before = held_at_podero(simulator)
    way_back = finish(press_reconnect(customer, theirs).headers["Location"], OWN)
    (own,) = held_at_podero(simulator) - before
    if fate in {"never made", "made late"}:
        simulator.control.drop_device(own)
    reads_anew(customer)
    if fate == "removed":
        remove(customer, Device.objects.get(podero_id=own))

    customer.go(way_back.partition("?")[0])
    if fate == "made late":
        simulator.control.set_device(own, deleted_at=None)
        reads_anew(customer)

    gets_nothing(customer, simulator, theirs.podero_id)


def test_cancel_does_not_mute_who_comes_back_from_signing_in(
    customer: Customer, simulator: RunningSimulator
) -> None:
    """Podero names no account, so that only who comes back tells of it."""
    device = link(customer, simulator)
    is_named_no_more(simulator, device)
    older = press_reconnect(customer, device).headers["Location"]
    stranger().get(path_of(break_off(older)))
    own = finish(press_reconnect(customer, device).headers["Location"])
    theirs = finish(older, OTHER)
    simulator.control.set_device(str(device.podero_id), external_device_id="")
    stranger().get(path_of(theirs))

    customer.go(own)
    presses_everything(customer)
    tasks.look_who_signed_in(customer_id=customer.podero_user.pk)

    gets_nothing(customer, simulator, device.podero_id)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_account_that_podero_names_only_after_the_sign_in_is_doubted(
    customer: Customer, simulator: RunningSimulator, settings: Any, activation: str
) -> None:
    settings.ONBOARDING_ACTIVATION = activation
    device = link(customer, simulator)
    is_named_no_more(simulator, device)

    comes_back(finish(press_reconnect(customer).headers["Location"], OTHER), customer)

    gets_nothing(customer, simulator, device.podero_id)


@pytest.mark.parametrize("is_known", [True, False])
@pytest.mark.parametrize("is_told", [True, False])
def test_open_form_does_not_hide_what_a_sign_in_has_brought(
    customer: Customer, simulator: RunningSimulator, is_told: bool, is_known: bool
) -> None:
    """It is found at once, or when the form has run out: until then nobody could look."""
    simulator.control.settings(object_id_filled=is_told, reconnect_other_account="new_device")
    device = link(customer, simulator)
    age(customer.attempt, days=5)
    OnboardingSession.objects.update(next_try_at=None)
    customer.opt_in()
    start = timezone.now()
    OnboardingSession.objects.filter(pk=customer.attempt.pk).update(
        expires_at=start + timedelta(hours=60)
    )
    for hours in (1, 2, 7, 19):
        with time_machine.travel(start + timedelta(hours=hours), tick=True):
            sweep(client=podero_client(), now=timezone.now())
    # The last look before the end of the form was had.
    with time_machine.travel(start + timedelta(hours=20), tick=True):
        before = held_at_podero(simulator)
        way_back = finish(press_reconnect(customer, device).headers["Location"], OTHER)
        (theirs,) = held_at_podero(simulator) - before
        simulator.control.set_device(theirs, created_at=timezone.now().isoformat())
        stranger().get(path_of(way_back))
        if is_known:
            tasks.look_who_signed_in(customer_id=customer.podero_user.pk)
        assert Device.objects.filter(podero_id=theirs).exists() == is_known
    for hours in (59, 61, 62):
        with time_machine.travel(start + timedelta(hours=hours), tick=True):
            sweep(client=podero_client(), now=timezone.now())

    with time_machine.travel(start + timedelta(hours=63), tick=True):
        assert Device.objects.filter(podero_id=theirs).exists()
        gets_nothing(customer, simulator, theirs)


def test_what_a_sign_in_has_brought_is_switched_off_while_a_form_is_open(
    customer: Customer, simulator: RunningSimulator
) -> None:
    simulator.control.settings(reconnect_other_account="new_device")
    device = link(customer, simulator)
    customer.opt_in()
    before = held_at_podero(simulator)
    way_back = finish(press_reconnect(customer, device).headers["Location"], OTHER)
    (theirs,) = held_at_podero(simulator) - before
    simulator.control.set_device(theirs, is_smart_optimization_active=True)

    comes_back(way_back, customer)

    assert not is_steered(simulator, theirs)


def test_sign_in_that_is_finished_days_later_is_doubted_all_the_same(
    customer: Customer, simulator: RunningSimulator
) -> None:
    simulator.control.settings(object_id_filled=False, reconnect_other_account="new_device")
    device = link(customer, simulator)
    age(customer.attempt, days=9)
    address = press_reconnect(customer, device).headers["Location"]
    Reconnection.objects.update(opened_at=timezone.now() - timedelta(days=6))
    sweep(client=podero_client(), now=timezone.now())
    way_back = finish(address, OTHER)
    reads_anew(customer)
    theirs = Device.objects.latest("pk")
    customer.opt_in()

    comes_back_with_own_form_naming(customer, simulator, theirs.podero_id)

    comes_back(way_back, customer)

    gets_nothing(customer, simulator, theirs.podero_id)


def test_device_that_had_been_removed_and_comes_back_by_a_sign_in_is_doubted(
    customer: Customer, simulator: RunningSimulator
) -> None:
    simulator.control.settings(object_id_filled=False, reconnect_other_account="new_device")
    device = link(customer, simulator)
    age(customer.attempt, days=9)
    way_back = finish(press_reconnect(customer, device).headers["Location"], OTHER)
    reads_anew(customer)
    theirs = Device.objects.latest("pk")
    long_ago = timezone.now() - timedelta(days=8)
    Device.objects.filter(pk=theirs.pk).update(
        linked_at=long_ago, linked_after=long_ago, removed_at=long_ago, removal_wanted_at=long_ago
    )
    comes_back(way_back, customer)
    customer.opt_in()

    comes_back_with_own_form_naming(customer, simulator, theirs.podero_id)

    assert not is_steered(simulator, theirs.podero_id)
    gets_nothing(customer, simulator, theirs.podero_id)


def test_what_a_sign_in_has_brought_is_found_behind_an_open_form_also_if_the_one_message_is_lost(
    customer: Customer, simulator: RunningSimulator
) -> None:
    simulator.control.settings(reconnect_other_account="new_device")
    device = link(customer, simulator)
    age(customer.attempt, days=5)
    OnboardingSession.objects.update(next_try_at=None)
    customer.opt_in()
    start = timezone.now()
    form = OnboardingSession.objects.filter(pk=customer.attempt.pk)
    form.update(expires_at=start + timedelta(hours=60), next_try_at=start + timedelta(hours=60))
    before = held_at_podero(simulator)
    way_back = finish(press_reconnect(customer, device).headers["Location"], OTHER)
    (theirs,) = held_at_podero(simulator) - before
    simulator.control.set_device(theirs, is_smart_optimization_active=True)
    stranger().get(path_of(way_back))

    for minutes in (16, 17):
        sweep(client=podero_client(), now=start + timedelta(minutes=minutes))

    assert not is_steered(simulator, theirs)
    assert not Device.objects.get(podero_id=theirs).is_confirmed


def test_own_way_back_kept_until_somebody_else_has_finished_a_form_proves_nothing(
    customer: Customer, simulator: RunningSimulator
) -> None:
    """Whoever finishes it makes the lapsed login of the device work."""
    simulator.control.settings(reconnect_other_account="new_device")
    device = link(customer, simulator)
    lapse(simulator, device)
    before = held_at_podero(simulator)
    own = finish(press_reconnect(customer, device).headers["Location"], OWN)
    for twin in held_at_podero(simulator) - before:
        simulator.control.drop_device(twin)
    customer.opt_in()
    simulator.control.set_session(str(customer.attempt.podero_id), object_id=str(device.podero_id))
    simulator.control.set_device(str(device.podero_id), is_authenticated=True)
    stranger().get(path_of(edited(success_address(simulator, customer.attempt), device.podero_id)))
    worker_hears_of(customer.attempt)

    customer.go(own.partition("?")[0])

    gets_nothing(customer, simulator, device.podero_id)
