"""What is counted at the same instant is counted once each, and nobody waits for it too soon."""

from __future__ import annotations

from datetime import timedelta

import pytest

from onboarding.flows import throttling
from onboarding.models import OnboardingSession, Tally
from tests.factories import NOON, make_customer
from tests.hostile.test_throttles import start_at
from tests.races.test_races import at_once

pytestmark = pytest.mark.django_db(transaction=True)


def test_refusals_at_once_are_counted_one_by_one() -> None:
    def add() -> object:
        return Tally.add("somebody", at_most=8, period=timedelta(minutes=15), now=NOON)

    first, second = at_once(*[add] * 6), at_once(*[add] * 6)

    assert first == [None] * 6
    assert second.count(None) == 2
    assert second.count(NOON + timedelta(minutes=15)) == 4
    assert Tally.objects.get().count == 8


def test_attempts_at_once_do_not_slip_past_the_limit() -> None:
    customer = make_customer()
    for _number in range(8):
        start_at(customer, NOON)

    def start() -> str:
        try:
            start_at(customer, NOON)
        except throttling.TooOften:
            return "later"
        return "started"

    outcomes = at_once(*[start] * 5)

    assert sorted(outcomes) == ["later"] * 3 + ["started"] * 2
    assert OnboardingSession.objects.count() == 10
