"""Keep what the API names as a customer's: devices that an attempt brought, under its consent."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.db.models import Min

from onboarding import podero
from onboarding.flows import proof
from onboarding.flows.discovery import CLOCK_TOLERANCE, Finding
from onboarding.models import (
    Consent,
    Device,
    OnboardingSession,
    PoderoUser,
    Reconnection,
    SessionEvent,
)
from onboarding.models.account_marks import named_by
from onboarding.states import Actor, Event, State


class HasLeft(Exception):
    """The customer withdrew the consent that the attempt rests on."""


class BeingRemoved(Exception):
    """Podero is being asked this moment to remove the device; look again when it has answered."""


class DeviceOfAnother(Exception):
    """Our records name another customer as the device's owner; support must look at it."""


def link_devices(
    *,
    attempt: OnboardingSession,
    findings: Iterable[Finding],
    now: datetime,
) -> None:
    """Store what the API named as this customer's, and make the attempt `linked`.

    Devices of a return that the browser made which left are to be optimized, also where the API
    names them only after the wait for them was given up; the others wait for the customer's word,
    and one that they wanted removed since they came back still goes.

    Raises HasLeft, BeingRemoved, DeviceOfAnother, or InvalidTransition when the attempt moved on
    meanwhile.
    """
    with transaction.atomic():
        hold_consent(attempt)
        # Not as of this copy: the browser that left may have come back after another.
        same = OnboardingSession.objects.filter(pk=attempt.pk, is_return_matched=True)
        is_return_matched = same.exists()
        is_fresh = attempt.state == State.RETURNED
        for finding in findings:
            device = keep_device(
                attempt=attempt, found=finding.device, is_told=finding.is_told, now=now
            )
            if device.is_removal_under_way(now=now):
                raise BeingRemoved
            is_doubtful = proof.is_in_doubt(device, attempt, is_told=finding.is_told)
            stays = is_doubtful and not device.is_removal_wanted
            if stays or _is_unwanted_since(device, attempt):
                continue
            is_returned = is_return_matched and finding.is_named
            is_paused_since = _is_paused_since(device, attempt)
            _relink(device, attempt, finding, is_returned=is_returned, now=now)
            # Asked again: what was linked anew, another may have brought just now.
            is_doubtful = proof.is_in_doubt(device, attempt, is_told=finding.is_told)
            if is_returned and not is_doubtful:
                # Of one that is confirmed, only who has just come back says again what is wanted.
                if device.is_confirmed and is_fresh and not is_paused_since:
                    device.want_optimization(is_wanted=True, now=now)
                accept_device(device, found=finding.device, now=now)
        attempt.mark_linked(at=now, actor=Actor.SYSTEM)


def accept_device(device: Device, *, found: podero.Device | None = None, now: datetime) -> None:
    """The browser that left came back with it: the customer need not be asked.

    It is theirs for good where nothing else may have brought it; else that counts as their word,
    which is taken back when somebody else comes back with the other. A form names the device, but
    not whose login stands behind it by now.
    """
    if found is not None and proof.is_login_in_doubt(device, found, now=now):
        proof.doubt_login(device, now=now)
    elif proof.has_rivals(device) or device.record_holder(found):
        is_theirs_now = device.confirm(now=now)
        if is_theirs_now and found is not None:
            device.record_seen(found, at=now)


def add_devices(*, attempt: OnboardingSession, findings: Iterable[Finding], now: datetime) -> None:
    """Store further devices of an attempt that is linked already; they wait for the customer.

    Raises HasLeft, BeingRemoved, DeviceOfAnother.
    """
    with transaction.atomic():
        hold_consent(attempt)
        for finding in findings:
            device = keep_device(attempt=attempt, found=finding.device, now=now)
            if device.is_removal_under_way(now=now):
                raise BeingRemoved
            if device.is_removed:
                _relink(device, attempt, finding, is_returned=False, now=now)
            attempt.note(Event.MORE_FOUND, at=now, actor=Actor.SYSTEM)


def hold_consent(attempt: OnboardingSession) -> None:
    """Keep a withdrawal out until the surrounding transaction has ended. Raises HasLeft."""
    PoderoUser.objects.hold(attempt.podero_user_id)
    if not Consent.objects.filter(pk=attempt.consent_id, withdrawn_at=None).exists():
        raise HasLeft


def undo_devices(*, attempt: OnboardingSession, findings: Iterable[Finding], now: datetime) -> bool:
    """Keep what turned up for a customer who has left, to be switched off and then removed until
    Podero agrees; False when there was nothing to undo.

    A device that has since been linked again under a new consent is left alone, and so is one that
    an attempt under a new consent may have brought and will be looked up for.
    """
    is_undone = False
    with transaction.atomic():
        if PoderoUser.objects.hold(attempt.podero_user_id).podero_id is None:
            # The user has been removed at Podero meanwhile, and all that it held.
            return False
        own = Device.objects.for_customer(attempt.podero_user)
        agreed_anew = set(
            own.filter(attempt__consent__withdrawn_at=None).values_list("podero_id", flat=True)
        )
        is_another_awaited = is_awaited_anew(attempt.podero_user)
        for finding in findings:
            if finding.device.id in agreed_anew or (is_another_awaited and not finding.is_named):
                continue
            try:
                device = keep_device(attempt=attempt, found=finding.device, now=now)
            except DeviceOfAnother:
                continue
            device.want_optimization(is_wanted=False, now=now)
            device.want_removal(now=now)
            is_undone = True
    return is_undone


def is_awaited_anew(customer: PoderoUser) -> bool:
    """Whether an attempt under a consent that stands may bring a device and will be looked up."""
    attempts = OnboardingSession.objects.for_customer(customer).filter(
        consent__withdrawn_at=None, podero_id__isnull=False, next_try_at__isnull=False
    )
    return attempts.exists()


def _is_unwanted_since(device: Device, attempt: OnboardingSession) -> bool:
    """Whether the customer wanted the device gone after coming back with this attempt.

    For an attempt that did not come back it is not known when the device was linked: then it is
    kept, to be asked about.
    """
    unwanted_at, returned_at = device.removal_wanted_at, attempt.returned_at
    return unwanted_at is not None and returned_at is not None and unwanted_at > returned_at


def _is_paused_since(device: Device, attempt: OnboardingSession) -> bool:
    """Whether the customer paused it, or anything else, after coming back with this attempt.

    The line may stand with any attempt: the device moves to the one that links it again.
    """
    if attempt.returned_at is None:
        return False
    paused = SessionEvent.objects.filter(event=Event.PAUSED, at__gt=attempt.returned_at)
    return paused.filter(attempt__podero_user=device.podero_user_id).exists()


def keep_device(
    *,
    attempt: OnboardingSession,
    found: podero.Device,
    is_told: bool = False,
    now: datetime,
) -> Device:
    """The row of a device that the API named as this customer's. Raises DeviceOfAnother."""
    is_off = found.is_smart_optimization_active is False
    device, is_new = Device.objects.get_or_create(
        podero_id=found.id,
        defaults={
            "podero_user": attempt.podero_user,
            "attempt": attempt,
            "device_type": found.device_type,
            "manufacturer": found.manufacturer,
            "model": found.model,
            "linked_at": now,
            "linked_after": _linked_after(attempt, found, now=now),
            "is_named_by_session": is_told,
            "is_optimization_active": bool(found.is_smart_optimization_active),
            "is_optimization_in_doubt": found.is_smart_optimization_active is None,
            "is_authenticated": found.is_authenticated is not False,
            "is_action_needed": found.is_action_needed,
            **named_by(found),
            "login_judged_at": now,
            "connection_status": found.connection_status[:20],
            "checked_at": now,
            # Due at once where Podero steers, or may steer, what nobody has confirmed.
            "next_try_at": None if is_off else now,
        },
    )
    if device.podero_user_id != attempt.podero_user_id:
        raise DeviceOfAnother
    if not is_new:
        device.record_seen(found, at=now)
    return device


def _relink(
    device: Device,
    attempt: OnboardingSession,
    finding: Finding,
    *,
    is_returned: bool,
    now: datetime,
) -> None:
    was_to_go = device.is_removal_wanted
    device.relink(
        attempt,
        finding.device,
        at=now,
        is_named_by_session=finding.is_told,
        is_returned=is_returned,
    )
    if not was_to_go:
        return
    # What is told of it was not taken over until now.
    proof.take_over(device, finding.device, now=now)


def _linked_after(attempt: OnboardingSession, found: podero.Device, *, now: datetime) -> datetime:
    """Now; earlier where a form may have brought it of which we have not learnt the result.

    It has not been linked before Podero made it, nor before the first of those forms: one that ran
    out and is still to be looked up, or one with which somebody came back elsewhere. A sign-in at
    the manufacturer with which somebody did may have brought it as well.
    """
    own = OnboardingSession.objects.for_customer(attempt.podero_user)
    awaited = own.filter(podero_id__isnull=False, next_try_at__isnull=False, expires_at__lt=now)
    unknown = own.that_came_back_elsewhere().exclude(state=State.LINKED)
    renewals = Reconnection.objects.for_customer(attempt.podero_user).that_came_back_elsewhere()
    renewals = renewals.exclude(state=Reconnection.State.RENEWED)
    forms = [
        renewals.aggregate(first=Min("opened_at"))["first"],
        awaited.aggregate(first=Min("expires_at"))["first"],
        unknown.aggregate(first=Min("started_at"))["first"],
    ]
    earliest: datetime = min((moment for moment in forms if moment is not None), default=now)
    if found.created_at is not None:
        earliest = max(earliest, found.created_at - CLOCK_TOLERANCE)
    return min(earliest, now)
