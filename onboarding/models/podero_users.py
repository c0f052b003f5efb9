from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import models
from django.db.models import Q
from django.db.models.functions import Upper
from django.utils.translation import gettext_lazy as _

from onboarding.models.claims import Claimable, is_recent
from onboarding.models.removals import NOT_TO_BE_REMOVED, Removable
from onboarding.podero import zones

if TYPE_CHECKING:
    from onboarding.models.consents import Consent

# A user at Podero whom Podero was never asked to let go.
KEPT_BY_PODERO = Q(removal_wanted_at=None) & (
    Q(podero_id__isnull=False) | Q(is_creation_in_doubt=True)
)


class PoderoUserQuerySet(models.QuerySet["PoderoUser"]):
    def hold(self, pk: int) -> PoderoUser:
        """This one, `held`, before more than one row of theirs is changed: nobody then waits for
        somebody who waits for them."""
        return self.held().get(pk=pk)

    def held(self) -> PoderoUserQuerySet:
        """With a lock that keeps leaving, linking and removing for a customer apart.

        Not the strongest one, which would also keep out the check of a foreign key to the
        customer: that comes at the end of a transaction that has locked other rows, in which
        whoever holds the customer may be interested.
        """
        return self.select_for_update(no_key=True)

    def of(self, account: AbstractBaseUser) -> PoderoUser:
        """The customer behind a signed-in account, made on first need.

        An account that no portal brought has no customer number; its own id serves as one.
        """
        # Mostly read along with the account already: onboarding/accounts.py.
        known: PoderoUser | None = getattr(account, "podero_user", None)
        if known is not None:
            return known
        customer, _created = self.get_or_create(
            account_id=account.pk,
            defaults={
                "external_user_id": f"account-{account.pk}",
                "email": getattr(account, "email", "") or account.get_username(),
            },
        )
        return customer


class PoderoUser(Removable, Claimable):
    """One customer: the retailer's number for them, and Podero's once it is known.

    `is_creation_in_doubt` is written before Podero is asked to make the user, so that a try whose
    outcome was never learnt makes the next one look before it creates. It is written again when
    the user has been removed there: `podero_id` is then empty, and coming back looks first. `devices_asked_at` is when
    Podero was last asked about the customer's devices, whatever came of it.
    """

    reference = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    account = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="podero_user",
        verbose_name=_("account"),
    )
    external_user_id = models.CharField(_("customer number"), max_length=128, unique=True)
    email = models.EmailField(_("e-mail"))
    podero_id = models.UUIDField(_("Podero user"), null=True, blank=True, unique=True)
    is_creation_in_doubt = models.BooleanField(
        _("perhaps made at Podero"), default=False, editable=False
    )
    language = models.CharField(_("language"), max_length=35, blank=True)
    price_zone = models.CharField(_("price zone"), max_length=16, blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    withdrawn_at = models.DateTimeField(_("withdrew"), null=True, blank=True)
    reminders_stopped_at = models.DateTimeField(_("wants no reminder"), null=True, blank=True)
    devices_asked_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = PoderoUserQuerySet.as_manager()

    class Meta(Removable.Meta):
        verbose_name = _("customer")
        verbose_name_plural = _("customers")
        indexes = (
            *Removable.Meta.indexes,
            models.Index(
                fields=["claimed_at"],
                condition=models.Q(claimed_at__isnull=False),
                name="customer_claimed",
            ),
            models.Index(Upper("email"), name="customer_email"),
            models.Index(fields=["created_at"], condition=KEPT_BY_PODERO, name="customer_kept"),
            models.Index(fields=["created_at"], condition=~KEPT_BY_PODERO, name="customer_let_go"),
        )

    def __str__(self) -> str:
        return self.external_user_id

    def claim_guard(self) -> dict[str, Any]:
        return {
            "podero_id": self.podero_id,
            "is_creation_in_doubt": self.is_creation_in_doubt,
            "removal_wanted_at": self.removal_wanted_at,
        }

    def hold(self) -> None:
        """Keep leaving, linking and removing for this customer apart until the surrounding
        transaction ends, and bring this copy up to date."""
        self.refresh_from_db(from_queryset=PoderoUser.objects.held())

    def is_claimed(self, *, now: datetime) -> bool:
        """Whether a process was about to make, replace or remove the Podero user when this copy
        was read."""
        return is_recent(self.claimed_at, now=now)

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
        """The customer's own zone or the installation's; empty when neither is known, or when the
        portal names a country of which Podero has no zone, or several."""
        named: str = self.price_zone or settings.PODERO_PRICE_ZONE
        return named if named in zones.PRICE_ZONES else ""

    @property
    def timezone(self) -> ZoneInfo:
        """Of the price zone; the installation's where the customer's own is not known."""
        zone = self.effective_price_zone or settings.PODERO_PRICE_ZONE
        return ZoneInfo(zones.ZONE_TIMEZONES.get(zone, "UTC"))

    def wants_no_reminder_of(self, consent: Consent) -> bool:
        """Whether a reminder was asked for with `consent` and taken back afterwards."""
        stopped_at = self.reminders_stopped_at
        return stopped_at is not None and stopped_at >= consent.given_at

    def record_podero_id(self, podero_id: uuid.UUID) -> bool:
        """Keep Podero's id; False when the claim was lost to another process."""
        return self.release(podero_id=podero_id, is_creation_in_doubt=False)

    def begin_asking(self, *, now: datetime, again_after: timedelta) -> bool:
        """Take it on to ask about the devices; False when somebody has just done so."""
        rows = PoderoUser.objects.filter(
            Q(devices_asked_at=None) | Q(devices_asked_at__lte=now - again_after), pk=self.pk
        )
        if not rows.update(devices_asked_at=now):
            return False
        self._set(devices_asked_at=now)
        return True

    def record_portal_data(self, told: dict[str, str]) -> None:
        changed = {name: value for name, value in told.items() if value != getattr(self, name)}
        if changed:
            PoderoUser.objects.filter(pk=self.pk).update(**changed)
            self._set(**changed)

    def record_withdrawal(self, *, at: datetime | None) -> None:
        PoderoUser.objects.filter(pk=self.pk).update(withdrawn_at=at)
        self._set(withdrawn_at=at)

    def record_return_to_service(self) -> None:
        """A new consent ends an earlier withdrawal, and the wish to be removed with it."""
        if self.withdrawn_at is None and self.removal_wanted_at is None:
            return
        fields = NOT_TO_BE_REMOVED | {"withdrawn_at": None}
        PoderoUser.objects.filter(pk=self.pk).update(**fields)
        self._set(**fields)

    def record_podero_user_gone(self) -> bool:
        """Podero has the user no more; False when the claim was lost to another process."""
        return self.release(podero_id=None, is_creation_in_doubt=True)
