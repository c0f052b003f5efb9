from __future__ import annotations

from contextlib import suppress
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
        # Once more for when another process makes the row in between.
        for _round in range(2):
            running = own.filter(started_at__gt=now - period, count__lt=at_most)
            if running.update(count=F("count") + 1):
                return None
            if own.filter(started_at__lte=now - period).update(started_at=now, count=1):
                return None
            row = own.first()
            if row is not None and row.count >= at_most:
                return row.started_at + period
            if row is None:
                with suppress(IntegrityError), transaction.atomic():
                    cls.objects.create(digest=digest, started_at=now)
                    return None
        return None
