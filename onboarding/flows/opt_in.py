"""A customer agrees: the consent and the attempt are on record before Podero hears of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction

from onboarding.flows import keeping, reminders, throttling
from onboarding.models import Consent, ConsentText, Mail, OnboardingSession, PoderoUser
from onboarding.states import Actor, Event, State

# Of many who agree in the same instant the first are at Podero while the last wait for their turn.
# Worked on all together they would all be late there. Whoever has waited for so long goes on
# without one: two who are held up must not hold up everybody.
_TURNS = threading.BoundedSemaphore(2)
TURN_SECONDS = 1.0


@dataclass(frozen=True)
class Agreement:
    """What the customer was shown and ticked."""

    version: str
    language: str
    words: str
    allows_control: bool
    allows_data_exchange: bool
    allows_reminder: bool = False


class UnableToContinue(Exception):
    """The attempt cannot be continued: it is being checked, is linked, or consent has ended."""


class ConsentOutdated(UnableToContinue):
    """The words mean something else by now: the customer has to agree anew."""


def start_attempt(
    *,
    customer: PoderoUser,
    agreement: Agreement,
    device_type: str,
    submission: UUID,
    now: datetime,
) -> OnboardingSession:
    """Record consent and attempt; the same `submission` again gives the attempt it made before.

    Raises OnboardingSession.DoesNotExist when the submission is another customer's, or the
    customer is being erased; throttling.TooOften.
    """
    try:
        with _in_turn(), transaction.atomic():
            _make_room(customer, submission, now=now)
            text = ConsentText.objects.of(
                version=agreement.version, language=agreement.language, body=agreement.words
            )
            consent = Consent.objects.create(
                podero_user=customer,
                text=text,
                allows_control=agreement.allows_control,
                allows_data_exchange=agreement.allows_data_exchange,
                allows_reminder=agreement.allows_reminder,
                given_at=now,
            )
            if settings.IS_MAIL_ON:
                Mail.objects.create(consent=consent, kind=Mail.Kind.RECEIPT, next_try_at=now)
            attempt = OnboardingSession.objects.create(
                podero_user=customer,
                consent=consent,
                device_type=device_type,
                submission=submission,
                started_at=now,
            )
            attempt.note(Event.CONSENTED, at=now, actor=Actor.CUSTOMER)
            reminders.plan_reminder(attempt=attempt, now=now)
            customer.record_return_to_service()
    except (IntegrityError, PoderoUser.DoesNotExist):
        return OnboardingSession.objects.get(submission=submission, podero_user=customer)
    return attempt


def continue_attempt(
    *, attempt: OnboardingSession, submission: UUID, now: datetime
) -> OnboardingSession:
    """The attempt that a fresh form belongs to.

    That is this one while it never had a form; otherwise a new one under the same consent, since
    the old form's address is not kept and may still be finished in another tab.
    Raises UnableToContinue; ConsentOutdated when only a new consent is missing; throttling.TooOften.
    """
    if attempt.state in (State.RETURNED, State.LINKED) or attempt.consent.withdrawn_at is not None:
        raise UnableToContinue
    if attempt.consent.is_outdated:
        raise ConsentOutdated
    if attempt.state == State.STARTED:
        return attempt
    try:
        with transaction.atomic():
            _make_room(attempt.podero_user, submission, now=now)
            keeping.hold_consent(attempt)
            successor = OnboardingSession.objects.create(
                podero_user=attempt.podero_user,
                consent=attempt.consent,
                continues=attempt,
                device_type=attempt.device_type,
                submission=submission,
                started_at=now,
            )
            attempt.note(Event.CONTINUED, at=now, actor=Actor.CUSTOMER)
            successor.note(Event.CONSENTED, at=now, actor=Actor.CUSTOMER)
            reminders.plan_reminder(attempt=successor, now=now)
    except keeping.HasLeft as error:
        raise UnableToContinue from error
    except IntegrityError:
        return OnboardingSession.objects.get(submission=submission, podero_user=attempt.podero_user)
    return successor


@contextmanager
def _in_turn() -> Iterator[None]:
    has_turn = _TURNS.acquire(timeout=TURN_SECONDS)
    try:
        yield
    finally:
        if has_turn:
            _TURNS.release()


def _make_room(customer: PoderoUser, submission: UUID, *, now: datetime) -> None:
    """Hold the customer, so that tabs at once are counted one after the other."""
    customer.hold()
    if not OnboardingSession.objects.filter(submission=submission).exists():
        throttling.check_attempts(customer=customer, now=now)
