"""Somebody who wants another's device under their own account tries every way round the question."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from onboarding import tasks
from onboarding.clients import podero_client
from onboarding.flows.sweep import sweep
from onboarding.models import ChargeWish, Device, OnboardingSession, Tally
from tests.journeys.cards import charge, charge_at_podero, link, remove
from tests.journeys.customer import Customer
from tests.journeys.reconnecting.steps import finish, press_reconnect
from tests.journeys.test_coming_back import cancel_address, success_address
from tests.journeys.test_leaving import leave
from tests.journeys.test_proof_of_return import (
    ACTIVATIONS,
    events_of,
    path_of,
    stranger,
    worker_hears_of,
)
from tests.simulator.launch import Completed, RunningSimulator
from tests.simulator.test_reconnecting import OTHER

pytestmark = pytest.mark.django_db(transaction=True)


def is_steered(simulator: RunningSimulator, podero_id: Any) -> bool:
    held = {one["id"]: one["fields"] for one in simulator.control.state()["devices"]}
    return bool(held[str(podero_id)]["is_smart_optimization_active"])


def edited(address: str | None, podero_id: Any) -> str:
    """A way back with another device's id written into it."""
    return f"{str(address).partition('?')[0]}?deviceId={podero_id}"


def comes_back_with_own_form_naming(
    customer: Customer, simulator: RunningSimulator, podero_id: Any
) -> None:
    """They have finished their newest form themselves, and written another device's id into its
    way back."""
    own = simulator.control.complete(str(customer.attempt.podero_id))
    simulator.control.drop_device(str(own.device_id))
    customer.go(edited(own.redirect_url, podero_id))


def presses_everything(customer: Customer) -> None:
    """ "Check again" on each attempt, with patience, and "Yes, mine" on each device, whatever the
    pages offer."""
    for attempt in OnboardingSession.objects.for_customer(customer.podero_user).order_by("pk"):
        Tally.objects.all().delete()
        customer.browser.post(reverse("check_attempt", args=[attempt.reference]))
    for device in Device.objects.for_customer(customer.podero_user):
        for act in ("confirm_device", "resume_device"):
            customer.browser.post(reverse(act, args=[device.reference]))


def reads_anew(customer: Customer) -> None:
    """What a return in a foreign browser sets off, half a minute after the last reading."""
    Device.objects.update(checked_at=timezone.now() - timedelta(minutes=1))
    tasks.refresh_devices(customer_id=customer.podero_user.pk)


def gets_nothing(customer: Customer, simulator: RunningSimulator, podero_id: Any) -> None:
    sweep(client=podero_client(), now=timezone.now())
    presses_everything(customer)
    sweep(client=podero_client(), now=timezone.now())
    device = Device.objects.filter(podero_id=podero_id).first()
    assert device is None or (device.is_confirmed, device.is_optimization_wanted) == (False, False)
    assert not is_steered(simulator, podero_id)


def test_cancel_address_does_not_mute_the_victims_return(
    customer: Customer, completed: Completed, simulator: RunningSimulator
) -> None:
    stranger().get(path_of(cancel_address(simulator, customer.attempt)))

    stranger().get(path_of(completed.redirect_url))

    assert customer.attempt.foreign_return_at is not None
    assert events_of(customer.attempt).count("return_seen") == 2
    gets_nothing(customer, simulator, completed.device_id)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("is_faster", [True, False])
def test_attempt_that_was_finished_before_vouches_for_nothing_else(
    customer: Customer, simulator: RunningSimulator, settings: Any, activation: str,
    is_faster: bool,
) -> None:  # fmt: skip
    settings.ONBOARDING_ACTIVATION = activation
    # A session that does not tell what it has brought makes it the easiest.
    simulator.control.settings(object_id_filled=False)
    link(customer, simulator)
    customer.opt_in()
    theirs = simulator.control.complete(
        str(customer.attempt.podero_id), account="victim@example.com"
    )
    if is_faster:
        presses_everything(customer)

    stranger().get(path_of(theirs.redirect_url))
    presses_everything(customer)
    worker_hears_of(customer.attempt)

    gets_nothing(customer, simulator, theirs.device_id)


@pytest.mark.parametrize("vouching", ["by word", "elsewhere before", "elsewhere after"])
def test_attempt_whose_return_is_being_checked_vouches_for_nothing_else(
    customer: Customer, simulator: RunningSimulator, vouching: str
) -> None:
    """The victim's device turns up while a return of the attacker's own, with nothing new behind
    it, is looked at: so it is kept with that one, and the victim's own return comes later."""
    simulator.control.settings(object_id_filled=False)
    link(customer, simulator)
    customer.opt_in()
    own = success_address(simulator, customer.attempt)
    elsewhere = Customer(customer.podero_user, stranger())
    if vouching == "elsewhere before":
        elsewhere.go(own)
    customer.go(own)
    customer.opt_in()
    theirs = simulator.control.complete(
        str(customer.attempt.podero_id), account="victim@example.com"
    )
    presses_everything(customer)
    taken = Device.objects.get(podero_id=str(theirs.device_id))
    assert taken.attempt_id != customer.attempt.pk
    if vouching == "elsewhere before":
        elsewhere.browser.force_login(customer.podero_user.account)
        presses_everything(elsewhere)

    stranger().get(path_of(theirs.redirect_url))
    worker_hears_of(customer.attempt)
    assert not is_steered(simulator, theirs.device_id)
    if vouching == "elsewhere after":
        elsewhere.go(own)
        elsewhere.browser.force_login(customer.podero_user.account)

    gets_nothing(customer, simulator, theirs.device_id)
    gets_nothing(elsewhere, simulator, theirs.device_id)
    asked = customer.browser.get(reverse("devices")).content.decode()
    assert "but not in the browser in which you had left" in asked
    assert reverse("confirm_device", args=[taken.reference]) not in asked


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("is_told", [True, False])
def test_form_of_an_attempt_that_a_look_has_linked_is_still_open(
    customer: Customer, simulator: RunningSimulator, settings: Any, activation: str, is_told: bool
) -> None:
    """The attacker's own car makes the victim's attempt `linked`, and is removed again."""
    settings.ONBOARDING_ACTIVATION = activation
    simulator.control.settings(object_id_filled=is_told)
    customer.opt_in()
    own = success_address(simulator, customer.attempt)
    simulator.control.complete(str(customer.attempt.podero_id), account="own@example.com")
    customer.opt_in()
    customer.press_check()
    assert customer.attempt.state == "linked"
    remove(customer, Device.objects.get())
    theirs = simulator.control.complete(
        str(customer.attempt.podero_id), account="victim@example.com"
    )
    customer.go(own)
    presses_everything(customer)

    stranger().get(path_of(theirs.redirect_url))
    worker_hears_of(customer.attempt)

    gets_nothing(customer, simulator, theirs.device_id)


def test_way_back_kept_from_before_does_not_clear_what_another_has_left(
    customer: Customer, simulator: RunningSimulator
) -> None:
    simulator.control.settings(object_id_filled=False)
    customer.opt_in()
    own = success_address(simulator, customer.attempt)
    customer.opt_in()
    theirs = simulator.control.complete(
        str(customer.attempt.podero_id), account="victim@example.com"
    )
    Customer(customer.podero_user).go(own)
    stranger().get(path_of(theirs.redirect_url))
    worker_hears_of(customer.attempt)

    customer.go(f"{own}?deviceId={theirs.device_id}")

    assert not Device.objects.get(podero_id=str(theirs.device_id)).is_confirmed
    gets_nothing(customer, simulator, theirs.device_id)


def test_doubt_is_not_erased_with_its_attempt(
    customer: Customer, simulator: RunningSimulator
) -> None:
    simulator.control.settings(object_id_filled=False)
    link(customer, simulator)
    customer.opt_in()
    own = success_address(simulator, customer.attempt)
    customer.opt_in()
    theirs = simulator.control.complete(
        str(customer.attempt.podero_id), account="victim@example.com"
    )
    customer.go(own)
    stranger().get(path_of(theirs.redirect_url))
    worker_hears_of(customer.attempt)
    # So that it is not given up by then, as what nobody has called theirs for so long.
    later = timezone.now() + timedelta(days=100)
    Device.objects.filter(podero_id=str(theirs.device_id)).update(linked_at=later)

    for days in (1, 3, 4, 405, 406):
        sweep(client=podero_client(), now=timezone.now() + timedelta(days=days))

    gets_nothing(customer, simulator, theirs.device_id)


def test_doubt_of_one_attempt_is_none_about_devices_of_other_days(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = link(customer, simulator)
    Device.objects.update(is_holder_proven=False, linked_at=timezone.now() - timedelta(days=9))
    customer.opt_in()
    finished = simulator.control.complete(str(customer.attempt.podero_id), account="b@example.com")

    stranger().get(path_of(finished.redirect_url))
    sweep(client=podero_client(), now=timezone.now())

    device.refresh_from_db()
    assert device.is_confirmed


def test_device_in_doubt_is_not_cleared_by_an_address_that_names_it(
    customer: Customer, completed: Completed, simulator: RunningSimulator
) -> None:
    stranger().get(path_of(completed.redirect_url))
    worker_hears_of(customer.attempt)
    customer.opt_in()

    customer.go(f"{success_address(simulator, customer.attempt)}?deviceId={completed.device_id}")

    assert not Device.objects.get(podero_id=str(completed.device_id)).is_confirmed
    gets_nothing(customer, simulator, completed.device_id)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("is_told", [True, False])
@pytest.mark.parametrize("kept_by", ["nobody", "a look before", "a look between"])
def test_edited_device_id_before_the_victim_is_back_proves_nothing(
    customer: Customer, simulator: RunningSimulator, settings: Any, activation: str, is_told: bool,
    kept_by: str,
) -> None:  # fmt: skip
    """The attacker finishes a second form himself, and writes the victim's device into its way
    back before the victim has come back with the first."""
    settings.ONBOARDING_ACTIVATION = activation
    simulator.control.settings(object_id_filled=is_told)
    customer.opt_in()
    victims = customer.attempt
    customer.opt_in()
    own = simulator.control.complete(str(customer.attempt.podero_id), account="own@example.com")
    theirs = simulator.control.complete(str(victims.podero_id), account="victim@example.com")
    way_back = edited(own.redirect_url, theirs.device_id)
    if kept_by == "a look before":
        customer.browser.post(reverse("check_attempt", args=[victims.reference]))
    if kept_by == "a look between":
        # Another browser of the attacker's came back first, so that the edited way back is late.
        Customer(customer.podero_user).go(way_back.partition("?")[0])
        sweep(client=podero_client(), now=timezone.now() + timedelta(minutes=1))

    customer.go(way_back)
    presses_everything(customer)
    stranger().get(path_of(theirs.redirect_url))
    worker_hears_of(victims)

    gets_nothing(customer, simulator, theirs.device_id)
    customer.go(way_back)
    gets_nothing(customer, simulator, theirs.device_id)


def test_attempt_of_another_day_does_not_hide_who_brought_a_device_found_late(
    customer: Customer, simulator: RunningSimulator
) -> None:
    """Podero cannot be asked until the victim's form has run out; the attacker's is younger."""
    simulator.control.settings(object_id_filled=False)
    customer.opt_in()
    victims = customer.attempt
    theirs = simulator.control.complete(str(victims.podero_id), account="victim@example.com")
    customer.opt_in()
    own = simulator.control.complete(str(customer.attempt.podero_id), account="own@example.com")
    yesterday = timezone.now() - timedelta(days=1)
    OnboardingSession.objects.filter(pk=victims.pk).update(
        started_at=yesterday - timedelta(days=1), expires_at=yesterday
    )
    OnboardingSession.objects.filter(pk=customer.attempt.pk).update(
        started_at=yesterday - timedelta(hours=1)
    )
    made_at = (yesterday - timedelta(hours=2)).isoformat()
    simulator.control.set_device(str(theirs.device_id), created_at=made_at)

    customer.go(edited(own.redirect_url, theirs.device_id))
    stranger().get(path_of(theirs.redirect_url))
    worker_hears_of(victims)

    gets_nothing(customer, simulator, theirs.device_id)


def test_device_found_in_time_keeps_its_day_when_an_address_names_it_later(
    customer: Customer, simulator: RunningSimulator
) -> None:
    simulator.control.settings(object_id_filled=False)
    customer.opt_in()
    victims = customer.attempt
    theirs = simulator.control.complete(str(victims.podero_id), account="victim@example.com")
    customer.press_check()
    customer.opt_in()
    own = simulator.control.complete(str(customer.attempt.podero_id), account="own@example.com")
    device = Device.objects.get()
    # Its form has run out, and the last look was had.
    OnboardingSession.objects.filter(pk=victims.pk).update(
        expires_at=device.linked_at, next_try_at=None
    )

    customer.go(edited(own.redirect_url, device.podero_id))
    stranger().get(path_of(theirs.redirect_url))
    worker_hears_of(victims)

    gets_nothing(customer, simulator, device.podero_id)


@pytest.mark.parametrize("is_told", [True, False])
def test_two_attempts_of_one_customer_need_no_question(
    customer: Customer, simulator: RunningSimulator, is_told: bool
) -> None:
    simulator.control.settings(object_id_filled=is_told)
    for account in ("car@example.com", "wallbox@example.com"):
        customer.opt_in()
        finished = simulator.control.complete(str(customer.attempt.podero_id), account=account)
        customer.go(str(finished.redirect_url))

    sweep(client=podero_client(), now=timezone.now())

    first, second = Device.objects.order_by("pk")
    assert first.is_confirmed
    assert second.is_confirmed
    assert (first.is_holder_proven, second.is_holder_proven) == (True, is_told)


def test_login_renewed_by_somebody_else_is_asked_about(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = link(customer, simulator)
    simulator.control.set_device(str(device.podero_id), is_authenticated=False)
    address = press_reconnect(customer).headers["Location"]
    way_back = finish(address, OTHER)

    stranger().get(path_of(way_back))
    reads_anew(customer)
    sweep(client=podero_client(), now=timezone.now())

    device.refresh_from_db()
    assert (device.is_confirmed, device.is_holder_proven) == (False, False)
    assert not is_steered(simulator, device.podero_id)
    assert "confirmation_recalled" in events_of(device.attempt)
    gets_nothing(customer, simulator, device.podero_id)
    asked = customer.browser.get(reverse("devices")).content.decode()
    assert "may now belong to another account" in asked
    assert reverse("confirm_device", args=[device.reference]) not in asked

    way_back = finish(press_reconnect(customer).headers["Location"])
    customer.go(way_back)
    presses_everything(customer)
    device.refresh_from_db()
    assert (device.is_confirmed, device.is_holder_proven) == (True, True)


@pytest.mark.parametrize("has_left", [False, True])
def test_device_that_turns_up_long_after_is_asked_about_or_undone(
    customer: Customer, simulator: RunningSimulator, has_left: bool
) -> None:
    link(customer, simulator)
    customer.opt_in()
    late = customer.attempt
    assert late.expires_at is not None
    # Nobody looks for what either attempt might have brought any more.
    for hours in (0, 2, 4):
        sweep(client=podero_client(), now=late.expires_at + timedelta(hours=hours))
    simulator.control.set_session(str(late.podero_id), expiration_date="2999-12-31")
    newcomer = simulator.control.complete(str(late.podero_id), account="late@example.com").device_id
    simulator.control.set_device(str(newcomer), is_smart_optimization_active=True)
    if has_left:
        leave(customer)
        simulator.control.set_device(str(newcomer), is_smart_optimization_active=True)

    for hours in (6, 7):
        sweep(client=podero_client(), now=late.expires_at + timedelta(hours=hours))

    device = Device.objects.get(podero_id=str(newcomer))
    assert (device.is_confirmed, device.is_removal_wanted) == (False, has_left)
    assert not is_steered(simulator, newcomer)
    if not has_left:
        assert "Is this yours?" in customer.browser.get(reverse("devices")).content.decode()


@pytest.mark.parametrize("is_told", [True, False])
def test_what_was_to_charge_ends_with_the_confirmation(
    customer: Customer, simulator: RunningSimulator, is_told: bool
) -> None:
    device = link(customer, simulator)
    if not is_told:
        simulator.control.arm("boost", "http_503", count=1)
    charge(customer, device)
    finish(press_reconnect(customer, device).headers["Location"], OTHER)

    reads_anew(customer)
    sweep(client=podero_client(), now=timezone.now())

    device.refresh_from_db()
    assert not device.is_confirmed
    assert not charge_at_podero(simulator, device)["boost_for_next_session"]
    assert not ChargeWish.objects.filter(is_start=True, answer="").exists()
