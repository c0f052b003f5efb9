"""All background work that is due, by the same flows that the pages use.

The rows are the queue: each function takes what is due now, in bounded batches, and a row that a
customer moves meanwhile is the customer's. Podero being away ends a pass early; the next one
comes soon enough.
"""

from __future__ import annotations

from datetime import datetime

from onboarding import podero
from onboarding.flows import (
    devices,
    expiry,
    handoff,
    lookups,
    mails,
    passes,
    retention,
    returning,
)
from onboarding.models import Device, OnboardingSession
from onboarding.states import AWAITING_DEVICE, State


def verify_due_returns(*, client: podero.PoderoClient, now: datetime) -> int:
    due = OnboardingSession.objects.due(State.RETURNED, now=now)
    return passes.take_up_each(
        due.select_related("podero_user", "consent"),
        lambda attempt, at: returning.verify_return(client=client, attempt=attempt, now=at),
        now=now,
    )


def look_up_due_attempts(*, client: podero.PoderoClient, now: datetime) -> int:
    due = OnboardingSession.objects.due(*AWAITING_DEVICE, now=now).filter(podero_id__isnull=False)
    return passes.take_up_each(
        due.select_related("podero_user", "consent"),
        lambda attempt, at: lookups.look_up_attempt(client=client, attempt=attempt, now=at),
        now=now,
    )


def switch_due_devices(*, client: podero.PoderoClient, now: datetime) -> int:
    due = Device.objects.due(now=now).select_related("podero_user", "attempt")
    return passes.take_up_each(
        due,
        lambda device, at: devices.switch_optimization(client=client, device=device, now=at),
        now=now,
    )


def refresh_due_devices(*, client: podero.PoderoClient, now: datetime) -> int:
    """Refresh the devices of customers that have not been read for a while, oldest first."""
    due = Device.objects.unread_since(now - devices.UNWATCHED_PERIOD)
    answered: dict[int, bool] = {}

    def refresh(device: Device, at: datetime) -> bool:
        customer = device.podero_user
        # One answer tells of all devices of a customer.
        if customer.pk not in answered:
            answered[customer.pk] = devices.refresh_devices(
                client=client, customer=customer, now=at
            )
        return answered[customer.pk]

    passes.take_up_each(due.select_related("podero_user"), refresh, now=now)
    return len(answered)


def sweep(
    *, client: podero.PoderoClient, post: mails.Post | None = None, now: datetime
) -> dict[str, int]:
    """Do everything that is due once; returns how many rows each step took up.

    Without `post` no mail is sent.
    """
    clock = passes.clock_from(now)
    expiry.forget_ended_sign_ins()
    # In this order a return that is confirmed has its device switched on in the same sweep.
    return {
        "claims freed": expiry.free_stuck_claims(now=clock()),
        "returns checked": verify_due_returns(client=client, now=clock()),
        "attempts looked up": look_up_due_attempts(client=client, now=clock()),
        "devices switched": switch_due_devices(client=client, now=clock()),
        "customers' devices refreshed": refresh_due_devices(client=client, now=clock()),
        "attempts expired": expiry.expire_unopened_attempts(now=clock()),
        "mails taken up": mails.send_due_mails(post=post, now=clock()) if post else 0,
        "hand-offs forgotten": handoff.forget_used(now=clock()),
        "rows erased": retention.erase_what_is_over(now=clock()),
    }
