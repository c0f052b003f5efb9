"""Somebody sends another the way to the manufacturer, and tries to keep what they sign in with."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from onboarding.clients import podero_client
from onboarding.flows import removal
from onboarding.flows.sweep import sweep
from onboarding.models import Device
from onboarding.views.undoing import undo_at_podero
from tests.factories import make_customer
from tests.journeys.cards import link
from tests.journeys.customer import Customer
from tests.journeys.reconnecting.steps import (
    comes_back,
    finish,
    is_named_no_more,
    lapse,
    press_reconnect,
)
from tests.journeys.test_detours import (
    edited,
    gets_nothing,
    is_steered,
    presses_everything,
    reads_anew,
)
from tests.journeys.test_proof_of_return import path_of, stranger
from tests.simulator.launch import Completed, RunningSimulator
from tests.simulator.test_reconnecting import OTHER

pytestmark = pytest.mark.django_db(transaction=True)


def came_back_on_a_phone(customer: Customer, completed: Completed) -> tuple[Customer, Device]:
    """The same customer, signed in: asked whether the device is theirs."""
    phone = Customer(customer.podero_user)
    phone.go(str(completed.redirect_url))
    return phone, Device.objects.get()


def victim_renews(
    customer: Customer, simulator: RunningSimulator, *, is_lapsed: bool, browser: Client
) -> None:
    device = Device.objects.get()
    if is_lapsed:
        lapse(simulator, device)
    browser.get(path_of(finish(press_reconnect(customer).headers["Location"], OTHER)))
    reads_anew(customer)
    sweep(client=podero_client(), now=timezone.now())


def test_own_way_back_kept_from_before_clears_no_login_in_doubt(
    customer: Customer, completed: Completed, simulator: RunningSimulator
) -> None:
    phone, device = came_back_on_a_phone(customer, completed)
    presses_everything(phone)
    victim_renews(customer, simulator, is_lapsed=True, browser=stranger())

    customer.go(str(completed.redirect_url))

    gets_nothing(customer, simulator, device.podero_id)
    gets_nothing(phone, simulator, device.podero_id)


@pytest.mark.parametrize("is_lapsed", [True, False])
@pytest.mark.parametrize("victim", ["signed out", "another customer"])
def test_login_renewed_behind_a_device_that_nobody_has_confirmed_is_noticed(
    customer: Customer, completed: Completed, simulator: RunningSimulator, is_lapsed: bool,
    victim: str,
) -> None:  # fmt: skip
    phone, device = came_back_on_a_phone(customer, completed)
    browser = stranger() if victim == "signed out" else Customer(make_customer()).browser
    victim_renews(customer, simulator, is_lapsed=is_lapsed, browser=browser)

    gets_nothing(phone, simulator, device.podero_id)
    asked = phone.browser.get(reverse("devices")).content.decode()
    assert "may now belong to another account" in asked


@pytest.mark.parametrize("is_seen", [True, False])
def test_older_way_back_proves_nothing_about_a_newer_sign_in(
    customer: Customer, simulator: RunningSimulator, is_seen: bool
) -> None:
    device = link(customer, simulator)
    own = finish(press_reconnect(customer).headers["Location"])
    theirs = finish(press_reconnect(customer).headers["Location"], OTHER)
    if is_seen:
        stranger().get(path_of(theirs))
        reads_anew(customer)

    customer.go(own)
    reads_anew(customer)
    presses_everything(customer)
    stranger().get(path_of(theirs))
    reads_anew(customer)

    gets_nothing(customer, simulator, device.podero_id)


def test_sign_in_elsewhere_is_doubted_where_podero_names_no_account(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = link(customer, simulator)
    is_named_no_more(simulator, device)

    def unnamed() -> Any:
        return simulator.control.set_device(str(device.podero_id), external_device_id="")

    unnamed()
    theirs = finish(press_reconnect(customer).headers["Location"], OTHER)
    unnamed()
    stranger().get(path_of(theirs))
    reads_anew(customer)
    gets_nothing(customer, simulator, device.podero_id)

    lapse(simulator, device)
    own = finish(press_reconnect(customer).headers["Location"])
    unnamed()
    customer.go(own)

    gets_nothing(customer, simulator, device.podero_id)


@pytest.mark.parametrize("came_back", ["before", "after", "never"])
def test_newest_way_back_proves_nothing_that_an_older_one_has_brought_since(
    customer: Customer, simulator: RunningSimulator, came_back: str
) -> None:
    device = link(customer, simulator)
    older = press_reconnect(customer, device).headers["Location"]
    own = finish(press_reconnect(customer, device).headers["Location"])
    theirs = finish(older, OTHER)
    if came_back == "before":
        stranger().get(path_of(theirs))
    if came_back == "never":
        reads_anew(customer)

    customer.go(own)
    presses_everything(customer)
    if came_back == "after":
        comes_back(theirs, customer)

    gets_nothing(customer, simulator, device.podero_id)


def test_way_back_that_was_used_proves_nothing_a_second_time(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = link(customer, simulator)
    older = press_reconnect(customer, device).headers["Location"]
    own = finish(press_reconnect(customer, device).headers["Location"])
    customer.go(own)
    comes_back(finish(older, OTHER), customer)

    for _time in range(2):
        customer.go(own)
        presses_everything(customer)

    gets_nothing(customer, simulator, device.podero_id)


def form_that_names(
    customer: Customer, simulator: RunningSimulator, device: Device, *, is_told: bool = True
) -> str:
    """A form that the customer finishes anew for a device that is linked; the way back."""
    simulator.control.settings(object_id_filled=is_told)
    customer.opt_in()
    session = str(customer.attempt.podero_id)
    own = simulator.control.complete(session)
    simulator.control.drop_device(str(own.device_id))
    if is_told:
        simulator.control.set_session(session, object_id=str(device.podero_id))
    return edited(str(own.redirect_url), device.podero_id)


@pytest.mark.parametrize("is_told", [True, False])
@pytest.mark.parametrize("came_back", ["before", "after"])
def test_form_finished_anew_does_not_vouch_for_the_login_behind_the_device(
    customer: Customer, simulator: RunningSimulator, is_told: bool, came_back: str
) -> None:
    device = link(customer, simulator)
    address = press_reconnect(customer, device).headers["Location"]
    own = form_that_names(customer, simulator, device, is_told=is_told)
    theirs = finish(address, OTHER)
    if came_back == "before":
        stranger().get(path_of(theirs))

    customer.go(own)
    if came_back == "after":
        comes_back(theirs, customer)

    gets_nothing(customer, simulator, device.podero_id)


@pytest.mark.parametrize("came_back", ["before", "after", "never"])
def test_removing_and_linking_anew_does_not_hide_who_signed_in_since(
    customer: Customer, simulator: RunningSimulator, came_back: str
) -> None:
    """Two tabs: the second opens a form before the first one gets to ask Podero to remove it."""
    device = link(customer, simulator)
    address = press_reconnect(customer, device).headers["Location"]
    removal.want_device_removed(device=Device.objects.get(), now=timezone.now())
    own = form_that_names(customer, simulator, device)
    undo_at_podero(customer.podero_user)
    assert Device.objects.get().removed_at is None
    theirs = finish(address, OTHER)
    if came_back == "before":
        stranger().get(path_of(theirs))
        reads_anew(customer)

    customer.go(own)
    if came_back == "after":
        comes_back(theirs, customer)

    gets_nothing(customer, simulator, device.podero_id)


def test_customer_clears_the_doubt_by_signing_in_with_the_account_of_before(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = link(customer, simulator)
    theirs = finish(press_reconnect(customer, device).headers["Location"], OTHER)
    stranger().get(path_of(theirs))
    reads_anew(customer)
    assert Device.objects.get().is_login_in_doubt

    customer.go(finish(press_reconnect(customer, device).headers["Location"]))
    presses_everything(customer)
    comes_back(theirs, customer)

    sweep(client=podero_client(), now=timezone.now())
    assert is_steered(simulator, device.podero_id)


def test_other_name_for_the_device_is_no_doubt_where_nobody_was_sent_to_sign_in(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = link(customer, simulator)
    simulator.control.set_device(str(device.podero_id), external_device_id="5YJ3E1EA7KF000316")

    reads_anew(customer)

    device = Device.objects.get()
    assert (device.is_confirmed, device.external_device_id) == (True, "5YJ3E1EA7KF000316")
    theirs = finish(press_reconnect(customer, device).headers["Location"], OTHER)
    comes_back(theirs, customer)
    gets_nothing(customer, simulator, device.podero_id)
