"""Renew the manufacturer's login of a linked device. The way back is a hint, the API is the truth.

Podero has two ways to it: the action on the device, a cue, and the older `auth_session`.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.urls import reverse

from onboarding import podero
from onboarding.flows import failures, keeping, proof, renewal, schedule, throttling
from onboarding.log_context import lines_name
from onboarding.models import Device, PoderoUser, Reconnection
from onboarding.models.account_marks import mark_of
from onboarding.models.claims import MOVES_AT_ONCE
from onboarding.models.return_tokens import cancel_token_of, fresh_token, kept_hash_of
from onboarding.states import FailureCode

logger = logging.getLogger(__name__)

# Nobody who has not come back within this time is still signing in.
LIFETIME = timedelta(days=2)
# A process that was to open the way to the manufacturer must be gone by now.
OPENING_PERIOD = timedelta(minutes=5)
# Podero has answered "not yet" this often and for this long: give up.
NEGATIVE_ANSWERS = 6
NEGATIVE_PERIOD = timedelta(minutes=10)
# Podero could not be asked this often and for this long: give up.
FAILED_CHECKS = 6
UNREACHABLE_PERIOD = timedelta(hours=24)
# So often Podero is told that a sign-in came to nothing; the action dies by itself anyway.
REPORTS = 5

State = Reconnection.State


class AlreadyReconnecting(Exception):
    """Another click or tab is opening the way to the manufacturer, or has opened it."""


class NothingToReconnect(Exception):
    """The device is to be removed, or has been: an older page asked for it."""


class UnableToReconnect(Exception):
    """Podero gave no address. The reconnection says why, and whether trying again may help."""


@dataclass(frozen=True)
class _Opened:
    device: podero.Device
    address: str = field(repr=False)
    cue_id: UUID | None = None


def start_reconnection(*, device: Device, now: datetime) -> Reconnection:
    """Write down that the customer wants to sign in at the manufacturer again.

    A second click gives the row of the first, while that is being opened. Raises HasLeft,
    NothingToReconnect, throttling.TooOften.
    """
    with transaction.atomic():
        # Clicks at once wait here for each other.
        keeping.hold_consent(device.attempt)
        if not Device.objects.filter(pk=device.pk, removal_wanted_at=None).exists():
            raise NothingToReconnect
        own = Reconnection.objects.with_device().filter(device=device)
        being_opened = own.filter(state=State.STARTED).first()
        if being_opened is not None:
            return being_opened
        throttling.check_reconnections(customer=device.podero_user, now=now)
        return Reconnection.objects.create(
            device=device, started_at=now, next_try_at=now + OPENING_PERIOD
        )


@lines_name("reconnection", "reconnection.device", "reconnection.device.attempt")
def open_sign_in(*, client: podero.PoderoClient, reconnection: Reconnection, now: datetime) -> str:
    """The address at which to sign in again, for one redirect and nothing else.

    The action on the device is read now, for its secret lives an hour; where there is none to
    use, `auth_session` is asked. Raises AlreadyReconnecting, UnableToReconnect.
    """
    token = fresh_token()
    if not reconnection.claim(now=now, token_hash=kept_hash_of(token)):
        raise AlreadyReconnecting
    device = reconnection.device
    try:
        opened = _ask_for_address(client, device, token)
    except (podero.NotFound, podero.Forbidden, podero.Refused) as error:
        _end_unopened(reconnection, State.IMPOSSIBLE, error, now=now)
        raise UnableToReconnect from error
    except podero.PoderoError as error:
        _end_unopened(reconnection, State.NOT_OPENED, error, now=now)
        raise UnableToReconnect from error
    if opened is None:
        _end_unopened(reconnection, State.IMPOSSIBLE, None, now=now)
        raise UnableToReconnect
    device.record_seen(opened.device, at=now)
    is_ours = reconnection.move(
        State.OPEN,
        at=now,
        opened_at=now,
        cue_id=opened.cue_id,
        next_try_at=now + LIFETIME,
        account_mark=device.account_mark or mark_of(opened.device),
        was_lapsed=opened.device.is_authenticated is False,
    )
    if not is_ours:
        raise AlreadyReconnecting
    return opened.address


def _ask_for_address(client: podero.PoderoClient, device: Device, token: str) -> _Opened | None:
    """None when the device is not there any more, or cannot be renewed this way."""
    kind, user_id = podero.DeviceType(device.device_type), device.podero_user.podero_id
    if user_id is None:
        return None
    success_url = settings.SITE_URL + reverse("reconnect_success", args=[token])
    cancel_url = settings.SITE_URL + reverse("reconnect_cancel", args=[cancel_token_of(token)])
    found = None
    for _link in range(2):
        found = client.find_device_of_type(user_id, kind, device.podero_id)
        cue = renewal.cue_of(client, found) if found else None
        if found is None or cue is None:
            break
        try:
            address = client.resolve_cue(
                cue,
                success_url=success_url,
                cancel_url=cancel_url,
                language=device.podero_user.hosted_language,
            )
        except (podero.Unauthorized, podero.Forbidden, podero.NotFound, podero.Refused):
            # Which of these a dead secret gets is not documented: one more, with a fresh link.
            continue
        return _Opened(found, address, cue.id)
    if found is None:
        return None
    renewed = client.reauthenticate_device(
        user_id, kind, device.podero_id, success_url=success_url, cancel_url=cancel_url
    )
    address_of_old = renewed.authentication_url
    return _Opened(found, address_of_old) if address_of_old else None


def _end_unopened(
    reconnection: Reconnection, to: State, error: podero.PoderoError | None, *, now: datetime
) -> None:
    code = failures.code_of(error) if error else FailureCode.REFUSED
    logger.warning(
        "Login could not be renewed",
        extra={"device": reconnection.device.reference, "failure_code": code.value},
    )
    reconnection.move(to, at=now, failure_code=code)


def give_up_waiting(*, reconnection: Reconnection, now: datetime) -> None:
    """Too many others wait on Podero just now; the customer may press again."""
    if reconnection.claim(now=now):
        reconnection.move(State.NOT_OPENED, at=now, failure_code=FailureCode.BUSY)


def record_return(
    *, reconnection: Reconnection, device_id: UUID | None, is_matched: bool, now: datetime
) -> None:
    """The signed-in customer came back through success; safe to repeat, however late.

    In another browser than the one that left that proves nothing, and the return is kept for one of
    somebody else's until the customer vouches for it.
    """
    for _another_was_faster in range(MOVES_AT_ONCE):
        if reconnection.state not in Reconnection.MAY_RETURN:
            if not is_matched or reconnection.match_return():
                return
            # It is over, and has been, or was given up this very moment.
            reconnection.refresh_from_db()
            if reconnection.state not in Reconnection.MAY_RETURN:
                return
        foreign_return_at = reconnection.foreign_return_at or (None if is_matched else now)
        is_moved = reconnection.move(
            State.RETURNED,
            at=now,
            returned_at=now,
            returned_device_id=device_id,
            is_return_matched=is_matched,
            foreign_return_at=foreign_return_at,
            finished_at=None,
            failure_code="",
            tries=0,
            next_try_at=now,
        )
        if is_moved:
            return
        # It ran out this very moment, for example: the browser has come back all the same.
        reconnection.refresh_from_db()


def record_cancel(*, reconnection: Reconnection, now: datetime) -> None:
    """The signed-in customer came back through cancel; a late cancel changes nothing."""
    if reconnection.state == State.OPEN and not reconnection.move(State.CANCELLED, at=now):
        reconnection.refresh_from_db()


@lines_name("reconnection", "reconnection.device", "reconnection.device.attempt")
def take_up(*, client: podero.PoderoClient, reconnection: Reconnection, now: datetime) -> bool:
    """Do what is due for the row: verify a return, end what ran out, tell Podero of a failure.

    False when Podero could not be asked. Never raises for it: the row tells what came of it.
    """
    if not reconnection.claim(now=now):
        return True
    if reconnection.state == State.STARTED:
        reconnection.move(State.NOT_OPENED, at=now, failure_code=FailureCode.UNREACHABLE)
        return True
    if reconnection.state == State.OPEN:
        reconnection.move(State.EXPIRED, at=now)
        return True
    act = _verify if reconnection.state == State.RETURNED else _report_failure
    try:
        act(client, reconnection, now=now)
    except podero.PoderoError as error:
        _record_not_asked(reconnection, error, now=now)
        return failures.is_answer(error)
    return True


def _verify(client: podero.PoderoClient, reconnection: Reconnection, *, now: datetime) -> None:
    finding = renewal.look(client, reconnection)
    if finding.is_other:
        _record_other(reconnection, finding, now=now)
    elif finding.renewed is not None:
        _record_renewed(reconnection, finding.renewed, now=now)
    else:
        _record_not_yet(reconnection, now=now)


def _record_renewed(reconnection: Reconnection, found: podero.Device, *, now: datetime) -> None:
    device = reconnection.device
    with transaction.atomic():
        PoderoUser.objects.hold(device.podero_user_id)
        device.refresh_from_db()
        if reconnection.move(State.RENEWED, at=now, cue_id=None):
            proof.take_over(device, found, now=now)


def _record_other(reconnection: Reconnection, finding: renewal.Finding, *, now: datetime) -> None:
    """Keep what turned up, unconfirmed; what may stand for another device now is asked about."""
    device = reconnection.device
    try:
        with transaction.atomic():
            keeping.hold_consent(device.attempt)
            if not reconnection.move(State.OTHER_DEVICE, at=now):
                return
            keeping.add_devices(attempt=device.attempt, findings=finding.newcomers, now=now)
            if finding.changed is not None:
                device.refresh_from_db()
                proof.recall(device, now=now)
                proof.take_over(device, finding.changed, now=now)
    except keeping.HasLeft:
        keeping.undo_devices(attempt=device.attempt, findings=finding.newcomers, now=now)
        reconnection.move(State.NOT_RENEWED, at=now, failure_code=FailureCode.WITHDRAWN)
    except keeping.BeingRemoved:
        reconnection.refresh_from_db()
        _record_not_yet(reconnection, now=now)
    except keeping.DeviceOfAnother:
        logger.error("Device is on record for another customer")
        reconnection.refresh_from_db()
        reconnection.move(State.NOT_RENEWED, at=now, failure_code=FailureCode.NOT_CONFIRMED)


def _record_not_yet(reconnection: Reconnection, *, now: datetime) -> None:
    tries = reconnection.tries + 1
    if tries >= NEGATIVE_ANSWERS and now >= _returned_at(reconnection) + NEGATIVE_PERIOD:
        reconnection.move(State.NOT_RENEWED, at=now, failure_code=FailureCode.NOT_CONFIRMED)
        return
    when = schedule.next_try(now=now, tries=tries, first_seconds=5, ceiling_seconds=300)
    reconnection.release(tries=tries, next_try_at=when, failure_code="")


def _record_not_asked(
    reconnection: Reconnection, error: podero.PoderoError, *, now: datetime
) -> None:
    code = failures.code_of(error)
    logger.warning(
        "Renewal of a login could not be checked",
        extra={"failure_code": code.value, "endpoint": error.endpoint},
    )
    tries = reconnection.tries + 1
    when = schedule.next_try(
        now=now, tries=tries, first_seconds=5, ceiling_seconds=900, error=error
    )
    if reconnection.is_final:
        reconnection.release(tries=tries, next_try_at=when if tries < REPORTS else None)
    elif tries >= FAILED_CHECKS and now >= _returned_at(reconnection) + UNREACHABLE_PERIOD:
        reconnection.move(State.NOT_RENEWED, at=now, failure_code=code)
    else:
        reconnection.release(tries=tries, next_try_at=when, failure_code=code)


def _report_failure(
    client: podero.PoderoClient, reconnection: Reconnection, *, now: datetime
) -> None:
    """Let the action be started anew: until it hears of an outcome, Podero holds it for active."""
    renewal.report(client, reconnection, is_success=False)
    reconnection.release(cue_id=None, next_try_at=None)


def _returned_at(reconnection: Reconnection) -> datetime:
    return reconnection.returned_at or reconnection.started_at
