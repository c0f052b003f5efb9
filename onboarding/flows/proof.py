"""Who may have brought a device, or have put a login behind it: what leaves a doubt, and for whom.

Every address at Podero or the manufacturer that a customer was sent to is a way that somebody else
may have gone instead: the hosted form of an attempt, and the sign-in of a reconnection.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from onboarding import podero
from onboarding.flows import charging
from onboarding.models import Device, OnboardingSession, PoderoUser, Reconnection
from onboarding.models.account_marks import marks_of
from onboarding.models.attempt_queries import LATE
from onboarding.models.device_queries import DeviceQuerySet
from onboarding.states import Actor, Event


def has_rivals(device: Device) -> bool:
    """Whether another way than its own attempt may have brought the device, with whomever."""
    attempts = OnboardingSession.objects.that_compete_with(device.attempt)
    if any(attempt.may_have_brought(device) for attempt in attempts):
        return True
    renewals = Reconnection.objects.that_anybody_may_finish()
    return renewals.that_may_have_brought(device).exists()


def is_in_doubt(device: Device, attempt: OnboardingSession, *, is_told: bool = False) -> bool:
    """Whether a renewed login, or a return elsewhere by another way, has left a doubt.

    An address does not clear it: it is edited easily, or kept back from earlier. Where it
    `is_told` by Podero's session that this attempt brought it, another has not.
    """
    if device.is_login_in_doubt or device.is_holder_proven or is_told:
        return device.is_login_in_doubt
    own = OnboardingSession.objects.for_customer(attempt.podero_user).exclude(pk=attempt.pk)
    if any(each.may_have_brought(device) for each in own.that_came_back_elsewhere()):
        return True
    renewals = Reconnection.objects.that_came_back_elsewhere()
    return renewals.that_may_have_brought(device).exists()


def is_login_in_doubt(device: Device, found: podero.Device, *, now: datetime) -> bool:
    """Whether another account may stand behind it than the one with which it was linked.

    That one is known by what Podero names. Who came back elsewhere from signing in has left a doubt
    where Podero names none now, or not the one that it named when they were sent; but once a name
    is known, that is no news a day later. What has shown by the time at which this was last judged,
    and was no reason then, is none now.
    """
    read_at = min(now, device.login_judged_at)
    if device.is_login_in_doubt and device.account_mark and not device.stands_for_the_same(found):
        return True
    if device.stands_for_another(found):
        return _may_another_have_signed_in(device.podero_user, now=read_at)
    elsewhere = Reconnection.objects.filter(device=device).that_came_back_elsewhere()
    if told := marks_of(found):
        elsewhere = elsewhere.exclude(account_mark__in=told)
    if device.account_mark:
        elsewhere = elsewhere.filter(foreign_return_at__gt=read_at - LATE)
    return elsewhere.exists()


def _may_another_have_signed_in(customer: PoderoUser, *, now: datetime) -> bool:
    """Whether a way to the manufacturer, for whatever device, may be gone by somebody else now."""
    forms = OnboardingSession.objects.for_customer(customer).filter(podero_id__isnull=False)
    # What a form that ran out has done shows within a day.
    still_open = forms.that_may_bring_a_device(now=now - LATE).exclude(is_return_matched=True)
    renewals = Reconnection.objects.for_customer(customer).that_anybody_may_finish()
    is_open = still_open.exists() or renewals.filter(foreign_return_at=None).exists()
    return is_open or came_back_elsewhere_lately(customer, now=now)


def came_back_elsewhere_lately(customer: PoderoUser, *, now: datetime) -> bool:
    """Whether another browser did than the one that left, so that what was done may yet show."""
    forms = OnboardingSession.objects.for_customer(customer).that_came_back_elsewhere()
    renewals = Reconnection.objects.for_customer(customer).that_came_back_elsewhere()
    lately = Q(foreign_return_at__gt=now - LATE)
    return forms.filter(lately).exists() or renewals.filter(lately).exists()


def with_sign_ins(devices: DeviceQuerySet, *, came_back: Iterable[UUID]) -> DeviceQuerySet:
    """Tell of each device what is known of those who signed in at the manufacturer.

    `is_let_in_elsewhere`: it may have been brought by a sign-in with which somebody came back, and
    not in this browser, which has `came_back` with these; `may_be_let_in`: or may yet come back.
    `is_signed_in_elsewhere`: they may have put their login behind it.
    """
    others = Reconnection.objects.exclude(reference__in=list(came_back))
    elsewhere = others.that_may_have_brought()
    own = others.filter(device=OuterRef("pk"))
    return devices.annotate(
        is_let_in_elsewhere=Exists(elsewhere.that_came_back_elsewhere()),
        may_be_let_in=Exists(elsewhere.that_anybody_may_finish()),
        is_signed_in_elsewhere=Exists(own.that_came_back_elsewhere()),
    )


def take_over(device: Device, found: podero.Device, *, now: datetime) -> None:
    """Take over what Podero tells of it now; doubt who stands behind it, or doubt that no more.

    That somebody has signed in shows nothing: any account would have led back as well. Call it with
    a copy that was read while its customer was held.
    """
    if is_login_in_doubt(device, found, now=now):
        doubt_login(device, now=now)
    elif device.is_login_in_doubt:
        device.settle_login(at=now)
    elif device.stands_for_another(found):
        device.rename_account(found, at=now)
    device.record_seen(found, at=now, is_judged=True)


def doubt_login(device: Device, *, now: datetime) -> None:
    """Another account may stand behind the device: until that is settled it is off."""
    with transaction.atomic():
        PoderoUser.objects.hold(device.podero_user_id)
        if device.doubt_login(at=now):
            recall(device, now=now)


def recall(device: Device, *, now: datetime) -> bool:
    """Ask again whose it is; until then it is off, and what was to charge is taken back."""
    with transaction.atomic():
        PoderoUser.objects.hold(device.podero_user_id)
        is_boosted = device.charging.may_be_ended
        if not device.recall_confirmation(now=now):
            return False
        charging.take_back_if_asked(
            device=device, is_boosted=is_boosted, actor=Actor.SYSTEM, now=now
        )
        device.attempt.note(Event.CONFIRMATION_RECALLED, at=now, actor=Actor.SYSTEM)
    return True
