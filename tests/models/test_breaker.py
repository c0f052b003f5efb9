"""The shared breaker: opens on failures, lets one probe through, closes or waits longer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier
from uuid import UUID

import pytest
from django.db import connection

from onboarding.models import Breaker
from onboarding.models.breakers import FIRST_PERIOD, LONGEST_PAUSE, LONGEST_PERIOD, WINDOW
from tests.factories import NOON

pytestmark = pytest.mark.django_db


def fail(times: int, *, calls_each: int = 1, at: datetime = NOON) -> bool:
    """Report so many failures; True when one of them opened the breaker."""
    outcomes = [
        Breaker.record(calls=calls_each, failures=1, entered_at=at, now=at)
        for _time in range(times)
    ]
    return any(outcomes)


def probe_at(moment: datetime) -> UUID:
    probe = Breaker.take_probe(lease_seconds=10, now=moment)
    assert probe is not None
    return probe


def opened() -> datetime:
    """An open breaker; returns the moment from which it may be probed."""
    assert fail(5)
    until = Breaker.objects.get().open_until
    assert until is not None
    return until


def test_five_failures_in_a_row_open_it_and_four_do_not() -> None:
    assert not fail(4)
    assert not Breaker.now_known().is_open

    assert fail(1)

    row = Breaker.now_known()
    assert (row.open_until, row.reason) == (NOON + FIRST_PERIOD, "failing")


def test_failures_among_more_successes_leave_it_closed() -> None:
    assert not fail(20, calls_each=3)

    assert not Breaker.now_known().is_open


def test_half_of_the_calls_failing_opens_it() -> None:
    assert fail(5, calls_each=2)


def test_failures_of_an_older_window_do_not_count() -> None:
    fail(4)

    assert not fail(4, at=NOON + WINDOW)

    assert not Breaker.now_known().is_open


def test_nobody_probes_before_the_time_and_one_at_a_time_after_it() -> None:
    until = opened()

    assert Breaker.take_probe(lease_seconds=10, now=until - timedelta(seconds=1)) is None
    probe_at(until)
    assert Breaker.take_probe(lease_seconds=10, now=until + timedelta(seconds=9)) is None


def test_probe_of_a_killed_process_gives_way_when_its_lease_is_over() -> None:
    until = opened()
    lost = probe_at(until)

    second = probe_at(until + timedelta(seconds=10))

    assert not Breaker.close(lost, now=until + timedelta(seconds=11))
    assert Breaker.now_known().is_open
    assert Breaker.close(second, now=until + timedelta(seconds=11))
    assert not Breaker.now_known().is_open


def test_probe_that_told_nothing_is_given_to_the_next_one() -> None:
    until = opened()

    Breaker.give_probe_back(probe_at(until))

    probe_at(until)


def test_each_failed_probe_doubles_the_wait_up_to_a_ceiling() -> None:
    moment, waits = opened(), []

    for _time in range(6):
        Breaker.reopen(probe_at(moment), at_least_seconds=0, now=moment)
        until = Breaker.objects.get().open_until
        assert until is not None
        waits.append((until - moment).total_seconds())
        moment = until

    assert waits == [10, 20, 40, 60, 60, 60]
    assert LONGEST_PERIOD.total_seconds() == 60


def test_closing_starts_from_nothing() -> None:
    until = opened()

    Breaker.close(probe_at(until), now=until)

    later = until + timedelta(seconds=1)
    assert not fail(4, at=later)
    assert fail(1, at=later)
    assert Breaker.objects.get().open_until == later + FIRST_PERIOD


def test_calls_from_before_it_closed_do_not_open_it_again() -> None:
    until = opened()
    Breaker.close(probe_at(until), now=until)

    for _call in range(8):
        Breaker.record(calls=1, failures=1, entered_at=NOON, now=until + timedelta(seconds=2))

    assert not Breaker.now_known().is_open


def test_pause_that_podero_asked_for_holds_and_the_later_end_wins() -> None:
    Breaker.pause(seconds=120, now=NOON)
    Breaker.pause(seconds=10, now=NOON)

    row = Breaker.objects.get()
    assert (row.open_until, row.reason) == (NOON + timedelta(seconds=120), "told")
    assert not fail(5)
    assert Breaker.objects.get().open_until == NOON + timedelta(seconds=120)


def test_pause_of_hours_is_asked_about_before_it_ends() -> None:
    Breaker.pause(seconds=3600, now=NOON)

    assert Breaker.objects.get().open_until == NOON + LONGEST_PAUSE


def test_clock_that_is_set_back_keeps_nobody_out() -> None:
    """What was written by the clock of before lies hours ahead; a probe finds out at once."""
    opened()
    back = NOON - timedelta(hours=2)
    row = Breaker.objects.get()

    assert row.seconds_left(now=back) <= 0
    probe = probe_at(back)
    assert Breaker.objects.get().is_probed(now=back)
    Breaker.reopen(probe, at_least_seconds=0, now=back)

    until = Breaker.objects.get().open_until
    assert until is not None
    assert until <= back + LONGEST_PAUSE
    assert Breaker.close(probe_at(until), now=until)


def test_probe_of_a_clock_that_was_set_back_gives_way() -> None:
    probe_at(opened())
    back = NOON - timedelta(hours=2)

    assert not Breaker.objects.get().is_probed(now=back)
    probe_at(back)


def test_failures_are_counted_anew_when_the_clock_was_set_back() -> None:
    until = opened()
    Breaker.close(probe_at(until), now=until)
    fail(4, at=until + timedelta(seconds=1))

    back = NOON - timedelta(hours=2)

    assert not fail(4, at=back)
    assert fail(1, at=back)


def test_pause_asked_for_by_a_probe_holds() -> None:
    until = opened()

    Breaker.reopen(probe_at(until), at_least_seconds=90, now=until)

    row = Breaker.objects.get()
    assert (row.open_until, row.reason) == (until + timedelta(seconds=90), "told")


@pytest.mark.django_db(transaction=True)
def test_many_at_the_same_instant_get_one_probe() -> None:
    until = opened()
    barrier = Barrier(8)

    def take(_number: int) -> UUID | None:
        barrier.wait(10)
        try:
            return Breaker.take_probe(lease_seconds=10, now=until)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        taken = [probe for probe in pool.map(take, range(8)) if probe is not None]

    assert len(taken) == 1
    assert Breaker.objects.get().probe == taken[0]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("has_older_window", [False, True])
def test_failures_at_the_same_instant_are_all_counted_and_open_it_once(
    has_older_window: bool,
) -> None:
    if has_older_window:
        fail(2, at=NOON - WINDOW)
    barrier = Barrier(4)

    def report(_number: int) -> bool:
        barrier.wait(10)
        try:
            return Breaker.record(calls=1, failures=1, entered_at=NOON, now=NOON)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert not any(pool.map(report, range(4)))

    assert (Breaker.objects.get().calls, Breaker.objects.get().failures) == (4, 4)
    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(report, range(4))) == 1
