"""The manufacturer's login has lapsed, and the customer renews it."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Meet
from tests.browser.person import OTHER_ACCOUNT, Person
from tests.simulator.launch import RunningSimulator

BUTTON = "Sign in at the manufacturer again"


@pytest.fixture
def lapsed(person: Person, simulator: RunningSimulator) -> Person:
    """Has a working car, whose login lapses."""
    person.goes_to_podero("ev")
    person.page.goto(person.finishes())
    person.sees_it_working()
    (car,) = person.devices_at_podero
    simulator.control.set_device(car["id"], is_authenticated=False)
    person.hears_from_podero()
    person.opens("/optimize/devices/")
    expect(person.page.locator("article.device .tag")).to_have_text("Needs you")
    return person


def test_renewed_in_the_same_browser(lapsed: Person) -> None:
    lapsed.presses(BUTTON)
    lapsed.signs_in_at_tesla_again()
    lapsed.sees("Your device is connected again")
    assert "return" not in lapsed.page.url

    lapsed.follows("Go to My devices")
    lapsed.has_one_working_device()


def test_broken_off_and_tried_again(lapsed: Person) -> None:
    lapsed.presses(BUTTON)
    lapsed.cancels()
    lapsed.sees("The sign-in was broken off")
    lapsed.presses(BUTTON)
    lapsed.signs_in_at_tesla_again()

    lapsed.sees("Your device is connected again")


def test_account_of_somebody_else(lapsed: Person) -> None:
    lapsed.presses(BUTTON)
    lapsed.signs_in_at_tesla_again(OTHER_ACCOUNT)
    lapsed.sees("Another device was linked")
    lapsed.sees_text("with the account that you used before")
    assert lapsed.devices_at_podero[0]["fields"]["is_smart_optimization_active"] is False

    lapsed.presses(BUTTON)
    lapsed.signs_in_at_tesla_again()
    lapsed.sees("Your device is connected again")
    lapsed.presses("Yes, this is my device")
    lapsed.sees("My devices")


def test_finished_on_another_phone_that_is_signed_out(lapsed: Person, meet: Meet) -> None:
    lapsed.presses(BUTTON)
    lapsed.sees("Sign in to Tesla again")
    phone = meet(lapsed.customer)
    phone.page.goto(lapsed.page.url)
    phone.signs_in_at_tesla_again()
    phone.sees("Sign in")
    phone.enters()

    phone.sees("Your device is connected again")


def test_podero_away(lapsed: Person, simulator: RunningSimulator) -> None:
    simulator.control.arm("*", "http_503", count=-1)
    lapsed.presses(BUTTON)
    lapsed.sees("The sign-in page could not be opened")
    simulator.control.clear_faults()
    lapsed.presses(BUTTON)
    lapsed.signs_in_at_tesla_again()

    lapsed.sees("Your device is connected again")


def test_device_in_doubt_is_had_by_linking_it_again(person: Person, meet: Meet) -> None:
    person.goes_to_podero("ev")
    stranger = meet()
    stranger.page.goto(person.page.url)
    stranger.links_tesla()
    stranger.comes_back()
    stranger.sees("Sign in")
    assert person.app.manage("sweep").returncode == 0
    person.opens("/optimize/devices/")
    person.sees_text("but not in the browser in which you had left")

    person.page.locator("article.device").get_by_role("link", name="Remove this device").click()
    person.presses("Remove this device")
    person.sees("The device is removed")
    person.goes_to_podero("ev")
    person.links_tesla()
    person.comes_back()
    person.sees_it_working()
