"""The sign-in page, and what support sees behind it."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from playwright.sync_api import expect

from tests.browser.conftest import DESKTOP, Meet
from tests.browser.person import Customer, Person
from tests.browser.watch import Watch


def test_customer_signs_in_and_out(person: Person) -> None:
    person.opens("/optimize/devices/")
    person.sees("Sign in")
    person.signs_in("Anna@example.com", "demo")
    person.sees("My devices")
    person.page.locator("header").get_by_role("link", name="Alpenstrom").click()
    person.sees("Let your devices run when electricity costs less")
    person.signs_out()
    expect(person.page.locator("header nav")).to_have_count(0)
    person.opens("/optimize/devices/")

    person.sees("Sign in")


def test_mistakes_when_signing_in(person: Person) -> None:
    person.opens("/sign-in/")
    person.presses("Sign in")
    expect(person.page.get_by_role("alert")).to_contain_text("Enter your e-mail address")
    person.signs_in("anna@example.com", "wrong")
    expect(person.page.get_by_role("alert")).to_contain_text("is not right")
    expect(person.page.locator(".error-summary")).to_be_focused()
    expect(person.page.get_by_label("E-mail address")).to_have_value("anna@example.com")
    person.signs_in("anna@example.com", "demo")

    person.sees("Let your devices run when electricity costs less")


def test_way_back_opened_signed_out_leads_through_the_sign_in_page(meet: Meet) -> None:
    bernd = meet(Customer("4712"))
    bernd.opens("/optimize/consent/?device_type=hp")
    bernd.signs_in("bernd@example.com", "demo")
    bernd.sees("Before you go to Podero")
    bernd.agrees()
    bernd.is_at_podero()
    phone = meet(Customer("4712"))
    phone.page.goto(bernd.finishes())
    phone.sees("Sign in")
    phone.signs_in("bernd@example.com", "demo")
    phone.says_it_is_theirs()
    assert phone.app.manage("sweep").returncode == 0

    phone.has_one_working_device()


def test_link_from_the_portal_works_once(person: Person, meet: Meet, watch: Watch) -> None:
    watch.accept(400)
    link = person.app.handoff_link(person.customer.number, person.customer.email)
    person.page.goto(link)
    person.sees("Let your devices run when electricity costs less")
    somebody = meet()
    somebody.page.goto(link)

    somebody.sees("This link was used already")
    assert somebody.page.url == f"{person.app.base_url}/enter/"


def test_command_prints_a_link_that_works(person: Person) -> None:
    done = person.app.manage(
        "handoff_link",
        *("--customer", person.customer.number, "--email", person.customer.email),
        *("--price-zone", "AT", "--next", "/optimize/devices/"),
    )
    person.page.goto(done.stdout.strip())

    person.sees("My devices")


def test_support_finds_what_happened(person: Person, meet: Meet) -> None:
    person.goes_to_podero("ev")
    person.links_tesla()
    person.comes_back()
    person.sees_it_working()
    code = person.page.locator("#help .code").inner_text()

    support = meet(viewport=DESKTOP)
    page = support.page
    support.opens("/sign-in/")
    support.signs_in("support@example.com", "demo")
    support.sees("What is on record")
    for name in ("Attempts", "Customers", "Devices"):
        page.locator("#content").get_by_role("link", name=name, exact=True).click()
        expect(page.locator("#result_list")).to_be_visible()
        page.locator("#searchbar").fill(code)
        page.get_by_role("button", name="Search").click()
        expect(page).to_have_url(re.compile(r"\?q="))
        page.locator(".breadcrumbs").get_by_role("link", name="Home").click()
        support.sees("What is on record")
    page.locator("#content").get_by_role("link", name="Attempts", exact=True).click()
    page.locator("#searchbar").fill(person.customer.number)
    page.get_by_role("button", name="Search").click()
    expect(page.locator("#result_list tbody tr")).to_have_count(1)
    page.get_by_role("link", name=code).click()
    timeline = page.locator("#events-group")
    for words in ("Consent given", "Sent to Podero's form", "Came back through success"):
        expect(timeline).to_contain_text(words)
    expect(timeline).to_contain_text("Device confirmed by Podero")
    shown = page.content()
    for session in person.sessions_at_podero:
        assert session["id"] not in shown
        assert urlsplit(session["success_url"]).path.split("/")[-3] not in shown


def test_support_is_no_customer(meet: Meet, watch: Watch) -> None:
    watch.accept(403)
    support = meet()
    support.opens("/sign-in/?next=/optimize/devices/")
    support.signs_in("support@example.com", "demo")
    support.sees("You are signed in as staff")
    support.presses("Sign out")

    support.sees("Let your devices run when electricity costs less")
