"""The hosted form on a phone, driven like a customer would."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.simulator.launch import SimulatorControl
from tests.simulator.partner import Partner


@pytest.fixture(params=["light", "dark"])
def phone(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 360, "height": 740}, color_scheme=request.param)
    yield page
    page.close()


def check(page: Page) -> None:
    """No accessibility findings, nothing wider than the narrowest phone."""
    page.wait_for_load_state("load")
    results = Axe().run(page)
    assert results.violations_count == 0, results.generate_report()
    page.set_viewport_size({"width": 320, "height": 740})
    width = page.evaluate("document.documentElement.scrollWidth")
    page.set_viewport_size({"width": 360, "height": 740})
    assert width <= 320


def start(partner: Partner, page: Page) -> str:
    success_url = f"{partner.base_url}/simulator-static/icon.svg?attempt=1"
    session = partner.create_session(
        partner.user_id(), success_url=success_url, language="de"
    ).json()
    page.goto(session["authentication_url"])
    return success_url


def test_nibe_from_start_to_the_way_back(
    partner: Partner, control: SimulatorControl, phone: Page
) -> None:
    success_url = start(partner, phone)
    check(phone)
    phone.get_by_label("Heat pump").check()
    phone.get_by_role("button", name="Continue").click()
    check(phone)
    phone.get_by_label("Nibe").check()
    phone.get_by_role("button", name="Continue").click()
    check(phone)
    phone.get_by_label("User name").fill("demomyuplink@nibe.se")
    phone.get_by_label("Password").fill("Demo1234")
    phone.get_by_role("button", name="Sign in").click()
    check(phone)
    phone.get_by_role("button", name="Allow access").click()
    check(phone)
    phone.get_by_role("link", name="Back to your electricity provider").click()

    (device,) = control.state()["devices"]
    assert phone.url == f"{success_url}&deviceId={device['id']}"


def test_tesla_after_a_mistyped_password(
    partner: Partner, control: SimulatorControl, phone: Page
) -> None:
    success_url = start(partner, phone)
    phone.get_by_label("Electric car").check()
    phone.get_by_role("button", name="Continue").click()
    phone.get_by_label("Tesla").check()
    phone.get_by_role("button", name="Continue").click()
    phone.get_by_label("User name").fill("demo-tesla@getfreeheat.com")
    phone.get_by_label("Password").fill("demo")
    phone.get_by_role("button", name="Connect Tesla").click()
    assert phone.get_by_role("alert").is_visible()
    check(phone)
    phone.get_by_label("Password").fill("Demo1234")
    phone.get_by_role("button", name="Connect Tesla").click()
    phone.get_by_role("link", name="Back to your electricity provider").click()

    (device,) = control.state()["devices"]
    assert phone.url == f"{success_url}&deviceId={device['id']}"


def test_control_page_is_accessible(
    partner: Partner, control: SimulatorControl, phone: Page
) -> None:
    control.complete(partner.session_id(partner.user_id()))
    control.arm("token", "http_500")

    phone.goto(f"{partner.base_url}/control")

    check(phone)
