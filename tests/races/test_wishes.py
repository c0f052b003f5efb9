"""Wishes that cross each other, or a call under way: the newest one wins, and none is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from onboarding import podero
from onboarding.clients import podero_client
from onboarding.flows import charging, devices, proof, withdrawal
from onboarding.flows.sweep import sweep
from onboarding.models import ChargeWish, Device, SessionEvent
from onboarding.states import Event
from tests.journeys.cards import charge_at_podero, link
from tests.journeys.customer import Customer
from tests.journeys.test_leaving import is_steered
from tests.races.test_races import at_once, twins
from tests.simulator.launch import RunningSimulator

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def device(customer: Customer, simulator: RunningSimulator) -> Device:
    return link(customer, simulator)


class Held:
    """A Podero client one of whose calls stands still, on the way there or back, until let go."""

    def __init__(self, method: str, *, has_effect: bool = True, fails: bool = False) -> None:
        self._method = method
        self._has_effect = has_effect
        self._fails = fails
        self.is_under_way = threading.Event()
        self.may_end = threading.Event()

    def __getattr__(self, name: str) -> Any:
        real = getattr(podero_client(), name)
        if name != self._method:
            return real

        def call(*args: Any, **kwargs: Any) -> Any:
            answer = real(*args, **kwargs) if self._has_effect else None
            self.is_under_way.set()
            assert self.may_end.wait(20)
            if self._fails:
                raise podero.Unavailable(name, status=503)
            return answer

        return call


def during(held: Held, act: Callable[[Any], Any], meanwhile: Callable[[], Any]) -> None:
    """Do `meanwhile` while the held call of `act` is under way."""

    def run() -> None:
        try:
            act(held)
        finally:
            held.is_under_way.set()
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run)
        assert held.is_under_way.wait(20)
        try:
            meanwhile()
        finally:
            held.may_end.set()
        running.result(30)


def press(customer: Customer, act: str, device: Device) -> None:
    assert customer.browser.post(reverse(act, args=[device.reference])).status_code == 302


def sweep_after(**wait: float) -> None:
    sweep(client=podero_client(), now=timezone.now() + timedelta(**wait))


def switch(device: Device) -> Callable[[Any], Any]:
    fresh = Device.objects.select_related("podero_user", "attempt").get(pk=device.pk)
    now = timezone.now()
    return lambda client: devices.switch_optimization(client=client, device=fresh, now=now)


def want(device: Device, *, is_wanted: bool, tries: int = 0) -> None:
    device.want_optimization(is_wanted=is_wanted, now=timezone.now())
    Device.objects.filter(pk=device.pk).update(tries=tries)


@pytest.mark.parametrize("fails", [False, True])
def test_pause_that_arrives_while_a_resume_is_under_way_wins(
    customer: Customer, simulator: RunningSimulator, device: Device, fails: bool
) -> None:
    press(customer, "pause_device", device)
    want(device, is_wanted=True)

    during(
        Held("update_device", fails=fails),
        switch(device),
        lambda: press(customer, "pause_device", device),
    )
    sweep_after()

    device.refresh_from_db()
    assert (device.is_optimization_wanted, device.is_settled) == (False, True)
    assert is_steered(simulator, device) is False


@pytest.mark.parametrize("fails", [False, True])
def test_resume_that_arrives_while_a_pause_is_under_way_wins(
    customer: Customer, simulator: RunningSimulator, device: Device, fails: bool
) -> None:
    want(device, is_wanted=False)

    during(
        Held("update_device", fails=fails),
        switch(device),
        lambda: press(customer, "resume_device", device),
    )
    sweep_after()

    device.refresh_from_db()
    assert (device.is_optimization_wanted, device.is_settled) == (True, True)
    assert is_steered(simulator, device) is True


def test_pause_during_the_last_try_to_switch_on_is_not_given_up_with_it(
    customer: Customer, simulator: RunningSimulator, device: Device
) -> None:
    press(customer, "pause_device", device)
    want(device, is_wanted=True, tries=devices.MAX_TRIES_TO_SWITCH_ON - 1)

    during(
        Held("update_device", fails=True),
        switch(device),
        lambda: press(customer, "pause_device", device),
    )

    device.refresh_from_db()
    assert not device.is_optimization_wanted
    assert device.next_try_at is not None
    sweep_after()
    assert is_steered(simulator, device) is False


def test_wish_changed_there_and_back_during_a_call_is_due_at_once(
    customer: Customer, simulator: RunningSimulator, device: Device
) -> None:
    want(device, is_wanted=False, tries=30)

    def change_there_and_back() -> None:
        press(customer, "resume_device", device)
        press(customer, "pause_device", device)

    during(Held("update_device", fails=True), switch(device), change_there_and_back)

    device.refresh_from_db()
    assert device.tries == 0
    assert device.next_try_at is not None
    assert device.next_try_at <= timezone.now()


def test_refresh_that_read_before_a_pause_takes_nothing_back(
    customer: Customer, simulator: RunningSimulator, device: Device
) -> None:
    started = timezone.now()

    during(
        Held("list_devices"),
        lambda client: devices.refresh_devices(
            client=client, customer=customer.podero_user, now=started
        ),
        lambda: press(customer, "pause_device", device),
    )
    sweep_after(minutes=1)

    device.refresh_from_db()
    assert device.standing == "paused"
    assert is_steered(simulator, device) is False


def test_pressing_pause_at_once_in_several_tabs_is_one_pause(
    customer: Customer, simulator: RunningSimulator, device: Device
) -> None:
    simulator.control.settings(latency_ms=50)
    before = len(simulator.control.requests_to("update_device"))

    at_once(*[lambda tab=tab: press(tab, "pause_device", device) for tab in twins(customer, 4)])

    assert SessionEvent.objects.filter(event=Event.PAUSED).count() == 1
    assert len(simulator.control.requests_to("update_device")) == before + 1
    assert is_steered(simulator, device) is False


def test_pause_and_resume_at_once_end_in_what_is_on_record(
    customer: Customer, simulator: RunningSimulator, device: Device
) -> None:
    one, other = twins(customer, 2)

    at_once(
        lambda: press(one, "pause_device", device), lambda: press(other, "resume_device", device)
    )
    sweep_after(minutes=1)

    device.refresh_from_db()
    assert device.is_settled
    assert is_steered(simulator, device) is device.is_optimization_wanted


def test_resume_and_withdrawal_at_once_leave_nothing_optimized(
    customer: Customer, simulator: RunningSimulator, device: Device
) -> None:
    press(customer, "pause_device", device)
    (tab,) = twins(customer, 1)

    at_once(
        lambda: press(tab, "resume_device", device),
        lambda: withdrawal.withdraw(customer=customer.podero_user, now=timezone.now()),
    )
    sweep_after(minutes=1)

    device.refresh_from_db()
    assert not device.is_optimization_wanted
    assert is_steered(simulator, device) is False


# --- Charge now -------------------------------------------------------------------------------


def carry_out(device: Device) -> Callable[[Any], Any]:
    wishes = ChargeWish.objects.select_related("device__podero_user", "device__attempt")
    wish = wishes.get(device=device)
    now = timezone.now()
    return lambda client: charging.carry_out(client=client, wish=wish, now=now)


@pytest.mark.parametrize("fails", [False, True])
def test_charge_taken_back_while_it_is_asked_for_stays_taken_back(
    customer: Customer, simulator: RunningSimulator, device: Device, fails: bool
) -> None:
    ChargeWish.wish(device, is_start=True, now=timezone.now())

    during(
        Held("start_boost", fails=fails),
        carry_out(device),
        lambda: press(customer, "do_not_charge_device", device),
    )
    sweep_after()

    assert charge_at_podero(simulator, device)["boost_for_next_session"] is False
    assert ChargeWish.objects.get().answer == "taken_back"


def test_charge_wished_again_while_it_is_taken_back_is_carried_out(
    customer: Customer, simulator: RunningSimulator, device: Device
) -> None:
    press(customer, "charge_device", device)
    ChargeWish.wish(device, is_start=False, now=timezone.now())

    during(
        Held("stop_boost"),
        carry_out(device),
        lambda: press(customer, "charge_device", device),
    )
    sweep_after()

    assert charge_at_podero(simulator, device)["boost_for_next_session"] is True
    assert ChargeWish.objects.get().answer == "armed"


def test_leaving_while_charging_is_asked_for_lets_nothing_charge(
    customer: Customer, simulator: RunningSimulator, device: Device
) -> None:
    ChargeWish.wish(device, is_start=True, now=timezone.now())

    during(
        Held("start_boost"),
        carry_out(device),
        lambda: withdrawal.withdraw(customer=customer.podero_user, now=timezone.now()),
    )
    sweep_after()

    assert charge_at_podero(simulator, device)["boost_for_next_session"] is False


@pytest.mark.parametrize("fails", [False, True])
def test_doubt_about_the_login_while_charging_is_asked_for_lets_nothing_charge(
    simulator: RunningSimulator, device: Device, fails: bool
) -> None:
    ChargeWish.wish(device, is_start=True, now=timezone.now())

    during(
        Held("start_boost", fails=fails),
        carry_out(device),
        lambda: proof.doubt_login(Device.objects.get(), now=timezone.now()),
    )
    sweep_after()

    assert charge_at_podero(simulator, device)["boost_for_next_session"] is False
    assert ChargeWish.objects.get().answer == "taken_back"


def test_charge_pressed_at_once_in_several_tabs_is_asked_for_once(
    customer: Customer, simulator: RunningSimulator, device: Device
) -> None:
    simulator.control.settings(latency_ms=50)

    at_once(*[lambda tab=tab: press(tab, "charge_device", device) for tab in twins(customer, 4)])

    assert SessionEvent.objects.filter(event=Event.CHARGE_WISHED).count() == 1
    assert len(simulator.control.requests_to("boost")) == 1


def test_claim_left_by_a_killed_worker_is_taken_over(
    customer: Customer, simulator: RunningSimulator, device: Device
) -> None:
    ChargeWish.wish(device, is_start=True, now=timezone.now())
    ChargeWish.objects.update(claimed_at=timezone.now())
    sweep_after()
    assert simulator.control.requests_to("boost") == []

    sweep_after(minutes=3)

    assert ChargeWish.objects.get().answer == "armed"


def test_pages_that_look_at_once_have_podero_asked_once(
    customer: Customer, simulator: RunningSimulator, device: Device
) -> None:
    Device.objects.update(checked_at=timezone.now() - timedelta(minutes=5))
    before = len(simulator.control.requests_to("list_devices"))

    at_once(
        *[lambda tab=tab: tab.browser.post(reverse("look_again")) for tab in twins(customer, 4)]
    )

    assert len(simulator.control.requests_to("list_devices")) == before + 4
