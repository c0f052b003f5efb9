from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from django.db import models
from django.db.models import F
from django.utils.translation import gettext_lazy as _

from onboarding import podero
from onboarding.models.attempts import DEVICE_TYPES, OnboardingSession
from onboarding.models.claims import Claimable
from onboarding.models.podero_users import PoderoUser


class DeviceQuerySet(models.QuerySet["Device"]):
    def for_customer(self, podero_user: PoderoUser) -> DeviceQuerySet:
        return self.filter(podero_user=podero_user)

    def due(self, *, now: datetime) -> DeviceQuerySet:
        """Devices whose optimization at Podero is not yet as it should be."""
        return (
            self.exclude(is_optimization_wanted=F("is_optimization_active"))
            .filter(next_try_at__lte=now)
            .order_by("pk")
        )


class Device(Claimable):
    """A device that Podero's API names as this customer's.

    `is_optimization_wanted` is what should be, `is_optimization_active` what Podero last said;
    while they differ the row is due. Nothing is wanted before the customer confirmed the device.
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
    is_authenticated = models.BooleanField(_("manufacturer login works"), default=True)
    is_action_needed = models.BooleanField(_("action needed"), default=False)
    connection_status = models.CharField(_("connection"), max_length=20, default="unknown")
    checked_at = models.DateTimeField(_("last read from Podero"))

    objects = DeviceQuerySet.as_manager()

    class Meta:
        verbose_name = _("device")
        verbose_name_plural = _("devices")
        indexes = (models.Index(fields=["next_try_at"], name="device_due"),)
        constraints = (
            models.CheckConstraint(
                condition=models.Q(is_optimization_wanted=False)
                | models.Q(confirmed_at__isnull=False),
                name="only_confirmed_devices_are_optimized",
            ),
        )

    def __str__(self) -> str:
        return self.label or str(self.reference)

    @property
    def label(self) -> str:
        return f"{self.manufacturer} {self.model}".strip()

    @property
    def is_confirmed(self) -> bool:
        return self.confirmed_at is not None

    @property
    def needs_customer(self) -> bool:
        """Whether the manufacturer's connection waits for the customer."""
        return not self.is_authenticated or self.is_action_needed

    @property
    def is_working(self) -> bool:
        return self.is_confirmed and self.is_optimization_active and not self.needs_customer

    def want_optimization(self, *, is_wanted: bool, now: datetime) -> None:
        """State the wish; `flows.devices` makes Podero follow, at once or later."""
        fields = {"is_optimization_wanted": is_wanted, "next_try_at": now, "tries": 0}
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
        """Take over what Podero says of the device now; what should be is left alone."""
        fields: dict[str, Any] = {
            "manufacturer": found.manufacturer or self.manufacturer,
            "model": found.model or self.model,
            "is_authenticated": found.is_authenticated is not False,
            "is_action_needed": found.is_action_needed,
            "connection_status": found.connection_status[:20],
            "checked_at": at,
        }
        is_active = found.is_smart_optimization_active
        if is_active is not None:
            was_settled = self.is_optimization_active == self.is_optimization_wanted
            fields["is_optimization_active"] = is_active
            if is_active and not self.is_optimization_wanted:
                fields["next_try_at"] = at
            elif self.is_optimization_wanted and not is_active and was_settled:
                # Switched off elsewhere, by the retailer or at Podero: a newer wish than ours.
                fields["is_optimization_wanted"] = False
        rows = Device.objects.filter(pk=self.pk, is_optimization_wanted=self.is_optimization_wanted)
        if rows.update(**fields):
            self._set(**fields)
