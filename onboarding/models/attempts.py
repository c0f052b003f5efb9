from __future__ import annotations

import uuid
from datetime import date, datetime, time, timedelta
from datetime import timezone as fixed_zone
from typing import TYPE_CHECKING, Any

from django.db import models, transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from onboarding.models.attempt_queries import LATE, OnboardingSessionQuerySet
from onboarding.models.claims import Claimable
from onboarding.models.consents import Consent
from onboarding.models.events import SessionEvent
from onboarding.models.podero_users import PoderoUser
from onboarding.podero import DeviceType
from onboarding.states import (
    AWAITING_DEVICE,
    FINAL,
    Actor,
    Event,
    FailureCode,
    State,
    sources_of,
)

if TYPE_CHECKING:
    from onboarding.models.devices import Device

DEVICE_TYPES = [
    (DeviceType.EV.value, _("electric car")),
    (DeviceType.HP.value, _("heat pump")),
    (DeviceType.IV.value, _("solar inverter")),
    (DeviceType.WB.value, _("wallbox")),
]


# An address opened again and again by a scanner is written down this often at the most.
SIGHTING_INTERVAL = timedelta(minutes=1)


class InvalidTransition(Exception):
    """The attempt is not, or no longer, in a state from which it could be moved."""

    def __init__(self, *, reference: uuid.UUID, to: State) -> None:
        super().__init__(f"attempt {reference} cannot become {to}")


def last_moment_of(expiration_date: date) -> datetime:
    """The latest reading of Podero's bare date: its end in the last time zone on earth.

    Raises OverflowError for the end of all dates.
    """
    end = datetime.combine(expiration_date + timedelta(days=1), time.min)
    return end.replace(tzinfo=fixed_zone(timedelta(hours=-12)))


class OnboardingSession(Claimable):
    """One attempt of a customer to link a device: one consent, one session at Podero.

    `podero_id` is the key to the hosted form while that form lives: it is never logged or shown.
    Of the token in the return addresses only the hash is kept. `foreign_return_at` is when
    another browser than the one that left last came back; it is emptied when the customer has
    vouched for that browser. `next_try_at` is when the row is next due for background work, or for
    the customer's next try while it is `started`.
    """

    reference = models.UUIDField(_("reference"), default=uuid.uuid4, unique=True, editable=False)
    podero_user = models.ForeignKey(
        PoderoUser,
        on_delete=models.PROTECT,
        db_index=False,
        related_name="attempts",
        verbose_name=_("customer"),
    )
    consent = models.ForeignKey(
        Consent, on_delete=models.PROTECT, related_name="attempts", verbose_name=_("consent")
    )
    continues = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="continued_by",
        verbose_name=_("continues"),
    )
    submission = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    device_type = models.CharField(_("device type"), max_length=2, choices=DEVICE_TYPES, blank=True)
    state = models.CharField(
        _("state"), max_length=10, choices=State.choices, default=State.STARTED, editable=False
    )
    failure_code = models.CharField(
        _("reason"), max_length=20, choices=FailureCode.choices, blank=True, editable=False
    )
    podero_id = models.UUIDField(null=True, blank=True, unique=True, editable=False)
    return_token_hash = models.CharField(
        max_length=64, null=True, blank=True, unique=True, editable=False
    )
    expires_at = models.DateTimeField(_("runs out"), null=True, blank=True, editable=False)
    started_at = models.DateTimeField(_("started"), editable=False)
    opened_at = models.DateTimeField(_("sent to Podero"), null=True, blank=True, editable=False)
    returned_at = models.DateTimeField(_("returned"), null=True, blank=True, editable=False)
    returned_device_id = models.UUIDField(null=True, blank=True, editable=False)
    is_return_matched = models.BooleanField(
        _("same browser came back"), default=False, editable=False
    )
    foreign_return_at = models.DateTimeField(
        _("came back elsewhere"), null=True, blank=True, editable=False
    )
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True, editable=False)

    objects = OnboardingSessionQuerySet.as_manager()

    class Meta:
        verbose_name = _("attempt")
        verbose_name_plural = _("attempts")
        indexes = (
            # What waits for the background is few among many: only that is in these.
            models.Index(
                fields=["state", "next_try_at"],
                condition=Q(next_try_at__isnull=False),
                name="attempt_due",
            ),
            models.Index(
                fields=["started_at"], condition=Q(state=State.STARTED), name="attempt_unopened"
            ),
            models.Index(
                fields=["claimed_at"],
                condition=Q(claimed_at__isnull=False),
                name="attempt_claimed",
            ),
            models.Index(
                fields=["podero_user"],
                condition=Q(foreign_return_at__isnull=False),
                name="attempt_elsewhere",
            ),
            models.Index(fields=["started_at"], name="attempt_started"),
            models.Index(fields=["finished_at"], name="attempt_finished"),
            models.Index(fields=["state"], name="attempt_state"),
            models.Index(fields=["podero_user", "-started_at"], name="attempt_of_customer"),
        )
        constraints = (
            models.CheckConstraint(
                condition=models.Q(state__in=State.values), name="attempt_state_is_known"
            ),
            models.CheckConstraint(
                condition=~models.Q(state="failed") | ~models.Q(failure_code=""),
                name="failed_attempt_has_a_reason",
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=["started", "failed", "expired", "cancelled"])
                | models.Q(podero_id__isnull=False),
                name="attempt_beyond_start_has_a_session",
            ),
        )

    def __str__(self) -> str:
        return str(self.reference)

    @property
    def support_code(self) -> str:
        """What customers read out on the phone: the beginning of the reference."""
        return str(self.reference)[:8].upper()

    @property
    def is_final(self) -> bool:
        return self.state in FINAL

    @property
    def has_hosted_session(self) -> bool:
        return self.podero_id is not None

    @property
    def is_awaiting_device(self) -> bool:
        """Whether Podero may still name a device of this attempt that no return has told of."""
        return self.has_hosted_session and self.state in AWAITING_DEVICE

    def may_have_brought(self, device: Device) -> bool:
        """Whether the device turned up with this attempt, or while its form could be finished.

        Where Podero's session of another attempt names it, it was that one.
        """
        if self.pk == device.attempt_id or device.is_named_by_session:
            return self.pk == device.attempt_id
        over_at = self.expires_at or self.started_at
        if self.came_back_elsewhere and self.foreign_return_at is not None:
            over_at = max(over_at, self.foreign_return_at + LATE)
        return self.started_at <= device.linked_at and over_at >= device.linked_after

    @property
    def came_back_elsewhere(self) -> bool:
        """Whether it is among `that_came_back_elsewhere`."""
        return self.foreign_return_at is not None and not self.is_return_matched

    def came_back_elsewhere_since(self, moment: datetime) -> bool:
        came_at = self.foreign_return_at
        return self.came_back_elsewhere and came_at is not None and came_at > moment

    def claim_guard(self) -> dict[str, Any]:
        return {"state": self.state}

    def mark_open(
        self, *, podero_id: uuid.UUID, expires_at: datetime, next_try_at: datetime, at: datetime
    ) -> None:
        self._move(
            State.OPEN,
            at=at,
            event=Event.OPENED,
            actor=Actor.CUSTOMER,
            claimed_by_us=True,
            podero_id=podero_id,
            expires_at=expires_at,
            opened_at=at,
            failure_code="",
            tries=0,
            next_try_at=next_try_at,
        )

    def mark_returned(self, *, device_id: uuid.UUID | None, is_matched: bool, at: datetime) -> None:
        self._move(
            State.RETURNED,
            at=at,
            event=Event.RETURNED,
            actor=Actor.CUSTOMER if is_matched else Actor.BROWSER,
            returned_at=at,
            returned_device_id=device_id,
            is_return_matched=is_matched or self.is_return_matched,
            finished_at=None,
            failure_code="",
            claimed_at=None,
            tries=0,
            next_try_at=at,
        )

    def mark_linked(self, *, at: datetime, actor: Actor) -> None:
        self._move(
            State.LINKED,
            at=at,
            event=Event.LINKED,
            actor=actor,
            finished_at=at,
            failure_code="",
            claimed_at=None,
            # A login may bring more than the one device that a return names.
            next_try_at=at,
        )

    def mark_cancelled(self, *, at: datetime, event: Event = Event.CANCELLED) -> None:
        self._move(
            State.CANCELLED,
            at=at,
            event=event,
            actor=Actor.CUSTOMER,
            finished_at=at,
            claimed_at=None,
            # It may have been finished all the same, in another tab or on another phone.
            next_try_at=at if self.has_hosted_session else None,
        )

    def mark_expired(
        self, *, failure_code: FailureCode, at: datetime, next_try_at: datetime | None = None
    ) -> None:
        self._move(
            State.EXPIRED,
            at=at,
            event=Event.EXPIRED,
            actor=Actor.SYSTEM,
            failure_code=failure_code,
            finished_at=at,
            claimed_at=None,
            next_try_at=next_try_at,
        )

    def mark_failed(
        self, *, failure_code: FailureCode, at: datetime, actor: Actor, status: int | None = None
    ) -> None:
        self._move(
            State.FAILED,
            at=at,
            event=Event.FAILED,
            actor=actor,
            claimed_by_us=True,
            status=status,
            failure_code=failure_code,
            finished_at=at,
            next_try_at=self._next_look_after(failure_code, at=at),
        )

    def _next_look_after(self, failure_code: FailureCode, *, at: datetime) -> datetime | None:
        """Where nothing was confirmed, what somebody else may have linked is looked for from now on.

        Anything else is, once more, when the form has run out.
        """
        if not self.has_hosted_session:
            return None
        may_show_now = failure_code == FailureCode.NOT_CONFIRMED and self.came_back_elsewhere
        return at if may_show_now else self.expires_at

    def note(
        self, event: Event, *, at: datetime, actor: Actor, failure_code: str = "", **more: Any
    ) -> None:
        """Write a line of the timeline without moving the attempt."""
        SessionEvent.objects.create(
            attempt=self,
            at=at,
            event=event,
            actor=actor,
            state_before=self.state,
            state_after=self.state,
            failure_code=failure_code,
            **more,
        )

    def note_return_seen(self, event: Event, *, at: datetime, is_success: bool) -> bool:
        """A browser came back in which the customer is not signed in: look soon, believe nothing.

        Of success it is kept when, since somebody else may have linked the device; a cancel a
        moment before is no reason not to. False when the same was noted a moment ago, by a link
        scanner for example.
        """
        with transaction.atomic():
            rows = OnboardingSession.objects.filter(pk=self.pk)
            # Two at once wait here for each other.
            held = rows.select_for_update().first()
            if held is None:
                return False
            seen_at = held.foreign_return_at
            recently = at - SIGHTING_INTERVAL
            is_news = is_success and (seen_at is None or seen_at <= recently)
            if not is_news and self.events.filter(event=event, at__gt=recently).exists():
                return False
            if is_success:
                rows.update(foreign_return_at=at)
            rows.look_soon(at=at)
            self.note(event, at=at, actor=Actor.BROWSER)
        return True

    def note_elsewhere(self, *, at: datetime) -> None:
        """A browser came back that is not the one that left, whoever is signed in in it."""
        rows = OnboardingSession.objects.filter(pk=self.pk, is_return_matched=False)
        rows = rows.exclude(foreign_return_at__gt=at - SIGHTING_INTERVAL)
        with transaction.atomic():
            is_news = rows.update(foreign_return_at=at) > 0
            if is_news:
                OnboardingSession.objects.filter(pk=self.pk).look_soon(at=at)
                self.note(Event.RETURN_SEEN_ELSEWHERE, at=at, actor=Actor.BROWSER)
        if is_news:
            self.refresh_from_db(fields=["foreign_return_at", "next_try_at"])

    def hold_return(self) -> None:
        """Take over when another browser last came back, and have none come back for now.

        Only within a transaction, and until it ends.
        """
        rows = OnboardingSession.objects.filter(pk=self.pk).select_for_update(no_key=True)
        self._set(foreign_return_at=rows.values_list("foreign_return_at", flat=True).first())

    def match_return(self, *, device_id: uuid.UUID | None, at: datetime) -> bool:
        """The browser that left came back after others had; False when that was known before."""
        fields = {"is_return_matched": True, "returned_at": at, "returned_device_id": device_id}
        with transaction.atomic():
            rows = OnboardingSession.objects.filter(
                pk=self.pk, state__in=[State.RETURNED, State.LINKED], is_return_matched=False
            )
            if not rows.update(**fields):
                return False
            self.note(Event.RETURNED, at=at, actor=Actor.CUSTOMER)
        self._set(**fields)
        return True

    def _move(
        self,
        to: State,
        *,
        at: datetime,
        event: Event,
        actor: Actor,
        status: int | None = None,
        claimed_by_us: bool = False,
        **fields: Any,
    ) -> None:
        """Change the state if the database still agrees with this copy, and tell the timeline.

        With its namesake for many rows the only place that assigns a state.

        Raises InvalidTransition when the move is not allowed, when another process was faster,
        or when the move needs our claim and we have lost it.
        """
        before = self.state
        guard: dict[str, Any] = {"pk": self.pk, "state": before}
        if claimed_by_us:
            guard["claimed_at"] = self.claimed_at
            fields["claimed_at"] = None
        if before not in sources_of(to) or (claimed_by_us and self.claimed_at is None):
            raise InvalidTransition(reference=self.reference, to=to)
        with transaction.atomic():
            if not OnboardingSession.objects.filter(**guard).update(state=to, **fields):
                raise InvalidTransition(reference=self.reference, to=to)
            SessionEvent.objects.create(
                attempt=self,
                at=at,
                event=event,
                actor=actor,
                state_before=before,
                state_after=to,
                failure_code=fields.get("failure_code", ""),
                podero_status=status,
            )
        self._set(state=to, **fields)
