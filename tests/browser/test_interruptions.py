"""Reload, Back and lost cookies, at each step of the journey: no error page, no duplicate."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from tests.browser.person import Person
from tests.browser.watch import Watch
from tests.simulator.launch import RunningSimulator


def _is_started_without_podero(person: Person) -> None:
    person.simulator.control.arm("create_session", "http_503", count=1)
    person.enters("/optimize/consent/?device_type=ev")
    person.agrees()
    person.sees("Podero cannot be reached just now")


def test_reload_at_each_step(person: Person, watch: Watch) -> None:
    watch.accept(401, 422)
    page = person.page
    person.enters("/optimize/?device_type=ev")
    page.reload()
    person.follows("Optimize my devices")
    page.get_by_role("button", name="Agree and continue to Podero").wait_for()
    page.reload()
    person.presses("Agree and continue to Podero")
    person.sees_text("There is a problem")
    page.reload()
    person.sees_text("There is a problem")
    assert person.attempts == []

    person.agrees()
    person.is_at_podero()
    page.reload()
    person.chooses("Tesla")
    page.get_by_role("button", name="Connect Tesla").wait_for()
    page.reload()
    person.logs_in_as("somebody@example.com", "wrong", button="Connect Tesla")
    expect(page.get_by_role("alert")).to_contain_text("does not know this user name")
    page.reload()
    person.logs_in_as("demo-tesla@getfreeheat.com", "Demo1234", button="Connect Tesla")
    person.sees("Your device is connected")
    page.reload()
    way_back = page.get_by_role("link", name="Back to your electricity provider")
    address = way_back.get_attribute("href")
    person.comes_back()
    person.sees_it_working()
    page.reload()
    person.sees_it_working()
    page.goto(str(address))
    person.sees_it_working()

    assert person.states == ["linked"]
    assert len(person.sessions_at_podero) == 1
    person.has_one_working_device()


def test_reload_while_podero_is_down(person: Person, simulator: RunningSimulator) -> None:
    simulator.control.arm("*", "http_503", count=-1)
    person.enters("/optimize/consent/?device_type=ev")
    person.agrees()
    person.sees("Podero cannot be reached just now")
    for _time in range(3):
        person.page.reload()
        person.sees("Podero cannot be reached just now")
    simulator.control.clear_faults()
    person.is_at_podero()

    assert person.states == ["open"]
    assert len(person.sessions_at_podero) == 1


def test_reload_of_the_page_after_cancelling(person: Person) -> None:
    person.goes_to_podero("ev")
    person.cancels()
    person.sees("Nothing was linked")
    person.page.reload()
    person.sees("Nothing was linked")
    person.presses("Continue with a fresh form")
    person.is_at_podero()
    person.page.goto(person.finishes())

    person.sees_it_working()
    assert person.states == ["cancelled", "linked"]


def test_back_from_the_consent_page(person: Person) -> None:
    person.enters("/optimize/?device_type=ev")
    person.follows("Optimize my devices")
    person.page.go_back()
    person.sees("Charge your electric car when electricity costs less")
    person.page.go_forward()
    person.agrees()

    person.is_at_podero()
    assert person.states == ["open"]


def test_back_after_a_forgotten_box(person: Person, watch: Watch) -> None:
    watch.accept(422)
    person.enters("/optimize/consent/?device_type=ev")
    person.presses("Agree and continue to Podero")
    person.sees_text("There is a problem")
    person.page.go_back()
    person.sees("Before you go to Podero")
    expect(person.page.get_by_role("alert")).to_have_count(0)
    person.agrees()

    person.is_at_podero()
    assert person.states == ["open"]


def test_back_while_podero_is_down(person: Person) -> None:
    _is_started_without_podero(person)
    person.page.go_back()
    person.sees("Before you go to Podero")
    person.follows("Continue there")
    person.sees("Podero cannot be reached just now")
    person.is_at_podero()

    assert person.states == ["open"]
    assert len(person.sessions_at_podero) == 1


def test_back_inside_the_hosted_form(person: Person) -> None:
    person.goes_to_podero("ev")
    person.chooses("Tesla")
    person.page.get_by_role("button", name="Connect Tesla").wait_for()
    person.page.go_back()
    person.sees("Who made your electric car?")
    person.links_tesla()
    person.comes_back()

    person.sees_it_working()
    assert person.states == ["linked"]


def test_back_from_the_linked_page_to_the_finished_form(person: Person, watch: Watch) -> None:
    watch.accept(410)
    person.goes_to_podero("ev")
    person.links_tesla()
    person.comes_back()
    person.sees_it_working()
    person.page.go_back()
    person.sees("Your device is connected")
    person.comes_back()
    person.sees_it_working()
    person.page.go_back()
    person.page.go_back()
    person.page.go_back()
    person.page.go_back()
    person.sees("Before you go to Podero")
    unfinished = person.page.locator("main .notice").filter(has_text="You already started")
    expect(unfinished).to_have_count(0)

    assert person.states == ["linked"]
    person.has_one_working_device()


def test_back_from_the_cancelled_page(person: Person) -> None:
    person.goes_to_podero("ev")
    person.cancels()
    person.sees("Nothing was linked")
    person.page.go_back()
    person.is_at_podero()
    person.links_tesla()
    person.comes_back()

    person.sees_it_working()
    assert person.states == ["linked"]
    person.has_one_working_device()


def test_back_after_withdrawing(person: Person) -> None:
    person.goes_to_podero("ev")
    person.page.goto(person.finishes())
    person.sees_it_working()
    person.follows("Withdraw")
    person.presses("Confirm withdrawal")
    person.sees("You have withdrawn")
    person.page.go_back()

    person.sees("You have withdrawn")


def _on_the_start_page(person: Person) -> None:
    person.enters("/optimize/?device_type=ev")
    person.loses_cookies()
    person.follows("Optimize my devices")
    person.sees("Sign in")
    person.enters()
    person.agrees()
    person.is_at_podero()
    person.page.goto(person.finishes())


def _on_the_consent_page(person: Person) -> None:
    person.enters("/optimize/consent/?device_type=ev")
    person.loses_cookies()
    person.agrees()
    person.sees("Please try that once more")
    assert person.attempts == []
    person.enters("/optimize/consent/?device_type=ev")
    person.agrees()
    person.is_at_podero()
    person.page.goto(person.finishes())


def _while_podero_is_down(person: Person) -> None:
    _is_started_without_podero(person)
    person.loses_cookies()
    expect(person.page.get_by_role("heading", level=1)).not_to_have_text(
        "Podero cannot be reached just now"
    )
    person.enters("/optimize/devices/")
    person.page.locator("main .notice a").click()
    person.presses("Try again now")
    person.is_at_podero()
    person.page.goto(person.finishes())


def _on_the_hosted_form(person: Person) -> None:
    person.goes_to_podero("ev")
    person.loses_cookies()
    person.links_tesla()
    person.comes_back()
    person.sees("Sign in")
    person.enters()
    person.says_it_is_theirs()


def _on_the_cancelled_page(person: Person) -> None:
    person.goes_to_podero("ev")
    person.cancels()
    person.sees("Nothing was linked")
    person.loses_cookies()
    person.presses("Continue with a fresh form")
    person.sees("Please try that once more")
    person.enters("/optimize/devices/")
    person.opens(f"/optimize/attempts/{person.attempts[0][0]}/")
    person.presses("Continue with a fresh form")
    person.is_at_podero()
    person.page.goto(person.finishes())


def _before_cancelling(person: Person) -> None:
    person.goes_to_podero("ev")
    person.loses_cookies()
    person.cancels()
    person.sees("Sign in")
    person.enters()
    person.sees("Not finished yet")
    person.presses("Continue with a fresh form")
    person.is_at_podero()
    person.page.goto(person.finishes())


def _on_the_linked_page(person: Person) -> None:
    person.goes_to_podero("ev")
    person.page.goto(person.finishes())
    person.sees_it_working()
    here = urlsplit(person.page.url).path
    person.loses_cookies()
    person.page.reload()
    person.sees("Sign in")
    person.enters()
    person.sees_it_working()
    assert person.path == here


@pytest.mark.parametrize(
    "go_through",
    [
        _on_the_start_page,
        _on_the_consent_page,
        _while_podero_is_down,
        _on_the_hosted_form,
        _before_cancelling,
        _on_the_cancelled_page,
        _on_the_linked_page,
    ],
    ids=lambda go_through: go_through.__name__.removeprefix("_"),
)
def test_cookies_cleared(
    person: Person, watch: Watch, go_through: Callable[[Person], None]
) -> None:
    watch.accept(401, 403)  # the status address asks to sign in; a form that has run out says so
    go_through(person)

    _sweep(person)
    person.has_one_working_device()
    assert len(person.users_at_podero) == 1


def _sweep(person: Person) -> None:
    """What worker and beat would do in the meantime."""
    done = person.app.manage("sweep")
    assert done.returncode == 0, done.stderr
