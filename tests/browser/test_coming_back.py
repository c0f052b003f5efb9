"""The person who comes back is the person who left, or is asked, or is turned away."""

from __future__ import annotations

from urllib.parse import urlsplit

from playwright.sync_api import expect

from tests.browser.conftest import Meet
from tests.browser.person import Person
from tests.browser.watch import Watch


def _works_after_the_worker_ran(person: Person) -> None:
    assert person.app.manage("sweep").returncode == 0
    person.has_one_working_device()


def test_finished_on_another_phone(person: Person, meet: Meet) -> None:
    person.goes_to_podero("ev")
    phone = meet(person.customer)
    phone.enters()
    phone.page.goto(person.finishes())
    phone.sees("Is this your device?")
    phone.sees_text("Tesla Model 3")
    phone.says_it_is_theirs()

    _works_after_the_worker_ran(phone)
    assert person.states == ["linked"]


def test_finished_on_a_phone_that_is_signed_out(person: Person, meet: Meet) -> None:
    person.goes_to_podero("ev")
    phone = meet(person.customer)
    phone.page.goto(person.finishes())
    phone.sees("Sign in")
    phone.enters()
    phone.says_it_is_theirs()

    _works_after_the_worker_ran(phone)


def test_finished_on_another_phone_and_looked_up_on_the_first(person: Person, meet: Meet) -> None:
    person.goes_to_podero("ev")
    person.finishes()
    person.page.go_back()
    person.follows("Continue there")
    person.presses("Check again now")
    person.says_it_is_theirs()

    _works_after_the_worker_ran(person)


def test_somebody_else_is_signed_in(person: Person, meet: Meet, watch: Watch) -> None:
    watch.accept(403)
    person.goes_to_podero("ev")
    way_back = person.finishes()
    other = meet()
    other.enters()
    other.page.goto(way_back)
    other.sees("Somebody else is signed in here")
    assert person.states == ["open"]
    assert other.states == []
    other.follows("Go to My devices")
    expect(other.page.locator("article.device")).to_have_count(0)

    person.page.goto(way_back)
    person.sees_it_working()


def test_somebody_else_signs_out_and_the_right_one_in(
    person: Person, meet: Meet, watch: Watch
) -> None:
    watch.accept(403)
    person.goes_to_podero("ev")
    way_back = person.finishes()
    family = meet()
    family.enters()
    family.page.goto(way_back)
    family.presses("Sign out")
    family.sees("Let your devices run when electricity costs less")
    right_one = Person(
        family.page, app=person.app, simulator=person.simulator, customer=person.customer
    )
    right_one.enters()
    right_one.page.goto(way_back)
    right_one.says_it_is_theirs()

    _works_after_the_worker_ran(right_one)


def test_way_back_that_nobody_knows(person: Person, watch: Watch) -> None:
    watch.accept(404)
    person.enters()
    person.opens("/optimize/return/not-a-token-that-we-made/success/?deviceId=1")

    person.sees("We do not know this way back")


def test_page_of_another_customers_attempt(person: Person, meet: Meet, watch: Watch) -> None:
    watch.accept(404)
    person.goes_to_podero("ev")
    person.page.goto(person.finishes())
    person.sees_it_working()
    other = meet()
    other.enters()
    other.page.goto(person.page.url)

    other.sees("Page not found")


def test_way_back_in_the_address_bar_is_clean(person: Person) -> None:
    person.goes_to_podero("ev")
    way_back = person.finishes()
    token = urlsplit(way_back).path.split("/")[-3]
    person.page.goto(way_back)
    person.sees_it_working()

    assert token not in person.page.url
    assert token not in person.page.content()
    assert urlsplit(person.page.url).query == ""
