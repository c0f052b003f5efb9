"""Rows for tests, made the way the flows would leave them."""

from __future__ import annotations

import itertools
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.auth.models import User

from onboarding.models import (
    Consent,
    ConsentText,
    Device,
    OnboardingSession,
    PoderoUser,
    Reconnection,
)
from onboarding.states import State

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)

_numbers = itertools.count(1)


def make_customer(**fields: Any) -> PoderoUser:
    number = next(_numbers)
    email = fields.pop("email", f"customer{number}@example.com")
    account = fields.pop("account", None) or User.objects.create_user(
        username=f"customer-{number}", email=email, password="demo"
    )
    values = {
        "account": account,
        "external_user_id": f"C-{number}",
        "email": email,
        "price_zone": "AT",
    }
    return PoderoUser.objects.create(**(values | fields))


def make_consent(customer: PoderoUser | None = None, **fields: Any) -> Consent:
    body = fields.pop("body", "I agree.")
    text = ConsentText.objects.of(
        version=fields.pop("version", "1"), language=fields.pop("language", "en"), body=body
    )
    values = {
        "podero_user": customer or make_customer(),
        "text": text,
        "allows_control": True,
        "allows_data_exchange": True,
        "given_at": NOON,
    }
    return Consent.objects.create(**(values | fields))


def make_attempt(
    *, customer: PoderoUser | None = None, state: State = State.STARTED, **fields: Any
) -> OnboardingSession:
    """An attempt in `state`, with what an attempt that got so far would have."""
    customer = customer or make_customer()
    values: dict[str, Any] = {
        "podero_user": customer,
        "consent": fields.pop("consent", None) or make_consent(customer),
        "state": state,
        "started_at": NOON,
    }
    if state != State.STARTED:
        values |= {
            "podero_id": uuid.uuid4(),
            "opened_at": NOON,
            "expires_at": NOON + timedelta(days=2),
            "next_try_at": NOON + timedelta(minutes=15),
        }
    if state == State.RETURNED:
        values |= {"returned_at": NOON, "next_try_at": NOON, "is_return_matched": True}
    if state == State.FAILED:
        values |= {"failure_code": "podero_refused"}
    return OnboardingSession.objects.create(**(values | fields))


def make_device(*, attempt: OnboardingSession | None = None, **fields: Any) -> Device:
    attempt = attempt or make_attempt(state=State.LINKED)
    values = {
        "attempt": attempt,
        "podero_user": attempt.podero_user,
        "podero_id": uuid.uuid4(),
        "device_type": "ev",
        "manufacturer": "Tesla",
        "model": "Model 3",
        "linked_at": NOON,
        "linked_after": NOON,
        "checked_at": NOON,
        "asked_about_at": NOON,
        "savings_due_at": NOON,
    }
    return Device.objects.create(**(values | fields))


def make_reconnection(*, device: Device | None = None, **fields: Any) -> Reconnection:
    values: dict[str, Any] = {
        "device": device or make_device(confirmed_at=NOON, is_authenticated=False),
        "state": Reconnection.State.OPEN,
        "started_at": NOON,
        "opened_at": NOON,
        "next_try_at": NOON + timedelta(days=2),
    }
    values |= fields
    if values["state"] not in Reconnection.UNFINISHED:
        values |= {"finished_at": NOON, "next_try_at": None}
    return Reconnection.objects.create(**(values | fields))
