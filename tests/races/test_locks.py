"""Whoever changes several rows of a customer takes them in the same order: nobody waits for ever."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.utils import timezone

from onboarding.clients import podero_client
from onboarding.flows import (
    charging,
    discovery,
    keeping,
    proof,
    reconnecting,
    removal,
    returning,
)
from onboarding.models import Device, OnboardingSession, Reconnection
from onboarding.models.removals import Removable
from tests.journeys.cards import charge, link
from tests.journeys.customer import Customer
from tests.journeys.reconnecting.steps import finish, newest, press_reconnect
from tests.races.test_races import at_once
from tests.simulator.launch import Completed, RunningSimulator

pytestmark = pytest.mark.django_db(transaction=True)

# Long enough for the other one to take what it can; on SQLite it cannot take anything.
SECONDS = 1.0


def remove_after(begun: threading.Event) -> None:
    begun.wait(10)
    removal.want_device_removed(device=Device.objects.get(), now=timezone.now())


def test_login_that_is_renewed_while_the_device_is_removed(
    customer: Customer, simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = link(customer, simulator)
    finish(press_reconnect(customer, device).headers["Location"])
    reconnecting.record_return(
        reconnection=Reconnection.objects.with_device().get(),
        device_id=None,
        is_matched=True,
        now=timezone.now(),
    )
    renewing, removing = threading.Event(), threading.Event()
    record_seen, want_removal = Device.record_seen, Removable.want_removal

    def seen(device: Device, *args: Any, **more: Any) -> None:
        renewing.set()
        removing.wait(SECONDS)
        record_seen(device, *args, **more)

    def wanted(row: Any, **more: Any) -> None:
        want_removal(row, **more)
        removing.set()

    def renew() -> None:
        row = Reconnection.objects.with_device().get()
        reconnecting.take_up(client=podero_client(), reconnection=row, now=timezone.now())

    monkeypatch.setattr(Device, "record_seen", seen)
    monkeypatch.setattr(Removable, "want_removal", wanted)

    at_once(renew, lambda: remove_after(renewing))

    assert newest(customer).state == "renewed"
    assert Device.objects.get().is_removal_wanted


def test_login_that_is_doubted_while_the_device_is_removed(
    customer: Customer, simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = link(customer, simulator)
    simulator.control.arm("boost", "http_503", count=1)
    charge(customer, device)
    doubting, removing = threading.Event(), threading.Event()
    take_back, want = charging.take_back_if_asked, Device.want_optimization

    def taken_back(**more: Any) -> None:
        if not doubting.is_set():
            doubting.set()
            removing.wait(SECONDS)
        take_back(**more)

    def wanted(row: Device, **more: Any) -> bool:
        removing.set()
        return want(row, **more)

    monkeypatch.setattr(charging, "take_back_if_asked", taken_back)
    monkeypatch.setattr(Device, "want_optimization", wanted)

    at_once(
        lambda: proof.doubt_login(Device.objects.get(), now=timezone.now()),
        lambda: remove_after(doubting),
    )

    device.refresh_from_db()
    assert (device.is_login_in_doubt, device.is_removal_wanted) == (True, True)


def test_browser_that_left_comes_back_while_another_one_is_looked_into(
    customer: Customer, completed: Completed, monkeypatch: pytest.MonkeyPatch
) -> None:
    returned: dict[str, Any] = {"device_id": completed.device_id, "now": timezone.now()}
    returning.record_return(attempt=customer.attempt, is_matched=False, **returned)
    linking, matching = threading.Event(), threading.Event()
    hold_consent, match_return = keeping.hold_consent, OnboardingSession.match_return

    def held(attempt: OnboardingSession) -> None:
        hold_consent(attempt)
        if not linking.is_set():
            linking.set()
            matching.wait(SECONDS)

    def matched(attempt: OnboardingSession, **more: Any) -> bool:
        is_news = match_return(attempt, **more)
        matching.set()
        return is_news

    monkeypatch.setattr(keeping, "hold_consent", held)
    monkeypatch.setattr(OnboardingSession, "match_return", matched)

    def come_back() -> None:
        attempt = OnboardingSession.objects.get()
        linking.wait(10)
        returning.record_return(attempt=attempt, is_matched=True, **returned)

    at_once(
        lambda: returning.verify_return(
            client=podero_client(), attempt=OnboardingSession.objects.get(), now=timezone.now()
        ),
        come_back,
    )

    assert (customer.attempt.state, customer.attempt.is_return_matched) == ("linked", True)


@pytest.mark.parametrize("is_found", [True, False])
def test_browser_that_left_comes_back_between_the_question_and_its_answer(
    customer: Customer, completed: Completed, monkeypatch: pytest.MonkeyPatch, is_found: bool
) -> None:
    """Another phone of theirs was faster: while Podero answers, nothing says yet who came back."""
    returned: dict[str, Any] = {"device_id": completed.device_id, "now": timezone.now()}
    returning.record_return(attempt=customer.attempt, is_matched=False, **returned)
    find_devices = discovery.find_devices

    def found(**more: Any) -> Any:
        findings = find_devices(**more)
        returning.record_return(attempt=customer.attempt, is_matched=True, **returned)
        return findings

    if is_found:
        monkeypatch.setattr(discovery, "find_devices", found)

    returning.verify_return(client=podero_client(), attempt=customer.attempt, now=timezone.now())

    assert Device.objects.get().is_confirmed == is_found
