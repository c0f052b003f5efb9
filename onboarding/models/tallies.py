from __future__ import annotations

from datetime import datetime, timedelta

from django.db import IntegrityError, models, transaction
from django.db.models import F


class Tally(models.Model):
    """How often something happened within a stretch of time, counted by all processes together.

    `digest` stands for whom it happened to; see `flows/throttling.py`. A tally that is full is
    not written to any more, so that nobody can keep the database busy with it.
    """

    digest = models.CharField(max_length=64, unique=True)
    started_at = models.DateTimeField(db_index=True)
    count = models.PositiveIntegerField(default=1)

    def __str__(self) -> str:
        return f"{self.digest[:8]}: {self.count}"

    @classmethod
    def add(cls, digest: str, *, at_most: int, period: timedelta, now: datetime) -> datetime | None:
        """Count once more; when the tally was full before, the moment at which it starts anew."""
        own = cls.objects.filter(digest=digest)
        is_running = {"started_at__gt": now - period}
        if own.filter(**is_running, count__lt=at_most).update(count=F("count") + 1):
            return None
        if own.filter(started_at__lte=now - period).update(started_at=now, count=1):
            return None
        try:
            with transaction.atomic():
                row, is_new = own.get_or_create(digest=digest, defaults={"started_at": now})
        except IntegrityError:
            return None
        return None if is_new else row.started_at + period
