"""Pages: who sees them, what they cost, and what their headers promise."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from onboarding.models import Device, OnboardingSession
from onboarding.models.consents import digest_of
from onboarding.states import State
from onboarding.views.consent import consent_record, consent_words
from tests.factories import NOON, make_attempt, make_consent, make_customer, make_device

pytestmark = pytest.mark.django_db

PRIVATE = ("consent", "devices", "leave")


@pytest.fixture
def signed_in(client: Client) -> Client:
    client.force_login(make_customer(email="ann@example.com").account)
    return client


def customer_of(client: Client) -> Any:
    return User.objects.get(pk=client.session["_auth_user_id"]).podero_user


@pytest.mark.parametrize("device_type", ["", "ev", "hp", "iv", "wb", "nonsense"])
def test_start_page_costs_a_stranger_no_query(
    client: Client, django_assert_num_queries: Any, device_type: str
) -> None:
    with django_assert_num_queries(0):
        response = client.get(reverse("start"), {"device_type": device_type})

    assert response.status_code == 200
    assert b"<h1" in response.content


def test_root_leads_to_the_start(client: Client) -> None:
    assert client.get("/").headers["Location"] == reverse("start")


@pytest.mark.parametrize("name", PRIVATE)
def test_stranger_is_sent_to_sign_in_and_back(client: Client, name: str) -> None:
    response = client.get(reverse(name))

    where = reverse(name).replace("/", "%2F")
    assert response.headers["Location"] == f"{reverse('sign_in')}?next={where}"


def test_stranger_is_sent_to_the_portal_where_there_is_one(client: Client, settings: Any) -> None:
    settings.PORTAL_URL = "https://portal.example/energy?tab=1"

    response = client.get(reverse("devices"))

    assert response.headers["Location"] == (
        "https://portal.example/energy?tab=1&next=%2Foptimize%2Fdevices%2F"
    )


@pytest.mark.parametrize("name", PRIVATE)
def test_staff_are_no_customers(admin_client: Client, name: str) -> None:
    response = admin_client.get(reverse(name))

    assert response.status_code == 403
    assert reverse("admin:index") in response.content.decode()


def test_staff_who_sign_in_land_in_the_admin(client: Client) -> None:
    User.objects.create_user("staff@example.com", password="demo", is_staff=True)

    response = client.post(
        reverse("sign_in"), {"username": "Staff@Example.com ", "password": "demo"}
    )

    assert response.headers["Location"] == reverse("admin:index")


def test_wrong_password_is_said_in_words(client: Client) -> None:
    make_customer(email="ann@example.com")

    response = client.post(reverse("sign_in"), {"username": "ann@example.com", "password": "x"})

    assert response.status_code == 200
    assert "There is a problem" in response.content.decode()
    assert "ann@example.com" in response.content.decode()


@pytest.mark.parametrize("state", State)
def test_every_state_has_a_page_within_five_queries(
    signed_in: Client, django_assert_max_num_queries: Any, state: State
) -> None:
    attempt = make_attempt(customer=customer_of(signed_in), state=state)
    for _device in range(3):
        make_device(attempt=attempt)

    with django_assert_max_num_queries(5):
        response = signed_in.get(reverse("attempt", args=[attempt.reference]))

    text = response.content.decode()
    assert response.status_code == 200
    assert attempt.support_code in text
    assert "help@alpenstrom.example" in text
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Referrer-Policy"] == "same-origin"


@pytest.mark.parametrize("count", [1, 20])
def test_devices_page_costs_the_same_for_many_devices(
    signed_in: Client, django_assert_max_num_queries: Any, count: int
) -> None:
    attempt = make_attempt(customer=customer_of(signed_in), state=State.LINKED)
    for number in range(count):
        make_device(attempt=attempt, model=f"Model {number}")
        make_attempt(customer=attempt.podero_user, state=State.OPEN, started_at=timezone.now())

    with django_assert_max_num_queries(5):
        response = signed_in.get(reverse("devices"))

    assert response.content.decode().count("Tesla") >= count
    assert len(response.context["attempts"]) == min(count, 3)
    assert len(response.context["consents"]) == min(count + 1, 20)
    with django_assert_max_num_queries(4):
        assert signed_in.get(reverse("devices_status")).status_code == 200
    with django_assert_max_num_queries(5):
        assert signed_in.get(reverse("consent"), {"device_type": "ev"}).status_code == 200


def test_attempts_under_way_are_shown_newest_first(signed_in: Client) -> None:
    customer = customer_of(signed_in)
    consent = make_consent(customer)
    now = timezone.now()
    made = [
        make_attempt(
            customer=customer,
            consent=consent,
            state=state,
            started_at=now - timedelta(hours=hours),
        )
        for hours, state in enumerate((State.RETURNED, State.LINKED, State.OPEN, State.STARTED))
    ]

    shown = signed_in.get(reverse("devices")).context["attempts"]

    expected = [(made[0], "returned"), (made[2], "open"), (made[3], "started")]
    assert [(one.reference, one.state) for one in shown] == [
        (attempt.reference, state) for attempt, state in expected
    ]
    page = signed_in.get(reverse("consent")).content.decode()
    assert reverse("attempt", args=[made[2].reference]) in page
    assert reverse("attempt", args=[made[0].reference]) not in page


def test_page_of_devices_shows_news_by_itself(signed_in: Client) -> None:
    attempt = make_attempt(customer=customer_of(signed_in), state=State.LINKED)
    now = timezone.now()
    working = {"is_optimization_wanted": True, "is_optimization_active": True, "confirmed_at": now}
    make_device(attempt=attempt, checked_at=now, **working)
    page = signed_in.get(reverse("devices"))
    shown = page.context["news"]
    assert f'data-state="{shown}"' in page.content.decode()

    def status() -> Any:
        return signed_in.get(page.context["status_url"]).json()

    assert status() == {"state": shown, "is_final": False, "next_poll_ms": 30000}
    # A few watts more are no news, and neither is having heard again.
    Device.objects.update(report={"solar_production_w": 17}, checked_at=timezone.now())
    assert status()["state"] == shown
    Device.objects.update(is_optimization_wanted=False, next_try_at=now)
    assert status()["state"] != shown
    assert status()["next_poll_ms"] == 3000


def test_page_that_shows_stale_data_is_told_when_there_is_fresher(signed_in: Client) -> None:
    attempt = make_attempt(customer=customer_of(signed_in), state=State.LINKED)
    make_device(attempt=attempt, checked_at=timezone.now() - timedelta(hours=1))
    page = signed_in.get(reverse("devices"))
    address, shown = page.context["status_url"], page.context["news"]
    assert signed_in.get(address).json()["state"] == shown

    Device.objects.update(checked_at=timezone.now())

    assert signed_in.get(address).json()["state"] != shown


def test_status_of_devices_is_nobody_elses(client: Client) -> None:
    make_device()

    assert client.get(reverse("devices_status")).status_code == 401


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "Is this yours?"),
        ({"confirmed_at": timezone.now(), "is_optimization_active": True}, "Working"),
        (
            {"confirmed_at": timezone.now(), "is_authenticated": False},
            "Needs you",
        ),
    ],
)
def test_device_says_how_it_stands(signed_in: Client, fields: dict[str, Any], words: str) -> None:
    attempt = make_attempt(customer=customer_of(signed_in), state=State.LINKED)
    make_device(attempt=attempt, is_optimization_wanted="confirmed_at" in fields, **fields)

    text = signed_in.get(reverse("devices")).content.decode()

    assert words.lower() in text.lower()


def test_devices_of_others_are_not_shown(signed_in: Client) -> None:
    make_device(manufacturer="Somebody else's")

    assert b"Somebody else" not in signed_in.get(reverse("devices")).content


@pytest.mark.parametrize(
    ("device_type", "buttons"),
    [
        ("ev", ["Charge now", "Pause optimization"]),
        ("wb", ["Charge now", "Pause optimization"]),
        ("hp", ["Pause optimization"]),
        ("iv", ["Pause optimization"]),
    ],
)
def test_answers_on_the_start_page_name_buttons_that_are_there(
    signed_in: Client, device_type: str, buttons: list[str]
) -> None:
    make_device(
        attempt=make_attempt(customer=customer_of(signed_in), state=State.LINKED),
        device_type=device_type,
        confirmed_at=NOON,
        is_optimization_wanted=True,
        is_optimization_active=True,
    )

    answers = Client().get(reverse("start"), {"device_type": device_type}).content.decode()
    card = signed_in.get(reverse("devices")).content.decode()

    for button in buttons:
        assert f"“{button}”" in answers
        assert button in card
    assert "no button" not in answers


@pytest.mark.parametrize("state", State)
def test_status_says_state_and_when_to_ask_again(signed_in: Client, state: State) -> None:
    attempt = make_attempt(customer=customer_of(signed_in), state=state)

    status = signed_in.get(reverse("attempt_status", args=[attempt.reference])).json()

    is_final = state in {State.LINKED, State.CANCELLED, State.EXPIRED, State.FAILED}
    assert status == {
        "state": state.value,
        "is_final": is_final,
        "is_settled": True,
        "next_poll_ms": None if is_final else 3000,
    }


def test_linked_page_asks_on_until_its_devices_are_switched(signed_in: Client) -> None:
    attempt = make_attempt(customer=customer_of(signed_in), state=State.LINKED)
    device = make_device(
        attempt=attempt, confirmed_at=NOON, is_optimization_wanted=True, next_try_at=NOON
    )
    address = reverse("attempt", args=[attempt.reference])
    asked = reverse("attempt_status", args=[attempt.reference])

    assert asked in signed_in.get(address).content.decode()
    assert signed_in.get(asked).json() == {
        "state": "linked",
        "is_final": True,
        "is_settled": False,
        "next_poll_ms": 3000,
    }

    type(device).objects.update(is_optimization_active=True)

    assert asked not in signed_in.get(address).content.decode()
    assert signed_in.get(asked).json()["next_poll_ms"] is None


def test_continued_attempts_are_not_offered_to_be_finished(signed_in: Client) -> None:
    customer = customer_of(signed_in)
    first = make_attempt(customer=customer, state=State.OPEN)
    second = make_attempt(customer=customer, state=State.OPEN, continues=first)

    devices = signed_in.get(reverse("devices")).content.decode()

    assert reverse("attempt", args=[first.reference]) not in devices
    assert reverse("attempt", args=[second.reference]) in devices


def test_nothing_is_offered_to_be_finished_once_the_older_form_brought_the_device(
    signed_in: Client,
) -> None:
    customer = customer_of(signed_in)
    first = make_attempt(customer=customer, state=State.LINKED)
    second = make_attempt(customer=customer, state=State.OPEN, continues=first)

    assert reverse("attempt", args=[second.reference]) not in (
        signed_in.get(reverse("devices")).content.decode()
    )


def test_status_for_strangers_is_refused(client: Client) -> None:
    attempt = make_attempt()

    response = client.get(reverse("attempt_status", args=[attempt.reference]))

    assert response.status_code == 401


@pytest.mark.parametrize("missing", ["allows_control", "allows_data_exchange"])
def test_consent_without_both_ticks_is_asked_again_and_nothing_is_kept(
    signed_in: Client, missing: str
) -> None:
    words = digest_of(consent_record(consent_words()))
    ticked = {"words": words, "allows_control": "on", "allows_data_exchange": "on"}
    del ticked[missing]

    response = signed_in.post(reverse("consent"), ticked)

    text = response.content.decode()
    assert response.status_code == 422
    assert "There is a problem" in text
    assert "<title>Error: " in text.replace("\n", "")
    assert f'href="#{missing.replace("_", "-")}"' in text
    assert OnboardingSession.objects.count() == 0


def test_consent_boxes_are_not_ticked(signed_in: Client) -> None:
    text = signed_in.get(reverse("consent")).content.decode()

    boxes = [part for part in text.split("<input") if 'type="checkbox"' in part.split(">")[0]]
    assert len(boxes) == 2
    assert not any("checked" in box.split(">")[0] for box in boxes)


@pytest.mark.parametrize("words", [{"words": "0" * 64}, {"words": ""}, {}])
def test_consent_is_to_the_words_that_were_shown_or_asked_again(
    signed_in: Client, words: dict[str, str]
) -> None:
    response = signed_in.post(
        reverse("consent"), {"allows_control": "on", "allows_data_exchange": "on", **words}
    )

    assert response.status_code == 422
    assert OnboardingSession.objects.count() == 0


@pytest.mark.parametrize(
    ("language", "said"), [("de", "German"), ("fr", "English"), ("", "English")]
)
def test_consent_announces_the_language_of_the_form(
    client: Client, language: str, said: str
) -> None:
    client.force_login(make_customer(language=language).account)

    assert said in client.get(reverse("consent")).content.decode()


def test_confirming_a_device_of_another_customer_changes_nothing(signed_in: Client) -> None:
    device = make_device()

    response = signed_in.post(reverse("confirm_device", args=[device.reference]))

    assert response.status_code == 404
    assert Device.objects.get().confirmed_at is None


@pytest.mark.parametrize("name", ["continue_attempt", "check_attempt"])
def test_reloading_a_deed_shows_the_page(signed_in: Client, name: str) -> None:
    attempt = make_attempt(customer=customer_of(signed_in), state=State.OPEN)

    response = signed_in.get(reverse(name, args=[attempt.reference]))

    assert response.headers["Location"] == reverse("attempt", args=[attempt.reference])


def test_acknowledgement_shows_the_customers_own_time(client: Client) -> None:
    customer = make_customer(price_zone="AT", withdrawn_at=timezone.now())
    customer.record_withdrawal(at=timezone.now().replace(month=7, day=1, hour=22, minute=30))
    client.force_login(customer.account)

    assert "00:30" in client.get(reverse("left")).content.decode()


def test_acknowledgement_before_leaving_leads_to_leaving(signed_in: Client) -> None:
    assert signed_in.get(reverse("left")).headers["Location"] == reverse("leave")


def test_unknown_page_says_what_to_do_next(signed_in: Client) -> None:
    response = signed_in.get("/optimize/nothing-here/")

    assert response.status_code == 404
    assert "help@alpenstrom.example" in response.content.decode()


def test_form_from_an_old_page_is_explained() -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(make_customer().account)

    response = strict.post(reverse("consent"), {"allows_control": "on"})

    assert response.status_code == 403
    assert "help@alpenstrom.example" in response.content.decode()


def test_policy_allows_nothing_inline_and_the_way_to_the_form(client: Client) -> None:
    policy = client.get(reverse("start")).headers["Content-Security-Policy"]

    assert "unsafe" not in policy
    assert "script-src 'self'" in policy
    assert "form-action 'self' https: http://127.0.0.1:9" in policy
    assert "frame-ancestors 'none'" in policy


def test_brand_colors_are_kept_by_browsers_for_a_year(client: Client) -> None:
    response = client.get(reverse("brand_css", args=["12345678"]))

    assert response.headers["Content-Type"] == "text/css"
    assert "immutable" in response.headers["Cache-Control"]
    assert "--brand" in response.content.decode()


def test_health_tells_readiness(client: Client) -> None:
    assert client.get("/health/live").json() == {"status": "ok"}
    assert client.get("/health/ready").json()["status"] == "ok"


def test_old_devices_are_refreshed_in_the_background(
    signed_in: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    nudged: list[int] = []
    monkeypatch.setattr(
        "onboarding.views.devices.nudge", lambda _task, **ids: nudged.append(ids["customer_id"])
    )
    attempt = make_attempt(customer=customer_of(signed_in), state=State.LINKED)
    device = make_device(attempt=attempt, checked_at=timezone.now())
    signed_in.get(reverse("devices"))
    assert nudged == []

    Device.objects.filter(pk=device.pk).update(checked_at=timezone.now() - timedelta(minutes=1))
    signed_in.get(reverse("devices"))

    assert nudged == [attempt.podero_user_id]
