"""A browser as small as can be: cookies, one kept connection, forms, redirects within the app."""

from __future__ import annotations

import html
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlencode, urljoin, urlsplit

TIMEOUT_SECONDS = 40.0
_FORM = re.compile(r"<form\b([^>]*)>(.*?)</form>", re.DOTALL)
_INPUT = re.compile(r"<input\b([^>]*)>")
_ATTRIBUTE = re.compile(r'([\w-]+)="([^"]*)"')


class NoAnswer(Exception):
    """The connection was lost, refused or silent: the page that browsers make themselves."""


@dataclass(frozen=True)
class Form:
    """A form of a page: where it goes, and what its hidden fields hold."""

    action: str
    fields: dict[str, str]


@dataclass(frozen=True)
class Page:
    """One answer, not followed."""

    address: str
    status: int
    text: str
    location: str = ""

    @property
    def path(self) -> str:
        return urlsplit(self.address).path

    def form(self, action: str) -> Form | None:
        """The first form whose address matches this pattern."""
        return next(iter(self.forms(action)), None)

    def forms(self, action: str) -> list[Form]:
        """All forms whose addresses match this pattern."""
        found = []
        for attributes, inside in _FORM.findall(self.text):
            told = _attributes(attributes)
            target = told.get("action") or self.address
            if told.get("method", "get").lower() == "post" and re.search(action, target):
                found.append(Form(target, _hidden(inside)))
        return found


class Browser:
    """One person's browser on one device. Not for two threads at once; see `second_tab`."""

    def __init__(self, base_url: str, seen: Callable[[Page, float], None]) -> None:
        self.base_url = base_url
        self.cookies: dict[str, str] = {}
        self._seen = seen
        self._connection: HTTPConnection | None = None

    def second_tab(self) -> Browser:
        """The same cookies over another connection, for another thread."""
        tab = Browser(self.base_url, self._seen)
        tab.cookies = self.cookies
        return tab

    def hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def get(self, address: str) -> Page:
        """Fetch a page, following redirects as long as they stay in the app."""
        page = self.request("GET", address)
        return self.follow(page)

    def follow(self, page: Page) -> Page:
        for _ in range(6):
            if not page.location or not self.is_ours(page.location):
                break
            page = self.request("GET", page.location)
        return page

    def is_ours(self, address: str) -> bool:
        return address.startswith(f"{self.base_url}/")

    def request(self, method: str, address: str, fields: Mapping[str, str] | None = None) -> Page:
        """Ask once; the answer is not followed. Raises NoAnswer."""
        address = urljoin(self.base_url + "/", address)
        began = time.time()
        is_reused = self._connection is not None
        try:
            page = self._exchange(method, address, fields)
        except (OSError, HTTPException) as error:
            self.hang_up()
            if method != "GET" or not is_reused:
                raise NoAnswer(type(error).__name__) from error
            try:
                # A kept connection may have died of old age: any browser asks again.
                page = self._exchange(method, address, fields)
            except (OSError, HTTPException) as again:
                self.hang_up()
                raise NoAnswer(type(again).__name__) from again
        self._seen(page, began)
        return page

    def _exchange(self, method: str, address: str, fields: Mapping[str, str] | None) -> Page:
        parts = urlsplit(address)
        if self._connection is None:
            self._connection = HTTPConnection("127.0.0.1", parts.port, timeout=TIMEOUT_SECONDS)
        headers = {"Host": parts.netloc, "Accept": "text/html", "Accept-Language": "en"}
        cookies = dict(self.cookies)
        if cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
        body = None
        if fields is not None:
            body = urlencode(fields)
            headers |= {
                "Content-Type": "application/x-www-form-urlencoded",
                "Origin": self.base_url,
                "Referer": f"{self.base_url}/",
            }
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        self._connection.request(method, target, body=body, headers=headers)
        answer = self._connection.getresponse()
        text = answer.read().decode(errors="replace")
        for line in answer.headers.get_all("Set-Cookie") or []:
            self._keep(line)
        location = answer.headers.get("Location", "")
        if answer.headers.get("Connection", "").lower() == "close":
            self.hang_up()
        return Page(address, answer.status, text, urljoin(address, location) if location else "")

    def _keep(self, line: str) -> None:
        name, _, value = line.partition(";")[0].partition("=")
        if "max-age=0" in line.lower() or value in {"", '""'}:
            self.cookies.pop(name, None)
        else:
            self.cookies[name] = value


def _attributes(text: str) -> dict[str, str]:
    return {name: html.unescape(value) for name, value in _ATTRIBUTE.findall(text)}


def _hidden(inside: str) -> dict[str, str]:
    told = (_attributes(text) for text in _INPUT.findall(inside))
    return {
        each["name"]: each.get("value", "")
        for each in told
        if each.get("type") == "hidden" and each.get("name")
    }
