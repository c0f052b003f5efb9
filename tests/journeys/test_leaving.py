"""Leaving takes effect at once here, and at Podero as soon as Podero can be reached."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core import mail as mailbox
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone

from onboarding.clients import podero_client
from onboarding.flows.sweep import sweep
from onboarding.letters import MailServer
from onboarding.models import Consent, Device, Mail, OnboardingSession
from tests.connected import let_the_breaker_rest
from tests.journeys.customer import Customer
from tests.simulator.launch import RunningSimulator

pytestmark = pytest.mark.django_db(transaction=True)


def link_a_device(customer: Customer, simulator: RunningSimulator) -> None:
    customer.opt_in()
    way_back = simulator.control.complete(str(customer.attempt.podero_id)).redirect_url
    customer.go(str(way_back))


def leave(customer: Customer) -> None:
    customer.browser.post(reverse("leave"))


def test_withdrawal_ends_consent_attempts_and_optimization(
    customer: Customer, simulator: RunningSimulator
) -> None:
    link_a_device(customer, simulator)
    customer.opt_in()

    leave(customer)
    sweep(client=podero_client(), now=timezone.now())

    assert Consent.objects.filter(withdrawn_at=None).count() == 0
    assert customer.attempt.state == "cancelled"
    device = Device.objects.get()
    assert not device.is_optimization_active
    assert is_steered(simulator, device) is False
    assert customer.browser.get(reverse("left")).status_code == 200


@pytest.mark.parametrize(
    ("argument", "column"), [("--customer", "external_user_id"), ("--reference", "reference")]
)
def test_withdrawal_by_letter_is_entered_by_a_command(
    customer: Customer,
    simulator: RunningSimulator,
    capsys: pytest.CaptureFixture[str],
    argument: str,
    column: str,
) -> None:
    """By letter with the customer's number; after a backup was restored, with what the log names."""
    link_a_device(customer, simulator)
    device = Device.objects.get()
    name = str(getattr(customer.podero_user, column))

    call_command("withdraw_customer", argument, name)

    assert "devices: 1" in capsys.readouterr().out
    call_command("sweep")
    device.refresh_from_db()
    assert (device.is_optimization_wanted, device.is_removed) == (False, True)
    with pytest.raises(CommandError, match="nothing to withdraw from"):
        call_command("withdraw_customer", argument, name)
    with pytest.raises(CommandError, match=f"{argument}: there is no such customer"):
        call_command("withdraw_customer", argument, str(uuid.uuid4()))


def test_withdrawal_while_podero_is_away_is_carried_out_later(
    customer: Customer, simulator: RunningSimulator
) -> None:
    link_a_device(customer, simulator)
    simulator.control.arm("*", "http_503", count=-1)
    leave(customer)
    now = timezone.now()
    sweep(client=podero_client(), now=now)
    device = Device.objects.get()
    assert device.is_optimization_active
    assert not customer.browser.get(reverse("left")).context["ended"].is_all_off

    simulator.control.clear_faults()
    sweep(client=podero_client(), now=now + timedelta(hours=1))

    assert is_steered(simulator, device) is False
    assert customer.browser.get(reverse("left")).context["ended"].is_all_off


def test_return_after_the_withdrawal_links_nothing_and_is_undone(
    customer: Customer, simulator: RunningSimulator, settings: Any
) -> None:
    settings.ONBOARDING_ACTIVATION = "immediately"
    customer.opt_in()
    completed = simulator.control.complete(str(customer.attempt.podero_id))
    leave(customer)

    customer.go(str(completed.redirect_url))
    sweep(client=podero_client(), now=timezone.now())

    attempt = customer.attempt
    assert (attempt.state, attempt.failure_code) == ("failed", "withdrawn")
    device = Device.objects.get()
    assert not device.is_confirmed
    assert is_steered(simulator, device) is False


def test_device_of_someone_who_left_cannot_be_confirmed(
    customer: Customer, simulator: RunningSimulator
) -> None:
    simulator.control.arm("hosted_form", "never_return", count=1)
    customer.opt_in()
    simulator.control.complete(str(customer.attempt.podero_id))
    sweep(client=podero_client(), now=timezone.now() + timedelta(minutes=20))
    device = Device.objects.get()
    leave(customer)

    customer.browser.post(reverse("confirm_device", args=[device.reference]))

    device.refresh_from_db()
    assert not device.is_confirmed
    assert not device.is_optimization_wanted


def test_nothing_can_be_continued_after_leaving_without_a_new_consent(
    customer: Customer, simulator: RunningSimulator
) -> None:
    customer.opt_in()
    leave(customer)

    customer.press_continue()

    assert customer.podero_user.attempts.count() == 1
    assert len(simulator.control.state()["sessions"]) == 1


def test_coming_back_is_a_new_consent(customer: Customer, simulator: RunningSimulator) -> None:
    link_a_device(customer, simulator)
    leave(customer)

    link_a_device(customer, simulator)

    customer.podero_user.refresh_from_db()
    assert customer.podero_user.withdrawn_at is None
    assert customer.attempt.state == "linked"
    assert [c.withdrawn_at is None for c in Consent.objects.order_by("pk")] == [False, True]


@pytest.mark.parametrize("is_same_browser", [True, False])
def test_same_device_linked_again_after_leaving_is_optimized_once_confirmed(
    customer: Customer, simulator: RunningSimulator, is_same_browser: bool
) -> None:
    link_a_device(customer, simulator)
    device = Device.objects.get()
    simulator.control.settings(device_delete_status=405)
    leave(customer)
    sweep(client=podero_client(), now=timezone.now())
    customer.opt_in()
    second = customer.attempt
    simulator.control.set_session(str(second.podero_id), object_id=str(device.podero_id))
    held = simulator.control.state()["sessions"]
    address = next(s["success_url"] for s in held if s["id"] == str(second.podero_id))
    browser = customer if is_same_browser else Customer(customer.podero_user)

    browser.go(f"{address}?deviceId={device.podero_id}")

    device.refresh_from_db()
    assert (device.attempt, customer.attempt.state) == (second, "linked")
    assert device.is_confirmed == is_same_browser
    browser.browser.post(reverse("confirm_device", args=[device.reference]))
    sweep(client=podero_client(), now=timezone.now())
    assert is_steered(simulator, device)


def test_late_look_at_an_attempt_before_leaving_spares_what_was_agreed_anew(
    customer: Customer, simulator: RunningSimulator
) -> None:
    customer.opt_in()
    first = customer.attempt
    leave(customer)
    link_a_device(customer, simulator)
    device = Device.objects.get()
    simulator.control.set_session(str(first.podero_id), object_id=str(device.podero_id))
    assert first.expires_at is not None

    sweep(client=podero_client(), now=first.expires_at)

    assert is_steered(simulator, device)


def test_what_was_linked_before_agreeing_anew_is_left_to_no_form_that_cannot_have_brought_it(
    customer: Customer, simulator: RunningSimulator
) -> None:
    """They finished the old form after leaving, and never finish the new one."""
    simulator.control.settings(object_id_filled=False)
    customer.opt_in()
    first = customer.attempt
    leave(customer)
    simulator.control.complete(str(first.podero_id))
    (held,) = simulator.control.state()["devices"]
    now = timezone.now()
    made_at = now - timedelta(minutes=30)
    OnboardingSession.objects.update(opened_at=now - timedelta(hours=1))
    simulator.control.set_device(
        held["id"], created_at=made_at.isoformat(), is_smart_optimization_active=True
    )
    customer.opt_in()
    assert first.expires_at is not None

    sweep(client=podero_client(), now=first.expires_at)
    # Whichever of the two was looked up first; and neither waits for the other for ever.
    sweep(client=podero_client(), now=first.expires_at + timedelta(hours=2))
    sweep(client=podero_client(), now=first.expires_at + timedelta(hours=4))
    assert not OnboardingSession.objects.filter(next_try_at__isnull=False).exists()

    (held,) = simulator.control.state()["devices"]
    assert held["fields"]["is_smart_optimization_active"] is False
    assert held["fields"]["deleted_at"] is not None


def is_steered(simulator: RunningSimulator, device: Device) -> bool:
    held = simulator.control.state()["devices"]
    return bool(
        next(d for d in held if d["id"] == str(device.podero_id))["fields"][
            "is_smart_optimization_active"
        ]
    )


@pytest.mark.parametrize("activation", ["after_return", "immediately"])
def test_withdrawal_with_podero_down_for_an_hour_leaves_nothing_behind(
    customer: Customer, simulator: RunningSimulator, settings: Any, activation: str
) -> None:
    settings.IS_MAIL_ON = True
    settings.ONBOARDING_ACTIVATION = activation
    link_a_device(customer, simulator)
    link_a_device(customer, simulator)
    send_mails()
    mailbox.outbox.clear()
    # What was linked half is found and undone as well, once its form cannot be finished any more.
    customer.opt_in()
    half = customer.attempt
    simulator.control.complete(str(half.podero_id))
    simulator.control.arm("*", "http_503", count=-1)
    withdrawn_at = timezone.now()

    leave(customer)
    leave(customer)
    for minutes in range(1, 60, 3):
        let_the_breaker_rest()
        sweep(client=podero_client(), post=MailServer(), now=after(withdrawn_at, minutes=minutes))
    page = customer.browser.get(reverse("left"))
    assert steered(simulator) == [True, True, activation == "immediately"]
    assert not page.context["ended"].is_all_off
    assert "Podero has not confirmed yet that optimization is off" in page.content.decode()

    simulator.control.clear_faults()
    let_the_breaker_rest()
    for minutes in (61, 62, 75):
        sweep(client=podero_client(), post=MailServer(), now=after(withdrawn_at, minutes=minutes))
    assert steered(simulator)[:2] == [False, False]
    for minutes in (90, 120, 180, 360, 720):
        sweep(client=podero_client(), post=MailServer(), now=after(withdrawn_at, minutes=minutes))
    assert steered(simulator) == [False, False, False]
    assert half.expires_at is not None
    for minutes in (1, 2, 3):
        sweep(
            client=podero_client(), post=MailServer(), now=after(half.expires_at, minutes=minutes)
        )

    held = simulator.control.state()
    assert all(device["fields"]["deleted_at"] for device in held["devices"])
    assert all(user["deleted_at"] for user in held["users"])
    page = customer.browser.get(reverse("left"))
    assert (page.context["ended"].is_all_off, page.context["ended"].is_all_removed) == (True, True)
    subjects = [message.subject for message in mailbox.outbox]
    assert subjects.count("Alpenstrom: you have withdrawn") == 1
    assert Mail.objects.filter(kind=Mail.Kind.WITHDRAWAL).count() == 1


def test_form_that_ran_out_lets_the_user_go(
    customer: Customer, simulator: RunningSimulator
) -> None:
    customer.opt_in()
    attempt = customer.attempt
    leave(customer)
    assert not simulator.control.requests_to("delete_user")

    assert attempt.expires_at is not None
    for minutes in (1, 2):
        sweep(client=podero_client(), now=after(attempt.expires_at, minutes=minutes))

    (user,) = simulator.control.state()["users"]
    assert user["deleted_at"] is not None


def send_mails() -> None:
    sweep(client=podero_client(), post=MailServer(), now=timezone.now())


def after(moment: datetime, **wait: float) -> datetime:
    return moment + timedelta(**wait)


def steered(simulator: RunningSimulator) -> list[bool]:
    held = simulator.control.state()["devices"]
    return [device["fields"]["is_smart_optimization_active"] for device in held]


def test_late_look_at_an_attempt_before_leaving_takes_no_device_from_one_after_it(
    customer: Customer, simulator: RunningSimulator
) -> None:
    simulator.control.settings(object_id_filled=False)
    customer.opt_in()
    leave(customer)
    customer.opt_in()
    simulator.control.complete(str(customer.attempt.podero_id))

    for minutes in (1, 20):
        sweep(client=podero_client(), now=timezone.now() + timedelta(minutes=minutes))

    assert customer.attempt.state == "linked"
    assert Device.objects.get().attempt == customer.attempt
