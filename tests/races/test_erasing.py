"""Erasing at the instant at which something comes in: all goes or all stays."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from onboarding.clients import podero_client
from onboarding.flows import confirming, erasure, mails, retention, withdrawal
from onboarding.flows.erasure import UnableToErase, erase_customer
from onboarding.flows.retention import erase_what_is_over
from onboarding.models import Consent, Device, ErasedCount, Mail, OnboardingSession, PoderoUser
from onboarding.models.seals import Mark
from onboarding.states import Event, State
from tests.factories import (
    NOON,
    make_attempt,
    make_consent,
    make_customer,
    make_device,
    make_reconnection,
)
from tests.journeys.customer import Customer
from tests.races.test_races import at_once
from tests.simulator.launch import RunningSimulator

pytestmark = pytest.mark.django_db(transaction=True)

OVER = NOON + timedelta(days=401)
# Long enough for the other one to take what it can; on SQLite it cannot take anything.
SECONDS = 1.0


@pytest.mark.parametrize("turn", range(5))
def test_opt_in_during_an_erasure_leaves_all_or_nothing(
    podero_settings: Any, simulator: RunningSimulator, turn: int
) -> None:
    customer = Customer(make_customer())

    def erase() -> bool:
        owner = PoderoUser.objects.select_related("account").get(pk=customer.podero_user.pk)
        try:
            erase_customer(client=podero_client(), customer=owner, now=timezone.now())
        except UnableToErase:
            return False
        return True

    def opt_in() -> int:
        return int(customer.opt_in().status_code)

    was_erased, status = at_once(erase, opt_in)

    left = PoderoUser.objects.count()
    # Who is erased between two lines of their own request has no session to go on with.
    assert status == 302 or (was_erased and status == 400)
    assert left == (0 if was_erased else 1)
    assert OnboardingSession.objects.count() == Consent.objects.count() == left


def test_two_erasing_jobs_count_each_row_once() -> None:
    customer = make_customer()
    consent = make_consent(customer)
    for _attempt in range(20):
        make_attempt(customer=customer, consent=consent, state=State.EXPIRED)
    over = NOON + timedelta(days=401)

    at_once(*[lambda: erase_what_is_over(now=over)] * 2)

    assert OnboardingSession.objects.count() == 0
    assert ErasedCount.objects.get().count == 20


def test_leaving_twice_at_once_seals_one_withdrawal() -> None:
    consent = make_consent()
    customer = consent.podero_user

    at_once(
        *[lambda day=day: withdrawal.withdraw(customer=customer, now=NOON + timedelta(days=day))
          for day in (1, 2, 3)]
    )  # fmt: skip

    assert Consent.objects.get().examine() is Mark.INTACT


def test_mail_is_sent_once_by_two_processes() -> None:
    Mail.objects.create(consent=make_consent(), kind=Mail.Kind.RECEIPT, next_try_at=NOON)
    sent: list[int] = []

    class Server:
        def send(self, mail: Mail) -> None:
            sent.append(mail.pk)

    at_once(*[lambda: mails.send_due_mails(post=Server(), now=NOON)] * 4)

    assert len(sent) == 1


def old_attempt(customer: PoderoUser, **fields: Any) -> OnboardingSession:
    return make_attempt(
        customer=customer, state=State.EXPIRED, finished_at=NOON, next_try_at=None, **fields
    )


def test_word_given_while_old_attempts_are_erased(monkeypatch: pytest.MonkeyPatch) -> None:
    """The newer attempt went on from the older one, which is let go of first."""
    older = old_attempt(make_customer())
    newer = make_attempt(
        customer=older.podero_user, state=State.LINKED, continues=older, next_try_at=None
    )
    device = make_device(attempt=newer, linked_at=OVER)
    letting_go, let_go_of = threading.Event(), retention._let_go_of

    def let_go(attempts: list[int]) -> None:
        let_go_of(attempts)
        letting_go.set()
        time.sleep(SECONDS)

    def say_yes() -> None:
        letting_go.wait(10)
        confirming.confirm_device(device=device, came_back={}, now=OVER)

    monkeypatch.setattr(retention, "_let_go_of", let_go)

    at_once(lambda: erase_what_is_over(now=OVER), say_yes)

    assert Device.objects.get().is_confirmed
    assert OnboardingSession.objects.get() == newer


@pytest.mark.parametrize("is_seen", ["before it is chosen", "after"])
def test_somebody_comes_back_while_their_attempt_is_erased(
    monkeypatch: pytest.MonkeyPatch, is_seen: str
) -> None:
    """It stays, with what it says about the device, or has gone and nobody hears of it."""
    attempt = old_attempt(make_customer())
    make_device(attempt=make_attempt(customer=attempt.podero_user, state=State.LINKED))
    erasing = threading.Event()
    where = "_hold" if is_seen == "before it is chosen" else "erase"
    act = getattr(retention, where)

    coming_back = threading.Event()

    def slowly(rows: Any) -> Any:
        if rows:
            erasing.set()
            coming_back.wait(SECONDS)
        return act(rows)

    def come_back() -> bool:
        erasing.wait(10)
        row = OnboardingSession.objects.filter(pk=attempt.pk).first() or attempt
        is_noted = row.note_return_seen(Event.RETURN_SEEN, at=OVER, is_success=True)
        coming_back.set()
        return is_noted

    monkeypatch.setattr(retention, where, slowly)

    _erased, is_noted = at_once(lambda: erase_what_is_over(now=OVER), come_back)

    is_there = OnboardingSession.objects.filter(pk=attempt.pk).exists()
    assert is_there == is_noted


def test_somebody_comes_back_from_signing_in_while_their_customer_is_erased(
    monkeypatch: pytest.MonkeyPatch, podero_settings: Any, simulator: RunningSimulator
) -> None:
    gone = {"removal_wanted_at": NOON, "removed_at": NOON, "missing_since": NOON}
    attempt = old_attempt(make_customer())
    renewal = make_reconnection(device=make_device(attempt=attempt, **gone))
    erasing, check = threading.Event(), erasure._refuse_while_steered

    def checked(customer: PoderoUser) -> None:
        check(customer)
        erasing.set()
        time.sleep(SECONDS)

    def come_back() -> bool:
        erasing.wait(10)
        return renewal.note_return_seen(at=OVER, is_success=True)

    monkeypatch.setattr(erasure, "_refuse_while_steered", checked)

    _erased, is_noted = at_once(
        lambda: erase_customer(client=podero_client(), customer=attempt.podero_user, now=OVER),
        come_back,
    )

    assert not PoderoUser.objects.exists()
    assert not is_noted


def test_device_that_is_called_theirs_while_it_is_given_up_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The word comes between choosing what to give up and holding its customer."""
    attempt = make_attempt(state=State.LINKED, next_try_at=None)
    device = make_device(attempt=attempt)
    hold = retention._hold

    def said_before(customers: list[int]) -> None:
        if customers == [device.podero_user_id] and not Device.objects.get().is_confirmed:
            confirming.confirm_device(device=device, came_back={}, now=OVER)
        hold(customers)

    monkeypatch.setattr(retention, "_hold", said_before)

    erase_what_is_over(now=OVER)

    assert Device.objects.get().is_confirmed
    assert not Device.objects.get().is_removal_wanted
