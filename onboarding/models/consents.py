from __future__ import annotations

import hashlib
import uuid
from datetime import datetime
from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from onboarding.models.podero_users import PoderoUser


class ConsentTextQuerySet(models.QuerySet["ConsentText"]):
    def of(self, *, version: str, language: str, body: str) -> ConsentText:
        """The row for these exact words, stored the first time they are agreed to."""
        text, _created = self.get_or_create(
            digest=digest_of(body),
            defaults={"version": version, "language": language, "body": body},
        )
        return text


def digest_of(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()


class ConsentText(models.Model):
    """The exact words of a consent, once per wording."""

    digest = models.CharField(max_length=64, unique=True, editable=False)
    version = models.CharField(_("version"), max_length=20)
    language = models.CharField(_("language"), max_length=35)
    body = models.TextField(_("words as shown"))

    objects = ConsentTextQuerySet.as_manager()

    class Meta:
        verbose_name = _("consent text")
        verbose_name_plural = _("consent texts")

    def __str__(self) -> str:
        return f"{self.version} {self.language} {self.digest[:8]}"


class Consent(models.Model):
    """Who agreed to which words, when and through which channel. Rows are never edited,
    but for the moment of withdrawal."""

    reference = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    podero_user = models.ForeignKey(
        PoderoUser, on_delete=models.PROTECT, related_name="consents", verbose_name=_("customer")
    )
    text = models.ForeignKey(ConsentText, on_delete=models.PROTECT, verbose_name=_("text"))
    allows_control = models.BooleanField(_("control of devices"))
    allows_data_exchange = models.BooleanField(_("exchange of data"))
    channel = models.CharField(_("channel"), max_length=20, default="web")
    given_at = models.DateTimeField(_("given"))
    withdrawn_at = models.DateTimeField(_("withdrawn"), null=True, blank=True)

    class Meta:
        verbose_name = _("consent")
        verbose_name_plural = _("consents")
        constraints = (
            models.CheckConstraint(
                condition=models.Q(allows_control=True, allows_data_exchange=True),
                name="consent_is_to_both",
            ),
        )

    def __str__(self) -> str:
        return str(self.reference)

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("A consent is never changed; withdraw it and ask again.")
        super().save(*args, **kwargs)

    @classmethod
    def withdraw_all(cls, podero_user: PoderoUser, *, at: datetime) -> int:
        return cls.objects.filter(podero_user=podero_user, withdrawn_at=None).update(
            withdrawn_at=at
        )
