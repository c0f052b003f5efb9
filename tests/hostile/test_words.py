"""Hostile words: in names, settings, hosts, headers and logs they stay words."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from config.logs import KeysOut, LineFormatter
from onboarding.models import Device
from onboarding.states import State
from tests.factories import make_attempt, make_customer, make_device
from tests.hostile.addresses import our_addresses
from tests.journeys.customer import Customer, heading_of
from tests.simulator.launch import RunningSimulator
from tests.views.test_enter import enter, token

pytestmark = pytest.mark.django_db

SCRIPT = "<script>alert(1)</script>"
NASTY = [
    "{{ settings.SECRET_KEY }}",
    "{% debug %}",
    "{{ 7777|add:7777 }}",
    SCRIPT,
    '"><img src=x>',
    "%s",
]


# --- Templates ---------------------------------------------------------------------------------


@pytest.mark.parametrize("nasty", NASTY)
def test_words_of_settings_are_shown_as_they_are(settings: Any, nasty: str) -> None:
    for name in ("BRAND_NAME", "SUPPORT_PHONE", "SUPPORT_HOURS"):
        setattr(settings, name, nasty)
    browser = Client()
    browser.force_login(make_customer().account)

    for address in our_addresses():
        text = browser.get(address.path(), follow=True).content.decode()

        assert SCRIPT not in text
        assert "<img src=x>" not in text
        assert settings.SECRET_KEY not in text
        assert "15554" not in text


@pytest.mark.parametrize("nasty", NASTY)
def test_words_of_podero_and_of_the_portal_are_shown_as_they_are(nasty: str) -> None:
    browser = Client()
    enter(browser, token(given_name=nasty, family_name=nasty, sub=nasty, locale="de"))
    account = User.objects.get()
    attempt = make_attempt(customer=account.podero_user, state=State.LINKED)
    make_device(attempt=attempt, manufacturer=nasty, model=nasty, connection_status="ok")
    staff = Client()
    staff.force_login(User.objects.create_superuser("root@example.com"))
    pages = [
        browser.get(reverse("devices")),
        browser.get(reverse("leave")),
        browser.get(reverse("attempt", args=[attempt.reference])),
        staff.get(reverse("admin:onboarding_device_changelist")),
        staff.get(reverse("admin:onboarding_device_change", args=[Device.objects.get().pk])),
        staff.get(reverse("admin:onboarding_poderouser_changelist")),
        staff.get(reverse("admin:onboarding_poderouser_change", args=[attempt.podero_user_id])),
    ]

    for page in pages:
        text = page.content.decode()
        assert page.status_code == 200
        assert SCRIPT not in text
        assert "<img src=x>" not in text


@pytest.mark.parametrize("nasty", NASTY)
def test_what_is_typed_comes_back_as_words(nasty: str) -> None:
    pages = [
        Client().post("/sign-in/", {"username": nasty, "password": nasty, "next": nasty}),
        Client().get("/sign-in/", {"next": nasty}),
        Client().get("/optimize/", {"device_type": nasty}),
        Client().get(f"/optimize/{nasty}/"),
    ]

    for page in pages:
        assert SCRIPT not in page.content.decode()
        assert "<img src=x>" not in page.content.decode()


# --- Hosts -------------------------------------------------------------------------------------

HOSTS = [
    "evil.example",
    "localhost.evil.example",
    "localhost@evil.example",
    "localhost:80@evil.example",
    "localhost evil.example",
    "evil.example:80",
    "localhost/evil",
    "xn--lcalhost-kza",
    "",
]


@pytest.mark.parametrize("host", HOSTS)
def test_wrong_host_gets_a_page_that_does_not_repeat_it(host: str) -> None:
    for address in our_addresses():
        if address.template.startswith("/health/"):
            continue

        response = Client(HTTP_HOST=host).get(address.path())

        assert response.status_code == 400, address
        assert heading_of(response) == "We could not read that"
        assert not host or host not in response.content.decode()


@pytest.mark.parametrize(
    "headers",
    [
        {"x-forwarded-host": "evil.example"},
        {"x-host": "evil.example"},
        {"forwarded": "host=evil.example"},
        {"x-original-url": "/admin/"},
        {"x-rewrite-url": "/admin/"},
        {"x-forwarded-proto": "https"},
        {"x-forwarded-port": "1234"},
        {"x-http-method-override": "POST"},
    ],
)
def test_headers_of_proxies_that_are_not_there_change_no_address(headers: dict[str, str]) -> None:
    plain, bent = Client(), Client(headers=headers)

    for address in our_addresses():
        expected, got = plain.get(address.path()), bent.get(address.path())

        assert got.status_code == expected.status_code
        assert got.headers.get("Location") == expected.headers.get("Location")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("host", ["127.0.0.1", "testserver", "localhost"])
def test_way_back_is_built_from_our_own_address(
    podero_settings: Any, simulator: RunningSimulator, host: str
) -> None:
    customer = Customer(make_customer(), Client(HTTP_HOST=host))
    customer.browser.force_login(customer.podero_user.account)

    customer.opt_in()

    (session,) = simulator.control.state()["sessions"]
    for way in ("success_url", "cancel_url"):
        assert session[way].startswith("http://localhost:8000/optimize/return/")


# --- Headers -----------------------------------------------------------------------------------

BREAKS = [
    "a\r\nSet-Cookie: evil=1",
    "a\nLocation: //evil.example",
    "a%0d%0aSet-Cookie:evil=1",
    "\r",
]


@pytest.mark.parametrize("nasty", BREAKS)
def test_line_breaks_make_no_header(nasty: str) -> None:
    browser = Client()
    browser.force_login(make_customer().account)
    for client in (Client(), browser):
        for address in our_addresses():
            for response in (
                client.get(
                    address.path(), {"next": nasty, "device_type": nasty, "deviceId": nasty}
                ),
                client.post(address.path(), {"next": nasty, "username": nasty, "token": nasty}),
            ):
                for name, value in response.headers.items():
                    assert "\r" not in name + value
                    assert "\n" not in name + value
                assert "evil" not in response.cookies
                assert "evil.example" not in response.headers.get("Location", "").partition("?")[0]


# --- Logs --------------------------------------------------------------------------------------


def written(message: str, *args: object, **extra: object) -> str:
    record = logging.LogRecord("onboarding.test", logging.WARNING, "x.py", 1, message, args, None)
    record.__dict__.update(extra)
    KeysOut().filter(record)
    return LineFormatter("{levelname} {name} {message}", style="{").format(record)


@pytest.mark.parametrize(
    "nasty",
    [
        "a\nERROR root forged line",
        "a\r\nERROR root forged line",
        "a\x1b[2Jgone",
        "a\x9b31mred",
        "a\x00b",
        "a\u2028ERROR root forged line",
        "a\u202eback",
        "a\x85ERROR root forged line",
    ],
)
def test_line_of_the_log_stays_one_line(nasty: str) -> None:
    in_message, in_field = written("Not Found: %s", nasty), written("Refused", reason=nasty)

    for line in (in_message, in_field):
        assert len(line.splitlines()) == 1
        assert line.isprintable()
        assert line.startswith("WARNING onboarding.test ")


@pytest.mark.parametrize(
    "key",
    [
        "/optimize/return/KEY-OF-ANN/success/",
        "/enter/?token=KEY-OF-ANN",
        "https://connect.podero.com?onboarding_session_id=KEY-OF-ANN",
        "Bearer KEY-OF-ANN",
        "KEY-OF-ANN@example.com",
    ],
)
def test_keys_and_addresses_of_people_are_left_out_of_the_log(key: str) -> None:
    for line in (written("Not Found: %s", key), written("Refused", reason=key)):
        assert "KEY-OF-ANN" not in line


def test_traceback_cannot_pass_for_a_line_of_the_log() -> None:
    try:
        int("a\nERROR root forged line \x1b[2J" + "\n")
    except ValueError as reason:
        error = ValueError(f"{reason} a\nERROR root forged line \x1b[2J")
        record = logging.LogRecord(
            "x", logging.ERROR, "x.py", 1, "Crash", (), (type(error), error, error.__traceback__)
        )

    first, *below = LineFormatter("{levelname} {message}", style="{").format(record).splitlines()

    assert first == "ERROR Crash"
    assert below
    assert all(line.startswith("  ") for line in below)
    assert "\x1b" not in "".join(below)


@pytest.mark.parametrize("nasty", ["%0aERROR forged", "%1b[2J", "%e2%80%a8ERROR forged"])
def test_address_that_nobody_has_is_logged_in_one_line(
    nasty: str, caplog: pytest.LogCaptureFixture
) -> None:
    Client().get(f"/optimize/{nasty}/")

    (record,) = [record for record in caplog.records if record.name == "django.request"]
    assert len(LineFormatter("{message}", style="{").format(record).splitlines()) == 1
