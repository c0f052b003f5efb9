"""What My devices tells: how a device stands, its age, savings, and what gets in its way."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from onboarding.models import Device
from tests.factories import make_customer
from tests.journeys.cards import link, page, pause, remove, sweep_after
from tests.journeys.customer import Customer
from tests.journeys.test_leaving import is_steered
from tests.simulator.launch import RunningSimulator

pytestmark = pytest.mark.django_db(transaction=True)


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
    completed = simulator.control.complete(
        str(customer.attempt.podero_id), account="second@example.com"
    )
    simulator.control.set_device(
        str(completed.device_id), external_device_id=older.external_device_id
    )
    assert "The same device is linked twice:" not in page(customer)
    customer.go(str(completed.redirect_url))
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
    assert "A car and the wallbox at which it charges" in consent("")


@pytest.mark.parametrize("days", [0, 3])
def test_device_that_podero_missed_for_a_while_is_found_again_without_anybody_looking(
    customer: Customer, simulator: RunningSimulator, days: int
) -> None:
    """It may be steered all the while, of which the page says the opposite."""
    device = link(customer, simulator)
    simulator.control.drop_device(str(device.podero_id))
    sweep_after(minutes=16)
    assert Device.objects.get().standing == "missing"
    Device.objects.update(missing_since=timezone.now() - timedelta(days=days))
    simulator.control.set_device(str(device.podero_id), deleted_at=None)

    sweep_after(minutes=33, days=days and 1)

    assert Device.objects.get().standing == "working"


def test_device_that_podero_has_not_known_for_long_is_asked_for_once_a_day(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = link(customer, simulator)
    simulator.control.drop_device(str(device.podero_id))
    sweep_after(minutes=16)
    Device.objects.update(missing_since=timezone.now() - timedelta(days=3))
    sweep_after(hours=3)  # what else the login has brought is looked up meanwhile
    asked = len(simulator.control.requests_to("list_devices"))

    sweep_after(hours=8)

    assert len(simulator.control.requests_to("list_devices")) == asked


def test_nothing_that_a_device_reports_is_kept_before_its_owner_has_said_so(
    customer: Customer, simulator: RunningSimulator
) -> None:
    """It may be a stranger's car, of which the customer must not learn when it is at home."""
    customer.opt_in()
    done = simulator.control.complete(str(customer.attempt.podero_id))
    simulator.control.set_device(str(done.device_id), is_plugged_in=True)
    customer.press_check()
    sweep_after(minutes=16)
    assert Device.objects.get().report == {}
    status = customer.browser.get(reverse("devices_status")).json()["state"]
    simulator.control.set_device(str(done.device_id), is_plugged_in=False)
    sweep_after(minutes=33)
    assert customer.browser.get(reverse("devices_status")).json()["state"] == status

    customer.go(str(done.redirect_url))

    sweep_after(minutes=50)
    assert Device.objects.get().reported.cable == "unplugged"


def test_report_is_there_as_soon_as_the_customer_is_back(
    customer: Customer, simulator: RunningSimulator
) -> None:
    assert link(customer, simulator).report != {}


def test_pause_that_podero_has_not_confirmed_is_not_said_to_be_one(
    customer: Customer, simulator: RunningSimulator
) -> None:
    device = link(customer, simulator)
    simulator.control.set_device(str(device.podero_id), is_authenticated=False)
    sweep_after(minutes=16)
    simulator.control.arm("update_device", "http_503", count=-1)

    pause(customer, device)

    text = page(customer)
    assert "Until then Podero may still control it" in text
    assert "It stays paused" not in text
    assert Device.objects.get().is_waiting_for_podero


def test_two_of_which_neither_is_confirmed_are_not_said_to_be_controlled(
    customer: Customer, simulator: RunningSimulator
) -> None:
    for account in ("first@example.com", "second@example.com"):
        customer.opt_in()
        done = simulator.control.complete(str(customer.attempt.podero_id), account=account)
        simulator.control.set_device(str(done.device_id), external_device_id="VIN-1")
        customer.press_check()

    text = page(customer)
    assert "The same device is linked twice:" in text
    assert "You have confirmed neither of them yet." in text


@pytest.mark.parametrize("kind", ["ev", "wb"])
def test_consent_page_calls_nothing_linked_that_goes_or_controlled_that_is_paused(
    customer: Customer, simulator: RunningSimulator, kind: str
) -> None:
    device = link(customer, simulator, "wb")
    if kind == "wb":
        simulator.control.settings(device_delete_status=403)
        remove(customer, device)
    else:
        pause(customer, device)

    page_of_consent = customer.browser.get(reverse("consent"), {"device_type": kind})

    assert "Linked already" not in page_of_consent.content.decode()
