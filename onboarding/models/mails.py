from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from onboarding.models.claims import Claimable
from onboarding.models.consents import Consent


class MailQuerySet(models.QuerySet["Mail"]):
    def due(self, *, now: datetime) -> MailQuerySet:
        # In the order of the index: by primary key, databases walk through all that was ever sent.
        return self.filter(sent_at=None, next_try_at__lte=now).order_by("next_try_at", "pk")


class Mail(Claimable):
    """A mail about a consent that is to be sent, or was; at most one of each kind.

    The acknowledgement of a withdrawal hangs on the newest of the consents that it ended. What a
    mail says is written when it is sent, so that nothing is kept here but that it was.
    """

    class Kind(models.TextChoices):
        RECEIPT = "receipt", _("receipt")
        REMINDER = "reminder", _("reminder")
        WITHDRAWAL = "withdrawal", _("acknowledgement of withdrawal")

    consent = models.ForeignKey(
        Consent, on_delete=models.CASCADE, related_name="mails", verbose_name=_("consent")
    )
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    sent_at = models.DateTimeField(_("sent"), null=True, blank=True)

    objects = MailQuerySet.as_manager()

    class Meta:
        verbose_name = _("mail")
        verbose_name_plural = _("mails")
        indexes = (
            models.Index(
                fields=["next_try_at"],
                condition=models.Q(next_try_at__isnull=False),
                name="mail_due",
            ),
            models.Index(
                fields=["claimed_at"],
                condition=models.Q(claimed_at__isnull=False),
                name="mail_claimed",
            ),
        )
        constraints = (
            models.UniqueConstraint(fields=["consent", "kind"], name="one_mail_of_a_kind"),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.consent_id}"

    def write_off(self, *, at: datetime) -> bool:
        """Count the mail as sent before it goes: whatever happens then, it does not go twice.

        False when the claim was lost.
        """
        fields = {"sent_at": at, "next_try_at": None}
        if not Mail.objects.filter(pk=self.pk, claimed_at=self.claimed_at).update(**fields):
            return False
        self._set(**fields)
        return True

    def claim_guard(self) -> dict[str, Any]:
        return {"sent_at": None}
