"""Send what is to be sent, once, and never while a customer waits for it."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Protocol

from onboarding.flows import passes, reminders, schedule
from onboarding.models import Mail

logger = logging.getLogger(__name__)

# With a ceiling of six hours between tries this is about four days.
MAX_TRIES = 25


class NotSent(Exception):
    """A mail could not be handed to the mail server.

    `is_final`: it never will be, for example because there is no such address. `is_in_doubt`: it
    may have been after all, because the line broke before the server had answered.
    """

    def __init__(self, *, is_final: bool = False, is_in_doubt: bool = False) -> None:
        super().__init__("refused for good" if is_final else "not handed over")
        self.is_final = is_final
        self.is_in_doubt = is_in_doubt


class Post(Protocol):
    """Writes mails and hands them to a mail server."""

    def send(self, mail: Mail) -> None:
        """Raises NotSent."""


def send_due_mails(*, post: Post, now: datetime) -> int:
    """Send what is due; returns how many rows were taken up.

    After a few in a row that could not be sent, the mail server is taken to be away.
    """
    return passes.take_up_each(
        Mail.objects.due(now=now).select_related("consent__podero_user", "consent__text"),
        lambda mail, at: send_mail(post=post, mail=mail, now=at),
        put_off=lambda row, at: row.put_off(now=at),
        now=now,
    )


def send_mail(*, post: Post, mail: Mail, now: datetime) -> bool:
    """Send one mail; otherwise plan the next try. False when the mail server was of no help.

    A process that is killed after sending and before recording sends a receipt a second time. A
    reminder is never sent twice; it may be lost.
    """
    if not mail.claim(now=now):
        return True
    if mail.kind == Mail.Kind.REMINDER:
        return _send_reminder(post=post, mail=mail, now=now)
    try:
        post.send(mail)
    except NotSent as error:
        _record_not_sent(mail, error, now=now)
        return error.is_final
    mail.release(sent_at=now, next_try_at=None)
    return True


def _send_reminder(*, post: Post, mail: Mail, now: datetime) -> bool:
    attempt = reminders.attempt_to_remind_of(consent_id=mail.consent_id, now=now)
    when = attempt.started_at + reminders.AFTER if attempt else None
    if attempt is None or when is None or when > now:
        # There is nothing left to remind of, or it was started anew meanwhile.
        mail.release(next_try_at=when)
        return True
    mail.consent = attempt.consent
    if not mail.write_off(at=now):
        return True
    try:
        post.send(mail)
    except NotSent as error:
        if not error.is_in_doubt:
            _record_not_sent(mail, error, now=now)
            return error.is_final
    reminders.record_reminded(mail=mail, attempt=attempt, now=now)
    return True


def _record_not_sent(mail: Mail, error: NotSent, *, now: datetime) -> None:
    tries = mail.tries + 1
    when = schedule.next_try(now=now, tries=tries, first_seconds=60, ceiling_seconds=6 * 3600)
    is_over = error.is_final or tries >= MAX_TRIES
    mail.release(sent_at=None, tries=tries, next_try_at=None if is_over else when)
    logger.warning(
        "Mail could not be sent",
        extra={"consent": mail.consent.reference, "mail": mail.kind, "reason": str(error)},
    )
