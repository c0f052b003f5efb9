"""Ask Podero what optimization saved, at most once a day and never while somebody waits."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.db.models import QuerySet

from onboarding import podero
from onboarding.flows import failures
from onboarding.log_context import lines_name
from onboarding.models import Device
from onboarding.models.savings import Saved

logger = logging.getLogger(__name__)

ASK_AGAIN = timedelta(days=1)
# After a failure that may pass.
ASK_AGAIN_SOON = timedelta(hours=1)


def due_for_savings(*, now: datetime) -> QuerySet[Device]:
    return Device.objects.filter(
        savings_due_at__lte=now,
        confirmed_at__isnull=False,
        missing_since=None,
        removal_wanted_at=None,
        attempt__consent__withdrawn_at=None,
        podero_user__podero_id__isnull=False,
    ).order_by("savings_due_at", "pk")


@lines_name("device", "device.attempt")
def fetch_savings(*, client: podero.PoderoClient, device: Device, now: datetime) -> bool:
    """Keep what Podero tells of last month and this one; False when it could not be asked.

    A device for which the API has no savings has none here either.
    """
    user_id = device.podero_user.podero_id
    # Taken up before the call, so that two workers do not both ask.
    if user_id is None or not due_for_savings(now=now).filter(pk=device.pk).update(
        savings_due_at=now + ASK_AGAIN
    ):
        return True
    try:
        told = client.get_savings(
            user_id,
            podero.DeviceType(device.device_type),
            device.podero_id,
            start=_start_of_last_month(now, device),
            end=now,
        )
    except podero.PoderoError as error:
        return _record_not_told(device, error, now=now)
    _still_wanted(device).update(savings=Saved.of(told).as_json())
    return True


def _still_wanted(device: Device) -> QuerySet[Device]:
    return Device.objects.filter(pk=device.pk, removal_wanted_at=None, confirmed_at__isnull=False)


def _record_not_told(device: Device, error: podero.PoderoError, *, now: datetime) -> bool:
    if failures.is_answer(error):
        Device.objects.filter(pk=device.pk).update(savings={})
        return True
    logger.warning(
        "Savings could not be fetched",
        extra={"failure_code": failures.code_of(error).value},
    )
    _still_wanted(device).update(savings_due_at=now + ASK_AGAIN_SOON)
    return False


def _start_of_last_month(now: datetime, device: Device) -> datetime:
    local = now.astimezone(device.podero_user.timezone)
    this_month = local.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return (this_month - timedelta(days=1)).replace(day=1)
