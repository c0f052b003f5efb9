"""A victim whose browser a link from the portal has signed in as the attacker lends them nothing.

The link works without a cookie, and may be opened in anybody's browser: before they come back from
the manufacturer, or after.
"""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import jwt
import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from onboarding import tasks
from onboarding.models import Device, OnboardingSession
from tests.connected import let_the_breaker_rest
from tests.factories import make_customer
from tests.journeys.cards import link, sweep_after
from tests.journeys.customer import Customer
from tests.journeys.reconnecting.steps import (
    finish,
    is_named_no_more,
    lapse,
    newest,
    press_reconnect,
)
from tests.journeys.removal.steps import comes_back_naming
from tests.journeys.test_detours import gets_nothing, is_steered, reads_anew
from tests.journeys.test_proof_of_return import path_of, stranger
from tests.simulator.launch import Completed, RunningSimulator
from tests.views.test_enter import SECRET, claims

pytestmark = pytest.mark.django_db(transaction=True)


def led_in(victim: Client, customer: Customer) -> Any:
    person = customer.podero_user
    told = claims(sub=person.external_user_id, email=person.email, jti=uuid.uuid4().hex)
    token = jwt.encode(told, SECRET, algorithm="HS256")
    return victim.get(reverse("enter"), {"token": token}, follow=True)


def steered_from_the_start(
    customer: Customer, simulator: RunningSimulator, settings: Any
) -> Completed:
    """The victim finishes the attacker's form, and has not come back yet."""
    settings.ONBOARDING_ACTIVATION = "immediately"
    customer.opt_in()
    return simulator.control.complete(str(customer.attempt.podero_id), account="victim@example.com")


def signs_in(victim: Client, customer: Customer, device: Device, *, led: str) -> Any:
    """Sent to the manufacturer by the attacker; the page that they see in the end."""
    address = press_reconnect(customer, device).headers["Location"]
    if led == "before":
        led_in(victim, customer)
    page = victim.get(path_of(finish(address)), follow=True)
    return led_in(victim, customer) if led == "after" else page


@pytest.mark.parametrize("led", ["before", "after"])
@pytest.mark.parametrize("becomes", ["", "theirs"])
def test_victim_who_signs_in_at_the_manufacturer_where_podero_names_no_account(
    customer: Customer, simulator: RunningSimulator, led: str, becomes: str
) -> None:
    device = link(customer, simulator)
    is_named_no_more(simulator, device)
    victim = stranger()

    page = signs_in(victim, customer, device, led=led)

    assert newest(customer).state == "renewed"
    assert not is_steered(simulator, device.podero_id)
    assert f"the account of <b>{customer.podero_user.email}</b>" in page.content.decode()
    assert reverse("confirm_device", args=[device.reference]) in page.content.decode()
    simulator.control.set_device(str(device.podero_id), external_device_id=becomes)
    reads_anew(customer)
    gets_nothing(customer, simulator, device.podero_id)


@pytest.mark.parametrize("led", ["before", "after"])
@pytest.mark.parametrize("hours", [0, 20])
def test_account_of_the_victim_that_shows_late_is_doubted(
    customer: Customer, simulator: RunningSimulator, led: str, hours: int
) -> None:
    device = link(customer, simulator)

    page = signs_in(stranger(), customer, device, led=led)

    assert newest(customer).state == "renewed"
    assert "You need not do anything more" in page.content.decode()
    with time_machine.travel(timezone.now() + timedelta(hours=hours), tick=True):
        tasks.look_who_signed_in(customer_id=customer.podero_user.pk)
        simulator.control.set_device(str(device.podero_id), external_device_id="theirs")
        tasks.look_who_signed_in(customer_id=customer.podero_user.pk)
        gets_nothing(Customer(customer.podero_user), simulator, device.podero_id)


def test_owner_who_signs_in_on_another_phone_says_there_that_it_is_theirs(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = link(customer, simulator)
    is_named_no_more(simulator, device)
    phone = stranger()
    signs_in(phone, customer, device, led="after")

    phone.post(reverse("confirm_device", args=[device.reference]))

    sweep_after(minutes=1)
    assert is_steered(simulator, device.podero_id)
    assert not Device.objects.get().is_login_in_doubt


@pytest.mark.parametrize("shows", ["at once", "late"])
def test_victim_whose_form_names_a_device_that_is_linked_already(
    customer: Customer, simulator: RunningSimulator, shows: str
) -> None:
    device = link(customer, simulator)
    customer.opt_in()
    victim = Customer(customer.podero_user, stranger())
    led_in(victim.browser, customer)
    if shows == "at once":
        simulator.control.set_device(str(device.podero_id), external_device_id="theirs")

    comes_back_naming(victim, simulator, device)

    if shows == "late":
        simulator.control.set_device(str(device.podero_id), external_device_id="theirs")
        reads_anew(customer)
    gets_nothing(customer, simulator, device.podero_id)


@pytest.mark.parametrize("is_faster", [True, False])
def test_word_of_the_attacker_does_not_count_for_what_the_victim_has_linked(
    customer: Customer, simulator: RunningSimulator, settings: Any, is_faster: bool
) -> None:
    completed = steered_from_the_start(customer, simulator, settings)
    if is_faster:
        customer.press_check()
        customer.browser.post(reverse("confirm_device", args=[Device.objects.get().reference]))
        assert is_steered(simulator, completed.device_id)
    victim = stranger()
    led_in(victim, customer)

    victim.get(path_of(completed.redirect_url))

    gets_nothing(customer, simulator, completed.device_id)


def test_page_that_waits_for_podero_goes_nowhere_by_itself_and_says_whose_account_it_is(
    customer: Customer, simulator: RunningSimulator
) -> None:
    simulator.control.arm("*", "http_503", count=-1)
    customer.opt_in()
    victim = stranger()
    led_in(victim, customer)

    page = victim.get(reverse("attempt", args=[customer.attempt.reference])).content.decode()

    assert "data-retry-ms" in customer.page.content.decode()
    assert "data-retry-ms" not in page
    assert "try once more now" in page
    assert f"the account of <b>{customer.podero_user.email}</b>" in page


@pytest.mark.parametrize("state", ["open", "cancelled", "expired", "failed"])
def test_page_that_leads_to_the_form_again_says_whose_account_it_is(
    customer: Customer, simulator: RunningSimulator, state: str
) -> None:
    customer.opt_in()
    code = "refused" if state == "failed" else ""
    OnboardingSession.objects.update(state=state, failure_code=code)
    victim = stranger()
    led_in(victim, customer)

    page = victim.get(reverse("attempt", args=[customer.attempt.reference])).content.decode()

    before, _form, _after = page.partition(
        reverse("continue_attempt", args=[customer.attempt.reference])
    )
    assert _form
    assert f"the account of <b>{customer.podero_user.email}</b>" in before


def test_card_that_leads_to_the_manufacturer_says_whose_account_it_is(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = link(customer, simulator)
    lapse(simulator, device)
    reads_anew(customer)
    victim = stranger()
    led_in(victim, customer)

    page = victim.get(reverse("devices")).content.decode()

    before, _form, _after = page.partition(reverse("reconnect_device", args=[device.reference]))
    assert _form
    assert f"the account of <b>{customer.podero_user.email}</b>" in before


def test_device_that_shows_late_is_switched_off_soon_after_it_does(
    customer: Customer, simulator: RunningSimulator, settings: Any
) -> None:
    completed = steered_from_the_start(customer, simulator, settings)
    simulator.control.drop_device(str(completed.device_id))
    victim = stranger()
    led_in(victim, customer)
    victim.get(path_of(completed.redirect_url))
    for minutes in (1, 2, 4, 8, 12, 20, 35):
        sweep_after(minutes=minutes)
    assert customer.attempt.state == "failed"
    simulator.control.set_device(
        str(completed.device_id), deleted_at=None, is_smart_optimization_active=True
    )

    sweep_after(minutes=51)

    assert not is_steered(simulator, completed.device_id)


def test_who_opens_the_portals_link_again_while_the_form_is_open_is_the_one_who_left(
    customer: Customer, simulator: RunningSimulator
) -> None:
    customer.opt_in()
    way_back = simulator.control.complete(str(customer.attempt.podero_id)).redirect_url

    led_in(customer.browser, customer)
    customer.go(str(way_back))

    assert customer.attempt.is_return_matched
    assert Device.objects.get().is_optimization_active


def test_who_signs_in_after_somebody_else_in_the_same_browser_is_not_the_one_who_left(
    customer: Customer, simulator: RunningSimulator
) -> None:
    customer.opt_in()
    way_back = simulator.control.complete(str(customer.attempt.podero_id)).redirect_url

    led_in(customer.browser, Customer(make_customer()))
    led_in(customer.browser, customer)
    customer.go(str(way_back))

    assert not customer.attempt.is_return_matched


def test_way_back_that_is_opened_again_and_again_is_noted_once_a_minute(
    customer: Customer, simulator: RunningSimulator
) -> None:
    customer.opt_in()
    way_back = simulator.control.complete(str(customer.attempt.podero_id)).redirect_url
    victim = stranger()
    led_in(victim, customer)
    victim.get(path_of(way_back))
    noted_at = customer.attempt.foreign_return_at

    victim.get(path_of(way_back))

    assert noted_at is not None
    assert customer.attempt.foreign_return_at == noted_at


def test_return_in_another_browser_has_more_looked_for_where_something_is_linked_already(
    customer: Customer, simulator: RunningSimulator
) -> None:
    link(customer, simulator)
    customer.opt_in()
    way_back = simulator.control.complete(str(customer.attempt.podero_id)).redirect_url
    customer.press_check()
    OnboardingSession.objects.update(next_try_at=None)
    victim = stranger()
    led_in(victim, customer)

    victim.get(path_of(way_back))

    assert customer.attempt.state == "linked"
    assert customer.attempt.next_try_at is not None


@pytest.mark.parametrize("state", ["open", "linked"])
def test_timeline_tells_that_another_browser_came_back(
    customer: Customer, simulator: RunningSimulator, state: str
) -> None:
    customer.opt_in()
    way_back = simulator.control.complete(str(customer.attempt.podero_id)).redirect_url
    if state == "linked":
        customer.press_check()
    assert customer.attempt.state == state
    victim = stranger()
    led_in(victim, customer)

    victim.get(path_of(way_back))

    told = list(customer.attempt.events.order_by("pk").values_list("event", "actor"))
    assert ("return_seen_elsewhere", "browser") in told
    assert ("returned", "customer") not in told


def is_away_for_days() -> None:
    """Looked up as often and as long as is tried for what may yet be linked."""
    for hour in range(6):
        let_the_breaker_rest()
        sweep_after(days=7, hours=hour)


def test_device_that_podero_did_not_tell_of_for_days_is_switched_off_once_it_does(
    customer: Customer, simulator: RunningSimulator, settings: Any
) -> None:
    completed = steered_from_the_start(customer, simulator, settings)
    simulator.control.arm("*", "http_503", count=-1)
    stranger().get(path_of(completed.redirect_url))
    is_away_for_days()
    assert (customer.attempt.state, customer.attempt.failure_code) == (
        "expired",
        "podero_unreachable",
    )
    let_the_breaker_rest()
    sweep_after(days=20)
    assert is_steered(simulator, completed.device_id)
    simulator.control.clear_faults()
    let_the_breaker_rest()

    sweep_after(days=20, hours=7)

    assert not is_steered(simulator, completed.device_id)
    sweep_after(days=21)
    assert customer.attempt.next_try_at is None


def test_podero_that_never_answers_again_is_not_asked_for_ever(
    customer: Customer, simulator: RunningSimulator
) -> None:
    customer.opt_in()
    completed = simulator.control.complete(str(customer.attempt.podero_id))
    simulator.control.arm("*", "http_503", count=-1)
    stranger().get(path_of(completed.redirect_url))
    is_away_for_days()
    assert customer.attempt.next_try_at is not None
    let_the_breaker_rest()

    sweep_after(days=40)

    assert customer.attempt.next_try_at is None
