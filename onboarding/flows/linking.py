"""Ask Podero for a hosted form and send the customer there; keep what the API confirms."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.urls import reverse

from onboarding import podero
from onboarding.flows import failures, podero_users, schedule
from onboarding.models import (
    Consent,
    Device,
    InvalidTransition,
    OnboardingSession,
    PoderoUser,
)
from onboarding.models.attempts import hash_of, last_moment_of
from onboarding.states import Actor, Event, FailureCode

logger = logging.getLogger(__name__)

FIRST_LOOKUP = timedelta(minutes=15)


class AlreadyOpening(Exception):
    """Another click or tab is opening this attempt's form, or has opened it."""


class UnableToOpen(Exception):
    """Podero gave no form. The attempt says why, and whether trying again may help."""


def open_hosted_form(
    *, client: podero.PoderoClient, attempt: OnboardingSession, now: datetime
) -> str:
    """The address of a fresh hosted form, for one redirect and nothing else.

    Two calls at most for a new customer, one for a known one. Raises AlreadyOpening, UnableToOpen.
    """
    token = secrets.token_urlsafe(32)
    if not attempt.claim(now=now, return_token_hash=hash_of(token)):
        raise AlreadyOpening
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
            expires_at=last_moment_of(hosted.expiration_date or (now + timedelta(days=1)).date()),
            next_try_at=now + FIRST_LOOKUP,
            at=now,
        )
    except InvalidTransition as error:
        raise AlreadyOpening from error
    # The client refuses an answer without it.
    return str(hosted.authentication_url)


def _create_session(
    *, client: podero.PoderoClient, attempt: OnboardingSession, token: str, now: datetime
) -> podero.HostedSession:
    customer = attempt.podero_user
    was_known = customer.podero_id is not None
    user_id = podero_users.ensure_podero_user(client=client, customer=customer, now=now)
    try:
        return _ask_for_session(client=client, attempt=attempt, token=token, user_id=user_id)
    except (podero.NotFound, podero.Refused) as error:
        is_user_gone = isinstance(error, podero.NotFound) or "user_id" in error.fields
        if not was_known or not is_user_gone:
            raise
    # Podero no longer knows the user we had on record: find or make it again, once.
    customer.forget_podero_id()
    user_id = podero_users.ensure_podero_user(client=client, customer=customer, now=now)
    return _ask_for_session(client=client, attempt=attempt, token=token, user_id=user_id)


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
        cancel_url=settings.SITE_URL + reverse("return_cancel", args=[token]),
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
    tries = attempt.tries + 1
    when = schedule.next_try(now=now, tries=tries, first_seconds=3, ceiling_seconds=60, error=error)
    with transaction.atomic():
        if attempt.release(tries=tries, next_try_at=when, failure_code=code):
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


class HasLeft(Exception):
    """The customer withdrew the consent that the attempt rests on."""


class DeviceOfAnother(Exception):
    """Our records name another customer as the device's owner; support must look at it."""


def record_devices(
    *,
    attempt: OnboardingSession,
    devices: Iterable[podero.Device],
    is_confirmed: bool,
    actor: Actor,
    now: datetime,
) -> None:
    """Store what the API named as this customer's, and make the attempt `linked`.

    Confirmed devices are to be optimized; the others wait for the customer's word.
    Raises HasLeft, DeviceOfAnother, or InvalidTransition when the attempt moved on meanwhile.
    """
    with transaction.atomic():
        hold_consent(attempt)
        for found in devices:
            device = keep_device(attempt=attempt, found=found, now=now)
            device.relink(attempt, at=now)
            if is_confirmed:
                device.confirm(now=now)
        attempt.mark_linked(at=now, actor=actor)


def hold_consent(attempt: OnboardingSession) -> None:
    """Keep a withdrawal out until the surrounding transaction has ended. Raises HasLeft."""
    PoderoUser.objects.select_for_update().get(pk=attempt.podero_user_id)
    if not Consent.objects.filter(pk=attempt.consent_id, withdrawn_at=None).exists():
        raise HasLeft


def undo_devices(
    *, attempt: OnboardingSession, devices: Iterable[podero.Device], now: datetime
) -> None:
    """Keep what turned up for a customer who has left, to be switched off until Podero agrees.

    A device that has since been linked again under a new consent is left alone.
    """
    own = Device.objects.for_customer(attempt.podero_user)
    agreed_anew = set(
        own.filter(attempt__consent__withdrawn_at=None).values_list("podero_id", flat=True)
    )
    for found in devices:
        if found.id in agreed_anew:
            continue
        try:
            device = keep_device(attempt=attempt, found=found, now=now)
        except DeviceOfAnother:
            continue
        device.want_optimization(is_wanted=False, now=now)


def keep_device(*, attempt: OnboardingSession, found: podero.Device, now: datetime) -> Device:
    """The row of a device that the API named as this customer's. Raises DeviceOfAnother."""
    is_active = bool(found.is_smart_optimization_active)
    device, is_new = Device.objects.get_or_create(
        podero_id=found.id,
        defaults={
            "podero_user": attempt.podero_user,
            "attempt": attempt,
            "device_type": found.device_type,
            "manufacturer": found.manufacturer,
            "model": found.model,
            "linked_at": now,
            "is_optimization_active": is_active,
            "is_authenticated": found.is_authenticated is not False,
            "is_action_needed": found.is_action_needed,
            "connection_status": found.connection_status[:20],
            "checked_at": now,
            # Due at once where Podero already steers what nobody has confirmed.
            "next_try_at": now if is_active else None,
        },
    )
    if device.podero_user_id != attempt.podero_user_id:
        raise DeviceOfAnother
    if not is_new:
        device.record_seen(found, at=now)
    return device
