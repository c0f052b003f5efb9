"""What every answer promises the browser, whatever it is and whoever asks for it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import Browser, expect

from onboarding.states import State
from tests.browser.conftest import app, watch  # noqa: F401  (fixtures)
from tests.browser.watch import Watch
from tests.factories import make_attempt, make_consent, make_customer, make_device
from tests.hostile.addresses import Address, every_address
from tests.servers import RunningApp
from tests.test_settings import Load, load  # noqa: F401  (a fixture)

pytestmark = pytest.mark.django_db

POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self'",
    "font-src": "'self'",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
    "form-action": "'self' https: http://127.0.0.1:9",
}


def policy_of(response: Any) -> dict[str, str]:
    rules = response.headers["Content-Security-Policy"].split("; ")
    return {name: value for name, _space, value in (rule.partition(" ") for rule in rules)}


def foreign_or_inline(text: str) -> list[str]:
    """What a page fetches from elsewhere, or would run or paint without a file of its own."""
    found = re.findall(r"<style|\sstyle=|\son[a-z]+=\"", text)
    found += re.findall(r"\s(?:src|srcset|poster|data)=\"(?:https?:)?//[^\"]*", text)
    found += re.findall(r"<link[^>]*href=\"(?:https?:)?//[^\"]*", text)
    scripts = re.findall(r"<script[^>]*>", text)
    return found + [
        tag for tag in scripts if ' src="/' not in tag and 'type="application/json"' not in tag
    ]


def browsers() -> dict[str, Client]:
    """Somebody of every kind, each of whom owns a row of every kind."""
    customer, staff = Client(), Client()
    attempt = make_attempt(customer=make_customer(), state=State.LINKED)
    make_device(attempt=attempt)
    customer.force_login(attempt.podero_user.account)
    staff.force_login(User.objects.create_superuser("staff@example.com", password="demo"))
    return {"stranger": Client(), "customer": customer, "staff": staff}


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("address", every_address(), ids=str)
def test_every_answer_carries_the_headers(address: Address, method: str) -> None:
    for who, browser in browsers().items():
        response = getattr(browser, method)(address.path())

        headers = response.headers
        assert response.status_code < 500, who
        assert policy_of(response) == POLICY, who
        assert headers["X-Content-Type-Options"] == "nosniff", who
        assert headers["X-Frame-Options"] == "DENY", who
        assert "camera=()" in headers["Permissions-Policy"], who
        if not address.template.startswith("/health/"):
            assert headers["Cross-Origin-Opener-Policy"] == "same-origin", who
            expected = {
                "return_success": "no-referrer",
                "return_cancel": "no-referrer",
                "reconnect_success": "no-referrer",
                "reconnect_cancel": "no-referrer",
                "enter": "strict-origin",
            }
            # Only the page of a refused link, and the way back, hold a key in their address.
            is_answered = response.status_code != 405
            referrer = expected.get(address.name) if is_answered else None
            assert headers["Referrer-Policy"] == (referrer or "same-origin"), who
        if who != "stranger" and "Cookie" in headers.get("Vary", ""):
            assert "no-store" in headers["Cache-Control"], who
        assert "Access-Control-Allow-Origin" not in headers, who
        assert foreign_or_inline(response.content.decode()) == [], who


@pytest.mark.parametrize(
    ("path", "host", "status"),
    [
        ("/optimize/nowhere/", "testserver", 404),
        ("/optimize/", "evil.example", 400),
        ("/static/css/site.css", "testserver", 200),
        ("/static/nowhere.css", "testserver", 404),
    ],
)
def test_pages_about_mistakes_and_files_carry_them_too(path: str, host: str, status: int) -> None:
    response = Client(HTTP_HOST=host).get(path)
    response.close()

    assert response.status_code == status
    assert policy_of(response) == POLICY
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["X-Frame-Options"] == "DENY"


def test_crash_carries_them_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_args: Any, **_options: Any) -> None:
        raise RuntimeError("customer ann@example.com")

    monkeypatch.setattr("onboarding.views.returning.render", crash)

    response = Client(raise_request_exception=False).get("/optimize/return/unknown/")

    assert response.status_code == 500
    assert policy_of(response) == POLICY
    assert response.headers["X-Frame-Options"] == "DENY"
    assert "ann@example.com" not in response.content.decode()


def test_https_is_promised_for_a_year(settings: Any) -> None:
    settings.SECURE_HSTS_SECONDS = 365 * 24 * 3600

    response = Client().get("/optimize/", secure=True)

    assert response.headers["Strict-Transport-Security"] == "max-age=31536000"


def test_plain_http_is_led_to_https(settings: Any) -> None:
    settings.SECURE_SSL_REDIRECT = True

    response = Client().get("/optimize/devices/?a=b")

    assert response.status_code == 301
    assert response.headers["Location"] == "https://testserver/optimize/devices/?a=b"
    assert not response.cookies


@pytest.mark.parametrize("door", ["/sign-in/", "/admin/login/"])
def test_cookies_are_kept_from_scripts_and_other_sites(settings: Any, door: str) -> None:
    settings.SESSION_COOKIE_NAME = "__Host-sessionid"
    settings.CSRF_COOKIE_NAME = "__Host-csrftoken"
    settings.KNOWN_BROWSER_COOKIE_NAME = "__Host-known"
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = True
    User.objects.create_user("ann@example.com", password="demo", is_staff=True)
    browser = Client()
    browser.get(door, secure=True)

    browser.post(door, {"username": "ann@example.com", "password": "demo"}, secure=True)

    assert set(browser.cookies) == {"__Host-sessionid", "__Host-csrftoken", "__Host-known"}
    for name, cookie in browser.cookies.items():
        assert cookie["secure"], name
        assert cookie["httponly"], name
        assert cookie["samesite"] == "Lax", name
        assert (cookie["path"], cookie["domain"]) == ("/", ""), name


def test_no_page_sets_a_cookie_of_another_name(settings: Any) -> None:
    ours = {
        settings.SESSION_COOKIE_NAME,
        settings.CSRF_COOKIE_NAME,
        settings.KNOWN_BROWSER_COOKIE_NAME,
    }
    for browser in browsers().values():
        for address in every_address():
            browser.get(address.path())
            browser.post(address.path(), {"language": "de"})
        assert set(browser.cookies) <= ours


# --- Frames ------------------------------------------------------------------------------------

PORTAL = "https://portal.alpenstrom.example"


def test_portal_may_be_allowed_to_frame_customers_pages(load: Load) -> None:  # noqa: F811
    settings = load(FRAME_ANCESTORS=f"{PORTAL}, https://app.alpenstrom.example:8443")

    assert settings["CONTENT_SECURITY_POLICY"]["DIRECTIVES"]["frame-ancestors"] == [
        PORTAL,
        "https://app.alpenstrom.example:8443",
    ]


def test_admin_is_never_framed(settings: Any) -> None:
    settings.FRAME_ANCESTORS = [PORTAL]
    policy = settings.CONTENT_SECURITY_POLICY
    settings.CONTENT_SECURITY_POLICY = {
        "DIRECTIVES": policy["DIRECTIVES"] | {"frame-ancestors": [PORTAL]}
    }

    page, admin = Client().get("/optimize/"), Client().get("/admin/login/")

    assert policy_of(page)["frame-ancestors"] == PORTAL
    assert "X-Frame-Options" not in page.headers
    assert policy_of(admin)["frame-ancestors"] == "'none'"
    assert admin.headers["X-Frame-Options"] == "DENY"


# --- In a real browser -------------------------------------------------------------------------


def test_staff_pages_work_under_the_policy(
    browser: Browser,
    app: RunningApp,  # noqa: F811
    watch: Watch,  # noqa: F811
) -> None:
    """The watch fails for anything that the policy keeps the browser from doing."""
    watch.accept(404)
    done = app.manage(
        "shell", "-v", "0", "-c",
        "from django.contrib.auth.models import User;"
        "User.objects.create_superuser('root@example.com', password='demo');"
        "from tests.hostile.test_headers import rows; rows()",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    context = browser.new_context(locale="en-GB")
    watch.look_at(context)
    page = context.new_page()
    page.goto(f"{app.base_url}/admin/login/")
    page.get_by_label("Username").fill("root@example.com")
    page.get_by_label("Password").fill("demo")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("What is on record")

    lists = [link.get_attribute("href") for link in page.locator("#content th a").all()]
    assert len(lists) >= 6
    for path in lists:
        page.goto(f"{app.base_url}{path}")
        expect(page.locator("#changelist")).to_be_visible()
        page.goto(f"{app.base_url}{path}?q=nothing")
        page.goto(f"{app.base_url}{path}")
        row = page.locator("#result_list tbody th a").first
        if row.count():
            row.click()
            page.wait_for_url(re.compile("/change/"))
    page.goto(f"{app.base_url}/admin/auth/user/add/")
    page.goto(f"{app.base_url}/admin/password_change/")
    context.close()


def rows() -> None:
    """Something to see in each of support's lists."""
    attempt = make_attempt(state=State.LINKED)
    make_device(attempt=attempt)
    make_consent(attempt.podero_user)
