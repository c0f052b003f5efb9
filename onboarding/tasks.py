"""Celery's side of the flows. Tasks are nudges: what one of them misses, the next beat finds."""

from __future__ import annotations

import logging
from typing import Any

from celery import Task, shared_task
from django.utils import timezone
from kombu.exceptions import ChannelError, OperationalError

from onboarding.clients import podero_client
from onboarding.flows import devices, expiry, handoff, lookups, mails, retention, returning, sweep
from onboarding.letters import mail_server
from onboarding.models import Device, OnboardingSession, PoderoUser

logger = logging.getLogger(__name__)


def nudge(task: Task[Any, Any], **ids: int) -> None:
    """Have `task` done soon. Without a broker nothing is lost but time: the beat finds the row."""
    try:
        task.apply_async(kwargs=ids, retry=False)
    except (OperationalError, ChannelError, OSError) as error:
        logger.warning(
            "Broker could not be reached",
            extra={"task": task.name, "reason": type(error).__name__},
        )


@shared_task(name="onboarding.verify_return")
def verify_return(*, attempt_id: int, **_later: Any) -> None:
    attempt = OnboardingSession.objects.select_related("podero_user", "consent").get(pk=attempt_id)
    returning.verify_return(client=podero_client(), attempt=attempt, now=timezone.now())


@shared_task(name="onboarding.look_up_attempt")
def look_up_attempt(*, attempt_id: int, **_later: Any) -> None:
    now = timezone.now()
    attempts = OnboardingSession.objects.select_related("podero_user", "consent")
    for attempt in attempts.filter(pk=attempt_id, next_try_at__lte=now):
        lookups.look_up_attempt(client=podero_client(), attempt=attempt, now=now)


@shared_task(name="onboarding.switch_customer_devices")
def switch_customer_devices(*, customer_id: int, **_later: Any) -> None:
    now = timezone.now()
    due = Device.objects.due(now=now).filter(podero_user_id=customer_id)
    for device in due.select_related("podero_user", "attempt"):
        devices.switch_optimization(client=podero_client(), device=device, now=now)


@shared_task(name="onboarding.refresh_devices")
def refresh_devices(*, customer_id: int, **_later: Any) -> None:
    customer = PoderoUser.objects.get(pk=customer_id)
    devices.refresh_devices(client=podero_client(), customer=customer, now=timezone.now())


@shared_task(name="onboarding.verify_due_returns")
def verify_due_returns() -> None:
    sweep.verify_due_returns(client=podero_client(), now=timezone.now())


@shared_task(name="onboarding.look_up_due_attempts")
def look_up_due_attempts() -> None:
    sweep.look_up_due_attempts(client=podero_client(), now=timezone.now())


@shared_task(name="onboarding.switch_due_devices")
def switch_due_devices() -> None:
    sweep.switch_due_devices(client=podero_client(), now=timezone.now())


@shared_task(name="onboarding.refresh_due_devices")
def refresh_due_devices() -> None:
    sweep.refresh_due_devices(client=podero_client(), now=timezone.now())


@shared_task(name="onboarding.send_due_mails")
def send_due_mails() -> None:
    post = mail_server()
    if post is not None:
        mails.send_due_mails(post=post, now=timezone.now())


@shared_task(name="onboarding.expire_due_attempts")
def expire_due_attempts() -> None:
    expiry.expire_unopened_attempts(now=timezone.now())


@shared_task(name="onboarding.free_stuck_claims")
def free_stuck_claims() -> None:
    expiry.free_stuck_claims(now=timezone.now())


@shared_task(name="onboarding.forget_what_ran_out")
def forget_what_ran_out() -> None:
    handoff.forget_used(now=timezone.now())
    expiry.forget_ended_sign_ins()


@shared_task(name="onboarding.erase_what_is_over")
def erase_what_is_over() -> None:
    retention.erase_what_is_over(now=timezone.now())
