"""Remove at Podero what the customer wants to be gone: a device, or everything after leaving.

Always in this order: optimization off, with Podero's agreement (`flows.devices`, never given up);
what was to charge taken back (`flows.charging`); then the devices; then, when the customer has left and nothing is there any more, Podero's user.
Whether Podero lets a partner remove anything is not documented. Gone is what it says is gone
(200, 204, or 404, which has to be told twice of a user); while it cannot be reached it is asked again for ever; where it refuses, a few
times more, and then staff must look at it.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from onboarding import podero
from onboarding.flows import charging, devices, failures, keeping, schedule
from onboarding.flows.discovery import Finding
from onboarding.log_context import lines_name
from onboarding.models import ChargeWish, Consent, Device, OnboardingSession, PoderoUser
from onboarding.models.claims import CLAIM_LIFETIME, CLAIMED_SECONDS
from onboarding.models.device_queries import SURELY_OFF, DeviceQuerySet
from onboarding.models.podero_users import PoderoUserQuerySet
from onboarding.states import Actor, Event, FailureCode

logger = logging.getLogger(__name__)

# With the waits between them this is longer than `LATE`, so that what the last form brings late is
# found, and undone, before Podero's user is left to staff.
MAX_REFUSALS = 6
NOT_FOUND = 404
# Within this time of the wish no form that was open before can have linked the device anew.
PROMPT = timedelta(minutes=1)


def want_device_removed(*, device: Device, actor: Actor = Actor.CUSTOMER, now: datetime) -> bool:
    """The customer, or time, wants one device gone: off, nothing to charge any more, then removed.

    False when that was so before.
    """
    with transaction.atomic():
        PoderoUser.objects.hold(device.podero_user_id)
        device.refresh_from_db()
        if device.is_removal_wanted:
            return False
        charging.take_back_if_asked(device=device, actor=actor, now=now)
        device.want_optimization(is_wanted=False, now=now)
        device.want_removal(now=now)
        device.attempt.note(Event.REMOVAL_WANTED, at=now, actor=actor)
    return True


def try_again(*, customer: PoderoUser, now: datetime) -> bool:
    """Staff have put right what stood in the way; False when there was nothing to remove."""
    is_wanted = customer.want_removal_again(now=now)
    for device in Device.objects.for_customer(customer).present():
        is_wanted |= try_device_again(device=device, now=now)
    return is_wanted


def try_device_again(*, device: Device, now: datetime) -> bool:
    """The same for one device."""
    with transaction.atomic():
        is_wanted = device.want_removal_again(now=now)
        if is_wanted:
            device.attempt.note(Event.REMOVAL_WANTED, at=now, actor=Actor.STAFF)
    return is_wanted


def carry_out(*, client: podero.PoderoClient, customer: PoderoUser, now: datetime) -> bool:
    """Do all that is due for one customer, in order; False when Podero could not be asked."""
    own = Device.objects.due(now=now).filter(podero_user=customer)
    for device in own.select_related("podero_user", "attempt"):
        if not devices.switch_optimization(client=client, device=device, now=now):
            return False
    taken_back = ChargeWish.objects.due(now=now).to_take_back()
    for wish in taken_back.filter(device__podero_user=customer).select_related(
        "device__podero_user", "device__attempt"
    ):
        if not charging.carry_out(client=client, wish=wish, now=now):
            return False
    for device in due_devices(now=now).filter(podero_user=customer):
        if not remove_device(client=client, device=device, now=now):
            return False
    for leaving in due_customers(now=now).filter(pk=customer.pk):
        return remove_customer(client=client, customer=leaving, now=now)
    return True


def due_devices(*, now: datetime) -> DeviceQuerySet:
    """Devices to be removed that are off, with nothing armed, and that no form may link anew.

    A form that is open may bring back the very device, so removing waits for its end; for one
    that was open before the customer spoke, only once time has passed since.
    """
    forms = OnboardingSession.objects.that_may_bring_a_device(now=now).filter(
        podero_user=OuterRef("podero_user"), podero_id__isnull=False, consent__withdrawn_at=None
    )
    wanted_at = OuterRef("removal_wanted_at")
    newer = forms.filter(Q(opened_at__gte=wanted_at) | Q(returned_at__gte=wanted_at))
    due = Device.objects.off().filter(
        Q(removal_wanted_at__gt=now - PROMPT) | ~Exists(forms),
        ~Exists(newer),
        ~Exists(ChargeWish.objects.to_take_back().filter(device=OuterRef("pk"))),
        removal_due_at__lte=now,
        podero_user__podero_id__isnull=False,
    )
    return due.select_related("podero_user", "attempt").order_by("pk")


def due_customers(*, now: datetime) -> PoderoUserQuerySet:
    """Customers who left, with nothing at Podero any more that would have to be undone there.

    While a form may still be finished its device has to be found, which takes the user.
    """
    own = {"podero_user": OuterRef("pk")}
    attempts = OnboardingSession.objects.filter(**own)
    there = Device.objects.filter(**own).exclude(SURELY_OFF, removed_at__isnull=False)
    return PoderoUser.objects.filter(
        ~Exists(there),
        ~Exists(attempts.that_may_bring_a_device(now=now)),
        ~Exists(attempts.filter(claimed_at__gte=now - CLAIM_LIFETIME)),
        ~Exists(Consent.objects.filter(**own, withdrawn_at=None)),
        removal_due_at__lte=now,
    ).order_by("pk")


@lines_name("device", "device.attempt")
def remove_device(*, client: podero.PoderoClient, device: Device, now: datetime) -> bool:
    """Remove one device that is due; otherwise plan the next try. Repeatable.

    False when Podero could not be asked.
    """
    if not _claim_device(device, now=now):
        return True
    user_id = device.podero_user.podero_id
    try:
        if user_id is not None:
            kind = podero.DeviceType(device.device_type)
            _delete_device(client, device, user_id, kind)
    except podero.PoderoError as error:
        _record_device_not_removed(device, error, now=now)
        return failures.is_answer(error)
    with transaction.atomic():
        if device.release() and device.record_removed(at=now):
            device.attempt.note(Event.REMOVED, at=now, actor=Actor.SYSTEM)
            # A page that was open may have asked once more while Podero removed the device.
            ChargeWish.objects.pending().filter(device=device).delete()
    return True


@lines_name("customer")
def remove_customer(*, client: podero.PoderoClient, customer: PoderoUser, now: datetime) -> bool:
    """Remove the Podero user of a customer who left; otherwise plan the next try. Repeatable.

    What turns up there at the last moment is undone first. False when Podero could not be asked.
    """
    if not _claim_customer(customer, now=now):
        return True
    try:
        user_id = customer.podero_id
        if user_id is None and customer.is_creation_in_doubt:
            if found_id := _find_user(client, customer):
                # On record first: what turns up there can only be switched off by the user's id.
                customer.record_podero_id(found_id)
                return remove_customer(client=client, customer=customer, now=now)
        elif user_id is not None:
            with podero.within(CLAIMED_SECONDS):
                if _undo_what_turned_up(client, customer, user_id, now=now):
                    customer.release()
                    return True
                _delete_user(client, customer, user_id)
    except podero.PoderoError as error:
        _record_customer_not_removed(customer, error, now=now)
        return failures.is_answer(error)
    with transaction.atomic():
        # A look that began before may have found a device since, to be undone.
        PoderoUser.objects.hold(customer.pk)
        if customer.record_podero_user_gone():
            customer.record_removed(at=now)
            Device.objects.for_customer(customer).record_gone_with_user(at=now)
    return True


def _claim_device(device: Device, *, now: datetime) -> bool:
    """Linking holds the customer too: it comes before this, and is seen, or after, and sees it."""
    with transaction.atomic():
        PoderoUser.objects.hold(device.podero_user_id)
        if not due_devices(now=now).filter(pk=device.pk).exists():
            return False
        device.refresh_from_db()
        return device.claim(now=now)


def _claim_customer(customer: PoderoUser, *, now: datetime) -> bool:
    """Agreeing anew holds the customer too, and does not go to Podero while this is under way."""
    with transaction.atomic():
        customer.hold()
        return due_customers(now=now).filter(pk=customer.pk).exists() and customer.claim(now=now)


def _find_user(client: podero.PoderoClient, customer: PoderoUser) -> UUID | None:
    """A user that was perhaps made, by a call whose answer was never learnt.

    Raises NotFound where Podero says for the first time that there is none.
    """
    user = client.find_user_by_external_id(customer.external_user_id)
    if user is None and not _was_not_found_before(customer):
        raise podero.NotFound("find_user_by_external_id", status=NOT_FOUND)
    if user is None or PoderoUser.objects.filter(podero_id=user.id).exists():
        return None
    return user.id


def _delete_device(
    client: podero.PoderoClient, device: Device, user_id: UUID, kind: podero.DeviceType
) -> None:
    """Raises NotFound, the first time, where Podero has the device still, or not even the user."""
    try:
        client.delete_device(user_id, kind, device.podero_id)
    except podero.NotFound:
        if _was_not_found_before(device):
            return
        if _is_device_there(client, user_id, kind, device.podero_id):
            raise
        if not _is_found(client, device.podero_user, user_id):
            raise


def _is_device_there(
    client: podero.PoderoClient, user_id: UUID, kind: podero.DeviceType, device_id: UUID
) -> bool:
    try:
        return not client.get_device(user_id, kind, device_id).is_deleted
    except podero.NotFound:
        return False


def _delete_user(client: podero.PoderoClient, customer: PoderoUser, user_id: UUID) -> None:
    """Raises NotFound where Podero has the user still, or says for the first time that it has not."""
    try:
        client.delete_user(user_id)
    except podero.NotFound:
        if not _was_not_found_before(customer) or _is_found(client, customer, user_id):
            raise


def _was_not_found_before(row: Device | PoderoUser) -> bool:
    """Whether the try before this one was answered so too: one such answer may be a mistake."""
    return row.removal_refused_status == NOT_FOUND


def _is_found(client: podero.PoderoClient, customer: PoderoUser, user_id: UUID) -> bool:
    found = client.find_user_by_external_id(customer.external_user_id)
    return found is not None and found.id == user_id


def _undo_what_turned_up(
    client: podero.PoderoClient, customer: PoderoUser, user_id: UUID, *, now: datetime
) -> bool:
    listed: list[podero.Device] = []
    # One refusal may be a mistake; a collection that Podero never lets us list is not waited for.
    for _ in range(2):
        with suppress(podero.NotFound, podero.Forbidden, podero.Refused):
            listed = client.list_devices(user_id)
            break
    known = set(Device.objects.for_customer(customer).values_list("podero_id", flat=True))
    # One that was removed and is still listed is let be, unless it is steered.
    unexpected = [
        Finding(device, is_named=False)
        for device in listed
        if device.id not in known or device.is_smart_optimization_active
    ]
    attempt = customer.attempts.order_by("-pk").first()
    if not unexpected or attempt is None:
        return False
    return keeping.undo_devices(attempt=attempt, findings=unexpected, now=now)


def _record_device_not_removed(device: Device, error: podero.PoderoError, *, now: datetime) -> None:
    with transaction.atomic():
        if device.release() and _record_not_removed(device, error, now=now):
            device.attempt.note(
                Event.REMOVAL_FAILED,
                at=now,
                actor=Actor.SYSTEM,
                failure_code=device.removal_failure_code,
                podero_status=error.status,
            )
    logger.warning(
        "Device could not be removed",
        extra={"endpoint": error.endpoint, "status": error.status},
    )


def _record_customer_not_removed(
    customer: PoderoUser, error: podero.PoderoError, *, now: datetime
) -> None:
    with transaction.atomic():
        if customer.release():
            _record_not_removed(customer, error, now=now)
    logger.warning(
        "Podero user could not be removed",
        extra={"endpoint": error.endpoint, "status": error.status},
    )


def _record_not_removed(
    row: Device | PoderoUser, error: podero.PoderoError, *, now: datetime
) -> bool:
    is_answer = failures.is_answer(error)
    # For a while Podero, or what stands before it, may know of nothing at all.
    is_doubted = isinstance(error, podero.NotFound) and not _was_not_found_before(row)
    is_refusal = is_answer and not is_doubted
    is_forbidden = isinstance(error, podero.Forbidden)
    refusals = row.removal_refusals + 1
    first, ceiling = (3600.0, 24 * 3600.0) if is_answer else (10.0, 6 * 3600.0)
    when = schedule.next_try(
        now=now,
        tries=refusals if is_answer else row.removal_tries + 1,
        first_seconds=first,
        ceiling_seconds=ceiling,
        error=error,
    )
    return row.record_not_removed(
        failure_code=FailureCode.REFUSED if is_forbidden else failures.code_of(error),
        status=error.status if is_answer else None,
        is_refusal=is_refusal,
        due_at=None if is_refusal and refusals >= MAX_REFUSALS else when,
    )
