"""How often is too often, for whoever tries to get in and for what a customer starts.

Limits are for machines; honest people do not come near them. None of them stands between a
customer and a good hand-off: only what was refused is counted, and only refusals are answered
with "later". Addresses are shared by many (a mobile carrier's customers, an office), so they are
given several times what one account is given.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.utils.crypto import salted_hmac

from onboarding.flows import passes
from onboarding.models import OnboardingSession, PoderoUser, Reconnection, Tally

# Longer than any period below: a tally that is older counts for nothing.
TALLY_LIFETIME = timedelta(hours=1)
# A customer may start so many times an hour's worth of attempts, or of reconnections, in a day.
HOURS_IN_A_DAY_OF_ATTEMPTS = 3
# However often "check again" is pressed, on whatever page. The pages look by themselves as well.
LOOKS_A_MINUTE = 6


class TooOften(Exception):
    """It was tried too often; `retry_at` is when it may be tried again."""

    def __init__(self, *, retry_at: datetime) -> None:
        super().__init__()
        self.retry_at = retry_at


def period() -> timedelta:
    return timedelta(minutes=settings.THROTTLE_MINUTES)


def digest_of(kind: str, name: str) -> str:
    """What stands for a person or an address in what is counted; worthless without our key."""
    return salted_hmac(f"throttle.{kind}", name, algorithm="sha256").hexdigest()


def count_refused_handoff(*, address: str, customer_number: str, now: datetime) -> None:
    """Count a refusal for the address, and for the customer whom a signed token named.

    Raises TooOften when either has been refused too often lately.
    """
    if not settings.IS_THROTTLED:
        return
    counted = {
        handoff_digest(customer_number=customer_number): settings.THROTTLE_PER_ACCOUNT,
        digest_of("handoff-address", address): settings.THROTTLE_PER_ADDRESS,
    }
    known = (bool(customer_number), bool(address))
    moments = [
        Tally.add(digest, at_most=at_most, period=period(), now=now)
        for (digest, at_most), is_known in zip(counted.items(), known, strict=True)
        if is_known
    ]
    full = [moment for moment in moments if moment is not None]
    if full:
        raise TooOften(retry_at=max(full))


def may_look_again(*, customer: PoderoUser, now: datetime) -> bool:
    """Whether Podero is to be asked because the customer presses "check again"; counts that."""
    if not settings.IS_THROTTLED:
        return True
    digest = look_digest(customer_number=customer.external_user_id)
    return Tally.add(digest, at_most=LOOKS_A_MINUTE, period=timedelta(minutes=1), now=now) is None


def handoff_digest(*, customer_number: str) -> str:
    return digest_of("handoff-account", customer_number)


def look_digest(*, customer_number: str) -> str:
    return digest_of("look", customer_number)


def check_attempts(*, customer: PoderoUser, now: datetime) -> None:
    """Raises TooOften when the customer has started too many attempts lately."""
    _check_starts(OnboardingSession.objects.for_customer(customer), now=now)


def check_reconnections(*, customer: PoderoUser, now: datetime) -> None:
    """Raises TooOften when the customer has gone to sign in again too many times lately."""
    _check_starts(Reconnection.objects.for_customer(customer), now=now)


def _check_starts(own: QuerySet[Any], *, now: datetime) -> None:
    if not settings.IS_THROTTLED:
        return
    per_hour = settings.THROTTLE_ATTEMPTS_PER_HOUR
    for hours, at_most in ((1, per_hour), (24, HOURS_IN_A_DAY_OF_ATTEMPTS * per_hour)):
        stretch = timedelta(hours=hours)
        started = own.filter(started_at__gt=now - stretch).order_by("-started_at")
        # The one that has to grow old before there is room for another.
        oldest = started.values_list("started_at", flat=True)[at_most - 1 : at_most].first()
        if oldest is not None:
            raise TooOften(retry_at=oldest + stretch)


def forget_old_tallies(*, now: datetime) -> int:
    """Forget who was counted, once it counts for nothing; returns how many."""
    return passes.delete_in_batches(Tally.objects.filter(started_at__lt=now - TALLY_LIFETIME))
