"""Has the manufacturer's login of a device been renewed, and is it still the same device?"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q

from onboarding import podero
from onboarding.flows.discovery import CLOCK_TOLERANCE
from onboarding.flows.discovery import Finding as Newcomer
from onboarding.models import Device, Reconnection
from onboarding.models.account_marks import marks_of


@dataclass(frozen=True)
class Finding:
    """What the API says after somebody came back; all empty while it says nothing yet.

    `renewed`: the device, and its login works. `newcomers`: devices that turned up meanwhile.
    `changed`: the device, when it stands for another one at the manufacturer than before.
    `is_other`: the customer signed in with an account that holds another device.
    """

    renewed: podero.Device | None = None
    newcomers: tuple[Newcomer, ...] = ()
    changed: podero.Device | None = None
    is_other: bool = False


def look(client: podero.PoderoClient, reconnection: Reconnection) -> Finding:
    """Ask the API. Raises podero.PoderoError when Podero could not be asked."""
    device = reconnection.device
    user_id = device.podero_user.podero_id
    if user_id is None:
        return Finding()
    found = _read(client, device, user_id)
    listed = client.list_devices(user_id)
    newcomers = _newcomers(reconnection, listed)
    # Of a device that nobody has confirmed, any account is as good: it is asked about anyway.
    is_changed = found is not None and device.is_confirmed and _is_changed(reconnection, found)
    changed = found if is_changed else None
    is_another_named = any(
        other.id == reconnection.returned_device_id != device.podero_id for other in listed
    )
    if newcomers or changed or is_another_named:
        return Finding(newcomers=newcomers, changed=changed, is_other=True)
    if found is None or found.is_authenticated is False:
        return Finding()
    if podero.reauthentication_of(found.actions) is None:
        return Finding(renewed=found)
    if report(client, reconnection, is_success=True, found=found):
        return Finding(renewed=_read(client, device, user_id) or found)
    # The report is not taken, but that the login works again is plain to see.
    return Finding(renewed=found if _works_again(reconnection, found) else None)


def report(
    client: podero.PoderoClient,
    reconnection: Reconnection,
    *,
    is_success: bool,
    found: podero.Device | None = None,
) -> bool:
    """Tell Podero how the action ended; False when it does not take that, or knows it as ended.

    The secret comes from a fresh reading of the device, since none is kept.
    """
    user_id = reconnection.device.podero_user.podero_id
    if reconnection.cue_id is None or user_id is None:
        return False
    found = found or _read(client, reconnection.device, user_id)
    cue = cue_of(client, found) if found else None
    if cue is None or cue.id != reconnection.cue_id:
        return False
    try:
        return client.report_cue(cue, is_success=is_success)
    except (podero.Unauthorized, podero.Forbidden, podero.NotFound, podero.Refused):
        return False


def cue_of(client: podero.PoderoClient, found: podero.Device) -> podero.Cue | None:
    """The cue that asks to sign in again, if the device has one whose link can be trusted."""
    action = podero.reauthentication_of(found.actions)
    return client.cue_of(action) if action else None


def _read(client: podero.PoderoClient, device: Device, user_id: UUID) -> podero.Device | None:
    kind = podero.DeviceType(device.device_type)
    return client.find_device_of_type(user_id, kind, device.podero_id)


def _newcomers(reconnection: Reconnection, listed: list[podero.Device]) -> tuple[Newcomer, ...]:
    """Devices that are younger than the sign-in, and of which nothing is known but, perhaps, that
    a look found them meanwhile.

    Those of which Podero does not tell the age are left to the look-ups.
    """
    set_out_at = reconnection.opened_at or reconnection.started_at
    is_settled = Q(confirmed_at__isnull=False) | Q(removal_wanted_at__isnull=False)
    is_explained = Q(linked_at__lt=set_out_at) | Q(is_named_by_session=True) | is_settled
    known = Device.objects.filter(is_explained, podero_id__in=[device.id for device in listed])
    known_ids = set(known.values_list("podero_id", flat=True))
    since = set_out_at - CLOCK_TOLERANCE
    return tuple(
        Newcomer(device, is_named=False)
        for device in listed
        if device.id not in known_ids and device.created_at and device.created_at >= since
    )


def _works_again(reconnection: Reconnection, found: podero.Device) -> bool:
    return reconnection.was_lapsed and found.is_authenticated is True


def _is_changed(reconnection: Reconnection, found: podero.Device) -> bool:
    before, told = reconnection.account_mark, marks_of(found)
    return bool(before and told) and before not in told
