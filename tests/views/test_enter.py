"""The portal's signed link: who gets in, who does not, and that nothing changes then."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from base64 import urlsafe_b64encode
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from onboarding.models import PoderoUser, UsedHandoff
from onboarding.states import State
from tests.factories import make_attempt, make_customer, make_device, make_reconnection

pytestmark = pytest.mark.django_db

SECRET = "only-for-tests-a-secret-shared-with-the-portal"


def claims(*, omit: str = "", **changes: Any) -> dict[str, Any]:
    now = int(time.time())
    said = {
        "iss": "demo-portal",
        "aud": "podero-onboarding",
        "iat": now,
        "exp": now + 300,
        "jti": "one",
        "sub": "4711",
        "email": "a@example.com",
    }
    return {name: value for name, value in (said | changes).items() if name != omit}


def token(key: Any = SECRET, algorithm: str = "HS256", **changes: Any) -> str:
    return jwt.encode(claims(**changes), key, algorithm=algorithm)


def enter(client: Client, given: str, **more: str) -> Any:
    return client.get("/enter/", {"token": given, **more})


def nobody_is_in(client: Client) -> bool:
    return "_auth_user_id" not in client.session


def test_customer_is_signed_in_and_sent_to_the_start(client: Client) -> None:
    response = enter(client, token(locale="de-AT", country="DE", given_name="Ann"))

    assert response.status_code == 302
    assert response.headers["Location"] == "/optimize/"
    customer = PoderoUser.objects.get()
    assert (customer.external_user_id, customer.email) == ("4711", "a@example.com")
    assert (customer.language, customer.hosted_language) == ("de-AT", "de")
    assert customer.price_zone == "DE_LU"
    assert client.session["_auth_user_id"] == str(customer.account_id)
    assert not customer.account.has_usable_password()


def test_portal_may_post_the_token(client: Client) -> None:
    response = Client(enforce_csrf_checks=True).post("/enter/", {"token": token()})

    assert response.status_code == 302


def test_customer_is_led_to_where_the_portal_says(client: Client) -> None:
    response = enter(client, token(next="/optimize/devices/"))

    assert response.headers["Location"] == "/optimize/devices/"


def test_customer_is_led_back_to_where_they_were_stopped(client: Client) -> None:
    client.get("/optimize/consent/?device_type=hp")

    response = enter(client, token())

    assert response.headers["Location"] == "/optimize/consent/?device_type=hp"


@pytest.mark.parametrize("name", ["receipt", "withdrawal", "remove_device", "reconnection"])
def test_customer_is_led_back_to_what_is_theirs_alone(client: Client, name: str) -> None:
    customer = make_customer(external_user_id="4711")
    device = make_device(attempt=make_attempt(customer=customer, state=State.LINKED))
    consent = customer.consents.get()
    references = {
        "receipt": consent.reference,
        "withdrawal": consent.reference,
        "remove_device": device.reference,
        "reconnection": make_reconnection(device=device).reference,
    }
    address = reverse(name, args=[references[name]])

    for number, leads_to in (("4711", address), ("4712", "/optimize/")):
        client.logout()
        client.get(address)
        response = enter(client, token(jti=number, sub=number))
        assert response.headers["Location"] == leads_to


@pytest.mark.parametrize(
    ("country", "of_installation", "zone"),
    [("se", "SE_3", "SE_3"), ("SE", "DE_LU", ""), ("FR", "DE_LU", ""), ("", "DE_LU", "DE_LU")],
)
def test_country_that_tells_no_zone_keeps_nobody_out(
    client: Client, settings: Any, country: str, of_installation: str, zone: str
) -> None:
    """Who has moved there must be able to leave; and is not steered by the prices of here."""
    settings.PODERO_PRICE_ZONE = of_installation

    response = enter(client, token(country=country))

    assert response.headers["Location"] == "/optimize/"
    customer = PoderoUser.objects.get()
    assert customer.effective_price_zone == zone
    assert customer.timezone.key != "UTC"
    assert client.get("/optimize/leave/").status_code in (200, 302)


def test_country_in_place_of_a_zone_is_the_installations(client: Client, settings: Any) -> None:
    settings.PODERO_PRICE_ZONE = "SE_3"

    enter(client, token(price_zone="SE"))

    assert PoderoUser.objects.get().price_zone == "SE_3"


@pytest.mark.parametrize(
    ("said", "zone"),
    [
        ({"price_zone": "AT"}, "AT"),
        ({"price_zone": "at_hourly"}, "AT_HOURLY"),
        ({"price_zone": "AT", "country": "AT"}, "AT"),
        ({"country": "AT"}, "AT_HOURLY"),
    ],
)
def test_zone_that_is_named_is_the_customers(
    client: Client, settings: Any, said: dict[str, str], zone: str
) -> None:
    settings.PODERO_PRICE_ZONE = "AT_HOURLY"
    make_customer(external_user_id="4711", price_zone="AT" if zone == "AT_HOURLY" else "AT_HOURLY")

    enter(client, token(**said))

    assert PoderoUser.objects.get().price_zone == zone


@pytest.mark.parametrize(
    ("known", "country", "zone"),
    [
        ("SE_4", "SE", "SE_4"),
        ("SE", "SE", "SE"),
        ("DE_LU", "SE", "SE"),
        ("SE_4", "AT", "AT"),
        ("SE_4", "FR", "FR"),
    ],
)
def test_country_takes_no_zone_away_that_is_in_it(
    client: Client, settings: Any, known: str, country: str, zone: str
) -> None:
    settings.PODERO_PRICE_ZONE = "DE_LU"
    make_customer(external_user_id="4711", price_zone=known)

    enter(client, token(country=country))

    assert PoderoUser.objects.get().price_zone == zone


def test_second_visit_finds_the_same_customer_and_takes_over_a_new_email(client: Client) -> None:
    enter(client, token())

    enter(client, token(jti="two", email="new@example.com"))

    assert PoderoUser.objects.get().email == "new@example.com"
    assert User.objects.get().email == "new@example.com"


def test_same_email_under_another_number_is_another_customer(client: Client) -> None:
    enter(client, token())

    enter(client, token(jti="two", sub="4712"))

    assert sorted(PoderoUser.objects.values_list("external_user_id", flat=True)) == ["4711", "4712"]


def test_signing_in_starts_a_fresh_session(client: Client) -> None:
    client.get("/optimize/devices/")
    before = client.session.session_key

    enter(client, token())

    assert client.session.session_key != before


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
@pytest.mark.parametrize(
    "given",
    [
        pytest.param("", id="missing"),
        pytest.param("no token at all", id="garbage"),
        pytest.param("é.é.é", id="not ascii"),
        pytest.param("x" * 5000, id="oversized"),
        pytest.param(lambda: token("another secret that is long enough ........"), id="wrong key"),
        pytest.param(lambda: jwt.encode(claims(), "", algorithm="none"), id="alg none"),
        pytest.param(lambda: token(algorithm="HS512"), id="other algorithm"),
        pytest.param(lambda: token(iss="else"), id="wrong issuer"),
        pytest.param(lambda: token(aud="else"), id="wrong audience"),
        pytest.param(lambda: token(iat=int(time.time()) + 60), id="from the future"),
        pytest.param(lambda: token(nbf=int(time.time()) + 60), id="not yet valid"),
        pytest.param(lambda: token(exp=int(time.time()) + 301), id="lives too long"),
        pytest.param(
            lambda: token(iat=int(time.time()) - 400, exp=int(time.time()) - 100), id="expired"
        ),
        pytest.param(
            lambda: token(iat=int(time.time()) - 60, exp=int(time.time())), id="just expired"
        ),
        pytest.param(lambda: token(iat=True), id="iat is no time"),
        pytest.param(lambda: token(exp=1e300), id="exp is no time"),
        *[
            pytest.param(lambda name=name: token(omit=name), id=f"no {name}")
            for name in ("iss", "aud", "iat", "exp", "jti", "sub", "email")
        ],
        pytest.param(lambda: token(sub=""), id="empty number"),
        pytest.param(lambda: token(sub="47\n11"), id="number with a line break"),
        pytest.param(lambda: token(sub="4" * 129), id="number too long"),
        pytest.param(lambda: token(email="nobody"), id="no e-mail address"),
        pytest.param(lambda: token(email="a@example.com\nBcc: b@example.com"), id="two e-mails"),
        pytest.param(lambda: token(price_zone="XX"), id="unknown zone"),
        pytest.param(lambda: token(country="Deutschland"), id="country by its name"),
        pytest.param(lambda: token(country="ß" * 16), id="country that grows"),
        pytest.param(lambda: token(next="https://evil.example/"), id="next leads away"),
        pytest.param(lambda: token(next="//evil.example/optimize/"), id="next without scheme"),
        pytest.param(lambda: token(next="/optimize/\\evil"), id="next with a backslash"),
        pytest.param(lambda: token(next="/optimize/../admin/"), id="next climbs out"),
        pytest.param(lambda: token(next="/admin/"), id="next to the admin"),
    ],
)
def test_bad_token_gets_a_page_and_changes_nothing(client: Client, given: Any) -> None:
    response = enter(client, given() if callable(given) else given)

    assert response.status_code == 400
    assert b"Alpenstrom" in response.content
    assert nobody_is_in(client)
    assert PoderoUser.objects.count() == UsedHandoff.objects.count() == 0


def test_token_works_once(client: Client) -> None:
    given = token()
    enter(client, given)
    another = Client()

    response = enter(another, given)

    assert response.status_code == 400
    assert nobody_is_in(another)


def test_staff_are_never_signed_in(client: Client) -> None:
    customer = make_customer(external_user_id="4711")
    User.objects.filter(pk=customer.account_id).update(is_staff=True)

    response = enter(client, token())

    assert response.status_code == 403
    assert nobody_is_in(client)
    assert UsedHandoff.objects.count() == 0


def pem(key: Any) -> str:
    written: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return written.decode()


RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
KEYS = {
    "RS256": RSA_KEY,
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}


@pytest.mark.parametrize("algorithm", KEYS)
def test_tokens_of_a_portal_with_a_key_pair(client: Client, settings: Any, algorithm: str) -> None:
    settings.HANDOFF_SECRET, settings.HANDOFF_PUBLIC_KEY = "", pem(KEYS[algorithm])

    response = enter(client, token(KEYS[algorithm], algorithm))

    assert response.status_code == 302


def test_public_key_is_no_shared_secret(client: Client, settings: Any) -> None:
    settings.HANDOFF_SECRET, settings.HANDOFF_PUBLIC_KEY = "", pem(RSA_KEY)

    def part(value: dict[str, Any]) -> str:
        return urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    signed = f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part(claims())}"
    mac = hmac.new(pem(RSA_KEY).encode(), signed.encode(), hashlib.sha256).digest()
    confused = f"{signed}.{urlsafe_b64encode(mac).decode().rstrip('=')}"

    response = enter(client, confused)

    assert response.status_code == 400
    assert nobody_is_in(client)


def test_handoff_link_works(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    call_command(
        "handoff_link", "--customer=4711", "--email=a@example.com", "--locale=de", "--price-zone=AT"
    )

    address = capsys.readouterr().out.strip()
    assert address.startswith("http://localhost:8000/enter/?token=")
    given = parse_qs(urlsplit(address).query)["token"][0]
    assert enter(client, given).status_code == 302
    assert PoderoUser.objects.get().price_zone == "AT"


@pytest.mark.parametrize(
    ("option", "value"),
    [("--email", "nobody"), ("--price-zone", "XX"), ("--next", "/admin/"), ("--customer", "")],
)
def test_handoff_link_names_the_option_that_is_wrong(option: str, value: str) -> None:
    options = {"--customer": "4711", "--email": "a@example.com"} | {option: value}

    with pytest.raises(CommandError, match=option):
        call_command("handoff_link", *[f"{name}={given}" for name, given in options.items()])
