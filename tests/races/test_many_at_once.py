"""Many attempts are moved in one statement while customers move theirs: a customer's move wins."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest
from django.db import connection, transaction

from onboarding.flows import expiry, opt_in, reconnecting, returning, throttling, withdrawal
from onboarding.flows.expiry import OPENING_PERIOD, expire_unopened_attempts, free_stuck_claims
from onboarding.models import (
    InvalidTransition,
    OnboardingSession,
    PoderoUser,
    Reconnection,
    SessionEvent,
)
from onboarding.models.claims import CLAIM_LIFETIME
from onboarding.models.events import SessionEventQuerySet
from onboarding.states import Event, State
from tests.factories import NOON, make_attempt, make_consent, make_customer, make_reconnection
from tests.races.test_races import at_once

pytestmark = pytest.mark.django_db(transaction=True)

NOW = NOON + OPENING_PERIOD
AGREEMENT = opt_in.Agreement(
    version="1", language="en", words="", allows_control=True, allows_data_exchange=True
)
Result = TypeVar("Result")


def make_attempts(count: int) -> list[OnboardingSession]:
    customer = make_customer()
    consent = make_consent(customer)
    return [make_attempt(customer=customer, consent=consent) for _number in range(count)]


def elsewhere(act: Callable[[], Result]) -> Callable[[], Result]:
    """`act` with a connection of its own, for another thread."""

    def run() -> Result:
        try:
            return act()
        finally:
            connection.close()

    return run


def open_form(attempt: OnboardingSession) -> bool:
    """What the customer's own request does; False when it came too late."""
    if not attempt.claim(now=NOW):
        return False
    try:
        attempt.mark_open(podero_id=uuid.uuid4(), expires_at=NOW, next_try_at=NOW, at=NOW)
    except InvalidTransition:
        return False
    return True


def test_an_attempt_that_its_customer_is_moving_is_left_alone() -> None:
    """The customer's transaction is not yet over when the others are expired."""
    mine, *others = make_attempts(4)
    is_moved, is_seen = threading.Event(), threading.Event()

    def customer() -> None:
        with transaction.atomic():
            assert open_form(mine)
            is_moved.set()
            if connection.vendor == "postgresql":
                is_seen.wait(10)

    with ThreadPoolExecutor(1) as pool:
        moving = pool.submit(elsewhere(customer))
        assert is_moved.wait(10)
        expired = expire_unopened_attempts(now=NOW)
        is_seen.set()
        moving.result(10)

    mine.refresh_from_db()
    assert expired == 3
    assert mine.state == State.OPEN
    assert [event.event for event in mine.events.all()] == [Event.OPENED]
    assert OnboardingSession.objects.filter(state=State.EXPIRED).count() == len(others)


def test_a_customer_who_comes_while_a_batch_is_under_way_learns_that_it_has_run_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mine, *_others = make_attempts(3)
    is_held = threading.Event()
    tell = SessionEventQuerySet.tell

    def slowly_tell(*args: Any, **kwargs: Any) -> None:
        is_held.set()
        time.sleep(0.2)
        tell(*args, **kwargs)

    monkeypatch.setattr(SessionEventQuerySet, "tell", slowly_tell)

    def customer() -> bool:
        assert is_held.wait(10)
        return open_form(mine)

    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(elsewhere(customer))
        assert expire_unopened_attempts(now=NOW) == 3
        assert not coming.result(10)

    mine.refresh_from_db()
    assert mine.state == State.EXPIRED
    assert [event.event for event in mine.events.all()] == [Event.EXPIRED]


def test_workers_at_once_expire_each_attempt_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expiry, "BATCH", 3)
    make_attempts(40)

    done = at_once(*[lambda: expire_unopened_attempts(now=NOW) for _worker in range(4)])

    assert sum(done) == 40
    assert SessionEvent.objects.count() == 40
    assert SessionEvent.objects.values("attempt").distinct().count() == 40


def test_customers_and_workers_at_once_leave_one_line_per_attempt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(expiry, "BATCH", 2)
    attempts = make_attempts(12)

    def customers() -> int:
        return sum(open_form(attempt) for attempt in reversed(attempts))

    opened, expired, also = at_once(
        customers,
        lambda: expire_unopened_attempts(now=NOW),
        lambda: expire_unopened_attempts(now=NOW),
    )

    states = dict(SessionEvent.objects.values_list("attempt", "state_after"))
    assert SessionEvent.objects.count() == 12
    assert states == dict(OnboardingSession.objects.values_list("pk", "state"))
    assert opened + expired + also == 12
    assert opened == OnboardingSession.objects.filter(state=State.OPEN).count()


def test_a_claim_that_is_given_back_at_the_last_moment_is_not_freed_as_well() -> None:
    mine, *_others = make_attempts(3)
    OnboardingSession.objects.update(claimed_at=NOON)
    mine.refresh_from_db()
    is_released, is_seen = threading.Event(), threading.Event()

    def owner() -> None:
        with transaction.atomic():
            assert mine.release()
            is_released.set()
            if connection.vendor == "postgresql":
                is_seen.wait(10)

    with ThreadPoolExecutor(1) as pool:
        giving_back = pool.submit(elsewhere(owner))
        assert is_released.wait(10)
        freed = free_stuck_claims(now=NOON + CLAIM_LIFETIME + timedelta(seconds=1))
        is_seen.set()
        giving_back.result(10)

    assert freed == 2
    assert not mine.events.exists()


@pytest.mark.parametrize("state", [State.EXPIRED, State.CANCELLED, State.FAILED])
def test_return_counts_although_the_attempt_ends_this_very_moment(state: State) -> None:
    attempt, device_id = make_attempt(state=State.OPEN), uuid.uuid4()
    ended = {"state": state, "finished_at": NOON, "failure_code": "never_opened"}
    OnboardingSession.objects.filter(pk=attempt.pk).update(**ended)

    returning.record_return(attempt=attempt, device_id=device_id, is_matched=True, now=NOON)

    attempt.refresh_from_db()
    assert (attempt.state, attempt.returned_device_id) == (State.RETURNED, device_id)
    assert attempt.is_return_matched


@pytest.mark.parametrize("state", [State.RETURNED, State.LINKED])
def test_browser_that_left_counts_although_another_returns_this_very_moment(state: State) -> None:
    attempt, device_id = make_attempt(state=State.OPEN), uuid.uuid4()
    OnboardingSession.objects.filter(pk=attempt.pk).update(state=state, returned_at=NOON)

    returning.record_return(attempt=attempt, device_id=device_id, is_matched=True, now=NOON)

    attempt.refresh_from_db()
    assert (attempt.state, attempt.returned_device_id) == (state, device_id)
    assert attempt.is_return_matched


def test_browser_that_left_counts_although_the_wait_is_given_up_this_very_moment() -> None:
    attempt, device_id = make_attempt(state=State.RETURNED, is_return_matched=False), uuid.uuid4()
    given_up = {"state": State.FAILED, "finished_at": NOON, "failure_code": "not_confirmed"}
    OnboardingSession.objects.filter(pk=attempt.pk).update(**given_up)
    renewal = make_reconnection(state=Reconnection.State.RETURNED)
    Reconnection.objects.filter(pk=renewal.pk).update(state=Reconnection.State.NOT_RENEWED)

    returning.record_return(attempt=attempt, device_id=device_id, is_matched=True, now=NOW)
    reconnecting.record_return(reconnection=renewal, device_id=None, is_matched=True, now=NOW)

    attempt.refresh_from_db()
    renewal.refresh_from_db()
    assert (attempt.state, attempt.is_return_matched) == (State.RETURNED, True)
    assert (renewal.state, renewal.is_return_matched) == (Reconnection.State.RETURNED, True)


@pytest.mark.parametrize("state", [Reconnection.State.EXPIRED, Reconnection.State.CANCELLED])
@pytest.mark.parametrize("claimed_at", [None, NOON])
def test_renewal_that_is_brought_back_counts_although_it_ends_this_very_moment(
    state: Reconnection.State, claimed_at: datetime | None
) -> None:
    renewal = make_reconnection(claimed_at=claimed_at)
    Reconnection.objects.filter(pk=renewal.pk).update(state=state, claimed_at=None)

    reconnecting.record_return(reconnection=renewal, device_id=None, is_matched=False, now=NOW)

    renewal.refresh_from_db()
    assert renewal.state == Reconnection.State.RETURNED
    assert renewal.foreign_return_at == NOW


def test_those_who_agree_at_once_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first are at Podero while the last wait. Whoever fails gives the turn on, too."""
    counting, under_way, most = threading.Lock(), 0, 0

    @contextmanager
    def takes_long() -> Iterator[None]:
        nonlocal under_way, most
        with counting:
            under_way += 1
            most = max(most, under_way)
        time.sleep(0.05)
        try:
            yield
        finally:
            with counting:
                under_way -= 1

    def refuse(*_all: object, **_named: object) -> None:
        raise throttling.TooOften(retry_at=NOON)

    monkeypatch.setattr(opt_in, "_make_room", refuse)
    # SQLite lets only one write at a time, turns or not.
    monkeypatch.setattr(opt_in, "transaction", SimpleNamespace(atomic=takes_long))

    def agree(customer: PoderoUser) -> bool:
        with pytest.raises(throttling.TooOften):
            opt_in.start_attempt(
                customer=customer,
                agreement=AGREEMENT,
                device_type="ev",
                submission=uuid.uuid4(),
                now=NOON,
            )
        return True

    customers = [make_customer() for _number in range(6)]
    with ThreadPoolExecutor(6) as pool:
        pressed = [pool.submit(elsewhere(partial(agree, customer))) for customer in customers]
        assert all(each.result(10) for each in pressed)

    assert most == 2


def test_nobody_is_held_up_for_long_by_those_whose_turn_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(opt_in, "TURN_SECONDS", 0.05)
    customer = make_customer()

    with opt_in._in_turn(), opt_in._in_turn():
        attempt = opt_in.start_attempt(
            customer=customer,
            agreement=AGREEMENT,
            device_type="ev",
            submission=uuid.uuid4(),
            now=NOON,
        )

    assert attempt.state == State.STARTED


def test_form_that_opens_while_its_customer_withdraws_is_not_left_open() -> None:
    [mine] = make_attempts(1)
    is_moved = threading.Event()

    def opens() -> None:
        with transaction.atomic():
            assert open_form(mine)
            is_moved.set()
            time.sleep(0.3)

    with ThreadPoolExecutor(1) as pool:
        opening = pool.submit(elsewhere(opens))
        assert is_moved.wait(10)
        withdrawal.withdraw(customer=PoderoUser.objects.get(pk=mine.podero_user_id), now=NOW)
        opening.result(10)

    told = mine.events.order_by("pk").values_list("event", "state_before", "state_after")
    assert list(told) == [
        (Event.OPENED, State.STARTED, State.OPEN),
        (Event.WITHDRAWN, State.OPEN, State.CANCELLED),
    ]


@pytest.mark.parametrize("tabs", [1, 2])
def test_withdrawal_of_many_attempts_meets_all_that_moves_them(tabs: int) -> None:
    """Tabs withdraw while forms open, others are expired, and claims are freed: nobody waits in a
    circle, and nothing is left open."""
    for _round in range(5):
        mine = make_attempts(6)
        customer = mine[0].podero_user

        def withdraw(customer: PoderoUser = customer) -> bool:
            withdrawal.withdraw(customer=PoderoUser.objects.get(pk=customer.pk), now=NOW)
            return True

        acts: list[Callable[[], object]] = [
            *(partial(open_form, attempt) for attempt in mine),
            *[withdraw] * tabs,
            partial(expire_unopened_attempts, now=NOW),
            partial(free_stuck_claims, now=NOW + 2 * CLAIM_LIFETIME),
        ]
        with ThreadPoolExecutor(len(acts)) as pool:
            for done in [pool.submit(elsewhere(act)) for act in acts]:
                done.result(30)

        ended = customer.attempts.values_list("state", flat=True)
        assert set(ended) <= {State.CANCELLED, State.EXPIRED}
        assert not customer.consents.filter(withdrawn_at=None).exists()
        for attempt in mine:
            assert (
                attempt.events.filter(state_after__in=[State.CANCELLED, State.EXPIRED]).count() == 1
            )
