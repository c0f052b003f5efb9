"""What is to be removed at Podero: a device, or the customer themselves."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from onboarding.models.claims import pause_after
from onboarding.states import FailureCode

# As a row is that nobody wants removed, or that came back.
NOT_TO_BE_REMOVED: dict[str, Any] = {
    "removal_wanted_at": None,
    "removal_due_at": None,
    "removal_tries": 0,
    "removal_refusals": 0,
    "removal_refused_status": None,
    "removal_failure_code": "",
    "removed_at": None,
}


class Removable(models.Model):
    """A row that stands for something at Podero which may have to go there.

    `removal_wanted_at` is the wish and `removed_at` Podero's agreement to it. In between,
    `removal_due_at` says when Podero is asked next; it is empty once Podero has refused so often
    that only a person can do something about it. The row itself stays.
    """

    removal_wanted_at = models.DateTimeField(_("to be removed since"), null=True, blank=True)
    removal_due_at = models.DateTimeField(_("asked to remove next"), null=True, blank=True)
    removal_tries = models.PositiveIntegerField(default=0, editable=False)
    removal_refusals = models.PositiveSmallIntegerField(_("removal refused"), default=0)
    removal_refused_status = models.PositiveSmallIntegerField(
        _("Podero's refusal"), null=True, blank=True
    )
    removal_failure_code = models.CharField(
        _("why not removed yet"), max_length=20, choices=FailureCode.choices, blank=True
    )
    removed_at = models.DateTimeField(_("removed at Podero"), null=True, blank=True)

    class Meta:
        abstract = True
        indexes: ClassVar[tuple[models.Index, ...]] = (
            models.Index(fields=["removal_due_at"], name="%(class)s_removal_due"),
            models.Index(
                fields=["removal_wanted_at"],
                condition=Q(removal_wanted_at__isnull=False, removed_at=None),
                name="%(class)s_removal_wanted",
            ),
        )
        constraints: ClassVar[tuple[models.BaseConstraint, ...]] = (
            models.CheckConstraint(
                condition=Q(removal_due_at=None)
                | Q(removal_wanted_at__isnull=False, removed_at=None),
                name="%(class)s_due_is_wanted_and_there",
            ),
        )

    @property
    def is_removal_wanted(self) -> bool:
        return self.removal_wanted_at is not None

    @property
    def is_removed(self) -> bool:
        return self.removed_at is not None

    @property
    def is_being_removed(self) -> bool:
        """Whether Podero is asked, or asked again, without anybody doing anything."""
        return self.removal_due_at is not None

    @property
    def is_removal_refused(self) -> bool:
        """Whether Podero said no when it was last asked; it may be asked again."""
        return self.is_removal_wanted and not self.is_removed and self.removal_refusals > 0

    @property
    def is_removal_given_up(self) -> bool:
        return self.is_removal_wanted and not self.is_removed and not self.is_being_removed

    def want_removal(self, *, now: datetime) -> None:
        """State the wish; `flows.removal` makes Podero follow. What seemed gone is there again."""
        fields = NOT_TO_BE_REMOVED | {"removal_wanted_at": now, "removal_due_at": now}
        type(self)._default_manager.filter(pk=self.pk).update(**fields)
        self._take_over(fields)

    def want_removal_again(self, *, now: datetime) -> bool:
        """Have Podero asked anew after it refused; False when there is nothing to ask for."""
        fields = {"removal_due_at": now, "removal_tries": 0, "removal_refusals": 0}
        still = type(self)._default_manager.filter(
            pk=self.pk, removal_wanted_at__isnull=False, removed_at=None
        )
        if not still.update(**fields):
            return False
        self._take_over(fields)
        return True

    def record_removed(self, *, at: datetime) -> bool:
        """Podero agreed; False when the wish is another one by now, which then stands."""
        return self._answer_wish({"removed_at": at, "removal_due_at": None, "removal_tries": 0})

    def record_not_removed(
        self,
        *,
        failure_code: FailureCode,
        status: int | None,
        is_refusal: bool,
        due_at: datetime | None,
    ) -> bool:
        """Podero did not; `status` is what it answered, if it did."""
        fields: dict[str, Any] = {
            "removal_due_at": due_at,
            "removal_tries": self.removal_tries + 1,
            "removal_failure_code": failure_code,
        }
        if status is not None:
            fields["removal_refused_status"] = status
        if is_refusal:
            fields["removal_refusals"] = self.removal_refusals + 1
        return self._answer_wish(fields)

    def put_off_removal(self, *, now: datetime) -> None:
        """Removing it could not be worked on, and nobody knows why: see `Claimable.put_off`."""
        later = now + pause_after(self.removal_tries)
        still_due = type(self)._default_manager.filter(pk=self.pk, removal_due_at__lte=now)
        still_due.update(removal_due_at=later, removal_tries=F("removal_tries") + 1)

    def _answer_wish(self, fields: dict[str, Any]) -> bool:
        rows = type(self)._default_manager.filter(
            pk=self.pk, removal_wanted_at=self.removal_wanted_at, removed_at=None
        )
        if self.removal_wanted_at is None or not rows.update(**fields):
            return False
        self._take_over(fields)
        return True

    def _take_over(self, fields: dict[str, Any]) -> None:
        for name, value in fields.items():
            setattr(self, name, value)
