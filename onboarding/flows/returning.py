"""A browser comes back. What it says is a hint; only the API makes an attempt `linked`."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from onboarding import podero
from onboarding.flows import discovery, failures, keeping, proof, schedule
from onboarding.log_context import lines_name
from onboarding.models import InvalidTransition, OnboardingSession, PoderoUser
from onboarding.models.claims import CLAIMED_SECONDS, MOVES_AT_ONCE
from onboarding.states import Actor, Event, FailureCode, State, sources_of

logger = logging.getLogger(__name__)

# Podero has answered that there is no such device this often and for this long: give up.
NEGATIVE_ANSWERS = 6
NEGATIVE_PERIOD = timedelta(minutes=10)
# Podero could not be asked this often and for this long: give up. Time alone is no reason: it may
# have been us who were away.
FAILED_CHECKS = 6
UNREACHABLE_PERIOD = timedelta(hours=24)


def record_return(
    *, attempt: OnboardingSession, device_id: UUID | None, is_matched: bool, now: datetime
) -> None:
    """The signed-in customer came back through success.

    `is_matched` says that the very browser that left came back; of any other that is kept, and that
    the account is signed in in it proves nothing. Safe to repeat: an attempt that
    is being checked or is linked keeps its state, and so does one whose form was never opened.
    """
    if not is_matched and attempt.has_hosted_session:
        attempt.note_elsewhere(at=now)
    for _another_was_faster in range(MOVES_AT_ONCE):
        if is_matched and attempt.state in (State.RETURNED, State.LINKED):
            if _record_late_match(attempt, device_id=device_id, now=now):
                return
            # Known before, or it was given up this very moment.
            attempt.refresh_from_db()
        if attempt.state not in sources_of(State.RETURNED) or not attempt.has_hosted_session:
            return
        try:
            attempt.mark_returned(device_id=device_id, is_matched=is_matched, at=now)
        except InvalidTransition:
            # It ran out this very moment, or another browser came back: this one has all the same.
            attempt.refresh_from_db()
        else:
            return


def _record_late_match(
    attempt: OnboardingSession, *, device_id: UUID | None, now: datetime
) -> bool:
    """A link scanner, or another phone, was faster than the browser that left; False otherwise.

    The device it names, if the API has named it too, needs no question any more.
    """
    with transaction.atomic():
        PoderoUser.objects.hold(attempt.podero_user_id)
        if not attempt.match_return(device_id=device_id, at=now):
            return False
        try:
            keeping.hold_consent(attempt)
        except keeping.HasLeft:
            return True
        named = attempt.devices.filter(podero_id=device_id) if device_id is not None else []
        for device in named:
            if not proof.is_in_doubt(device, attempt):
                keeping.accept_device(device, now=now)
    return True


def record_cancel(*, attempt: OnboardingSession, now: datetime) -> None:
    """The signed-in customer came back through cancel; a late cancel changes nothing."""
    if attempt.state not in sources_of(State.CANCELLED):
        return
    try:
        attempt.mark_cancelled(at=now)
    except InvalidTransition:
        attempt.refresh_from_db()


@lines_name("attempt")
def verify_return(
    *, client: podero.PoderoClient, attempt: OnboardingSession, now: datetime
) -> bool:
    """Ask the API once whether the return brought a device; otherwise plan the next look.

    False when Podero could not be asked. Never raises for it: the attempt tells what came of it.
    """
    if attempt.state != State.RETURNED or not attempt.claim(now=now):
        return True
    try:
        with podero.within(CLAIMED_SECONDS):
            findings = discovery.find_devices(client=client, attempt=attempt)
    except podero.PoderoError as error:
        _record_check_failed(attempt, error, now=now)
        return failures.is_answer(error)
    if findings:
        _record_found(attempt, findings, now=now)
    else:
        _record_nothing_found(attempt, now=now)
    return True


def _record_found(
    attempt: OnboardingSession, findings: list[discovery.Finding], *, now: datetime
) -> None:
    try:
        keeping.link_devices(attempt=attempt, findings=findings, now=now)
    except keeping.HasLeft:
        keeping.undo_devices(attempt=attempt, findings=findings, now=now)
        _give_up(attempt, FailureCode.WITHDRAWN, now=now)
    except keeping.BeingRemoved:
        _record_nothing_found(attempt, now=now)
    except keeping.DeviceOfAnother:
        logger.error("Device is on record for another customer", extra=_about(attempt))
        _give_up(attempt, FailureCode.OF_ANOTHER_CUSTOMER, now=now)
    except InvalidTransition:
        logger.info("Attempt moved on meanwhile", extra=_about(attempt))


def _record_check_failed(
    attempt: OnboardingSession, error: podero.PoderoError, *, now: datetime
) -> None:
    code = failures.code_of(error)
    logger.warning(
        "Return could not be verified",
        extra=_about(attempt) | {"failure_code": code.value, "endpoint": error.endpoint},
    )
    since = _returned_at(attempt)
    failed = attempt.events.filter(event=Event.CHECK_FAILED, at__gte=since).count() + 1
    if failed >= FAILED_CHECKS and now >= since + UNREACHABLE_PERIOD:
        _give_up(attempt, FailureCode.NOT_CONFIRMED, now=now, status=error.status)
        return
    tries = attempt.tries + 1
    when = schedule.next_try(
        now=now, tries=tries, first_seconds=5, ceiling_seconds=900, error=error
    )
    with transaction.atomic():
        if attempt.release(tries=tries, next_try_at=when, failure_code=code):
            attempt.note(
                Event.CHECK_FAILED,
                at=now,
                actor=Actor.SYSTEM,
                failure_code=code,
                podero_status=error.status,
            )


def _record_nothing_found(attempt: OnboardingSession, *, now: datetime) -> None:
    tries = attempt.tries + 1
    since = _returned_at(attempt)
    answers = attempt.events.filter(event=Event.NOTHING_FOUND, at__gte=since).count() + 1
    if answers >= NEGATIVE_ANSWERS and now >= since + NEGATIVE_PERIOD:
        _give_up(attempt, FailureCode.NOT_CONFIRMED, now=now)
        return
    when = schedule.next_try(now=now, tries=tries, first_seconds=5, ceiling_seconds=300)
    with transaction.atomic():
        if attempt.release(tries=tries, next_try_at=when, failure_code=""):
            attempt.note(Event.NOTHING_FOUND, at=now, actor=Actor.SYSTEM)


def _give_up(
    attempt: OnboardingSession, code: FailureCode, *, now: datetime, status: int | None = None
) -> None:
    try:
        attempt.mark_failed(failure_code=code, at=now, actor=Actor.SYSTEM, status=status)
    except InvalidTransition:
        logger.info("Attempt moved on meanwhile", extra=_about(attempt))


def _returned_at(attempt: OnboardingSession) -> datetime:
    return attempt.returned_at or attempt.started_at


def _about(attempt: OnboardingSession) -> dict[str, object]:
    return {"attempt": attempt.reference}
