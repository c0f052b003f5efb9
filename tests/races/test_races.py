"""Everything at the same instant: real threads, real connections, one outcome.

SQLite lets one writer in at a time; what relies on row locks is proved on PostgreSQL, where
`make test` runs these too.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

import jwt
import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from onboarding.clients import podero_client
from onboarding.flows import (
    confirming,
    devices,
    keeping,
    linking,
    opt_in,
    returning,
    withdrawal,
)
from onboarding.flows.sweep import sweep
from onboarding.models import Consent, Device, OnboardingSession, PoderoUser
from tests.journeys.customer import Customer
from tests.simulator.launch import RunningSimulator
from tests.views.test_enter import SECRET, claims

pytestmark = pytest.mark.django_db(transaction=True)

Result = TypeVar("Result")


def at_once(*acts: Callable[[], Result]) -> list[Result]:
    """Do all of them at the same instant, each in a thread with a connection of its own."""
    barrier = threading.Barrier(len(acts))

    def run(act: Callable[[], Result]) -> Result:
        barrier.wait(10)
        try:
            return act()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as pool:
        return [future.result(30) for future in [pool.submit(run, act) for act in acts]]


def twins(customer: Customer, count: int) -> list[Customer]:
    """The same customer in several tabs: clients that share the browser's cookies."""
    tabs = []
    for _tab in range(count):
        tab = Client(HTTP_HOST="localhost")
        tab.cookies = customer.browser.cookies
        tabs.append(Customer(customer.podero_user, tab))
    return tabs


def test_double_click_makes_one_attempt_and_one_session(
    customer: Customer, simulator: RunningSimulator
) -> None:
    press = uuid.uuid4()
    simulator.control.settings(latency_ms=50)

    answers = at_once(*[lambda tab=tab: tab.opt_in(submission=press) for tab in twins(customer, 4)])

    assert OnboardingSession.objects.get().state == "open"
    held = simulator.control.state()
    assert (len(held["users"]), len(held["sessions"])) == (1, 1)
    assert [answer.status_code for answer in answers] == [302] * 4
    to_podero = [a for a in answers if a.headers["Location"].startswith(simulator.base_url)]
    assert len(to_podero) == 1


def test_two_tabs_of_a_new_customer_make_one_podero_user(
    customer: Customer, simulator: RunningSimulator
) -> None:
    simulator.control.settings(latency_ms=50)

    at_once(*[tab.opt_in for tab in twins(customer, 4)])
    for attempt in OnboardingSession.objects.filter(state="started"):
        customer.press_continue(attempt)

    held = simulator.control.state()
    assert len(held["users"]) == 1
    assert len(simulator.control.requests_to("create_user")) == 1
    assert len(held["sessions"]) == OnboardingSession.objects.filter(state="open").count() == 4


def test_double_press_of_continue_makes_one_successor(
    customer: Customer, simulator: RunningSimulator
) -> None:
    customer.opt_in()
    first = customer.attempt
    form = {"submission": uuid.uuid4()}
    address = reverse("continue_attempt", args=[first.reference])

    at_once(*[lambda tab=tab: tab.browser.post(address, form) for tab in twins(customer, 3)])

    assert OnboardingSession.objects.filter(continues=first).count() == 1
    assert len(simulator.control.state()["sessions"]) == 2


def test_returns_at_once_verify_once(customer: Customer, simulator: RunningSimulator) -> None:
    customer.opt_in()
    way_back = simulator.control.complete(str(customer.attempt.podero_id)).redirect_url
    simulator.control.settings(latency_ms=50)

    at_once(*[lambda tab=tab: tab.go(str(way_back)) for tab in twins(customer, 4)])

    told = [event.event for event in customer.attempt.events.order_by("pk")]
    assert told.count("returned") == told.count("linked") == 1
    assert told.count("optimization_on") == 1
    assert len(simulator.control.requests_to("update_device")) == 1


def test_browser_loses_nothing_of_what_two_of_its_tabs_remember_at_once(
    customer: Customer, simulator: RunningSimulator
) -> None:
    customer.opt_in()
    first = customer.attempt
    way_back = str(simulator.control.complete(str(first.podero_id)).redirect_url)
    tabs = twins(customer, 2)
    simulator.control.settings(latency_ms=200)

    def come_back_while_the_other_leaves() -> None:
        while not OnboardingSession.objects.filter(claimed_at__isnull=False).exists():
            time.sleep(0.01)
        tabs[0].go(way_back)

    at_once(come_back_while_the_other_leaves, tabs[1].opt_in)

    remembered = customer.browser.session
    assert remembered["left_with"] == [str(first.reference), str(customer.attempt.reference)]
    assert list(remembered["came_back_with"]) == [str(first.reference)]


@pytest.mark.parametrize("address", ["sign_out", "enter"])
def test_press_that_ends_after_signing_out_elsewhere_brings_no_session_to_life(
    customer: Customer, simulator: RunningSimulator, address: str
) -> None:
    """In another tab of the same browser; also where somebody else signs in there."""
    tabs = twins(customer, 2)
    first_key = customer.browser.session.session_key
    token = jwt.encode(claims(jti=uuid.uuid4().hex), SECRET, algorithm="HS256")
    simulator.control.settings(latency_ms=200)

    def leave_while_the_other_presses() -> None:
        while not OnboardingSession.objects.filter(claimed_at__isnull=False).exists():
            time.sleep(0.01)
        tabs[0].browser.post(reverse(address), {"token": token})

    _left, answer = at_once(leave_while_the_other_presses, tabs[1].opt_in)

    assert answer.status_code == 400
    assert "You have been signed out" in answer.content.decode()
    held = {row.session_key: row.get_decoded() for row in Session.objects.all()}
    assert first_key not in held
    account = str(customer.podero_user.account_id)
    assert all(told.get("_auth_user_id") != account for told in held.values())
    assert not any("left_with" in told for told in held.values())
    assert customer.attempt.state == "open"


def test_sweeps_at_once_do_each_thing_once(customer: Customer, simulator: RunningSimulator) -> None:
    simulator.control.arm("get_device", "http_503", count=1)
    customer.opt_in()
    way_back = simulator.control.complete(str(customer.attempt.podero_id)).redirect_url
    customer.go(str(way_back))
    OnboardingSession.objects.update(next_try_at=timezone.now())
    simulator.control.settings(latency_ms=50)
    now = timezone.now()

    at_once(*[lambda: sweep(client=podero_client(), now=now) for _worker in range(4)])

    told = [event.event for event in customer.attempt.events.order_by("pk")]
    assert told.count("linked") == told.count("optimization_on") == 1


def test_handoff_replayed_at_the_same_instant_lets_one_in(podero_settings: Any) -> None:
    token = jwt.encode(claims(), SECRET, algorithm="HS256")

    answers = at_once(*[lambda: Client().get("/enter/", {"token": token}) for _door in range(5)])

    assert sorted(answer.status_code for answer in answers) == [302, 400, 400, 400, 400]
    assert Client().get("/enter/", {"token": token}).status_code == 400


def test_first_visits_at_once_make_one_customer(podero_settings: Any) -> None:
    tokens = [jwt.encode(claims(jti=str(n)), SECRET, algorithm="HS256") for n in range(5)]

    answers = at_once(
        *[lambda token=token: Client().get("/enter/", {"token": token}) for token in tokens]
    )

    assert [answer.status_code for answer in answers] == [302] * 5
    assert PoderoUser.objects.count() == 1


class Between:
    """A Podero client that lets something else happen while a call is under way."""

    def __init__(self, method: str, happening: Callable[[], Any]) -> None:
        self._method = method
        self._happening = happening

    def __getattr__(self, name: str) -> Any:
        real = getattr(podero_client(), name)
        if name != self._method:
            return real

        def call(*args: Any, **kwargs: Any) -> Any:
            answer = real(*args, **kwargs)
            at_once(self._happening)
            return answer

        return call


@pytest.fixture
def returned(customer: Customer, simulator: RunningSimulator) -> OnboardingSession:
    """An attempt whose device waits at Podero while the app has not asked yet."""
    simulator.control.arm("get_device", "http_503", count=1)
    customer.opt_in()
    way_back = simulator.control.complete(str(customer.attempt.podero_id)).redirect_url
    customer.go(str(way_back))
    assert customer.attempt.state == "returned"
    return OnboardingSession.objects.select_related("podero_user", "consent").get()


def test_withdrawal_during_verification_wins(
    customer: Customer, returned: OnboardingSession, simulator: RunningSimulator
) -> None:
    now = timezone.now()
    client: Any = Between("find_device", lambda: leave(customer, now))

    returning.verify_return(client=client, attempt=returned, now=now)
    sweep(client=podero_client(), now=now)

    attempt = customer.attempt
    assert (attempt.state, attempt.failure_code) == ("failed", "withdrawn")
    device = Device.objects.get()
    assert not device.is_optimization_wanted
    assert not device.is_optimization_active


def test_withdrawal_and_confirmation_at_once_never_leave_a_device_wanted(
    customer: Customer, returned: OnboardingSession
) -> None:
    returned.is_return_matched = False
    now = timezone.now()
    returning.verify_return(client=podero_client(), attempt=returned, now=now)
    device = Device.objects.select_related("attempt").get()

    def confirm() -> None:
        with suppress(keeping.HasLeft):
            confirming.confirm_device(device=device, came_back={}, now=now)

    at_once(confirm, lambda: leave(customer, now))

    device.refresh_from_db()
    assert not device.is_optimization_wanted


def test_withdrawal_while_the_form_is_opened_wins(
    customer: Customer, simulator: RunningSimulator
) -> None:
    simulator.control.arm("create_session", "http_503", count=1)
    customer.opt_in()
    attempt = customer.attempt
    now = timezone.now()
    client: Any = Between("create_onboarding_session", lambda: leave(customer, now))

    with pytest.raises(linking.AlreadyOpening):
        linking.open_hosted_form(client=client, attempt=attempt, now=now)

    assert customer.attempt.state == "cancelled"


def test_continuing_from_a_copy_of_before_the_withdrawal_starts_nothing(
    customer: Customer, simulator: RunningSimulator
) -> None:
    simulator.control.arm("create_session", "http_422", count=1)
    customer.opt_in()
    stale = OnboardingSession.objects.select_related("podero_user", "consent").get()
    assert stale.state == "failed"
    leave(customer, timezone.now())

    with pytest.raises(opt_in.UnableToContinue):
        opt_in.continue_attempt(attempt=stale, submission=uuid.uuid4(), now=timezone.now())

    assert OnboardingSession.objects.count() == 1


def test_withdrawal_killed_before_it_ended_the_attempts_lets_no_form_be_opened(
    customer: Customer, simulator: RunningSimulator
) -> None:
    simulator.control.arm("create_session", "http_503", count=1)
    customer.opt_in()
    attempt = customer.attempt
    Consent.objects.filter(podero_user=customer.podero_user).withdraw(at=timezone.now())

    with pytest.raises(linking.UnableToOpen):
        linking.open_hosted_form(client=podero_client(), attempt=attempt, now=timezone.now())

    assert (customer.attempt.state, customer.attempt.failure_code) == ("failed", "withdrawn")
    assert not simulator.control.state()["sessions"]


def test_claim_taken_over_during_a_call_makes_the_late_answer_void(
    customer: Customer, returned: OnboardingSession
) -> None:
    def take_over() -> None:
        OnboardingSession.objects.update(claimed_at=None)
        other = OnboardingSession.objects.select_related("podero_user", "consent").get()
        returning.verify_return(client=podero_client(), attempt=other, now=timezone.now())

    client: Any = Between("find_device", take_over)

    returning.verify_return(client=client, attempt=returned, now=timezone.now())

    told = [event.event for event in customer.attempt.events.all()]
    assert told.count("linked") == 1
    assert Device.objects.count() == 1


def test_wish_that_changes_during_the_call_is_carried_out_next(
    customer: Customer, simulator: RunningSimulator
) -> None:
    simulator.control.arm("update_device", "http_503", count=1)
    customer.opt_in()
    way_back = simulator.control.complete(str(customer.attempt.podero_id)).redirect_url
    customer.go(str(way_back))
    now = timezone.now()
    device = Device.objects.select_related("podero_user", "attempt").get()
    client: Any = Between("update_device", lambda: leave(customer, now))

    devices.switch_optimization(client=client, device=device, now=now)
    sweep(client=podero_client(), now=timezone.now())

    device.refresh_from_db()
    assert (device.is_optimization_wanted, device.is_optimization_active) == (False, False)


def leave(customer: Customer, now: Any) -> None:
    withdrawal.withdraw(customer=customer.podero_user, now=now)
