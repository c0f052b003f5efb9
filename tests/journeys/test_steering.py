"""Podero steers what the customer confirmed, and nothing else, whatever happens on the way."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from onboarding import podero
from onboarding.clients import podero_client
from onboarding.flows import devices, passes
from onboarding.flows.sweep import sweep
from onboarding.models import Device
from tests.factories import make_customer
from tests.journeys.customer import Customer
from tests.journeys.test_leaving import is_steered, leave, link_a_device
from tests.simulator.launch import RunningSimulator

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def steering_from_the_start(podero_settings: Any) -> None:
    podero_settings.ONBOARDING_ACTIVATION = "immediately"


def sweep_after(**wait: float) -> None:
    sweep(client=podero_client(), now=timezone.now() + timedelta(**wait))


def refresh_after(customer: Customer, **wait: float) -> None:
    customer.podero_user.refresh_from_db()
    now = timezone.now() + timedelta(**wait)
    assert devices.refresh_devices(client=podero_client(), customer=customer.podero_user, now=now)


def link_two_devices_of_which_one_is_named(customer: Customer, simulator: RunningSimulator) -> None:
    customer.opt_in()
    completed = simulator.control.complete(str(customer.attempt.podero_id), devices=2)
    customer.go(str(completed.redirect_url))


def link_a_device_that_a_job_finds(customer: Customer, simulator: RunningSimulator) -> Device:
    customer.opt_in()
    simulator.control.complete(str(customer.attempt.podero_id))
    sweep_after(minutes=20)
    return Device.objects.get()


def what_is_steered(simulator: RunningSimulator) -> list[bool]:
    held = simulator.control.state()["devices"]
    return [device["fields"]["is_smart_optimization_active"] for device in held]


def is_said_to_be_pending(customer: Customer) -> bool:
    return not customer.browser.get(reverse("left")).context["ended"].is_all_off


def test_switch_that_took_effect_unseen_is_undone_by_leaving(
    customer: Customer, simulator: RunningSimulator
) -> None:
    simulator.control.arm("update_device", "reset_after", count=1)
    link_a_device(customer, simulator)
    device = Device.objects.get()
    assert (device.is_optimization_active, is_steered(simulator, device)) == (False, True)

    leave(customer)

    assert is_steered(simulator, device) is False
    assert not is_said_to_be_pending(customer)


def test_job_that_read_the_device_before_the_withdrawal_switches_nothing_on(
    customer: Customer, simulator: RunningSimulator
) -> None:
    simulator.control.arm("update_device", "http_503", count=1)
    link_a_device(customer, simulator)
    stale = Device.objects.select_related("podero_user", "attempt").get()
    assert (stale.is_optimization_wanted, stale.is_optimization_active) == (True, False)
    leave(customer)
    before = len(simulator.control.requests_to("update_device"))

    devices.switch_optimization(client=podero_client(), device=stale, now=timezone.now())

    assert len(simulator.control.requests_to("update_device")) == before
    assert is_steered(simulator, stale) is False


def test_device_switched_on_by_somebody_else_is_switched_off_by_leaving(
    customer: Customer, simulator: RunningSimulator
) -> None:
    link_a_device(customer, simulator)
    device = Device.objects.get()
    simulator.control.set_device(str(device.podero_id), is_smart_optimization_active=False)
    refresh_after(customer)
    device.refresh_from_db()
    assert not device.is_optimization_active
    simulator.control.set_device(str(device.podero_id), is_smart_optimization_active=True)

    leave(customer)

    assert is_steered(simulator, device) is False
    assert not is_said_to_be_pending(customer)


@pytest.mark.usefixtures("steering_from_the_start")
def test_device_that_no_return_named_is_switched_off_after_leaving_too(
    customer: Customer, simulator: RunningSimulator
) -> None:
    link_two_devices_of_which_one_is_named(customer, simulator)
    assert what_is_steered(simulator) == [True, True]

    leave(customer)
    sweep_after()
    sweep_after(hours=1, minutes=1)

    assert what_is_steered(simulator) == [False, False]


def test_device_that_no_return_named_turns_up_and_waits_for_the_customer(
    customer: Customer, simulator: RunningSimulator
) -> None:
    link_two_devices_of_which_one_is_named(customer, simulator)
    named = Device.objects.get()

    sweep_after(hours=1, minutes=1)

    assert Device.objects.count() == 2
    other = Device.objects.exclude(pk=named.pk).get()
    assert (named.is_confirmed, other.is_confirmed) == (True, False)
    assert (is_steered(simulator, named), is_steered(simulator, other)) == (True, False)
    assert customer.attempt.next_try_at is None


def test_list_that_lags_behind_a_switch_takes_nothing_back(
    customer: Customer, simulator: RunningSimulator
) -> None:
    link_a_device(customer, simulator)
    device = Device.objects.get()
    assert device.is_working
    simulator.control.set_device(str(device.podero_id), is_smart_optimization_active=False)
    refresh_after(customer, seconds=31)
    device.refresh_from_db()
    assert not device.is_optimization_active
    simulator.control.set_device(str(device.podero_id), is_smart_optimization_active=True)

    sweep_after(minutes=16)

    device.refresh_from_db()
    assert (device.is_optimization_wanted, device.is_optimization_active) == (True, True)
    assert is_steered(simulator, device) is True


def test_list_read_before_the_confirmation_takes_nothing_back(
    customer: Customer, simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = link_a_device_that_a_job_finds(customer, simulator)
    assert not device.is_confirmed
    read = podero.PoderoClient.list_devices

    def read_and_then_confirm(
        client: podero.PoderoClient, user_id: Any, **how: bool
    ) -> list[podero.Device]:
        listed = read(client, user_id, **how)
        customer.browser.post(reverse("confirm_device", args=[device.reference]))
        sweep_after(minutes=21)
        return listed

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(podero.PoderoClient, "list_devices", read_and_then_confirm)
        refresh_after(customer, minutes=21)
    sweep_after(minutes=22)

    device.refresh_from_db()
    assert (device.is_confirmed, device.is_optimization_wanted) == (True, True)
    assert is_steered(simulator, device) is True


def test_device_that_is_off_again_after_being_linked_anew_is_switched_on(
    customer: Customer, simulator: RunningSimulator
) -> None:
    link_a_device(customer, simulator)
    device = Device.objects.get()
    customer.opt_in()
    second = customer.attempt
    # Podero applies the new session's default to the device that is linked again.
    simulator.control.set_device(str(device.podero_id), is_smart_optimization_active=False)
    held = simulator.control.state()["sessions"]
    address = next(s["success_url"] for s in held if s["id"] == str(second.podero_id))

    customer.go(f"{address}?deviceId={device.podero_id}")

    assert customer.attempt.state == "linked"
    assert is_steered(simulator, device) is True


def test_device_that_is_gone_at_podero_needs_no_switching_off(
    customer: Customer, simulator: RunningSimulator
) -> None:
    link_a_device(customer, simulator)
    device = Device.objects.get()
    simulator.control.drop_device(str(device.podero_id))

    leave(customer)
    sweep_after()

    device.refresh_from_db()
    assert device.missing_since is not None
    assert device.next_try_at is None
    assert not is_said_to_be_pending(customer)


def test_devices_of_a_user_whom_podero_has_lost_are_gone(
    customer: Customer, simulator: RunningSimulator
) -> None:
    link_a_device(customer, simulator)
    customer.podero_user.refresh_from_db()
    assert customer.podero_user.podero_id is not None
    podero_client().delete_user(customer.podero_user.podero_id)

    refresh_after(customer, minutes=20)

    assert Device.objects.get().missing_since is not None


def test_customers_whom_podero_has_lost_keep_nobody_else_from_being_refreshed(
    customer: Customer, simulator: RunningSimulator
) -> None:
    for _ in range(passes.UNANSWERED_LIMIT):
        lost = Customer(make_customer())
        link_a_device(lost, simulator)
        lost.podero_user.refresh_from_db()
        assert lost.podero_user.podero_id is not None
        podero_client().delete_user(lost.podero_user.podero_id)
    link_a_device(customer, simulator)
    later = timezone.now() + timedelta(minutes=20)

    sweep(client=podero_client(), now=later)

    assert Device.objects.get(podero_user=customer.podero_user).checked_at >= later


def test_who_cannot_be_answered_goes_to_the_end_of_the_line(
    customer: Customer, simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Before the breaker ends the pass.
    monkeypatch.setattr(passes, "UNANSWERED_LIMIT", 3)
    for _ in range(3):
        link_a_device(Customer(make_customer()), simulator)
    link_a_device(customer, simulator)
    simulator.control.arm("list_devices", "http_500", count=-1)
    later = timezone.now() + timedelta(minutes=20)

    sweep(client=podero_client(), now=later)
    customer.podero_user.refresh_from_db()
    asked_at = customer.podero_user.devices_asked_at
    assert asked_at is None or asked_at < later

    sweep(client=podero_client(), now=later + timedelta(minutes=1))
    customer.podero_user.refresh_from_db()
    assert customer.podero_user.devices_asked_at is not None
    assert customer.podero_user.devices_asked_at > later


def test_one_answer_that_a_device_is_gone_is_not_believed_when_somebody_leaves(
    customer: Customer, simulator: RunningSimulator
) -> None:
    link_a_device(customer, simulator)
    device = Device.objects.get()
    simulator.control.arm("update_device", "http_404")

    leave(customer)
    sweep_after()
    device.refresh_from_db()
    assert device.is_switch_pending
    assert device.missing_since is None
    sweep_after(minutes=5)

    assert is_steered(simulator, device) is False
    assert not is_said_to_be_pending(customer)


def test_device_that_may_be_gone_stays_pending_while_podero_cannot_be_asked_again(
    customer: Customer, simulator: RunningSimulator
) -> None:
    link_a_device(customer, simulator)
    device = Device.objects.get()
    simulator.control.drop_device(str(device.podero_id))
    simulator.control.arm("list_devices", "http_503", count=-1)

    leave(customer)
    sweep_after()

    device.refresh_from_db()
    assert device.is_switch_pending
    assert device.missing_since is None


def test_switching_off_is_never_given_up(customer: Customer, simulator: RunningSimulator) -> None:
    link_a_device(customer, simulator)
    device = Device.objects.get()
    simulator.control.arm("update_device", "http_503", count=-1)
    leave(customer)
    many = 3 * devices.MAX_TRIES_TO_SWITCH_ON
    Device.objects.update(tries=many)

    sweep_after(hours=7)

    device.refresh_from_db()
    assert device.tries == many + 1
    assert device.next_try_at is not None
    assert is_said_to_be_pending(customer)
    assert is_steered(simulator, device) is True
    simulator.control.clear_faults()
    sweep_after(days=365)
    assert is_steered(simulator, device) is False


@pytest.mark.parametrize("is_called_unknown", [False, True])
def test_customer_whom_podero_seemed_to_have_lost_can_still_leave(
    customer: Customer, simulator: RunningSimulator, is_called_unknown: bool
) -> None:
    link_a_device(customer, simulator)
    device = Device.objects.get()
    simulator.control.arm("create_session", "http_404", count=1)
    simulator.control.arm("find_user", "http_503", count=1)
    if is_called_unknown:
        simulator.control.arm("get_user", "http_404", count=1)
    customer.podero_user.refresh_from_db()
    known = customer.podero_user.podero_id
    customer.opt_in()

    leave(customer)
    sweep_after(hours=1)

    (user,) = simulator.control.state()["users"]
    assert (user["id"], user["deleted_at"] is not None) == (str(known), True)
    assert is_steered(simulator, device) is False
    assert not is_said_to_be_pending(customer)


@pytest.mark.usefixtures("steering_from_the_start")
def test_device_steered_from_the_start_is_switched_off_until_it_is_confirmed(
    customer: Customer, simulator: RunningSimulator
) -> None:
    customer.opt_in()
    simulator.control.complete(str(customer.attempt.podero_id))
    assert what_is_steered(simulator) == [True]

    sweep_after(minutes=20)
    sweep_after(minutes=21)

    device = Device.objects.get()
    assert not device.is_confirmed
    assert is_steered(simulator, device) is False
    customer.browser.post(reverse("confirm_device", args=[device.reference]))
    sweep_after(minutes=22)
    assert is_steered(simulator, device) is True
