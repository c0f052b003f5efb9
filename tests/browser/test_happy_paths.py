"""From the first page to a working device, as most customers will go."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import DESKTOP, Meet
from tests.browser.person import RIGHT_PASSWORD, TESLA, Person
from tests.browser.watch import Watch


def test_heat_pump_of_a_maker_with_its_own_sign_in_page(person: Person) -> None:
    person.enters()
    person.sees("Let your devices run when electricity costs less")
    person.follows("Heat pump")
    person.sees("Run your heat pump more when electricity costs less")
    person.opens_all_answers()
    expect(person.page.locator("details[open]")).to_have_count(10)
    person.follows("Optimize my devices")
    person.sees("Before you go to Podero")
    expect(person.page.get_by_label("Heat pump")).to_be_checked()
    person.agrees()
    person.is_at_podero()
    person.links_nibe()
    person.comes_back()

    person.sees_it_working()
    assert person.state == "linked"
    person.follows("See all my devices")
    person.sees("My devices")
    person.has_one_working_device()
    assert person.states == ["linked"]
    assert len(person.sessions_at_podero) == 1


def test_car_of_a_maker_without_its_own_sign_in_page(meet: Meet) -> None:
    person = meet(viewport=DESKTOP)
    person.enters()
    person.follows("Electric car")
    person.follows("Optimize my devices")
    person.agrees()
    person.is_at_podero()
    person.links_tesla()
    person.comes_back()

    person.sees_it_working()
    person.has_one_working_device()
    assert len(person.sessions_at_podero) == 1


def test_choosing_the_kind_of_device_at_podero(person: Person) -> None:
    person.enters()
    person.follows("Optimize my devices")
    expect(person.page.get_by_label("I will choose there")).to_be_checked()
    person.agrees()
    person.chooses("Electric car")
    person.links_tesla()
    person.comes_back()

    person.sees_it_working()
    person.has_one_working_device()


def test_wrong_password_at_the_maker_first(person: Person, watch: Watch) -> None:
    watch.accept(401)  # the simulator's answer to a wrong password
    person.goes_to_podero("ev")
    person.chooses("Tesla")
    person.logs_in_as(TESLA, "wrong", button="Connect Tesla")
    expect(person.page.get_by_role("alert")).to_contain_text("does not know this user name")
    person.logs_in_as(TESLA, RIGHT_PASSWORD, button="Connect Tesla")
    person.comes_back()

    person.sees_it_working()
    person.has_one_working_device()


def test_wrong_password_at_the_makers_own_page_first(person: Person, watch: Watch) -> None:
    watch.accept(401)
    person.goes_to_podero("hp")
    person.chooses("Nibe")
    person.logs_in_as("somebody@example.com", "wrong", button="Sign in")
    expect(person.page.get_by_role("alert")).to_contain_text("does not know this user name")
    person.logs_in_as("demomyuplink@nibe.se", RIGHT_PASSWORD, button="Sign in")
    person.page.get_by_role("button", name="Allow access").click()
    person.comes_back()

    person.sees_it_working()
    person.has_one_working_device()
