"""Stopping at Podero's page, at any step, and going on after all."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.person import NIBE, RIGHT_PASSWORD, TESLA, Person
from tests.browser.watch import Watch


def _at_the_choice_of_device(person: Person) -> None:
    person.enters("/optimize/consent/")
    person.agrees()
    person.sees("What would you like to connect?")


def _at_the_choice_of_maker(person: Person) -> None:
    _at_the_choice_of_device(person)
    person.chooses("Heat pump")
    person.sees("Who made your heat pump?")


def _at_the_login_form(person: Person) -> None:
    person.goes_to_podero("ev")
    person.chooses("Tesla")
    person.sees("Sign in to Tesla")


def _at_the_refused_login_form(person: Person) -> None:
    _at_the_login_form(person)
    person.logs_in_as(TESLA, "wrong", button="Connect Tesla")
    person.sees("Sign in to Tesla")


def _at_the_makers_sign_in(person: Person) -> None:
    person.goes_to_podero("hp")
    person.chooses("Nibe")
    person.sees("Sign in to Nibe myUplink")


def _at_the_makers_question(person: Person) -> None:
    _at_the_makers_sign_in(person)
    person.logs_in_as(NIBE, RIGHT_PASSWORD, button="Sign in")
    person.sees("Allow access to your Nibe?")


@pytest.mark.parametrize(
    "come_to",
    [
        _at_the_choice_of_device,
        _at_the_choice_of_maker,
        _at_the_login_form,
        _at_the_refused_login_form,
        _at_the_makers_sign_in,
        _at_the_makers_question,
    ],
    ids=lambda come_to: come_to.__name__.removeprefix("_at_the_"),
)
def test_cancel_and_try_again(person: Person, watch: Watch, come_to: object) -> None:
    watch.accept(401)
    assert callable(come_to)
    come_to(person)
    person.cancels()

    person.sees("Nothing was linked")
    assert person.state == "cancelled"

    person.presses("Continue with a fresh form")
    person.is_at_podero()
    if person.page.get_by_label("Electric car", exact=True).count():
        person.chooses("Electric car")
    if person.page.get_by_label("Nibe", exact=True).count():
        person.links_nibe()
    else:
        person.links_tesla()
    person.comes_back()

    person.sees_it_working()
    person.has_one_working_device()
    assert person.states == ["cancelled", "linked"]
    assert len(person.users_at_podero) == 1


def test_back_button_from_the_hosted_form(person: Person) -> None:
    person.enters("/optimize/?device_type=ev")
    person.follows("Optimize my devices")
    person.agrees()
    person.is_at_podero()
    person.page.go_back()

    person.sees("Before you go to Podero")
    notice = person.page.locator("main .notice")
    expect(notice).to_contain_text("You already started on")
    expect(person.button("Agree and continue to Podero")).to_be_enabled()

    person.follows("Continue there")
    person.sees("Not finished yet")
    person.presses("Continue with a fresh form")
    person.is_at_podero()
    person.links_tesla()
    person.comes_back()

    person.sees_it_working()
    assert person.states == ["open", "linked"]
    assert len(person.users_at_podero) == 1
    # What was continued is finished: nobody is asked to continue it once more.
    person.has_one_working_device()


def test_back_button_from_the_hosted_form_and_agreeing_anew(person: Person) -> None:
    person.goes_to_podero("ev")
    person.page.go_back()
    person.sees("Before you go to Podero")
    person.agrees()
    person.is_at_podero()
    person.links_tesla()
    person.comes_back()

    person.sees_it_working()
    assert person.states == ["open", "linked"]
    assert len(person.users_at_podero) == 1


def test_old_form_is_finished_after_a_fresh_one_was_opened(person: Person) -> None:
    person.goes_to_podero("ev")
    old_form = person.page.url
    person.page.go_back()
    person.follows("Continue there")
    person.presses("Continue with a fresh form")
    person.is_at_podero()
    person.page.goto(old_form)
    person.links_tesla()
    person.comes_back()

    person.sees_it_working()
    assert person.states == ["linked", "open"]


def test_hosted_form_that_has_expired(person: Person, watch: Watch) -> None:
    watch.accept(410)  # the simulator's answer
    person.goes_to_podero("ev")
    person.simulator.control.expire_session(person.sessions_at_podero[0]["id"])
    person.page.reload()
    person.sees("This form has expired")
    person.opens("/optimize/devices/")
    person.follows("Continue there (" + _shown_date(person) + ")")
    person.sees("Not finished yet")
    person.presses("Continue with a fresh form")
    person.is_at_podero()
    person.links_tesla()
    person.comes_back()

    person.sees_it_working()


def _shown_date(person: Person) -> str:
    """The part of the link that only screen readers get, which names the attempt."""
    hidden = person.page.locator("main .notice a .unseen").inner_text()
    return hidden.strip().strip("()")


def test_page_of_the_first_try_leads_to_the_second(person: Person) -> None:
    person.goes_to_podero("ev")
    person.cancels()
    person.sees("Nothing was linked")
    first = person.path
    person.presses("Continue with a fresh form")
    person.is_at_podero()
    person.opens(first)
    expect(person.button("Continue with a fresh form")).to_have_count(0)
    person.follows("Go to the newer one")

    person.sees("Not finished yet")
    assert person.reference == person.attempts[1][0]
