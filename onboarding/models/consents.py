from __future__ import annotations

import hashlib
import uuid
from datetime import UTC, datetime
from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from onboarding.models import seals
from onboarding.models.append_only import AppendOnly, AppendOnlyQuerySet
from onboarding.models.podero_users import PoderoUser

# Counted up when the meaning of the words changes, not for a corrected letter. What has changed is
# said in templates/onboarding/consent_changes/<version>.html.
CONSENT_VERSION = 1

CHOICES = ("allows_control", "allows_data_exchange", "allows_reminder")


class ConsentTextQuerySet(AppendOnlyQuerySet["ConsentText"]):
    def of(self, *, version: str, language: str, body: str) -> ConsentText:
        """The row for these exact words, stored the first time they are agreed to."""
        text, _created = self.get_or_create(
            version=version, language=language, digest=digest_of(body), defaults={"body": body}
        )
        return text


def digest_of(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()


class ConsentText(AppendOnly):
    """The exact words of a consent, once per version, language and wording."""

    digest = models.CharField(max_length=64, editable=False)
    version = models.CharField(_("version"), max_length=20)
    language = models.CharField(_("language"), max_length=35)
    body = models.TextField(_("words as shown"))

    objects = ConsentTextQuerySet.as_manager()

    class Meta(AppendOnly.Meta):
        verbose_name = _("consent text")
        verbose_name_plural = _("consent texts")
        constraints = (
            models.UniqueConstraint(
                fields=["version", "language", "digest"], name="consent_text_is_kept_once"
            ),
        )

    def __str__(self) -> str:
        return f"{self.version} {self.language} {self.digest[:8]}"


class ConsentQuerySet(AppendOnlyQuerySet["Consent"]):
    def with_evidence(self) -> ConsentQuerySet:
        """With all that the seals are about, in one query."""
        return self.select_related("podero_user", "text")

    def withdraw(self, *, at: datetime) -> int:
        """Write down that these ended, each under a seal of its own; returns how many did."""
        ended = 0
        for consent in self.filter(withdrawn_at=None).order_by("pk"):
            row = Consent.objects.filter(pk=consent.pk, withdrawn_at=None)
            ended += models.QuerySet.update(
                row, withdrawn_at=at, withdrawal_seal=seals.seal(consent.withdrawal_facts(at))
            )
        return ended


class Consent(AppendOnly):
    """Who agreed to which words, when and through which channel. Rows are never edited,
    but for the moment of withdrawal.

    `seal` is over everything that was agreed; `withdrawal_seal` over the withdrawal and the first
    seal, so that a withdrawal leaves the evidence of the agreement as it was.
    """

    reference = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    podero_user = models.ForeignKey(
        PoderoUser, on_delete=models.PROTECT, related_name="consents", verbose_name=_("customer")
    )
    text = models.ForeignKey(ConsentText, on_delete=models.PROTECT, verbose_name=_("text"))
    allows_control = models.BooleanField(_("control of devices"))
    allows_data_exchange = models.BooleanField(_("exchange of data"))
    allows_reminder = models.BooleanField(_("one reminder"), default=False)
    channel = models.CharField(_("channel"), max_length=20, default="web")
    given_at = models.DateTimeField(_("given"))
    withdrawn_at = models.DateTimeField(_("withdrawn"), null=True, blank=True)
    seal = models.CharField(max_length=80, editable=False)
    withdrawal_seal = models.CharField(max_length=80, blank=True, editable=False)

    objects = ConsentQuerySet.as_manager()

    class Meta(AppendOnly.Meta):
        verbose_name = _("consent")
        verbose_name_plural = _("consents")
        indexes = (
            models.Index(
                fields=["withdrawn_at"],
                condition=models.Q(withdrawn_at__isnull=False),
                name="consent_withdrawn",
            ),
            models.Index(fields=["given_at"], name="consent_given"),
        )
        constraints = (
            models.CheckConstraint(
                condition=models.Q(allows_control=True, allows_data_exchange=True),
                name="consent_is_to_both",
            ),
            models.CheckConstraint(condition=~models.Q(seal=""), name="consent_is_sealed"),
            models.CheckConstraint(
                condition=models.Q(withdrawn_at=None, withdrawal_seal="")
                | models.Q(withdrawn_at__isnull=False) & ~models.Q(withdrawal_seal=""),
                name="withdrawal_is_sealed",
            ),
        )

    def __str__(self) -> str:
        return str(self.reference)

    def save(self, **options: Any) -> None:
        if self._state.adding:
            self.seal = seals.seal(self.facts())
            if self.withdrawn_at is not None:
                self.withdrawal_seal = seals.seal(self.withdrawal_facts(self.withdrawn_at))
        super().save(**options)

    @property
    def is_outdated(self) -> bool:
        """Whether the words mean something else by now than what was agreed to."""
        return self.text.version != str(CONSENT_VERSION)

    def facts(self) -> dict[str, Any]:
        """What the seal is over. A choice that is not ticked is left out, so that a choice that
        is added later leaves older seals good."""
        return {
            "consent": str(self.reference),
            "customer": str(self.podero_user.reference),
            "customer_number": self.podero_user.external_user_id,
            "words": digest_of(self.text.body),
            "version": self.text.version,
            "language": self.text.language,
            "choices": [choice for choice in CHOICES if getattr(self, choice)],
            "given_at": _instant(self.given_at),
            "channel": self.channel,
        }

    def withdrawal_facts(self, at: datetime) -> dict[str, Any]:
        return {"withdrawn_at": _instant(at), "seal": self.seal}

    def examine(self) -> seals.Mark:
        """Whether the row, its words and its withdrawal are as they were written."""
        if self.text.digest != digest_of(self.text.body):
            return seals.Mark.CHANGED
        mark = seals.examine(self.seal, self.facts())
        if mark is not seals.Mark.INTACT:
            return mark
        if self.withdrawn_at is None:
            is_changed = self.withdrawal_seal or self._was_withdrawn
            return seals.Mark.CHANGED if is_changed else seals.Mark.INTACT
        return seals.examine(self.withdrawal_seal, self.withdrawal_facts(self.withdrawn_at))

    @property
    def _was_withdrawn(self) -> bool:
        """Whether the customer has left since, although the row does not say so any more."""
        left_at = self.podero_user.withdrawn_at
        return left_at is not None and left_at >= self.given_at


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
