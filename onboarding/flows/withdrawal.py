"""Leaving: takes effect here at once, and at Podero as soon as Podero can be reached."""

from __future__ import annotations

import logging
from datetime import datetime

from django.db import transaction

from onboarding.flows import charging
from onboarding.models import Consent, Device, InvalidTransition, PoderoUser
from onboarding.states import Event, State

logger = logging.getLogger(__name__)


def withdraw(*, customer: PoderoUser, now: datetime) -> list[Device]:
    """End all consents and attempts, and want no device steered; returns the devices. Repeatable.

    Switching them off at Podero is left to `devices.switch_optimization`, retried until done.
    """
    with transaction.atomic():
        # Devices that are being linked this moment wait here, and then find the consent gone.
        PoderoUser.objects.select_for_update().get(pk=customer.pk)
        if (
            Consent.objects.filter(podero_user=customer).withdraw(at=now)
            or customer.withdrawn_at is None
        ):
            customer.record_withdrawal(at=now)
        devices = list(Device.objects.for_customer(customer).order_by("pk"))
        for device in devices:
            device.want_optimization(is_wanted=False, now=now)
        charging.take_back_all(customer=customer, now=now)
    for attempt in customer.attempts.filter(state__in=[State.STARTED, State.OPEN]):
        try:
            attempt.mark_cancelled(at=now, event=Event.WITHDRAWN)
        except InvalidTransition:
            # It came back this very moment; verification sees the withdrawn consent and undoes it.
            logger.info("Attempt moved on meanwhile", extra={"attempt": attempt.reference})
    return devices
