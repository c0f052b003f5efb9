"""The whole journey in a browser without script."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Meet
from tests.browser.person import Person
from tests.browser.watch import Watch
from tests.simulator.launch import RunningSimulator


@pytest.fixture
def person(meet: Meet) -> Person:
    return meet(java_script_enabled=False)


def test_everything_goes_well(person: Person) -> None:
    person.enters()
    person.follows("Heat pump")
    person.opens_all_answers()
    person.follows("Optimize my devices")
    person.agrees()
    person.is_at_podero()
    person.links_nibe()
    person.comes_back()

    person.sees_it_working()
    person.has_one_working_device()


def test_podero_down_at_both_ends(person: Person, simulator: RunningSimulator) -> None:
    simulator.control.arm("*", "http_503", count=-1)
    person.enters("/optimize/consent/?device_type=ev")
    person.agrees()
    person.sees("Podero cannot be reached just now")
    expect(person.page.get_by_text("This page tries again by itself")).not_to_be_visible()
    person.presses("Try again now")
    person.sees("Podero cannot be reached just now")
    simulator.control.clear_faults()
    person.presses("Try again now")
    person.is_at_podero()
    person.links_tesla()

    simulator.control.arm("*", "http_503", count=-1)
    person.comes_back()
    person.sees("We are checking with Podero")
    expect(person.page.get_by_text("This page shows the answer by itself")).not_to_be_visible()
    simulator.control.clear_faults()
    person.presses("Check again now")

    person.sees("Your device is linked")
    assert person.states == ["linked"]


def test_forgotten_box(person: Person, watch: Watch) -> None:
    watch.accept(422)
    person.enters("/optimize/consent/")
    person.page.get_by_label("I agree that Podero controls").check()
    person.page.get_by_label("Wallbox").check()
    person.presses("Agree and continue to Podero")
    expect(person.page.get_by_role("alert")).to_contain_text("There is a problem")
    person.follows("Tick the box if you agree to the exchange of data")
    expect(person.page.get_by_label("I agree that Podero controls")).to_be_checked()
    expect(person.page.get_by_label("Wallbox")).to_be_checked()
    person.page.get_by_label("exchange data about me").check()
    person.presses("Agree and continue to Podero")

    person.is_at_podero()
    assert person.states == ["open"]


def test_withdrawing(person: Person) -> None:
    person.goes_to_podero("ev")
    person.links_tesla()
    person.comes_back()
    person.sees_it_working()
    person.follows("Withdraw")
    person.presses("Confirm withdrawal")

    person.sees("You have withdrawn")
    expect(person.page.get_by_role("button", name="Print this page")).not_to_be_visible()
