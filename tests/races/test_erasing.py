"""Erasing at the instant at which something comes in: all goes or all stays."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from onboarding.clients import podero_client
from onboarding.flows import mails, withdrawal
from onboarding.flows.erasure import UnableToErase, erase_customer
from onboarding.flows.retention import erase_what_is_over
from onboarding.models import Consent, ErasedCount, Mail, OnboardingSession, PoderoUser
from onboarding.models.seals import Mark
from onboarding.states import State
from tests.factories import NOON, make_attempt, make_consent, make_customer
from tests.journeys.customer import Customer
from tests.races.test_races import at_once
from tests.simulator.launch import RunningSimulator

pytestmark = pytest.mark.django_db(transaction=True)


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
