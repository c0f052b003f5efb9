"""Pause and resume one device: the customer's word counts here at once, at Podero soon after."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from onboarding.flows import charging, keeping
from onboarding.models import Device, PoderoUser
from onboarding.states import Actor, Event


def pause_device(*, device: Device, now: datetime) -> None:
    """From now on the device is to run on its own schedule. Repeatable."""
    with transaction.atomic():
        # Whoever wishes to charge this moment waits here, and does so with the device paused.
        PoderoUser.objects.hold(device.podero_user_id)
        if device.pause(now=now):
            device.attempt.note(Event.PAUSED, at=now, actor=Actor.CUSTOMER)
            charging.take_back_unless_charging(device=device, now=now)


def resume_device(*, device: Device, now: datetime) -> None:
    """From now on the device is to be optimized again. Repeatable.

    A device that the customer has not confirmed stays as it is. Raises HasLeft when the consent
    under which it was linked has been withdrawn.
    """
    with transaction.atomic():
        keeping.hold_consent(device.attempt)
        if device.resume(now=now):
            device.attempt.note(Event.RESUMED, at=now, actor=Actor.CUSTOMER)
