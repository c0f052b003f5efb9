from __future__ import annotations

from django.db import models


class UsedHandoff(models.Model):
    """A portal token that has signed somebody in, kept until it could not be used again anyway."""

    digest = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.digest[:8]
