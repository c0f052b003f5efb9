from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from django.db import models, transaction
from django.db.models import OuterRef, Q
from django.utils.translation import gettext_lazy as _

from onboarding.models.attempt_queries import IS_DEVICE_NAMED, LATE
from onboarding.models.attempts import SIGHTING_INTERVAL
from onboarding.models.claims import Claimable
from onboarding.models.devices import Device
from onboarding.models.podero_users import PoderoUser
from onboarding.models.return_tokens import kept_hash_of, kept_hash_of_cancel
from onboarding.states import Actor, Event, FailureCode

# What the timeline of the attempt that brought the device tells of each stage.
_EVENTS = {
    "open": (Event.RECONNECT_OPENED, Actor.CUSTOMER),
    "returned": (Event.RECONNECT_RETURNED, Actor.CUSTOMER),
    "renewed": (Event.RECONNECTED, Actor.SYSTEM),
}


class ReconnectionQuerySet(models.QuerySet["Reconnection"]):
    def for_customer(self, podero_user: PoderoUser) -> ReconnectionQuerySet:
        return self.filter(device__podero_user=podero_user)

    def with_success_token(self, token: str) -> ReconnectionQuerySet:
        return self.filter(token_hash=kept_hash_of(token))

    def with_cancel_token(self, token: str) -> ReconnectionQuerySet:
        return self.filter(token_hash=kept_hash_of_cancel(token))

    def due(self, *, now: datetime) -> ReconnectionQuerySet:
        return self.filter(next_try_at__lte=now).order_by("pk")

    def that_anybody_may_finish(self) -> ReconnectionQuerySet:
        """Ways to the manufacturer that the customer is not known to have finished.

        They have if the browser that left came back, or if they vouched for the one that did.
        """
        settled = Q(is_return_matched=True) | Q(state="renewed", foreign_return_at=None)
        return self.filter(opened_at__isnull=False).exclude(settled)

    def that_came_back_elsewhere(self) -> ReconnectionQuerySet:
        """Those of them with which another browser than the one that left came back."""
        return self.that_anybody_may_finish().filter(foreign_return_at__isnull=False)

    def that_may_have_brought(self, device: Device | None = None) -> ReconnectionQuerySet:
        """Those of its customer by which another account may have let the device in.

        It turned up while somebody may have signed in. Without `device`: in a query about devices,
        for each of them. Where Podero's session names the attempt that brought it, it was that.
        """

        def its(field: str) -> Any:
            return OuterRef(field) if device is None else getattr(device, field)

        if device is None:
            unnamed = self.exclude(IS_DEVICE_NAMED)
        else:
            unnamed = self.none() if device.is_named_by_session else self
        return unnamed.filter(
            Q(foreign_return_at=None) | Q(foreign_return_at__gte=its("linked_after") - LATE),
            ~Q(device=its("pk")),
            device__podero_user=its("podero_user_id"),
            opened_at__lte=its("linked_at"),
        )

    def with_device(self) -> ReconnectionQuerySet:
        return self.select_related("device__podero_user", "device__attempt__consent")


class Reconnection(Claimable):
    """One try of a customer to renew the manufacturer's login of a device that is linked.

    Of the token in the return addresses only the hash is kept, of Podero's action only its id:
    the secret in its link dies within the hour. `account_mark` is the device's when the customer
    was sent, by which another account is noticed; `was_lapsed`, that the
    login did not work then. `foreign_return_at` is when another browser than the one that left first
    came back; it is emptied when the customer has vouched for that browser.
    """

    class State(models.TextChoices):
        STARTED = "started", _("started")
        OPEN = "open", _("open")
        RETURNED = "returned", _("returned")
        RENEWED = "renewed", _("renewed")
        OTHER_DEVICE = "other_device", _("another device was linked")
        NOT_RENEWED = "not_renewed", _("not confirmed by Podero")
        CANCELLED = "cancelled", _("cancelled")
        EXPIRED = "expired", _("expired")
        NOT_OPENED = "not_opened", _("could not be opened")
        IMPOSSIBLE = "impossible", _("cannot be renewed this way")

    UNFINISHED = (State.STARTED, State.OPEN, State.RETURNED)
    # A browser may come back from these; what it brings is looked at however late.
    MAY_RETURN = (State.OPEN, State.CANCELLED, State.EXPIRED, State.NOT_RENEWED)

    reference = models.UUIDField(_("reference"), default=uuid.uuid4, unique=True, editable=False)
    device = models.ForeignKey(
        Device, on_delete=models.CASCADE, related_name="reconnections", verbose_name=_("device")
    )
    state = models.CharField(
        _("state"), max_length=12, choices=State.choices, default=State.STARTED, editable=False
    )
    failure_code = models.CharField(
        _("reason"), max_length=20, choices=FailureCode.choices, blank=True, editable=False
    )
    token_hash = models.CharField(max_length=64, null=True, blank=True, unique=True, editable=False)
    cue_id = models.UUIDField(null=True, blank=True, editable=False)
    account_mark = models.CharField(max_length=64, blank=True, editable=False)
    was_lapsed = models.BooleanField(_("login had lapsed"), default=False, editable=False)
    started_at = models.DateTimeField(_("started"), editable=False)
    opened_at = models.DateTimeField(_("sent to sign in"), null=True, blank=True, editable=False)
    returned_at = models.DateTimeField(_("returned"), null=True, blank=True, editable=False)
    returned_device_id = models.UUIDField(null=True, blank=True, editable=False)
    is_return_matched = models.BooleanField(
        _("same browser came back"), default=False, editable=False
    )
    foreign_return_at = models.DateTimeField(
        _("came back elsewhere"), null=True, blank=True, editable=False
    )
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True, editable=False)

    objects = ReconnectionQuerySet.as_manager()

    class Meta:
        verbose_name = _("reconnection")
        verbose_name_plural = _("reconnections")
        indexes = (
            models.Index(
                fields=["next_try_at"],
                condition=Q(next_try_at__isnull=False),
                name="reconnection_due",
            ),
            models.Index(
                fields=["claimed_at"],
                condition=Q(claimed_at__isnull=False),
                name="reconnection_claimed",
            ),
            models.Index(
                fields=["device"],
                condition=Q(foreign_return_at__isnull=False),
                name="reconnection_elsewhere",
            ),
            models.Index(fields=["finished_at"], name="reconnection_finished"),
        )
        constraints = (
            # Two clicks make one.
            models.UniqueConstraint(
                fields=["device"],
                condition=models.Q(state="started"),
                name="one_reconnection_being_opened",
            ),
        )

    def __str__(self) -> str:
        return str(self.reference)

    @property
    def support_code(self) -> str:
        return str(self.reference)[:8].upper()

    @property
    def is_final(self) -> bool:
        return self.state not in self.UNFINISHED

    def claim_guard(self) -> dict[str, Any]:
        return {"state": self.state}

    def move(self, to: State, *, at: datetime, **fields: Any) -> bool:
        """Change the state under our claim, if we hold one, and tell the timeline.

        False when another process was faster: then nothing changes.
        """
        guard: dict[str, Any] = {"pk": self.pk, "state": self.state}
        if self.claimed_at is not None:
            guard["claimed_at"] = self.claimed_at
        fields |= {"state": to, "claimed_at": None}
        if to not in self.UNFINISHED:
            # What Podero still holds for active it is to be told about.
            is_cue_open = fields.get("cue_id", self.cue_id) is not None
            fields |= {"finished_at": at, "next_try_at": at if is_cue_open else None, "tries": 0}
        event, actor = _EVENTS.get(to, (Event.RECONNECT_ENDED, Actor.SYSTEM))
        with transaction.atomic():
            if not Reconnection.objects.filter(**guard).update(**fields):
                return False
            self.device.attempt.note(
                event, at=at, actor=actor, failure_code=fields.get("failure_code", "")
            )
        self._set(**fields)
        return True

    def match_return(self) -> bool:
        """The browser that left came back while what another one brought is being checked; False
        when that is over."""
        rows = Reconnection.objects.filter(pk=self.pk, state=self.State.RETURNED)
        return rows.update(is_return_matched=True) > 0

    def note_return_seen(self, *, at: datetime, is_success: bool) -> bool:
        """A browser came back in which the customer is not signed in; False when that is no news.

        Nobody can before they have signed in at the manufacturer, so that the first time counts. A
        cancel leaves no more than a line, and that once a minute.
        """
        with transaction.atomic():
            rows = Reconnection.objects.filter(pk=self.pk)
            held = rows.select_for_update().first()
            if held is None:
                return False
            is_first = is_success and held.foreign_return_at is None
            told = self.device.attempt.events.filter(event=Event.RECONNECT_SEEN)
            if not is_first and told.filter(at__gt=at - SIGHTING_INTERVAL).exists():
                return False
            if is_first:
                rows.update(foreign_return_at=at)
            self.device.attempt.note(Event.RECONNECT_SEEN, at=at, actor=Actor.BROWSER)
        return True
