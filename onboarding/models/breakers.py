from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Coalesce, Greatest, Least
from django.utils.translation import gettext_lazy as _

# The breaker opens when, within one window, so many calls failed and so large a share of all that
# was reported.
WINDOW = timedelta(seconds=30)
FAILURES_TO_OPEN = 5
SHARE_TO_OPEN = 2  # one in so many

FIRST_PERIOD = timedelta(seconds=5)
LONGEST_PERIOD = timedelta(seconds=60)
# What Podero asks for is obeyed up to here; then one call asks whether it still holds.
LONGEST_PAUSE = timedelta(minutes=5)
# What lies further ahead was written before the clock was set back, and says nothing any more.
LONGEST_AHEAD = LONGEST_PAUSE + timedelta(minutes=1)


class Breaker(models.Model):
    """Whether Podero is to be called at all: one row, shared by all processes on all machines.

    Closed while `open_until` is empty. Until that moment nobody calls; after it one call at a time
    is let through to find out (a probe), and its outcome closes the breaker or opens it for longer.
    A probe whose process was killed gives way to another one at `probe_until`.
    """

    class Reason(models.TextChoices):
        FAILING = "failing", _("Podero is failing")
        TOLD = "told", _("Podero asked us to wait")

    ONLY = 1

    window_started_at = models.DateTimeField(editable=False)
    calls = models.PositiveIntegerField(default=0, editable=False)
    failures = models.PositiveIntegerField(default=0, editable=False)
    reason = models.CharField(max_length=10, choices=Reason.choices, blank=True, editable=False)
    opened_at = models.DateTimeField(null=True, editable=False)
    open_until = models.DateTimeField(null=True, editable=False)
    openings = models.PositiveIntegerField(default=0, editable=False)
    probe = models.UUIDField(null=True, editable=False)
    probe_until = models.DateTimeField(null=True, editable=False)
    closed_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = _("breaker")
        verbose_name_plural = _("breakers")
        constraints = (
            models.CheckConstraint(condition=Q(pk=1), name="there_is_one_breaker"),
            models.CheckConstraint(
                condition=Q(probe=None) | Q(open_until__isnull=False),
                name="only_an_open_breaker_is_probed",
            ),
        )

    def __str__(self) -> str:
        return self.reason or "closed"

    @property
    def is_open(self) -> bool:
        """Whether calls are held back, but for a probe."""
        return self.open_until is not None

    def seconds_left(self, *, now: datetime) -> float:
        """For how long nobody may call at all; 0 or less: a probe is due."""
        if self.open_until is None or self.open_until > now + LONGEST_AHEAD:
            return 0
        return (self.open_until - now).total_seconds()

    def is_probed(self, *, now: datetime) -> bool:
        """Whether a probe is under way."""
        return self.probe_until is not None and now < self.probe_until <= now + LONGEST_AHEAD

    @classmethod
    def now_known(cls) -> Breaker:
        """The row; closed where there is none yet."""
        row = cls._rows().first()
        return row or cls(pk=cls.ONLY, window_started_at=datetime.min)  # noqa: DTZ901

    @classmethod
    def record(cls, *, calls: int, failures: int, entered_at: datetime, now: datetime) -> bool:
        """Add finished calls to the window; True when that opened the breaker.

        Calls that began before it closed tell of the time before.
        """
        rows = cls._rows()
        counted = rows.filter(
            Q(closed_at=None) | Q(closed_at__lt=entered_at) | Q(closed_at__gt=now + LONGEST_AHEAD),
            open_until=None,
        )
        is_this_one = Q(
            window_started_at__gt=now - WINDOW, window_started_at__lte=now + LONGEST_AHEAD
        )
        window, older = counted.filter(is_this_one), counted.exclude(is_this_one)
        more = {"calls": F("calls") + calls, "failures": F("failures") + failures}
        if not window.update(**more) and not older.update(
            window_started_at=now, calls=calls, failures=failures
        ):
            # There was no row yet, or another process has just begun the window.
            cls.objects.get_or_create(pk=cls.ONLY, defaults={"window_started_at": now})
            window.update(**more)
        failing = rows.filter(
            open_until=None,
            failures__gte=FAILURES_TO_OPEN,
            calls__lte=F("failures") * SHARE_TO_OPEN,
        )
        return bool(
            failing.update(
                reason=cls.Reason.FAILING,
                opened_at=now,
                open_until=now + FIRST_PERIOD,
                openings=1,
            )
        )

    @classmethod
    def pause(cls, *, seconds: float, now: datetime) -> None:
        """Podero asked to wait: nobody calls before that, nor before what was said earlier."""
        until = now + min(timedelta(seconds=seconds), LONGEST_PAUSE)
        cls.objects.get_or_create(pk=cls.ONLY, defaults={"window_started_at": now})
        cls._rows().filter(Q(open_until=None) | Q(open_until__lt=until)).update(
            reason=cls.Reason.TOLD,
            opened_at=Coalesce("opened_at", now),
            open_until=until,
        )

    @classmethod
    def take_probe(cls, *, lease_seconds: float, now: datetime) -> uuid.UUID | None:
        """Leave to make one call although the breaker is open; None: it is not our turn."""
        probe = uuid.uuid4()
        rows = cls._rows().filter(
            Q(probe=None) | Q(probe_until__lte=now) | Q(probe_until__gt=now + LONGEST_AHEAD),
            Q(open_until__lte=now) | Q(open_until__gt=now + LONGEST_AHEAD),
        )
        is_ours = rows.update(probe=probe, probe_until=now + timedelta(seconds=lease_seconds))
        return probe if is_ours else None

    @classmethod
    def give_probe_back(cls, probe: uuid.UUID) -> None:
        """The probe has told nothing: somebody else may try."""
        cls._rows().filter(probe=probe).update(probe=None, probe_until=None)

    @classmethod
    def close(cls, probe: uuid.UUID, *, now: datetime) -> bool:
        """The probe came through; False when our turn had passed to another one."""
        return bool(
            cls._rows()
            .filter(probe=probe)
            .update(
                reason="",
                opened_at=None,
                open_until=None,
                openings=0,
                probe=None,
                probe_until=None,
                closed_at=now,
                window_started_at=now,
                calls=0,
                failures=0,
            )
        )

    @classmethod
    def reopen(cls, probe: uuid.UUID, *, at_least_seconds: float, now: datetime) -> None:
        """The probe failed: wait twice as long as the last time, up to a ceiling."""
        row = cls._rows().filter(probe=probe).first()
        if row is None:
            return
        asked = min(timedelta(seconds=at_least_seconds), LONGEST_PAUSE)
        period = min(FIRST_PERIOD * 2 ** min(row.openings, 10), LONGEST_PERIOD)
        is_told = asked > period
        cls._rows().filter(probe=probe).update(
            reason=cls.Reason.TOLD if is_told else cls.Reason.FAILING,
            open_until=Least(
                Greatest(F("open_until"), now + max(asked, period)), now + LONGEST_PAUSE
            ),
            openings=F("openings") + 1,
            probe=None,
            probe_until=None,
        )

    @classmethod
    def _rows(cls) -> models.QuerySet[Breaker]:
        return cls.objects.filter(pk=cls.ONLY)
