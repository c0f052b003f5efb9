"""Withdrawing takes two steps from any page, and ends with a dated acknowledgement."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.conftest import Meet
from tests.browser.person import Person

_DUE_NOW = (
    "from django.utils.timezone import now;"
    "from onboarding.models import Device; Device.objects.update(next_try_at=now())"
)
_A_MOMENT = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")


def test_withdraw_in_two_steps(person: Person) -> None:
    person.goes_to_podero("ev")
    person.page.goto(person.finishes())
    person.sees_it_working()
    person.page.locator("header").get_by_role("link", name="Withdraw").click()
    person.sees("Withdraw")
    person.sees_text("Tesla Model 3")
    person.presses("Confirm withdrawal")
    person.sees("You have withdrawn")
    person.sees_text(f"customer number {person.customer.number}")
    expect(person.page.locator("main time")).to_have_attribute("datetime", _A_MOMENT)
    person.sees_text("Podero has confirmed that optimization is off, and that it has removed")
    person.sees_text("Tesla: sign in to your Tesla account")

    (device,) = person.devices_at_podero
    assert device["fields"]["is_smart_optimization_active"] is False
    assert device["fields"]["deleted_at"] is not None
    assert person.users_at_podero[0]["deleted_at"] is not None
    person.opens("/optimize/devices/")
    person.sees_text("You withdrew on")
    expect(person.page.locator("article.device")).to_have_count(0)


def test_withdrawing_while_podero_is_down(person: Person) -> None:
    person.goes_to_podero("ev")
    person.page.goto(person.finishes())
    person.sees_it_working()
    person.simulator.control.arm("*", "http_503", count=-1)
    person.opens("/optimize/leave/")
    person.presses("Confirm withdrawal")
    person.sees("You have withdrawn")
    person.sees_text("Podero has not confirmed yet that optimization is off.")
    person.opens("/optimize/devices/")
    expect(person.page.locator("article.device .tag")).to_have_text("Being removed")

    person.simulator.control.clear_faults()
    assert person.app.manage("shell", "-v", "0", "-c", _DUE_NOW).returncode == 0
    assert person.app.manage("sweep").returncode == 0

    person.opens("/optimize/leave/done/")
    person.sees_text("Podero has confirmed that optimization is off, and that it has removed")


def test_removing_one_device_without_script(meet: Meet) -> None:
    person = meet(java_script_enabled=False)
    person.goes_to_podero("ev")
    person.page.goto(person.finishes())
    person.sees_it_working()
    person.opens("/optimize/devices/")
    person.page.locator("article.device").get_by_role("link", name="Remove this device").click()
    person.sees("Remove this device?")
    person.follows("Do not remove: go to My devices")
    person.has_one_working_device()
    person.page.locator("article.device").get_by_role("link", name="Remove this device").click()
    person.presses("Remove this device")

    person.sees("The device is removed")
    person.page.reload()
    person.sees("The device is removed")
    person.follows("Go to My devices")
    person.sees_text("No device is linked yet.")
    (device,) = person.devices_at_podero
    assert device["fields"]["deleted_at"] is not None
    assert person.users_at_podero[0]["deleted_at"] is None


def test_saying_what_got_in_the_way_without_script(meet: Meet) -> None:
    person = meet(java_script_enabled=False)
    person.goes_to_podero("ev")
    person.opens("/optimize/leave/")
    person.presses("Confirm withdrawal")
    person.sees_text("Your withdrawal is complete either way.")
    person.presses("I would rather not say")

    person.sees("You have withdrawn")
    person.sees_text("Your answer is counted, without your name.")


def test_changing_ones_mind_at_the_second_step(person: Person) -> None:
    person.goes_to_podero("ev")
    person.page.goto(person.finishes())
    person.opens("/optimize/leave/")
    person.follows("Do not withdraw: go to My devices")

    person.sees("My devices")
    person.has_one_working_device()


def test_nothing_to_withdraw(person: Person) -> None:
    person.enters("/optimize/leave/")

    person.sees_text("there is nothing to withdraw")
    expect(person.page.locator("main").get_by_role("button")).to_have_count(0)


def test_starting_again_after_withdrawing(person: Person) -> None:
    person.goes_to_podero("ev")
    person.opens("/optimize/leave/")
    person.presses("Confirm withdrawal")
    person.sees("You have withdrawn")
    person.sees_text("None was linked")
    person.follows("start from the beginning")
    person.follows("Electric car")
    person.follows("Optimize my devices")
    person.agrees()
    person.is_at_podero()
    person.links_tesla()
    person.comes_back()

    person.sees_it_working()
    person.has_one_working_device()
