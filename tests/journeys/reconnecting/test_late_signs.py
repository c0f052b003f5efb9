"""What somebody else's sign-in has done may show at Podero later, or at another device."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from onboarding import tasks
from onboarding.clients import podero_client
from onboarding.flows import retention
from onboarding.flows.sweep import sweep
from onboarding.models import Device, OnboardingSession, Reconnection
from tests.journeys.cards import link
from tests.journeys.customer import Customer
from tests.journeys.reconnecting.steps import (
    comes_back,
    finish,
    is_named_no_more,
    lapse,
    press_reconnect,
)
from tests.journeys.reconnecting.test_newcomers import way_to_a_new_device
from tests.journeys.reconnecting.test_patient_detours import OWN, held_at_podero
from tests.journeys.removal.steps import comes_back_naming
from tests.journeys.test_coming_back import success_address
from tests.journeys.test_detours import gets_nothing, is_steered, presses_everything, reads_anew
from tests.journeys.test_leaving import leave
from tests.journeys.test_proof_of_return import path_of, stranger, worker_hears_of
from tests.simulator.launch import RunningSimulator
from tests.simulator.test_reconnecting import OTHER

pytestmark = pytest.mark.django_db(transaction=True)


def comes_back_from_an_own_sign_in_while_the_login_begins_to_work(
    customer: Customer, simulator: RunningSimulator, device: Device
) -> None:
    """Podero takes the login for lapsed until it has been read for the first time."""
    own = finishes_with_an_own_account(customer, simulator, device)
    simulator.control.set_device(str(device.podero_id), is_authenticated=True)
    customer.go(own)


def finishes_with_an_own_account(
    customer: Customer, simulator: RunningSimulator, device: Device
) -> str:
    """It has nothing to do with the device, and what it brings is hidden; the way back."""
    simulator.control.settings(reconnect_other_account="new_device")
    before = held_at_podero(simulator)
    own = finish(press_reconnect(customer, device).headers["Location"], OWN)
    for brought in held_at_podero(simulator) - before:
        simulator.control.drop_device(brought)
    return own.partition("?")[0]


@pytest.mark.parametrize("by", ["form", "sign-in"])
def test_login_that_begins_to_work_after_somebody_else_came_back_is_no_sign_of_the_customer(
    customer: Customer, simulator: RunningSimulator, by: str
) -> None:
    if by == "form":
        customer.opt_in()
        way_back = success_address(simulator, customer.attempt)
        theirs = simulator.control.complete(str(customer.attempt.podero_id))
        simulator.control.set_device(str(theirs.device_id), is_authenticated=False)
        stranger().get(path_of(way_back))
        worker_hears_of(customer.attempt)
        device = Device.objects.get()
    else:
        own = link(customer, simulator)
        way_back, device = way_to_a_new_device(customer, simulator, device=own)
        lapse(simulator, device)
        comes_back(way_back, customer)

    comes_back_from_an_own_sign_in_while_the_login_begins_to_work(customer, simulator, device)

    gets_nothing(customer, simulator, device.podero_id)


@pytest.mark.parametrize(
    "shown", ["own login lapsed", "other account of their own", "another one since they came back"]
)
def test_account_that_shows_late_is_not_proven_by_what_the_attacker_has_done_himself(
    customer: Customer, simulator: RunningSimulator, shown: str
) -> None:
    device = link(customer, simulator)
    if shown == "other account of their own":
        press_reconnect(customer, device)
        simulator.control.set_device(str(device.podero_id), external_device_id="second")
        reads_anew(customer)
    way_back = finish(press_reconnect(customer, device).headers["Location"])
    comes_back(way_back, customer)
    if shown == "own login lapsed":
        lapse(simulator, device)
    if shown == "another one since they came back":
        press_reconnect(customer, device)
        simulator.control.set_device(str(device.podero_id), external_device_id="second")
        reads_anew(customer)
    own = finishes_with_an_own_account(customer, simulator, device)
    simulator.control.set_device(
        str(device.podero_id), external_device_id="theirs", is_authenticated=True
    )

    customer.go(own)

    gets_nothing(customer, simulator, device.podero_id)


def test_login_that_the_attacker_lets_lapse_once_they_are_back_shows_nothing_of_theirs(
    customer: Customer, simulator: RunningSimulator
) -> None:
    """Podero names no account, so that only a login that works again tells of a sign-in."""
    device = link(customer, simulator)
    is_named_no_more(simulator, device)
    way_back = finish(press_reconnect(customer, device).headers["Location"])
    comes_back(way_back, customer)
    reads_anew(customer)
    lapse(simulator, device)

    comes_back_from_an_own_sign_in_while_the_login_begins_to_work(customer, simulator, device)

    gets_nothing(customer, simulator, device.podero_id)


@pytest.mark.parametrize("comes", [True, False])
def test_other_account_behind_another_device_than_the_one_of_the_sign_in_is_doubted(
    customer: Customer, simulator: RunningSimulator, comes: bool
) -> None:
    device, sibling = link(customer, simulator), link(customer, simulator, "hp")
    way_back = finish(press_reconnect(customer, device).headers["Location"])
    simulator.control.set_device(str(sibling.podero_id), external_device_id="theirs")

    if comes:
        comes_back(way_back, customer)
    else:
        reads_anew(customer)

    gets_nothing(customer, simulator, sibling.podero_id)
    assert is_steered(simulator, device.podero_id)


@pytest.mark.parametrize("is_read", ["before they are back", "after"])
def test_other_account_that_a_form_has_put_behind_a_device_is_doubted(
    customer: Customer, simulator: RunningSimulator, is_read: str
) -> None:
    device = link(customer, simulator)
    customer.opt_in()
    way_back = success_address(simulator, customer.attempt)
    simulator.control.set_device(str(device.podero_id), external_device_id="theirs")
    if is_read == "before they are back":
        reads_anew(customer)

    stranger().get(path_of(way_back))
    reads_anew(customer)

    gets_nothing(customer, simulator, device.podero_id)
    with time_machine.travel(timezone.now() + timedelta(days=5), tick=True):
        signed_in_anew = Customer(customer.podero_user)
        sweep(client=podero_client(), now=timezone.now())
        reads_anew(signed_in_anew)
        gets_nothing(signed_in_anew, simulator, device.podero_id)


def test_other_name_for_a_device_is_no_doubt_where_all_ways_to_the_manufacturer_are_known(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device, sibling = link(customer, simulator), link(customer, simulator, "hp")
    customer.go(finish(press_reconnect(customer, device).headers["Location"]))
    with time_machine.travel(timezone.now() + timedelta(days=5), tick=True):
        simulator.control.set_device(str(sibling.podero_id), external_device_id="renamed")
        reads_anew(customer)

        assert is_steered(simulator, sibling.podero_id)
        assert Device.objects.get(pk=sibling.pk).external_device_id == "renamed"


@pytest.mark.parametrize("is_made", ["before they are back", "after"])
def test_device_that_somebody_else_has_linked_is_switched_off_although_another_form_is_open(
    customer: Customer, simulator: RunningSimulator, settings: Any, is_made: str
) -> None:
    """A look that found a device of one's own has made the attempt `linked` before."""
    settings.ONBOARDING_ACTIVATION = "immediately"
    customer.opt_in()
    customer.opt_in()
    simulator.control.complete(str(customer.attempt.podero_id), account="own@example.com")
    customer.opt_in()
    customer.press_check()
    assert customer.attempt.state == "linked"
    attempt = customer.attempt
    if is_made == "after":
        stranger().get(path_of(success_address(simulator, attempt)))
        worker_hears_of(attempt)
    theirs = simulator.control.complete(str(attempt.podero_id), account="victim@example.com")
    assert is_steered(simulator, theirs.device_id)

    if is_made == "after":
        sweep(client=podero_client(), now=timezone.now() + timedelta(minutes=16))
        sweep(client=podero_client(), now=timezone.now() + timedelta(minutes=17))
    else:
        stranger().get(path_of(theirs.redirect_url))
        worker_hears_of(attempt)

    assert not is_steered(simulator, theirs.device_id)
    gets_nothing(customer, simulator, theirs.device_id)


def test_device_that_shows_late_is_switched_off_soon_after_it_does(
    customer: Customer, simulator: RunningSimulator, settings: Any
) -> None:
    """The customer has no other device, so that nothing else would have Podero read."""
    settings.ONBOARDING_ACTIVATION = "immediately"
    customer.opt_in()
    attempt = customer.attempt
    long_open = timedelta(minutes=65)
    OnboardingSession.objects.update(
        started_at=attempt.started_at - long_open, opened_at=attempt.started_at - long_open
    )
    stranger().get(path_of(success_address(simulator, attempt)))
    worker_hears_of(attempt)
    theirs = simulator.control.complete(str(attempt.podero_id), account="victim@example.com")
    assert is_steered(simulator, theirs.device_id)

    sweep(client=podero_client(), now=timezone.now() + timedelta(minutes=2))

    assert not is_steered(simulator, theirs.device_id)
    gets_nothing(customer, simulator, theirs.device_id)


def test_device_that_shows_after_the_form_has_run_out_is_still_looked_for(
    customer: Customer, simulator: RunningSimulator
) -> None:
    customer.opt_in()
    attempt = customer.attempt
    stranger().get(path_of(success_address(simulator, attempt)))
    worker_hears_of(attempt)
    theirs = simulator.control.complete(str(attempt.podero_id), account="victim@example.com")
    simulator.control.drop_device(str(theirs.device_id))
    OnboardingSession.objects.update(expires_at=timezone.now() - timedelta(minutes=1))
    sweep(client=podero_client(), now=timezone.now() + timedelta(minutes=2))
    assert customer.attempt.state == "open"
    simulator.control.set_device(str(theirs.device_id), deleted_at=None)

    sweep(client=podero_client(), now=timezone.now() + timedelta(minutes=20))

    assert customer.attempt.state == "linked"
    gets_nothing(customer, simulator, theirs.device_id)


@pytest.mark.parametrize("hours", [1, 25])
def test_attempt_that_has_run_out_is_not_looked_for_again_and_again(
    customer: Customer, simulator: RunningSimulator, hours: int
) -> None:
    """Linked, or long over: although somebody keeps opening its address in a foreign browser."""
    customer.opt_in()
    attempt = customer.attempt
    if hours == 1:
        simulator.control.complete(str(attempt.podero_id))
    stranger().get(path_of(success_address(simulator, attempt)))
    worker_hears_of(attempt)
    over = timezone.now() - timedelta(hours=hours)
    OnboardingSession.objects.update(expires_at=over, finished_at=over, next_try_at=timezone.now())

    sweep(client=podero_client(), now=timezone.now() + timedelta(minutes=2))

    assert customer.attempt.state == ("linked" if hours == 1 else "expired")
    assert customer.attempt.next_try_at is None


def test_device_that_shows_late_is_kept_with_the_attempt_with_which_somebody_came_back(
    customer: Customer, simulator: RunningSimulator
) -> None:
    """Not with an older one, which would leave this one to end as if nothing had come of it."""
    simulator.control.settings(object_id_filled=False)
    link(customer, simulator)
    customer.opt_in(device_type="wb")
    attempt = customer.attempt
    stranger().get(path_of(success_address(simulator, attempt)))
    worker_hears_of(attempt)
    done = simulator.control.complete(str(attempt.podero_id), account="wallbox@example.com")

    reads_anew(customer)

    assert Device.objects.get(podero_id=str(done.device_id)).attempt == attempt
    assert customer.attempt.state == "linked"


def test_device_that_is_read_of_while_a_worker_looks_for_it_is_left_to_that_worker(
    customer: Customer, simulator: RunningSimulator
) -> None:
    simulator.control.settings(object_id_filled=False)
    link(customer, simulator)
    customer.opt_in(device_type="wb")
    attempt = customer.attempt
    stranger().get(path_of(success_address(simulator, attempt)))
    worker_hears_of(attempt)
    done = simulator.control.complete(str(attempt.podero_id), account="wallbox@example.com")
    looking = customer.attempt
    assert looking.claim(now=timezone.now())

    reads_anew(customer)
    looking.release(next_try_at=timezone.now())
    sweep(client=podero_client(), now=timezone.now())

    assert Device.objects.get(podero_id=str(done.device_id)).attempt == attempt
    assert customer.attempt.state == "linked"


def test_own_other_account_behind_a_device_that_is_linked_again_is_no_doubt(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = link(customer, simulator)
    customer.opt_in()
    simulator.control.set_device(str(device.podero_id), external_device_id="my-other-account")

    comes_back_naming(customer, simulator, device)

    sweep(client=podero_client(), now=timezone.now())
    assert is_steered(simulator, device.podero_id)
    assert Device.objects.get().external_device_id == "my-other-account"


def test_account_that_podero_stops_naming_after_somebody_else_came_back_is_doubted(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = link(customer, simulator)
    way_back = finish(press_reconnect(customer, device).headers["Location"])
    simulator.control.set_device(str(device.podero_id), external_device_id="")

    comes_back(way_back, customer)

    gets_nothing(customer, simulator, device.podero_id)
    simulator.control.set_device(
        str(device.podero_id), external_device_id=device.external_device_id
    )
    reads_anew(customer)
    presses_everything(customer)
    sweep(client=podero_client(), now=timezone.now())
    assert is_steered(simulator, device.podero_id)


def test_account_that_podero_names_again_is_the_one_that_it_was_linked_with(
    customer: Customer, simulator: RunningSimulator
) -> None:
    """It named none when they were sent to sign in; they came back on a phone, signed out."""
    device = link(customer, simulator)
    simulator.control.set_device(str(device.podero_id), external_device_id="")
    way_back = finish(press_reconnect(customer, device).headers["Location"])
    simulator.control.set_device(
        str(device.podero_id), external_device_id=device.external_device_id
    )

    comes_back(way_back, customer)

    sweep(client=podero_client(), now=timezone.now())
    assert is_steered(simulator, device.podero_id)


def test_device_that_is_unnamed_stays_on_when_it_is_linked_again_after_a_sign_in_was_left(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = link(customer, simulator)
    is_named_no_more(simulator, device)
    press_reconnect(customer, device)
    customer.opt_in()

    comes_back_naming(customer, simulator, device)

    sweep(client=podero_client(), now=timezone.now())
    assert is_steered(simulator, device.podero_id)


def test_doubt_about_a_login_outlives_the_attempt_to_renew_it(
    customer: Customer, simulator: RunningSimulator
) -> None:
    """They leave, so that nothing else keeps the row, and come again at once."""
    simulator.control.settings(device_delete_status=405, user_delete_status=405)
    device = link(customer, simulator)
    is_named_no_more(simulator, device)
    comes_back(finish(press_reconnect(customer, device).headers["Location"]), customer)
    simulator.control.set_device(str(device.podero_id), external_device_id="")
    reads_anew(customer)
    with time_machine.travel(timezone.now() + timedelta(days=3), tick=True):
        sweep(client=podero_client(), now=timezone.now())
    with time_machine.travel(timezone.now() + timedelta(days=500), tick=True):
        again = Customer(customer.podero_user)
        leave(again)
        retention.erase_what_is_over(now=timezone.now())
        again.opt_in()

        comes_back_naming(again, simulator, device)

        gets_nothing(again, simulator, device.podero_id)


def test_answer_without_the_name_doubts_nothing_long_after_somebody_came_back_elsewhere(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = link(customer, simulator)
    comes_back(finish(press_reconnect(customer, device).headers["Location"]), customer)
    long_ago = timezone.now() - timedelta(days=9)
    Reconnection.objects.update(foreign_return_at=long_ago)
    simulator.control.set_device(str(device.podero_id), external_device_id="")

    reads_anew(customer)

    sweep(client=podero_client(), now=timezone.now())
    assert is_steered(simulator, device.podero_id)


def test_victim_who_comes_back_signed_in_as_the_attacker_leaves_a_doubt(
    customer: Customer, simulator: RunningSimulator
) -> None:
    """With a device that nobody has confirmed, when its form is long over."""
    customer.opt_in()
    simulator.control.complete(str(customer.attempt.podero_id))
    customer.press_check()
    device = Device.objects.get()
    with time_machine.travel(timezone.now() + timedelta(days=5), tick=True):
        attacker = Customer(customer.podero_user)
        sweep(client=podero_client(), now=timezone.now())
        address = press_reconnect(attacker, device).headers["Location"]
        victim = Customer(customer.podero_user)

        victim.go(finish(address, OTHER))

        gets_nothing(attacker, simulator, device.podero_id)


def test_right_account_is_known_after_the_wrong_one_and_a_sign_in_that_was_left(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = link(customer, simulator)
    customer.go(finish(press_reconnect(customer, device).headers["Location"], OTHER))
    press_reconnect(customer, device)
    reads_anew(customer)

    customer.go(finish(press_reconnect(customer, device).headers["Location"]))
    presses_everything(customer)

    sweep(client=podero_client(), now=timezone.now())
    assert is_steered(simulator, device.podero_id)


def test_doubt_about_an_account_outlasts_the_way_by_which_it_may_have_come(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = link(customer, simulator)
    customer.opt_in(device_type="wb")
    way_back = simulator.control.complete(str(customer.attempt.podero_id)).redirect_url
    simulator.control.set_device(str(device.podero_id), external_device_id="theirs")
    tasks.look_who_signed_in(customer_id=customer.podero_user.pk)
    assert Device.objects.get(pk=device.pk).is_login_in_doubt

    customer.go(str(way_back))
    tasks.look_who_signed_in(customer_id=customer.podero_user.pk)

    gets_nothing(customer, simulator, device.podero_id)
    simulator.control.set_device(
        str(device.podero_id), external_device_id=device.external_device_id
    )
    tasks.look_who_signed_in(customer_id=customer.podero_user.pk)
    presses_everything(customer)
    sweep(client=podero_client(), now=timezone.now())
    assert is_steered(simulator, device.podero_id)


@pytest.mark.parametrize("unread", ["not read", "missing", "read by the way"])
@pytest.mark.parametrize("by", ["form", "sign-in"])
def test_other_account_is_doubted_however_long_podero_told_nothing_of_the_device(
    customer: Customer, simulator: RunningSimulator, by: str, unread: str
) -> None:
    device = link(customer, simulator)
    if by == "form":
        customer.opt_in()
        stranger().get(path_of(success_address(simulator, customer.attempt)))
    else:
        way_back = finish(press_reconnect(customer, device).headers["Location"])
        stranger().get(path_of(way_back))
    becomes = "theirs" if by == "form" else ""
    for days in (1, 2, 3, 4):
        if unread == "missing":
            simulator.control.drop_device(str(device.podero_id))
            with time_machine.travel(timezone.now() + timedelta(days=days), tick=True):
                reads_anew(customer)
    simulator.control.set_device(str(device.podero_id), external_device_id=becomes, deleted_at=None)

    with time_machine.travel(timezone.now() + timedelta(days=5), tick=True):
        if unread == "read by the way":
            press_reconnect(Customer(customer.podero_user), device)
        reads_anew(customer)
        gets_nothing(Customer(customer.podero_user), simulator, device.podero_id)


def test_new_secret_key_makes_no_other_account_of_the_one_that_is_there(
    customer: Customer, simulator: RunningSimulator, settings: Any
) -> None:
    device = link(customer, simulator)
    stranger().get(path_of(finish(press_reconnect(customer, device).headers["Location"])))
    tasks.look_who_signed_in(customer_id=customer.podero_user.pk)
    press_reconnect(customer, device)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another-key-than-before"

    tasks.look_who_signed_in(customer_id=customer.podero_user.pk)

    assert Device.objects.get().account_mark != device.account_mark
    assert is_steered(simulator, device.podero_id)
    with time_machine.travel(timezone.now() + timedelta(days=2), tick=True):
        tasks.look_who_signed_in(customer_id=customer.podero_user.pk)
        settings.SECRET_KEY_FALLBACKS = []
        tasks.look_who_signed_in(customer_id=customer.podero_user.pk)
        assert not Device.objects.get().is_login_in_doubt


def test_other_name_long_after_a_login_was_renewed_on_another_phone_is_no_doubt(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = link(customer, simulator)
    phone = Customer(customer.podero_user)
    phone.go(finish(press_reconnect(customer, device).headers["Location"]))
    with time_machine.travel(timezone.now() + timedelta(days=60), tick=True):
        tasks.look_who_signed_in(customer_id=customer.podero_user.pk)
        simulator.control.set_device(str(device.podero_id), external_device_id="renamed")
        for _reading in range(2):
            tasks.look_who_signed_in(customer_id=customer.podero_user.pk)

        assert is_steered(simulator, device.podero_id)
        assert Device.objects.get().external_device_id == "renamed"
