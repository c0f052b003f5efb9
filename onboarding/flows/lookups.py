"""Customers who linked a device but never came back, and forms that ran out without one."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.db import transaction

from onboarding import podero
from onboarding.flows import discovery, failures, linking, schedule
from onboarding.models import InvalidTransition, OnboardingSession
from onboarding.states import Actor, Event, FailureCode, State

logger = logging.getLogger(__name__)

# When an attempt that did not come back is looked up, counted from when its form was opened;
# once more when the form has run out for certain.
LOOKUPS = (
    timedelta(minutes=15),
    timedelta(hours=1),
    timedelta(hours=6),
    timedelta(hours=18),
)
# Podero could not be asked for this long after the form ran out: end the attempt all the same.
PATIENCE = timedelta(hours=24)


def look_up_attempt(
    *, client: podero.PoderoClient, attempt: OnboardingSession, now: datetime
) -> bool:
    """Ask the API for a device that no return has told of.

    A device found so waits for the customer's word. An `open` attempt whose form has surely run
    out becomes `expired`. False when Podero could not be asked.
    """
    if not attempt.is_awaiting_device or not attempt.claim(now=now):
        return True
    try:
        finding = discovery.find_devices(client=client, attempt=attempt)
    except podero.PoderoError as error:
        _record_check_failed(attempt, error, now=now)
        return not error.is_retryable
    if not finding.devices or not _record_found(attempt, finding, now=now):
        _record_nothing_found(attempt, now=now)
    return True


def _record_found(attempt: OnboardingSession, finding: discovery.Finding, *, now: datetime) -> bool:
    try:
        linking.record_devices(
            attempt=attempt,
            devices=finding.devices,
            is_confirmed=False,
            actor=Actor.SYSTEM,
            now=now,
        )
    except linking.HasLeft:
        linking.undo_devices(attempt=attempt, devices=finding.devices, now=now)
        return False
    except linking.DeviceOfAnother:
        logger.error(
            "Device is on record for another customer", extra={"attempt": attempt.reference}
        )
        return False
    except InvalidTransition:
        logger.info("Attempt moved on meanwhile", extra={"attempt": attempt.reference})
    return True


def _record_nothing_found(attempt: OnboardingSession, *, now: datetime) -> None:
    if _has_run_out(attempt, now):
        _end(attempt, now=now)
        return
    with transaction.atomic():
        if attempt.release(tries=attempt.tries + 1, next_try_at=_next_lookup(attempt, now)):
            attempt.note(Event.NOTHING_FOUND, at=now, actor=Actor.SYSTEM)


def _record_check_failed(
    attempt: OnboardingSession, error: podero.PoderoError, *, now: datetime
) -> None:
    if attempt.expires_at is not None and now >= attempt.expires_at + PATIENCE:
        _end(attempt, now=now)
        return
    tries = attempt.tries + 1
    when = schedule.next_try(
        now=now, tries=tries, first_seconds=60, ceiling_seconds=3600, error=error
    )
    with transaction.atomic():
        if attempt.release(tries=tries, next_try_at=when):
            attempt.note(
                Event.CHECK_FAILED,
                at=now,
                actor=Actor.SYSTEM,
                failure_code=failures.code_of(error),
                podero_status=error.status,
            )


def _end(attempt: OnboardingSession, *, now: datetime) -> None:
    """No more looking: expire what is still open, leave the rest as it ended."""
    if attempt.state != State.OPEN:
        attempt.release(next_try_at=None)
        return
    try:
        attempt.mark_expired(failure_code=FailureCode.RAN_OUT, at=now)
    except InvalidTransition:
        logger.info("Attempt moved on meanwhile", extra={"attempt": attempt.reference})


def _has_run_out(attempt: OnboardingSession, now: datetime) -> bool:
    return attempt.expires_at is None or now >= attempt.expires_at


def _next_lookup(attempt: OnboardingSession, now: datetime) -> datetime | None:
    opened_at = attempt.opened_at or attempt.started_at
    later = [opened_at + delay for delay in LOOKUPS if opened_at + delay > now]
    if attempt.state != State.OPEN or not later or attempt.expires_at is None:
        return attempt.expires_at
    return min(later[0], attempt.expires_at)
