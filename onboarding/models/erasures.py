from __future__ import annotations

from collections import Counter
from datetime import date

from django.db import models, transaction
from django.db.models import F
from django.utils.translation import gettext_lazy as _


class ErasedCount(models.Model):
    """How many rows of a kind were erased on a day (UTC): a trace without people."""

    day = models.DateField(_("day"))
    kind = models.CharField(_("kind"), max_length=60)
    count = models.PositiveIntegerField(_("number"), default=0)

    class Meta:
        verbose_name = _("erased count")
        verbose_name_plural = _("erased counts")
        constraints = (
            models.UniqueConstraint(fields=["day", "kind"], name="one_count_per_day_and_kind"),
        )

    def __str__(self) -> str:
        return f"{self.day} {self.kind}: {self.count}"

    @classmethod
    def add(cls, counts: Counter[str], *, day: date) -> None:
        with transaction.atomic():
            for kind, count in sorted(counts.items()):
                row, _is_new = cls.objects.get_or_create(day=day, kind=kind)
                cls.objects.filter(pk=row.pk).update(count=F("count") + count)
