from __future__ import annotations

import html
import re
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from tests.simulator.launch import SimulatorControl
from tests.simulator.partner import SUCCESS_URL, Partner

NIBE = {"username": "demomyuplink@nibe.se", "password": "Demo1234"}
TESLA = {"username": "demo-tesla@getfreeheat.com", "password": "Demo1234"}


class Browser:
    """Just enough of a browser without JavaScript."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self.http = requests.Session()
        self.http.trust_env = False

    def open(self, path: str, **query: str) -> requests.Response:
        return self.http.get(f"{self.base_url}{path}", params=query, timeout=5)

    def post(self, path: str, **form: str) -> requests.Response:
        return self.http.post(f"{self.base_url}{path}", data=form, timeout=5)


def hidden(page: requests.Response, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page.text)
    assert found, name
    return html.unescape(found[1])


def link(page: requests.Response, element_id: str) -> str:
    found = re.search(rf'id="{element_id}" href="([^"]*)"', page.text)
    assert found, element_id
    return html.unescape(found[1])


@pytest.fixture
def browser(partner: Partner) -> Browser:
    return Browser(partner.base_url)


@pytest.fixture
def session_id(partner: Partner) -> str:
    return partner.session_id(partner.user_id(), language="sv")


def test_steps_lead_through_a_generic_login(
    partner: Partner, browser: Browser, session_id: str
) -> None:
    types = browser.open("/", onboarding_session_id=session_id)
    makers = browser.open("/", onboarding_session_id=session_id, device_type="ev")
    login = browser.open(
        "/", onboarding_session_id=session_id, device_type="ev", manufacturer="tesla"
    )
    choices = {
        name: hidden(login, name)
        for name in ("onboarding_session_id", "device_type", "manufacturer")
    }
    done = browser.post("/login", **choices, **TESLA)

    assert '<html lang="sv">' in types.text
    assert re.findall(r'name="device_type" id="[^"]*" value="(\w+)"', types.text) == [
        "hp",
        "ev",
        "iv",
        "wb",
    ]
    assert re.findall(r'name="manufacturer" id="[^"]*" value="(\w+)"', makers.text) == ["tesla"]
    assert "demo-tesla@getfreeheat.com" in login.text
    assert done.status_code == 200
    assert [step.status_code for step in done.history] == [303]
    address = link(done, "continue")
    assert address.startswith(f"{SUCCESS_URL}?deviceId=")
    user_id = partner.call("GET", f"device-onboarding/{session_id}").json()["user"]
    (car,) = partner.call("GET", partner.devices(user_id, "electric-vehicles")).json()
    assert parse_qs(urlsplit(address).query)["deviceId"] == [car["id"]]


def test_steps_lead_through_the_manufacturers_own_page(
    browser: Browser, control: SimulatorControl, session_id: str
) -> None:
    login = browser.open(
        "/", onboarding_session_id=session_id, device_type="hp", manufacturer="nibe"
    )
    assert urlsplit(login.url).path == "/manufacturer/nibe/authorize"
    assert "Sign in to Nibe myUplink" in login.text

    consent = browser.post("/manufacturer/nibe/authorize", state=hidden(login, "state"), **NIBE)
    assert "Allow access" in consent.text
    assert control.state()["devices"] == []
    done = browser.post("/manufacturer/allow", grant=hidden(consent, "grant"))

    (device,) = control.state()["devices"]
    assert device["kind"] == "hp"
    assert link(done, "continue") == f"{SUCCESS_URL}?deviceId={device['id']}"


@pytest.mark.parametrize("where", ["generic", "oauth"])
def test_wrong_login_is_refused_on_the_page(
    browser: Browser, control: SimulatorControl, session_id: str, where: str
) -> None:
    wrong = {"username": "me@example.com", "password": "Secret-Attempt-1"}
    if where == "generic":
        choices = {"device_type": "ev", "manufacturer": "tesla"}
        page = browser.post("/login", onboarding_session_id=session_id, **choices, **wrong)
    else:
        login = browser.open(
            "/", onboarding_session_id=session_id, device_type="hp", manufacturer="nibe"
        )
        page = browser.post("/manufacturer/nibe/authorize", state=hidden(login, "state"), **wrong)

    assert page.status_code == 401
    assert 'role="alert"' in page.text
    assert 'value="me@example.com"' in page.text
    assert "Secret-Attempt-1" not in page.text + str(control.state())
    assert control.state()["devices"] == []


def test_type_of_the_session_skips_the_first_step(partner: Partner, browser: Browser) -> None:
    session_id = partner.session_id(partner.user_id(), device_type="wb")

    page = browser.open("/", onboarding_session_id=session_id)
    other = browser.open(
        "/", onboarding_session_id=session_id, device_type="ev", manufacturer="tesla"
    )

    assert 'value="go-e"' in page.text
    assert 'value="go-e"' in other.text, "another type in the address changes nothing"


@pytest.mark.parametrize("chosen", [{}, {"device_type": "ev"}])
def test_step_without_a_choice_says_so(
    browser: Browser, session_id: str, chosen: dict[str, str]
) -> None:
    step = "manufacturer" if chosen else "device_type"

    page = browser.open("/", onboarding_session_id=session_id, chosen=step, **chosen)

    assert page.status_code == 422
    assert "Please choose one of these." in page.text


@pytest.mark.parametrize(
    "chosen",
    [
        {},
        {"device_type": "ev"},
        {"device_type": "ev", "manufacturer": "tesla"},
        {"device_type": "hp", "manufacturer": "nibe"},
    ],
)
def test_every_step_can_be_cancelled(
    partner: Partner, browser: Browser, chosen: dict[str, str]
) -> None:
    cancel_url = "http://shop.test/c?x=%C3%A4&y=a+b#z"
    session_id = partner.session_id(partner.user_id(), cancel_url=cancel_url)
    page = browser.open("/", onboarding_session_id=session_id, **chosen)

    reply = browser.http.get(
        f"{browser.base_url}{link(page, 'cancel')}", allow_redirects=False, timeout=5
    )

    assert (reply.status_code, reply.headers["Location"]) == (302, cancel_url)
    again = browser.open("/", onboarding_session_id=session_id)
    assert again.status_code == 200, "a cancelled session stays usable"


def test_unknown_expired_and_used_sessions_are_refused(
    partner: Partner, browser: Browser, control: SimulatorControl, session_id: str
) -> None:
    assert browser.open("/").status_code == 404
    assert browser.open("/", onboarding_session_id="nonsense").status_code == 404
    control.complete(session_id)
    used = browser.open("/", onboarding_session_id=session_id)
    assert used.status_code == 410
    assert "Already completed" in used.text
    other = partner.session_id(partner.user_id(email="b@example.com", external_user_id="C-2"))
    control.expire_session(other)
    expired = browser.open("/", onboarding_session_id=other)
    assert expired.status_code == 410
    assert "expired" in expired.text
    late = browser.post(
        "/login",
        onboarding_session_id=other,
        device_type="ev",
        manufacturer="tesla",
        **TESLA,
    )
    assert late.status_code == 410
    assert len(control.state()["devices"]) == 1


def test_success_page_wants_its_receipt(
    browser: Browser, control: SimulatorControl, session_id: str
) -> None:
    control.complete(session_id)

    page = browser.open("/connected", onboarding_session_id=session_id, receipt="guess")

    assert page.status_code == 410
    assert SUCCESS_URL not in page.text


def test_two_people_finishing_at_once_link_one_device(
    browser: Browser, control: SimulatorControl, session_id: str
) -> None:
    form = {"onboarding_session_id": session_id, "device_type": "ev", "manufacturer": "tesla"}
    with ThreadPoolExecutor(8) as pool:
        statuses = list(
            pool.map(
                lambda _: Browser(browser.base_url).post("/login", **form, **TESLA).status_code,
                range(16),
            )
        )

    assert sorted(statuses) == [200] + [410] * 15
    assert len(control.state()["devices"]) == 1


def test_forged_consent_is_refused(browser: Browser, control: SimulatorControl) -> None:
    assert browser.open("/callback", code="forged").status_code == 404
    assert browser.open("/manufacturer/nibe/authorize", state="forged").status_code == 404
    assert control.state()["devices"] == []


def test_pages_forbid_script_framing_and_referrers(browser: Browser, session_id: str) -> None:
    page = browser.open("/", onboarding_session_id=session_id)

    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["Cache-Control"] == "no-store"
    assert "<script" not in page.text


def test_hosted_pages_can_fail_too(
    browser: Browser, control: SimulatorControl, session_id: str
) -> None:
    control.arm("hosted_form", "http_502")

    assert browser.open("/", onboarding_session_id=session_id).status_code == 502
    assert browser.open("/", onboarding_session_id=session_id).status_code == 200
