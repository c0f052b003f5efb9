"""A customer's browser, as light as it can be: it shares the machine with what is measured."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection
from http.cookies import SimpleCookie
from urllib.parse import urlencode, urlsplit

from tests.servers import RunningApp

_RETRY = re.compile(r'data-retry-ms="(\d+)"')
_HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)"')


@dataclass(frozen=True)
class Answer:
    """What came back, not followed."""

    status: int
    location: str
    body: bytes
    timing: str


class Browser:
    """One connection that is kept, and the cookies."""

    def __init__(self, base_url: str, *, accepts: str = "identity") -> None:
        self._accepts = accepts
        address = urlsplit(base_url)
        self._host = address.netloc
        self._connection = HTTPConnection("127.0.0.1", address.port, timeout=60)
        self._cookies: dict[str, str] = {}

    def get(self, path: str) -> Answer:
        return self._ask("GET", path, None, {})

    def post(self, path: str, fields: Mapping[str, str]) -> Answer:
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return self._ask("POST", path, urlencode(fields), kind)

    def close(self) -> None:
        self._connection.close()

    def _ask(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> Answer:
        cookies = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        sent = {"Host": self._host, "Accept-Encoding": self._accepts} | headers
        if cookies:
            sent["Cookie"] = cookies
        self._connection.request(method, path, body, sent)
        response = self._connection.getresponse()
        for line in response.headers.get_all("Set-Cookie", []):
            self._cookies.update({name: one.value for name, one in SimpleCookie(line).items()})
        return Answer(
            response.status,
            response.headers.get("Location", ""),
            response.read(),
            response.headers.get("Server-Timing", ""),
        )


class Customer:
    """Somebody from the portal, with the consent page before them."""

    def __init__(self, app: RunningApp, number: str) -> None:
        self.app = app
        self.number = number
        self.browser = Browser(app.base_url)
        self._fields: dict[str, str] = {}

    def enters(self) -> None:
        link = urlsplit(self.app.handoff_link(self.number, f"{self.number}@bench.example"))
        answer = self.browser.get(f"{link.path}?{link.query}")
        if answer.status != 302:
            raise RuntimeError(f"not let in: {answer.status}")

    def reads_consent(self) -> None:
        page = self.browser.get("/optimize/consent/?device_type=ev").body.decode()
        self._fields = dict(_HIDDEN.findall(page)) | {
            "device_type": "ev",
            "allows_control": "on",
            "allows_data_exchange": "on",
        }

    def opts_in(self) -> Answer:
        answer = self.browser.post("/optimize/consent/", self._fields)
        if answer.status != 302:
            raise RuntimeError(f"not redirected: {answer.status}")
        return answer

    def goes_on(self, attempt_path: str, is_over: threading.Event) -> Answer | None:
        """What the attempt's page does by itself: it waits as long as it says, and tries again.

        None where it is over before, or the page leaves it to the customer.
        """
        page = self.browser.get(attempt_path).body.decode()
        wait = _RETRY.search(page)
        if wait is None or is_over.wait(int(wait[1]) / 1000):
            return None
        return self.browser.post(f"{attempt_path}continue/", dict(_HIDDEN.findall(page)))


def is_form(answer: Answer) -> bool:
    """Whether the customer was sent straight to Podero's form."""
    return "onboarding_session_id=" in answer.location


def ready_customers(app: RunningApp, numbers: list[str]) -> list[Customer]:
    """Customers who have only to press the button."""
    customers = [Customer(app, number) for number in numbers]
    for customer in customers:
        customer.enters()
        customer.reads_consent()
    return customers
