from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Literal

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from onboarding import podero
from onboarding.models.account_marks import marks_of, named_by
from onboarding.models.attempts import DEVICE_TYPES, OnboardingSession
from onboarding.models.charging import Charging
from onboarding.models.claims import Claimable, is_recent
from onboarding.models.device_queries import DeviceQuerySet
from onboarding.models.podero_users import PoderoUser
from onboarding.models.removals import NOT_TO_BE_REMOVED, Removable
from onboarding.models.reports import Report
from onboarding.models.savings import Saved

# How a device stands toward its customer; each has its template in onboarding/devices/.
Standing = Literal[
    "being_removed",
    "withdrawn",
    "unconfirmed",
    "missing",
    "needs_customer",
    "working",
    "starting",
    "off",
    "pausing",
    "paused",
]
# The device itself reports every 5 to 15 minutes at Podero.
REPORTING_PERIOD = timedelta(minutes=15)
# What is kept of a device while it is somebody's who has said so: it may be a stranger's before.
NOTHING_REPORTED: dict[str, Any] = {"report": {}, "savings": {}}
# What is kept of a device while it is linked, and for nothing after that.
NOTHING_TOLD: dict[str, Any] = {"external_device_id": "", **NOTHING_REPORTED}


class Device(Removable, Claimable):
    """A device that Podero's API names as this customer's.

    `is_optimization_wanted` is what should be, `is_optimization_active` what Podero last said, and
    `is_optimization_in_doubt` that it may have changed since without our learning of it. While a
    wish is not known to be fulfilled, `next_try_at` says when the row is due. Nothing is wanted
    before the customer confirmed the device, and nothing any more once it is to be removed: only
    linking it again brings it back. `report` is what Podero last told of its state, and
    `savings` of what optimization saved; see `models/reports.py` and `models/savings.py`.
    `linked_at` is when it turned up here, and `linked_after` the earliest that it may have been
    linked at Podero: a form that ran out before that, or began later, did not bring it.
    `asked_about_at` is when a pass last took it up to read it anew, answered or not, and
    `savings_due_at` when the savings are to be asked for next.
    `is_named_by_session` tells that Podero's own session says that `attempt` brought it.
    `is_holder_proven` tells that it was this customer who signed in at the manufacturer: their
    browser came back from there. `login_doubted_at` is since when another account may stand behind
    it, put there by whomever: until Podero names the one again with which it was linked, or, where it
    never named one, until its customer says that it is theirs in the browser that came back.
    `account_mark` is a keyed digest of what Podero called it at the manufacturer then, kept for that
    also when it is to be removed, or has been; empty where Podero named nothing. `login_judged_at` is
    when Podero last told of the device without giving reason to doubt that.
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
    external_device_id = models.CharField(_("manufacturer's id"), max_length=255, blank=True)
    account_mark = models.CharField(max_length=64, blank=True, editable=False)
    linked_at = models.DateTimeField(_("linked"))
    linked_after = models.DateTimeField(_("linked at the earliest"))
    confirmed_at = models.DateTimeField(_("confirmed by the customer"), null=True, blank=True)
    is_named_by_session = models.BooleanField(_("named by Podero's session"), default=False)
    is_holder_proven = models.BooleanField(_("customer holds the login"), default=False)
    login_doubted_at = models.DateTimeField(
        _("another login may stand behind it since"), null=True, blank=True
    )
    login_judged_at = models.DateTimeField(default=timezone.now, editable=False)
    is_optimization_wanted = models.BooleanField(_("optimization wanted"), default=False)
    is_optimization_active = models.BooleanField(_("optimization active"), default=False)
    is_optimization_in_doubt = models.BooleanField(default=False, editable=False)
    is_authenticated = models.BooleanField(_("manufacturer login works"), default=True)
    is_action_needed = models.BooleanField(_("action needed"), default=False)
    connection_status = models.CharField(_("connection"), max_length=20, default="unknown")
    checked_at = models.DateTimeField(_("last read from Podero"))
    missing_since = models.DateTimeField(_("gone at Podero since"), null=True, blank=True)
    report = models.JSONField(_("last reported"), default=dict, blank=True)
    savings = models.JSONField(_("savings"), default=dict, blank=True)
    savings_due_at = models.DateTimeField(_("savings due next"), default=timezone.now)
    asked_about_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = DeviceQuerySet.as_manager()

    class Meta(Removable.Meta):
        verbose_name = _("device")
        verbose_name_plural = _("devices")
        indexes = (
            *Removable.Meta.indexes,
            models.Index(
                fields=["next_try_at"],
                condition=Q(next_try_at__isnull=False),
                name="device_due",
            ),
            models.Index(
                fields=["asked_about_at", "id"],
                condition=Q(removed_at=None),
                name="device_to_read",
            ),
            models.Index(
                fields=["savings_due_at", "id"],
                condition=Q(confirmed_at__isnull=False, missing_since=None, removal_wanted_at=None),
                name="device_savings_due",
            ),
            models.Index(
                fields=["claimed_at"],
                condition=Q(claimed_at__isnull=False),
                name="device_claimed",
            ),
            models.Index(
                fields=["missing_since"],
                condition=Q(missing_since__isnull=False),
                name="device_missing",
            ),
            models.Index(
                fields=["linked_at"], condition=Q(confirmed_at=None), name="device_unconfirmed"
            ),
            models.Index(
                fields=["removed_at"], condition=Q(removed_at__isnull=False), name="device_removed"
            ),
            models.Index(
                fields=["podero_user"],
                condition=Q(confirmed_at__isnull=False, is_holder_proven=False),
                name="device_by_a_word",
            ),
        )
        constraints = (
            *Removable.Meta.constraints,
            models.CheckConstraint(
                condition=models.Q(is_optimization_wanted=False)
                | models.Q(confirmed_at__isnull=False),
                name="only_confirmed_devices_are_optimized",
            ),
            models.CheckConstraint(
                condition=models.Q(is_optimization_wanted=False)
                | models.Q(removal_wanted_at__isnull=True),
                name="devices_to_be_removed_are_not_optimized",
            ),
        )

    def __str__(self) -> str:
        return self.label or str(self.reference)

    def claim_guard(self) -> dict[str, Any]:
        return {
            "is_optimization_wanted": self.is_optimization_wanted,
            "removal_wanted_at": self.removal_wanted_at,
            "next_try_at": self.next_try_at,
        }

    @property
    def label(self) -> str:
        return f"{self.manufacturer} {self.model}".strip()

    @property
    def is_confirmed(self) -> bool:
        return self.confirmed_at is not None

    @property
    def is_login_in_doubt(self) -> bool:
        return self.login_doubted_at is not None

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

    def is_removal_under_way(self, *, now: datetime) -> bool:
        """Whether Podero was being asked to remove it when this copy was read."""
        return (
            self.is_removal_wanted
            and not self.is_removed
            and self.is_settled
            and is_recent(self.claimed_at, now=now)
        )

    @property
    def standing(self) -> Standing:
        if self.is_removal_wanted:
            return "being_removed"
        if self.attempt.consent.withdrawn_at is not None and not self.is_optimization_wanted:
            return "withdrawn"
        if self.missing_since is not None:
            return "missing"
        if not self.is_confirmed:
            return "unconfirmed"
        if self.needs_customer:
            return "needs_customer"
        return self._optimization_standing

    @property
    def _optimization_standing(self) -> Standing:
        if not self.is_optimization_wanted:
            return "paused" if self.is_settled else "pausing"
        if self.is_switch_pending:
            return "starting"
        return "working" if self.is_working else "off"

    @property
    def reported(self) -> Report:
        return Report.from_json(self.report)

    @property
    def saved(self) -> Saved:
        return Saved.from_json(self.savings)

    @property
    def charging(self) -> Charging:
        return Charging(self)

    @property
    def silent_since(self) -> datetime | None:
        """Since when the device itself has told Podero nothing, if that is for long."""
        state_at = self.reported.state_at
        if state_at is None or self.checked_at - state_at <= REPORTING_PERIOD:
            return None
        return state_at

    @property
    def is_waiting_for_podero(self) -> bool:
        """Whether something that the customer wished has yet to show."""
        is_charge_awaited = self.charging.state in {"asking", "taking_back", "requested"}
        awaited = {"starting", "pausing"}
        if self.is_switch_pending and not self.is_optimization_wanted:
            awaited.add("needs_customer")
        return self.standing in awaited or is_charge_awaited

    def pause(self, *, now: datetime) -> bool:
        """The customer wants it left alone; False when that had been said before."""
        return self._change_wish(Q(is_optimization_wanted=True), is_wanted=False, now=now)

    def resume(self, *, now: datetime) -> bool:
        """The customer wants it optimized again; False when that had been said before.

        Said again, it counts where nobody is trying any more: it was given up, or somebody else
        has switched optimization off.
        """
        is_idle = Q(is_optimization_active=False, next_try_at=None)
        return self._change_wish(
            Q(confirmed_at__isnull=False, removal_wanted_at=None)
            & (Q(is_optimization_wanted=False) | is_idle),
            is_wanted=True,
            now=now,
        )

    def _change_wish(self, condition: Q, *, is_wanted: bool, now: datetime) -> bool:
        fields = {
            "is_optimization_wanted": is_wanted,
            "is_optimization_in_doubt": True,
            "next_try_at": now,
            "tries": 0,
        }
        if not Device.objects.filter(condition, pk=self.pk).update(**fields):
            return False
        self._set(**fields)
        return True

    def want_optimization(self, *, is_wanted: bool, now: datetime) -> bool:
        """State the wish; `flows.devices` makes Podero follow, at once or later.

        It is told to Podero even where it seems fulfilled: somebody else may have switched since.
        False when it is to be on but the device is to be removed, or is asked about: an older page
        asked for it, or somebody came back elsewhere this moment.
        """
        may_be_on = Q(removal_wanted_at=None, confirmed_at__isnull=False, login_doubted_at=None)
        return self._change_wish(may_be_on if is_wanted else Q(), is_wanted=is_wanted, now=now)

    def relink(
        self,
        attempt: OnboardingSession,
        found: podero.Device,
        *,
        at: datetime,
        is_named_by_session: bool,
        is_returned: bool,
    ) -> None:
        """Take over that a newer attempt linked the device, as `found` now, again.

        It is not to be removed any more, or is back. What was confirmed before that, or under a
        consent that has ended, must be confirmed anew. Whose login it is stays known where the
        browser that left `is_returned` with it, and it is the same device at the manufacturer.
        Whoever came back elsewhere with the attempt before may have brought it all the same.
        """
        if self.attempt_id == attempt.pk:
            return
        fields: dict[str, Any] = {
            "attempt": attempt,
            "linked_at": at,
            "is_named_by_session": is_named_by_session,
            "is_holder_proven": self.is_holder_proven
            and is_returned
            and self.stands_for_the_same(found),
        }
        if self.attempt.came_back_elsewhere:
            fields["linked_after"] = min(self.linked_after, self.attempt.started_at)
        if self.is_removal_wanted or self.attempt.consent.withdrawn_at is not None:
            fields |= {
                "confirmed_at": None,
                "is_optimization_wanted": False,
                **NOTHING_REPORTED,
            }
        fields |= NOT_TO_BE_REMOVED
        Device.objects.filter(pk=self.pk).update(**fields)
        self._set(**fields)

    def record_holder(self, found: podero.Device | None = None) -> bool:
        """The customer has shown that the manufacturer's login, as `found` now, is theirs.

        False when that is in doubt, or when the device is to be removed.
        """
        fields: dict[str, Any] = {"is_holder_proven": True}
        if found is not None:
            fields |= named_by(found)
        rows = Device.objects.filter(pk=self.pk, login_doubted_at=None, removal_wanted_at=None)
        if not rows.update(**fields):
            return False
        self._set(**fields)
        return True

    def want_removal(self, *, now: datetime) -> None:
        """State the wish, and forget what has been told of the device: that is not needed now."""
        super().want_removal(now=now)
        Device.objects.filter(pk=self.pk).update(**NOTHING_TOLD)
        self._set(**NOTHING_TOLD)

    def doubt_login(self, *, at: datetime) -> bool:
        """Another account may stand behind it than the one that it was linked with.

        When that was first so stays. False when the customer has linked it with another one since
        this copy was read.
        """
        fields = {"is_holder_proven": False, "login_doubted_at": self.login_doubted_at or at}
        rows = Device.objects.filter(pk=self.pk, account_mark=self.account_mark)
        if not rows.update(**fields):
            return False
        self._set(**fields)
        return True

    def settle_login(self, *, at: datetime) -> None:
        """No other account stands behind it after all, as was read `at`; an older answer shows nothing."""
        rows = Device.objects.filter(
            pk=self.pk, login_doubted_at=self.login_doubted_at, checked_at__lte=at
        )
        if rows.update(login_doubted_at=None):
            self._set(login_doubted_at=None)

    def rename_account(self, found: podero.Device, *, at: datetime) -> None:
        """Podero names it differently at the manufacturer, and nobody was sent to sign in there.

        While its customer is asked about it, it may still be had back with the account of before.
        """
        rows = Device.objects.filter(
            pk=self.pk,
            account_mark=self.account_mark,
            checked_at__lte=at,
            confirmed_at__isnull=False,
            removal_wanted_at=None,
            login_doubted_at=None,
        )
        fields = named_by(found)
        if fields and rows.update(**fields):
            self._set(**fields)

    def recall_confirmation(self, *, now: datetime) -> bool:
        """Ask again whose it is, and have it switched off.

        False when nobody had confirmed it, or when the proof of that has changed meanwhile.
        """
        fields = {
            "confirmed_at": None,
            "is_optimization_wanted": False,
            "is_optimization_in_doubt": True,
            "next_try_at": now,
            "tries": 0,
            **NOTHING_REPORTED,
        }
        rows = Device.objects.filter(pk=self.pk, confirmed_at__isnull=False)
        if not rows.filter(is_holder_proven=self.is_holder_proven).update(**fields):
            return False
        self._set(**fields)
        return True

    def confirm(self, *, now: datetime) -> bool:
        """The customer says that it is theirs; False when that had been said before, when it is
        to be removed, or when its login is in doubt."""
        fields = {
            "confirmed_at": now,
            "is_optimization_wanted": True,
            "next_try_at": now,
            "savings_due_at": now,
            "tries": 0,
        }
        rows = Device.objects.filter(
            pk=self.pk, confirmed_at=None, removal_wanted_at=None, login_doubted_at=None
        )
        if not rows.update(**fields):
            return False
        self._set(**fields)
        return True

    def record_seen(self, found: podero.Device, *, at: datetime, is_judged: bool = False) -> None:
        """Take over what Podero said of the device at `at`; what should be is left alone.

        An answer from before our last switch is left out. Optimization that is off although it
        is wanted is shown, not fought: the retailer or Podero may have switched it off. On without
        being wanted, it is to be switched off. Another id at the manufacturer is not taken over, so
        that whoever reads next sees it, too; that there was none to doubt is written down only
        where this `is_judged` (`proof.take_over`).
        Of a device that is to be removed only that it is there, and steered or not; of one that
        nobody has confirmed nothing that it reports.
        """
        fields: dict[str, Any] = {"checked_at": at, "missing_since": None}
        if not self.is_removal_wanted:
            fields |= {
                "manufacturer": found.manufacturer or self.manufacturer,
                "model": found.model or self.model,
                "is_authenticated": found.is_authenticated is not False,
                "is_action_needed": found.is_action_needed,
                "connection_status": found.connection_status[:20],
                "report": Report.of(found).as_json() if self.is_confirmed else {},
            }
            if not (self.is_login_in_doubt or self.stands_for_another(found)):
                fields |= named_by(found)
                if is_judged:
                    fields["login_judged_at"] = at
        if found.is_smart_optimization_active is not None:
            fields["is_optimization_active"] = found.is_smart_optimization_active
            if found.is_smart_optimization_active and not self.is_optimization_wanted:
                fields["next_try_at"] = at
        rows = Device.objects.filter(
            pk=self.pk,
            is_optimization_wanted=self.is_optimization_wanted,
            removal_wanted_at=self.removal_wanted_at,
            confirmed_at=self.confirmed_at,
            checked_at__lte=at,
        )
        if rows.update(**fields):
            self._set(**fields)

    def stands_for_another(self, found: podero.Device) -> bool:
        """Whether another device at the manufacturer hides behind the one that was linked."""
        told = marks_of(found)
        return bool(self.account_mark and told) and self.account_mark not in told

    def stands_for_the_same(self, found: podero.Device) -> bool:
        """Whether Podero names the same device at the manufacturer as it did before."""
        return self.account_mark in marks_of(found)

    def record_missing(self, *, at: datetime) -> None:
        """Podero no longer names the device; when that was first seen stays."""
        rows = Device.objects.filter(pk=self.pk, checked_at__lte=at)
        rows.filter(missing_since=None).update(missing_since=at)
        rows.update(checked_at=at)


def makers_of(devices: Iterable[Device]) -> list[str]:
    """The manufacturers, each once, as they are to be named."""
    makers = {device.manufacturer.casefold(): device.manufacturer for device in devices}
    return sorted((name for name in makers.values() if name), key=str.casefold)
