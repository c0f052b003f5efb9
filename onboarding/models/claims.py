"""Claim → call → record: how a row is held while Podero is asked, outside any transaction."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

# Longer than all calls of one flow together; after it a claim counts as left by a killed process.
CLAIM_LIFETIME = timedelta(minutes=2)
# A row that others move at the same moment is looked at anew this often.
MOVES_AT_ONCE = 3
# So long may the calls of a flow take that makes many.
CLAIMED_SECONDS = 100


def unclaimed(now: datetime) -> Q:
    return Q(claimed_at=None) | left_behind(now)


def left_behind(now: datetime) -> Q:
    """Claims of processes that must be gone, and those of a clock that has been set back since."""
    return Q(claimed_at__lt=now - CLAIM_LIFETIME) | Q(claimed_at__gt=now + CLAIM_LIFETIME)


def is_recent(claimed_at: datetime | None, *, now: datetime) -> bool:
    """Whether the process that claimed then is taken to be alive still."""
    return claimed_at is not None and abs(now - claimed_at) <= CLAIM_LIFETIME


def pause_after(tries: int) -> timedelta:
    """Before the next try at a row with which something is wrong that nobody has thought of."""
    return min(timedelta(minutes=2 << min(tries, 20)), timedelta(days=1))


class Claimable(models.Model):
    """A row of which one process at a time may ask Podero.

    `claimed_at` is both the mark and the proof: whoever records an outcome names the moment of
    its own claim, so a process that lost its claim meanwhile changes nothing.
    """

    claimed_at = models.DateTimeField(
        _("being worked on since"), null=True, blank=True, editable=False
    )
    tries = models.PositiveIntegerField(_("tries"), default=0, editable=False)
    next_try_at = models.DateTimeField(_("due next"), null=True, blank=True, editable=False)

    class Meta:
        abstract = True

    def claim(self, *, now: datetime, **also: Any) -> bool:
        """Take the row for one flow; False when another process holds it or it has moved on."""
        rows = type(self)._default_manager.filter(unclaimed(now), pk=self.pk, **self.claim_guard())
        if not rows.update(claimed_at=now, **also):
            return False
        self._set(claimed_at=now, **also)
        return True

    def claim_guard(self) -> dict[str, Any]:
        """What must still hold in the database for a claim on this copy to be worth anything."""
        return {}

    def release(self, **fields: Any) -> bool:
        """Give the claim back and record `fields` with it; False when it was lost meanwhile."""
        rows = type(self)._default_manager.filter(pk=self.pk, claimed_at=self.claimed_at)
        if self.claimed_at is None or not rows.update(claimed_at=None, **fields):
            return False
        self._set(claimed_at=None, **fields)
        return True

    def put_off(self, *, now: datetime) -> None:
        """It could not be worked on, and nobody knows why: the next time later, at last once a day."""
        later = now + pause_after(self.tries)
        still_due = type(self)._default_manager.filter(pk=self.pk, next_try_at__lte=now)
        still_due.update(next_try_at=later, tries=F("tries") + 1)

    def _set(self, **fields: Any) -> None:
        for name, value in fields.items():
            setattr(self, name, value)
