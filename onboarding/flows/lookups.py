"""Customers who linked a device but never came back, or in vain, and forms that ran out."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet

from onboarding import podero
from onboarding.flows import discovery, failures, keeping, schedule
from onboarding.log_context import lines_name
from onboarding.models import InvalidTransition, OnboardingSession, SessionEvent
from onboarding.models.attempt_queries import LATE
from onboarding.models.claims import CLAIMED_SECONDS
from onboarding.states import Actor, Event, FailureCode, State

logger = logging.getLogger(__name__)

# Failed looks that were no answer.
_UNANSWERED = {FailureCode.UNREACHABLE, FailureCode.BUSY, FailureCode.UNAUTHORIZED}
# Podero could not be asked this often after the form ran out, and until so long after it: end the
# attempt all the same. Time alone is no reason: it may have been us who were away.
FAILED_CHECKS = 6
PATIENCE = timedelta(hours=24)
# While another attempt of the customer may bring a device, a linked one looks for no more.
ASK_LATER = timedelta(hours=1)
# Between two looks for what somebody who came back elsewhere may have linked.
SOONEST, LONGEST = timedelta(minutes=1), timedelta(minutes=15)
# Where Podero does not answer for longer than PATIENCE: so rarely, so long.
RARELY, LONG_PATIENCE = timedelta(hours=6), timedelta(days=30)


@lines_name("attempt")
def look_up_attempt(
    *, client: podero.PoderoClient, attempt: OnboardingSession, now: datetime
) -> bool:
    """Ask the API for devices that no return has told of.

    A device found so waits for the customer's word, unless the browser that left had come back
    with it in vain. An `open` attempt whose form has surely run out becomes `expired`. False when
    Podero could not be asked.
    """
    if not attempt.is_awaiting_device or not attempt.claim(now=now):
        return True
    if attempt.state == State.LINKED and _is_put_off(attempt, now=now):
        return True
    find = discovery.find_newcomers if attempt.state == State.LINKED else discovery.find_devices
    try:
        is_last_word = _is_first_look_after_the_end(attempt, now)
        with podero.within(CLAIMED_SECONDS):
            findings = find(client=client, attempt=attempt, is_last_word=is_last_word)
    except podero.PoderoError as error:
        _record_check_failed(attempt, error, now=now)
        return failures.is_answer(error)
    if not findings or not _record_found(attempt, findings, now=now):
        _record_nothing_new(attempt, is_known=not findings, now=now)
    return True


def _is_put_off(attempt: OnboardingSession, *, now: datetime) -> bool:
    """What turns up is not to pass for what this one brought, by whomever it was linked."""
    with transaction.atomic():
        attempt.hold_return()
        if not _is_another_awaited(attempt, now):
            return False
        attempt.release(next_try_at=now + ASK_LATER)
    return True


def _record_found(
    attempt: OnboardingSession, findings: list[discovery.Finding], *, now: datetime
) -> bool:
    """Keep what was found; False when the attempt is still to be given back."""
    try:
        if attempt.state == State.LINKED:
            keeping.add_devices(attempt=attempt, findings=findings, now=now)
            return False
        keeping.link_devices(attempt=attempt, findings=findings, now=now)
    except keeping.HasLeft:
        keeping.undo_devices(attempt=attempt, findings=findings, now=now)
        return False
    except keeping.BeingRemoved:
        return False
    except keeping.DeviceOfAnother:
        logger.error(
            "Device is on record for another customer", extra={"attempt": attempt.reference}
        )
        return False
    except InvalidTransition:
        logger.info("Attempt moved on meanwhile", extra={"attempt": attempt.reference})
    return True


def _record_nothing_new(attempt: OnboardingSession, *, is_known: bool, now: datetime) -> None:
    """`is_known`: that there is nothing; what was found may not be the attempt's to keep."""
    with transaction.atomic():
        attempt.hold_return()
        if attempt.came_back_elsewhere_since(now):
            # During this look, which may have come too early for it.
            attempt.release(next_try_at=now)
        elif not is_known and _may_be_anothers(attempt):
            attempt.release(next_try_at=now + ASK_LATER)
        elif _has_run_out(attempt, now) and not _may_yet_show(attempt, now):
            _end(attempt, FailureCode.RAN_OUT, is_known=is_known, now=now)
        elif attempt.state == State.LINKED:
            attempt.release(tries=0, next_try_at=_second_look(attempt, now))
        elif attempt.release(tries=attempt.tries + 1, next_try_at=_next_lookup(attempt, now)):
            attempt.note(Event.NOTHING_FOUND, at=now, actor=Actor.SYSTEM)


def _record_check_failed(
    attempt: OnboardingSession, error: podero.PoderoError, *, now: datetime
) -> None:
    with transaction.atomic():
        attempt.hold_return()
        is_in_vain = _was_asked_in_vain(attempt, now)
        is_over = is_in_vain and not _is_waited_for(attempt, error, now)
        when = None if is_over else _next_check(attempt, error, is_in_vain=is_in_vain, now=now)
        if is_over or (is_in_vain and attempt.state == State.OPEN):
            _end(attempt, FailureCode.UNREACHABLE, now=now, next_try_at=when)
        elif attempt.release(tries=attempt.tries + 1, next_try_at=when):
            attempt.note(
                Event.CHECK_FAILED,
                at=now,
                actor=Actor.SYSTEM,
                failure_code=_code_of(error),
                podero_status=error.status,
            )


def _code_of(error: podero.PoderoError) -> FailureCode:
    """Credentials that are not accepted are one thing, a collection that is closed another."""
    is_forbidden = isinstance(error, podero.Forbidden)
    return FailureCode.REFUSED if is_forbidden else failures.code_of(error)


def _next_check(
    attempt: OnboardingSession, error: podero.PoderoError, *, is_in_vain: bool, now: datetime
) -> datetime:
    at_the_latest = RARELY if is_in_vain else ASK_LATER
    if attempt.came_back_elsewhere_since(now - LATE):
        at_the_latest = LONGEST
    return schedule.next_try(
        now=now,
        tries=attempt.tries + 1,
        first_seconds=SOONEST.total_seconds(),
        ceiling_seconds=at_the_latest.total_seconds(),
        error=error,
    )


def _end(
    attempt: OnboardingSession,
    code: FailureCode,
    *,
    is_known: bool = False,
    now: datetime,
    next_try_at: datetime | None = None,
) -> None:
    """Nothing is expected any more: expire what is still open, leave the rest as it ended.

    What had ended without an answer has one now, where it `is_known`.
    """
    if attempt.state != State.OPEN:
        was = (attempt.state, attempt.failure_code)
        was_unknown = was == (State.EXPIRED, FailureCode.UNREACHABLE)
        also = {"failure_code": code} if is_known and was_unknown else {}
        if attempt.release(next_try_at=next_try_at, **also) and also:
            attempt.note(Event.NOTHING_FOUND, at=now, actor=Actor.SYSTEM)
        return
    try:
        attempt.mark_expired(failure_code=code, at=now, next_try_at=next_try_at)
    except InvalidTransition:
        logger.info("Attempt moved on meanwhile", extra={"attempt": attempt.reference})


def _is_another_awaited(attempt: OnboardingSession, now: datetime) -> bool:
    """Whether another may bring a device; not while somebody else may just have, with this one."""
    if attempt.came_back_elsewhere_since(now - LATE):
        return False
    own = OnboardingSession.objects.for_customer(attempt.podero_user)
    others = own.that_may_bring_a_device(now=now).exclude(pk=attempt.pk)
    return others.filter(podero_id__isnull=False).exists()


def _may_be_anothers(attempt: OnboardingSession) -> bool:
    """Whether what was found, after leaving, is left to an attempt under a new consent: it is too
    old for that one, or will be on record."""
    has_left = attempt.consent.withdrawn_at is not None
    return has_left and keeping.is_awaited_anew(attempt.podero_user)


def _has_run_out(attempt: OnboardingSession, now: datetime) -> bool:
    return attempt.expires_at is None or now >= attempt.expires_at


def _may_yet_show(attempt: OnboardingSession, now: datetime) -> bool:
    """Whether what somebody has linked just before the form ran out may show only now.

    What a linked attempt may yet bring is seen when the devices are read again.
    """
    is_recent = attempt.expires_at is not None and now < attempt.expires_at + LATE
    came_lately = attempt.came_back_elsewhere_since(now - LATE)
    return attempt.state != State.LINKED and is_recent and came_lately


def _is_first_look_after_the_end(attempt: OnboardingSession, now: datetime) -> bool:
    """Whether an answer with a gap is worth a second question before nothing is expected any more.

    Not a third: a collection may be closed to the retailer for good.
    """
    is_over = attempt.expires_at is not None and now >= attempt.expires_at
    if attempt.state == State.LINKED or not is_over:
        return False
    refused = _failed_since_the_end(attempt).filter(failure_code=FailureCode.REFUSED)
    return not refused.exists()


def _was_asked_in_vain(attempt: OnboardingSession, now: datetime) -> bool:
    if attempt.expires_at is None or now < attempt.expires_at + PATIENCE:
        return False
    return _failed_since_the_end(attempt).count() + 1 >= FAILED_CHECKS


def _failed_since_the_end(attempt: OnboardingSession) -> QuerySet[SessionEvent]:
    """Looks after the form's end that failed."""
    return attempt.events.filter(event=Event.CHECK_FAILED, at__gte=attempt.expires_at)


def _is_waited_for(attempt: OnboardingSession, error: podero.PoderoError, now: datetime) -> bool:
    """That nothing more was linked, only an answer of Podero's can say.

    Where nobody came back, one that it gives again and again, but that helps nobody, will do.
    """
    if attempt.expires_at is None or now >= attempt.expires_at + LONG_PATIENCE:
        return False
    came_back_in_vain = attempt.is_return_matched and attempt.state != State.LINKED
    newest = _failed_since_the_end(attempt).order_by("-pk")[: FAILED_CHECKS - 1]
    codes = {*newest.values_list("failure_code", flat=True), _code_of(error)}
    is_answered = not codes & _UNANSWERED
    return attempt.came_back_elsewhere or came_back_in_vain or not is_answered


def _second_look(attempt: OnboardingSession, now: datetime) -> datetime | None:
    """What else a login brings is there at once, or an hour later.

    Where nobody has come back, the form may still be finished by somebody else. What shows between
    these is seen when the devices are read again.
    """
    when = (attempt.finished_at or now) + timedelta(hours=1)
    if now < when:
        return when
    return attempt.expires_at if attempt.returned_at is None else None


def _soon_again(attempt: OnboardingSession, now: datetime) -> datetime:
    """Somebody came back who is not the customer: what they have linked is to be off soon after
    it shows. Twice as long after that as this time."""
    waited = now - (attempt.foreign_return_at or now)
    return now + min(max(waited, SOONEST), LONGEST)


def _next_lookup(attempt: OnboardingSession, now: datetime) -> datetime | None:
    if attempt.came_back_elsewhere_since(now - LATE):
        return _soon_again(attempt, now)
    opened_at = attempt.opened_at or attempt.started_at
    later = [opened_at + delay for delay in schedule.LOOKUPS if opened_at + delay > now]
    if not later or attempt.expires_at is None:
        return attempt.expires_at
    return min(later[0], attempt.expires_at)
