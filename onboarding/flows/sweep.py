"""All background work that is due, by the same flows that the pages use.

The rows are the queue: each function takes what is due now, in bounded batches, and a row that a
customer moves meanwhile is the customer's. Podero being away ends a pass early; the next one
comes soon enough.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from django.db import transaction

from onboarding import podero
from onboarding.flows import (
    charging,
    confirming,
    devices,
    expiry,
    handoff,
    lookups,
    mails,
    passes,
    reconnecting,
    removal,
    retention,
    returning,
    saving,
    sign_in_failures,
    throttling,
)
from onboarding.flows.passes import WHOLE, Share
from onboarding.models import ChargeWish, Device, OnboardingSession, PoderoUser, Reconnection
from onboarding.states import AWAITING_DEVICE, State


def verify_due_returns(*, client: podero.PoderoClient, now: datetime, share: Share = WHOLE) -> int:
    due = OnboardingSession.objects.due(State.RETURNED, now=now)
    return passes.take_up_each(
        share.out_of(due.select_related("podero_user", "consent")),
        lambda attempt, at: returning.verify_return(client=client, attempt=attempt, now=at),
        put_off=lambda row, at: row.put_off(now=at),
        now=now,
        is_over=lambda: client.is_shut,
    )


def look_up_due_attempts(
    *, client: podero.PoderoClient, now: datetime, share: Share = WHOLE
) -> int:
    due = OnboardingSession.objects.due(*AWAITING_DEVICE, now=now).filter(podero_id__isnull=False)
    return passes.take_up_each(
        share.out_of(due.select_related("podero_user", "consent")),
        lambda attempt, at: lookups.look_up_attempt(client=client, attempt=attempt, now=at),
        put_off=lambda row, at: row.put_off(now=at),
        now=now,
        is_over=lambda: client.is_shut,
    )


def take_up_due_reconnections(*, client: podero.PoderoClient, now: datetime) -> int:
    return passes.take_up_each(
        Reconnection.objects.due(now=now).with_device(),
        lambda found, at: reconnecting.take_up(client=client, reconnection=found, now=at),
        put_off=lambda row, at: row.put_off(now=at),
        now=now,
        is_over=lambda: client.is_shut,
    )


def switch_due_devices(*, client: podero.PoderoClient, now: datetime) -> int:
    due = Device.objects.due(now=now).select_related("podero_user", "attempt")
    return passes.take_up_each(
        due,
        lambda device, at: devices.switch_optimization(client=client, device=device, now=at),
        put_off=lambda row, at: row.put_off(now=at),
        now=now,
        is_over=lambda: client.is_shut,
    )


def refresh_due_devices(*, client: podero.PoderoClient, now: datetime, share: Share = WHOLE) -> int:
    """Refresh the devices of customers that have not been read for a while."""
    due = share.out_of(
        Device.objects.unread_since(now - devices.UNWATCHED_PERIOD), by="podero_user_id"
    )
    answered: dict[int, bool] = {}

    def refresh(device: Device, at: datetime) -> bool | None:
        customer = device.podero_user
        # One answer tells of all devices of a customer.
        if customer.pk in answered:
            return None
        if not customer.begin_asking(now=at, again_after=devices.ASK_AGAIN_PERIOD):
            return None
        # Whoever cannot be answered goes to the end of the line, not on blocking its head.
        with transaction.atomic():
            PoderoUser.objects.hold(customer.pk)
            Device.objects.for_customer(customer).update(asked_about_at=at)
        answered[customer.pk] = devices.refresh_devices(client=client, customer=customer, now=at)
        return answered[customer.pk]

    passes.take_up_each(
        due.select_related("podero_user"), refresh, now=now, is_over=lambda: client.is_shut
    )
    return len(answered)


def charge_due_devices(*, client: podero.PoderoClient, now: datetime) -> int:
    due = ChargeWish.objects.due(now=now).select_related("device__podero_user", "device__attempt")
    return passes.take_up_each(
        due,
        lambda wish, at: charging.carry_out(client=client, wish=wish, now=at),
        put_off=lambda row, at: row.put_off(now=at),
        now=now,
        is_over=lambda: client.is_shut,
    )


def fetch_due_savings(*, client: podero.PoderoClient, now: datetime, share: Share = WHOLE) -> int:
    due = saving.due_for_savings(now=now).select_related("podero_user", "attempt")
    return passes.take_up_each(
        share.out_of(due),
        lambda device, at: saving.fetch_savings(client=client, device=device, now=at),
        now=now,
        is_over=lambda: client.is_shut,
    )


def remove_due_devices(*, client: podero.PoderoClient, now: datetime) -> int:
    return passes.take_up_each(
        removal.due_devices(now=now),
        lambda device, at: removal.remove_device(client=client, device=device, now=at),
        put_off=lambda row, at: row.put_off_removal(now=at),
        now=now,
        is_over=lambda: client.is_shut,
    )


def remove_due_customers(*, client: podero.PoderoClient, now: datetime) -> int:
    return passes.take_up_each(
        removal.due_customers(now=now),
        lambda customer, at: removal.remove_customer(client=client, customer=customer, now=at),
        put_off=lambda row, at: row.put_off_removal(now=at),
        now=now,
        is_over=lambda: client.is_shut,
    )


def sweep(
    *,
    client: podero.PoderoClient,
    post: mails.Post | None = None,
    now: datetime,
    report: Callable[[str, int], object] = lambda _step, _count: None,
) -> dict[str, int]:
    """Do everything that is due once; returns how many rows each step took up.

    Without `post` no mail is sent. Reports and raises as `passes.each_by_itself` does.
    """
    clock = passes.clock_from(now)
    # In this order a return that is confirmed has its device switched on in the same sweep, and
    # what is switched off for good, with nothing left to charge, is removed in it.
    steps: dict[str, Callable[[], int]] = {
        "claims freed": lambda: expiry.free_stuck_claims(now=clock()),
        "returns checked": lambda: verify_due_returns(client=client, now=clock()),
        "attempts looked up": lambda: look_up_due_attempts(client=client, now=clock()),
        "reconnections taken up": lambda: take_up_due_reconnections(client=client, now=clock()),
        "confirmations recalled": lambda: confirming.recall_doubtful_confirmations(now=clock()),
        "devices switched": lambda: switch_due_devices(client=client, now=clock()),
        "wishes to charge taken up": lambda: charge_due_devices(client=client, now=clock()),
        "devices removed": lambda: remove_due_devices(client=client, now=clock()),
        "users removed": lambda: remove_due_customers(client=client, now=clock()),
        "customers' devices refreshed": lambda: refresh_due_devices(client=client, now=clock()),
        "savings fetched": lambda: fetch_due_savings(client=client, now=clock()),
        "attempts expired": lambda: expiry.expire_unopened_attempts(now=clock()),
        "mails taken up": lambda: mails.send_due_mails(post=post, now=clock()) if post else 0,
        "wishes to charge forgotten": lambda: charging.forget_answered(now=clock()),
        "hand-offs forgotten": lambda: handoff.forget_used(now=clock()),
        "refusals forgotten": lambda: (
            throttling.forget_old_tallies(now=clock())
            + sign_in_failures.forget_old_failures(now=clock())
        ),
        "sign-ins forgotten": expiry.forget_ended_sign_ins,
        "rows erased": lambda: retention.erase_what_is_over(now=clock()),
    }
    return passes.each_by_itself(steps, report=report)
