"""A device is to go while a hosted form is open that may link it anew."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from onboarding.models import Device
from tests.journeys.customer import Customer
from tests.journeys.removal.steps import (
    comes_back_naming,
    is_listed,
    remove,
    sweep_at,
)
from tests.journeys.test_leaving import is_steered, link_a_device
from tests.simulator.launch import RunningSimulator

pytestmark = pytest.mark.django_db(transaction=True)


def test_removed_device_comes_back_properly_when_it_is_linked_again(
    customer: Customer, simulator: RunningSimulator
) -> None:
    simulator.control.settings(device_delete_status=404)
    remove(customer)
    sweep_at(timezone.now() + timedelta(hours=2))
    device = Device.objects.get()
    assert device.is_removed
    customer.opt_in()

    comes_back_naming(customer, simulator, device)

    device.refresh_from_db()
    assert customer.attempt.state == "linked"
    assert (device.is_removed, device.is_removal_wanted) == (False, False)
    assert (device.is_confirmed, device.attempt) == (True, customer.attempt)
    assert is_steered(simulator, device)
    assert customer.browser.get(reverse("devices")).context["devices"] == [device]


def test_removing_waits_for_a_form_that_may_link_the_device_anew(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = Device.objects.get()
    simulator.control.arm("delete_device", "http_503", count=1)
    remove(customer)
    customer.opt_in()

    sweep_at(timezone.now() + timedelta(minutes=10))
    assert is_listed(simulator)
    comes_back_naming(customer, simulator, device)
    sweep_at(timezone.now() + timedelta(minutes=20))

    device.refresh_from_db()
    assert not device.is_removal_wanted
    assert is_steered(simulator, device)
    assert len(simulator.control.requests_to("delete_device")) == 1


def test_form_opened_after_the_wish_holds_removing_back_at_once(
    customer: Customer, simulator: RunningSimulator
) -> None:
    simulator.control.arm("delete_device", "http_503", count=1)
    remove(customer)
    customer.opt_in()
    Device.objects.update(removal_due_at=timezone.now())

    sweep_at(timezone.now())

    assert is_listed(simulator)


def test_form_that_was_open_before_holds_back_only_what_could_not_be_done_promptly(
    customer: Customer, simulator: RunningSimulator
) -> None:
    first = Device.objects.get()
    link_a_device(customer, simulator)
    second = Device.objects.exclude(pk=first.pk).get()
    customer.opt_in()

    remove(customer, first)
    simulator.control.arm("delete_device", "http_503", count=1)
    remove(customer, second)
    sweep_at(timezone.now() + timedelta(minutes=10))

    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.is_removed, second.is_removed) == (True, False)
    assert customer.attempt.expires_at is not None
    for minutes in (1, 2):
        sweep_at(customer.attempt.expires_at + timedelta(minutes=minutes))
    second.refresh_from_db()
    assert second.is_removed


def test_removing_goes_on_when_the_form_brought_something_else(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = Device.objects.get()
    simulator.control.arm("delete_device", "http_503", count=1)
    remove(customer)
    link_a_device(customer, simulator)

    sweep_at(timezone.now() + timedelta(minutes=10))

    device.refresh_from_db()
    assert device.is_removed


def test_removal_wished_after_coming_back_is_the_newer_wish(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = Device.objects.get()
    customer.opt_in()
    simulator.control.arm("get_device", "http_503", count=-1)
    simulator.control.arm("delete_device", "http_503", count=1)
    comes_back_naming(customer, simulator, device)
    assert customer.attempt.state == "returned"
    remove(customer)
    simulator.control.clear_faults()

    for minutes in (1, 2):
        sweep_at(timezone.now() + timedelta(minutes=minutes))

    device.refresh_from_db()
    assert device.is_removed
    assert not is_listed(simulator)
