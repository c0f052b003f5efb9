"""The one mover: every state × every move, and a stale copy always loses."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from onboarding.models import InvalidTransition, OnboardingSession, SessionEvent
from onboarding.models.attempts import last_moment_of
from onboarding.states import Actor, FailureCode, State, sources_of
from tests.factories import NOON, make_attempt

pytestmark = pytest.mark.django_db

LATER = NOON + timedelta(minutes=3)
Move = Callable[[OnboardingSession], None]

MOVES: dict[State, Move] = {
    State.OPEN: lambda attempt: attempt.mark_open(
        podero_id=uuid.uuid4(), expires_at=LATER, next_try_at=LATER, at=LATER
    ),
    State.RETURNED: lambda attempt: attempt.mark_returned(
        device_id=None, is_matched=True, at=LATER
    ),
    State.LINKED: lambda attempt: attempt.mark_linked(at=LATER, actor=Actor.SYSTEM),
    State.CANCELLED: lambda attempt: attempt.mark_cancelled(at=LATER),
    State.EXPIRED: lambda attempt: attempt.mark_expired(failure_code=FailureCode.RAN_OUT, at=LATER),
    State.FAILED: lambda attempt: attempt.mark_failed(
        failure_code=FailureCode.REFUSED, at=LATER, actor=Actor.SYSTEM
    ),
}
CASES = [(source, target) for source in State for target in MOVES]


@pytest.mark.parametrize(("source", "target"), CASES)
def test_a_move_changes_state_and_timeline_together_or_not_at_all(
    source: State, target: State
) -> None:
    attempt = make_attempt(state=source)
    attempt.claim(now=NOON)

    if source in sources_of(target):
        MOVES[target](attempt)
        expected = target
    else:
        with pytest.raises(InvalidTransition):
            MOVES[target](attempt)
        expected = source

    attempt.refresh_from_db()
    told = list(SessionEvent.objects.values_list("state_before", "state_after"))
    assert attempt.state == expected
    assert told == ([(source, target)] if expected == target != source else [])


@pytest.mark.parametrize(
    ("source", "target"), [case for case in CASES if case[0] in sources_of(case[1])]
)
def test_a_stale_copy_loses(source: State, target: State) -> None:
    attempt = make_attempt(state=source)
    attempt.claim(now=NOON)
    stale = OnboardingSession.objects.get(pk=attempt.pk)
    MOVES[target](attempt)

    with pytest.raises(InvalidTransition):
        MOVES[target](stale)

    assert SessionEvent.objects.count() == 1


@pytest.mark.parametrize("target", [State.OPEN, State.FAILED])
def test_who_lost_the_claim_records_nothing(target: State) -> None:
    attempt = make_attempt()
    attempt.claim(now=NOON)
    OnboardingSession.objects.update(claimed_at=LATER)

    with pytest.raises(InvalidTransition):
        MOVES[target](attempt)

    attempt.refresh_from_db()
    assert attempt.state == State.STARTED
    assert attempt.claimed_at == LATER


def test_only_one_of_two_claims_succeeds() -> None:
    attempt = make_attempt()
    same = OnboardingSession.objects.get(pk=attempt.pk)

    assert attempt.claim(now=NOON)
    assert not same.claim(now=NOON)


def test_a_claim_of_a_killed_process_can_be_taken_over() -> None:
    attempt = make_attempt()
    attempt.claim(now=NOON)

    successor = OnboardingSession.objects.get(pk=attempt.pk)

    assert not successor.claim(now=NOON + timedelta(seconds=119))
    assert successor.claim(now=NOON + timedelta(seconds=121))
    assert not attempt.release(failure_code="podero_busy")


def test_the_timeline_cannot_be_rewritten() -> None:
    attempt = make_attempt(state=State.OPEN)
    attempt.mark_cancelled(at=LATER)
    event = SessionEvent.objects.get()

    event.actor = Actor.STAFF
    with pytest.raises(TypeError):
        event.save()

    assert SessionEvent.objects.get().actor == Actor.CUSTOMER


def test_a_bare_date_is_over_when_it_is_over_everywhere() -> None:
    moment = last_moment_of(datetime(2026, 3, 3, tzinfo=UTC).date())

    assert moment == datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
