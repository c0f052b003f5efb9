"""Podero is down when the customer agrees, and comes back, or does not."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import Meet
from tests.browser.person import Person
from tests.simulator.launch import RunningSimulator

# As many tries as the page makes by itself, each later than the one before, and more than that.
MANY = 12


def _agrees_while_podero_is_down(person: Person) -> None:
    person.simulator.control.arm("*", "http_503", count=-1)
    person.enters("/optimize/consent/?device_type=ev")
    person.agrees()
    person.sees("Podero cannot be reached just now")


def test_page_goes_on_by_itself_when_podero_is_back(
    person: Person, simulator: RunningSimulator
) -> None:
    _agrees_while_podero_is_down(person)
    person.sees_text("your agreement is recorded")
    person.sees_text("This page tries again by itself")
    assert person.state == "started"

    simulator.control.clear_faults()
    person.is_at_podero()
    person.links_tesla()
    person.comes_back()

    person.sees_it_working()
    assert person.states == ["linked"]
    assert len(person.sessions_at_podero) == 1


def test_page_gives_up_kindly_and_the_button_still_works(
    person: Person, simulator: RunningSimulator
) -> None:
    person.page.clock.install()
    _agrees_while_podero_is_down(person)
    form = person.page.locator("form[data-retry-ms]")
    tries = 1
    while form.count() and tries < MANY:
        # The browser's clock runs ahead of the app's, to which all this happens within seconds.
        person.app.forget_podero()
        with person.page.expect_navigation():
            person.page.clock.fast_forward(90_000)
        person.sees("Podero cannot be reached just now")
        tries += 1

    assert tries == 7
    person.sees_text("You can close this page and come back later today")
    expect(person.page.locator("#help")).to_contain_text(person.reference[:8].upper())

    simulator.control.clear_faults()
    person.presses("Try again now")
    person.is_at_podero()
    person.links_tesla()
    person.comes_back()

    person.sees_it_working()
    assert person.states == ["linked"]


def test_stopping_while_podero_is_down_and_coming_back_later(
    person: Person, simulator: RunningSimulator
) -> None:
    simulator.control.arm("create_session", "http_429_retry_after", count=-1, seconds=60)
    person.enters("/optimize/consent/?device_type=ev")
    person.agrees()
    person.sees("Podero is busy just now")
    person.follows("Stop here and go to My devices")
    person.sees("My devices")

    simulator.control.clear_faults()
    person.page.locator("main .notice a").click()
    person.sees("Podero is busy just now")
    person.presses("Try again now")
    person.sees("Podero is busy just now")
    assert len(simulator.control.requests_to("create_session")) == 1

    # The minute that Podero asked for is over.
    person.app.forget_podero()
    # A process looks at the breaker a few times a second.
    person.page.wait_for_timeout(1500)
    person.presses("Try again now")
    person.is_at_podero()
    person.links_tesla()
    person.comes_back()

    person.sees_it_working()


def test_lost_answer_to_making_the_user_makes_no_second_one(
    person: Person, simulator: RunningSimulator
) -> None:
    simulator.control.arm("create_user", "reset_after", count=1)
    person.enters("/optimize/consent/?device_type=ev")
    person.agrees()
    person.is_at_podero()

    assert len(person.users_at_podero) == 1
    assert person.states == ["open"]


def test_form_that_podero_refuses_for_good(person: Person, simulator: RunningSimulator) -> None:
    simulator.control.arm("create_session", "http_422", count=1)
    person.enters("/optimize/consent/?device_type=ev")
    person.agrees()
    person.sees("It did not work")
    person.presses("Try again")
    person.is_at_podero()

    assert person.states == ["failed", "open"]


def test_address_that_leads_elsewhere_is_never_followed(
    person: Person, simulator: RunningSimulator
) -> None:
    simulator.control.arm("create_session", "foreign_authentication_url", count=-1, variant="host")
    person.enters("/optimize/consent/?device_type=ev")
    person.agrees()

    person.sees("It did not work")


def test_other_pages_stay_open_while_podero_hangs(meet: Meet, simulator: RunningSimulator) -> None:
    waiting, other = meet(), meet()
    waiting.enters("/optimize/consent/?device_type=ev")
    waiting.ticks_both()
    simulator.control.arm("*", "timeout_before", count=-1, seconds=30)
    waiting.page.locator("main form").evaluate("form => setTimeout(() => form.requestSubmit(), 0)")
    other.enters("/optimize/devices/")
    other.sees("My devices")

    simulator.control.clear_faults()
    expect(waiting.page.get_by_role("heading", level=1)).not_to_have_text("Before you go to Podero")
