"""Who comes back, how often, in which browser and in which order: the API decides, once."""

from __future__ import annotations

import re
import threading
import uuid
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from onboarding.clients import podero_client
from onboarding.flows.sweep import sweep
from onboarding.models import Device, OnboardingSession
from tests.connected import let_the_breaker_rest
from tests.factories import make_customer
from tests.journeys.customer import Customer, heading_of
from tests.simulator.launch import Completed, RunningSimulator

pytestmark = pytest.mark.django_db(transaction=True)


def cancel_address(simulator: RunningSimulator, attempt: OnboardingSession) -> str:
    return _told_to_podero(simulator, attempt, "cancel_url")


def success_address(simulator: RunningSimulator, attempt: OnboardingSession) -> str:
    return _told_to_podero(simulator, attempt, "success_url")


def _told_to_podero(simulator: RunningSimulator, attempt: OnboardingSession, name: str) -> str:
    held = simulator.control.state()["sessions"]
    return str(next(s[name] for s in held if s["id"] == str(attempt.podero_id)))


def test_same_browser_links_and_optimizes(customer: Customer, completed: Completed) -> None:
    response = customer.go(str(completed.redirect_url))

    attempt = customer.attempt
    assert response.headers["Location"] == reverse("attempt", args=[attempt.reference])
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert response.headers["Cache-Control"] == "no-store"
    assert (attempt.state, attempt.is_return_matched) == ("linked", True)
    device = Device.objects.get()
    assert (str(device.podero_id), device.manufacturer) == (completed.device_id, "Tesla")
    assert device.is_optimization_active


def test_who_leaves_stays_signed_in_for_as_long_as_a_form_lives(
    customer: Customer, settings: Any
) -> None:
    answer = customer.opt_in()

    assert answer.cookies["sessionid"]["max-age"] == settings.SESSION_COOKIE_AGE


def test_optimization_is_off_until_the_return(
    customer: Customer, completed: Completed, simulator: RunningSimulator
) -> None:
    held = simulator.control.state()

    assert held["sessions"][0]["is_smart_optimization_active_default"] is False
    assert [d["fields"]["is_smart_optimization_active"] for d in held["devices"]] == [False]


def test_activation_from_the_start_is_passed_on(
    customer: Customer, simulator: RunningSimulator, settings: Any
) -> None:
    settings.ONBOARDING_ACTIVATION = "immediately"

    customer.opt_in()

    session = simulator.control.state()["sessions"][0]
    assert session["is_smart_optimization_active_default"] is True


def test_other_browser_of_the_same_customer_is_asked_first(
    customer: Customer, completed: Completed
) -> None:
    phone = Customer(customer.podero_user)

    phone.go(str(completed.redirect_url))

    assert customer.attempt.state == "linked"
    device = Device.objects.get()
    assert not device.is_optimization_active
    page = phone.page.content.decode()
    assert reverse("confirm_device", args=[device.reference]) in page

    phone.browser.post(reverse("confirm_device", args=[device.reference]))
    sweep(client=podero_client(), now=timezone.now())

    device.refresh_from_db()
    assert device.is_confirmed
    assert device.is_optimization_active


def test_signed_out_browser_changes_nothing_and_carries_on_after_signing_in(
    customer: Customer, completed: Completed
) -> None:
    stranger = Client(HTTP_HOST="localhost")
    address = str(completed.redirect_url).removeprefix("http://localhost:8000")

    response = stranger.get(address)

    attempt = customer.attempt
    way_on = reverse("resume_return", args=[attempt.reference])
    assert response.headers["Location"] == f"/sign-in/?next={way_on.replace('/', '%2F')}"
    assert attempt.state == "open"
    assert [event.event for event in attempt.events.order_by("pk")][-1] == "return_seen"

    signed_in = stranger.post(
        response.headers["Location"],
        {"username": customer.podero_user.account.username, "password": "demo", "next": way_on},
    )
    assert signed_in.headers["Location"] == way_on
    page = stranger.get(way_on, follow=True)

    assert heading_of(page) == "Is this your device?"
    assert customer.attempt.state == "linked"
    assert not Device.objects.get().is_confirmed


def test_scanner_that_opens_the_return_again_and_again_leaves_one_line(
    customer: Customer, completed: Completed
) -> None:
    scanner = Client(HTTP_HOST="localhost")
    for _visit in range(5):
        scanner.get(str(completed.redirect_url).removeprefix("http://localhost:8000"))

    events = [event.event for event in customer.attempt.events.all()]
    assert events.count("return_seen") == 1


def test_prefetch_by_head_acts_not(customer: Customer, completed: Completed) -> None:
    customer.browser.head(str(completed.redirect_url).removeprefix("http://localhost:8000"))

    assert customer.attempt.state == "open"


def test_another_signed_in_customer_changes_nothing(
    customer: Customer, completed: Completed, simulator: RunningSimulator
) -> None:
    other = Customer(make_customer())
    calls = len(simulator.control.state()["journal"])

    response = other.go(str(completed.redirect_url))

    assert response.headers["Location"] == reverse("return_other_customer")
    assert other.go(response.headers["Location"]).status_code == 403
    assert customer.attempt.state == "open"
    assert Device.objects.count() == 0
    assert len(simulator.control.state()["journal"]) == calls


def test_nobody_else_sees_the_attempt(customer: Customer, completed: Completed) -> None:
    other = Customer(make_customer())
    reference = customer.attempt.reference

    for name in ("attempt", "attempt_status", "continue_attempt", "check_attempt"):
        assert other.browser.get(reverse(name, args=[reference])).status_code == 404
    assert other.browser.post(reverse("continue_attempt", args=[reference])).status_code == 404


@pytest.mark.parametrize("kind", ["success", "cancel"])
def test_unknown_token_has_a_page_of_its_own(customer: Customer, kind: str) -> None:
    response = customer.go(reverse(f"return_{kind}", args=["made-up"]))

    assert response.headers["Location"] == reverse("return_unknown")
    assert customer.go(response.headers["Location"]).status_code == 404


@pytest.mark.parametrize("given", ["", "not-a-uuid", "' or 1=1 --", "%00", "1" * 3000])
def test_malformed_device_id_is_no_obstacle(
    customer: Customer, completed: Completed, given: str
) -> None:
    customer.go(str(completed.redirect_url).split("?")[0] + f"?deviceId={given}")

    assert customer.attempt.state == "linked"
    assert str(Device.objects.get().podero_id) == completed.device_id


def test_device_of_another_podero_user_is_not_taken(
    customer: Customer, simulator: RunningSimulator
) -> None:
    victim = Customer(make_customer())
    victim.opt_in()
    theirs = simulator.control.complete(str(victim.attempt.podero_id))
    customer.opt_in()

    customer.go(f"{success_address(simulator, customer.attempt)}?deviceId={theirs.device_id}")

    assert customer.attempt.state == "returned"
    assert Device.objects.filter(podero_user=customer.podero_user).count() == 0


def test_cancel_is_cancelled_and_offers_to_continue(
    customer: Customer, simulator: RunningSimulator
) -> None:
    customer.opt_in()
    first = customer.attempt

    customer.go(cancel_address(simulator, first))

    first.refresh_from_db()
    assert first.state == "cancelled"
    assert reverse("continue_attempt", args=[first.reference]) in customer.page.content.decode()
    customer.press_continue(first)
    second = customer.attempt
    assert (second.state, second.continues) == ("open", first)
    assert second.podero_id != first.podero_id
    assert second.consent == first.consent


def test_late_success_overrides_cancel(
    customer: Customer, completed: Completed, simulator: RunningSimulator
) -> None:
    customer.go(cancel_address(simulator, customer.attempt))
    assert customer.attempt.state == "cancelled"

    customer.go(str(completed.redirect_url))

    assert customer.attempt.state == "linked"


def test_late_cancel_never_undoes_linked(
    customer: Customer, completed: Completed, simulator: RunningSimulator
) -> None:
    customer.go(str(completed.redirect_url))

    customer.go(cancel_address(simulator, customer.attempt))

    assert customer.attempt.state == "linked"


def test_device_linked_after_all_is_found_soon_after_a_cancel(
    customer: Customer, completed: Completed, simulator: RunningSimulator
) -> None:
    customer.go(cancel_address(simulator, customer.attempt))
    assert customer.attempt.state == "cancelled"

    sweep(client=podero_client(), now=timezone.now())

    assert customer.attempt.state == "linked"
    assert not Device.objects.get().is_confirmed


@pytest.mark.parametrize("hours", [0.3, 1.1, 6.1, 18.1, 60])
def test_device_linked_long_after_a_cancel_is_found(
    customer: Customer, simulator: RunningSimulator, hours: float
) -> None:
    customer.opt_in()
    attempt = customer.attempt
    customer.go(cancel_address(simulator, attempt))
    now = timezone.now()
    sweep(client=podero_client(), now=now)
    simulator.control.complete(str(attempt.podero_id))

    step = 15 if hours < 2 else 60
    for minutes in range(step, int(hours * 60) + step, step):
        sweep(client=podero_client(), now=now + timedelta(minutes=minutes))

    assert customer.attempt.state == "linked"


def test_form_without_a_device_expires_after_a_last_look(
    customer: Customer, simulator: RunningSimulator
) -> None:
    customer.opt_in()
    expires_at = customer.attempt.expires_at
    assert expires_at is not None

    sweep(client=podero_client(), now=expires_at - timedelta(seconds=1))
    assert customer.attempt.state == "open"
    sweep(client=podero_client(), now=expires_at)

    attempt = customer.attempt
    assert (attempt.state, attempt.failure_code) == ("expired", "ran_out")
    assert attempt.next_try_at is None
    assert customer.page.status_code == 200


def test_return_that_podero_never_confirms_fails_in_the_end(
    customer: Customer, simulator: RunningSimulator
) -> None:
    simulator.control.arm("hosted_form", "return_forged_nothing_linked", count=1)
    customer.opt_in()
    way_back = simulator.control.complete(str(customer.attempt.podero_id)).redirect_url
    customer.go(str(way_back))

    now = timezone.now()
    for _minute in range(30):
        now += timedelta(minutes=1)
        sweep(client=podero_client(), now=now)

    attempt = customer.attempt
    assert (attempt.state, attempt.failure_code) == ("failed", "not_confirmed")
    assert attempt.events.filter(event="nothing_found").count() < 15


def test_podero_away_after_the_return_is_waited_out(
    customer: Customer, completed: Completed, simulator: RunningSimulator
) -> None:
    simulator.control.arm("*", "http_503", count=-1)
    customer.go(str(completed.redirect_url))
    now = timezone.now()
    for _hour in range(5):
        now += timedelta(hours=1)
        sweep(client=podero_client(), now=now)
        let_the_breaker_rest()
    assert customer.attempt.state == "returned"

    simulator.control.clear_faults()
    sweep(client=podero_client(), now=now + timedelta(hours=1))

    assert customer.attempt.state == "linked"
    assert Device.objects.get().is_optimization_active


def test_podero_away_for_a_day_ends_the_wait(
    customer: Customer, completed: Completed, simulator: RunningSimulator
) -> None:
    simulator.control.arm("*", "http_503", count=-1)
    customer.go(str(completed.redirect_url))

    for hour in range(21, 26):
        assert customer.attempt.state == "returned"
        let_the_breaker_rest()
        sweep(client=podero_client(), now=timezone.now() + timedelta(hours=hour))

    attempt = customer.attempt
    assert (attempt.state, attempt.failure_code) == ("failed", "not_confirmed")


def test_return_is_not_given_up_for_one_failure_after_a_day_without_us(
    customer: Customer, completed: Completed, simulator: RunningSimulator
) -> None:
    simulator.control.arm("*", "http_503", count=-1)
    customer.go(str(completed.redirect_url))
    later = timezone.now() + timedelta(days=3)

    sweep(client=podero_client(), now=later)
    assert customer.attempt.state == "returned"
    simulator.control.clear_faults()
    sweep(client=podero_client(), now=later + timedelta(hours=1))

    assert customer.attempt.state == "linked"


def test_look_up_is_not_given_up_for_one_failure_after_days_without_us(
    customer: Customer, completed: Completed, simulator: RunningSimulator
) -> None:
    simulator.control.arm("*", "http_503", count=-1)
    later = timezone.now() + timedelta(days=7)

    sweep(client=podero_client(), now=later)
    assert customer.attempt.state == "open"
    simulator.control.clear_faults()
    sweep(client=podero_client(), now=later + timedelta(hours=1))

    assert customer.attempt.state == "linked"
    assert not Device.objects.get().is_confirmed


def test_look_up_in_vain_ends_once_podero_was_away_often_and_long_enough(
    customer: Customer, completed: Completed, simulator: RunningSimulator
) -> None:
    simulator.control.arm("*", "http_503", count=-1)
    later = timezone.now() + timedelta(days=7)

    for hour in range(5):
        let_the_breaker_rest()
        sweep(client=podero_client(), now=later + timedelta(hours=hour))
        assert customer.attempt.state == "open"
    let_the_breaker_rest()
    sweep(client=podero_client(), now=later + timedelta(hours=6))

    attempt = customer.attempt
    assert (attempt.state, attempt.failure_code) == ("expired", "podero_unreachable")


def test_attempt_that_ended_unasked_is_linked_once_podero_answers(
    customer: Customer, completed: Completed, simulator: RunningSimulator
) -> None:
    podero_is_away_for_days(simulator)
    assert customer.attempt.state == "expired"

    sweep(client=podero_client(), now=timezone.now() + timedelta(days=8))

    assert customer.attempt.state == "linked"
    assert not Device.objects.get().is_confirmed


def test_attempt_that_ended_unasked_tells_of_the_answer(
    customer: Customer, simulator: RunningSimulator
) -> None:
    customer.opt_in()
    podero_is_away_for_days(simulator)
    assert "could not tell us" in customer.page.content.decode()

    sweep(client=podero_client(), now=timezone.now() + timedelta(days=8))

    attempt = customer.attempt
    assert (attempt.state, attempt.failure_code, attempt.next_try_at) == (
        "expired",
        "ran_out",
        None,
    )
    assert attempt.events.latest("pk").event == "nothing_found"
    assert "could not tell us" not in customer.page.content.decode()


def test_answer_that_helps_nobody_is_not_waited_for_when_nobody_came_back(
    customer: Customer, simulator: RunningSimulator
) -> None:
    customer.opt_in()
    podero_is_away_for_days(simulator, answer="not_json_html")

    assert (customer.attempt.state, customer.attempt.next_try_at) == ("expired", None)


def test_nobody_is_erased_while_podero_is_still_to_say_what_they_linked(
    customer: Customer, completed: Completed, simulator: RunningSimulator
) -> None:
    podero_is_away_for_days(simulator)

    week_later = time_machine.travel(timezone.now() + timedelta(days=7, hours=7), tick=False)
    with week_later, pytest.raises(CommandError, match="a form at Podero may still bring a device"):
        call_command(
            "erase_customer", "--customer", customer.podero_user.external_user_id, "--no-input"
        )


def podero_is_away_for_days(simulator: RunningSimulator, answer: str = "http_503") -> None:
    """Looked up as often and as long as is tried without an answer."""
    simulator.control.arm("*", answer, count=-1)
    for hour in range(6):
        let_the_breaker_rest()
        sweep(client=podero_client(), now=timezone.now() + timedelta(days=7, hours=hour))
    simulator.control.clear_faults()
    let_the_breaker_rest()


def test_form_that_was_never_opened_expires(
    customer: Customer, simulator: RunningSimulator
) -> None:
    simulator.control.arm("*", "http_503", count=-1)
    customer.opt_in()

    sweep(client=podero_client(), now=timezone.now() + timedelta(hours=23))
    assert customer.attempt.state == "started"
    sweep(client=podero_client(), now=timezone.now() + timedelta(hours=25))

    attempt = customer.attempt
    assert (attempt.state, attempt.failure_code) == ("expired", "never_opened")


def test_second_press_of_the_same_button_joins_the_first(
    customer: Customer, simulator: RunningSimulator
) -> None:
    press = uuid.uuid4()
    customer.opt_in(submission=press)

    response = customer.opt_in(submission=press)

    attempt = OnboardingSession.objects.get()
    assert response.headers["Location"] == reverse("attempt", args=[attempt.reference])
    assert len(simulator.control.state()["sessions"]) == 1


def test_page_drawn_for_somebody_else_is_drawn_anew(customer: Customer) -> None:
    press = uuid.uuid4()
    other = Customer(make_customer())
    other.opt_in(submission=press)

    response = customer.opt_in(submission=press)

    assert response.headers["Location"] == reverse("consent")
    assert OnboardingSession.objects.filter(podero_user=customer.podero_user).count() == 0


def test_killed_while_opening_is_taken_over(
    customer: Customer, simulator: RunningSimulator
) -> None:
    simulator.control.arm("*", "http_503", count=-1)
    customer.opt_in()
    simulator.control.clear_faults()
    OnboardingSession.objects.update(claimed_at=timezone.now())
    assert customer.press_continue().headers["Location"].startswith("/optimize/attempts/")

    sweep(client=podero_client(), now=timezone.now() + timedelta(minutes=3))
    customer.press_continue()

    attempt = OnboardingSession.objects.get()
    assert attempt.state == "open"
    assert "claim_freed" in [event.event for event in attempt.events.all()]


def test_podero_that_lost_the_user_gets_a_new_one(
    customer: Customer, simulator: RunningSimulator
) -> None:
    customer.opt_in()
    simulator.control.reset()

    customer.opt_in()

    assert customer.attempt.state == "open"
    users = simulator.control.state()["users"]
    customer.podero_user.refresh_from_db()
    assert [user["id"] for user in users] == [str(customer.podero_user.podero_id)]


def test_known_customer_costs_one_call(customer: Customer, simulator: RunningSimulator) -> None:
    customer.opt_in()
    customer.opt_in()

    journal = [entry["endpoint"] for entry in simulator.control.state()["journal"]]
    assert journal == ["token", "create_user", "create_session", "create_session"]


def test_session_carries_what_the_guide_documents(
    podero_settings: Any, simulator: RunningSimulator
) -> None:
    customer = Customer(make_customer(language="de-CH", price_zone="CH"))

    customer.opt_in(device_type="hp")

    session = simulator.control.state()["sessions"][0]
    assert session["language"] == "de"
    assert session["price_zone_default"] == "CH"
    assert session["device_type"] == "hp"
    assert session["success_url"].startswith("http://localhost:8000/optimize/return/")
    assert session["success_url"].endswith("/success/")
    assert session["cancel_url"].endswith("/cancel/")
    assert simulator.control.state()["rejected"] == []


def test_no_more_customers_wait_on_podero_than_there_are_places(
    customer: Customer, simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = threading.BoundedSemaphore(1)
    full.acquire()
    monkeypatch.setattr("onboarding.clients._places", full)

    response = customer.opt_in()

    assert response.headers["Location"] == reverse("attempt", args=[customer.attempt.reference])
    assert customer.attempt.state == "started"
    assert simulator.control.state()["journal"] == []


def test_whoever_finds_no_place_again_and_again_comes_later_each_time(
    customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thousands who come every few seconds would keep the pages from everybody."""
    full = threading.BoundedSemaphore(1)
    full.acquire()
    monkeypatch.setattr("onboarding.clients._places", full)

    def seconds_until_the_page_tries_again(*, waited: timedelta) -> float:
        OnboardingSession.objects.update(started_at=timezone.now() - waited)
        page = customer.go(customer.press_continue().headers["Location"])
        found = re.search(r'data-retry-ms="(\d+)"', page.content.decode())
        assert found is not None
        return int(found[1]) / 1000

    customer.opt_in()

    assert seconds_until_the_page_tries_again(waited=timedelta(seconds=2)) <= 9
    assert 15 <= seconds_until_the_page_tries_again(waited=timedelta(minutes=1)) <= 45
    assert 44 <= seconds_until_the_page_tries_again(waited=timedelta(hours=1)) <= 135
    assert customer.attempt.tries == 0
