"""Support's screens: found by anything a customer can name, nothing to falsify, no key shown."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from onboarding.admin import many_rows
from onboarding.models import ChargeWish, Device, OnboardingSession
from onboarding.states import State
from tests.factories import NOON, make_attempt, make_customer, make_device, make_reconnection
from tests.models.test_indexes import work_of

pytestmark = pytest.mark.django_db

LISTS = ("onboardingsession", "poderouser", "device", "consent")


@pytest.fixture
def support(client: Client) -> Client:
    """A support agent with the rights that the demo's support account has."""
    call_command("demo_data")
    client.force_login(User.objects.get(username="support@example.com"))
    return client


@pytest.fixture
def attempt() -> OnboardingSession:
    attempt = make_attempt(
        customer=make_customer(email="ann@example.com", external_user_id="4711-A"),
        state=State.OPEN,
        return_token_hash="0123456789abcdef" * 4,
    )
    attempt.mark_cancelled(at=NOON)
    make_device(attempt=attempt)
    return attempt


@pytest.mark.parametrize("name", LISTS)
def test_lists_cost_the_same_for_many_rows(
    support: Client, django_assert_max_num_queries: Any, name: str
) -> None:
    for _row in range(15):
        make_device()

    with django_assert_max_num_queries(12):
        response = support.get(reverse(f"admin:onboarding_{name}_changelist"))

    assert response.status_code == 200


def test_device_tells_support_what_podero_told_and_what_the_customer_wished(
    support: Client, attempt: OnboardingSession
) -> None:
    device = attempt.devices.get()
    Device.objects.update(
        external_device_id="VIN-1",
        report={"is_plugged_in": True, "battery_level": 62},
        savings={
            "currency": "EUR",
            "periods": [
                {
                    "started_at": "2026-02-01T00:00:00Z",
                    "ended_at": "2026-03-01T00:00:00Z",
                    "total": 12.4,
                }
            ],
        },
    )
    ChargeWish.objects.create(device=device, is_start=True, wished_at=NOON)

    text = support.get(reverse("admin:onboarding_device_change", args=[device.pk])).content.decode()

    assert "VIN-1" in text
    assert "battery_level: 62" in text
    assert "2026-02-01 – 2026-02-28: 12.40 EUR" in text
    assert "charge now: no answer yet" in text
    assert f"{NOON:%-d %b %Y, %H:%M:%S} UTC" in text
    assert "waits for the customer to say that it is theirs" in text
    assert "Django administration" not in text


@pytest.mark.parametrize("name", LISTS)
def test_search_finds_by_everything_a_customer_can_name(
    support: Client, attempt: OnboardingSession, name: str
) -> None:
    make_device()
    device = attempt.devices.get()
    words = [
        "ann@example.com",
        "ANN@example.com",
        "4711-A",
        str(attempt.reference),
        attempt.support_code,
        str(device.podero_id),
    ]
    if name != "device":
        words.append(str(attempt.podero_id))

    for word in words:
        response = support.get(reverse(f"admin:onboarding_{name}_changelist"), {"q": word})
        assert response.context["cl"].result_count == 1, word


@pytest.mark.parametrize("name", LISTS)
def test_list_of_more_than_anybody_turns_pages_of_says_that_it_is_cut(
    support: Client, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(many_rows, "LISTED_AT_MOST", 4)
    address = reverse(f"admin:onboarding_{name}_changelist")
    words = "Only the newest are listed."
    while support.get(address).context["cl"].result_count < 4:
        make_device()

    whole = support.get(address)
    make_device()
    cut = support.get(address)

    assert (whole.context["cl"].result_count, words in whole.content.decode()) == (4, False)
    assert (cut.context["cl"].result_count, words in cut.content.decode()) == (4, True)


@pytest.mark.parametrize("query", ["", "word", "filter", "order"])
@pytest.mark.parametrize("name", LISTS)
def test_list_and_search_are_as_much_work_among_many_as_among_few(
    support: Client, monkeypatch: pytest.MonkeyPatch, name: str, query: str
) -> None:
    monkeypatch.setattr(many_rows, "LISTED_AT_MOST", 60)
    device = make_device()
    customer = device.podero_user
    words = (customer.email, customer.external_user_id, device.attempt.support_code)
    newest = {"onboardingsession": "started_at__gte", "consent": "given_at__gte"}.get(name)
    questions: dict[str, list[dict[str, str]]] = {
        "": [{}],
        "word": [{"q": word} for word in (*words, str(device.podero_id), "nobody@example.com")],
        "filter": [{newest: "2050-01-01 00:00:00+00:00"} if newest else {"removal": "wanted"}],
        "order": [{"o": "1"}, {"o": "-3.2"}],
    }

    def look() -> None:
        for parameters in questions[query]:
            answer = support.get(reverse(f"admin:onboarding_{name}_changelist"), parameters)
            assert answer.status_code == 200

    make_many(100)
    look()  # What is kept for the next time is not counted.
    among_few = work_of(look)
    make_many(400)

    assert work_of(look) - among_few <= 80  # of 400 rows for each question, or 8,000 steps


@pytest.mark.parametrize(
    ("parameters", "found"),
    [
        ({"language": "de"}, {"1", "2"}),
        ({"language": "none"}, {"3"}),
        ({"price_zone": "AT"}, {"1"}),
        ({"price_zone": "none"}, {"2", "3"}),
        ({"language": "de", "price_zone": "none"}, {"2"}),
        ({"language": "\0", "price_zone": "Atlantis"}, {"1", "2", "3"}),
    ],
)
def test_customers_are_filtered_by_language_and_zone(
    admin_client: Client, parameters: dict[str, str], found: set[str]
) -> None:
    make_customer(external_user_id="1", language="de", price_zone="AT")
    make_customer(external_user_id="2", language="de-AT", price_zone="")
    make_customer(external_user_id="3", language="", price_zone="")

    listed = admin_client.get(reverse("admin:onboarding_poderouser_changelist"), parameters)

    assert {row.external_user_id for row in listed.context["cl"].result_list} == found


def make_many(count: int) -> None:
    for _row in range(count):
        make_device()


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("word", ["nobody@example.com", "%", "é", "0" * 200])
def test_search_for_nonsense_finds_nothing(
    support: Client, attempt: OnboardingSession, name: str, word: str
) -> None:
    response = support.get(reverse(f"admin:onboarding_{name}_changelist"), {"q": word})

    assert response.context["cl"].result_count == 0


def test_attempt_shows_its_timeline_and_no_key(support: Client, attempt: OnboardingSession) -> None:
    response = support.get(reverse("admin:onboarding_onboardingsession_change", args=[attempt.pk]))

    text = response.content.decode()
    assert "Came back through cancel" in text
    assert str(attempt.podero_id) not in text
    assert str(attempt.return_token_hash) not in text


def test_device_shows_how_its_login_was_renewed_and_no_key(
    support: Client, attempt: OnboardingSession
) -> None:
    reconnection = make_reconnection(
        device=attempt.devices.get(),
        state="other_device",
        token_hash="0123456789abcdef" * 4,
        cue_id=uuid.uuid4(),
    )

    page = reverse("admin:onboarding_device_change", args=[reconnection.device_id])
    text = support.get(page).content.decode()

    assert "another device was linked" in text
    assert reconnection.support_code in text
    assert str(reconnection.token_hash) not in text
    assert str(reconnection.cue_id) not in text


@pytest.mark.parametrize("name", LISTS)
def test_even_a_superuser_cannot_rewrite_history(
    admin_client: Client, attempt: OnboardingSession, name: str
) -> None:
    row = {
        "onboardingsession": attempt.pk,
        "poderouser": attempt.podero_user_id,
        "device": attempt.devices.get().pk,
        "consent": attempt.consent_id,
    }[name]

    assert admin_client.get(reverse(f"admin:onboarding_{name}_add")).status_code == 403
    change = reverse(f"admin:onboarding_{name}_change", args=[row])
    assert admin_client.get(change).status_code == 200
    assert admin_client.post(change, {"state": "linked"}).status_code == 403
    delete = reverse(f"admin:onboarding_{name}_delete", args=[row])
    assert admin_client.post(delete, {"post": "yes"}).status_code == 403
    attempt.refresh_from_db()
    assert attempt.state == State.CANCELLED


def test_account_of_a_customer_is_nobodys_to_change_or_to_sign_in_with(
    admin_client: Client, attempt: OnboardingSession
) -> None:
    account = attempt.podero_user.account
    password = {
        "password1": "made-up-Word-81",
        "password2": "made-up-Word-81",
        "usable_password": "true",
    }

    listed = admin_client.get(reverse("admin:auth_user_changelist")).content.decode()
    for name in ("auth_user_password_change", "auth_user_change", "auth_user_delete"):
        admin_client.post(reverse(f"admin:{name}", args=[account.pk]), password)

    before = account.password
    account.refresh_from_db()
    assert account.password == before
    assert account.get_username() not in listed
    assert "admin" in listed
    User.objects.filter(pk=account.pk).update(is_superuser=True)
    assert (
        account.get_username()
        in admin_client.get(reverse("admin:auth_user_changelist")).content.decode()
    )


@pytest.mark.parametrize("is_superuser", [True, False])
def test_only_superusers_give_rights_to_accounts_of_staff(
    client: Client, is_superuser: bool
) -> None:
    who = User.objects.create_user("who", is_staff=True, is_superuser=is_superuser)
    who.user_permissions.set(Permission.objects.filter(content_type__app_label="auth"))
    client.force_login(who)
    made = {"username": "friend", "usable_password": "true"}
    made |= dict.fromkeys(("password1", "password2"), "made-up-Word-81")

    client.post(reverse("admin:auth_user_add"), made)
    page = client.get(reverse("admin:auth_user_change", args=[who.pk])).content.decode()

    assert User.objects.filter(username="friend").exists() is is_superuser
    assert ('name="is_superuser"' in page) is is_superuser
