"""Whether somebody else may have brought a device is asked of one row, and of many at once."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db.models import Exists

from onboarding.models import Device, OnboardingSession, Reconnection
from onboarding.states import State
from tests.factories import NOON, make_attempt, make_customer, make_device, make_reconnection

pytestmark = pytest.mark.django_db

CUSTOMERS = 120


def make_customer_with_a_device(chance: random.Random) -> None:
    def some_time() -> datetime:
        return NOON + timedelta(hours=12 * chance.randrange(12))

    def perhaps(moment: datetime) -> datetime | None:
        return chance.choice([moment, None])

    customer = make_customer()
    attempts = [
        make_attempt(
            customer=customer,
            state=State.LINKED,
            started_at=some_time(),
            expires_at=perhaps(some_time()),
            foreign_return_at=perhaps(some_time()),
            is_return_matched=chance.random() < 0.3,
        )
        for _attempt in range(3)
    ]
    linked_after, linked_at = sorted([some_time(), some_time()])
    device, sibling = (
        make_device(
            attempt=attempts[0],
            linked_after=linked_after,
            linked_at=linked_at,
            is_named_by_session=chance.random() < 0.3,
        )
        for _device in range(2)
    )
    for each in (device, sibling):
        make_reconnection(
            device=each,
            opened_at=perhaps(some_time()),
            foreign_return_at=perhaps(some_time()),
            is_return_matched=chance.random() < 0.3,
        )


def test_one_row_and_many_at_once_give_the_same_answer() -> None:
    chance = random.Random(4)
    for _customer in range(CUSTOMERS):
        make_customer_with_a_device(chance)
    devices = Device.objects.annotate(
        by_form=Exists(OnboardingSession.objects.that_brought_it_elsewhere()),
        by_sign_in=Exists(Reconnection.objects.that_may_have_brought()),
    )

    seen = set()
    device: Any
    for device in devices.select_related("podero_user"):
        own = OnboardingSession.objects.for_customer(device.podero_user)
        by_form = any(a.came_back_elsewhere and a.may_have_brought(device) for a in own)
        by_sign_in = Reconnection.objects.that_may_have_brought(device).exists()
        assert (device.by_form, device.by_sign_in) == (by_form, by_sign_in), device.pk
        seen.add((by_form, by_sign_in))

    assert len(seen) == 4, "each answer occurs"
