"""What no journey may do, whatever it is about: watched in every browser and in the app's logs."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, Frame, Page, Request, Response

from tests.servers import RunningApp
from tests.simulator.launch import RunningSimulator

# Told once more on the console for each response; the responses themselves are watched.
_FAILED_TO_LOAD = "Failed to load resource: the server responded with a status of"
_KEY_IN_ADDRESS = re.compile(
    r"/optimize/(devices/)?return/[^/]+/(success|cancel)|[?&]token=|session_id="
)
# The page that says why a link does not open is at the link's own address until it has loaded.
_REFUSED_LINK = re.compile(r"/enter/\?token=[^&]+$")


class Watch:
    """Collects what went wrong in the browsers of one test, and in the logs meanwhile."""

    def __init__(self, app: RunningApp, simulator: RunningSimulator) -> None:
        self._app = app
        self._simulator = simulator
        self._hosts = {urlsplit(app.base_url).netloc, simulator.host}
        self._accepted: set[int] = set()
        self._log_starts = {name: len(app.log_file(name).read_text()) for name in app.processes}
        self.complaints: list[str] = []
        self.secrets: list[str] = [app.env["HANDOFF_SECRET"], app.env["PODERO_CLIENT_SECRET"]]

    def accept(self, *statuses: int) -> None:
        """The story leads to answers with these statuses."""
        self._accepted |= set(statuses)

    def look_at(self, context: BrowserContext) -> None:
        context.on("console", self._on_console)
        context.on("weberror", lambda error: self._complain("script", str(error.error)))
        context.on("request", self._on_request)
        context.on("requestfailed", self._on_failed)
        context.on("response", self._on_response)
        context.on("page", self._on_page)

    def finish(self) -> None:
        """Fail for everything seen; last, since it asks the simulator what the keys were."""
        held = self._simulator.control.state()
        self._look_at_podero(held)
        keys = [*self.secrets]
        for session in held["sessions"]:
            keys += [session["id"], *self._tokens_of(session)]
        for relogin in held["relogins"]:
            keys += [relogin["id"], *self._tokens_of(relogin)]
        self._look_at_logs(keys)
        if self.complaints:
            pytest.fail("\n".join(self.complaints), pytrace=False)

    def _complain(self, about: str, what: str) -> None:
        self.complaints.append(f"{about}: {what}")

    def _on_page(self, page: Page) -> None:
        page.on("framenavigated", self._on_navigated)
        page.on("load", self._on_loaded)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not message.text.startswith(_FAILED_TO_LOAD):
            self._complain("console", message.text)

    def _on_request(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme in {"http", "https"} and address.netloc not in self._hosts:
            self._complain("request to somebody else", request.url)
        referrer = request.headers.get("referer", "")
        if _KEY_IN_ADDRESS.search(referrer):
            self._complain("key passed on as referrer", f"{referrer} to {request.url}")

    def _on_failed(self, request: Request) -> None:
        # Whoever goes on, reloads or goes back breaks off what was still loading.
        if request.failure != "net::ERR_ABORTED":
            self._complain("failed request", f"{request.method} {request.url}: {request.failure}")

    def _on_response(self, response: Response) -> None:
        if response.status >= 400 and response.status not in self._accepted:
            self._complain(f"status {response.status}", f"{response.request.method} {response.url}")

    def _on_navigated(self, frame: Frame) -> None:
        if not _REFUSED_LINK.search(frame.url):
            self._look_at_address(frame.url)

    def _on_loaded(self, page: Page) -> None:
        self._look_at_address(page.url)

    def _look_at_address(self, address: str) -> None:
        if address.startswith(self._app.base_url) and _KEY_IN_ADDRESS.search(address):
            self._complain("key left in the address bar", address)

    def _look_at_podero(self, held: dict[str, object]) -> None:
        users = held["users"]
        assert isinstance(users, list)
        numbers = [user["external_user_id"] for user in users]
        if len(numbers) != len(set(numbers)):
            self._complain("Podero", f"users made twice: {numbers}")
        if held["rejected"]:
            self._complain("Podero", f"requests rejected: {held['rejected']}")

    @staticmethod
    def _tokens_of(session: dict[str, str]) -> list[str]:
        return [session[name].split("/")[-3] for name in ("success_url", "cancel_url")]

    def _look_at_logs(self, keys: list[str]) -> None:
        for name in self._app.processes:
            printed = self._app.log_file(name).read_text()[self._log_starts.get(name, 0) :]
            if "Traceback" in printed:
                self._complain("traceback", f"{name}: {printed}")
            for key in keys:
                if key in printed:
                    self._complain("key in a log", f"{name}: {key}")
