"""Charge now with every answer that Podero has, and taking it back."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.utils import timezone

from onboarding.flows import proof
from onboarding.models import ChargeWish, Device
from tests.journeys.cards import (
    charge,
    charge_at_podero,
    do_not_charge,
    link,
    page,
    pause,
    remove,
    sweep_after,
    told,
    what_ended,
)
from tests.journeys.customer import Customer
from tests.journeys.test_leaving import is_steered, leave
from tests.simulator.launch import RunningSimulator

pytestmark = pytest.mark.django_db(transaction=True)


def test_car_that_is_plugged_in_charges_now(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = link(customer, simulator)
    simulator.control.set_device(str(device.podero_id), is_plugged_in=True)

    charge(customer, device)

    assert charge_at_podero(simulator, device)["boost_state"] == "requested"
    text = page(customer)
    assert "Podero has started charging" in text
    assert "Do not charge now" not in text  # Podero cannot stop a car that charges.
    assert told(device) == ["charge_wished"]


def test_car_that_is_not_plugged_in_charges_when_it_is(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = link(customer, simulator)

    charge(customer, device)

    assert charge_at_podero(simulator, device)["boost_for_next_session"] is True
    assert "Charging starts at once when the car is plugged in next" in page(customer)
    do_not_charge(customer, device)
    assert charge_at_podero(simulator, device)["boost_for_next_session"] is False
    assert "nothing is to charge at once any more" in page(customer)
    assert told(device) == ["charge_wished", "charge_taken_back"]


def test_what_was_armed_is_not_offered_for_ever(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = link(customer, simulator)
    charge(customer, device)
    simulator.control.set_device(
        str(device.podero_id), boost_for_next_session=False, boost_state="available"
    )

    sweep_after(minutes=16)

    text = page(customer)
    assert "Charging starts at once when the car is plugged in next" not in text
    assert ">Charge now</button>" in text


def test_car_of_which_podero_does_not_tell_the_cable_is_said_both_ways(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = link(customer, simulator)
    simulator.control.arm("get_device", "http_503", count=-1)

    charge(customer, device)

    assert "If the car is plugged in, it charges now." in page(customer)


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("already_charging", "it was charging already"),
        ("fully_charged", "the battery was full"),
        ("no_active_session", "Podero does not see that the car is plugged in"),
        ("internal_error", "something went wrong at Podero"),
        ("phase_of_the_moon", "gave no reason that we understand"),
    ],
)
def test_each_refusal_has_its_sentence(
    customer: Customer, simulator: RunningSimulator, reason: str, words: str
) -> None:
    device = link(customer, simulator)
    simulator.control.set_device(str(device.podero_id), boost_refusal=reason)

    charge(customer, device)
    sweep_after(minutes=1)

    assert words in page(customer)
    assert len(simulator.control.requests_to("boost")) == 1


@pytest.mark.parametrize("fault", ["http_404", "http_422", "http_403"])
def test_refusal_of_another_kind_is_final_too(
    customer: Customer, simulator: RunningSimulator, fault: str
) -> None:
    device = link(customer, simulator)
    simulator.control.arm("boost", fault, count=-1)

    charge(customer, device)
    sweep_after(minutes=1)

    assert "gave no reason that we understand" in page(customer)
    assert len(simulator.control.requests_to("boost")) == 1


def test_wish_to_charge_is_kept_while_podero_is_away(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = link(customer, simulator)
    simulator.control.arm("boost", "http_503", count=1)

    charge(customer, device)

    text = page(customer)
    assert "You asked to charge now. Podero has not confirmed yet." in text
    assert charge_at_podero(simulator, device)["boost_for_next_session"] is False
    sweep_after(minutes=1)
    assert charge_at_podero(simulator, device)["boost_for_next_session"] is True
    assert "Podero has not confirmed yet" not in page(customer)


def test_wish_to_charge_is_given_up_after_half_an_hour(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = link(customer, simulator)
    simulator.control.arm("boost", "http_503", count=-1)
    charge(customer, device)
    for minutes in (5, 15, 25, 29):
        sweep_after(minutes=minutes)
    assert ChargeWish.objects.get().is_pending

    sweep_after(minutes=30)
    simulator.control.clear_faults()
    sweep_after(minutes=31)

    assert charge_at_podero(simulator, device)["boost_for_next_session"] is False
    text = page(customer)
    assert "Podero could not be reached for half an hour" in text
    assert ">Charge now</button>" in text


def test_wish_to_charge_that_was_taken_back_is_not_carried_out(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = link(customer, simulator)
    simulator.control.arm("boost", "http_503", count=-1)
    charge(customer, device)
    do_not_charge(customer, device)
    assert "“Charge now” is being taken back." in page(customer)
    simulator.control.clear_faults()

    sweep_after(minutes=1)

    assert charge_at_podero(simulator, device)["boost_for_next_session"] is False
    assert "nothing is to charge at once any more" in page(customer)


def test_charge_that_took_effect_unseen_is_taken_back_all_the_same(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = link(customer, simulator)
    simulator.control.arm("boost", "reset_after", count=1)
    charge(customer, device)
    assert charge_at_podero(simulator, device)["boost_for_next_session"] is True

    do_not_charge(customer, device)

    assert charge_at_podero(simulator, device)["boost_for_next_session"] is False


def test_wallbox_that_charges_at_once_can_be_stopped(
    customer: Customer, simulator: RunningSimulator
) -> None:
    simulator.control.settings(boost_requested_seconds=0)
    device = link(customer, simulator, "wb")
    simulator.control.set_device(str(device.podero_id), is_plugged_in=True)
    charge(customer, device)
    assert charge_at_podero(simulator, device)["boost_state"] == "ongoing"
    assert "Do not charge now" in page(customer)

    do_not_charge(customer, device)

    assert charge_at_podero(simulator, device)["boost_state"] == "available"


@pytest.mark.parametrize("device_type", ["hp", "iv"])
def test_device_that_does_not_charge_offers_none(
    customer: Customer, simulator: RunningSimulator, device_type: str
) -> None:
    device = link(customer, simulator, device_type)

    charge(customer, device)

    assert "Charge now" not in page(customer)
    assert ChargeWish.objects.count() == 0
    assert simulator.control.requests_to("boost") == []


def test_paused_car_can_be_charged_now(customer: Customer, simulator: RunningSimulator) -> None:
    device = link(customer, simulator)
    pause(customer, device)

    charge(customer, device)

    assert charge_at_podero(simulator, device)["boost_for_next_session"] is True
    assert is_steered(simulator, device) is False


def test_leaving_takes_back_what_was_to_charge(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = link(customer, simulator)
    charge(customer, device)
    assert charge_at_podero(simulator, device)["boost_for_next_session"] is True

    leave(customer)

    assert charge_at_podero(simulator, device)["boost_for_next_session"] is False
    assert what_ended(simulator) == ["boost DELETE", "delete_device DELETE"]
    charge(customer, device)
    sweep_after()
    assert charge_at_podero(simulator, device)["boost_for_next_session"] is False
    assert told(device) == ["charge_wished", "charge_taken_back"]


def test_leaving_stops_a_wallbox_that_still_charges_because_it_was_wished_long_ago(
    customer: Customer, simulator: RunningSimulator
) -> None:
    simulator.control.settings(boost_requested_seconds=0)
    device = link(customer, simulator, "wb")
    simulator.control.set_device(str(device.podero_id), is_plugged_in=True)
    charge(customer, device)
    sweep_after(minutes=61)
    assert not ChargeWish.objects.exists()
    assert charge_at_podero(simulator, device)["boost_state"] == "ongoing"

    leave(customer)

    assert charge_at_podero(simulator, device)["boost_state"] == "available"


def test_car_that_charges_since_the_answer_was_lost_is_said_to_have_been_started(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = link(customer, simulator)
    simulator.control.set_device(str(device.podero_id), is_plugged_in=True)
    simulator.control.arm("boost", "reset_after", count=1)

    charge(customer, device)
    sweep_after(minutes=1)

    assert ChargeWish.objects.get().answer == ChargeWish.Answer.STARTED
    assert "Podero has started charging" in page(customer)


def test_car_that_charged_already_when_podero_could_be_asked_is_not_said_to_have_been_started(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = link(customer, simulator)
    simulator.control.set_device(str(device.podero_id), is_plugged_in=True, is_charging=True)
    simulator.control.arm("boost", "reset_before", count=1)

    charge(customer, device)
    sweep_after(minutes=1)

    assert ChargeWish.objects.get().answer == ChargeWish.Answer.ALREADY_CHARGING


def test_leaving_while_podero_is_away_lets_nothing_charge_later(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = link(customer, simulator)
    simulator.control.arm("boost", "http_503", count=-1)
    charge(customer, device)
    leave(customer)
    sweep_after(minutes=1)
    device.refresh_from_db()
    assert (device.is_settled, device.is_removed) == (True, False)
    simulator.control.clear_faults()

    sweep_after(minutes=10)

    assert what_ended(simulator)[-2:] == ["boost DELETE", "delete_device DELETE"]
    assert charge_at_podero(simulator, device)["boost_for_next_session"] is False
    device.refresh_from_db()
    assert device.is_removed


def test_removing_one_device_takes_back_what_it_was_to_charge(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device, other = link(customer, simulator), link(customer, simulator)
    charge(customer, device)
    charge(customer, other)

    remove(customer, device)

    device.refresh_from_db()
    assert device.is_removed
    assert what_ended(simulator) == ["boost DELETE", "delete_device DELETE"]
    assert charge_at_podero(simulator, device)["boost_for_next_session"] is False
    assert charge_at_podero(simulator, other)["boost_for_next_session"] is True
    assert told(device) == ["charge_wished", "charge_taken_back"]


def test_device_that_podero_has_not_any_more_is_taken_back_and_removed(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = link(customer, simulator)
    charge(customer, device)
    simulator.control.arm("boost", "http_404", count=-1)

    remove(customer, device)
    sweep_after(minutes=1)

    device.refresh_from_db()
    assert device.is_removed
    assert ChargeWish.objects.get().answer == ChargeWish.Answer.TAKEN_BACK


@pytest.mark.parametrize("status", [400, 403, 404, 409])
def test_one_mistaken_answer_leaves_nothing_armed_for_who_has_left(
    customer: Customer, simulator: RunningSimulator, status: int
) -> None:
    device = link(customer, simulator)
    charge(customer, device)
    simulator.control.settings(device_delete_status=405)
    simulator.control.arm("boost", f"http_{status}", count=1)

    leave(customer)
    sweep_after(minutes=1)

    assert charge_at_podero(simulator, device)["boost_for_next_session"] is False


def test_removed_device_has_nothing_left_to_charge_or_take_back(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = link(customer, simulator)
    remove(customer, device)

    charge(customer, device)
    do_not_charge(customer, device)

    assert ChargeWish.objects.count() == 0
    assert len(simulator.control.requests_to("boost")) == 0


def test_answer_is_forgotten_when_it_has_been_read(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = link(customer, simulator)
    simulator.control.set_device(str(device.podero_id), boost_refusal="internal_error")
    charge(customer, device)

    sweep_after(minutes=61)

    assert ChargeWish.objects.count() == 0


def test_taking_back_that_podero_refuses_is_said_and_can_be_tried_again(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = link(customer, simulator)
    charge(customer, device)
    simulator.control.arm("boost", "http_403", count=2)

    do_not_charge(customer, device)
    sweep_after(minutes=1)

    text = page(customer)
    assert "Podero did not take it back" in text
    assert "You can start charging" not in text
    do_not_charge(customer, device)
    assert charge_at_podero(simulator, device)["boost_for_next_session"] is False


def test_pausing_takes_back_what_was_perhaps_heard(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = link(customer, simulator)
    charge(customer, device)
    simulator.control.set_device(str(device.podero_id), is_plugged_in=False)
    ChargeWish.objects.update(answer=ChargeWish.Answer.GAVE_UP)
    Device.objects.update(report={})
    assert "Do not charge now" in page(customer)

    pause(customer, device)
    sweep_after(minutes=1)

    assert charge_at_podero(simulator, device)["boost_for_next_session"] is False


def test_what_is_armed_is_taken_back_when_it_is_asked_again_whose_it_is(
    customer: Customer, simulator: RunningSimulator
) -> None:
    """Also where it was armed elsewhere, or so long ago that no wish is on record."""
    device = link(customer, simulator)
    simulator.control.set_device(str(device.podero_id), boost_for_next_session=True)
    sweep_after(minutes=16)

    device.refresh_from_db()
    proof.recall(device, now=timezone.now())
    sweep_after(minutes=17)

    assert charge_at_podero(simulator, device)["boost_for_next_session"] is False


@pytest.mark.parametrize("act", [pause, remove])
def test_taking_back_that_podero_refused_is_tried_again_with_what_ends_it(
    customer: Customer, simulator: RunningSimulator, act: Callable[..., None]
) -> None:
    device = link(customer, simulator)
    charge(customer, device)
    simulator.control.arm("boost", "http_403", count=1)
    do_not_charge(customer, device)
    assert charge_at_podero(simulator, device)["boost_for_next_session"] is True
    Device.objects.update(report={})

    act(customer, device)
    sweep_after(minutes=1)

    boosts = simulator.control.requests_to("boost")
    assert boosts[-1]["method"] == "DELETE"
    assert len(boosts) == 3
