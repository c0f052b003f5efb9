"""Which devices did an attempt bring? Podero has no answer to that question, so ask around it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from onboarding import podero
from onboarding.models import Device, OnboardingSession

# Podero's clock may be behind ours.
CLOCK_TOLERANCE = timedelta(minutes=5)


@dataclass(frozen=True)
class Finding:
    """Devices that the API names as the customer's.

    `is_proven` tells a device that belongs to this very attempt (named by the return or by the
    session) from one that merely turned up in the customer's collections meanwhile.
    """

    devices: tuple[podero.Device, ...]
    is_proven: bool


NOTHING = Finding(devices=(), is_proven=False)


def find_devices(*, client: podero.PoderoClient, attempt: OnboardingSession) -> Finding:
    """Look by the returned id, then by the session's `object_id`, then for newcomers.

    Raises podero.PoderoError when Podero could not be asked.
    """
    customer = attempt.podero_user
    if customer.podero_id is None or attempt.podero_id is None:
        return NOTHING
    device_type = podero.DeviceType(attempt.device_type) if attempt.device_type else None
    for device_id in _named_devices(client, attempt):
        device = client.find_device(customer.podero_id, device_id, device_type=device_type)
        if device is not None:
            return Finding(devices=(device,), is_proven=True)
    newcomers = _newcomers(attempt, client.list_devices(customer.podero_id))
    return Finding(devices=newcomers, is_proven=False)


def _named_devices(client: podero.PoderoClient, attempt: OnboardingSession) -> Iterator[UUID]:
    if attempt.returned_device_id is not None:
        yield attempt.returned_device_id
    object_id = _session_object(client, attempt)
    if object_id is not None and object_id != attempt.returned_device_id:
        yield object_id


def _session_object(client: podero.PoderoClient, attempt: OnboardingSession) -> UUID | None:
    if attempt.podero_id is None:
        return None
    try:
        session = client.get_onboarding_session(attempt.podero_id)
    except podero.NotFound:
        # Whether an expired session can still be read is not documented.
        return None
    try:
        return UUID(session.object_id or "")
    except ValueError:
        return None


def _newcomers(
    attempt: OnboardingSession, listed: list[podero.Device]
) -> tuple[podero.Device, ...]:
    known = set(
        Device.objects.filter(podero_id__in=[device.id for device in listed]).values_list(
            "podero_id", flat=True
        )
    )
    since = (attempt.opened_at or attempt.started_at) - CLOCK_TOLERANCE
    return tuple(
        device
        for device in listed
        if device.id not in known and (device.created_at is None or device.created_at >= since)
    )
