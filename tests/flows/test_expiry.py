"""What was never opened ends, and what a killed process held is free again: many at once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from onboarding.flows import expiry
from onboarding.flows.expiry import OPENING_PERIOD, expire_unopened_attempts, free_stuck_claims
from onboarding.models import OnboardingSession, SessionEvent
from onboarding.models.claims import CLAIM_LIFETIME
from onboarding.states import Actor, Event, FailureCode, State
from tests.factories import NOON, make_attempt, make_consent, make_customer, make_device

pytestmark = pytest.mark.django_db

NOW = NOON + OPENING_PERIOD


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expiry, "BATCH", 2)


def test_unopened_attempts_expire_with_a_line_each() -> None:
    attempts = [make_attempt() for _number in range(5)]

    assert expire_unopened_attempts(now=NOW) == 5

    for attempt in attempts:
        attempt.refresh_from_db()
        assert (attempt.state, attempt.failure_code) == (State.EXPIRED, FailureCode.NEVER_OPENED)
        assert (attempt.finished_at, attempt.next_try_at) == (NOW, None)
        event = attempt.events.get()
        assert (event.event, event.actor, event.at) == (Event.EXPIRED, Actor.SYSTEM, NOW)
        assert (event.state_before, event.state_after) == (State.STARTED, State.EXPIRED)
        assert event.failure_code == FailureCode.NEVER_OPENED


def test_expiring_again_changes_nothing() -> None:
    make_attempt()
    expire_unopened_attempts(now=NOW)

    assert expire_unopened_attempts(now=NOW + timedelta(days=1)) == 0
    assert SessionEvent.objects.count() == 1


@pytest.mark.parametrize("state", [state for state in State if state != State.STARTED])
def test_only_unopened_attempts_expire(state: State) -> None:
    attempt = make_attempt(state=state)

    assert expire_unopened_attempts(now=NOW) == 0

    attempt.refresh_from_db()
    assert attempt.state == state


def test_attempt_is_given_its_whole_day() -> None:
    make_attempt(started_at=NOON + timedelta(seconds=1))

    assert expire_unopened_attempts(now=NOW) == 0


def test_attempt_whose_form_is_being_opened_is_left_to_its_customer() -> None:
    attempt = make_attempt()
    attempt.claim(now=NOW - CLAIM_LIFETIME)

    assert expire_unopened_attempts(now=NOW) == 0
    assert expire_unopened_attempts(now=NOW + timedelta(seconds=1)) == 1


def test_the_number_of_statements_grows_with_the_batches_not_with_the_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(expiry, "BATCH", 50)
    customer = make_customer()
    consent = make_consent(customer)
    for _number in range(50):
        make_attempt(customer=customer, consent=consent)

    with CaptureQueriesContext(connection) as seen:
        expire_unopened_attempts(now=NOW)

    statements = [query["sql"].split()[0] for query in seen]
    assert [s for s in statements if s in {"SELECT", "UPDATE", "INSERT"}] == [
        "SELECT", "INSERT", "UPDATE", "SELECT",
    ]  # fmt: skip


def test_claims_of_a_clock_that_was_set_back_are_freed() -> None:
    attempt = make_attempt(claimed_at=NOW + timedelta(hours=2))
    near = make_attempt(claimed_at=NOW + CLAIM_LIFETIME)

    assert attempt.claim(now=NOW)
    OnboardingSession.objects.filter(pk=attempt.pk).update(claimed_at=NOW + timedelta(hours=2))
    assert free_stuck_claims(now=NOW) == 1

    near.refresh_from_db()
    assert near.claimed_at == NOW + CLAIM_LIFETIME
    assert not near.claim(now=NOW)


def test_stuck_claims_are_freed_with_a_line_each_and_nothing_moves() -> None:
    attempts = [make_attempt(state=state) for state in State]
    OnboardingSession.objects.update(claimed_at=NOON)
    device = make_device(attempt=attempts[0], claimed_at=NOON)
    attempts[0].podero_user.claim(now=NOON)

    assert free_stuck_claims(now=NOON + CLAIM_LIFETIME) == 0
    assert free_stuck_claims(now=NOON + CLAIM_LIFETIME + timedelta(seconds=1)) == 9

    device.refresh_from_db()
    assert device.claimed_at is None
    for attempt in attempts:
        event = attempt.events.get()
        before = attempt.state
        attempt.refresh_from_db()
        assert (attempt.state, attempt.claimed_at) == (before, None)
        assert (event.event, event.actor) == (Event.CLAIM_FREED, Actor.SYSTEM)
        assert (event.state_before, event.state_after) == (before, before)
