"""The receipt: the customer's own, in the words of that day, to keep, to print and by mail."""

from __future__ import annotations

import smtplib
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail as outbox_of
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page

from onboarding.flows import expiry, mails, passes, withdrawal
from onboarding.letters import MailServer, plain
from onboarding.models import Consent, Mail
from onboarding.models.consents import digest_of
from onboarding.tasks import send_due_mails
from tests.factories import NOON, make_attempt, make_consent, make_customer
from tests.flows.test_evidence import tamper
from tests.journeys.customer import Customer
from tests.simulator.launch import RunningSimulator

pytestmark = pytest.mark.django_db


@pytest.fixture
def mail_on(settings: Any) -> Any:
    settings.IS_MAIL_ON = True
    settings.DEFAULT_FROM_EMAIL = "Alpenstrom <flex@alpenstrom.example>"
    return settings


def page_of(consent: Consent, client: Client) -> Any:
    return client.get(reverse("receipt", args=[consent.reference]))


def test_receipt_shows_words_choices_version_and_the_customers_own_time(client: Client) -> None:
    consent = make_consent(make_customer(price_zone="AT"), body="<p>I agree to <b>this</b>.</p>")
    client.force_login(consent.podero_user.account)

    response = page_of(consent, client)

    text = response.content.decode()
    assert response.status_code == 200
    assert "<p>I agree to <b>this</b>.</p>" in text
    assert "2 March 2026, 13:00:00 CET" in text
    assert "version 1 of the words" in text
    assert "Control of your devices" in text
    assert "Exchange of data" in text
    assert reverse("leave") in text
    assert response.headers["Cache-Control"] == "no-store"


def test_receipt_of_another_customer_is_not_found(client: Client) -> None:
    client.force_login(make_customer().account)

    assert page_of(make_consent(), client).status_code == 404
    assert client.get(reverse("receipt", args=[uuid.uuid4()])).status_code == 404


def test_stranger_is_sent_to_sign_in(client: Client) -> None:
    assert page_of(make_consent(), client).headers["Location"].startswith(reverse("sign_in"))


def test_receipt_after_leaving_says_when(client: Client) -> None:
    consent = make_consent()
    withdrawal.withdraw(customer=consent.podero_user, now=NOON + timedelta(days=1))
    client.force_login(consent.podero_user.account)

    text = page_of(consent, client).content.decode()

    assert "You withdrew this agreement on 3 March 2026, 13:00." in text
    assert "To withdraw" not in text


def test_words_that_were_changed_are_not_mailed(mail_on: Any) -> None:
    consent = make_consent()
    Mail.objects.create(consent=consent, kind=Mail.Kind.RECEIPT, next_try_at=NOON)
    tamper("consenttext", consent.text_id, body="I agree to more.")

    send_due_mails()

    (message,) = outbox_of.outbox
    assert "I agree to more" not in message.body
    assert "You ticked" not in message.body
    assert "Something is wrong with this record" in message.body


@pytest.mark.parametrize("seal", [None, "1$00000000$00"], ids=["seal kept", "seal of no key"])
def test_words_that_were_changed_are_not_put_into_a_page(client: Client, seal: str | None) -> None:
    consent = make_consent()
    client.force_login(consent.podero_user.account)
    body = "<script>alert(1)</script>"
    tamper("consenttext", consent.text_id, body=body)
    if seal is not None:
        tamper("consenttext", consent.text_id, digest=digest_of(body))
        tamper("consent", consent.pk, seal=seal)

    text = page_of(consent, client).content.decode()

    assert "alert(1)" not in text
    assert "Something is wrong with this record" in text
    assert "This is your receipt" not in text
    assert "You ticked" not in text


def test_receipt_is_linked_from_my_devices_and_from_the_attempt(client: Client) -> None:
    attempt = make_attempt()
    client.force_login(attempt.podero_user.account)
    link = f'href="{reverse("receipt", args=[attempt.consent.reference])}"'

    assert link in client.get(reverse("devices")).content.decode()
    assert link in client.get(reverse("attempt", args=[attempt.reference])).content.decode()


def test_what_stands_beside_the_boxes_is_kept_with_the_words(
    podero_settings: Any, simulator: RunningSimulator
) -> None:
    customer = Customer(make_customer())

    customer.opt_in()

    body = customer.attempt.consent.text.body
    assert "<h3>Control of your devices</h3>" in body
    assert "I agree that Podero controls the devices I link" in body
    assert "Not included: your manufacturer password" in body
    assert "Both are needed" in body
    assert (
        body
        in customer.browser.get(
            reverse("receipt", args=[customer.attempt.consent.reference])
        ).content.decode()
    )


def test_without_a_mail_server_nothing_is_to_be_sent(
    podero_settings: Any, simulator: RunningSimulator
) -> None:
    Customer(make_customer()).opt_in()
    send_due_mails()

    assert Mail.objects.count() == 0
    assert outbox_of.outbox == []


def test_receipt_is_mailed_once_and_after_the_request(
    podero_settings: Any, simulator: RunningSimulator, mail_on: Any
) -> None:
    customer = Customer(make_customer(price_zone="AT"))
    customer.opt_in()
    assert outbox_of.outbox == []

    send_due_mails()
    send_due_mails()
    call_command("sweep", verbosity=0)

    (message,) = outbox_of.outbox
    consent = customer.attempt.consent
    assert message.to == [customer.podero_user.email]
    assert message.subject == "Alpenstrom: what you agreed to"
    assert message.from_email == "Alpenstrom <flex@alpenstrom.example>"
    assert message.reply_to == ["help@alpenstrom.example"]
    text = str(message.body)
    assert f"http://localhost:8000{reverse('receipt', args=[consent.reference])}" in text
    assert f"http://localhost:8000{reverse('leave')}" in text
    assert "You agree that Podero controls the devices you link" in text
    assert "<" not in text
    assert "&" not in text
    assert Mail.objects.get().sent_at is not None


def test_mail_carries_no_key(
    podero_settings: Any, simulator: RunningSimulator, mail_on: Any
) -> None:
    customer = Customer(make_customer())
    customer.opt_in()

    send_due_mails()

    text = str(outbox_of.outbox[0].message())
    (session,) = simulator.control.state()["sessions"]
    for key in (session["id"], session["success_url"].split("/")[-3], simulator.host):
        assert key not in text


def make_mail(**fields: Any) -> Mail:
    values = {"consent": make_consent(), "kind": Mail.Kind.RECEIPT, "next_try_at": NOON}
    return Mail.objects.create(**(values | fields))


class Server(MailServer):
    """A mail server that answers `send` with these, one after the other."""

    def __init__(self, *answers: Exception | None) -> None:
        self._answers = list(answers)
        self.sent = 0

    def send(self, mail: Mail) -> None:
        answer = self._answers.pop(0) if self._answers else None
        if answer is not None:
            raise answer
        self.sent += 1


def test_mail_that_could_not_be_sent_is_tried_again_later() -> None:
    make_mail()
    server = Server(mails.NotSent())

    mails.send_due_mails(post=server, now=NOON)
    mails.send_due_mails(post=server, now=NOON + timedelta(seconds=30))
    assert server.sent == 0
    mails.send_due_mails(post=server, now=NOON + timedelta(minutes=2))

    assert server.sent == 1


@pytest.mark.parametrize(("is_final", "tries"), [(True, 0), (False, mails.MAX_TRIES - 1)])
def test_trying_has_an_end(is_final: bool, tries: int) -> None:
    mail = make_mail(tries=tries)

    mails.send_due_mails(post=Server(mails.NotSent(is_final=is_final)), now=NOON)

    mail.refresh_from_db()
    assert (mail.sent_at, mail.next_try_at) == (None, None)


def test_mail_server_that_is_away_ends_the_pass() -> None:
    for _mail in range(12):
        make_mail()

    taken = mails.send_due_mails(post=Server(*[mails.NotSent()] * 12), now=NOON)

    assert taken == passes.UNANSWERED_LIMIT


def test_mail_that_another_process_is_sending_is_left_alone() -> None:
    mail = make_mail()
    Mail.objects.get().claim(now=NOON)
    server = Server()

    mails.send_mail(post=server, mail=mail, now=NOON)

    assert server.sent == 0


def test_mail_whose_process_was_killed_is_sent_after_all() -> None:
    Mail.objects.filter(pk=make_mail().pk).update(claimed_at=NOON)
    later = NOON + timedelta(minutes=5)
    server = Server()

    expiry.free_stuck_claims(now=later)
    mails.send_due_mails(post=server, now=later)

    assert server.sent == 1


@pytest.mark.parametrize(
    ("error", "is_final"),
    [
        (ConnectionRefusedError(), False),
        (TimeoutError(), False),
        (smtplib.SMTPServerDisconnected(), False),
        (smtplib.SMTPDataError(451, b"later"), False),
        (smtplib.SMTPRecipientsRefused({"a@b.example": (450, b"later")}), False),
        (smtplib.SMTPRecipientsRefused({"a@b.example": (550, b"unknown")}), True),
    ],
)
def test_answers_of_the_mail_server_are_told_apart(
    mail_on: Any, monkeypatch: pytest.MonkeyPatch, error: Exception, is_final: bool
) -> None:
    def fail(*_args: Any) -> None:
        raise error

    monkeypatch.setattr("django.core.mail.backends.locmem.EmailBackend.send_messages", fail)

    with pytest.raises(mails.NotSent) as caught:
        MailServer().send(make_mail())

    assert caught.value.is_final is is_final


def test_words_lose_their_marks_in_a_mail() -> None:
    body = (
        "<h3>You &amp; us</h3>\n<p>One\n two</p>\n<ul>\n  <li>a</li>\n  <li>b</li>\n</ul>\n<p>x</p>"
    )

    assert plain(body) == "You & us\n\nOne two\n\n- a\n- b\n\nx"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_withdrawn", [False, True])
def test_receipt_prints_on_one_page(
    podero_settings: Any,
    simulator: RunningSimulator,
    mail_on: Any,
    live_server: Any,
    page: Page,
    is_withdrawn: bool,
) -> None:
    longest = {"email": f"{'a' * 50}@{'b' * 50}.example", "external_user_id": "N" * 128}
    customer = Customer(make_customer(**longest))
    customer.opt_in(allows_reminder="on")
    if is_withdrawn:
        withdrawal.withdraw(customer=customer.podero_user, now=timezone.now())
    session = customer.browser.cookies["sessionid"].value
    page.context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])

    page.goto(live_server.url + reverse("receipt", args=[customer.attempt.consent.reference]))

    printed = page.pdf(format="A4", print_background=False)
    assert page.locator("h1").inner_text() == "What you agreed to"
    assert "One reminder if you do not finish" in page.locator("main").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert printed.count(b"/Type /Page\n") == 1
