"""The one reminder: for whom, when, how often, and what makes it pointless."""

from __future__ import annotations

import smtplib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from onboarding.flows import expiry, mails, opt_in, passes, reminders, withdrawal
from onboarding.letters import MailServer
from onboarding.models import Mail, OnboardingSession
from onboarding.states import Event, State
from tests.factories import NOON, make_attempt, make_consent, make_customer

pytestmark = pytest.mark.django_db

DUE = NOON + timedelta(hours=24)


class Server(MailServer):
    """A mail server that answers with these, one after the other, and keeps what it took."""

    def __init__(self, *answers: Exception | None) -> None:
        self._answers = list(answers)
        self.taken: list[str] = []

    def send(self, mail: Mail) -> None:
        answer = self._answers.pop(0) if self._answers else None
        if answer is not None:
            raise answer
        self.taken.append(mail.kind)


@pytest.fixture(autouse=True)
def _mail_on(settings: Any) -> None:
    settings.IS_MAIL_ON = True


def make_asked(state: State = State.OPEN, **fields: Any) -> OnboardingSession:
    """An attempt of a customer who ticked the reminder, planned for a day later."""
    customer = make_customer()
    make_consent(customer, given_at=NOON - timedelta(days=9))
    consent = make_consent(customer, allows_reminder=True)
    attempt = make_attempt(customer=customer, consent=consent, state=state, **fields)
    reminders.plan_reminder(attempt=attempt, now=attempt.started_at)
    return attempt


def sent_at(now: Any) -> list[str]:
    server = Server()
    mails.send_due_mails(post=server, now=now)
    return server.taken


def linked_under_another_consent(attempt: OnboardingSession) -> None:
    make_attempt(
        customer=attempt.podero_user,
        state=State.LINKED,
        consent=attempt.podero_user.consents.earliest("pk"),
        finished_at=NOON + timedelta(hours=1),
    )


def went_on(attempt: OnboardingSession, state: State) -> None:
    make_attempt(
        customer=attempt.podero_user, consent=attempt.consent, continues=attempt, state=state
    )


def stands_at(attempt: OnboardingSession, state: State, **fields: Any) -> None:
    OnboardingSession.objects.filter(pk=attempt.pk).update(state=state, **fields)


def withdrew_after_it_ran_out(attempt: OnboardingSession) -> None:
    stands_at(attempt, State.EXPIRED)
    withdrawal.withdraw(customer=attempt.podero_user, now=NOON)


def came_back_to_the_first_form(attempt: OnboardingSession) -> None:
    went_on(attempt, State.OPEN)
    stands_at(attempt, State.RETURNED)


def linked_on_the_first_form(attempt: OnboardingSession) -> None:
    went_on(attempt, State.OPEN)
    stands_at(attempt, State.LINKED, finished_at=NOON)


POINTLESS: dict[str, Callable[[OnboardingSession], Any]] = {
    "withdrew": lambda a: withdrawal.withdraw(customer=a.podero_user, now=NOON),
    "cancelled": lambda a: a.mark_cancelled(at=NOON),
    "came_back": lambda a: a.mark_returned(device_id=None, is_matched=True, at=NOON),
    "linked": lambda a: stands_at(a, State.LINKED, finished_at=NOON),
    "failed": lambda a: stands_at(a, State.FAILED, failure_code="podero_refused"),
    "withdrew_after_it_ran_out": withdrew_after_it_ran_out,
    "came_back_to_the_first_form": came_back_to_the_first_form,
    "linked_on_the_first_form": linked_on_the_first_form,
    "successor_linked": lambda a: went_on(a, State.LINKED),
    "successor_cancelled": lambda a: went_on(a, State.CANCELLED),
    "another_linked": linked_under_another_consent,
    "agreed_anew": lambda a: make_consent(a.podero_user, given_at=NOON + timedelta(hours=1)),
    "stopped": lambda a: reminders.stop_reminders(customer=a.podero_user, now=NOON),
}


def is_at(moment: datetime | None, expected: datetime) -> bool:
    """A pass's clock runs on from the moment that it was given."""
    return moment is not None and timedelta() <= moment - expected < timedelta(seconds=10)


@pytest.mark.parametrize("state", [State.STARTED, State.OPEN, State.EXPIRED])
def test_unfinished_attempt_is_reminded_of_once_after_a_day(state: State) -> None:
    attempt = make_asked(state)

    assert sent_at(DUE - timedelta(seconds=1)) == []
    assert sent_at(DUE) == ["reminder"]
    assert sent_at(DUE + timedelta(hours=1)) == []
    assert is_at(Mail.objects.get().sent_at, DUE)
    assert is_at(attempt.events.get(event=Event.REMINDED).at, DUE)


@pytest.mark.parametrize("why", POINTLESS)
def test_reminder_that_has_become_pointless_is_dropped(why: str) -> None:
    attempt = make_asked()
    POINTLESS[why](attempt)

    assert Mail.Kind.REMINDER not in sent_at(DUE)
    mail = Mail.objects.get(kind=Mail.Kind.REMINDER)
    assert (mail.sent_at, mail.next_try_at, mail.claimed_at) == (None, None, None)
    assert not attempt.events.filter(event=Event.REMINDED).exists()


@pytest.mark.parametrize("why", POINTLESS)
def test_what_happened_since_the_batch_was_read_counts(why: str) -> None:
    attempt = make_asked()
    (stale,) = Mail.objects.due(now=DUE).select_related("consent__podero_user", "consent__text")
    POINTLESS[why](attempt)
    server = Server()

    mails.send_mail(post=server, mail=stale, now=DUE)

    assert server.taken == []


def test_nobody_is_reminded_who_did_not_ask() -> None:
    attempt = make_attempt(state=State.OPEN)

    reminders.plan_reminder(attempt=attempt, now=NOON)

    assert Mail.objects.count() == 0


def test_nothing_is_planned_without_a_mail_server(settings: Any) -> None:
    settings.IS_MAIL_ON = False

    make_asked()

    assert Mail.objects.count() == 0


def test_going_on_puts_the_reminder_off() -> None:
    attempt = make_asked()
    later = NOON + timedelta(hours=23)

    opt_in.continue_attempt(attempt=attempt, submission=attempt.submission, now=NOON)
    successor = opt_in.continue_attempt(attempt=attempt, submission=attempt.reference, now=later)

    assert sent_at(DUE) == []
    OnboardingSession.objects.filter(pk=successor.pk).update(
        state=State.OPEN, podero_id=attempt.reference
    )
    assert sent_at(later + timedelta(hours=24)) == ["reminder"]


def test_attempt_that_was_started_while_the_reminder_was_taken_up_puts_it_off() -> None:
    attempt = make_asked()
    (mail,) = Mail.objects.due(now=DUE)
    went_on(attempt, State.OPEN)
    OnboardingSession.objects.filter(continues=attempt).update(started_at=DUE)
    server = Server()

    mails.send_mail(post=server, mail=mail, now=DUE)

    assert server.taken == []
    assert is_at(Mail.objects.get().next_try_at, DUE + timedelta(hours=24))


def test_attempt_that_was_started_while_the_reminder_was_dropped_is_reminded_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    attempt = make_asked(State.CANCELLED)
    later = NOON + timedelta(days=1)

    def nothing_left(**_of: object) -> None:
        reminders.plan_reminder(attempt=attempt, now=later)

    monkeypatch.setattr(reminders, "attempt_to_remind_of", nothing_left)

    assert sent_at(later) == []

    assert is_at(Mail.objects.get().next_try_at, later + reminders.AFTER)


def test_going_on_after_the_reminder_brings_no_second_one() -> None:
    attempt = make_asked()
    sent_at(DUE)

    opt_in.continue_attempt(attempt=attempt, submission=attempt.reference, now=DUE)

    assert sent_at(DUE + timedelta(hours=25)) == []
    mail = Mail.objects.get()
    assert is_at(mail.sent_at, DUE)
    assert mail.next_try_at is None


def test_going_on_after_cancelling_plans_the_reminder_anew() -> None:
    attempt = make_asked()
    attempt.mark_cancelled(at=NOON)
    assert sent_at(DUE) == []

    opt_in.continue_attempt(attempt=attempt, submission=attempt.reference, now=DUE)

    assert sent_at(DUE + timedelta(hours=24)) == ["reminder"]


def test_reminder_that_is_days_late_is_dropped() -> None:
    make_asked()

    assert sent_at(DUE + reminders.LATEST + timedelta(seconds=1)) == []
    assert sent_at(DUE) == []


def test_mail_server_that_refused_for_now_is_asked_again() -> None:
    make_asked()
    server = Server(mails.NotSent())

    mails.send_due_mails(post=server, now=DUE)
    assert Mail.objects.get().sent_at is None
    mails.send_due_mails(post=server, now=DUE + timedelta(minutes=2))

    assert server.taken == ["reminder"]


def test_reminder_that_may_have_gone_is_not_sent_again() -> None:
    make_asked()
    server = Server(mails.NotSent(is_in_doubt=True))

    mails.send_due_mails(post=server, now=DUE)
    mails.send_due_mails(post=server, now=DUE + timedelta(hours=1))

    assert server.taken == []
    assert is_at(Mail.objects.get().sent_at, DUE)


def test_process_killed_while_sending_leaves_no_second_reminder() -> None:
    make_asked()
    killed = Server(KeyboardInterrupt())  # type: ignore[arg-type]
    with pytest.raises(KeyboardInterrupt):
        mails.send_due_mails(post=killed, now=DUE)
    later = DUE + timedelta(minutes=5)

    expiry.free_stuck_claims(now=later)

    assert sent_at(later) == []


def test_two_workers_send_one_reminder() -> None:
    make_asked()
    (one,), (other,) = list(Mail.objects.due(now=DUE)), list(Mail.objects.due(now=DUE))
    server = Server()

    mails.send_mail(post=server, mail=one, now=DUE)
    mails.send_mail(post=server, mail=other, now=DUE)

    assert server.taken == ["reminder"]


@pytest.mark.parametrize(
    ("error", "is_in_doubt"),
    [
        (smtplib.SMTPDataError(451, b"later"), False),
        (smtplib.SMTPSenderRefused(550, b"no", "us@example.com"), False),
        (smtplib.SMTPServerDisconnected(), True),
        (TimeoutError(), True),
    ],
)
def test_only_an_answer_tells_that_a_mail_was_not_taken(
    monkeypatch: pytest.MonkeyPatch, settings: Any, error: Exception, is_in_doubt: bool
) -> None:
    def fail(*_args: Any) -> None:
        raise error

    settings.DEFAULT_FROM_EMAIL = "Alpenstrom <flex@alpenstrom.example>"
    make_asked()
    monkeypatch.setattr("django.core.mail.backends.locmem.EmailBackend.send_messages", fail)

    with pytest.raises(mails.NotSent) as caught:
        MailServer().send(Mail.objects.get())

    assert caught.value.is_in_doubt is is_in_doubt


def test_mail_server_that_does_not_answer_has_surely_taken_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_args: Any) -> None:
        raise TimeoutError

    make_asked()
    monkeypatch.setattr("django.core.mail.backends.locmem.EmailBackend.open", fail)

    with pytest.raises(mails.NotSent) as caught:
        MailServer().send(Mail.objects.get())

    assert caught.value.is_in_doubt is False


def test_stopping_keeps_when_it_was_first_said() -> None:
    customer = make_asked().podero_user

    reminders.stop_reminders(customer=customer, now=NOON)
    reminders.stop_reminders(customer=customer, now=DUE)

    customer.refresh_from_db()
    assert customer.reminders_stopped_at == NOON


def test_newer_wish_to_be_reminded_wins_until_it_is_taken_back_too() -> None:
    attempt = make_asked()
    customer = attempt.podero_user
    reminders.stop_reminders(customer=customer, now=NOON)
    later = NOON + timedelta(hours=1)
    newer = make_attempt(
        customer=customer,
        consent=make_consent(customer, allows_reminder=True, given_at=later),
        state=State.OPEN,
        started_at=later,
    )
    customer.refresh_from_db()
    reminders.plan_reminder(attempt=newer, now=later)
    assert not customer.wants_no_reminder_of(newer.consent)

    reminders.stop_reminders(customer=customer, now=DUE)

    customer.refresh_from_db()
    assert customer.reminders_stopped_at == DUE
    assert sent_at(later + timedelta(hours=24)) == []


def test_finding_due_mails_uses_the_index() -> None:
    with CaptureQueriesContext(connection) as asked:
        list(Mail.objects.due(now=DUE)[: passes.BATCH])
    (query,) = [entry["sql"] for entry in asked.captured_queries]

    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("EXPLAIN QUERY PLAN " + query)
            assert "mail_due" in str(cursor.fetchall())
    assert f"LIMIT {passes.BATCH}" in query


@pytest.mark.parametrize("token", ["", "x", "x:y", f"{'0' * 32}:abc", "\x00", "é" * 9])
def test_token_that_was_not_made_here_stops_nothing(token: str) -> None:
    make_asked()

    with pytest.raises(reminders.UnknownToken):
        reminders.customer_of(token)


def test_token_outlives_a_new_key_whose_forerunner_is_kept(settings: Any) -> None:
    attempt = make_asked()
    token = reminders.stop_token(attempt.consent)

    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "n" * 50

    assert reminders.customer_of(token) == attempt.podero_user


@pytest.mark.parametrize("state", [State.CANCELLED, State.FAILED])
def test_page_says_that_no_reminder_comes_about_what_has_ended(
    client: Client, state: State
) -> None:
    customer = make_customer()
    consent = make_consent(customer, allows_reminder=True)
    attempt = make_attempt(customer=customer, consent=consent, state=state)
    client.force_login(attempt.podero_user.account)

    text = client.get(reverse("attempt", args=[attempt.reference])).content.decode()

    assert "we send none about this" in text
