"""Forged, bent and overgrown hand-off tokens: which page each gets, and that nothing changes."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from base64 import urlsafe_b64encode
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.contrib.auth.models import User
from django.test import Client

from onboarding.models import PoderoUser, UsedHandoff
from tests.factories import make_customer
from tests.journeys.customer import heading_of
from tests.views.test_enter import RSA_KEY, SECRET, claims, enter, nobody_is_in, pem, token

pytestmark = pytest.mark.django_db

NO_ENTRY = "This link does not open"
RUN_OUT = "This link has run out"


def part(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return urlsafe_b64encode(raw).decode().rstrip("=")


def signed(header: Any, payload: Any, key: bytes = SECRET.encode()) -> str:
    """A token made by hand, as no library would make it."""
    text = f"{part(header)}.{part(payload)}"
    mac = hmac.new(key, text.encode(), hashlib.sha256).digest()
    return f"{text}.{part(mac)}"


HEADER = {"alg": "HS256", "typ": "JWT"}


def says(payload: str) -> str:
    """A token with these claims written out, with what JSON allows and Python would not write."""
    now = int(time.time())
    told = payload.replace("NOW", str(now)).replace("THEN", str(now + 60))
    return signed(HEADER, told.encode())


COMPLETE = (
    '{"iss":"demo-portal","aud":"podero-onboarding","iat":NOW,"exp":THEN,'
    '"jti":"one","sub":"4711","email":"a@example.com"%s}'
)


def test_tokens_made_by_hand_are_good_ones(client: Client) -> None:
    """Otherwise what follows would be refused for another reason than the one it is about."""
    assert enter(client, signed(HEADER, claims())).status_code == 302
    assert enter(client, says(COMPLETE.replace("one", "two") % "")).status_code == 302


CASES = {
    # The algorithm
    "alg none, signature left out": lambda: f"{part({'alg': 'none'})}.{part(claims())}.",
    "alg None, oddly written": lambda: f"{part({'alg': 'nOnE'})}.{part(claims())}.",
    "alg none, with the right signature": lambda: signed({"alg": "none"}, claims()),
    "alg missing": lambda: signed({"typ": "JWT"}, claims()),
    "alg is a list": lambda: signed({"alg": ["HS256"]}, claims()),
    "alg of a key pair": lambda: signed({"alg": "RS256"}, claims()),
    # The signature
    "signature cut off": lambda: token().rpartition(".")[0],
    "signature empty": lambda: token().rpartition(".")[0] + ".",
    "signature cut short": lambda: token()[:-4],
    "signature of another token": lambda: (
        token().rpartition(".")[0] + "." + token(jti="two").rpartition(".")[2]
    ),
    "signed with nothing": lambda: signed(HEADER, claims(), b""),
    "four parts": lambda: token() + ".more",
    "encrypted token": lambda: ".".join([part({"alg": "dir", "enc": "A256GCM"}), "", "", "", ""]),
    # What the header asks for
    "crit that nobody knows": lambda: signed({**HEADER, "crit": ["x"], "x": 1}, claims()),
    "crit that names nothing": lambda: signed({**HEADER, "crit": []}, claims()),
    "crit that is no list": lambda: signed({**HEADER, "crit": "exp"}, claims()),
    "payload not encoded": lambda: signed({**HEADER, "b64": False, "crit": ["b64"]}, claims()),
    "kid that is no text": lambda: signed({**HEADER, "kid": 1}, claims()),
    "key brought along": lambda: signed(
        {**HEADER, "jwk": {"kty": "oct", "k": part(b"mine")}}, claims(), b"mine"
    ),
    "key fetched from elsewhere": lambda: signed(
        {**HEADER, "jku": "http://127.0.0.1:9/keys", "x5u": "http://127.0.0.1:9/cert"},
        claims(),
        b"mine",
    ),
    "kid that is a path": lambda: signed({**HEADER, "kid": "../../dev/null"}, claims(), b""),
    "header is a list": lambda: signed([], claims()),
    "header nested too deep": lambda: f"{part(b'[' * 2900)}.{part(claims())}.x",
    # What it says
    "claims are a list": lambda: signed(HEADER, []),
    "claims are no JSON": lambda: signed(HEADER, b"{"),
    "claims are not UTF-8": lambda: signed(HEADER, b'{"iss":"\xff"}'),
    "claims nested too deep": lambda: signed(HEADER, b'{"a":' * 550 + b"1" + b"}" * 550),
    "issuer is a list": lambda: signed(HEADER, claims(iss=["demo-portal"])),
    "issuer empty": lambda: token(iss=""),
    "audience is not for us": lambda: token(aud=["somebody", "else"]),
    "audience is a number": lambda: token(aud=1),
    "audience is empty": lambda: token(aud=[]),
    "exp is NaN": lambda: says(COMPLETE.replace("THEN", "NaN") % ""),
    "exp is infinite": lambda: says(COMPLETE.replace("THEN", "Infinity") % ""),
    "exp is huge": lambda: says(COMPLETE.replace("THEN", "9" * 2000) % ""),
    "iat is below zero": lambda: token(iat=-1),
    "iat is text": lambda: token(iat=str(int(time.time()))),
    "exp is nothing": lambda: token(exp=None),
    "exp before iat": lambda: token(exp=int(time.time()) - 1, iat=int(time.time())),
    "nbf is NaN": lambda: says(COMPLETE % ',"nbf":NaN'),
    "nbf is no time": lambda: token(nbf="now"),
    "jti is a number": lambda: token(jti=1),
    "jti is a list": lambda: token(jti=["one"]),
    "jti is empty": lambda: token(jti=""),
    "jti is huge": lambda: token(jti="1" * 256),
    "sub is a number": lambda: token(sub=4711),
    "sub is an object": lambda: token(sub={"$ne": ""}),
    "sub is nothing": lambda: token(sub=None),
    "sub is blank": lambda: token(sub="   "),
    "sub with a terminal's escape": lambda: token(sub="\x1b[2J"),
    "sub with an end of text": lambda: token(sub="47\x0011"),
    "sub with a reversed direction": lambda: token(sub="47\u202e11"),
    "email is a list": lambda: token(email=["a@example.com"]),
    "email with a name": lambda: token(email="Ann <a@example.com>"),
    "two e-mails": lambda: token(email="a@example.com,b@example.com"),
    "email too long": lambda: token(email="a" * 250 + "@example.com"),
    "locale is a number": lambda: token(locale=1),
    "given name with a line break": lambda: token(given_name="Ann\r\nSet-Cookie: a=b"),
    "given name is an object": lambda: token(given_name={}),
    "zone is a list": lambda: token(price_zone=["AT"]),
    # Where it leads
    "next leads away": lambda: token(next="https://evil.example/optimize/"),
    "next without scheme": lambda: token(next="//evil.example/optimize/"),
    "next with a backslash": lambda: token(next="/\\evil.example/optimize/"),
    "next with an encoded slash in front": lambda: token(next="/%2fevil.example/optimize/"),
    "next with an encoded backslash": lambda: token(next="/optimize/%5cevil.example"),
    "next that climbs out": lambda: token(next="/optimize/../admin/"),
    "next that climbs out at the end": lambda: token(next="/optimize/.."),
    "next that climbs out encoded": lambda: token(next="/optimize/%2e%2e/admin/"),
    "next that climbs out half encoded": lambda: token(next="/optimize/.%2E/admin/"),
    "next that stays with a dot": lambda: token(next="/optimize/./../admin/"),
    "next with a tab": lambda: token(next="/\t/evil.example/"),
    "next with a line break": lambda: token(next="/optimize/\r\nSet-Cookie: a=b"),
    "next with an encoded line break": lambda: token(next="/optimize/%0d%0aSet-Cookie:a=b"),
    "next with a script": lambda: token(next="javascript:alert(1)//optimize/"),
    "next is a list": lambda: token(next=["/optimize/"]),
    "next to the admin": lambda: token(next="/admin/"),
    "next that only begins alike": lambda: token(next="/optimize.evil.example/"),
    "next is long": lambda: token(next="/optimize/" + "a" * 500),
    # Its size
    "oversized": lambda: token(given_name="a" * 150, extra="a" * 4096),
    "only dots": lambda: "." * 100,
    "not ascii": lambda: "ä.ö.ü",
    "a line break in it": lambda: token().replace(".", ".\n", 1),
}


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("method", ["get", "post"])
def test_bent_token_gets_a_page_and_changes_nothing(
    client: Client, case: str, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    response = getattr(client, method)("/enter/", {"token": CASES[case]()})  # type: ignore[no-untyped-call]

    assert response.status_code == 400
    assert heading_of(response) == NO_ENTRY
    assert "help@alpenstrom.example" in response.content.decode()
    assert "Set-Cookie" not in response.headers
    assert nobody_is_in(client)
    assert PoderoUser.objects.count() == UsedHandoff.objects.count() == User.objects.count() == 0
    assert "Hand-off refused" in caplog.text
    assert "a@example.com" not in caplog.text


def test_token_that_ran_out_has_a_page_of_its_own(client: Client) -> None:
    old = token(iat=int(time.time()) - 400, exp=int(time.time()) - 100)

    assert heading_of(enter(client, old)) == RUN_OUT


@pytest.mark.parametrize("seconds", [1, 60, 299, 300])
def test_token_may_live_for_five_minutes(client: Client, seconds: int) -> None:
    assert enter(client, token(exp=int(time.time()) + seconds)).status_code == 302


@pytest.mark.parametrize("minutes", [5, 60, 60 * 24 * 365])
def test_token_of_the_past_that_would_still_run_lives_too_long(
    client: Client, minutes: int
) -> None:
    now = int(time.time())

    response = enter(client, token(iat=now - 60 * minutes, exp=now + 60))

    assert response.status_code == 400


@pytest.mark.parametrize("tolerated", [{"iat": 9}, {"nbf": 9}])
def test_clocks_may_differ_by_seconds(client: Client, tolerated: dict[str, int]) -> None:
    now = int(time.time())
    times: dict[str, Any] = {"iat": now - 60, "exp": now + 60}
    times |= {name: now + seconds for name, seconds in tolerated.items()}

    assert enter(client, jwt.encode(claims(**times), SECRET, algorithm="HS256")).status_code == 302


@pytest.mark.parametrize(
    "header",
    [
        {"kid": "an-old-key"},
        {"jku": "http://127.0.0.1:9/keys"},
        {"x5u": "http://127.0.0.1:9/cert", "x5c": ["nonsense"]},
        {"jwk": {"kty": "oct", "k": "bWluZQ"}},
        {"typ": "application/x"},
    ],
)
def test_hints_about_keys_are_not_listened_to(client: Client, header: dict[str, Any]) -> None:
    """The network is closed to tests: asking for such a key would fail loudly."""
    response = enter(client, signed(HEADER | header, claims()))

    assert response.status_code == 302


@pytest.mark.parametrize("written", ["pem", "der", "one line"])
@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_public_key_is_no_shared_secret_however_it_is_written(
    client: Client, settings: Any, written: str, algorithm: str
) -> None:
    settings.HANDOFF_SECRET, settings.HANDOFF_PUBLIC_KEY = "", pem(RSA_KEY)
    der = RSA_KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    key = {
        "pem": pem(RSA_KEY).encode(),
        "der": der,
        "one line": pem(RSA_KEY).replace("\n", "").encode(),
    }[written]
    text = f"{part({'alg': algorithm})}.{part(claims())}"
    mac = hmac.new(key, text.encode(), algorithm.replace("HS", "sha")).digest()

    response = enter(client, f"{text}.{part(mac)}")

    assert response.status_code == 400
    assert heading_of(response) == NO_ENTRY
    assert nobody_is_in(client)


def test_token_of_another_key_pair_lets_nobody_in(client: Client, settings: Any) -> None:
    settings.HANDOFF_SECRET, settings.HANDOFF_PUBLIC_KEY = "", pem(RSA_KEY)
    another = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    response = enter(client, jwt.encode(claims(), another, algorithm="RS256"))

    assert response.status_code == 400


def test_shared_secret_is_worthless_where_a_key_pair_is_used(client: Client, settings: Any) -> None:
    settings.HANDOFF_SECRET, settings.HANDOFF_PUBLIC_KEY = "", pem(RSA_KEY)

    assert enter(client, token()).status_code == 400


def test_nobody_gets_in_where_no_key_is_set(client: Client, settings: Any) -> None:
    settings.HANDOFF_SECRET = settings.HANDOFF_PUBLIC_KEY = ""

    response = enter(client, signed(HEADER, claims(), b""))

    assert response.status_code == 400
    assert "not yet set up" in response.content.decode()


# --- Where the token stands --------------------------------------------------------------------


def test_two_tokens_in_one_address_let_nobody_in(client: Client) -> None:
    response = client.get(f"/enter/?token={token()}&token={token(jti='two', sub='4712')}")

    assert response.status_code == 400
    assert UsedHandoff.objects.count() == 0


def test_only_the_form_counts_when_a_form_is_sent(client: Client) -> None:
    in_address, in_form = token(sub="4711"), token(jti="two", sub="4712")

    response = client.post(f"/enter/?token={in_address}", {"token": in_form})

    assert response.status_code == 302
    assert PoderoUser.objects.get().external_user_id == "4712"


def test_form_without_a_token_is_not_helped_by_the_address(client: Client) -> None:
    assert client.post(f"/enter/?token={token()}").status_code == 400
    assert PoderoUser.objects.count() == 0


@pytest.mark.parametrize("method", ["put", "delete", "patch", "head", "options"])
def test_other_ways_to_knock_use_no_token_up(client: Client, method: str) -> None:
    response = getattr(client, method)(f"/enter/?token={token()}")

    assert response.status_code == 405
    assert UsedHandoff.objects.count() == 0


def test_token_beside_others_in_a_cookie_or_header_counts_for_nothing(client: Client) -> None:
    client.cookies["token"] = token()

    response = client.get("/enter/", headers={"authorization": f"Bearer {token()}"})

    assert response.status_code == 400


# --- Who it is about ---------------------------------------------------------------------------


@pytest.mark.parametrize("rights", [{"is_staff": True}, {"is_superuser": True}])
def test_staff_get_a_page_of_their_own(client: Client, rights: dict[str, bool]) -> None:
    customer = make_customer(external_user_id="4711", email="old@example.com")
    User.objects.filter(pk=customer.account_id).update(**rights)

    response = enter(client, token())

    assert response.status_code == 403
    assert "belongs to a staff account" in response.content.decode()
    assert nobody_is_in(client)
    assert PoderoUser.objects.get().email == "old@example.com"


def test_customer_who_was_locked_out_by_support_stays_out(client: Client) -> None:
    customer = make_customer(external_user_id="4711")
    User.objects.filter(pk=customer.account_id).update(is_active=False)

    assert enter(client, token()).status_code == 400
    assert nobody_is_in(client)


def test_email_of_a_staff_account_gives_none_of_its_rights(client: Client) -> None:
    User.objects.create_user("a@example.com", email="a@example.com", is_staff=True)

    enter(client, token())

    account = User.objects.get(pk=client.session["_auth_user_id"])
    assert not account.is_staff
    assert client.get("/admin/").status_code == 302


def test_email_that_changed_keeps_the_customer_and_their_devices(client: Client) -> None:
    customer = make_customer(external_user_id="4711", email="old@example.com")

    enter(client, token(email="new@example.com"))

    customer.refresh_from_db()
    assert (customer.email, customer.account.email) == ("new@example.com", "new@example.com")
    assert client.session["_auth_user_id"] == str(customer.account_id)


def test_same_email_under_another_number_gets_nothing_of_the_first(client: Client) -> None:
    first = make_customer(external_user_id="4711", email="a@example.com")

    enter(client, token(sub="4712"))

    assert client.session["_auth_user_id"] != str(first.account_id)
    first.refresh_from_db()
    assert first.email == "a@example.com"


@pytest.mark.parametrize("number", ["4711 ", " 4711"])
def test_blanks_around_a_number_make_no_second_customer(client: Client, number: str) -> None:
    customer = make_customer(external_user_id="4711")

    enter(client, token(sub=number))

    assert client.session["_auth_user_id"] == str(customer.account_id)


def test_claims_that_nobody_asked_for_change_nothing(client: Client) -> None:
    enter(
        client,
        token(is_staff=True, is_superuser=True, username="admin", password="x", podero_id="x",
              account=1, withdrawn_at=None),
    )  # fmt: skip

    account = User.objects.get()
    assert (account.is_staff, account.is_superuser) == (False, False)
    assert not account.has_usable_password()
    assert account.username.startswith("customer-")
    assert PoderoUser.objects.get().podero_id is None


# --- What the page gives away ------------------------------------------------------------------


def test_page_about_a_refused_link_repeats_nothing_of_it(client: Client) -> None:
    bad = token(next="/admin/", email="<script>alert(1)</script>@example.com")

    response = enter(client, bad)

    text = response.content.decode()
    assert bad not in text
    assert "alert(1)" not in text
    assert response.headers["Referrer-Policy"] == "strict-origin"
    assert response.headers["Cache-Control"].startswith("no-store") or "Cookie" not in response.get(
        "Vary", ""
    )
