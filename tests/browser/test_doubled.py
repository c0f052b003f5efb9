"""Twice instead of once: double clicks, two tabs, two ways back."""

from __future__ import annotations

import re
import time
from contextlib import suppress

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Meet
from tests.browser.person import Person
from tests.simulator.launch import RunningSimulator

AGREE = "Agree and continue to Podero"


@pytest.fixture(params=[True, False], ids=["script", "no-script"])
def person(request: pytest.FixtureRequest, meet: Meet, simulator: RunningSimulator) -> Person:
    """Somebody who waits so long for Podero that there is time for a second click."""
    simulator.control.settings(latency_ms=300)
    return meet(java_script_enabled=request.param, reduced_motion="reduce")


def _is_at_podero(person: Person) -> bool:
    return person.page.url.startswith(person.simulator.base_url)


def _reaches_the_form(person: Person) -> None:
    """After two clicks: on the form, or on the attempt's page, from where it goes on."""
    heading = person.page.get_by_role("heading", level=1)
    expect(heading).not_to_have_text("Before you go to Podero")
    if not _is_at_podero(person):
        # The answer with the hosted address went to the click that the browser forgot.
        expect(heading).to_have_text(re.compile("One moment, please|Not finished yet"))
        assert len(person.sessions_at_podero) <= 1


def test_double_click_on_agree(person: Person) -> None:
    person.enters("/optimize/consent/?device_type=ev")
    person.ticks_both()
    person.button(AGREE).dblclick()
    _reaches_the_form(person)

    assert len(person.attempts) == 1
    _goes_on_until_it_works(person)


def test_two_quick_clicks_on_agree(person: Person) -> None:
    person.enters("/optimize/consent/?device_type=ev")
    person.ticks_both()
    button = person.button(AGREE)
    button.scroll_into_view_if_needed()
    box = button.bounding_box()
    assert box
    for _click in range(2):
        person.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    _reaches_the_form(person)

    assert len(person.attempts) == 1
    _goes_on_until_it_works(person)


def _goes_on_until_it_works(person: Person) -> None:
    fresh = person.button("Continue with a fresh form")
    ends_at = time.monotonic() + 15
    while not (_is_at_podero(person) or fresh.count()) and time.monotonic() < ends_at:
        with suppress(AssertionError):
            expect(fresh).to_be_visible(timeout=1000)
        person.page.reload()
    if not _is_at_podero(person):
        fresh.click()
    person.is_at_podero()
    person.page.goto(person.finishes())
    person.sees_it_working()
    person.has_one_working_device()
    assert len(person.users_at_podero) == 1


def test_double_click_makes_one_session_at_podero(meet: Meet, simulator: RunningSimulator) -> None:
    simulator.control.settings(latency_ms=300)
    person = meet()
    person.enters("/optimize/consent/?device_type=ev")
    person.ticks_both()
    person.button(AGREE).dblclick()
    person.is_at_podero()

    assert len(person.attempts) == 1
    assert len(person.sessions_at_podero) == 1


def test_double_click_on_continue(person: Person) -> None:
    person.goes_to_podero("ev")
    person.cancels()
    person.sees("Nothing was linked")
    person.button("Continue with a fresh form").dblclick()
    heading = person.page.get_by_role("heading", level=1)
    expect(heading).not_to_have_text("Nothing was linked")

    assert len(person.attempts) == 2


def test_two_tabs_agree_at_once_and_both_come_back(meet: Meet, simulator: RunningSimulator) -> None:
    one = meet()
    one.enters("/optimize/consent/?device_type=ev")
    other = one.opens_tab()
    other.opens("/optimize/consent/?device_type=hp")
    tabs = (one, other)
    simulator.control.settings(latency_ms=300)
    for tab in tabs:
        tab.ticks_both()
    for tab in tabs:
        form = tab.page.locator("main form")
        form.evaluate("form => setTimeout(() => form.requestSubmit(), 50)")
    for tab in tabs:
        tab.page.bring_to_front()
        tab.is_at_podero()

    assert len(one.users_at_podero) == 1
    assert one.states == ["open", "open"]

    one.links_tesla()
    other.links_nibe()
    for tab in tabs:
        way_back = tab.page.get_by_role("link", name="Back to your electricity provider")
        way_back.evaluate("link => setTimeout(() => link.click(), 50)")
    for tab in tabs:
        tab.sees_it_working(within_seconds=15)

    assert one.states == ["linked", "linked"]
    one.opens("/optimize/devices/")
    expect(one.page.locator("article.device .tag")).to_have_text(["Working", "Working"])


def test_same_consent_page_sent_from_two_tabs(meet: Meet) -> None:
    """A tab that was duplicated carries the same number: it is the same press."""
    one = meet()
    one.enters("/optimize/consent/?device_type=ev")
    number = one.page.locator("input[name=submission]").input_value()
    other = one.opens_tab()
    other.opens("/optimize/consent/?device_type=ev")
    other.page.locator("input[name=submission]").evaluate(
        "(input, number) => { input.value = number; }", number
    )
    one.agrees()
    one.is_at_podero()
    other.agrees()
    other.sees("Not finished yet")

    assert one.states == ["open"]
    assert len(one.sessions_at_podero) == 1


def test_two_tabs_open_the_same_way_back(person: Person) -> None:
    person.goes_to_podero("ev")
    way_back = person.finishes()
    other = person.opens_tab()
    person.page.goto(way_back)
    other.page.goto(way_back)
    person.sees_it_working()
    other.sees_it_working()

    assert person.states == ["linked"]
    person.has_one_working_device()
