"""What is no longer needed is erased in time, in bounded batches, and leaves counts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from onboarding.flows import passes, retention, withdrawal
from onboarding.flows.removal import due_customers
from onboarding.flows.retention import erase_what_is_over
from onboarding.models import (
    Consent,
    Device,
    ErasedCount,
    OnboardingSession,
    PoderoUser,
    Reconnection,
    SessionEvent,
)
from onboarding.models.removals import NOT_TO_BE_REMOVED
from onboarding.states import Actor, Event, State
from onboarding.tasks import erase_what_is_over as job
from tests.factories import (
    NOON,
    make_attempt,
    make_consent,
    make_customer,
    make_device,
    make_reconnection,
)

pytestmark = pytest.mark.django_db

OVER = NOON + timedelta(days=401)
LONG_OVER = NOON + timedelta(days=1098)


def made_on(customer: PoderoUser, **fields: Any) -> PoderoUser:
    PoderoUser.objects.filter(pk=customer.pk).update(created_at=NOON, **fields)
    return customer


def counts() -> dict[str, int]:
    return dict(ErasedCount.objects.values_list("kind", "count"))


@pytest.mark.parametrize("state", State)
def test_ended_attempt_goes_with_its_timeline_after_its_time(state: State) -> None:
    attempt = make_attempt(state=state)
    attempt.note(Event.CONSENTED, at=NOON, actor=Actor.CUSTOMER)
    erase_what_is_over(now=NOON + timedelta(days=400))
    assert (OnboardingSession.objects.count(), SessionEvent.objects.count()) == (1, 1)

    erase_what_is_over(now=OVER)

    is_over = state in {State.LINKED, State.CANCELLED, State.EXPIRED, State.FAILED}
    assert OnboardingSession.objects.count() == SessionEvent.objects.count() == (not is_over)
    if is_over:
        assert counts() == {"onboarding.SessionEvent": 1, "onboarding.OnboardingSession": 1}
        assert ErasedCount.objects.first().day == OVER.date()  # type: ignore[union-attr]


def test_living_device_keeps_its_attempt_but_not_the_old_timeline() -> None:
    device = make_device(confirmed_at=NOON, is_optimization_wanted=True)
    device.attempt.note(Event.LINKED, at=NOON, actor=Actor.SYSTEM)

    erase_what_is_over(now=LONG_OVER)

    assert (Device.objects.count(), OnboardingSession.objects.count()) == (1, 1)
    assert (Consent.objects.count(), PoderoUser.objects.count()) == (1, 1)
    assert SessionEvent.objects.count() == 0


def test_device_that_was_removed_goes_in_time_although_the_customer_stays() -> None:
    device = make_device()
    Device.objects.update(removal_wanted_at=NOON, removed_at=NOON)
    erase_what_is_over(now=NOON + timedelta(days=400))
    assert Device.objects.count() == 1

    erase_what_is_over(now=OVER)

    assert (Device.objects.count(), OnboardingSession.objects.count()) == (0, 0)
    assert (Consent.objects.count(), PoderoUser.objects.get()) == (1, device.podero_user)


def test_living_device_does_not_keep_how_its_login_was_renewed_long_ago() -> None:
    device = make_device(confirmed_at=NOON, is_optimization_wanted=True)
    for state in ("renewed", "open"):
        make_reconnection(device=device, state=state)
    erase_what_is_over(now=NOON + timedelta(days=400))
    assert Reconnection.objects.count() == 2

    erase_what_is_over(now=OVER)

    assert [found.state for found in Reconnection.objects.all()] == ["open"]
    assert counts() == {"onboarding.Reconnection": 1}


def test_agreement_of_which_nothing_came_ends_in_time_and_podero_is_asked_to_forget() -> None:
    customer = made_on(make_attempt(state=State.EXPIRED).podero_user, podero_id=uuid4())
    erase_what_is_over(now=LONG_OVER - timedelta(days=2))
    assert (OnboardingSession.objects.count(), Consent.objects.count()) == (0, 1)

    erase_what_is_over(now=LONG_OVER)
    customer.refresh_from_db()
    assert Consent.objects.count() == 0
    assert customer.removal_due_at == LONG_OVER, "Podero is to remove the user before"
    assert list(due_customers(now=LONG_OVER)) == [customer]

    assert customer.record_removed(at=LONG_OVER)
    erase_what_is_over(now=LONG_OVER)
    assert (PoderoUser.objects.count(), User.objects.count()) == (0, 0)
    assert counts()["onboarding.Consent"] == 1


def test_customer_whom_podero_never_heard_of_is_forgotten_at_once() -> None:
    made_on(make_attempt(state=State.FAILED).podero_user, podero_id=None)

    erase_what_is_over(now=LONG_OVER)
    erase_what_is_over(now=LONG_OVER)

    assert (Consent.objects.count(), PoderoUser.objects.count()) == (0, 0)


def test_user_whose_making_is_in_doubt_is_looked_for_before_being_forgotten() -> None:
    made_on(make_customer(), podero_id=None, is_creation_in_doubt=True)

    erase_what_is_over(now=OVER)

    assert PoderoUser.objects.get().is_being_removed


def test_agreement_stays_while_its_customer_comes_or_has_a_device() -> None:
    comes, steered = make_attempt(state=State.EXPIRED), make_device(confirmed_at=NOON)
    make_consent(steered.podero_user)
    seen = LONG_OVER - timedelta(days=1000)
    User.objects.filter(pk=comes.podero_user.account_id).update(last_login=seen)

    erase_what_is_over(now=LONG_OVER)
    erase_what_is_over(now=LONG_OVER)

    assert (Consent.objects.count(), PoderoUser.objects.count()) == (3, 2)
    assert not PoderoUser.objects.exclude(removal_wanted_at=None).exists()


def test_customer_who_left_goes_step_by_step_with_the_account() -> None:
    device = make_device()
    customer = made_on(device.podero_user)
    withdrawal.withdraw(customer=customer, now=NOON)
    erase_what_is_over(now=OVER)
    assert Device.objects.count() == 1, "Podero has not agreed yet that it is off"
    Device.objects.update(is_optimization_in_doubt=False, next_try_at=None)
    erase_what_is_over(now=OVER)
    assert Device.objects.count() == 1, "Podero has not answered yet whether it removes it"
    Device.objects.update(removal_due_at=None)

    erase_what_is_over(now=OVER)
    assert (Device.objects.count(), OnboardingSession.objects.count()) == (0, 0)
    assert (Consent.objects.count(), PoderoUser.objects.count()) == (1, 1)

    erase_what_is_over(now=LONG_OVER)
    assert PoderoUser.objects.count() == 1, "Podero is still to remove the user"
    PoderoUser.objects.update(removal_due_at=None)
    erase_what_is_over(now=LONG_OVER)
    assert (Consent.objects.count(), PoderoUser.objects.count(), User.objects.count()) == (0, 0, 0)
    assert counts() == {
        "onboarding.Device": 1,
        "onboarding.OnboardingSession": 1,
        "onboarding.SessionEvent": 1,
        "onboarding.Consent": 1,
        "onboarding.PoderoUser": 1,
        "auth.User": 1,
    }


@pytest.mark.parametrize("still", ["is_optimization_active", "is_optimization_wanted"])
def test_device_that_may_still_be_steered_stays_with_all_that_it_needs(still: str) -> None:
    device = make_device(confirmed_at=NOON)
    withdrawal.withdraw(customer=device.podero_user, now=NOON)
    Device.objects.update(**NOT_TO_BE_REMOVED, **{still: True})

    erase_what_is_over(now=LONG_OVER)

    assert (Device.objects.count(), OnboardingSession.objects.count()) == (1, 1)
    assert (Consent.objects.count(), PoderoUser.objects.count()) == (1, 1)


def test_customer_who_was_here_lately_and_staff_stay() -> None:
    seen, staff = made_on(make_customer()), made_on(make_customer())
    User.objects.filter(pk=seen.account_id).update(last_login=OVER - timedelta(days=1))
    User.objects.filter(pk=staff.account_id).update(is_staff=True)
    made_on(make_customer())

    erase_what_is_over(now=OVER)

    assert set(PoderoUser.objects.all()) == {seen, staff}


def test_younger_attempt_outlives_the_one_it_continues() -> None:
    first = make_attempt(state=State.EXPIRED)
    make_attempt(
        customer=first.podero_user,
        consent=first.consent,
        state=State.EXPIRED,
        continues=first,
        started_at=NOON + timedelta(days=30),
    )

    erase_what_is_over(now=OVER)

    assert OnboardingSession.objects.get().continues is None


def test_periods_are_settings(settings: Any) -> None:
    attempt = make_attempt(state=State.EXPIRED)
    withdrawal.withdraw(customer=attempt.podero_user, now=NOON)
    settings.RETAIN_ATTEMPTS_DAYS = 30
    settings.RETAIN_CONSENTS_DAYS = 60

    erase_what_is_over(now=NOON + timedelta(days=31))
    assert (OnboardingSession.objects.count(), Consent.objects.count()) == (0, 1)

    erase_what_is_over(now=NOON + timedelta(days=61))
    assert Consent.objects.count() == 0


def test_all_that_is_over_goes_in_bounded_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    customer = make_customer()
    consent = make_consent(customer)
    for _attempt in range(7):
        make_attempt(customer=customer, consent=consent, state=State.EXPIRED)

    with CaptureQueriesContext(connection) as seen:
        erase_what_is_over(now=OVER)

    deleting = [query["sql"] for query in seen if query["sql"].startswith("DELETE")]
    assert sum('"onboarding_onboardingsession"' in sql.split("WHERE")[0] for sql in deleting) == 4
    assert OnboardingSession.objects.count() == 0
    assert counts() == {"onboarding.OnboardingSession": 7}


def test_what_is_left_when_the_time_is_up_is_erased_by_the_next_job(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    monkeypatch.setattr(passes, "PASS_SECONDS", -1.0)
    customer = make_customer()
    consent = make_consent(customer)
    long_ago = NOON - timedelta(days=2000)
    for _attempt in range(3):
        make_attempt(customer=customer, consent=consent, state=State.EXPIRED, started_at=long_ago)

    job()
    assert OnboardingSession.objects.count() == 1
    job()
    assert OnboardingSession.objects.count() == 0


def test_what_staff_did_is_not_kept_for_ever() -> None:
    staff = User.objects.create_user("staff", is_staff=True)
    entry = LogEntry.objects.create(user=staff, object_repr="4711-A", action_flag=CHANGE)
    LogEntry.objects.filter(pk=entry.pk).update(action_time=NOON)

    erase_what_is_over(now=NOON + timedelta(days=399))
    assert LogEntry.objects.count() == 1
    erase_what_is_over(now=OVER)

    assert LogEntry.objects.count() == 0
    assert counts()["admin.LogEntry"] == 1


@pytest.mark.parametrize(
    ("fields", "is_given_up"),
    [
        ({"confirmed_at": NOON, "missing_since": NOON}, True),
        ({"confirmed_at": None}, True),
        ({"confirmed_at": NOON}, False),
        ({"confirmed_at": None, "is_customer_here": True}, False),
        ({"confirmed_at": None, "is_recalled": True}, False),
    ],
    ids=["gone at Podero", "nobody's", "somebody's", "asked about", "asked about again"],
)
def test_device_that_is_nobodys_for_so_long_is_to_be_removed(
    fields: dict[str, Any], is_given_up: bool
) -> None:
    fields = dict(fields)
    is_customer_here = fields.pop("is_customer_here", False)
    is_recalled = fields.pop("is_recalled", False)
    device = make_device(**fields, is_optimization_wanted=bool(fields["confirmed_at"]))
    if is_recalled:
        at = NOON + timedelta(days=300)
        device.attempt.note(Event.CONFIRMATION_RECALLED, at=at, actor=Actor.SYSTEM)
    if is_customer_here:
        User.objects.update(last_login=NOON + timedelta(days=300))

    erase_what_is_over(now=NOON + timedelta(days=399))
    assert not Device.objects.get(pk=device.pk).is_removal_wanted
    erase_what_is_over(now=OVER)

    device.refresh_from_db()
    assert device.is_removal_wanted == is_given_up
    assert device.is_optimization_wanted == (device.is_confirmed and not is_given_up)
