"""Make Podero steer a device, or leave it alone, as the customer wants; keep our picture fresh."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from onboarding import podero
from onboarding.flows import failures, keeping, lookups, podero_users, proof, schedule
from onboarding.flows.discovery import Finding
from onboarding.log_context import lines_name
from onboarding.models import Device, OnboardingSession, PoderoUser
from onboarding.models.attempt_queries import LATE, OnboardingSessionQuerySet
from onboarding.models.claims import is_recent
from onboarding.states import Actor, Event, State

logger = logging.getLogger(__name__)

# Podero calls list data stale after this when a person is looking at it.
FRESH_PERIOD = timedelta(seconds=30)
# Podero asks to be polled no more often than this in the background.
UNWATCHED_PERIOD = timedelta(minutes=15)
# However many pages look at a customer's devices, Podero is asked no more often than this.
ASK_AGAIN_PERIOD = timedelta(seconds=5)
# A Podero that does not even know the customer is believed when it says so for so long.
BELIEVED_AFTER = timedelta(minutes=10)
# Switching on is given up after about a month. Switching off never is: somebody may have left.
MAX_TRIES_TO_SWITCH_ON = 120


@lines_name("device", "device.attempt")
def switch_optimization(*, client: podero.PoderoClient, device: Device, now: datetime) -> bool:
    """Bring Podero in line with what is wanted for the device; otherwise plan the next try.

    False when Podero could not be asked.
    """
    is_wanted = device.is_optimization_wanted
    user_id = device.podero_user.podero_id
    # In doubt from before the call: it may take effect without our learning of it.
    if device.is_settled or not device.claim(now=now, is_optimization_in_doubt=True):
        return True
    if user_id is None:
        _record_not_switched(device, None, now=now)
        return True
    try:
        found = client.update_device(
            user_id,
            podero.DeviceType(device.device_type),
            device.podero_id,
            is_smart_optimization_active=is_wanted,
        )
    except podero.NotFound as error:
        return _record_unknown(client, user_id, device, error, now=now)
    except podero.PoderoError as error:
        _record_not_switched(device, error, now=now)
        return failures.is_answer(error)
    if found.is_smart_optimization_active not in (None, is_wanted):
        _record_not_switched(device, None, now=now)
        return True
    _record_switched(device, is_active=is_wanted, now=now)
    return True


def _record_unknown(
    client: podero.PoderoClient,
    user_id: UUID,
    device: Device,
    said: podero.NotFound,
    *,
    now: datetime,
) -> bool:
    """A device that Podero does not know is not steered; but one answer alone may be a mistake.

    One that is wanted is tried again in any case, and so is one of a customer whom Podero does not
    know either: for a while it, or what stands before it, may know of nothing. False when Podero could not be asked again.
    """
    try:
        is_gone = not device.is_optimization_wanted and device.podero_id not in _named(
            client, user_id, [device]
        )
        since = device.missing_since
        is_believed = is_gone and (
            (since is not None and since <= now - BELIEVED_AFTER)
            or podero_users.is_known_to_podero(client=client, user_id=user_id)
        )
    except podero.PoderoError as error:
        _record_not_switched(device, error, now=now)
        return failures.is_answer(error)
    if is_believed:
        _record_switched(device, is_active=False, now=now)
    else:
        _record_not_switched(device, said, now=now)
    if is_gone:
        device.record_missing(at=now)
    return True


def _record_switched(device: Device, *, is_active: bool, now: datetime) -> None:
    with transaction.atomic():
        if not device.release(
            is_optimization_active=is_active, is_optimization_in_doubt=False, tries=0
        ):
            return
        # A wish that changed during the call has set its own due time, which must stay.
        rows = Device.objects.filter(pk=device.pk, is_optimization_wanted=is_active)
        rows.update(next_try_at=None, checked_at=now)
        event = Event.OPTIMIZATION_ON if is_active else Event.OPTIMIZATION_OFF
        device.attempt.note(event, at=now, actor=Actor.SYSTEM)


def _record_not_switched(
    device: Device, error: podero.PoderoError | None, *, now: datetime
) -> None:
    tries = device.tries + 1
    when = schedule.next_try(
        now=now, tries=tries, first_seconds=10, ceiling_seconds=6 * 3600, error=error
    )
    is_given_up = device.is_optimization_wanted and tries >= MAX_TRIES_TO_SWITCH_ON
    code = failures.code_of(error).value if error else ""
    planned = {"tries": tries, "next_try_at": None if is_given_up else when}
    with transaction.atomic():
        if device.release():
            # A wish that changed during the call has set its own due time, which must stay.
            Device.objects.filter(
                pk=device.pk,
                is_optimization_wanted=device.is_optimization_wanted,
                next_try_at=device.next_try_at,
            ).update(**planned)
            device.attempt.note(
                Event.OPTIMIZATION_FAILED,
                at=now,
                actor=Actor.SYSTEM,
                failure_code=code,
                podero_status=error.status if error else None,
            )
    logger.warning(
        "Optimization could not be switched",
        extra={"failure_code": code},
    )


def is_stale(*, devices: list[Device], now: datetime) -> bool:
    return any(device.checked_at < now - FRESH_PERIOD for device in devices)


def is_refresh_due(*, customer: PoderoUser, devices: list[Device], now: datetime) -> bool:
    """Whether what a person looks at is stale and nobody has just asked for it."""
    asked_at = customer.devices_asked_at
    is_just_asked = asked_at is not None and asked_at > now - ASK_AGAIN_PERIOD
    return is_stale(devices=devices, now=now) and not is_just_asked


def refresh_for_viewer(*, client: podero.PoderoClient, customer: PoderoUser, now: datetime) -> bool:
    """Refresh for somebody who looks, unless that is under way or was done a moment ago."""
    own = list(Device.objects.for_customer(customer))
    if not is_refresh_due(customer=customer, devices=own, now=now):
        return True
    if not customer.begin_asking(now=now, again_after=ASK_AGAIN_PERIOD):
        return True
    return refresh_devices(client=client, customer=customer, now=now)


@lines_name("customer")
def refresh_devices(
    *,
    client: podero.PoderoClient,
    customer: PoderoUser,
    now: datetime,
) -> bool:
    """`read_devices`, where not being answered is no trouble: what we know stays, with its age.

    False when Podero could not be asked.
    """
    try:
        read_devices(client=client, customer=customer, now=now)
    except podero.PoderoError as error:
        logger.warning(
            "Devices could not be refreshed",
            extra={"failure_code": failures.code_of(error).value, "endpoint": error.endpoint},
        )
        return failures.is_answer(error)
    return True


def read_devices(*, client: podero.PoderoClient, customer: PoderoUser, now: datetime) -> None:
    """Take over what Podero says of the customer's devices.

    What is new is first looked up for the attempts with which somebody came back elsewhere lately;
    what is left waits for the look-ups of an attempt that may bring it, unless somebody came back.
    Raises podero.PoderoError when Podero gave no answer.
    """
    user_id = customer.podero_id
    if user_id is None:
        return
    on_record = Device.objects.for_customer(customer).order_by("pk")
    asked_about = list(on_record.present())
    named = _named(client, user_id, asked_about)
    with transaction.atomic():
        # Two answers at once are taken over one after the other, so that the older shows nothing.
        PoderoUser.objects.hold(customer.pk)
        own = list(on_record)
        for device in own:
            if device.podero_id in named:
                proof.take_over(device, named[device.podero_id], now=now)
            elif device in asked_about and not device.is_removed:
                device.record_missing(at=now)
    known = {device.podero_id for device in own}
    newcomers = [found for found in named.values() if found.id not in known]
    if newcomers:
        _take_up_newcomers(client, customer, newcomers, now=now)


def _look_up_those_who_came_back(
    client: podero.PoderoClient, awaiting: OnboardingSessionQuerySet, *, now: datetime
) -> bool:
    """False while another process is looking for one of them: what is new is for it to keep."""
    lately = awaiting.that_came_back_elsewhere().filter(foreign_return_at__gt=now - LATE)
    found = list(lately.select_related("podero_user", "consent").order_by("pk"))
    if any(is_recent(attempt.claimed_at, now=now) for attempt in found):
        return False
    for attempt in found:
        lookups.look_up_attempt(client=client, attempt=attempt, now=now)
    return True


def _take_up_newcomers(
    client: podero.PoderoClient,
    customer: PoderoUser,
    newcomers: list[podero.Device],
    *,
    now: datetime,
) -> None:
    """Keep what turned up without its attempt, to be asked about, or undone after leaving."""
    attempts = OnboardingSession.objects.for_customer(customer).filter(podero_id__isnull=False)
    awaiting = attempts.that_may_bring_a_device(now=now).exclude(state=State.LINKED)
    if awaiting.exists():
        if not proof.came_back_elsewhere_lately(customer, now=now):
            return
        if not _look_up_those_who_came_back(client, awaiting, now=now):
            return
    on_record = Device.objects.for_customer(customer)
    known = set(on_record.values_list("podero_id", flat=True))
    findings = [Finding(found, is_named=False) for found in newcomers if found.id not in known]
    attempt = attempts.filter(state=State.LINKED).order_by("-pk").first()
    if not findings or attempt is None:
        return
    try:
        keeping.add_devices(attempt=attempt, findings=findings, now=now)
    except keeping.HasLeft:
        keeping.undo_devices(attempt=attempt, findings=findings, now=now)
    except keeping.BeingRemoved:
        logger.info("Device is being removed", extra={"attempt": attempt.reference})
    except keeping.DeviceOfAnother:
        logger.error(
            "Device is on record for another customer", extra={"attempt": attempt.reference}
        )


def _named(
    client: podero.PoderoClient, user_id: UUID, own: list[Device]
) -> dict[UUID, podero.Device]:
    """What Podero still names of the customer's devices; nothing when it has lost the customer."""
    try:
        named = {found.id: found for found in client.list_devices(user_id)}
    except (podero.NotFound, podero.Forbidden, podero.Refused):
        if podero_users.is_known_to_podero(client=client, user_id=user_id):
            raise
        return {}
    for device in own:
        if device.podero_id not in named:
            # A list may lag behind, so the device itself has the last word.
            kind = podero.DeviceType(device.device_type)
            found = client.find_device_of_type(user_id, kind, device.podero_id)
            if found is not None:
                named[found.id] = found
    return named
