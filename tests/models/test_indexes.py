"""Questions that are asked again and again, however many rows there are, go by an index."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from onboarding import metrics
from onboarding.flows import removal
from onboarding.models import ChargeWish, Device, OnboardingSession, Reconnection
from onboarding.states import State

pytestmark = pytest.mark.django_db


def reads_all(rows: Any) -> bool:
    """Whether the database would go through a whole table."""
    if connection.vendor != "postgresql":
        plan = str(rows.order_by()[:10].explain())
        return re.search(r"SCAN (?:onboarding_\w+|[UV]\d+)\b(?! USING)", plan) is not None
    with connection.cursor() as cursor:
        # Of an empty table PostgreSQL would rather read all, whatever there is.
        cursor.execute("SET LOCAL enable_seqscan = off")
    return "Seq Scan" in rows.order_by()[:10].explain()


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


def test_devices_to_be_read_again_are_found_by_an_index() -> None:
    assert not reads_all(Device.objects.unread_since(timezone.now()))
