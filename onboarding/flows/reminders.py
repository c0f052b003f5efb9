"""The one reminder for who does not finish: only if asked for, a day later, and never twice.

It is planned with the consent, as a `Mail`, and whether there is still something to remind of is
looked up when its time has come.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.db import transaction
from django.db.models import F, Q

from onboarding.models import Consent, Mail, OnboardingSession, PoderoUser
from onboarding.states import Actor, Event, State

AFTER = timedelta(hours=24)
# Who is reminded later than this has long decided; mails may have been switched off meanwhile.
LATEST = timedelta(days=3)

# Neither finished nor ended by the customer. An attempt that failed told the customer what to do.
_LEFT_UNFINISHED = (State.STARTED, State.OPEN, State.EXPIRED)

_signer = Signer(salt="onboarding.stop_reminders")


@dataclass(frozen=True)
class Standing:
    """How a reminder that was asked for stands: taken back, of no use any more, sent, or planned."""

    is_stopped: bool = False
    is_dropped: bool = False
    sent_at: datetime | None = None
    planned_for: datetime | None = None


class UnknownToken(Exception):
    """The address to stop reminders is incomplete, or was not made here."""


def plan_reminder(*, attempt: OnboardingSession, now: datetime) -> None:
    """Have the customer reminded of this attempt, if that was asked for and not done before.

    An earlier plan under the same consent is put off: the newest attempt counts.
    """
    consent = attempt.consent
    if not settings.IS_MAIL_ON or not consent.allows_reminder:
        return
    mail, is_new = Mail.objects.get_or_create(
        consent=consent, kind=Mail.Kind.REMINDER, defaults={"next_try_at": now + AFTER}
    )
    if not is_new:
        planned = Mail.objects.filter(pk=mail.pk, sent_at=None)
        # Whoever finds this moment that there is nothing to remind of has no claim any more.
        planned.update(next_try_at=now + AFTER, tries=0, claimed_at=None)


def standing_of(*, attempt: OnboardingSession) -> Standing | None:
    """What an unfinished attempt's page has to say of its reminder, if anything."""
    consent = attempt.consent
    has_told = attempt.state in (State.CANCELLED, State.FAILED)
    is_open = attempt.state in (State.STARTED, State.OPEN)
    if not (is_open or has_told) or consent.withdrawn_at or not consent.allows_reminder:
        return None
    if attempt.podero_user.wants_no_reminder_of(consent):
        return Standing(is_stopped=True)
    mail = Mail.objects.filter(consent=consent, kind=Mail.Kind.REMINDER).first()
    sent_at = mail.sent_at if mail is not None else None
    if has_told:
        return Standing(is_dropped=sent_at is None, sent_at=sent_at)
    if mail is None or (mail.sent_at is None and mail.next_try_at is None):
        return None
    return Standing(sent_at=mail.sent_at, planned_for=mail.next_try_at)


def attempt_to_remind_of(*, consent_id: int, now: datetime) -> OnboardingSession | None:
    """The attempt that is left unfinished under this consent; None when there is no reason left.

    Reads everything anew, since a reminder waits for a day and a batch of mails for a while.
    """
    consent = Consent.objects.with_evidence().get(pk=consent_id)
    customer = consent.podero_user
    if (
        consent.withdrawn_at is not None
        or not consent.allows_reminder
        or customer.wants_no_reminder_of(consent)
        # A newer consent has an answer of its own to whether to remind.
        or customer.consents.filter(pk__gt=consent.pk).exists()
        or _has_linked_since(consent)
    ):
        return None
    attempt = consent.attempts.order_by("-pk").first()
    if attempt is None or attempt.state not in _LEFT_UNFINISHED:
        return None
    attempt.consent, attempt.podero_user = consent, customer
    return attempt if now <= attempt.started_at + AFTER + LATEST else None


def _has_linked_since(consent: Consent) -> bool:
    attempts = OnboardingSession.objects.for_customer(consent.podero_user)
    return attempts.filter(
        Q(state=State.RETURNED) | Q(state=State.LINKED, finished_at__gte=consent.given_at)
    ).exists()


def record_reminded(*, mail: Mail, attempt: OnboardingSession, now: datetime) -> None:
    """The reminder has gone, or may have: tell the timeline."""
    with transaction.atomic():
        if mail.release():
            attempt.note(Event.REMINDED, at=now, actor=Actor.SYSTEM)


def stop_reminders(*, customer: PoderoUser, now: datetime) -> None:
    """Remind the customer of nothing that was agreed to before now. Repeatable.

    When it was first asked for stays, until a newer consent asks for a reminder again.
    """
    asked_since = Q(
        consents__allows_reminder=True, consents__given_at__gt=F("reminders_stopped_at")
    )
    rows = PoderoUser.objects.filter(Q(reminders_stopped_at=None) | asked_since, pk=customer.pk)
    PoderoUser.objects.filter(pk__in=rows.values("pk")).update(reminders_stopped_at=now)


def stop_token(consent: Consent) -> str:
    """What stands in the address to stop reminders: good for that, and for nothing else."""
    return _signer.sign(consent.reference.hex)


def customer_of(token: str) -> PoderoUser | None:
    """Whose reminders the token stops; None when nothing is held about them any more.

    Raises UnknownToken.
    """
    try:
        reference = UUID(_signer.unsign(token))
    except BadSignature as error:
        raise UnknownToken from error
    return PoderoUser.objects.filter(consents__reference=reference).first()
