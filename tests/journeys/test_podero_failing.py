"""Podero fails for a while: nobody hammers it, nobody waits for it, and everybody gets there."""

from __future__ import annotations

import re
import time
from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from onboarding.clients import podero_client, podero_gate
from onboarding.flows import schedule
from onboarding.flows.sweep import sweep
from onboarding.models import Breaker, Device, OnboardingSession
from tests.connected import let_the_breaker_rest
from tests.factories import make_customer
from tests.journeys.customer import Customer, heading_of
from tests.simulator.launch import RunningSimulator

pytestmark = pytest.mark.django_db(transaction=True)

DOWN = "Podero cannot be reached just now"


@pytest.fixture
def customers(podero_settings: Any) -> list[Customer]:
    return [Customer(make_customer()) for _customer in range(8)]


def link(customer: Customer, simulator: RunningSimulator) -> Device:
    customer.opt_in()
    done = simulator.control.complete(str(customer.attempt.podero_id))
    customer.go(str(done.redirect_url))
    return Device.objects.get(podero_user=customer.podero_user)


def calls(simulator: RunningSimulator) -> int:
    total: int = simulator.control.state(journal=0)["counters"]["requests"]
    return total


def the_wait_is_over() -> None:
    OnboardingSession.objects.filter(next_try_at__isnull=False).update(next_try_at=timezone.now())
    let_the_breaker_rest()


def go_down(simulator: RunningSimulator, customers: list[Customer]) -> None:
    simulator.control.arm("*", "http_503", count=-1)
    # What went well until a moment ago would still count.
    podero_gate().forget()
    for customer in customers[:5]:
        customer.opt_in()
    assert Breaker.objects.get().is_open


def test_customers_see_the_truth_at_once_and_podero_is_left_alone(
    customers: list[Customer], simulator: RunningSimulator
) -> None:
    go_down(simulator, customers)
    simulator.control.clear_faults()
    simulator.control.arm("*", "timeout_before", count=-1, seconds=5)
    before = calls(simulator)
    started = time.monotonic()

    for customer in customers[5:]:
        customer.opt_in()
        assert customer.attempt.state == "started"
        assert heading_of(customer.page) == DOWN

    assert time.monotonic() - started < 2
    assert calls(simulator) == before
    simulator.control.clear_faults()


def test_every_button_is_honest_at_once_and_podero_follows_later(
    customers: list[Customer], simulator: RunningSimulator
) -> None:
    paused, charged, renewed, removed, left = (link(one, simulator) for one in customers[:5])
    go_down(simulator, customers[5:] * 2)
    before, started = calls(simulator), time.monotonic()

    for customer, device, act in zip(
        customers,
        (paused, charged, renewed, removed),
        ("pause_device", "charge_device", "reconnect_device", "remove_device"),
        strict=False,
    ):
        pressed = customer.browser.post(reverse(act, args=[device.reference]), follow=True)
        assert pressed.status_code == 200
    gone = customers[4].browser.post(reverse("leave"), follow=True)

    assert "has not confirmed yet" in gone.content.decode()
    assert time.monotonic() - started < 3
    assert calls(simulator) == before

    simulator.control.clear_faults()
    let_the_breaker_rest()
    for minutes in range(1, 4):
        sweep(client=podero_client(), now=timezone.now() + timedelta(minutes=minutes))

    held = {one["id"]: one["fields"] for one in simulator.control.state()["devices"]}
    assert not held[str(paused.podero_id)]["is_smart_optimization_active"]
    assert held[str(charged.podero_id)]["boost_for_next_session"]
    assert held[str(renewed.podero_id)]["is_smart_optimization_active"]
    for device in (removed, left):
        assert held[str(device.podero_id)]["deleted_at"]
        assert not held[str(device.podero_id)]["is_smart_optimization_active"]


def test_attempts_go_on_by_themselves_when_podero_is_back(
    customers: list[Customer], simulator: RunningSimulator
) -> None:
    go_down(simulator, customers)
    customers[5].opt_in()
    simulator.control.clear_faults()
    the_wait_is_over()

    # What the page's script does when its time has come.
    for customer in customers[:6]:
        customer.press_continue()

    assert [customer.attempt.state for customer in customers[:6]] == ["open"] * 6
    assert not Breaker.objects.get().is_open
    assert len(simulator.control.state()["users"]) == 6


def test_failed_probe_costs_podero_one_call(
    customers: list[Customer], simulator: RunningSimulator
) -> None:
    go_down(simulator, customers)
    the_wait_is_over()
    before = calls(simulator)

    for customer in customers[:5]:
        customer.press_continue()

    assert calls(simulator) == before + 1
    assert heading_of(customers[0].page) == DOWN


def test_waiting_costs_no_tries_and_fills_no_timeline(
    customers: list[Customer], simulator: RunningSimulator
) -> None:
    go_down(simulator, customers)
    waiting = customers[0]
    tries, events = waiting.attempt.tries, waiting.attempt.events.count()

    for _time in range(10):
        waiting.press_continue()

    assert waiting.attempt.tries == tries
    assert waiting.attempt.events.count() == events
    # The page goes on trying by itself, after the breaker has had its time.
    assert re.search(r'data-retry-ms="\d+"', waiting.page.content.decode())
    until = Breaker.objects.get().open_until
    assert until is not None
    assert waiting.attempt.next_try_at is not None
    assert waiting.attempt.next_try_at >= until.replace(microsecond=0)


def test_customers_who_wait_do_not_come_back_together(
    customers: list[Customer], simulator: RunningSimulator
) -> None:
    go_down(simulator, customers)
    waiting = customers[5]
    waiting.opt_in()
    moments = []
    for _time in range(20):
        waiting.press_continue()
        moments.append(waiting.attempt.next_try_at)

    spread = max(filter(None, moments)) - min(filter(None, moments))
    assert schedule.SPREAD_SECONDS / 3 < spread.total_seconds() < schedule.SPREAD_SECONDS + 5


def test_page_of_those_for_whom_nobody_tried_waits_at_random(customers: list[Customer]) -> None:
    customer = customers[0]
    customer.opt_in()
    OnboardingSession.objects.update(state="started", podero_id=None, next_try_at=None)
    session = customer.browser.session
    session["tried_with"] = [str(customer.attempt.reference)]
    session.save()

    waits = set()
    for _time in range(10):
        found = re.search(r'data-retry-ms="(\d+)"', customer.page.content.decode())
        assert found
        waits.add(int(found[1]))

    assert len(waits) > 3
    assert 3000 <= min(waits) <= max(waits) <= 9000


def test_background_work_stops_early_and_takes_up_where_it_was(
    customers: list[Customer], simulator: RunningSimulator
) -> None:
    for customer in customers[:4]:
        customer.opt_in()
        simulator.control.arm("get_device", "http_500", count=1)
        done = simulator.control.complete(str(customer.attempt.podero_id))
        customer.go(str(done.redirect_url))
    # Nothing is left of it but four customers whose return is still to be verified.
    Breaker.objects.all().delete()
    podero_gate().forget()
    simulator.control.arm("*", "http_503", count=-1)
    for customer in customers[4:]:
        customer.opt_in()
    customers[4].press_continue()
    assert Breaker.objects.get().is_open
    OnboardingSession.objects.filter(state="returned").update(next_try_at=timezone.now())
    before = calls(simulator)

    counts = sweep(client=podero_client(), now=timezone.now())

    assert counts["returns checked"] == 0
    assert calls(simulator) == before
    assert OnboardingSession.objects.filter(state="returned", tries__gt=1).count() == 0

    simulator.control.clear_faults()
    the_wait_is_over()
    counts = sweep(client=podero_client(), now=timezone.now())
    assert counts["returns checked"] == 4
    assert OnboardingSession.objects.filter(state="linked").count() == 4


def test_retry_after_for_one_customer_spares_podero_the_others(
    customers: list[Customer], simulator: RunningSimulator
) -> None:
    simulator.control.arm("create_session", "http_429_retry_after", count=1, seconds=40)
    customers[0].opt_in()
    before = calls(simulator)

    customers[1].opt_in()

    assert calls(simulator) == before
    assert heading_of(customers[1].page) == "Podero is busy just now"
    assert customers[1].attempt.failure_code == "podero_busy"


def test_each_call_carries_the_name_of_the_request_it_was_made_for(
    customers: list[Customer], simulator: RunningSimulator
) -> None:
    answer = customers[0].opt_in()

    named = {entry["request_id"] for entry in simulator.control.state()["journal"]}
    assert named == {answer.headers["X-Request-ID"]}
