"""Every page in every state, with the way to it: looked at by tests and by `screenshots`."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from playwright.sync_api import Page, Route, expect

from tests.servers import RunningApp

# With mails on, so that all that is offered is to be seen; nobody sends them.
ENV = {
    "EMAIL_URL": "consolemail://",
    "DEFAULT_FROM_EMAIL": "Alpenstrom <flex@alpenstrom.example>",
}
_ROWS = "from tests.browser.rows import write_rows; write_rows()"


@dataclass(frozen=True)
class Gallery:
    """A running app with the rows for all states in its database."""

    app: RunningApp
    rows: dict[str, dict[str, str]]

    def enters(self, page: Page, name: str) -> None:
        """Sign in as the customer who is in this state."""
        row = self.rows[name]
        page.context.request.get(
            self.app.handoff_link(row["number"], row["email"]), max_redirects=0
        )

    def opens(self, page: Page, path: str) -> None:
        page.goto(self.app.base_url + path)


def fill_gallery(app: RunningApp) -> Gallery:
    """Write the rows for all states into the app's database."""
    done = app.manage("shell", "-v", "0", "-c", _ROWS)
    assert done.returncode == 0, done.stderr
    return Gallery(app, json.loads(done.stdout.splitlines()[-1]))


@dataclass(frozen=True)
class Shown:
    """One page in one state; `show` brings it onto a page of a fresh browser."""

    name: str
    show: Callable[[Gallery, Page], None]
    heading: str

    def __str__(self) -> str:
        return self.name


def show(shown: Shown, gallery: Gallery, page: Page) -> None:
    """Bring the state onto the page and make sure that it is the one that was meant."""
    # A page that is being looked at goes nowhere by itself.
    page.route("**/optimize/attempts/*/continue/", _stay)
    shown.show(gallery, page)
    expect(page.get_by_role("heading", level=1)).to_have_text(shown.heading)
    page.wait_for_load_state("load")


def _stay(route: Route) -> None:
    route.fulfill(status=204)


RECONNECTIONS = {
    "started": "One moment, please",
    "open": "Not finished yet",
    "returned": "We are checking with Podero",
    "renewed": "Your device is connected again",
    "other_device": "Another device was linked",
    "not_renewed": "The device is not connected again",
    "cancelled": "The sign-in was broken off",
    "expired": "The time has run out",
    "not_opened": "The sign-in page could not be opened",
    "impossible": "This device cannot be renewed here",
}


# --- Ways to the pages ------------------------------------------------------------------------


def _stranger(path: str) -> Callable[[Gallery, Page], None]:
    return lambda gallery, page: gallery.opens(page, path)


def _customer(name: str, path: str = "") -> Callable[[Gallery, Page], None]:
    def show_it(gallery: Gallery, page: Page) -> None:
        gallery.enters(page, name)
        gallery.opens(page, path or f"/optimize/attempts/{gallery.rows[name]['attempt']}/")

    return show_it


def _reconnection(state: str, heading: str) -> Shown:
    def show_it(gallery: Gallery, page: Page) -> None:
        name = f"reconnection-{state}"
        gallery.enters(page, name)
        reference = gallery.rows[name]["reconnection"]
        gallery.opens(page, f"/optimize/devices/reconnections/{reference}/")

    return Shown(f"reconnection-{state.replace('_', '-')}", show_it, heading)


def _answers(device_type: str) -> Callable[[Gallery, Page], None]:
    def show_it(gallery: Gallery, page: Page) -> None:
        gallery.opens(page, f"/optimize/?device_type={device_type}")
        page.locator("details").evaluate_all("all => all.forEach(one => { one.open = true; })")

    return show_it


def _removal_of(name: str) -> Callable[[Gallery, Page], None]:
    def show_it(gallery: Gallery, page: Page) -> None:
        gallery.enters(page, name)
        gallery.opens(page, f"/optimize/devices/{gallery.rows[name]['device']}/remove/")

    return show_it


def _reason_given(gallery: Gallery, page: Page) -> None:
    _customer("left-done", "/optimize/leave/done/")(gallery, page)
    page.get_by_role("button", name="Something else").click()
    expect(page.locator("main")).to_contain_text("Your answer is counted")


def _consent_with_errors(gallery: Gallery, page: Page) -> None:
    _customer("fresh", "/optimize/consent/")(gallery, page)
    page.locator("main button[type=submit]").click()
    expect(page.locator(".error-summary")).to_be_focused()


def _consent_with_other_words(gallery: Gallery, page: Page) -> None:
    _customer("fresh", "/optimize/consent/")(gallery, page)
    for name, value in (("words", "other words"), ("device_type", "moped"), ("submission", "?")):
        page.locator(f"[name={name}]").first.evaluate(
            "(input, value) => { input.value = value; input.checked = true; }", value
        )
    page.locator("main button[type=submit]").click()
    expect(page.locator(".error-summary")).to_be_focused()


def _sign_in_without_anything(gallery: Gallery, page: Page) -> None:
    gallery.opens(page, "/sign-in/")
    page.locator("main button[type=submit]").click()
    expect(page.locator(".error-summary")).to_be_focused()


def _sign_in_with_wrong_password(gallery: Gallery, page: Page) -> None:
    gallery.opens(page, "/sign-in/")
    _fill_sign_in(page, "anna@example.com", "wrong")
    expect(page.locator(".error-summary")).to_be_focused()


def _fill_sign_in(page: Page, email: str, password: str) -> None:
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill(password)
    page.locator("main button[type=submit]").click()


def _used_link(gallery: Gallery, page: Page) -> None:
    link = gallery.app.handoff_link("G-fresh", "gallery-fresh@example.com")
    page.context.request.get(link, max_redirects=0)
    page.goto(link)


def _expired_link(gallery: Gallery, page: Page) -> None:
    then = int(time.time()) - 3600
    page.goto(gallery.app.handoff_link("G-1", "g-1@example.com", iat=then, exp=then + 60))


def _link_of_staff(gallery: Gallery, page: Page) -> None:
    page.goto(gallery.app.handoff_link("G-staff", "gallery-staff@example.com"))


def _too_many_links(gallery: Gallery, page: Page) -> None:
    then = int(time.time()) - 3600
    link = gallery.app.handoff_link("G-too-often", "too-often@example.com", iat=then, exp=then + 60)
    for _time in range(10):
        page.context.request.get(link, max_redirects=0)
    page.goto(link)


def _too_many_passwords(gallery: Gallery, page: Page) -> None:
    for _time in range(10):
        gallery.opens(page, "/sign-in/")
        _fill_sign_in(page, "closed@example.com", "wrong")
        if page.get_by_role("heading", level=1).inner_text() != "Sign in":
            return


def _too_many_attempts(gallery: Gallery, page: Page) -> None:
    _customer("too-often", "/optimize/consent/")(gallery, page)
    for box in page.get_by_role("checkbox").all():
        box.check()
    page.locator("main button[type=submit]").click()


def _as_staff(path: str) -> Callable[[Gallery, Page], None]:
    def show_it(gallery: Gallery, page: Page) -> None:
        gallery.opens(page, f"/sign-in/?next={path}")
        _fill_sign_in(page, "support@example.com", "demo")

    return show_it


def _form_that_ran_out(gallery: Gallery, page: Page) -> None:
    _customer("fresh", "/optimize/consent/")(gallery, page)
    page.context.clear_cookies()
    page.locator("main button[type=submit]").click()


def _unreadable_form(gallery: Gallery, page: Page) -> None:
    _customer("fresh", "/optimize/consent/")(gallery, page)
    page.locator("main form").evaluate("""form => {
      for (let number = 0; number < 1001; number++) {
        const input = document.createElement("input");
        input.type = "hidden";
        input.name = "many";
        form.append(input);
      }
      form.requestSubmit();
    }""")


def _stop_page(gallery: Gallery, page: Page) -> None:
    gallery.opens(page, f"/optimize/reminders/{gallery.rows['open-reminded']['stop_token']}/stop/")


def _stopped_page(gallery: Gallery, page: Page) -> None:
    token = gallery.rows["open-reminder-stopped"]["stop_token"]
    gallery.opens(page, f"/optimize/reminders/{token}/stop/")
    page.locator("main button[type=submit]").click()


def _broken(gallery: Gallery, page: Page) -> None:
    gallery.enters(page, "fresh")
    with _without_table(gallery.app, "onboarding_device"):
        gallery.opens(page, "/optimize/devices/")


@contextmanager
def _without_table(app: RunningApp, table: str) -> Iterator[None]:
    """Take a table away for a moment."""
    app.sql(f"ALTER TABLE {table} RENAME TO {table}_away")
    try:
        yield
    finally:
        app.sql(f"ALTER TABLE {table}_away RENAME TO {table}")


PAGES = (
    Shown("start", _stranger("/optimize/"), "Let your devices run when electricity costs less"),
    Shown(
        "start-signed-in",
        _customer("fresh", "/optimize/"),
        "Let your devices run when electricity costs less",
    ),
    Shown("start-ev", _answers("ev"), "Charge your electric car when electricity costs less"),
    Shown("start-hp", _answers("hp"), "Run your heat pump more when electricity costs less"),
    Shown("start-iv", _answers("iv"), "Use your solar battery when it counts"),
    Shown("start-wb", _answers("wb"), "Charge at your wallbox when electricity costs less"),
    Shown("consent", _customer("fresh", "/optimize/consent/"), "Before you go to Podero"),
    Shown("consent-errors", _consent_with_errors, "Before you go to Podero"),
    Shown("consent-other-words", _consent_with_other_words, "Before you go to Podero"),
    Shown("consent-unfinished", _customer("open", "/optimize/consent/"), "Before you go to Podero"),
    Shown("started", _customer("started"), "One moment, please"),
    Shown(
        "started-unreachable", _customer("started-unreachable"), "Podero cannot be reached just now"
    ),
    Shown("started-busy", _customer("started-busy"), "Podero is busy just now"),
    Shown("started-given-up", _customer("started-given-up"), "Podero cannot be reached just now"),
    Shown("started-withdrawn", _customer("started-withdrawn"), "One moment, please"),
    Shown("open", _customer("open"), "Not finished yet"),
    Shown("open-reminder", _customer("open-reminder"), "Not finished yet"),
    Shown("open-reminded", _customer("open-reminded"), "Not finished yet"),
    Shown("open-reminder-stopped", _customer("open-reminder-stopped"), "Not finished yet"),
    Shown("open-continued", _customer("open-continued"), "Not finished yet"),
    Shown("returned", _customer("returned"), "We are checking with Podero"),
    Shown("returned-unreachable", _customer("returned-unreachable"), "We are checking with Podero"),
    Shown("linked", _customer("linked"), "Your device is linked"),
    Shown("linked-unconfirmed", _customer("linked-unconfirmed"), "Is this your device?"),
    Shown("linked-several", _customer("linked-several"), "Your linked devices"),
    Shown("linked-before", _customer("linked-before"), "A device was linked"),
    Shown("cancelled", _customer("cancelled"), "Nothing was linked"),
    Shown("cancelled-withdrawn", _customer("cancelled-withdrawn"), "Nothing was linked"),
    Shown("expired", _customer("expired"), "The time has run out"),
    Shown("expired-never-opened", _customer("expired-never-opened"), "The time has run out"),
    Shown("failed-email-taken", _customer("failed-email-taken"), "It did not work"),
    Shown("failed-price-zone", _customer("failed-price-zone-missing"), "It did not work"),
    Shown("failed-not-confirmed", _customer("failed-not-confirmed"), "It did not work"),
    Shown("failed-withdrawn", _customer("failed-withdrawn"), "This ended because you withdrew"),
    Shown("failed-refused", _customer("failed-podero-refused"), "It did not work"),
    Shown("devices-empty", _customer("devices-empty", "/optimize/devices/"), "My devices"),
    Shown("devices-full", _customer("devices-full", "/optimize/devices/"), "My devices"),
    Shown("devices-need-you", _customer("devices-need-you", "/optimize/devices/"), "My devices"),
    Shown(
        "devices-unconfirmed", _customer("devices-unconfirmed", "/optimize/devices/"), "My devices"
    ),
    Shown("devices-told", _customer("devices-told", "/optimize/devices/"), "My devices"),
    Shown("devices-paused", _customer("devices-paused", "/optimize/devices/"), "My devices"),
    Shown("devices-charging", _customer("devices-charging", "/optimize/devices/"), "My devices"),
    Shown("devices-doubled", _customer("devices-doubled", "/optimize/devices/"), "My devices"),
    Shown(
        "consent-linked-already",
        _customer("devices-doubled", "/optimize/consent/?device_type=ev"),
        "Before you go to Podero",
    ),
    Shown("devices-in-doubt", _customer("devices-in-doubt", "/optimize/devices/"), "My devices"),
    Shown("login-in-doubt", _customer("login-in-doubt", "/optimize/devices/"), "My devices"),
    Shown("linked-in-doubt", _customer("devices-in-doubt"), "Is this your device?"),
    *(_reconnection(state, heading) for state, heading in RECONNECTIONS.items()),
    Shown("devices-withdrawn", _customer("left-pending", "/optimize/devices/"), "My devices"),
    Shown(
        "devices-being-removed",
        _customer("devices-being-removed", "/optimize/devices/"),
        "My devices",
    ),
    Shown("remove-device", _removal_of("working"), "Remove this device?"),
    Shown("device-removing", _removal_of("removing"), "The device is being removed"),
    Shown("device-refused", _removal_of("removal-refused"), "The device could not be removed"),
    Shown("device-removed", _removal_of("removed"), "The device is removed"),
    Shown("leave", _customer("devices-full", "/optimize/leave/"), "Withdraw"),
    Shown("leave-nothing", _customer("fresh", "/optimize/leave/"), "Withdraw"),
    Shown("left-pending", _customer("left-pending", "/optimize/leave/done/"), "You have withdrawn"),
    Shown("left-refused", _customer("left-refused", "/optimize/leave/done/"), "You have withdrawn"),
    Shown("left-half", _customer("left-half", "/optimize/leave/done/"), "You have withdrawn"),
    Shown(
        "left-came-back", _customer("left-came-back", "/optimize/leave/done/"), "You have withdrawn"
    ),
    Shown("left-reason-given", _reason_given, "You have withdrawn"),
    Shown("left-done", _customer("left-done", "/optimize/leave/done/"), "You have withdrawn"),
    Shown("sign-in", _stranger("/sign-in/"), "Sign in"),
    Shown("sign-in-empty", _sign_in_without_anything, "Sign in"),
    Shown("sign-in-wrong", _sign_in_with_wrong_password, "Sign in"),
    Shown("enter-nonsense", _stranger("/enter/?token=nonsense"), "This link does not open"),
    Shown("enter-used", _used_link, "This link was used already"),
    Shown("enter-expired", _expired_link, "This link has run out"),
    Shown("enter-staff", _link_of_staff, "This link does not open"),
    Shown("too-often-links", _too_many_links, "Please wait a little"),
    Shown("too-often-passwords", _too_many_passwords, "Please wait a little"),
    Shown("too-often-attempts", _too_many_attempts, "Please wait a little"),
    Shown("return-unknown", _stranger("/optimize/return/unknown/"), "We do not know this way back"),
    Shown(
        "return-other-customer",
        _customer("fresh", "/optimize/return/other-customer/"),
        "Somebody else is signed in here",
    ),
    Shown("reminder-stop", _stop_page, "Do you want no reminder?"),
    Shown("reminder-stopped", _stopped_page, "You will not be reminded"),
    Shown(
        "reminder-unknown",
        _stranger("/optimize/reminders/nothing/stop/"),
        "We do not know this link",
    ),
    Shown("staff-account", _as_staff("/optimize/devices/"), "You are signed in as staff"),
    Shown("forbidden", _as_staff("/admin/auth/user/"), "This page is not open to you"),
    Shown("not-found", _stranger("/optimize/nowhere/"), "Page not found"),
    Shown("form-expired", _form_that_ran_out, "Please try that once more"),
    Shown("bad-request", _unreadable_form, "We could not read that"),
    Shown("server-error", _broken, "Sorry, something went wrong here"),
)
