from __future__ import annotations

from datetime import date

from django.db import models, transaction
from django.db.models import F
from django.utils.translation import gettext_lazy as _


class LeavingReason(models.Model):
    """How often an answer to "What got in the way?" was given on a day (UTC).

    Numbers without people: nothing leads from a row to whoever answered.
    """

    class Reason(models.TextChoices):
        SAVINGS = "savings", _("It did not save enough")
        COMFORT = "comfort", _("The device did not do what was needed")
        TROUBLE = "trouble", _("It did not work, or was too much trouble")
        TRUST = "trust", _("Rather not have devices controlled or data exchanged")
        MOVED = "moved", _("Moved, or no longer has the device")
        OTHER = "other", _("Something else")
        NOT_SAID = "not_said", _("Rather not said")

    day = models.DateField(_("day"))
    reason = models.CharField(_("reason"), max_length=10, choices=Reason.choices)
    count = models.PositiveIntegerField(_("number"), default=0)

    class Meta:
        verbose_name = _("reason for leaving")
        verbose_name_plural = _("reasons for leaving")
        constraints = (
            models.UniqueConstraint(fields=["day", "reason"], name="one_count_per_day_and_reason"),
        )

    def __str__(self) -> str:
        return f"{self.day} {self.reason}: {self.count}"

    @classmethod
    def add(cls, reason: Reason, *, day: date) -> None:
        with transaction.atomic():
            row, _is_new = cls.objects.get_or_create(day=day, reason=reason)
            cls.objects.filter(pk=row.pk).update(count=F("count") + 1)
