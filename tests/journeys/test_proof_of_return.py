"""Whose device is it? Only the browser that came back can vouch for it, or the manufacturer's login.

Somebody who is not signed in, or somebody else who is, changes a time and a line of the timeline.
"""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
import time_machine
from django.apps import apps
from django.contrib.sessions.models import Session
from django.forms.models import model_to_dict
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from onboarding import tasks
from onboarding.clients import podero_client
from onboarding.flows.sweep import sweep
from onboarding.models import Device, OnboardingSession, SessionEvent
from tests.factories import make_customer
from tests.journeys.customer import Customer, heading_of
from tests.journeys.test_coming_back import cancel_address, success_address
from tests.simulator.launch import Completed, RunningSimulator
from tests.views.test_enter import SECRET, claims

pytestmark = pytest.mark.django_db(transaction=True)

ACTIVATIONS = ("after_return", "immediately")
ELSEWHERE = "but not in the browser in which you had left"
QUESTION = "Is this your device?"


def path_of(address: object) -> str:
    parts = urlsplit(str(address))
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def stranger() -> Client:
    return Client(HTTP_HOST="localhost")


def worker_hears_of(attempt: OnboardingSession) -> None:
    """What the nudge of a foreign return sets off."""
    tasks.look_up_attempt(attempt_id=attempt.pk)


def events_of(attempt: OnboardingSession) -> list[str]:
    return [event.event for event in attempt.events.order_by("pk")]


def is_optimized(simulator: RunningSimulator) -> bool:
    (device,) = simulator.control.state()["devices"]
    return bool(device["fields"]["is_smart_optimization_active"])


def confirm_by_hand(customer: Customer) -> Any:
    device = Device.objects.get(podero_user=customer.podero_user)
    return customer.browser.post(reverse("confirm_device", args=[device.reference]))


def everything_on_record() -> dict[str, list[dict[str, Any]]]:
    left_out = (Session, SessionEvent)
    rows: dict[str, list[dict[str, Any]]] = {}
    for model in apps.get_models():
        if model not in left_out:
            fields = [field.name for field in model._meta.concrete_fields]
            rows[model.__name__] = [
                model_to_dict(row) | {name: getattr(row, name) for name in fields}
                for row in model._base_manager.order_by("pk")
            ]
    return rows


@pytest.mark.parametrize(
    ("visitor", "event", "leads_to"),
    [
        ("nobody", "return_seen", "/sign-in/"),
        ("another customer", "return_seen_by_other", "/optimize/return/other-customer/"),
        ("staff", "return_seen_by_other", "/optimize/return/other-customer/"),
    ],
)
def test_return_in_a_foreign_browser_changes_a_time_and_a_line(
    customer: Customer,
    completed: Completed,
    simulator: RunningSimulator,
    visitor: str,
    event: str,
    leads_to: str,
) -> None:
    browser = stranger()
    if visitor != "nobody":
        other = make_customer()
        other.account.is_staff = visitor == "staff"
        other.account.save()
        browser.force_login(other.account)
    before = everything_on_record()
    calls = len(simulator.control.state()["journal"])

    response = browser.get(path_of(completed.redirect_url))

    assert urlsplit(response.headers["Location"]).path == leads_to
    assert events_of(customer.attempt)[-1] == event
    after = everything_on_record()
    (was,), (now,) = before.pop("OnboardingSession"), after.pop("OnboardingSession")
    changed = {name for name in was if was[name] != now[name]}
    assert changed == {"foreign_return_at", "next_try_at"}
    assert after == before
    assert len(simulator.control.state()["journal"]) == calls


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_word_is_not_enough_after_somebody_came_back_elsewhere(
    customer: Customer, simulator: RunningSimulator, settings: Any, activation: str
) -> None:
    settings.ONBOARDING_ACTIVATION = activation
    customer.opt_in()
    completed = simulator.control.complete(str(customer.attempt.podero_id))
    stranger().get(path_of(completed.redirect_url))
    worker_hears_of(customer.attempt)

    customer.press_check()
    answer = confirm_by_hand(customer)
    sweep(client=podero_client(), now=timezone.now())

    assert answer.headers["Location"] == reverse("devices")
    device = Device.objects.get()
    assert (device.is_confirmed, device.is_optimization_wanted) == (False, False)
    assert not is_optimized(simulator)
    for page in (customer.page, customer.browser.get(reverse("devices"))):
        text = page.content.decode()
        assert ELSEWHERE in text
        assert reverse("confirm_device", args=[device.reference]) not in text
        assert reverse("remove_device", args=[device.reference]) in text


def test_device_that_podero_steers_from_the_start_is_off_once_the_foreign_return_is_seen(
    customer: Customer, simulator: RunningSimulator, settings: Any
) -> None:
    settings.ONBOARDING_ACTIVATION = "immediately"
    customer.opt_in()
    completed = simulator.control.complete(str(customer.attempt.podero_id))
    assert is_optimized(simulator)
    stranger().get(path_of(completed.redirect_url))

    worker_hears_of(customer.attempt)

    assert not is_optimized(simulator)
    assert events_of(customer.attempt)[-2:] == ["linked", "optimization_off"]


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_word_given_before_the_foreign_return_is_taken_back(
    customer: Customer, simulator: RunningSimulator, settings: Any, activation: str
) -> None:
    settings.ONBOARDING_ACTIVATION = activation
    customer.opt_in()
    completed = simulator.control.complete(str(customer.attempt.podero_id))
    customer.press_check()
    confirm_by_hand(customer)
    sweep(client=podero_client(), now=timezone.now())
    assert Device.objects.get().is_confirmed

    stranger().get(path_of(completed.redirect_url))
    worker_hears_of(customer.attempt)

    device = Device.objects.get()
    assert (device.is_confirmed, device.is_optimization_wanted) == (False, False)
    assert not is_optimized(simulator)
    assert "confirmation_recalled" in events_of(customer.attempt)
    confirm_by_hand(customer)
    assert not Device.objects.get().is_confirmed


def test_lost_nudge_is_made_up_for_by_the_sweep(
    customer: Customer, completed: Completed, simulator: RunningSimulator
) -> None:
    customer.press_check()
    confirm_by_hand(customer)
    sweep(client=podero_client(), now=timezone.now())
    stranger().get(path_of(completed.redirect_url))

    done = sweep(client=podero_client(), now=timezone.now())

    assert done["confirmations recalled"] == 1
    assert not is_optimized(simulator)


def finish_on_another_phone(customer: Customer, completed: Completed, way_in: str) -> Any:
    """Come back signed out, or where somebody else is signed in; then sign in there."""
    phone = stranger()
    if way_in == "after somebody else signed out":
        phone.force_login(make_customer().account)
    back = phone.get(path_of(completed.redirect_url))
    if way_in == "after somebody else signed out":
        phone.post(reverse("sign_out"))
        back = phone.get(reverse("resume_return", args=[customer.attempt.reference]))
    sign_in(phone, customer, by_the_portal=way_in == "by the portal", at=back.headers["Location"])
    return Customer(customer.podero_user, phone)


def sign_in(phone: Client, customer: Customer, *, by_the_portal: bool, at: str) -> Any:
    """Sign in where a return led, `at`; what is shown then."""
    person = customer.podero_user
    if by_the_portal:
        token = jwt.encode(
            claims(sub=person.external_user_id, email=person.email), SECRET, algorithm="HS256"
        )
        return phone.get(reverse("enter"), {"token": token}, follow=True)
    (way_back,) = parse_qs(urlsplit(at).query)["next"]
    fields = {"username": person.account.username, "password": "demo", "next": way_back}
    return phone.post(at, fields, follow=True)


@pytest.mark.parametrize(
    "way_in", ["by the portal", "by password", "after somebody else signed out"]
)
def test_right_customer_who_signs_in_where_they_came_back_is_asked_and_believed(
    customer: Customer, completed: Completed, simulator: RunningSimulator, way_in: str
) -> None:
    phone = finish_on_another_phone(customer, completed, way_in)

    assert customer.attempt.state == "linked", "asked at once, without a worker"
    assert heading_of(phone.page) == QUESTION
    assert ELSEWHERE not in phone.page.content.decode()
    confirm_by_hand(phone)
    sweep(client=podero_client(), now=timezone.now())

    device = Device.objects.get()
    assert (device.is_confirmed, device.is_holder_proven) == (True, True)
    assert is_optimized(simulator)


def test_first_browser_is_not_believed_just_because_another_one_came_back(
    customer: Customer, completed: Completed
) -> None:
    finish_on_another_phone(customer, completed, "by password")

    confirm_by_hand(customer)

    assert ELSEWHERE in customer.page.content.decode()
    assert not Device.objects.get().is_confirmed


def test_browser_that_came_back_does_not_vouch_for_another_customer(
    customer: Customer, completed: Completed
) -> None:
    victim = stranger()
    victim.get(path_of(completed.redirect_url))
    other = make_customer()
    victim.force_login(other.account)
    worker_hears_of(customer.attempt)
    device = Device.objects.get()

    answer = victim.post(reverse("confirm_device", args=[device.reference]))

    assert answer.status_code == 404
    assert not Device.objects.get().is_confirmed


@pytest.mark.parametrize("portal", ["", "https://portal.example/"])
def test_victim_who_signs_in_as_themselves_learns_that_the_way_back_was_not_theirs(
    customer: Customer, completed: Completed, settings: Any, portal: str
) -> None:
    settings.PORTAL_URL = portal
    phone = stranger()
    entrance = phone.get(path_of(completed.redirect_url)).headers["Location"]
    assert entrance.startswith(portal or reverse("sign_in"))

    page = sign_in(phone, Customer(make_customer()), by_the_portal=bool(portal), at=entrance)

    assert page.status_code == 403
    told = page.content.decode()
    assert "If somebody sent you a link" in told
    assert "remove Podero in your manufacturer account" in told
    assert customer.attempt.returned_at is None


@pytest.mark.parametrize("worker_is_faster", [False, True])
def test_same_browser_keeps_working_whatever_scanners_did_before(
    customer: Customer, completed: Completed, simulator: RunningSimulator, worker_is_faster: bool
) -> None:
    scanner = stranger()
    for _visit in range(3):
        scanner.get(path_of(completed.redirect_url))
    if worker_is_faster:
        worker_hears_of(customer.attempt)
        assert customer.attempt.state == "linked"

    customer.go(str(completed.redirect_url))

    assert heading_of(customer.page) == "Your device is linked"
    device = Device.objects.get()
    assert (device.is_confirmed, device.is_holder_proven) == (True, True)
    assert is_optimized(simulator)


def test_scanner_after_the_right_return_changes_nothing_for_the_device(
    customer: Customer, completed: Completed, simulator: RunningSimulator
) -> None:
    customer.go(str(completed.redirect_url))

    stranger().get(path_of(completed.redirect_url))
    worker_hears_of(customer.attempt)
    sweep(client=podero_client(), now=timezone.now())

    assert Device.objects.get().is_confirmed
    assert is_optimized(simulator)
    assert ELSEWHERE not in customer.page.content.decode()


def test_device_that_a_job_found_is_its_customers_while_nobody_came_back(
    customer: Customer, completed: Completed, simulator: RunningSimulator
) -> None:
    customer.press_check()

    assert heading_of(customer.page) == QUESTION
    confirm_by_hand(customer)
    sweep(client=podero_client(), now=timezone.now())

    assert is_optimized(simulator)
    assert not Device.objects.get().is_holder_proven


def test_foreign_return_is_noted_once_a_minute(customer: Customer, completed: Completed) -> None:
    way_back = path_of(completed.redirect_url)
    with time_machine.travel(timezone.now(), tick=False) as clock:
        for seconds in (0, 59, 2):
            clock.shift(timedelta(seconds=seconds))
            stranger().get(way_back)

    assert events_of(customer.attempt).count("return_seen") == 2


def test_stranger_and_other_customer_are_told_apart_within_the_minute(
    customer: Customer, completed: Completed
) -> None:
    stranger().get(path_of(completed.redirect_url))
    Customer(make_customer()).go(str(completed.redirect_url))

    assert events_of(customer.attempt)[-2:] == ["return_seen", "return_seen_by_other"]


@pytest.mark.parametrize("who", ["the customer", "a stranger"])
@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("head", {}, 302),
        ("get", {"Sec-Purpose": "prefetch;prerender"}, 503),
        ("get", {"Purpose": "prefetch"}, 503),
        ("get", {"X-Moz": "prefetch"}, 503),
    ],
)
@pytest.mark.parametrize("kind", ["success", "cancel"])
def test_guess_of_a_browser_or_scanner_acts_not_and_leaves_no_line(
    customer: Customer,
    completed: Completed,
    simulator: RunningSimulator,
    who: str,
    method: str,
    headers: dict[str, str],
    status: int,
    kind: str,
) -> None:
    browser = customer.browser if who == "the customer" else stranger()
    address = {
        "success": str(completed.redirect_url),
        "cancel": cancel_address(simulator, customer.attempt),
    }[kind]
    before = (events_of(customer.attempt), everything_on_record())

    response = getattr(browser, method)(path_of(address), headers=headers)

    assert response.status_code == status
    assert response.headers["Cache-Control"] == "no-store"
    assert (events_of(customer.attempt), everything_on_record()) == before


def test_key_to_cancel_does_not_open_success(
    customer: Customer, completed: Completed, simulator: RunningSimulator
) -> None:
    """Whoever looks at the form can see where its "cancel" leads, without finishing anything."""
    seen = urlsplit(cancel_address(simulator, customer.attempt)).path.split("/")[-3]

    response = customer.go(reverse("return_success", args=[seen]) + f"?deviceId={uuid.uuid4()}")

    assert response.headers["Location"] == reverse("return_unknown")
    assert customer.attempt.state == "open"
    assert success_address(simulator, customer.attempt).split("/")[-3] != seen


def test_browser_that_left_cannot_make_up_a_return(
    customer: Customer, completed: Completed, simulator: RunningSimulator
) -> None:
    customer.browser.get(reverse("resume_return", args=[customer.attempt.reference]))

    assert (customer.attempt.state, customer.attempt.is_return_matched) == ("open", False)
    assert not is_optimized(simulator)


def test_cancel_in_a_foreign_browser_casts_no_doubt_on_a_device(
    customer: Customer, completed: Completed, simulator: RunningSimulator
) -> None:
    stranger().get(path_of(cancel_address(simulator, customer.attempt)))

    assert customer.attempt.state == "open"
    assert customer.attempt.foreign_return_at is None
