"""Ask Podero for a hosted form, so that the customer can be sent there."""

from __future__ import annotations

import logging
from datetime import date, datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.urls import reverse

from onboarding import podero
from onboarding.flows import failures, podero_users, schedule
from onboarding.log_context import lines_name
from onboarding.models import Consent, InvalidTransition, OnboardingSession
from onboarding.models.attempts import last_moment_of
from onboarding.models.claims import unclaimed
from onboarding.models.return_tokens import cancel_token_of, fresh_token, kept_hash_of
from onboarding.states import Actor, Event, FailureCode, State

logger = logging.getLogger(__name__)

# Podero says that a form lives until the end of the next day; a later date is not believed.
LONGEST_LIFE = timedelta(days=3)


class AlreadyOpening(Exception):
    """Another click or tab is opening this attempt's form, or has opened it."""


class UnableToOpen(Exception):
    """Podero gave no form. The attempt says why, and whether trying again may help."""


@lines_name("attempt")
def open_hosted_form(
    *, client: podero.PoderoClient, attempt: OnboardingSession, now: datetime
) -> str:
    """The address of a fresh hosted form, for one redirect and nothing else.

    Two calls at most for a new customer, one for a known one. Raises AlreadyOpening, UnableToOpen.
    """
    token = fresh_token()
    if not attempt.claim(now=now, return_token_hash=kept_hash_of(token)):
        raise AlreadyOpening
    if not Consent.objects.filter(pk=attempt.consent_id, withdrawn_at=None).exists():
        _fail(attempt, FailureCode.WITHDRAWN, now=now)
        raise UnableToOpen
    if not attempt.podero_user.effective_price_zone:
        _fail(attempt, FailureCode.PRICE_ZONE_MISSING, now=now)
        raise UnableToOpen
    try:
        hosted = _create_session(client=client, attempt=attempt, token=token, now=now)
    except podero_users.UserBeingMade as error:
        attempt.release()
        raise AlreadyOpening from error
    except podero_users.EmailTaken as error:
        _fail(attempt, FailureCode.EMAIL_TAKEN, now=now)
        raise UnableToOpen from error
    except podero.PoderoError as error:
        _record_failure(attempt, error, now=now)
        raise UnableToOpen from error
    try:
        attempt.mark_open(
            podero_id=hosted.id,
            expires_at=last_moment_of(_last_day(hosted, now=now)),
            next_try_at=now + schedule.LOOKUPS[0],
            at=now,
        )
    except InvalidTransition as error:
        raise AlreadyOpening from error
    except IntegrityError as error:
        # Podero has answered with a form that is another attempt's.
        endpoint = "create_onboarding_session"
        _record_failure(attempt, podero.UnexpectedReply(endpoint, field="id"), now=now)
        raise UnableToOpen from error
    # The client refuses an answer without it.
    return str(hosted.authentication_url)


def put_off(*, attempt: OnboardingSession, now: datetime) -> None:
    """Nobody has tried for this customer, since too many were waiting: their page comes again."""
    when = schedule.after_being_turned_away(since=attempt.started_at, now=now)
    rows = OnboardingSession.objects.filter(unclaimed(now), pk=attempt.pk, state=State.STARTED)
    rows.update(next_try_at=when)


def _create_session(
    *, client: podero.PoderoClient, attempt: OnboardingSession, token: str, now: datetime
) -> podero.HostedSession:
    customer = attempt.podero_user
    was_known = customer.podero_id is not None
    user_id = podero_users.ensure_podero_user(client=client, customer=customer, now=now)
    try:
        return _ask_for_session(client=client, attempt=attempt, token=token, user_id=user_id)
    except (podero.NotFound, podero.Forbidden, podero.Refused):
        if not was_known or podero_users.is_known_to_podero(client=client, user_id=user_id):
            raise
    # Podero has lost the user we had on record: find or make them again, once.
    user_id = podero_users.replace_podero_user(client=client, customer=customer, now=now)
    return _ask_for_session(client=client, attempt=attempt, token=token, user_id=user_id)


def _last_day(hosted: podero.HostedSession, *, now: datetime) -> date:
    """The form's last day, within reason; the documented one where Podero names none."""
    today = now.date()
    said = hosted.expiration_date or today + timedelta(days=1)
    return min(max(said, today), today + LONGEST_LIFE)


def _ask_for_session(
    *, client: podero.PoderoClient, attempt: OnboardingSession, token: str, user_id: UUID
) -> podero.HostedSession:
    customer = attempt.podero_user
    return client.create_onboarding_session(
        user_id=user_id,
        language=customer.hosted_language,
        price_zone=customer.effective_price_zone,
        is_smart_optimization_active=settings.ONBOARDING_ACTIVATION == "immediately",
        success_url=settings.SITE_URL + reverse("return_success", args=[token]),
        cancel_url=settings.SITE_URL + reverse("return_cancel", args=[cancel_token_of(token)]),
        device_type=podero.DeviceType(attempt.device_type) if attempt.device_type else None,
    )


def _record_failure(
    attempt: OnboardingSession, error: podero.PoderoError, *, now: datetime
) -> None:
    code = failures.code_of(error)
    logger.warning(
        "Hosted form could not be opened",
        extra={
            "attempt": attempt.reference,
            "failure_code": code.value,
            "endpoint": error.endpoint,
            "status": error.status,
        },
    )
    if not error.is_retryable:
        _fail(attempt, code, now=now, status=error.status)
        return
    # A call that was not made costs Podero nothing, so the page goes on for as long as it takes.
    tries = max(attempt.tries + (not error.is_held_back), 1)
    is_news = not error.is_held_back or attempt.failure_code != code
    when = schedule.next_try(now=now, tries=tries, first_seconds=3, ceiling_seconds=60, error=error)
    with transaction.atomic():
        if attempt.release(tries=tries, next_try_at=when, failure_code=code) and is_news:
            attempt.note(
                Event.OPEN_FAILED,
                at=now,
                actor=Actor.SYSTEM,
                failure_code=code,
                podero_status=error.status,
            )


def _fail(
    attempt: OnboardingSession, code: FailureCode, *, now: datetime, status: int | None = None
) -> None:
    try:
        attempt.mark_failed(failure_code=code, at=now, actor=Actor.SYSTEM, status=status)
    except InvalidTransition:
        logger.info("Attempt moved on meanwhile", extra={"attempt": attempt.reference})
