"""What Sentry is told when something breaks with keys and people all around it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
import sentry_sdk
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport

from config import sentry
from config.urls import handler500  # noqa: F401  (this module stands in for it)
from config.urls import urlpatterns as our_urls
from onboarding.log_context import lines_name
from tests.factories import make_customer

SECRETS = [
    "anna.huber@example.com",
    "Anna Huber",
    "very-secret-token",
    "customer-number-4711",
    "203.0.113.7",
]
logger = logging.getLogger("onboarding.of_a_test")


def breaking(request: HttpRequest) -> HttpResponse:
    """Everything at hand, as in a real view."""
    email, name, token, number = SECRETS[:4]
    everything = {"email": email, "name": name, "token": token, "number": number}
    logger.warning("Before it broke: %s", everything)
    sentry_sdk.set_user({"email": email, "id": number})
    sentry_sdk.set_tag("customer", number)
    sentry_sdk.set_extra("everything", everything)
    sentry_sdk.add_breadcrumb(message=f"GET /optimize/return/{token}/success/ {email}")
    raise RuntimeError(f"no row for {email}, {name}, {number} with {token}")


def logging_an_error(request: HttpRequest) -> HttpResponse:
    logger.error("Device is on record for %s", SECRETS[0], extra={"attempt": "0e1f"})
    return HttpResponse()


class Row:
    reference = "0e1f0000-0000-4000-8000-000000000001"


@lines_name("attempt")
def breaking_flow(*, attempt: Row) -> HttpResponse:
    raise RuntimeError


urlpatterns = [
    path("breaking/<str:token>/", lambda request, token: breaking(request)),
    path("logging/", logging_an_error),
    path("in-a-flow/", lambda request: breaking_flow(attempt=Row())),
    *our_urls,
]


class Kept(Transport):
    """Keeps what would be sent."""

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        self.envelopes: list[Envelope] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        self.envelopes.append(envelope)

    @property
    def sent(self) -> bytes:
        return b"".join(envelope.serialize() for envelope in self.envelopes)

    @property
    def events(self) -> list[Any]:
        return [event for each in self.envelopes if (event := each.get_event()) is not None]


@pytest.fixture
def kept() -> Iterator[Kept]:
    transport = Kept()
    sentry.start("https://key@sentry.example/1", site="https://flex.example", transport=transport)
    yield transport
    sentry_sdk.get_client().close(timeout=0)
    sentry_sdk.get_global_scope().set_client(None)


@pytest.fixture
def browser() -> Client:
    browser = Client(
        HTTP_HOST="localhost",
        raise_request_exception=False,
        REMOTE_ADDR="203.0.113.7",
        headers={
            "Authorization": "Bearer very-secret-token",
            "Referer": "https://localhost/?token=very-secret-token",
            "X-Forwarded-For": "203.0.113.7",
            "User-Agent": "Anna Huber's phone",
        },
    )
    browser.force_login(make_customer(email=SECRETS[0]).account)
    browser.cookies["token"] = "very-secret-token"
    return browser


@pytest.mark.django_db
@pytest.mark.urls(__name__)
def test_error_in_a_flow_is_reported_with_its_attempt(kept: Kept, browser: Client) -> None:
    browser.get("/in-a-flow/")

    (event,) = kept.events
    assert event["tags"]["attempt"] == Row.reference
    assert event["tags"]["support_code"] == "0E1F0000"


@pytest.mark.django_db
@pytest.mark.urls(__name__)
def test_error_is_reported_without_anybody_in_it(kept: Kept, browser: Client) -> None:
    answer = browser.post(
        "/breaking/very-secret-token/?token=very-secret-token&email=anna.huber@example.com",
        {"email": SECRETS[0], "name": SECRETS[1], "number": SECRETS[3]},
    )

    assert answer.status_code == 500
    (event,) = kept.events
    (error,) = event["exception"]["values"]
    assert error["type"] == "RuntimeError"
    assert error["stacktrace"]["frames"][-1]["function"] == "breaking"
    assert event["tags"]["request_id"] == answer.headers["X-Request-ID"]
    for secret in [*SECRETS, browser.cookies["sessionid"].value]:
        assert secret.encode() not in kept.sent
    assert b"vars" not in kept.sent
    assert not {"request", "user", "breadcrumbs", "extra", "contexts", "modules"} & event.keys()


@pytest.mark.django_db
@pytest.mark.urls(__name__)
def test_logged_error_is_reported_by_its_constant_words(kept: Kept, browser: Client) -> None:
    browser.get("/logging/")

    (event,) = kept.events
    assert event["logentry"]["message"] == "Device is on record for %s"
    assert event["tags"]["attempt"] == "0e1f"
    for secret in SECRETS:
        assert secret.encode() not in kept.sent


@pytest.mark.django_db
@pytest.mark.urls(__name__)
def test_warnings_and_good_requests_are_nobodys_business(kept: Kept, browser: Client) -> None:
    logger.warning("Something small")
    browser.get("/optimize/")

    assert kept.events == []


def test_nothing_is_reported_where_no_address_is_set(settings: Any) -> None:
    assert settings.SENTRY_DSN == ""
    assert not sentry_sdk.get_client().is_active()
