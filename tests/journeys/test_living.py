"""Living with a device: pause, resume, charge now, and what My devices says meanwhile."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from onboarding import clients
from onboarding.clients import podero_client
from onboarding.flows.sweep import sweep
from onboarding.models import ChargeWish, Device
from onboarding.states import Event
from tests.factories import make_customer
from tests.journeys.customer import Customer
from tests.journeys.test_leaving import is_steered, leave
from tests.simulator.launch import RunningSimulator

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def customer(podero_settings: Any) -> Customer:
    return Customer(make_customer())


def link(customer: Customer, simulator: RunningSimulator, device_type: str = "ev") -> Device:
    customer.opt_in(device_type=device_type)
    way_back = simulator.control.complete(str(customer.attempt.podero_id)).redirect_url
    customer.go(str(way_back))
    return Device.objects.latest("pk")


def press(customer: Customer, act: str, device: Device) -> None:
    """Press a button of the device's card; the way leads back to the card."""
    response = customer.browser.post(reverse(act, args=[device.reference]))
    assert response.headers["Location"] == f"{reverse('devices')}#device-{device.reference}"


def pause(customer: Customer, device: Device) -> None:
    press(customer, "pause_device", device)


def resume(customer: Customer, device: Device) -> None:
    press(customer, "resume_device", device)


def charge(customer: Customer, device: Device) -> None:
    press(customer, "charge_device", device)


def do_not_charge(customer: Customer, device: Device) -> None:
    press(customer, "do_not_charge_device", device)


def page(customer: Customer) -> str:
    return str(customer.browser.get(reverse("devices")).content.decode())


def sweep_after(**wait: float) -> None:
    sweep(client=podero_client(), now=timezone.now() + timedelta(**wait))


def told(device: Device) -> list[str]:
    acts = (Event.PAUSED, Event.RESUMED, Event.CHARGE_WISHED, Event.CHARGE_TAKEN_BACK)
    events = device.attempt.events.filter(event__in=acts, actor="customer").order_by("pk")
    return [event.event for event in events]


def charge_at_podero(simulator: RunningSimulator, device: Device) -> dict[str, Any]:
    held = simulator.control.state()["devices"]
    fields = next(one["fields"] for one in held if one["id"] == str(device.podero_id))
    return {name: fields.get(name) for name in ("boost_state", "boost_for_next_session")}


def remove(customer: Customer, device: Device) -> None:
    customer.browser.post(reverse("remove_device", args=[device.reference]))


def what_ended(simulator: RunningSimulator) -> list[str]:
    """The calls that took back what was to charge, or removed a device, in order."""
    return [
        f"{entry['endpoint']} {entry['method']}"
        for entry in simulator.control.state()["journal"]
        if entry["endpoint"] in {"boost", "delete_device"} and entry["method"] == "DELETE"
    ]


# --- Pause and resume -------------------------------------------------------------------------


def test_paused_device_is_left_alone_at_once_and_stays_so(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = link(customer, simulator)
    assert is_steered(simulator, device) is True

    pause(customer, device)

    assert is_steered(simulator, device) is False
    assert "You have paused this device." in page(customer)
    sweep_after(minutes=16)
    sweep_after(minutes=32)
    assert is_steered(simulator, device) is False
    assert "You have paused this device." in page(customer)


def test_resumed_device_is_optimized_at_once(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = link(customer, simulator)
    pause(customer, device)

    resume(customer, device)

    assert is_steered(simulator, device) is True
    assert "Linked, and optimization is on." in page(customer)
    assert told(device) == ["paused", "resumed"]


def test_pause_while_podero_is_away_is_said_and_carried_out_later(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = link(customer, simulator)
    simulator.control.arm("update_device", "http_503", count=2)

    pause(customer, device)

    text = page(customer)
    assert "Pausing: Podero has not confirmed yet. We keep trying." in text
    assert "You have paused this device." not in text
    sweep_after(minutes=1)
    assert is_steered(simulator, device) is True
    sweep_after(minutes=5)
    assert is_steered(simulator, device) is False
    assert "You have paused this device." in page(customer)


def test_pause_whose_confirmation_was_lost_is_not_called_done(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = link(customer, simulator)
    simulator.control.arm("update_device", "reset_after", count=1)

    pause(customer, device)

    assert is_steered(simulator, device) is False
    assert "Podero has not confirmed yet" in page(customer)
    sweep_after(minutes=1)
    assert "You have paused this device." in page(customer)


def test_pause_pressed_when_too_many_wait_is_carried_out_later(
    customer: Customer, simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = link(customer, simulator)

    class Full:
        def acquire(self, *, blocking: bool) -> bool:
            return False

    monkeypatch.setattr(clients, "_places", Full())

    pause(customer, device)

    assert is_steered(simulator, device) is True
    assert "Podero has not confirmed yet" in page(customer)
    sweep_after()
    assert is_steered(simulator, device) is False


def test_newest_of_two_wishes_that_could_not_be_told_wins(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = link(customer, simulator)
    simulator.control.arm("update_device", "http_503", count=-1)
    pause(customer, device)
    resume(customer, device)
    pause(customer, device)
    simulator.control.clear_faults()

    sweep_after(minutes=1)

    assert is_steered(simulator, device) is False
    assert told(device) == ["paused", "resumed", "paused"]


def test_pressing_twice_is_one_pause(customer: Customer, simulator: RunningSimulator) -> None:
    device = link(customer, simulator)
    before = len(simulator.control.requests_to("update_device"))

    pause(customer, device)
    pause(customer, device)

    assert told(device) == ["paused"]
    assert len(simulator.control.requests_to("update_device")) == before + 1


def test_device_switched_on_elsewhere_while_paused_is_switched_off_again(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = link(customer, simulator)
    pause(customer, device)
    simulator.control.set_device(str(device.podero_id), is_smart_optimization_active=True)

    sweep_after(minutes=16)
    sweep_after(minutes=17)

    assert is_steered(simulator, device) is False


def test_device_switched_off_elsewhere_is_said_and_can_be_switched_on(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = link(customer, simulator)
    simulator.control.set_device(str(device.podero_id), is_smart_optimization_active=False)
    sweep_after(minutes=16)
    assert "Optimization is off at Podero" in page(customer)

    resume(customer, device)

    assert is_steered(simulator, device) is True


def test_who_has_withdrawn_resumes_nothing(customer: Customer, simulator: RunningSimulator) -> None:
    device = link(customer, simulator)
    leave(customer)
    sweep_after()
    before = len(simulator.control.requests_to("update_device"))

    resume(customer, device)

    device.refresh_from_db()
    assert not device.is_optimization_wanted
    assert told(device) == []
    assert len(simulator.control.requests_to("update_device")) == before
    assert "Switch optimization on again" not in page(customer)


def test_unconfirmed_device_is_not_resumed(customer: Customer, simulator: RunningSimulator) -> None:
    customer.opt_in()
    simulator.control.complete(str(customer.attempt.podero_id))
    sweep_after(minutes=20)
    device = Device.objects.get()

    resume(customer, device)

    device.refresh_from_db()
    assert (device.is_confirmed, device.is_optimization_wanted) == (False, False)
    assert is_steered(simulator, device) is False


def test_device_of_another_customer_cannot_be_steered(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = link(customer, simulator)
    stranger = Customer(make_customer())

    for act in ("pause_device", "resume_device", "charge_device", "do_not_charge_device"):
        response = stranger.browser.post(reverse(act, args=[device.reference]))
        assert response.status_code == 404, act

    device.refresh_from_db()
    assert device.is_optimization_wanted
    assert ChargeWish.objects.count() == 0


@pytest.mark.parametrize(
    "act", ["pause_device", "resume_device", "charge_device", "do_not_charge_device"]
)
def test_address_of_an_act_that_is_only_opened_does_nothing(
    customer: Customer, simulator: RunningSimulator, act: str
) -> None:
    device = link(customer, simulator)
    before = simulator.control.state()["journal"]

    response = customer.browser.get(reverse(act, args=[device.reference]))

    assert response.status_code == 302
    assert Client().post(reverse(act, args=[device.reference])).status_code == 302
    assert simulator.control.state()["journal"] == before
    device.refresh_from_db()
    assert device.is_optimization_wanted
    assert ChargeWish.objects.count() == 0


# --- Charge now -------------------------------------------------------------------------------


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
    assert "You no longer want to charge now." in page(customer)
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

    device.refresh_from_db()
    assert device.is_removed
    assert ChargeWish.objects.get().answer == ChargeWish.Answer.TAKEN_BACK


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


# --- What the page tells ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"is_plugged_in": False}, "Not plugged in."),
        ({"is_plugged_in": True}, "Plugged in, waiting to charge."),
        ({"is_plugged_in": True, "is_charging": True}, "It is charging."),
        ({"is_plugged_in": True, "is_fully_charged": True}, "Plugged in, and fully charged."),
        ({"battery_level": 41}, "41 % charged"),
    ],
)
def test_car_tells_how_it_stands(
    customer: Customer, simulator: RunningSimulator, state: dict[str, Any], words: str
) -> None:
    device = link(customer, simulator)
    simulator.control.set_device(str(device.podero_id), **state)

    sweep_after(minutes=16)

    assert words in page(customer)


@pytest.mark.parametrize(
    ("device_type", "state", "words"),
    [
        ("wb", {"mode": "READY"}, "Ready. No car is plugged in."),
        ("wb", {"mode": "PLUGGED_IN"}, "Plugged in, waiting to charge."),
        ("wb", {"mode": "CHARGING"}, "It is charging."),
        ("wb", {"mode": "UNAVAILABLE"}, "The wallbox says that it is not available just now."),
        ("wb", {"connection": "offline"}, "The wallbox is offline."),
        ("wb", {"connection": "never_connected"}, "has not been in touch with Podero yet"),
        ("hp", {"current_mode": "min"}, "Min (lowest of four levels)"),
        ("hp", {"current_mode": "low"}, "ECO (second of four levels)"),
        ("hp", {"current_mode": "mid"}, "Comfort (third of four levels)"),
        ("hp", {"current_mode": "max"}, "Boost (highest of four levels)"),
        ("hp", {"current_mode": "turbo"}, "Podero has not told at which level it runs."),
        ("hp", {"is_smart_optimization_active": False}, "Not optimizing"),
        ("iv", {"current_solar_production_w": 3210}, "3.2 kilowatts at the moment"),
        ("iv", {"battery_charge_level_percent": 57}, "57 % charged, being charged"),
        ("iv", {"battery_charge_discharge_power_w": 900}, "57 % charged, giving power"),
    ],
)
def test_other_devices_tell_how_they_stand(
    customer: Customer,
    simulator: RunningSimulator,
    device_type: str,
    state: dict[str, Any],
    words: str,
) -> None:
    device = link(customer, simulator, device_type)
    simulator.control.set_device(str(device.podero_id), **state)

    sweep_after(minutes=16)

    assert words in page(customer)


def test_nonsense_from_podero_is_shown_as_nothing(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = link(customer, simulator)
    simulator.control.set_device(
        str(device.podero_id),
        battery_level="<b>a lot</b>",
        boost_state=["odd"],
        current_state_last_updated_at="yesterday",
        external_device_id=7,
    )

    sweep_after(minutes=16)

    text = page(customer)
    assert "% charged" not in text
    assert "a lot" not in text
    assert "Linked, and optimization is on." in text


def test_looking_again_asks_podero_in_the_same_request(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = link(customer, simulator)
    simulator.control.set_device(str(device.podero_id), is_plugged_in=True)
    Device.objects.update(checked_at=timezone.now() - timedelta(minutes=1))
    before = len(simulator.control.requests_to("list_devices"))

    for _press in range(3):
        customer.browser.post(reverse("look_again"))

    assert "Plugged in, waiting to charge." in page(customer)
    # Four collections, once.
    assert len(simulator.control.requests_to("list_devices")) == before + 4


def test_opening_the_page_never_waits_for_podero(
    customer: Customer, simulator: RunningSimulator
) -> None:
    link(customer, simulator)
    Device.objects.update(checked_at=timezone.now() - timedelta(days=2))
    before = simulator.control.state()["journal"]

    text = page(customer)

    assert simulator.control.state()["journal"] == before
    assert "What is shown here may have changed since." in text


def test_podero_away_leaves_what_is_known_with_its_age(
    customer: Customer, simulator: RunningSimulator
) -> None:
    link(customer, simulator)
    Device.objects.update(checked_at=timezone.now() - timedelta(hours=3))
    simulator.control.arm("*", "http_503", count=-1)

    customer.browser.post(reverse("look_again"))

    text = page(customer)
    assert "3\xa0hours ago" in text
    assert "What is shown here may have changed since." in text


def test_device_that_is_silent_is_said_to_be(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = link(customer, simulator)
    simulator.control.set_device(str(device.podero_id), battery_level=50)
    silent = (timezone.now() - timedelta(days=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
    device.refresh_from_db()
    Device.objects.update(report=device.report | {"state_at": silent})

    assert "The device itself last reported to Podero" in page(customer)


def test_customers_whose_devices_cannot_be_read_do_not_hold_up_the_others(
    podero_settings: Any, simulator: RunningSimulator
) -> None:
    blocked = [Customer(make_customer()) for _number in range(3)]
    for one in blocked:
        link(one, simulator)
    last = Customer(make_customer())
    device = link(last, simulator)
    simulator.control.set_device(str(device.podero_id), is_plugged_in=True)
    simulator.control.arm("list_devices", "http_503", count=3)

    sweep_after(minutes=16)
    sweep_after(minutes=17)

    assert "Plugged in" in page(last)


# --- Savings ----------------------------------------------------------------------------------


def test_savings_are_shown_with_period_and_unit(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = link(customer, simulator, "hp")

    sweep_after()

    device.refresh_from_db()
    newest = device.saved.periods[0]
    text = page(customer)
    assert "Savings, as reported by Podero" in text
    assert f"{newest.total:.2f} EUR saved" in text
    sweep_after(hours=23)
    assert len(simulator.control.requests_to("savings")) == 1
    sweep_after(hours=25)
    assert len(simulator.control.requests_to("savings")) == 2


@pytest.mark.parametrize(
    ("fault", "asked"),
    [("http_404", 1), ("http_409", 1), ("http_422", 1), ("http_503", 2), ("broken_json", 1)],
)
def test_savings_that_podero_does_not_tell_are_not_invented(
    customer: Customer, simulator: RunningSimulator, fault: str, asked: int
) -> None:
    """What may pass is asked about again in an hour, a "no" on the next day."""
    link(customer, simulator, "hp")
    simulator.control.arm("savings", fault, count=-1)

    sweep_after()
    sweep_after(minutes=30)
    assert len(simulator.control.requests_to("savings")) == 1
    sweep_after(minutes=90)

    assert "Savings" not in page(customer)
    assert len(simulator.control.requests_to("savings")) == asked


def test_savings_of_a_device_for_which_there_are_none_are_not_shown(
    customer: Customer, simulator: RunningSimulator
) -> None:
    link(customer, simulator, "wb")

    sweep_after()

    assert "Savings" not in page(customer)


# --- Two that get in each other's way ---------------------------------------------------------


def test_car_and_wallbox_are_said_to_get_in_each_others_way(
    customer: Customer, simulator: RunningSimulator
) -> None:
    car = link(customer, simulator, "ev")
    wallbox = link(customer, simulator, "wb")
    text = page(customer)
    assert "A car and a wallbox are both controlled." in text
    assert f"Pause the car: {car.label}" in text

    pause(customer, car)

    assert "A car and a wallbox are both controlled." not in page(customer)
    assert is_steered(simulator, car) is False
    assert is_steered(simulator, wallbox) is True


def test_same_device_linked_twice_is_said_and_one_can_be_paused(
    customer: Customer, simulator: RunningSimulator
) -> None:
    older = link(customer, simulator)
    customer.opt_in()
    way_back = simulator.control.complete(
        str(customer.attempt.podero_id), account="second@example.com"
    ).redirect_url
    customer.go(str(way_back))
    newer = Device.objects.latest("pk")
    assert "The same device is linked twice:" not in page(customer)
    simulator.control.set_device(str(newer.podero_id), external_device_id=older.external_device_id)
    sweep_after(minutes=16)
    assert "The same device is linked twice:" in page(customer)

    pause(customer, older)

    assert "The same device is linked twice:" not in page(customer)


def test_consent_page_says_what_is_linked_before_leaving(
    customer: Customer, simulator: RunningSimulator
) -> None:
    link(customer, simulator, "wb")

    def consent(device_type: str) -> str:
        response = customer.browser.get(reverse("consent"), {"device_type": device_type})
        return str(response.content.decode())

    assert "Your wallbox is controlled already." in consent("ev")
    assert "Please do not link the same device twice." in consent("wb")
    assert "Linked already" not in consent("hp")
    assert "Linked already" not in consent("")
