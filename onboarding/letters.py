"""Mails: their words from templates, on their way over the configured mail server."""

from __future__ import annotations

import html
import re
from smtplib import (
    SMTPException,
    SMTPNotSupportedError,
    SMTPRecipientsRefused,
    SMTPResponseException,
)
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone, translation

from onboarding.branding import brand
from onboarding.flows import reminders, withdrawal
from onboarding.flows.mails import NotSent
from onboarding.models import Consent, Mail
from onboarding.models.devices import makers_of
from onboarding.models.seals import Mark


class MailServer:
    """The mail server of EMAIL_URL."""

    def send(self, mail: Mail) -> None:
        """Raises NotSent."""
        message = compose(mail)
        connection = get_connection()
        is_connected = False
        try:
            connection.open()
            is_connected = True
            connection.send_messages([message])
        except SMTPRecipientsRefused as error:
            codes = [code for code, _words in error.recipients.values()]
            raise NotSent(is_final=all(code >= 500 for code in codes)) from error
        except (OSError, SMTPException) as error:
            # Without an answer to what was sent the server may have taken it.
            is_answered = isinstance(error, SMTPResponseException | SMTPNotSupportedError)
            raise NotSent(is_in_doubt=is_connected and not is_answered) from error
        finally:
            connection.close()


def mail_server() -> MailServer | None:
    """Where mails go; nowhere when EMAIL_URL is not set."""
    return MailServer() if settings.IS_MAIL_ON else None


def compose(mail: Mail) -> EmailMessage:
    """The mail in the language of the consent and the time of its customer."""
    customer = mail.consent.podero_user
    with translation.override(mail.consent.text.language), timezone.override(customer.timezone):
        context = _context(mail)
        subject = render_to_string(f"onboarding/mails/{mail.kind}_subject.txt", context)
        body = render_to_string(f"onboarding/mails/{mail.kind}.txt", context)
        return EmailMessage(
            subject=" ".join(subject.split()),
            body=re.sub(r"\n{3,}", "\n\n", body).strip() + "\n",
            to=[customer.email],
            reply_to=[settings.SUPPORT_EMAIL] if settings.SUPPORT_EMAIL else None,
            # Machines that answer by themselves leave such a mail alone: RFC 3834.
            headers={"Auto-Submitted": "auto-generated", **_way_out(mail, context)},
        )


def _way_out(mail: Mail, context: dict[str, Any]) -> dict[str, str]:
    """What lets a mail program offer "unsubscribe" in one click: RFC 8058."""
    if mail.kind != Mail.Kind.REMINDER:
        return {}
    return {
        "List-Unsubscribe": f"<{context['stop_address']}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }


def _context(mail: Mail) -> dict[str, Any]:
    consent = mail.consent
    if mail.kind == Mail.Kind.REMINDER:
        return _reminder_context(consent)
    if mail.kind == Mail.Kind.WITHDRAWAL:
        return _withdrawal_context(mail)
    return {
        **brand(),
        "consent": consent,
        "customer": consent.podero_user,
        # Words that are not those that were stored are not sent as if they were.
        "words": plain(consent.text.body) if consent.examine() is Mark.INTACT else "",
        "address": settings.SITE_URL + reverse("receipt", args=[consent.reference]),
        "withdraw_address": settings.SITE_URL + reverse("leave"),
    }


def _reminder_context(consent: Consent) -> dict[str, Any]:
    attempt = consent.attempts.latest("pk")
    stop_path = reverse("stop_reminders", args=[reminders.stop_token(consent)])
    return {
        **brand(),
        "consent": consent,
        "attempt": attempt,
        "address": settings.SITE_URL + reverse("attempt", args=[attempt.reference]),
        "stop_address": settings.SITE_URL + stop_path,
    }


def _withdrawal_context(mail: Mail) -> dict[str, Any]:
    customer, consent = mail.consent.podero_user, mail.consent.reference
    ended = withdrawal.acknowledge(customer=customer, consent=consent, now=timezone.now())
    if ended is None:
        raise ValueError("acknowledgement of a withdrawal that was none")
    return {
        **brand(),
        "customer": customer,
        "ended": ended,
        "remains": plain(
            render_to_string(
                "onboarding/partials/_maker_access.html", {"makers": makers_of(ended.devices)}
            )
        ),
        "address": settings.SITE_URL + reverse("withdrawal", args=[mail.consent.reference]),
    }


def plain(body: str) -> str:
    """The same words without marks, for a mail."""
    text = re.sub(r"\s+", " ", body)
    text = re.sub(r"<li>\s*", "\n- ", text)
    text = re.sub(r"<(h\d|p|ul|/ul)>\s*", "\n\n", text)
    text = html.unescape(re.sub(r"<[^>]+>", "", text))
    lines = [line.strip() for line in text.splitlines()]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
