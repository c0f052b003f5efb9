"""Removing at the instant at which the customer wants something else: the newest wish stands."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from onboarding.clients import podero_client
from onboarding.flows import devices, removal, withdrawal
from onboarding.flows.sweep import sweep
from onboarding.models import Device, Mail, PoderoUser
from tests.factories import make_consent, make_customer
from tests.journeys.customer import Customer
from tests.journeys.removal.steps import comes_back_naming, user_at_podero_by_id
from tests.journeys.test_leaving import is_steered, link_a_device
from tests.races.test_races import Between, at_once, twins
from tests.simulator.launch import RunningSimulator

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def customer(podero_settings: Any, simulator: RunningSimulator) -> Customer:
    customer = Customer(make_customer())
    link_a_device(customer, simulator)
    return customer


def wanted_gone(simulator: RunningSimulator) -> Device:
    """The linked device: off, and due to be removed."""
    simulator.control.arm("delete_device", "http_503", count=1)
    device = Device.objects.select_related("podero_user", "attempt").get()
    removal.want_device_removed(device=device, now=timezone.now())
    removal.carry_out(client=podero_client(), customer=device.podero_user, now=timezone.now())
    Device.objects.update(removal_due_at=timezone.now())
    return Device.objects.select_related("podero_user", "attempt").get()


def leaving(customer: Customer) -> PoderoUser:
    """The customer after leaving, with the user at Podero due to be removed."""
    row = PoderoUser.objects.get(pk=customer.podero_user.pk)
    withdrawal.withdraw(customer=row, now=timezone.now())
    for device in Device.objects.due(now=timezone.now()).select_related("podero_user", "attempt"):
        devices.switch_optimization(client=podero_client(), device=device, now=timezone.now())
    for device in removal.due_devices(now=timezone.now()):
        removal.remove_device(client=podero_client(), device=device, now=timezone.now())
    return PoderoUser.objects.get(pk=row.pk)


def test_two_workers_remove_each_thing_once(
    customer: Customer, simulator: RunningSimulator
) -> None:
    wanted_gone(simulator)
    withdrawal.withdraw(customer=customer.podero_user, now=timezone.now())
    simulator.control.settings(latency_ms=50)
    now = timezone.now()

    at_once(*[lambda: sweep(client=podero_client(), now=now) for _worker in range(4)])
    sweep(client=podero_client(), now=timezone.now())

    done = [e for e in simulator.control.requests_to("delete_device") if e["status"] == 204]
    assert len(done) == len(simulator.control.requests_to("delete_user")) == 1
    told = [event.event for event in customer.attempt.events.all()]
    assert told.count("removed") == 1


def test_leaving_in_several_tabs_at_once_is_acknowledged_once(
    customer: Customer, simulator: RunningSimulator, settings: Any
) -> None:
    settings.IS_MAIL_ON = True

    at_once(*[lambda tab=tab: tab.browser.post(reverse("leave")) for tab in twins(customer, 4)])
    sweep(client=podero_client(), now=timezone.now())

    (mail,) = Mail.objects.all()
    customer.podero_user.refresh_from_db()
    assert mail.consent.withdrawn_at == customer.podero_user.withdrawn_at
    assert customer.podero_user.is_removed
    assert Device.objects.get().is_removed


def test_device_linked_anew_before_the_claim_is_not_removed(
    customer: Customer, simulator: RunningSimulator
) -> None:
    stale = wanted_gone(simulator)
    customer.opt_in()
    comes_back_naming(customer, simulator, stale)

    removal.remove_device(client=podero_client(), device=stale, now=timezone.now())

    device = Device.objects.get()
    assert (device.is_removal_wanted, device.is_confirmed) == (False, True)
    assert is_steered(simulator, device)
    assert len(simulator.control.requests_to("delete_device")) == 1


def test_return_while_podero_is_asked_to_remove_the_device_waits_for_the_answer(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = wanted_gone(simulator)

    def link_again() -> None:
        customer.opt_in()
        comes_back_naming(customer, simulator, device)

    def delete_device(*args: Any) -> None:
        at_once(link_again)
        assert customer.attempt.state == "returned"
        podero_client().delete_device(*args)

    client: Any = SimpleNamespace(delete_device=delete_device)
    removal.remove_device(client=client, device=device, now=timezone.now())

    device.refresh_from_db()
    assert device.is_removed
    told = [event.event for event in customer.attempt.events.order_by("pk")]
    assert told == ["consented", "opened", "returned", "nothing_found"]


def test_older_page_that_switches_on_during_the_removal_changes_nothing(
    customer: Customer, simulator: RunningSimulator
) -> None:
    older = Device.objects.get()
    device = wanted_gone(simulator)
    answers = []

    def switch_on() -> None:
        answers.append(older.want_optimization(is_wanted=True, now=timezone.now()))

    client: Any = Between("delete_device", switch_on)
    removal.remove_device(client=client, device=device, now=timezone.now())

    device.refresh_from_db()
    assert answers == [False]
    assert (device.is_removed, device.is_optimization_wanted) == (True, False)


def test_removal_and_switching_on_at_once_never_leave_a_device_wanted(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = Device.objects.select_related("podero_user", "attempt").get()
    older = Device.objects.get()

    at_once(
        lambda: removal.want_device_removed(device=device, now=timezone.now()),
        lambda: older.want_optimization(is_wanted=True, now=timezone.now()),
    )

    device.refresh_from_db()
    assert (device.is_removal_wanted, device.is_optimization_wanted) == (True, False)


def test_whoever_agrees_anew_before_the_claim_keeps_their_user(
    customer: Customer, simulator: RunningSimulator
) -> None:
    stale = leaving(customer)
    customer.opt_in()

    removal.remove_customer(client=podero_client(), customer=stale, now=timezone.now())

    assert customer.attempt.state == "open"
    assert not simulator.control.requests_to("delete_user")


def test_whoever_agrees_anew_while_their_user_is_removed_waits_and_gets_a_new_one(
    customer: Customer, simulator: RunningSimulator
) -> None:
    row = leaving(customer)
    client: Any = Between("delete_user", customer.opt_in)

    removal.remove_customer(client=client, customer=row, now=timezone.now())
    assert customer.attempt.state == "started"
    customer.press_continue()

    assert customer.attempt.state == "open"
    customer.podero_user.refresh_from_db()
    assert (customer.podero_user.is_removed, customer.podero_user.withdrawn_at) == (False, None)
    session = simulator.control.state()["sessions"][-1]
    assert session["user_id"] == str(customer.podero_user.podero_id)
    assert user_at_podero_by_id(simulator, session["user_id"])["deleted_at"] is None


def test_living_consent_keeps_the_user_whatever_else_is_on_record(customer: Customer) -> None:
    row = leaving(customer)
    assert removal.due_customers(now=timezone.now()).exists()

    make_consent(row)

    assert not removal.due_customers(now=timezone.now()).exists()


def test_leaving_and_agreeing_anew_at_once_never_half_of_each(
    customer: Customer, simulator: RunningSimulator
) -> None:
    (twin,) = twins(customer, 1)

    at_once(lambda: customer.browser.post(reverse("leave")), twin.opt_in)

    row = PoderoUser.objects.get(pk=customer.podero_user.pk)
    has_consent = row.consents.filter(withdrawn_at=None).exists()
    assert has_consent == (row.withdrawn_at is None)
    assert has_consent == (not row.is_removal_wanted)


def test_claim_that_was_lost_during_the_call_records_nothing(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = wanted_gone(simulator)

    def take_over() -> None:
        Device.objects.update(claimed_at=None)
        other = Device.objects.select_related("podero_user", "attempt").get()
        removal.remove_device(client=podero_client(), device=other, now=timezone.now())

    client: Any = Between("delete_device", take_over)
    removal.remove_device(client=client, device=device, now=timezone.now())

    told = [event.event for event in customer.attempt.events.all()]
    assert told.count("removed") == 1
    assert Device.objects.get().is_removed
