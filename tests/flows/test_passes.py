"""Background work goes through all that is due: in batches, each row once, within its time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import OperationalError, connection
from django.db.models import QuerySet

from onboarding.flows import passes
from onboarding.models import OnboardingSession, Tally
from onboarding.states import State
from tests.factories import NOON, make_attempt, make_device

pytestmark = pytest.mark.django_db

NOW = NOON + timedelta(hours=1)


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passes, "BATCH", 2)


def make_due(minutes: int) -> OnboardingSession:
    return make_attempt(state=State.OPEN, next_try_at=NOON + timedelta(minutes=minutes))


def due() -> QuerySet[OnboardingSession]:
    return OnboardingSession.objects.due(State.OPEN, now=NOW)


def test_a_pass_goes_on_until_nothing_is_due_and_the_longest_wait_is_first() -> None:
    attempts = [make_due(minutes) for minutes in (30, 50, 10, 40, 20)]
    make_due(61)
    taken: list[int] = []

    def act(row: OnboardingSession, _at: datetime) -> bool:
        taken.append(row.pk)
        return True

    count = passes.take_up_each(due(), act, now=NOW)

    first, second, third, fourth, fifth = (attempts[index].pk for index in (2, 4, 0, 3, 1))
    assert taken == [first, second, third, fourth, fifth]
    assert count == 5


def test_a_row_that_stays_due_is_taken_up_once() -> None:
    for minutes in range(5):
        make_due(minutes)

    assert passes.take_up_each(due(), lambda _row, _at: True, now=NOW) == 5


def test_what_is_no_longer_due_when_its_batch_comes_is_left_out() -> None:
    attempts = [make_due(minutes) for minutes in range(5)]
    taken: list[int] = []

    def act(row: OnboardingSession, _at: datetime) -> bool:
        OnboardingSession.objects.filter(pk=attempts[3].pk).update(next_try_at=None)
        taken.append(row.pk)
        return True

    passes.take_up_each(due(), act, now=NOW)

    assert taken == [attempts[index].pk for index in (0, 1, 2, 4)]


def test_a_pass_without_answers_ends_early_and_one_answer_lets_it_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(passes, "UNANSWERED_LIMIT", 3)
    for minutes in range(8):
        make_due(minutes)
    answers = iter([False, False, True, False, False, False, True, True])

    assert passes.take_up_each(due(), lambda _row, _at: next(answers), now=NOW) == 6


def test_a_pass_ends_when_its_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    for minutes in range(3):
        make_due(minutes)
    monkeypatch.setattr(passes, "PASS_SECONDS", -1.0)

    assert passes.take_up_each(due(), lambda _row, _at: True, now=NOW) == 0


def test_row_that_cannot_be_worked_on_keeps_no_other_from_being_taken_up(
    caplog: pytest.LogCaptureFixture,
) -> None:
    attempts = [make_due(minutes) for minutes in range(5)]
    taken: list[int] = []

    def act(row: OnboardingSession, _at: datetime) -> bool:
        if row.pk == attempts[1].pk:
            raise ValueError(row.pk)
        taken.append(row.pk)
        return True

    assert passes.take_up_each(due(), act, now=NOW) == 5

    assert taken == [attempts[index].pk for index in (0, 2, 3, 4)]
    assert [each.levelname for each in caplog.records] == ["ERROR"]


def test_row_that_cannot_be_worked_on_comes_later_each_time_and_at_last_once_a_day() -> None:
    attempt, later = make_due(30), NOW

    def act(_row: OnboardingSession, _at: datetime) -> bool:
        raise ValueError

    waits = []
    for _time in range(14):
        rows = OnboardingSession.objects.due(State.OPEN, now=later)
        passes.take_up_each(rows, act, put_off=lambda row, at: row.put_off(now=at), now=later)
        attempt.refresh_from_db()
        assert attempt.next_try_at is not None
        waits.append((attempt.next_try_at - later).total_seconds() / 60)
        later = attempt.next_try_at

    assert [round(wait) for wait in waits] == [
        2,
        4,
        8,
        16,
        32,
        64,
        128,
        256,
        512,
        1024,
        *[1440] * 4,
    ]
    assert attempt.tries == 14


def test_removal_that_cannot_be_worked_on_comes_later_too() -> None:
    device = make_device(removal_wanted_at=NOON, removal_due_at=NOON)

    device.put_off_removal(now=NOW)
    device.put_off_removal(now=NOW)  # a copy that is not due any more

    device.refresh_from_db()
    assert device.removal_due_at == NOW + timedelta(minutes=2)
    assert device.removal_tries == 1


def test_batches_hold_each_row_once_and_are_read_ahead(
    monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    monkeypatch.setattr(passes, "LONGEST_QUEUE", 4)
    pks = sorted(make_due(minutes).pk for minutes in range(6))
    rows = OnboardingSession.objects.order_by("-next_try_at")

    with django_assert_num_queries(2):
        found = list(passes.batches(rows, size=3, seconds=60))

    assert found == [pks[:3], pks[3:4], pks[4:]]
    assert list(passes.batches(rows, size=3, seconds=-1)) == [pks[:3]]
    assert list(passes.batches(rows.none(), size=3, seconds=60)) == []


def test_what_goes_wrong_with_many_rows_ends_the_pass_and_is_raised() -> None:
    for minutes in range(passes.FAILED_LIMIT + 5):
        make_due(minutes)
    taken: list[int] = []

    def act(row: OnboardingSession, _at: datetime) -> bool:
        taken.append(row.pk)
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011
        passes.take_up_each(due(), act, now=NOW)

    assert len(taken) == passes.FAILED_LIMIT


def test_row_that_another_process_holds_is_passed_over() -> None:
    """As a database tells that answers everything else."""
    for minutes in range(3):
        make_due(minutes)
    taken: list[int] = []

    def act(row: OnboardingSession, _at: datetime) -> bool:
        taken.append(row.pk)
        if len(taken) == 1:
            raise OperationalError
        return True

    assert passes.take_up_each(due(), act, now=NOW) == 3


def test_row_that_cannot_even_be_put_off_keeps_no_other_from_being_taken_up(
    caplog: pytest.LogCaptureFixture,
) -> None:
    attempts = [make_due(minutes) for minutes in range(3)]
    taken: list[int] = []

    def act(row: OnboardingSession, _at: datetime) -> bool:
        taken.append(row.pk)
        if row.pk == attempts[0].pk:
            raise OperationalError
        return True

    def put_off(_row: OnboardingSession, _at: datetime) -> None:
        raise OperationalError

    assert passes.take_up_each(due(), act, put_off=put_off, now=NOW) == 3

    assert taken == [attempt.pk for attempt in attempts]
    assert [each.levelname for each in caplog.records] == ["WARNING", "ERROR"]


def test_database_that_is_away_ends_the_pass_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "is_usable", lambda: False)
    for minutes in range(3):
        make_due(minutes)
    taken: list[int] = []

    def act(row: OnboardingSession, _at: datetime) -> bool:
        taken.append(row.pk)
        raise OperationalError

    with pytest.raises(OperationalError):
        passes.take_up_each(due(), act, now=NOW)

    assert len(taken) == 1


def test_batches_are_repeated_until_one_is_empty() -> None:
    sizes = iter([2, 2, 1, 0, 5])

    assert passes.repeat(lambda: next(sizes)) == 5


def test_batches_are_not_repeated_when_the_time_is_up() -> None:
    sizes = iter([2, 2, 1, 0])

    assert passes.repeat(lambda: next(sizes), seconds=-1.0) == 2


def test_passes_side_by_side_take_up_each_row_once_between_them() -> None:
    attempts = [make_due(minutes) for minutes in range(7)]
    taken: list[int] = []

    def act(row: OnboardingSession, _at: datetime) -> bool:
        taken.append(row.pk)
        return True

    counts = [
        passes.take_up_each(passes.Share(number, of=3).out_of(due()), act, now=NOW)
        for number in range(3)
    ]

    assert sorted(taken) == [attempt.pk for attempt in attempts]
    assert max(counts) <= 3


def test_rows_of_one_customer_fall_to_one_pass() -> None:
    customer = make_attempt(state=State.OPEN, next_try_at=NOON).podero_user
    for _attempt in range(4):
        make_attempt(customer=customer, state=State.OPEN, next_try_at=NOON)

    found = [
        passes.Share(number, of=5).out_of(due(), by="podero_user_id").count() for number in range(5)
    ]

    assert sorted(found) == [0, 0, 0, 0, 5]


def test_rows_are_deleted_a_batch_at_a_time(django_assert_num_queries: Any) -> None:
    for _row in range(5):
        Tally.objects.create(digest=uuid4().hex, started_at=NOON)

    # One look, and a deletion for each batch of two.
    with django_assert_num_queries(4):
        assert passes.delete_in_batches(Tally.objects.all()) == 5

    assert not Tally.objects.exists()


def test_row_that_has_become_another_meanwhile_is_not_deleted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Read as old, and begun anew by a customer before it is deleted."""
    tally = Tally.objects.create(digest=uuid4().hex, started_at=NOON)
    old = Tally.objects.filter(started_at__lt=NOW)
    repeat = passes.repeat

    class Meddling(QuerySet[Tally]):
        def delete(self) -> tuple[int, dict[str, int]]:
            Tally.objects.filter(pk=tally.pk).update(started_at=NOW)
            return super().delete()

    monkeypatch.setattr(old, "__class__", Meddling)
    monkeypatch.setattr(passes, "repeat", lambda batch, **_more: min(repeat(batch), 1))

    assert passes.delete_in_batches(old) == 0
    assert Tally.objects.filter(pk=tally.pk).exists()
