"""Customers who renew a login by themselves are not asked more than needed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from onboarding import tasks
from onboarding.clients import podero_client
from onboarding.flows.sweep import sweep
from onboarding.models import Device, Reconnection
from tests.journeys.cards import link
from tests.journeys.customer import Customer
from tests.journeys.reconnecting.steps import (
    break_off,
    comes_back,
    finish,
    is_named_no_more,
    press_reconnect,
)
from tests.journeys.test_detours import is_steered, presses_everything
from tests.journeys.test_proof_of_return import path_of, sign_in, stranger
from tests.simulator.launch import RunningSimulator
from tests.simulator.test_reconnecting import OTHER

pytestmark = pytest.mark.django_db(transaction=True)

NAMED = pytest.mark.parametrize("is_named", [True, False])


@pytest.fixture
def names_it(simulator: RunningSimulator) -> Callable[..., None]:
    """Podero names the account behind the devices, or does not."""

    def act(*, is_named: bool) -> None:
        if not is_named:
            for device in Device.objects.all():
                is_named_no_more(simulator, device)

    return act


def visited_long_ago() -> None:
    Reconnection.objects.filter(foreign_return_at__isnull=False).update(
        foreign_return_at=timezone.now() - timedelta(days=3)
    )


@NAMED
def test_way_back_that_opens_in_another_browser_ends_well_there(
    customer: Customer,
    simulator: RunningSimulator,
    names_it: Callable[..., None],
    is_named: bool,
) -> None:
    """They have not typed their password yet when the return is looked into."""
    device = link(customer, simulator)
    names_it(is_named=is_named)
    phone = stranger()
    way_back = path_of(finish(press_reconnect(customer).headers["Location"]))
    names_it(is_named=is_named)
    back = phone.get(way_back)
    tasks.look_who_signed_in(customer_id=customer.podero_user.pk)

    sign_in(phone, customer, by_the_portal=False, at=back.headers["Location"])
    phone.post(reverse("confirm_device", args=[device.reference]))

    sweep(client=podero_client(), now=timezone.now())
    assert is_steered(simulator, device.podero_id)


@NAMED
def test_scanner_that_is_faster_than_the_customer_costs_one_answer_at_most(
    customer: Customer,
    simulator: RunningSimulator,
    names_it: Callable[..., None],
    is_named: bool,
) -> None:
    device = link(customer, simulator)
    names_it(is_named=is_named)
    way_back = finish(press_reconnect(customer).headers["Location"])
    names_it(is_named=is_named)
    comes_back(way_back, customer)

    customer.go(way_back)
    presses_everything(customer)

    sweep(client=podero_client(), now=timezone.now())
    assert is_steered(simulator, device.podero_id)


@NAMED
def test_cancel_in_a_browser_that_is_not_signed_in_doubts_nothing(
    customer: Customer,
    simulator: RunningSimulator,
    names_it: Callable[..., None],
    is_named: bool,
) -> None:
    simulator.control.settings(object_id_filled=False)
    device = link(customer, simulator)
    names_it(is_named=is_named)
    comes_back(break_off(press_reconnect(customer).headers["Location"]), customer)

    later = link(customer, simulator, "wb")

    sweep(client=podero_client(), now=timezone.now())
    assert is_steered(simulator, device.podero_id)
    assert is_steered(simulator, later.podero_id)


@pytest.mark.parametrize("login", [OTHER, None])
def test_old_way_back_that_is_visited_again_doubts_nothing(
    customer: Customer, simulator: RunningSimulator, login: dict[str, str] | None
) -> None:
    device = link(customer, simulator)
    older = finish(press_reconnect(customer, device).headers["Location"], login)
    comes_back(older, customer)
    customer.go(finish(press_reconnect(customer, device).headers["Location"]))
    presses_everything(customer)
    visited_long_ago()

    comes_back(older, customer)

    sweep(client=podero_client(), now=timezone.now())
    assert is_steered(simulator, device.podero_id)


def test_wrong_account_and_then_the_right_one(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = link(customer, simulator)
    for kind in ("taken", "new_device"):
        simulator.control.settings(reconnect_other_account=kind)
        customer.go(finish(press_reconnect(customer, device).headers["Location"], OTHER))
        customer.go(finish(press_reconnect(customer, device).headers["Location"]))
        presses_everything(customer)

        sweep(client=podero_client(), now=timezone.now())
        assert is_steered(simulator, device.podero_id), kind
