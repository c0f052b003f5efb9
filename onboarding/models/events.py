from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from django.core.exceptions import EmptyResultSet
from django.db import connection, models
from django.db.models import F, Value
from django.utils.translation import gettext_lazy as _

from onboarding.models.append_only import AppendOnly, AppendOnlyQuerySet
from onboarding.states import Actor, Event, FailureCode, State

if TYPE_CHECKING:
    from onboarding.models.attempt_queries import OnboardingSessionQuerySet


class SessionEventQuerySet(AppendOnlyQuerySet["SessionEvent"]):
    def tell(
        self,
        attempts: OnboardingSessionQuerySet,
        event: Event,
        *,
        at: datetime,
        to: State | None = None,
        failure_code: str = "",
    ) -> None:
        """Write a line into the timeline of each; without `to` none of them moves.

        The rows do not come here: INSERT … SELECT, which Django has no words for.
        """
        columns: dict[str, F | Value] = {
            "attempt_id": F("pk"),
            "at": Value(at, models.DateTimeField()),
            "event": Value(event),
            "actor": Value(Actor.SYSTEM),
            "state_before": F("state"),
            "state_after": Value(to) if to else F("state"),
            "failure_code": Value(failure_code),
        }
        try:
            lines, params = attempts.values_list(*columns.values()).query.sql_with_params()
        except EmptyResultSet:
            return
        into = f"INSERT INTO {self.model._meta.db_table} ({', '.join(columns)}) "
        with connection.cursor() as cursor:
            cursor.execute(into + lines, params)


class SessionEvent(AppendOnly):
    """One line of an attempt's timeline: who, what, why. Only ever added."""

    attempt = models.ForeignKey(
        "OnboardingSession", on_delete=models.CASCADE, db_index=False, related_name="events"
    )
    at = models.DateTimeField(_("when"))
    event = models.CharField(_("what"), max_length=24, choices=Event.choices)
    actor = models.CharField(_("who"), max_length=10, choices=Actor.choices)
    state_before = models.CharField(max_length=10, choices=State.choices, blank=True)
    state_after = models.CharField(_("state"), max_length=10, choices=State.choices)
    failure_code = models.CharField(
        _("reason"), max_length=20, choices=FailureCode.choices, blank=True
    )
    podero_status = models.PositiveSmallIntegerField(_("Podero's answer"), null=True, blank=True)

    objects = SessionEventQuerySet.as_manager()

    class Meta(AppendOnly.Meta):
        verbose_name = _("timeline event")
        verbose_name_plural = _("timeline")
        indexes = (
            models.Index(fields=["attempt", "id"], name="event_of_attempt"),
            models.Index(fields=["at"], name="event_at"),
        )

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.event}"
