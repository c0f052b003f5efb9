"""A customer asks for a reminder, does not finish, and is reminded; or says no to it after all."""

from __future__ import annotations

import email
import email.policy
import re
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from onboarding.flows import mails
from onboarding.letters import mail_server
from onboarding.models import Mail, OnboardingSession, PoderoUser, SessionEvent
from tests.factories import make_attempt, make_customer
from tests.journeys.customer import Customer, heading_of
from tests.simulator.launch import RunningSimulator

pytestmark = pytest.mark.django_db(transaction=True)

ADDRESS = "http://localhost:8000"


@pytest.fixture
def letters(podero_settings: Any, settings: Any, tmp_path: Path) -> Path:
    """Where mails go: a folder, over Django's own backend for files."""
    settings.IS_MAIL_ON = True
    settings.DEFAULT_FROM_EMAIL = "Alpenstrom <flex@alpenstrom.example>"
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    settings.EMAIL_FILE_PATH = tmp_path
    return tmp_path


@pytest.fixture
def customer(letters: Path) -> Customer:
    return Customer(make_customer(price_zone="AT"))


def a_day_passes() -> None:
    post = mail_server()
    assert post is not None
    mails.send_due_mails(post=post, now=timezone.now() + timedelta(hours=24, seconds=1))


def reminders_in(folder: Path) -> list[EmailMessage]:
    found = []
    for file in folder.iterdir():
        for text in file.read_text().split("-" * 79 + "\n")[:-1]:
            message = email.message_from_string(text, policy=email.policy.default)
            assert isinstance(message, EmailMessage)
            found.append(message)
    return [message for message in found if "reminder" in str(message["Subject"])]


def paths_in(message: EmailMessage) -> list[str]:
    return re.findall(rf"{ADDRESS}(/\S+)", str(message.get_content()))


def everything() -> list[Any]:
    models = (PoderoUser, OnboardingSession, SessionEvent, Mail)
    return [list(model._default_manager.order_by("pk").values()) for model in models]


def test_reminder_leads_to_our_page_and_from_there_to_podero(
    customer: Customer, simulator: RunningSimulator, letters: Path
) -> None:
    customer.opt_in(device_type="ev", allows_reminder="on")
    assert customer.attempt.consent.allows_reminder
    assert "One reminder if you do not finish" in receipt_of(customer)

    a_day_passes()
    a_day_passes()

    (message,) = reminders_in(letters)
    assert message["To"] == customer.podero_user.email
    assert message["Subject"] == "Alpenstrom: the reminder you asked for"
    page, _stop = paths_in(message)
    assert page == reverse("attempt", args=[customer.attempt.reference])
    shown = customer.browser.get(page)
    assert heading_of(shown) == "Not finished yet"
    assert "There is no second reminder." in shown.content.decode()
    assert customer.press_continue().headers["Location"].startswith(simulator.base_url)


def test_reminder_holds_no_key_and_no_address_of_podero(
    customer: Customer, simulator: RunningSimulator, letters: Path
) -> None:
    customer.opt_in(allows_reminder="on")

    a_day_passes()

    (message,) = reminders_in(letters)
    text = message.as_string()
    (session,) = simulator.control.state()["sessions"]
    for key in (session["id"], session["success_url"].split("/")[-3], simulator.host, "podero."):
        assert key not in text
    stranger = Client(HTTP_HOST="localhost")
    for path in paths_in(message):
        stranger.get(path)
    assert "_auth_user_id" not in stranger.session
    assert stranger.get(reverse("devices")).headers["Location"].startswith(reverse("sign_in"))


def test_scanner_that_follows_every_link_changes_nothing(
    customer: Customer, simulator: RunningSimulator, letters: Path
) -> None:
    customer.opt_in(allows_reminder="on")
    a_day_passes()
    (message,) = reminders_in(letters)
    before, calls = everything(), len(simulator.control.state()["sessions"])

    for browser in (Client(HTTP_HOST="localhost"), customer.browser):
        for path in paths_in(message):
            browser.get(path)
            browser.head(path)

    assert everything() == before
    assert len(simulator.control.state()["sessions"]) == calls


def test_mail_program_unsubscribes_with_one_click(
    customer: Customer, simulator: RunningSimulator, letters: Path
) -> None:
    customer.opt_in(allows_reminder="on")
    a_day_passes()
    (message,) = reminders_in(letters)
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    address = str(message["List-Unsubscribe"]).strip(" <>")
    assert address.removeprefix(ADDRESS) == paths_in(message)[1]
    program = Client(HTTP_HOST="localhost", enforce_csrf_checks=True)

    for _twice in range(2):
        answer = program.post(address.removeprefix(ADDRESS), {"List-Unsubscribe": "One-Click"})
        assert answer.status_code == 200  # RFC 8058 forbids a redirect
        assert heading_of(answer) == "You will not be reminded"

    assert answer.headers["Cache-Control"] == "no-store"
    customer.podero_user.refresh_from_db()
    assert customer.podero_user.reminders_stopped_at is not None
    assert customer.attempt.state == "open"
    assert customer.attempt.consent.withdrawn_at is None


def test_page_to_stop_asks_first_and_names_nobody(
    customer: Customer, simulator: RunningSimulator, letters: Path
) -> None:
    customer.opt_in(allows_reminder="on")
    a_day_passes()
    (message,) = reminders_in(letters)

    answer = Client(HTTP_HOST="localhost").get(paths_in(message)[1])

    assert heading_of(answer) == "Do you want no reminder?"
    assert customer.podero_user.email not in answer.content.decode()
    assert customer.podero_user.external_user_id not in answer.content.decode()


@pytest.mark.parametrize("method", ["get", "post"])
def test_address_to_stop_that_is_not_complete_says_what_to_do(
    customer: Customer, letters: Path, method: str
) -> None:
    before = everything()

    answer = getattr(Client(HTTP_HOST="localhost"), method)("/optimize/reminders/abc:def/stop/")

    assert (answer.status_code, heading_of(answer)) == (404, "We do not know this link")
    assert "help@alpenstrom.example" in answer.content.decode()
    assert everything() == before


def test_wish_is_taken_back_on_the_attempts_page(
    customer: Customer, simulator: RunningSimulator, letters: Path
) -> None:
    customer.opt_in(allows_reminder="on")
    planned = timezone.localtime(
        Mail.objects.get(kind=Mail.Kind.REMINDER).next_try_at, customer.podero_user.timezone
    )
    assert f"one e-mail on {planned:%-d %B, %H:%M}, unless" in customer.page.content.decode()
    stop = reverse("stop_reminders_here", args=[customer.attempt.reference])
    customer.browser.get(stop)
    customer.podero_user.refresh_from_db()
    assert customer.podero_user.reminders_stopped_at is None

    answer = customer.browser.post(stop, follow=True)

    assert "You have told us that you want no reminder" in answer.content.decode()
    a_day_passes()
    assert reminders_in(letters) == []
    assert "You have told us that you want no reminder" in customer.page.content.decode()


def test_reminder_of_another_customer_is_not_stopped(customer: Customer) -> None:
    foreign = make_attempt()

    answer = customer.browser.post(reverse("stop_reminders_here", args=[foreign.reference]))

    assert answer.status_code == 404
    assert not PoderoUser.objects.exclude(reminders_stopped_at=None).exists()


def test_who_does_not_tick_is_not_reminded(
    customer: Customer, simulator: RunningSimulator, letters: Path
) -> None:
    customer.opt_in()

    a_day_passes()

    assert reminders_in(letters) == []
    assert "One reminder" not in receipt_of(customer)
    assert "remind" not in customer.page.content.decode()


def test_reminder_is_offered_unticked_and_beside_the_others(customer: Customer) -> None:
    text = customer.browser.get(reverse("consent")).content.decode()

    boxes = [part.split(">")[0] for part in text.split("<input") if "checkbox" in part]
    assert len(boxes) == 3
    assert not any("checked" in box.replace("checkbox", "") for box in boxes)
    assert "I want Alpenstrom to send me one e-mail if I do not finish." in text


def test_reminder_that_nobody_could_send_is_not_offered(
    podero_settings: Any, simulator: RunningSimulator
) -> None:
    customer = Customer(make_customer())
    assert "one e-mail" not in customer.browser.get(reverse("consent")).content.decode()

    customer.opt_in(allows_reminder="on")

    assert not customer.attempt.consent.allows_reminder
    assert "one e-mail" not in customer.attempt.consent.text.body
    assert Mail.objects.count() == 0


def test_record_holds_the_offer_as_it_stood_on_the_page(
    customer: Customer, simulator: RunningSimulator
) -> None:
    page = customer.browser.get(reverse("consent")).content.decode()
    customer.opt_in(allows_reminder="on")

    body = customer.attempt.consent.text.body
    for words in (
        "Optional: you can go on without ticking it.",
        "I want Alpenstrom to send me one e-mail if I do not finish.",
        "advertises nothing. You can take this back at any time before",
        "What this agreement does not allow",
    ):
        assert words in page
        assert words in body


def test_sweep_sends_reminders(
    customer: Customer, simulator: RunningSimulator, letters: Path
) -> None:
    customer.opt_in(allows_reminder="on")
    yesterday = timezone.now() - timedelta(hours=25)
    OnboardingSession.objects.update(started_at=yesterday)
    Mail.objects.filter(kind=Mail.Kind.REMINDER).update(next_try_at=yesterday + timedelta(hours=24))

    call_command("sweep", verbosity=0)

    assert len(reminders_in(letters)) == 1


def receipt_of(customer: Customer) -> str:
    reference = customer.attempt.consent.reference
    return customer.browser.get(reverse("receipt", args=[reference])).content.decode()
