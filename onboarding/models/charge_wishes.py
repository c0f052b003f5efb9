from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from onboarding.models.claims import Claimable
from onboarding.models.devices import Device


class ChargeWishQuerySet(models.QuerySet["ChargeWish"]):
    def carried_on(self) -> ChargeWishQuerySet:
        """Without wishes to charge of those who have withdrawn, or whose device is asked about
        again; taking back is for all."""
        may_charge = Q(
            device__attempt__consent__withdrawn_at=None, device__confirmed_at__isnull=False
        )
        return self.filter(Q(is_start=False) | may_charge)

    def due(self, *, now: datetime) -> ChargeWishQuerySet:
        return self.carried_on().pending().filter(next_try_at__lte=now).order_by("pk")

    def pending(self) -> ChargeWishQuerySet:
        return self.filter(answer="")

    def to_take_back(self) -> ChargeWishQuerySet:
        """What Podero may still have armed, until it has answered or it is too late."""
        return self.pending().filter(is_start=False)


class ChargeWish(Claimable):
    """ "Charge now", or not any more: the customer's last word on it and what came of it.

    One row per device, so the newest wish wins. `answer` is empty until Podero has answered or it
    is too late; soon after that the row is forgotten.
    """

    class Answer(models.TextChoices):
        STARTED = "started", _("charging started")
        ARMED = "armed", _("charges when plugged in next")
        ACCEPTED = "accepted", _("accepted; not known whether plugged in")
        ALREADY_CHARGING = "already_charging", _("charges already")
        FULLY_CHARGED = "fully_charged", _("is full")
        NO_ACTIVE_SESSION = "no_active_session", _("Podero sees no charging session")
        INTERNAL_ERROR = "internal_error", _("Podero had an internal error")
        REFUSED = "refused", _("refused for another reason")
        TAKEN_BACK = "taken_back", _("taken back")
        GAVE_UP = "gave_up", _("Podero could not be reached in time")

    # Charging hours after the customer asked for it would surprise.
    PATIENCE_TO_START = timedelta(minutes=30)
    # What is armed charges with the next plug-in, which may be far off.
    PATIENCE_TO_TAKE_BACK = timedelta(hours=24)
    MEMORY = timedelta(hours=1)

    device = models.OneToOneField(
        Device, on_delete=models.CASCADE, related_name="charge_wish", verbose_name=_("device")
    )
    is_start = models.BooleanField(_("to charge now"))
    wished_at = models.DateTimeField(_("wished"))
    answer = models.CharField(_("answer"), max_length=20, choices=Answer, blank=True)
    answered_at = models.DateTimeField(_("answered"), null=True, blank=True)

    objects = ChargeWishQuerySet.as_manager()

    class Meta:
        verbose_name = _("wish to charge")
        verbose_name_plural = _("wishes to charge")
        indexes = (models.Index(fields=["next_try_at"], name="charge_wish_due"),)

    def __str__(self) -> str:
        return f"{self.device_id}: {self.answer or 'pending'}"

    def claim_guard(self) -> dict[str, Any]:
        return {"is_start": self.is_start, "wished_at": self.wished_at, "answer": ""}

    @property
    def is_pending(self) -> bool:
        return not self.answer

    @property
    def gives_up_at(self) -> datetime:
        patience = self.PATIENCE_TO_START if self.is_start else self.PATIENCE_TO_TAKE_BACK
        return self.wished_at + patience

    @property
    def may_be_taken_back(self) -> bool:
        """Whether Podero may be charging, or be about to, because of this wish or one before it."""
        if not self.is_start:
            return self.answer in {self.Answer.REFUSED, self.Answer.GAVE_UP}
        taken = {self.Answer.STARTED, self.Answer.ARMED, self.Answer.ACCEPTED}
        # Given up, an earlier call of unknown outcome may have been heard.
        maybe_taken = taken | {self.Answer.GAVE_UP}
        return self.is_pending or self.answer in maybe_taken

    @classmethod
    def wish(cls, device: Device, *, is_start: bool, now: datetime) -> bool:
        """Keep the wish, in place of an older one; False when it is pending already."""
        same = cls.objects.filter(device=device, is_start=is_start, answer="")
        if same.exists():
            return False
        cls.objects.update_or_create(
            device=device,
            defaults={
                "is_start": is_start,
                "wished_at": now,
                "answer": "",
                "answered_at": None,
                "next_try_at": now,
                "tries": 0,
            },
        )
        return True

    def record_answer(self, answer: Answer, *, at: datetime) -> bool:
        """Give the claim back with the outcome; False when the customer wishes otherwise by now."""
        return self._release_unless_changed(answer=answer, answered_at=at, next_try_at=None)

    def record_failure(self, *, next_try_at: datetime) -> bool:
        return self._release_unless_changed(tries=self.tries + 1, next_try_at=next_try_at)

    def _release_unless_changed(self, **fields: Any) -> bool:
        """A newer wish keeps its own due time: only the claim is given back then."""
        rows = ChargeWish.objects.filter(
            pk=self.pk, claimed_at=self.claimed_at, **self.claim_guard()
        )
        if self.claimed_at is not None and rows.update(claimed_at=None, **fields):
            self._set(claimed_at=None, **fields)
            return True
        self.release()
        return False
