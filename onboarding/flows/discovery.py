"""Which devices did an attempt bring? Podero has no answer to that question, so ask around it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar
from uuid import UUID

from onboarding import podero
from onboarding.models import Device, OnboardingSession

# Podero's clock may be behind ours.
CLOCK_TOLERANCE = timedelta(minutes=5)

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Finding:
    """A device that the API names as the customer's.

    `is_named` tells one that the return or Podero's session names from one that merely turned up
    in the customer's collections meanwhile; `is_told`, that it was the session. What a return
    names stands in an address, which whoever opens it can edit.
    """

    device: podero.Device
    is_named: bool
    is_told: bool = False


def find_named_device(*, client: podero.PoderoClient, attempt: OnboardingSession) -> list[Finding]:
    """The device named by the return or by the session's `object_id`; none or one.

    The session comes first where another attempt may have brought what the return names. Raises
    podero.PoderoError when Podero could not be asked.
    """
    user_id = attempt.podero_user.podero_id
    if user_id is None:
        return []
    likely = podero.DeviceType(attempt.device_type) if attempt.device_type else None

    def look(device_id: UUID | None, *, is_told: bool) -> list[Finding]:
        if device_id is None:
            return []
        device = _unless_refused(lambda: client.find_device(user_id, device_id, device_type=likely))
        return [Finding(device, is_named=True, is_told=is_told)] if device is not None else []

    def by_return() -> list[Finding]:
        return look(attempt.returned_device_id, is_told=False)

    def by_session() -> list[Finding]:
        return look(_session_object(client, attempt), is_told=True)

    if OnboardingSession.objects.that_compete_with(attempt).exists():
        return by_session() or by_return()
    return by_return() or by_session()


def find_devices(
    *, client: podero.PoderoClient, attempt: OnboardingSession, is_last_word: bool = False
) -> list[Finding]:
    """The named device, or whatever is new in the customer's collections.

    Where nothing is the `is_last_word`, a collection that was refused is no answer. Raises
    podero.PoderoError when Podero could not be asked.
    """
    named = find_named_device(client=client, attempt=attempt)
    return named or find_newcomers(client=client, attempt=attempt, is_last_word=is_last_word)


def find_newcomers(
    *, client: podero.PoderoClient, attempt: OnboardingSession, is_last_word: bool = False
) -> list[Finding]:
    """Devices in the customer's collections that we do not know and that are young enough.

    One that was removed is new again where Podero made it after that, for this attempt.

    Raises podero.PoderoError when Podero could not be asked.
    """
    user_id = attempt.podero_user.podero_id
    if user_id is None:
        return []
    listed = client.list_devices(user_id, is_last_word=is_last_word)
    on_record = Device.objects.filter(podero_id__in=[device.id for device in listed])
    removed_at = dict(on_record.values_list("podero_id", "removed_at"))
    since = (attempt.opened_at or attempt.started_at) - CLOCK_TOLERANCE

    def is_new(device: podero.Device) -> bool:
        if device.id not in removed_at:
            return device.created_at is None or device.created_at >= since
        gone_at = removed_at[device.id]
        if gone_at is None or device.created_at is None:
            return False
        return device.created_at > gone_at and attempt.started_at > gone_at

    return [
        Finding(device, is_named=device.id == attempt.returned_device_id)
        for device in listed
        if is_new(device)
    ]


def _session_object(client: podero.PoderoClient, attempt: OnboardingSession) -> UUID | None:
    session_id = attempt.podero_id
    if session_id is None:
        return None
    # Whether a finished or expired session can still be read is not documented.
    session = _unless_refused(lambda: client.get_onboarding_session(session_id))
    try:
        return UUID((session and session.object_id) or "")
    except ValueError:
        return None


def _unless_refused(ask: Callable[[], Answer]) -> Answer | None:
    """Which status says "there is no such thing" is not documented: any refusal of one id does."""
    try:
        return ask()
    except (podero.NotFound, podero.Forbidden, podero.Refused):
        return None
