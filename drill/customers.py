"""What a customer can do: everything a person does in a browser, and the patience of one."""

from __future__ import annotations

import random
import re
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import requests

from drill.browser import Browser, Form, NoAnswer, Page
from drill.clock import Clock
from drill.installation import Installation
from drill.memory import Confirmation, Person, Press, Return, Withdrawal
from tests.simulator.launch import RunningSimulator, SimulatorControl

DEVICE_TYPES = ("ev", "hp", "iv", "wb")
RETURN_TOKEN = re.compile(r"/optimize/return/([^/]+)/(success|cancel)/")
REMOVE_LINK = re.compile(r"/optimize/devices/[0-9a-f-]+/remove/")
EMAIL_DOMAIN = "people.drill.example"
FAMILY_NAME = "Drillinger"

Waits = Generator[float, None, Any]
"""A story: gives the seconds it waits, NEXT_DAY for a day by the moved clock."""
NEXT_DAY = -1.0


class GaveUp(Exception):
    """A page could not be had for as long as a person tries."""


@dataclass(frozen=True)
class Failure:
    """An answer with 500 or more."""

    path: str
    status: int
    began: float
    ended: float


@dataclass
class World:
    """What all customers of one installation share."""

    base_url: str
    podero_url: str
    handoff_secret: str
    handoff_issuer: str
    clock: Clock
    seed: int
    patience_seconds: float = 60.0
    people: list[Person] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    """Everything that must be in no log."""
    failures: list[Failure] = field(default_factory=list)
    strays: list[str] = field(default_factory=list)
    """Hosts that browsers were sent to and that are neither ours nor Podero's."""
    seen: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _local: threading.local = field(default_factory=threading.local)

    def new_person(self, story: str) -> Person:
        with self._lock:
            # Long enough to be told from other numbers in a log.
            number = f"K{self.seed}-{len(self.people) + 1:010}"
            person = Person(number, f"{number.lower()}@{EMAIL_DOMAIN}", story)
            self.people.append(person)
        return person

    @property
    def control(self) -> SimulatorControl:
        """The simulator's control API, with a connection of this thread's own."""
        if not hasattr(self._local, "control"):
            self._local.control = SimulatorControl(self.podero_url)
        control: SimulatorControl = self._local.control
        return control

    def handoff_token(self, person: Person) -> str:
        """What the portal would give this customer; good for one use."""
        now = int(self.clock.time())
        claims = {
            "iss": self.handoff_issuer,
            "aud": "podero-onboarding",
            "iat": now,
            "exp": now + 300,
            "jti": secrets.token_urlsafe(),
            "sub": person.number,
            "email": person.email,
            "given_name": "Drilla",
            "family_name": FAMILY_NAME,
        }
        token = jwt.encode(claims, self.handoff_secret, algorithm="HS256")
        self.keys.add(token)
        return token

    def count(self, what: str) -> None:
        with self._lock:
            self.seen[what] += 1

    def saw(self, page: Page, began: float) -> None:
        self.count(f"{page.status // 100}xx")
        if page.status >= 500:
            self.failures.append(Failure(without_keys(page.path), page.status, began, time.time()))


def world_of(app: Installation, simulator: RunningSimulator, *, seed: int) -> World:
    """The world around an installation, with nobody in it yet."""
    return World(
        base_url=app.base_url,
        podero_url=simulator.base_url,
        handoff_secret=app.env["HANDOFF_SECRET"],
        handoff_issuer=app.env["HANDOFF_ISSUER"],
        clock=app.clock,
        seed=seed,
    )


def without_keys(path: str) -> str:
    return RETURN_TOKEN.sub(r"/optimize/return/[key]/\2/", path)


class Customer:
    """A person at work. Methods that wait are generators of waits; see `Waits`."""

    def __init__(self, world: World, person: Person, rng: random.Random) -> None:
        self.world = world
        self.person = person
        self.rng = rng
        self.device_type = rng.choice(DEVICE_TYPES)
        self.browser = self.new_browser()

    def new_browser(self) -> Browser:
        return Browser(self.world.base_url, self.world.saw)

    def hang_up(self) -> None:
        self.browser.hang_up()

    # --- With patience -------------------------------------------------------------------------

    def ask(
        self,
        method: str,
        address: str,
        fields: Mapping[str, str] | None = None,
        *,
        browser: Browser | None = None,
    ) -> Page:
        """Ask until there is an answer, as a person presses Reload; not followed. Raises GaveUp."""
        browser = browser or self.browser
        ends_at = time.monotonic() + self.world.patience_seconds
        while time.monotonic() < ends_at:
            try:
                page = browser.request(method, address, fields)
            except NoAnswer:
                self.world.count("no answer")
            else:
                # Of each browser, and each sign-in.
                if "sessionid" in browser.cookies:
                    self.world.keys.add(browser.cookies["sessionid"])
                if page.status < 500:
                    return page
            time.sleep(self.rng.uniform(0.2, 1.0))
        raise self._give_up(without_keys(urlsplit(address).path))

    def _give_up(self, what: str) -> GaveUp:
        self.person.gave_up, self.person.gave_up_at = what, time.time()
        return GaveUp(what)

    def follow(self, page: Page, *, browser: Browser | None = None) -> Page:
        """Go where the answer leads, as long as it stays in the app; sign in again if asked to."""
        browser = browser or self.browser
        for _ in range(8):
            if not page.location or not browser.is_ours(page.location):
                break
            page = self.ask("GET", page.location, browser=browser)
        if page.path == "/sign-in/":
            page = self.enter(browser=browser)
        return page

    def enter(self, *, next_path: str = "", browser: Browser | None = None) -> Page:
        """Come in from the portal; a token that an interrupted try used up is replaced."""
        for _ in range(6):
            token = self.world.handoff_token(self.person)
            page = self.ask("GET", f"/enter/?token={token}", browser=browser)
            if page.location:
                page = self.follow(page, browser=browser)
                return self.go(next_path, browser=browser) if next_path else page
        raise self._give_up("/enter/")

    def go(self, path: str, *, browser: Browser | None = None) -> Page:
        return self.follow(self.ask("GET", path, browser=browser), browser=browser)

    # --- Opting in -----------------------------------------------------------------------------

    def consent_form(self, *, browser: Browser | None = None) -> Form:
        address = f"/optimize/consent/?device_type={self.device_type}"
        for _ in range(3):
            page = self.go(address, browser=browser)
            form = page.form(r"/optimize/consent/")
            if form is not None:
                ticked = {"allows_control": "on", "allows_data_exchange": "on"}
                return Form(form.action, form.fields | ticked | {"device_type": self.device_type})
        raise self._give_up("/optimize/consent/")

    def press(self, form: Form, *, is_consent: bool, browser: Browser | None = None) -> Page:
        """Press a button that starts or continues an attempt, and remember the click."""
        click = self.person.click(form.fields["submission"], at=time.time(), is_consent=is_consent)
        page = self.ask("POST", form.action, form.fields, browser=browser)
        if page.location:
            click.is_answered = True
        session = self.session_in(page)
        if session:
            click.sessions.append(session)
        return page

    def session_in(self, page: Page) -> str:
        """The hosted session that an answer sends the browser to; nothing if it stays with us."""
        if not page.location or self.browser.is_ours(page.location):
            return ""
        parts = urlsplit(page.location)
        if f"{parts.scheme}://{parts.netloc}" != self.world.podero_url:
            self.world.strays.append(parts.netloc or page.location[:40])
            return ""
        session = parse_qs(parts.query)["onboarding_session_id"][0]
        self.world.keys.add(session)
        return session

    def agree(self, *, browser: Browser | None = None) -> Waits:
        """Read, tick, press; then press on until Podero's form opens. Gives the session or ''."""
        form = self.consent_form(browser=browser)
        yield self.rng.uniform(0.1, 1.0)
        page = self.press(form, is_consent=True, browser=browser)
        return (yield from self.until_sent(page, browser=browser))

    def until_sent(self, page: Page, *, tries: int = 6, browser: Browser | None = None) -> Waits:
        """From whatever page this is: press "Try again" until Podero's form opens or one tires."""
        for _ in range(tries):
            session = self.session_in(page)
            if session:
                return session
            page = self.follow(page, browser=browser)
            form = page.form(r"/continue/$")
            if form is None:
                return ""
            yield self.rng.uniform(0.5, 3.0)
            page = self.press(form, is_consent=False, browser=browser)
        return self.session_in(page)

    # --- At Podero -----------------------------------------------------------------------------

    def at_podero(self, act: Callable[[SimulatorControl], Any]) -> Any:
        for _ in range(5):
            try:
                return act(self.world.control)
            except requests.HTTPError:
                return None
            except requests.RequestException:
                self.world.count("hosted form away")
        return None

    def finish(self, session: str) -> str:
        """Link a device at Podero; the way back, or nothing where the form offers none."""
        done = self.at_podero(
            lambda control: control.complete(session, device_type=self.device_type)
        )
        return self._way(done.redirect_url if done else None)

    def cancel(self, session: str) -> str:
        """Press Podero's cancel button; the way back, or nothing where the form is over."""
        return self._way(self.at_podero(lambda control: control.cancel(session)))

    def _way(self, address: str | None) -> str:
        token = RETURN_TOKEN.search(address or "")
        if address is None or token is None:
            return ""
        self.world.keys.add(token[1])
        return address

    # --- Coming back ---------------------------------------------------------------------------

    def come_back(
        self, way: str, session: str, *, browser: Browser | None = None, is_same: bool = True
    ) -> Page:
        """Open the address that the form led back to. `is_same`: in the browser that had left."""
        named = parse_qs(urlsplit(way).query).get("deviceId", [""])[0]
        back = Return(session, "/success/" in way, is_same, time.time(), named)
        self.person.returns.append(back)
        page = self.ask("GET", way, browser=browser)
        if "/optimize/attempts/" in page.location:
            back.answered_at = time.time()
        return self.follow(page, browser=browser)

    def confirm_devices(self, *, browser: Browser | None = None) -> int:
        """Say "Yes, this is my device" to each that is asked about; how many were."""
        forms = self.go("/optimize/devices/", browser=browser).forms(r"/confirm/$")
        for form in forms:
            device = form.action.rstrip("/").split("/")[-2]
            said = Confirmation(device, time.time())
            self.person.confirmations.append(said)
            said.is_answered = bool(
                self.ask("POST", form.action, form.fields, browser=browser).location
            )
        return len(forms)

    def press_on_card(self, act: str) -> bool:
        """Press a button of the newest device's card; False where there is none."""
        page = self.go("/optimize/devices/")
        if act == "remove":
            way = REMOVE_LINK.search(page.text)
            page = self.go(way[0]) if way else page
        form = page.form(rf"/devices/[^/]+/{act}/$")
        if form is None:
            return False
        said = Press(form.action.rstrip("/").split("/")[-2], act, time.time())
        self.person.presses.append(said)
        answer = self.ask("POST", form.action, form.fields)
        said.is_answered = "/optimize/devices/" in answer.location
        self.follow(answer)
        return True

    def withdraw(self) -> bool:
        """Leave, in two steps; False where there was nothing to leave."""
        form = self.go("/optimize/leave/").form(r"/optimize/leave/")
        if form is None:
            return False
        gone = Withdrawal(time.time())
        self.person.withdrawals.append(gone)
        page = self.ask("POST", form.action, form.fields)
        if "/leave/" in page.location:
            gone.answered_at = time.time()
        self.follow(page)
        return gone.answered_at != float("inf")
