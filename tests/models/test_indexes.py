"""Questions that are asked again and again, however many rows there are, go by an index."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from onboarding import metrics
from onboarding.clients import podero_client
from onboarding.flows import removal, saving
from onboarding.flows.sweep import sweep
from onboarding.models import ChargeWish, Device, Mail, OnboardingSession, Reconnection
from onboarding.states import Actor, Event, State
from tests.factories import (
    make_attempt,
    make_consent,
    make_customer,
    make_device,
    make_reconnection,
)

pytestmark = pytest.mark.django_db


def plan_of(rows: Any) -> str:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            # Of an empty table PostgreSQL would rather read, and sort, all, whatever there is.
            cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off")
    return str(rows[:10].explain())


def reads_all(rows: Any) -> bool:
    """Whether the database would go through a whole table."""
    whole = r"Seq Scan|SCAN (?:onboarding_\w+|[UV]\d+)\b(?! USING)"
    return re.search(whole, plan_of(rows.order_by())) is not None


def sorts_all(rows: Any) -> bool:
    """Whether the database would put all that is due in order before it gives the first."""
    return re.search(r"\bSort\b|TEMP B-TREE FOR ORDER BY", plan_of(rows)) is not None


def test_question_without_an_index_is_noticed() -> None:
    assert reads_all(Device.objects.filter(manufacturer="Tesla"))


@pytest.mark.parametrize("state", State.values)
def test_attempts_of_a_state_are_counted_by_an_index(state: str) -> None:
    assert not reads_all(OnboardingSession.objects.filter(state=state).values("state"))


@pytest.mark.parametrize("kind", metrics.STUCK)
def test_what_is_stuck_is_counted_by_an_index(kind: str) -> None:
    assert [reads_all(rows) for rows in metrics.STUCK[kind]()].count(True) == 0


@pytest.mark.parametrize(
    "due",
    [
        Device.objects.due,
        removal.due_devices,
        removal.due_customers,
        Reconnection.objects.due,
        ChargeWish.objects.due,
    ],
    ids=["devices", "devices to remove", "customers to remove", "reconnections", "wishes"],
)
def test_what_is_due_is_found_by_an_index(due: Callable[..., Any]) -> None:
    assert not reads_all(due(now=timezone.now()))


@pytest.mark.parametrize(
    "rows",
    [
        Device.objects.unread_since,
        lambda now: saving.due_for_savings(now=now),
    ],
    ids=["to be read", "savings"],
)
def test_what_nearly_every_device_is_due_for_is_found_and_put_in_order_by_an_index(
    rows: Callable[[datetime], Any],
) -> None:
    assert not reads_all(rows(timezone.now()))
    assert not sorts_all(rows(timezone.now()))


def work_of(act: Callable[[], object]) -> int:
    """What the database does for it: rows that PostgreSQL reads, or hundreds of SQLite's steps."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE; SET LOCAL enable_seqscan = off")
            before = _rows_read(cursor)
            act()
            return _rows_read(cursor) - before
    steps: list[None] = []
    connection.connection.set_progress_handler(lambda: steps.append(None), 100)
    act()
    connection.connection.set_progress_handler(None, 0)
    return len(steps)


def _rows_read(cursor: Any) -> int:
    cursor.execute(
        "SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))"
        " FROM pg_stat_xact_user_tables"
    )
    [(rows,)] = cursor.fetchall()
    return int(rows)


def make_linked(count: int) -> None:
    now = timezone.now()
    not_due = dict.fromkeys(
        ("checked_at", "asked_about_at", "savings_due_at"), now + timedelta(days=1)
    )
    for _number in range(count):
        customer = make_customer()
        attempt = make_attempt(
            customer=customer,
            consent=make_consent(customer),
            state=State.LINKED,
            finished_at=now,
            next_try_at=None,
        )
        attempt.note(Event.CONSENTED, at=now, actor=Actor.CUSTOMER)
        Mail.objects.create(consent=attempt.consent, kind="receipt", sent_at=now, next_try_at=None)
        device = make_device(attempt=attempt, confirmed_at=now, **not_due)
        make_reconnection(device=device, state="renewed", finished_at=now, next_try_at=None)


def test_sweep_among_many_reads_what_it_reads_among_few() -> None:
    def sweep_now() -> None:
        done = sweep(client=podero_client(), now=timezone.now())
        assert not any(done.values())

    make_linked(10)
    among_few = work_of(sweep_now)
    make_linked(100)
    more = work_of(sweep_now) - among_few

    # Of 100 in each table. A plan may take a few more; SQLite, which holds what one machine serves,
    # goes through some tables in the order of their rows.
    assert more < (50 if connection.vendor == "postgresql" else 200)


def test_order_without_an_index_is_noticed() -> None:
    assert sorts_all(Device.objects.order_by("manufacturer"))
