"""How people behave. Each story is a generator: what it yields are the seconds the person waits."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable

from drill.browser import Page
from drill.customers import NEXT_DAY, Customer, GaveUp, Waits

Story = Callable[[Customer], Waits]


def _soon(customer: Customer) -> float:
    return customer.rng.uniform(0.1, 1.5)


def _at_once(*acts: Callable[[], Page]) -> list[Page]:
    """Do these at the same instant; what comes of each that ends."""
    results: list[Page] = []
    failures: list[GaveUp] = []

    def run(act: Callable[[], Page]) -> None:
        try:
            results.append(act())
        except GaveUp as failure:
            failures.append(failure)

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return results


def _finish_and_return(customer: Customer, session: str) -> Waits:
    yield _soon(customer)
    way = customer.finish(session)
    if way:
        yield _soon(customer)
        customer.come_back(way, session)


def straight(customer: Customer) -> Waits:
    """Does everything as meant, and looks at the result."""
    customer.enter()
    session = yield from customer.agree()
    if session:
        yield from _finish_and_return(customer, session)
        yield _soon(customer)
        customer.go("/optimize/devices/")


def double_click(customer: Customer) -> Waits:
    """Presses the button twice at the same instant, then goes on wherever that led."""
    customer.enter()
    form = customer.consent_form()
    yield _soon(customer)
    tab = customer.browser.second_tab()
    pages = _at_once(
        lambda: customer.press(form, is_consent=True),
        lambda: customer.press(form, is_consent=True, browser=tab),
    )
    tab.hang_up()
    sessions = [customer.session_in(page) for page in pages if customer.session_in(page)]
    session = sessions[0] if sessions else (yield from customer.until_sent(pages[0]))
    if session:
        yield from _finish_and_return(customer, session)


def back_button(customer: Customer) -> Waits:
    """Goes back from Podero's form, presses the same button again, then continues afresh."""
    customer.enter()
    form = customer.consent_form()
    customer.press(form, is_consent=True)
    yield _soon(customer)
    page = customer.press(form, is_consent=True)
    session = yield from customer.until_sent(page)
    if session:
        yield from _finish_and_return(customer, session)


def two_tabs(customer: Customer) -> Waits:
    """Agrees in two tabs; finishes one or both, or cancels the other."""
    customer.enter()
    tab = customer.browser.second_tab()
    first, second = customer.consent_form(), customer.consent_form(browser=tab)
    yield _soon(customer)
    pages = _at_once(
        lambda: customer.press(first, is_consent=True),
        lambda: customer.press(second, is_consent=True, browser=tab),
    )
    tab.hang_up()
    for number, page in enumerate(pages):
        session = yield from customer.until_sent(page)
        if not session:
            continue
        yield _soon(customer)
        is_cancelled = number == 1 and customer.rng.random() < 0.5
        way = customer.cancel(session) if is_cancelled else customer.finish(session)
        if way:
            customer.come_back(way, session)


def leaves_for_good(customer: Customer) -> Waits:
    """Is sent to the form and never seen again."""
    customer.enter()
    yield from customer.agree()


def links_and_vanishes(customer: Customer) -> Waits:
    """Links a device and closes the window; is asked a day later, and may say yes."""
    customer.enter()
    session = yield from customer.agree()
    if not session:
        return
    yield _soon(customer)
    customer.finish(session)
    if customer.rng.random() < 0.5:
        yield NEXT_DAY
        customer.enter(next_path="/optimize/devices/")
        customer.confirm_devices()


def next_day(customer: Customer) -> Waits:
    """Comes back a day later and continues, or finishes the form that is still open."""
    customer.enter()
    session = yield from customer.agree()
    yield NEXT_DAY
    way = customer.finish(session) if session and customer.rng.random() < 0.5 else ""
    if way:
        customer.come_back(way, session)
        return
    page = customer.enter(next_path="/optimize/consent/")
    link = page.text.partition('href="/optimize/attempts/')[2].partition('"')[0]
    if link:
        page = customer.go(f"/optimize/attempts/{link}")
        session = yield from customer.until_sent(page)
    else:
        session = yield from customer.agree()
    if session:
        yield from _finish_and_return(customer, session)


def cancels(customer: Customer) -> Waits:
    """Gives up in the form; half of them try again, and half of those finish."""
    customer.enter()
    session = yield from customer.agree()
    way = customer.cancel(session) if session else ""
    if not way:
        return
    yield _soon(customer)
    page = customer.come_back(way, session)
    if customer.rng.random() < 0.5:
        session = yield from customer.until_sent(page)
        if session and customer.rng.random() < 0.5:
            yield from _finish_and_return(customer, session)


def other_phone(customer: Customer) -> Waits:
    """Finishes on another phone, signs in there, and says that the device is theirs."""
    customer.enter()
    session = yield from customer.agree()
    way = customer.finish(session) if session else ""
    if not way:
        return
    phone = customer.new_browser()
    yield _soon(customer)
    customer.come_back(way, session, browser=phone, is_same=False)
    for _ in range(4):
        yield _soon(customer)
        if customer.confirm_devices(browser=phone):
            break
    phone.hang_up()


def withdraws_midway(customer: Customer) -> Waits:
    """Leaves while the form is open; a third finish it all the same, a third come back later."""
    customer.enter()
    session = yield from customer.agree()
    yield _soon(customer)
    customer.withdraw()
    chance = customer.rng.random()
    if chance < 0.33 and session:
        yield from _finish_and_return(customer, session)
    elif chance < 0.66:
        yield _soon(customer)
        session = yield from customer.agree()
        if session:
            yield from _finish_and_return(customer, session)


def links_then_withdraws(customer: Customer) -> Waits:
    """Leaves after linking; a third come back and link again, and a few of those leave again."""
    customer.enter()
    session = yield from customer.agree()
    if not session:
        return
    yield from _finish_and_return(customer, session)
    yield _soon(customer)
    customer.withdraw()
    if customer.rng.random() < 0.33:
        yield _soon(customer)
        session = yield from customer.agree()
        if session:
            yield from _finish_and_return(customer, session)
            if customer.rng.random() < 0.3:
                customer.withdraw()


def impatient(customer: Customer) -> Waits:
    """Opens the way back twice at once and again later, and presses every button there is."""
    customer.enter()
    session = yield from customer.agree()
    way = customer.finish(session) if session else ""
    if not way:
        return
    tab = customer.browser.second_tab()
    pages = _at_once(
        lambda: customer.come_back(way, session),
        lambda: customer.come_back(way, session, browser=tab),
    )
    tab.hang_up()
    yield _soon(customer)
    page = customer.come_back(way, session)
    customer.go(f"{pages[0].path}status")
    check = page.form(r"/check/$")
    if check:
        customer.follow(customer.ask("POST", check.action, check.fields))


def _on_their_card(customer: Customer, act: str) -> Waits:
    """Press it, once Podero has told of the device; gives whether it could be pressed."""
    for _ in range(4):
        yield _soon(customer)
        if customer.press_on_card(act):
            return True
    return False


def steers(customer: Customer) -> Waits:
    """Links, pauses, wishes to charge now; half of them have it optimized again."""
    customer.enter()
    session = yield from customer.agree()
    if not session:
        return
    yield from _finish_and_return(customer, session)
    if not (yield from _on_their_card(customer, "pause")):
        return
    customer.press_on_card("charge")
    if customer.rng.random() < 0.5:
        yield from _on_their_card(customer, "resume")


def removes_a_device(customer: Customer) -> Waits:
    """Links, and removes the device; half of them link one again."""
    customer.enter()
    session = yield from customer.agree()
    if not session:
        return
    yield from _finish_and_return(customer, session)
    if (yield from _on_their_card(customer, "remove")) and customer.rng.random() < 0.5:
        session = yield from customer.agree()
        if session:
            yield from _finish_and_return(customer, session)


def sent_to_a_friend(customer: Customer) -> Waits:
    """Sends the form's address to somebody else, who links a device and comes back as themselves."""
    customer.enter()
    session = yield from customer.agree()
    way = customer.finish(session) if session else ""
    friend = Customer(customer.world, customer.world.new_person("friend"), customer.rng)
    friend.enter()
    if way:
        yield _soon(customer)
        friend.ask("GET", way)
        friend.go("/optimize/devices/")
    friend.hang_up()


STORIES: dict[Story, int] = {
    straight: 20,
    double_click: 9,
    back_button: 7,
    two_tabs: 8,
    leaves_for_good: 8,
    links_and_vanishes: 6,
    next_day: 7,
    cancels: 8,
    other_phone: 6,
    withdraws_midway: 6,
    links_then_withdraws: 6,
    impatient: 5,
    steers: 4,
    removes_a_device: 4,
    sent_to_a_friend: 2,
}
ATTEMPTS_PER_STORY = 1.53
"""How many attempts a story comes to, on average and with a little to spare."""


def chosen(rng: random.Random) -> Story:
    return rng.choices(list(STORIES), weights=list(STORIES.values()))[0]
