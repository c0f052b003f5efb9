"""A person with one browser: each method is something that people do, or see."""

from __future__ import annotations

import re
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from playwright.sync_api import BrowserContext, Error, Locator, Page, Request, expect

from tests.servers import RunningApp
from tests.simulator.launch import RunningSimulator

NIBE = "demomyuplink@nibe.se"
TESLA = "demo-tesla@getfreeheat.com"
OTHER_ACCOUNT = "other-account@example.com"
RIGHT_PASSWORD = "Demo1234"

_TOKEN = re.compile(r"/return/([^/]{20,})/(?:success|cancel)/")
_ATTEMPT = re.compile(r"/optimize/attempts/([0-9a-f-]{36})/")


def _new_number() -> str:
    return f"B-{uuid4().hex[:10]}"


@dataclass(frozen=True)
class Customer:
    """Somebody whom the portal knows."""

    number: str = field(default_factory=_new_number)

    @property
    def email(self) -> str:
        return f"{self.number.lower()}@example.com"


class Person:
    """One customer in one tab; `opens_tab` gives the same person another one."""

    def __init__(
        self, page: Page, *, app: RunningApp, simulator: RunningSimulator, customer: Customer
    ) -> None:
        self.page = page
        self.app = app
        self.simulator = simulator
        self.customer = customer
        # Keys in the addresses that this browser was led through, oldest first.
        self.tokens_seen: list[str] = []
        page.on("request", self._on_request)

    def _on_request(self, request: Request) -> None:
        found = _TOKEN.search(request.url)
        if found:
            self.tokens_seen.append(found[1])

    @property
    def context(self) -> BrowserContext:
        return self.page.context

    # --- Coming in ---------------------------------------------------------------------------

    def enters(self, next_path: str = "") -> None:
        """Come from the portal by its signed link."""
        more = {"next": next_path} if next_path else {}
        self.page.goto(
            self.app.handoff_link(
                self.customer.number, self.customer.email, price_zone="AT", **more
            )
        )

    def signs_in(self, email: str, password: str) -> None:
        self.page.get_by_label("E-mail address").fill(email)
        self.page.get_by_label("Password").fill(password)
        self.presses("Sign in", inside="main")

    def signs_out(self) -> None:
        self.page.get_by_role("banner").get_by_role("button", name="Sign out").click()

    def opens(self, path: str) -> None:
        try:
            self.page.goto(self.app.base_url + path)
        except Error as error:
            # A page that waits for news may load itself again in that very instant.
            reasons = ("ERR_ABORTED", "interrupted by another navigation")
            if not any(reason in str(error) for reason in reasons):
                raise
            self.page.goto(self.app.base_url + path)

    def opens_tab(self) -> Person:
        return Person(
            self.context.new_page(),
            app=self.app,
            simulator=self.simulator,
            customer=self.customer,
        )

    # --- Our pages ---------------------------------------------------------------------------

    def loses_cookies(self) -> None:
        self.context.clear_cookies()

    def presses(self, name: str, *, inside: str = "main") -> None:
        self.button(name, inside=inside).click()

    def button(self, name: str, *, inside: str = "main") -> Locator:
        return self.page.locator(inside).get_by_role("button", name=name, exact=True)

    def follows(self, name: str) -> None:
        self.page.locator("main").get_by_role("link", name=name, exact=True).first.click()

    def opens_all_answers(self) -> None:
        for question in self.page.locator("summary").all():
            question.click()

    def ticks_both(self) -> None:
        self.page.get_by_label("I agree that Podero controls").check()
        self.page.get_by_label("exchange data about me").check()

    def agrees(self) -> None:
        """Tick both boxes and go to Podero."""
        self.ticks_both()
        self.presses("Agree and continue to Podero")

    def goes_to_podero(self, device_type: str = "ev") -> None:
        """From the portal to the hosted form, by the shortest way."""
        self.enters(f"/optimize/consent/?device_type={device_type}")
        self.agrees()
        self.is_at_podero()

    # --- Podero's and the manufacturer's pages ------------------------------------------------

    def is_at_podero(self, *, within_seconds: float = 15) -> None:
        address = re.compile(f"^{re.escape(self.simulator.base_url)}/")
        expect(self.page).to_have_url(address, timeout=within_seconds * 1000)

    def chooses(self, label: str) -> None:
        self.page.get_by_label(label, exact=True).check()
        self.page.get_by_role("button", name="Continue", exact=True).click()

    def logs_in_as(self, username: str, password: str, *, button: str) -> None:
        self.page.get_by_label("User name").fill(username)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name=button, exact=True).click()

    def links_nibe(self) -> None:
        """From the choice of makes to the page that says "connected"."""
        self.chooses("Nibe")
        self.logs_in_as(NIBE, RIGHT_PASSWORD, button="Sign in")
        self.page.get_by_role("button", name="Allow access").click()
        self.sees("Your device is connected")

    def links_tesla(self) -> None:
        """From the choice of makes to the page that says "connected"."""
        self.chooses("Tesla")
        self.logs_in_as(TESLA, RIGHT_PASSWORD, button="Connect Tesla")
        self.sees("Your device is connected")

    def signs_in_at_tesla_again(self, username: str = TESLA) -> None:
        """On the page that renews a login; leads back to us."""
        self.sees("Sign in to Tesla again")
        self.logs_in_as(username, RIGHT_PASSWORD, button="Reconnect Tesla")

    def cancels(self) -> None:
        self.page.locator("#cancel").click()

    def finishes(self) -> str:
        """Link a device on the newest hosted form without looking at it; returns the way back."""
        done = self.simulator.control.complete(self.sessions_at_podero[-1]["id"])
        return str(done.redirect_url)

    def comes_back(self) -> None:
        self.page.get_by_role("link", name="Back to your electricity provider").click()

    # --- What is to be seen -------------------------------------------------------------------

    def sees(self, heading: str, *, within_seconds: float = 15) -> None:
        """Wait for a page with this main heading."""
        expect(self.page.get_by_role("heading", level=1)).to_have_text(
            heading, timeout=within_seconds * 1000
        )

    def sees_text(self, words: str, *, within_seconds: float = 5) -> None:
        main = self.page.locator("main")
        expect(main).to_contain_text(words, timeout=within_seconds * 1000)

    def sees_it_working(self, *, within_seconds: float = 5) -> None:
        """The linked page, confirmed and optimized; nothing left to do."""
        self.sees("Your device is linked")
        self.sees_text("Linked, and optimization is on.", within_seconds=within_seconds)

    def says_it_is_theirs(self) -> None:
        """Answer the question that a return in doubt leads to; it works at once or soon."""
        self.sees("Is this your device?")
        assert [d["fields"]["is_smart_optimization_active"] for d in self.devices_at_podero] == [
            False
        ]
        self.presses("Yes, this is my device")
        self.sees("My devices")

    def has_one_working_device(self, *, within_seconds: float = 0) -> None:
        """Look at My devices, and at what Podero holds; look again for as long as told."""
        ends_at = time.monotonic() + within_seconds
        self.opens("/optimize/devices/")
        working = self.page.locator("article.device .tag").filter(has_text="Working")
        while not working.count() and time.monotonic() < ends_at:
            with suppress(AssertionError):
                expect(working).to_be_visible(timeout=1000)
            self.page.reload()
        expect(self.page.locator("article.device")).to_have_count(1)
        expect(self.page.locator("article.device .tag")).to_have_text("Working")
        expect(self.page.locator("main .notice")).to_have_count(0)
        (device,) = self.devices_at_podero
        assert device["fields"]["is_smart_optimization_active"] is True

    @property
    def path(self) -> str:
        return urlsplit(self.page.url).path

    @property
    def reference(self) -> str:
        """The attempt whose page is open."""
        found = _ATTEMPT.search(self.page.url)
        assert found, f"not on the page of an attempt: {self.page.url}"
        return found[1]

    @property
    def state(self) -> str:
        """What the JSON address says of the attempt whose page is open."""
        reply = self.context.request.get(
            f"{self.app.base_url}/optimize/attempts/{self.reference}/status"
        )
        return str(reply.json()["state"])

    def hears_from_podero(self) -> None:
        """Let the time pass after which devices are read again in the background."""
        self.app.sql(
            "UPDATE onboarding_device SET checked_at = '2026-01-01 00:00:00',"
            " asked_about_at = '2026-01-01 00:00:00'"
            " WHERE podero_user_id IN"
            " (SELECT id FROM onboarding_poderouser WHERE external_user_id = ?)",
            self.customer.number,
        )
        assert self.app.manage("sweep").returncode == 0

    def posts_by_hand(self, path: str) -> int:
        """Send what a button would have sent, with the token of a form that is there."""
        token = self.page.locator("input[name=csrfmiddlewaretoken]").first.input_value()
        reply = self.context.request.post(
            self.app.base_url + path,
            form={"csrfmiddlewaretoken": token},
            headers={"Referer": self.page.url, "Origin": self.app.base_url},
            max_redirects=0,
        )
        return reply.status

    # --- What is on record --------------------------------------------------------------------

    @property
    def attempts(self) -> list[tuple[str, str]]:
        """Reference and state of all attempts, oldest first."""
        rows = self.app.sql(
            "SELECT a.reference, a.state FROM onboarding_onboardingsession a"
            " JOIN onboarding_poderouser u ON u.id = a.podero_user_id"
            " WHERE u.external_user_id = ? ORDER BY a.id",
            self.customer.number,
        )
        return [(str(UUID(str(reference))), state) for reference, state in rows]

    @property
    def states(self) -> list[str]:
        return [state for _reference, state in self.attempts]

    @property
    def devices_on_record(self) -> list[str]:
        rows = self.app.sql(
            "SELECT d.reference FROM onboarding_device d"
            " JOIN onboarding_poderouser u ON u.id = d.podero_user_id"
            " WHERE u.external_user_id = ? ORDER BY d.id",
            self.customer.number,
        )
        return [str(UUID(str(reference))) for (reference,) in rows]

    @property
    def users_at_podero(self) -> list[dict[str, Any]]:
        return [
            user
            for user in self.simulator.control.state()["users"]
            if user["external_user_id"] == self.customer.number
        ]

    @property
    def sessions_at_podero(self) -> list[dict[str, Any]]:
        return self._at_podero("sessions")

    @property
    def devices_at_podero(self) -> list[dict[str, Any]]:
        return self._at_podero("devices")

    def _at_podero(self, kind: str) -> list[dict[str, Any]]:
        own = {user["id"] for user in self.users_at_podero}
        return [row for row in self.simulator.control.state()[kind] if row["user_id"] in own]
