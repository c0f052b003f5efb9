"""The whole journey with Tab, Space, Enter and the arrow keys; where the focus is can be seen."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.conftest import Meet
from tests.browser.person import RIGHT_PASSWORD, TESLA, Person
from tests.browser.watch import Watch

MOST_STOPS = 60

_FOCUS = """
() => {
  const element = document.activeElement;
  // A choice may show it on the whole line that belongs to it.
  const shown = [element, element.closest("label")].filter(Boolean).map(
    one => getComputedStyle(one)
  );
  const box = element.getBoundingClientRect();
  return {
    isPage: element === document.body,
    name: element.outerHTML.slice(0, 120),
    outline: Math.max(...shown.map(
      style => style.outlineStyle === "none" ? 0 : parseFloat(style.outlineWidth)
    )),
    isInView: box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
    width: box.width,
  };
}
"""


@pytest.fixture
def person(meet: Meet) -> Person:
    """Without motion, so that a scroll has ended when the focus has moved."""
    return meet(reduced_motion="reduce")


class Keyboard:
    """Hands that never leave the keyboard."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self.page = person.page

    def tabs_to(self, target: Locator, *, backwards: bool = False) -> None:
        """Press Tab until the target has the focus; each stop on the way must be visible."""
        for _stop in range(MOST_STOPS):
            self.page.keyboard.press("Shift+Tab" if backwards else "Tab")
            self.sees_the_focus()
            if target.evaluate("element => element === document.activeElement"):
                return
        raise AssertionError(f"Tab never came to {target}")

    def sees_the_focus(self) -> None:
        focus = self.page.evaluate(_FOCUS)
        if not focus["isPage"]:
            assert focus["outline"] >= 2, f"focus cannot be seen: {focus['name']}"
            assert focus["isInView"], f"focus is out of view: {focus['name']}"
            assert focus["width"] > 1, f"focus is on something hidden: {focus['name']}"

    def goes_to(self, name: str) -> None:
        """Tab to a link and press Enter."""
        self.tabs_to(self.page.locator("main").get_by_role("link", name=name, exact=True).first)
        self.page.keyboard.press("Enter")

    def presses(self, name: str) -> None:
        """Tab to a button and press Enter."""
        self.tabs_to(self.page.locator("main").get_by_role("button", name=name, exact=True))
        self.page.keyboard.press("Enter")

    def ticks(self, label: str) -> None:
        box = self.page.get_by_label(label)
        self.tabs_to(box)
        self.page.keyboard.press("Space")
        expect(box).to_be_checked()

    def fills(self, label: str, words: str) -> None:
        self.tabs_to(self.page.get_by_label(label))
        self.page.keyboard.type(words)


def test_whole_journey(person: Person) -> None:
    keyboard = Keyboard(person)
    person.enters()
    keyboard.goes_to("Heat pump")
    person.sees("Run your heat pump more when electricity costs less")
    question = person.page.locator("summary").first
    keyboard.tabs_to(question)
    person.page.keyboard.press("Enter")
    expect(person.page.locator("details").first).to_have_attribute("open", "")
    button = person.page.locator("main").get_by_role("link", name="Optimize my devices")
    keyboard.tabs_to(button, backwards=True)
    person.page.keyboard.press("Enter")
    person.sees("Before you go to Podero")
    keyboard.tabs_to(person.page.get_by_label("Heat pump"))
    for _arrow in range(2):
        person.page.keyboard.press("ArrowUp")
    expect(person.page.get_by_label("I will choose there")).to_be_checked()
    keyboard.ticks("I agree that Podero controls")
    keyboard.ticks("exchange data about me")
    keyboard.presses("Agree and continue to Podero")

    person.is_at_podero()
    keyboard.tabs_to(person.page.get_by_label("Heat pump"))
    person.page.keyboard.press("ArrowDown")
    expect(person.page.get_by_label("Electric car")).to_be_checked()
    keyboard.presses("Continue")
    person.sees("Who made your electric car?")
    keyboard.ticks("Tesla")
    keyboard.presses("Continue")
    person.sees("Sign in to Tesla")
    keyboard.fills("User name", TESLA)
    keyboard.fills("Password", RIGHT_PASSWORD)
    person.page.keyboard.press("Enter")
    person.sees("Your device is connected")
    keyboard.goes_to("Back to your electricity provider")

    person.sees_it_working()
    keyboard.goes_to("See all my devices")
    person.sees("My devices")
    keyboard.goes_to("Link another device")
    person.sees("Let your devices run when electricity costs less")
    person.has_one_working_device()


def test_skip_link_leads_past_the_header(person: Person) -> None:
    person.enters()
    person.page.keyboard.press("Tab")
    skip = person.page.get_by_role("link", name="Skip to the main part")
    expect(skip).to_be_focused()
    Keyboard(person).sees_the_focus()
    person.page.keyboard.press("Enter")
    expect(person.page.locator("main")).to_be_focused()
    person.page.keyboard.press("Tab")

    expect(person.page.locator("main").get_by_role("link").first).to_be_focused()


def test_focus_goes_to_what_is_wrong(person: Person, watch: Watch) -> None:
    watch.accept(422)
    keyboard = Keyboard(person)
    person.enters("/optimize/consent/")
    keyboard.presses("Agree and continue to Podero")
    expect(person.page.locator(".error-summary")).to_be_focused()
    assert person.page.title().startswith("Error: ")
    keyboard.goes_to("Tick the box if you agree to the control of your devices")
    expect(person.page.get_by_label("I agree that Podero controls")).to_be_focused()
    person.page.keyboard.press("Space")
    keyboard.ticks("exchange data about me")
    keyboard.presses("Agree and continue to Podero")

    person.is_at_podero()


def test_signing_out_and_withdrawing(person: Person) -> None:
    keyboard = Keyboard(person)
    person.goes_to_podero("ev")
    person.page.goto(person.finishes())
    person.sees_it_working()
    keyboard.goes_to("Withdraw")
    person.sees("Withdraw")
    keyboard.presses("Confirm withdrawal")
    person.sees("You have withdrawn")
    keyboard.tabs_to(person.button("Sign out", inside="header"))
    person.page.keyboard.press("Enter")

    person.sees("Let your devices run when electricity costs less")
    expect(person.page.locator("header nav")).to_have_count(0)
