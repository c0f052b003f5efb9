"""Pause, resume and charge now, by touch, by keyboard and without script."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Meet
from tests.browser.person import Person
from tests.browser.test_keyboard import Keyboard
from tests.simulator.launch import RunningSimulator


def links_a_car(person: Person) -> None:
    person.goes_to_podero("ev")
    person.links_tesla()
    person.comes_back()
    person.sees_it_working()
    person.opens("/optimize/devices/")


def car_of(person: Person) -> dict[str, Any]:
    (device,) = person.devices_at_podero
    fields: dict[str, Any] = device["fields"]
    return fields


@pytest.mark.parametrize("has_script", [True, False])
def test_pause_resume_and_charge_now(meet: Meet, has_script: bool) -> None:
    person = meet(java_script_enabled=has_script)
    links_a_car(person)

    person.presses("Pause optimization")
    person.sees_text("You have paused this device.")
    assert car_of(person)["is_smart_optimization_active"] is False
    person.presses("Switch optimization on again")
    person.sees_text("Linked, and optimization is on.")
    assert car_of(person)["is_smart_optimization_active"] is True

    person.presses("Charge now")
    person.sees_text("Charging starts at once when the car is plugged in next")
    assert car_of(person)["boost_for_next_session"] is True
    person.presses("Do not charge now")
    person.sees_text("nothing is to charge at once any more")
    assert car_of(person)["boost_for_next_session"] is False
    person.presses("Look again")
    person.sees("My devices")


def test_pause_and_charge_with_the_keyboard(meet: Meet) -> None:
    person = meet(reduced_motion="reduce")
    links_a_car(person)
    keyboard = Keyboard(person)

    keyboard.presses("Pause optimization")
    person.sees_text("You have paused this device.")
    keyboard.presses("Switch optimization on again")
    person.sees_text("Linked, and optimization is on.")
    keyboard.presses("Charge now")

    person.sees_text("Charging starts at once when the car is plugged in next")


def test_page_shows_by_itself_that_a_pause_has_taken_effect(
    meet: Meet, simulator: RunningSimulator
) -> None:
    person = meet()
    links_a_car(person)
    simulator.control.arm("update_device", "http_503", count=1)
    person.presses("Pause optimization")
    person.sees_text("Pausing: Podero has not confirmed yet.")

    other = person.opens_tab()
    other.opens("/optimize/devices/")
    other.presses("Switch optimization on again")
    other.sees_text("Linked, and optimization is on.")

    expect(person.page.locator("article.device .tag")).to_have_text("Working", timeout=15000)
