from __future__ import annotations

from datetime import datetime

from django.db import models
from django.utils.translation import gettext_lazy as _


class JobRun(models.Model):
    """When a scheduled job last did its work, kept here so that any process can tell."""

    name = models.CharField(_("job"), max_length=60, primary_key=True)
    succeeded_at = models.DateTimeField(_("last success"))

    class Meta:
        verbose_name = _("job run")
        verbose_name_plural = _("job runs")

    def __str__(self) -> str:
        return f"{self.name} {self.succeeded_at:%Y-%m-%d %H:%M:%S}"

    @classmethod
    def record_success(cls, name: str, *, at: datetime) -> None:
        if not cls.objects.filter(pk=name).update(succeeded_at=at):
            cls.objects.get_or_create(pk=name, defaults={"succeeded_at": at})
