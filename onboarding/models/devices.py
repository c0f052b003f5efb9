from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from onboarding import podero
from onboarding.models.attempts import DEVICE_TYPES, OnboardingSession
from onboarding.models.claims import Claimable
from onboarding.models.podero_users import PoderoUser


class DeviceQuerySet(models.QuerySet["Device"]):
    def for_customer(self, podero_user: PoderoUser) -> DeviceQuerySet:
        return self.filter(podero_user=podero_user)

    def due(self, *, now: datetime) -> DeviceQuerySet:
        """Devices whose optimization at Podero is not, or not surely, as it should be."""
        differs = ~Q(is_optimization_wanted=F("is_optimization_active"))
        return self.filter(
            differs | Q(is_optimization_in_doubt=True), next_try_at__lte=now
        ).order_by("next_try_at", "pk")

    def unread_since(self, moment: datetime) -> DeviceQuerySet:
        """Those that Podero is to be asked about again, the one read longest ago first."""
        unread = self.filter(checked_at__lte=moment, missing_since=None)
        return unread.filter(podero_user__podero_id__isnull=False).order_by("checked_at", "pk")


class Device(Claimable):
    """A device that Podero's API names as this customer's.

    `is_optimization_wanted` is what should be, `is_optimization_active` what Podero last said, and
    `is_optimization_in_doubt` that it may have changed since without our learning of it. While a
    wish is not known to be fulfilled, `next_try_at` says when the row is due. Nothing is wanted
    before the customer confirmed the device.
    """

    reference = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    podero_user = models.ForeignKey(
        PoderoUser, on_delete=models.PROTECT, related_name="devices", verbose_name=_("customer")
    )
    attempt = models.ForeignKey(
        OnboardingSession,
        on_delete=models.PROTECT,
        related_name="devices",
        verbose_name=_("linked by"),
    )
    podero_id = models.UUIDField(_("Podero device"), unique=True)
    device_type = models.CharField(_("type"), max_length=2, choices=DEVICE_TYPES)
    manufacturer = models.CharField(_("manufacturer"), max_length=255, blank=True)
    model = models.CharField(_("model"), max_length=255, blank=True)
    linked_at = models.DateTimeField(_("linked"))
    confirmed_at = models.DateTimeField(_("confirmed by the customer"), null=True, blank=True)
    is_optimization_wanted = models.BooleanField(_("optimization wanted"), default=False)
    is_optimization_active = models.BooleanField(_("optimization active"), default=False)
    is_optimization_in_doubt = models.BooleanField(default=False, editable=False)
    is_authenticated = models.BooleanField(_("manufacturer login works"), default=True)
    is_action_needed = models.BooleanField(_("action needed"), default=False)
    connection_status = models.CharField(_("connection"), max_length=20, default="unknown")
    checked_at = models.DateTimeField(_("last read from Podero"))
    missing_since = models.DateTimeField(_("gone at Podero since"), null=True, blank=True)

    objects = DeviceQuerySet.as_manager()

    class Meta:
        verbose_name = _("device")
        verbose_name_plural = _("devices")
        indexes = (
            models.Index(
                fields=["next_try_at"],
                condition=Q(next_try_at__isnull=False),
                name="device_due",
            ),
            models.Index(
                fields=["checked_at"], condition=Q(missing_since=None), name="device_unread"
            ),
            models.Index(
                fields=["claimed_at"],
                condition=Q(claimed_at__isnull=False),
                name="device_claimed",
            ),
        )
        constraints = (
            models.CheckConstraint(
                condition=models.Q(is_optimization_wanted=False)
                | models.Q(confirmed_at__isnull=False),
                name="only_confirmed_devices_are_optimized",
            ),
        )

    def __str__(self) -> str:
        return self.label or str(self.reference)

    def claim_guard(self) -> dict[str, Any]:
        return {"is_optimization_wanted": self.is_optimization_wanted}

    @property
    def label(self) -> str:
        return f"{self.manufacturer} {self.model}".strip()

    @property
    def is_confirmed(self) -> bool:
        return self.confirmed_at is not None

    @property
    def needs_customer(self) -> bool:
        """Whether the manufacturer's connection waits for the customer."""
        return not self.is_authenticated or self.is_action_needed or self.missing_since is not None

    @property
    def is_settled(self) -> bool:
        """Whether Podero is known to do what is wanted."""
        is_as_wanted = self.is_optimization_wanted == self.is_optimization_active
        return is_as_wanted and not self.is_optimization_in_doubt

    @property
    def is_switch_pending(self) -> bool:
        return not self.is_settled and self.next_try_at is not None

    @property
    def is_working(self) -> bool:
        return self.is_confirmed and self.is_optimization_active and not self.needs_customer

    def want_optimization(self, *, is_wanted: bool, now: datetime) -> None:
        """State the wish; `flows.devices` makes Podero follow, at once or later.

        It is told to Podero even where it seems fulfilled: somebody else may have switched since.
        """
        fields = {
            "is_optimization_wanted": is_wanted,
            "is_optimization_in_doubt": True,
            "next_try_at": now,
            "tries": 0,
        }
        Device.objects.filter(pk=self.pk).update(**fields)
        self._set(**fields)

    def relink(self, attempt: OnboardingSession, *, at: datetime) -> None:
        """Take over that a newer attempt linked the device again.

        What was confirmed under a consent that has ended must be confirmed anew.
        """
        if self.attempt_id == attempt.pk:
            return
        fields: dict[str, Any] = {"attempt": attempt, "linked_at": at}
        if self.attempt.consent.withdrawn_at is not None:
            fields |= {"confirmed_at": None, "is_optimization_wanted": False}
        Device.objects.filter(pk=self.pk).update(**fields)
        self._set(**fields)

    def confirm(self, *, now: datetime) -> bool:
        """The customer says that it is theirs; False when that had been said before."""
        fields = {
            "confirmed_at": now,
            "is_optimization_wanted": True,
            "next_try_at": now,
            "tries": 0,
        }
        if not Device.objects.filter(pk=self.pk, confirmed_at=None).update(**fields):
            return False
        self._set(**fields)
        return True

    def record_seen(self, found: podero.Device, *, at: datetime) -> None:
        """Take over what Podero said of the device at `at`; what should be is left alone.

        An answer from before our last switch is left out. Optimization that is off although it
        is wanted is shown, not fought: the retailer or Podero may have switched it off. On without
        being wanted, it is to be switched off.
        """
        fields: dict[str, Any] = {
            "manufacturer": found.manufacturer or self.manufacturer,
            "model": found.model or self.model,
            "is_authenticated": found.is_authenticated is not False,
            "is_action_needed": found.is_action_needed,
            "connection_status": found.connection_status[:20],
            "checked_at": at,
            "missing_since": None,
        }
        if found.is_smart_optimization_active is not None:
            fields["is_optimization_active"] = found.is_smart_optimization_active
            if found.is_smart_optimization_active and not self.is_optimization_wanted:
                fields["next_try_at"] = at
        rows = Device.objects.filter(
            pk=self.pk,
            is_optimization_wanted=self.is_optimization_wanted,
            checked_at__lte=at,
        )
        if rows.update(**fields):
            self._set(**fields)

    def record_missing(self, *, at: datetime) -> None:
        """Podero no longer names the device; when that was first seen stays."""
        Device.objects.filter(pk=self.pk, missing_since=None).update(missing_since=at)
        Device.objects.filter(pk=self.pk).update(checked_at=at)
