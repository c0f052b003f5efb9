"""Sessions and forms: nothing that somebody else planted is believed."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from onboarding.models import Device, OnboardingSession, PoderoUser
from onboarding.models.consents import digest_of
from onboarding.models.return_tokens import fresh_token, kept_hash_of
from onboarding.states import State
from onboarding.views.consent import consent_record, consent_words
from tests.factories import make_attempt, make_customer, make_device
from tests.hostile.addresses import Address, every_address, our_addresses
from tests.hostile.rows import rows_of_everything
from tests.journeys.customer import heading_of
from tests.views.test_enter import enter, token

pytestmark = pytest.mark.django_db

SignIn = Callable[[Client], Any]


def agreeing() -> dict[str, str]:
    """What the consent page sends when both boxes are ticked."""
    return {
        "allows_control": "on",
        "allows_data_exchange": "on",
        "words": digest_of(consent_record(consent_words())),
    }


def by_password(browser: Client) -> Any:
    return browser.post("/sign-in/", {"username": "ann@example.com", "password": "demo"})


def by_admin(browser: Client) -> Any:
    return browser.post("/admin/login/", {"username": "ann@example.com", "password": "demo"})


def by_link(browser: Client) -> Any:
    return enter(browser, token(sub="4711", email="ann@example.com"))


@pytest.fixture
def ann() -> PoderoUser:
    account = User.objects.create_user("ann@example.com", password="demo")
    return make_customer(account=account, external_user_id="4711", email="ann@example.com")


@pytest.mark.parametrize("sign_in", [by_password, by_admin, by_link])
def test_session_gets_a_new_key_at_every_sign_in(ann: PoderoUser, sign_in: SignIn) -> None:
    if sign_in is by_admin:
        User.objects.update(is_staff=True)
    attacker, victim = Client(), Client()
    attacker.get("/optimize/devices/")
    planted = attacker.session.session_key
    victim.cookies["sessionid"] = str(planted)

    assert sign_in(victim).status_code == 302

    assert victim.session.session_key != planted
    assert victim.session["_auth_user_id"] == str(ann.account_id)
    assert attacker.get("/optimize/devices/").status_code == 302
    assert "_auth_user_id" not in attacker.session


@pytest.mark.parametrize("sign_in", [by_password, by_link])
@pytest.mark.parametrize("made_up", ["x" * 32, "0", "../../etc/passwd", "a" * 4000])
def test_session_key_that_somebody_made_up_is_not_taken(
    ann: PoderoUser, sign_in: SignIn, made_up: str
) -> None:
    victim = Client()
    victim.cookies["sessionid"] = made_up

    sign_in(victim)

    assert victim.session.session_key != made_up
    assert victim.session["_auth_user_id"] == str(ann.account_id)


def test_nothing_that_was_planted_before_the_link_is_believed_after_it(ann: PoderoUser) -> None:
    """Otherwise a browser could be made to look as if it had left for the hosted form."""
    victim = Client()
    session = victim.session
    session["left_with"] = [str(uuid.uuid4())]
    session.save()
    victim.cookies["sessionid"] = str(session.session_key)

    by_link(victim)

    assert victim.session["_auth_user_id"] == str(ann.account_id)
    assert "left_with" not in victim.session


def test_signing_in_as_another_customer_leaves_nothing_of_the_first(ann: PoderoUser) -> None:
    browser = Client()
    by_link(browser)
    session = browser.session
    session["left_with"] = [str(uuid.uuid4())]
    session.save()

    enter(browser, token(sub="4712", jti="two", email="bob@example.com"))

    assert "left_with" not in browser.session


def test_session_that_has_run_out_signs_nobody_in_by_coming_back(ann: PoderoUser) -> None:
    kept = fresh_token()
    make_attempt(customer=ann, state=State.LINKED, return_token_hash=kept_hash_of(kept))
    browser = Client()
    by_link(browser)
    Session.objects.update(expire_date=timezone.now())

    answer = browser.get(reverse("return_success", args=[kept]))

    assert answer.headers["Location"].startswith("/sign-in/")
    assert "_auth_user_id" not in browser.session
    assert browser.get("/optimize/devices/").status_code == 302


def test_signing_out_ends_the_session_everywhere_it_was_copied_to(ann: PoderoUser) -> None:
    browser, copy = Client(), Client()
    by_link(browser)
    copy.cookies["sessionid"] = browser.cookies["sessionid"].value

    browser.post(reverse("sign_out"))

    assert copy.get("/optimize/devices/").status_code == 302


def test_consent_page_says_whose_account_a_device_will_belong_to() -> None:
    """A link signs its reader in: as the attacker, if it is the attacker's."""
    browser = Client()
    enter(browser, token(sub="MALLORY-1", email="mallory@example.com"))

    text = browser.get(reverse("consent")).content.decode()

    assert "<b>mallory@example.com</b>, customer number MALLORY-1" in text
    assert "sign out first" in text


@pytest.mark.parametrize(
    "page", ["//evil.example/", "https://evil.example/", "/\\evil.example", "javascript:alert(1)"]
)
def test_sign_in_leads_nowhere_else(ann: PoderoUser, page: str) -> None:
    response = Client().post(
        "/sign-in/", {"username": "ann@example.com", "password": "demo", "next": page}
    )

    assert response.headers["Location"] == reverse("start")


# --- Forms -------------------------------------------------------------------------------------

# The portal's form cannot have our cookie; the signed token takes its place.
WITHOUT_COOKIE = {"enter"}
# A mail program has no cookie either: https://www.rfc-editor.org/rfc/rfc8058
ONE_CLICK = {"stop_reminders"}


def posts() -> list[Address]:
    """Every address that has a use for POST."""
    return [
        address
        for address in every_address()
        if Client().post(address.path()).status_code != 405 and address.name not in WITHOUT_COOKIE
    ]


@pytest.mark.parametrize("who", ["stranger", "customer", "staff"])
def test_form_of_another_site_changes_nothing(who: str) -> None:
    attempt = make_attempt(customer=make_customer(), state=State.LINKED)
    device = make_device(attempt=attempt)
    browser = Client(enforce_csrf_checks=True, HTTP_ORIGIN="https://evil.example")
    if who == "customer":
        browser.force_login(attempt.podero_user.account)
    if who == "staff":
        browser.force_login(User.objects.create_superuser("root@example.com"))
    before = rows_of_everything()
    references = {"reference": attempt.reference, "object_id": attempt.pk}
    refused = set()

    for address in posts():
        for reference in (attempt.reference, device.reference):
            response = browser.post(
                address.path(**references | {"reference": reference}),
                {"allows_control": "on", "allows_data_exchange": "on", "post": "yes"},
            )
            if response.status_code == 403:
                refused.add(address.name)

    assert rows_of_everything() == before
    assert refused == {address.name for address in posts()} - ONE_CLICK


@pytest.mark.parametrize("origin", [None, "null", "https://evil.example", "http://testserver.evil"])
@pytest.mark.parametrize("name", ["consent", "leave", "sign_out"])
def test_form_that_was_not_ours_gets_a_page(name: str, origin: str | None) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(make_customer().account)
    headers = {} if origin is None else {"origin": origin}

    response = browser.post(reverse(name), {"csrfmiddlewaretoken": "x" * 64}, headers=headers)

    assert response.status_code == 403
    assert heading_of(response) == "Please try that once more"
    assert "help@alpenstrom.example" in response.content.decode()


def test_nothing_but_a_post_changes_anything() -> None:
    """Links and pictures of other sites make a browser GET; prefetching makes it HEAD."""
    attempt = make_attempt(customer=make_customer(), state=State.LINKED)
    make_device(attempt=attempt)
    browser = Client()
    browser.force_login(attempt.podero_user.account)
    before = rows_of_everything()

    for address in our_addresses():
        for reference in (attempt.reference, attempt.devices.get().reference):
            for method in ("get", "head", "options", "put", "delete", "patch", "trace"):
                getattr(browser, method)(address.path(reference=reference))

    assert rows_of_everything() == before


# --- Fields that nobody asked for --------------------------------------------------------------


def test_hidden_fields_cannot_set_what_the_form_does_not_ask(settings: Any) -> None:
    browser = Client()
    customer, other = make_customer(), make_customer()
    browser.force_login(customer.account)
    stowaways = {
        "state": "linked", "podero_user": other.pk, "podero_user_id": other.pk, "consent": 1,
        "podero_id": str(uuid.uuid4()), "is_return_matched": "on", "returned_at": "2020-01-01",
        "failure_code": "ran_out", "started_at": "2020-01-01", "reference": str(uuid.uuid4()),
        "given_at": "2020-01-01", "version": "99", "language": "xx", "text": 1, "id": 1, "pk": 1,
        "seal": "x", "channel": "phone", "continues": 1, "customer": other.pk, "next_try_at": "",
    }  # fmt: skip

    browser.post(reverse("consent"), agreeing() | stowaways)

    attempt = OnboardingSession.objects.select_related("consent__text").get()
    assert attempt.podero_user == attempt.consent.podero_user == customer
    assert (attempt.state, attempt.is_return_matched) == (State.STARTED, False)
    assert (attempt.podero_id, attempt.returned_at) == (None, None)
    assert str(attempt.reference) != stowaways["reference"]
    assert attempt.started_at.year > 2020
    assert attempt.consent.given_at.year > 2020
    assert (attempt.consent.text.version, attempt.consent.text.language) == ("1", "en")
    assert attempt.consent.channel != "phone"


def test_confirming_takes_nothing_from_the_form_but_the_wish() -> None:
    attempt = make_attempt(customer=make_customer(), state=State.LINKED)
    device = make_device(attempt=attempt)
    other = make_customer()
    browser = Client()
    browser.force_login(attempt.podero_user.account)

    browser.post(
        reverse("confirm_device", args=[device.reference]),
        {"podero_user": other.pk, "is_optimization_active": "on", "manufacturer": "Mine"},
    )

    device = Device.objects.get()
    assert device.podero_user == attempt.podero_user
    assert (device.is_optimization_active, device.manufacturer) == (False, "Tesla")
    assert device.is_optimization_wanted


def test_submission_of_another_customer_gives_nothing_of_theirs() -> None:
    theirs = make_attempt(state=State.OPEN)
    browser = Client()
    browser.force_login(make_customer().account)
    before = rows_of_everything()

    response = browser.post(
        reverse("consent"),
        {
            **agreeing(),
            "submission": str(theirs.submission),
        },
    )

    assert response.headers["Location"] == reverse("consent")
    assert rows_of_everything() == before
