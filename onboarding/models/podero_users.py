from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import models
from django.utils.translation import gettext_lazy as _

from onboarding.models.claims import Claimable
from onboarding.podero import zones


class PoderoUserQuerySet(models.QuerySet["PoderoUser"]):
    def of(self, account: AbstractBaseUser) -> PoderoUser:
        """The customer behind a signed-in account, made on first need.

        An account that no portal brought has no customer number; its own id serves as one.
        """
        customer, _created = self.get_or_create(
            account_id=account.pk,
            defaults={
                "external_user_id": f"account-{account.pk}",
                "email": getattr(account, "email", "") or account.get_username(),
            },
        )
        return customer


class PoderoUser(Claimable):
    """One customer: the retailer's number for them, and Podero's once it is known.

    `is_creation_in_doubt` is written before Podero is asked to make the user, so that a try whose
    outcome was never learnt makes the next one look before it creates.
    """

    reference = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    account = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="podero_user",
        verbose_name=_("account"),
    )
    external_user_id = models.CharField(_("customer number"), max_length=128, unique=True)
    email = models.EmailField(_("e-mail"), db_index=True)
    podero_id = models.UUIDField(_("Podero user"), null=True, blank=True, unique=True)
    is_creation_in_doubt = models.BooleanField(default=False, editable=False)
    language = models.CharField(_("language"), max_length=35, blank=True)
    price_zone = models.CharField(_("price zone"), max_length=16, blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    withdrawn_at = models.DateTimeField(_("withdrew"), null=True, blank=True)

    objects = PoderoUserQuerySet.as_manager()

    class Meta:
        verbose_name = _("customer")
        verbose_name_plural = _("customers")
        indexes = (
            models.Index(
                fields=["claimed_at"],
                condition=models.Q(claimed_at__isnull=False),
                name="customer_claimed",
            ),
        )

    def __str__(self) -> str:
        return self.external_user_id

    def claim_guard(self) -> dict[str, Any]:
        return {
            "podero_id": self.podero_id,
            "is_creation_in_doubt": self.is_creation_in_doubt,
        }

    @property
    def hosted_language(self) -> str:
        """The language of Podero's form for this customer; English where it has no better one."""
        primary = self.language.replace("_", "-").split("-")[0].lower()
        return primary if primary in zones.LANGUAGES else "en"

    @property
    def is_language_unavailable(self) -> bool:
        """Whether Podero's form cannot be had in the language the customer uses."""
        return bool(self.language) and self.hosted_language != self.language[:2].lower()

    @property
    def effective_price_zone(self) -> str:
        """The customer's own zone or the installation's; empty when neither is known."""
        return self.price_zone or settings.PODERO_PRICE_ZONE

    @property
    def timezone(self) -> ZoneInfo:
        return ZoneInfo(zones.ZONE_TIMEZONES.get(self.effective_price_zone, "UTC"))

    def record_podero_id(self, podero_id: uuid.UUID) -> bool:
        """Keep Podero's id; False when the claim was lost to another process."""
        return self.release(podero_id=podero_id, is_creation_in_doubt=False)

    def record_portal_data(self, told: dict[str, str]) -> None:
        changed = {name: value for name, value in told.items() if value != getattr(self, name)}
        if changed:
            PoderoUser.objects.filter(pk=self.pk).update(**changed)
            self._set(**changed)

    def record_withdrawal(self, *, at: datetime | None) -> None:
        PoderoUser.objects.filter(pk=self.pk).update(withdrawn_at=at)
        self._set(withdrawn_at=at)

    def record_return_to_service(self) -> None:
        """A new consent ends an earlier withdrawal."""
        if self.withdrawn_at is not None:
            self.record_withdrawal(at=None)
