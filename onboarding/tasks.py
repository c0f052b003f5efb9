"""Celery's side of the flows. Tasks are nudges: what one of them misses, the next beat finds."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Any

from celery import Task, shared_task
from celery.signals import task_failure, task_success
from django.conf import settings
from django.utils import timezone

from onboarding import clients, messages, metrics, podero
from onboarding.clients import podero_client
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
    sign_in_failures,
    sweep,
    throttling,
)
from onboarding.flows.passes import Share
from onboarding.letters import mail_server
from onboarding.models import (
    ChargeWish,
    Device,
    JobRun,
    OnboardingSession,
    PoderoUser,
    Reconnection,
)

_sending = threading.Lock()


def nudge(task: Task[Any, Any], **ids: int) -> None:
    """Have `task` done soon. Without a broker nothing is lost but time: the beat finds the row."""
    messages.send(task, **ids)


@task_success.connect
def remember_success(sender: Task[Any, Any], **_more: Any) -> None:
    """Keep when each scheduled task last did its work, for whoever watches."""
    job = sender.name.removeprefix("onboarding.")
    if job in settings.SCHEDULED_JOBS:
        number = (sender.request.kwargs or {}).get("number", 0)
        JobRun.record_success(f"{job}-{number}" if number else job, at=timezone.now())


@task_failure.connect
def count_task_error(**_signal: Any) -> None:
    metrics.note_error("task")


@shared_task(name="onboarding.verify_return")
def verify_return(*, attempt_id: int, **_later: Any) -> None:
    attempt = OnboardingSession.objects.select_related("podero_user", "consent").get(pk=attempt_id)
    returning.verify_return(client=podero_client(), attempt=attempt, now=timezone.now())


@shared_task(name="onboarding.look_up_attempt")
def look_up_attempt(*, attempt_id: int, **_later: Any) -> None:
    """Somebody came back with the attempt who is not the customer, so switch off at once, too."""
    now = timezone.now()
    own = Device.objects.filter(podero_user__attempts=attempt_id)
    confirming.recall_doubtful_confirmations(among=own, now=now)
    attempts = OnboardingSession.objects.select_related("podero_user", "consent")
    for attempt in attempts.filter(pk=attempt_id, next_try_at__lte=now):
        lookups.look_up_attempt(client=podero_client(), attempt=attempt, now=now)
    for device in own.due(now=now).select_related("podero_user", "attempt"):
        devices.switch_optimization(client=podero_client(), device=device, now=now)


@shared_task(name="onboarding.switch_customer_devices")
def switch_customer_devices(*, customer_id: int, **_later: Any) -> None:
    now = timezone.now()
    due = Device.objects.due(now=now).filter(podero_user_id=customer_id)
    for device in due.select_related("podero_user", "attempt"):
        devices.switch_optimization(client=podero_client(), device=device, now=now)


@shared_task(name="onboarding.carry_out_removal")
def carry_out_removal(*, customer_id: int, **_later: Any) -> None:
    customer = PoderoUser.objects.get(pk=customer_id)
    removal.carry_out(client=podero_client(), customer=customer, now=timezone.now())


@shared_task(name="onboarding.refresh_devices")
def refresh_devices(*, customer_id: int, **_later: Any) -> None:
    customer = PoderoUser.objects.get(pk=customer_id)
    devices.refresh_for_viewer(client=podero_client(), customer=customer, now=timezone.now())


@shared_task(name="onboarding.look_who_signed_in")
def look_who_signed_in(*, customer_id: int, **_later: Any) -> None:
    """Somebody came back from the manufacturer who is not the customer: look, however lately that
    was done, and switch off at once."""
    customer = PoderoUser.objects.get(pk=customer_id)
    devices.refresh_devices(client=podero_client(), customer=customer, now=timezone.now())
    confirming.recall_doubtful_confirmations(
        among=Device.objects.for_customer(customer), now=timezone.now()
    )
    switch_customer_devices(customer_id=customer_id)


@shared_task(name="onboarding.charge_device")
def charge_device(*, wish_id: int, **_later: Any) -> None:
    now = timezone.now()
    due = ChargeWish.objects.due(now=now).filter(pk=wish_id)
    for wish in due.select_related("device__podero_user", "device__attempt"):
        charging.carry_out(client=podero_client(), wish=wish, now=now)


@shared_task(name="onboarding.take_up_reconnection")
def take_up_reconnection(*, reconnection_id: int, **_later: Any) -> None:
    now = timezone.now()
    rows = Reconnection.objects.due(now=now).with_device().filter(pk=reconnection_id)
    for reconnection in rows:
        reconnecting.take_up(client=podero_client(), reconnection=reconnection, now=now)
        switch_customer_devices(customer_id=reconnection.device.podero_user_id)


@shared_task(name="onboarding.take_up_due_reconnections")
def take_up_due_reconnections(**_later: Any) -> None:
    sweep.take_up_due_reconnections(client=podero_client(), now=timezone.now())


@shared_task(name="onboarding.verify_due_returns")
def verify_due_returns(*, number: int = 0, of: int = 1, **_later: Any) -> None:
    share = Share(number, of)
    sweep.verify_due_returns(client=podero_client(), now=timezone.now(), share=share)


@shared_task(name="onboarding.look_up_due_attempts")
def look_up_due_attempts(*, number: int = 0, of: int = 1, **_later: Any) -> None:
    share = Share(number, of)
    sweep.look_up_due_attempts(client=podero_client(), now=timezone.now(), share=share)


@shared_task(name="onboarding.switch_due_devices")
def switch_due_devices(**_later: Any) -> None:
    passes.each_by_itself(
        {
            "recalled": lambda: confirming.recall_doubtful_confirmations(now=timezone.now()),
            "switched": lambda: sweep.switch_due_devices(
                client=podero_client(), now=timezone.now()
            ),
        }
    )


@shared_task(name="onboarding.remove_due_devices")
def remove_due_devices(**_later: Any) -> None:
    sweep.remove_due_devices(client=podero_client(), now=timezone.now())


@shared_task(name="onboarding.remove_due_customers")
def remove_due_customers(**_later: Any) -> None:
    sweep.remove_due_customers(client=podero_client(), now=timezone.now())


@shared_task(name="onboarding.charge_due_devices")
def charge_due_devices(**_later: Any) -> None:
    sweep.charge_due_devices(client=podero_client(), now=timezone.now())


@shared_task(name="onboarding.fetch_due_savings")
def fetch_due_savings(*, number: int = 0, of: int = 1, **_later: Any) -> None:
    share = Share(number, of)
    sweep.fetch_due_savings(client=podero_client(), now=timezone.now(), share=share)


@shared_task(name="onboarding.refresh_due_devices")
def refresh_due_devices(*, number: int = 0, of: int = 1, **_later: Any) -> None:
    share = Share(number, of)
    sweep.refresh_due_devices(client=podero_client(), now=timezone.now(), share=share)


@shared_task(name="onboarding.send_due_mails")
def send_due_mails(**_later: Any) -> None:
    post = mail_server()
    # A mail server that trickles must not take one thread after the other.
    if post is not None and _sending.acquire(blocking=False):
        try:
            mails.send_due_mails(post=post, now=timezone.now())
        finally:
            _sending.release()


@shared_task(name="onboarding.have_a_token")
def have_a_token(**_later: Any) -> None:
    """No customer waits for a token, and `/health/ready` tells of a wrong secret before they come."""
    with suppress(podero.PoderoError):
        clients.have_a_token()


@shared_task(name="onboarding.expire_due_attempts")
def expire_due_attempts(**_later: Any) -> None:
    expiry.expire_unopened_attempts(now=timezone.now())


@shared_task(name="onboarding.free_stuck_claims")
def free_stuck_claims(**_later: Any) -> None:
    expiry.free_stuck_claims(now=timezone.now())


@shared_task(name="onboarding.forget_what_ran_out")
def forget_what_ran_out(**_later: Any) -> None:
    now = timezone.now()
    passes.each_by_itself(
        {
            "wishes": lambda: charging.forget_answered(now=now),
            "hand-offs": lambda: handoff.forget_used(now=now),
            "tallies": lambda: throttling.forget_old_tallies(now=now),
            "failures": lambda: sign_in_failures.forget_old_failures(now=now),
            "sign-ins": expiry.forget_ended_sign_ins,
        }
    )


@shared_task(name="onboarding.erase_what_is_over")
def erase_what_is_over(**_later: Any) -> None:
    retention.erase_what_is_over(now=timezone.now())
