"""Wrong passwords that are still counted: whose they are, and when they are forgotten."""

from __future__ import annotations

from datetime import datetime, timedelta

from axes.models import AccessAttempt
from django.db.models import QuerySet

from onboarding.flows import passes
from onboarding.flows.throttling import digest_of, period


def account_digest(username: str) -> str:
    """What stands for an account's name in what is counted, however it was typed."""
    return digest_of("account", username.strip().casefold())


def failures_of(username: str) -> QuerySet[AccessAttempt]:
    """Failed sign-ins to this account, in browsers known to it and in others."""
    rows: QuerySet[AccessAttempt] = AccessAttempt.objects.filter(
        username__startswith=account_digest(username)
    )
    return rows.order_by("pk")


def forget_old_failures(*, now: datetime) -> int:
    """Forget what does not count any more; returns how many rows it was."""
    before = now - period() - timedelta(seconds=1)
    return passes.delete_in_batches(AccessAttempt.objects.filter(attempt_time__lt=before))
