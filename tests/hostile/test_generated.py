"""Generated hostile values in every parameter of every address.

Each example sends one request with up to six of its parameters bent: path parts, query, form
fields, cookies and headers. Whoever sends it, there is no crash, nothing of anybody else changes,
and neither the answer nor the log tells a key or a person. The run is the same each time.
"""

from __future__ import annotations

import io
import logging
import uuid
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from django.conf import settings as app_settings
from django.contrib.auth.models import User
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.logs import KeysOut, LineFormatter
from onboarding.models import Device, OnboardingSession
from onboarding.models.return_tokens import kept_hash_of
from onboarding.states import State
from tests.factories import make_attempt, make_customer, make_device
from tests.hostile.addresses import Address, every_address, our_addresses
from tests.hostile.rows import rows_of, rows_of_everything

pytestmark = pytest.mark.django_db

OURS = our_addresses()
LISTS = [a for a in every_address() if a.name.endswith("_changelist") or a.name == "index"]
EXAMPLES = {"stranger": 11, "customer": 24, "staff": 8}

VICTIM = uuid.UUID("5ec4e700-0000-4000-8000-00000000a77e")
VICTIM_DEVICE = uuid.UUID("5ec4e700-0000-4000-8000-00000000d04e")
VICTIM_SUBMISSION = uuid.UUID("5ec4e700-0000-4000-8000-000000005bb0")
VICTIM_FORM = uuid.UUID("5ec4e700-0000-4000-8000-00000000f044")
RETURN_KEY = "victims-return-key-0123456789abcdef"
OWN_KEY = "mallorys-return-key-0123456789abcdef"
CANARY = "canary@somebody.example"

PAYLOADS = [
    "", " ", "\x00", "\n", "\r\nSet-Cookie: evil=1", "\x1b[2J", "'", '"', "' OR 1=1 --", "%", "_", "*",
    "../../../etc/passwd", "..\\..\\", "/%2e%2e/admin/", "//evil.example/", "/\\evil.example",
    "https://evil.example/", "javascript:alert(1)", "{{ settings.SECRET_KEY }}", "{% debug %}",
    "<script>alert(1)</script>", "%s%s%n", "%(asctime)s", "{0.__class__}", "{asctime}", "$(id)", "`id`",
    "-1", "0", "1", "99999999999999999999", "1e309", "NaN", "null", "true", "[]", "{}", "0x10",
    "\u202e", "\u0000", "\ufeff", "\U0001f4a9", "e\u0301" * 40, "İ", "ß", "٣", "a" * 5000, "," * 500,
    "xn--", "eyJhbGciOiJub25lIn0.e30.", "x" * 4097 + ".y.z", CANARY, f"/optimize/return/{'k' * 43}/success/",
    str(VICTIM), str(VICTIM_DEVICE), str(VICTIM_SUBMISSION), VICTIM.hex, str(VICTIM).upper(),
    f"{{{VICTIM}}}", f"/optimize/attempts/{VICTIM}/", f"/optimize/devices/{VICTIM_DEVICE}/confirm/",
    "on", "ev", "withdraw", "linked", "2026-02-30", "0000-00-00", "99999-01-01", "1970-01-01T00:00:00Z",
]  # fmt: skip
value = st.one_of(st.sampled_from(PAYLOADS), st.text(max_size=60))

QUERY = ["next", "device_type", "deviceId", "token", "language", "q", "o", "p", "e", "all", "_to_field",
         "_popup", "started_at__year", "started_at__month", "state", "podero_user__account__password"]  # fmt: skip
FORM = ["csrfmiddlewaretoken", "next", "token", "username", "password", "submission", "device_type",
        "words", "allows_control", "allows_data_exchange", "state", "podero_user", "reason", "post",
        "action", "_selected_action", "_method"]  # fmt: skip
HEADERS = ["HTTP_HOST", "HTTP_REFERER", "HTTP_ORIGIN", "HTTP_ACCEPT_LANGUAGE", "HTTP_ACCEPT", "HTTP_USER_AGENT",
           "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_HOST", "HTTP_X_FORWARDED_PROTO", "HTTP_FORWARDED",
           "HTTP_AUTHORIZATION", "HTTP_X_CSRFTOKEN", "HTTP_X_REQUESTED_WITH", "HTTP_IF_NONE_MATCH",
           "HTTP_IF_MODIFIED_SINCE", "HTTP_RANGE", "REMOTE_ADDR", "CONTENT_TYPE"]  # fmt: skip
COOKIES = ["sessionid", "csrftoken", "known", "messages", "django_language"]


def parameters_of(address: Address) -> list[str]:
    kinds = {
        "path": address.parts,
        "query": QUERY,
        "form": FORM,
        "header": HEADERS,
        "cookie": COOKIES,
    }
    return [f"{kind} {name}" for kind, names in kinds.items() for name in names]


def send(
    browser: Client,
    address: Address,
    method: str,
    bent: dict[str, str],
    usual: Mapping[str, object] | None = None,
) -> Any:
    """One request with these parameters; the others are `usual`, or name what nobody has."""
    parts: dict[str, dict[str, str]] = {kind: {} for kind in ("path", "query", "form", "header")}
    cookies = [f"{name}={morsel.value}" for name, morsel in browser.cookies.items()]
    for name, hostile in bent.items():
        kind, _space, parameter = name.partition(" ")
        if kind == "cookie":
            cookies.append(f"{parameter}={_as_header(hostile)}")
        else:
            parts[kind][parameter] = hostile
    hostile_parts = {name: quote(text, safe="") for name, text in parts["path"].items()}
    path = address.path(**{**(usual or {}), **hostile_parts})
    extra: dict[str, Any] = {name: _as_header(hostile) for name, hostile in parts["header"].items()}
    if cookies:
        extra["HTTP_COOKIE"] = "; ".join(cookies)
    body = urlencode(parts["form"]).encode() if method == "POST" else b""
    content_type = extra.pop("CONTENT_TYPE", "application/x-www-form-urlencoded")
    return browser.generic(
        method,
        path,
        body,
        content_type=content_type,
        **{"QUERY_STRING": urlencode(parts["query"]), **extra},
    )


def _as_header(text: str) -> str:
    """As a server hands it over: bytes in Latin-1, without what ends a header."""
    cleaned = text.encode().decode("latin-1")
    return "".join(character for character in cleaned if character not in "\r\n\x00")


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What the app would print."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(LineFormatter("{levelname} {name} {message}", style="{"))
    handler.addFilter(KeysOut())
    logging.getLogger().addHandler(handler)
    yield stream
    logging.getLogger().removeHandler(handler)


@pytest.fixture
def victim() -> OnboardingSession:
    """A customer with everything that somebody else might like to have."""
    customer = make_customer(
        email="victim@private.example",
        external_user_id="VICTIM-4711",
        podero_id=uuid.UUID("5ec4e700-0000-4000-8000-0000000005e4"),
    )
    User.objects.filter(pk=customer.account_id).update(
        first_name="Victoria-Private", last_name="Victim-Private"
    )
    attempt = make_attempt(
        customer=customer,
        state=State.OPEN,
        reference=VICTIM,
        submission=VICTIM_SUBMISSION,
        podero_id=VICTIM_FORM,
        return_token_hash=kept_hash_of(RETURN_KEY),
    )
    make_device(
        attempt=make_attempt(customer=customer, state=State.LINKED),
        reference=VICTIM_DEVICE,
        manufacturer="Private-Motors",
    )
    return attempt


def parts_of_own(address: Address, device: Device) -> dict[str, object]:
    """What leads to pages of the device's owner, where the address has any."""
    attempt = device.attempt
    own: dict[str, Any] = {
        "attempts": attempt,
        "devices": device,
        "consents": attempt.consent,
    }
    kind = own.get(address.template.removeprefix("/optimize/").partition("/")[0])
    return {"token": OWN_KEY} | ({"reference": kind.reference} if kind else {})


def secrets_of(attempt: OnboardingSession) -> list[str]:
    customer = attempt.podero_user
    return [
        app_settings.SECRET_KEY,
        app_settings.HANDOFF_SECRET,
        app_settings.PODERO_CLIENT_SECRET,
        RETURN_KEY,
        str(attempt.return_token_hash),
        str(attempt.podero_id),
        str(customer.podero_id),
        customer.email,
        customer.external_user_id,
        "Victoria-Private",
        "Victim-Private",
        "Private-Motors",
    ]


def shown_by(response: Any) -> str:
    body = b"".join(response.streaming_content) if response.streaming else response.content
    return f"{response.headers}\n{body.decode(errors='replace')}"


def tries(who: str) -> settings:
    return settings(
        max_examples=EXAMPLES[who],
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


def bent_parameters(address: Address) -> st.SearchStrategy[dict[str, str]]:
    names = st.sampled_from(parameters_of(address))
    return st.dictionaries(names, value, min_size=1, max_size=6)


def test_two_thousand_requests_are_sent() -> None:
    sent = (
        EXAMPLES["stranger"] * len(every_address())
        + EXAMPLES["customer"] * len(OURS)
        + EXAMPLES["staff"] * len(LISTS)
    )

    assert sent >= 2000


@pytest.mark.parametrize("address", every_address(), ids=str)
def test_stranger_changes_nothing_and_learns_nothing(
    address: Address, victim: OnboardingSession, log: io.StringIO
) -> None:
    before, secrets = rows_of_everything(), secrets_of(victim)

    @tries("stranger")
    @given(st.sampled_from(["GET", "POST"]), bent_parameters(address))
    def attack(method: str, bent: dict[str, str]) -> None:
        response = send(Client(), address, method, bent)

        assert response.status_code < 500
        assert rows_of_everything() == before
        told = shown_by(response) + log.getvalue()
        assert [secret for secret in secrets if secret in told] == []
        assert CANARY not in log.getvalue()
        log.truncate(0)

    attack()


@pytest.mark.parametrize("address", OURS, ids=str)
def test_customer_changes_nothing_of_others_and_learns_nothing_of_them(
    address: Address, victim: OnboardingSession, log: io.StringIO
) -> None:
    before, secrets = rows_of(victim.podero_user), secrets_of(victim)
    mallory = make_customer(email="mallory@example.com")
    attempt = make_attempt(
        customer=mallory, state=State.LINKED, return_token_hash=kept_hash_of(OWN_KEY)
    )
    own = parts_of_own(address, make_device(attempt=attempt))

    @tries("customer")
    @given(st.sampled_from(["GET", "POST"]), bent_parameters(address))
    def attack(method: str, bent: dict[str, str]) -> None:
        browser = Client()
        browser.force_login(mallory.account)

        response = send(browser, address, method, bent, own)

        assert response.status_code < 500
        assert rows_of(victim.podero_user) == before
        told = shown_by(response) + log.getvalue()
        assert [secret for secret in secrets if secret in told] == []
        assert CANARY not in log.getvalue()
        assert "mallory@example.com" not in log.getvalue()
        log.truncate(0)

    attack()


@pytest.mark.parametrize("address", LISTS, ids=str)
def test_staff_who_follow_a_hostile_link_see_no_crash_and_no_key(
    address: Address, victim: OnboardingSession, log: io.StringIO
) -> None:
    staff = User.objects.create_superuser("root@example.com")
    before = rows_of_everything()
    keys = secrets_of(victim)[:6]

    @tries("staff")
    @given(bent_parameters(address))
    def attack(bent: dict[str, str]) -> None:
        browser = Client()
        browser.force_login(staff)
        User.objects.filter(pk=staff.pk).update(last_login=None)

        response = send(browser, address, "GET", bent)

        assert response.status_code < 500
        assert rows_of_everything() == before
        told = shown_by(response) + log.getvalue()
        assert [key for key in keys if key in told] == []
        log.truncate(0)

    attack()
