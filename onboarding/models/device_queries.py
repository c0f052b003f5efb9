"""Which devices are asked for, by whatever is done with many of them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.db import models
from django.db.models import F, Q

from onboarding.models.podero_users import PoderoUser

if TYPE_CHECKING:
    from onboarding.models.devices import Device

# How often it is read whether a device that Podero keeps, although it should go, is still off, and
# whether one that Podero has not known for so long is there again.
WATCH_OVER = timedelta(days=1)
# Podero leaves it alone, as it should.
SURELY_OFF = Q(
    is_optimization_wanted=False, is_optimization_active=False, is_optimization_in_doubt=False
)
# No try to switch one is put off for so long.
LONGEST_WAIT = timedelta(hours=8)


class DeviceQuerySet(models.QuerySet["Device"]):
    def for_customer(self, podero_user: PoderoUser) -> DeviceQuerySet:
        return self.filter(podero_user=podero_user)

    def present(self) -> DeviceQuerySet:
        """Those that Podero has not agreed to have removed."""
        return self.filter(removed_at=None)

    def unconfirmed(self) -> DeviceQuerySet:
        """Those that wait for their customer's word."""
        return self.filter(confirmed_at=None, removal_wanted_at=None, missing_since=None)

    def off(self) -> DeviceQuerySet:
        """Those that Podero surely leaves alone, as it should."""
        return self.filter(SURELY_OFF)

    def not_surely_off(self) -> DeviceQuerySet:
        """Those to be left alone that Podero is still to be told about."""
        is_on = Q(is_optimization_active=True) | Q(is_optimization_in_doubt=True)
        return self.filter(is_on, is_optimization_wanted=False, next_try_at__isnull=False)

    def record_gone_with_user(self, *, at: datetime) -> None:
        """Podero has removed the user of these, and all that it held; nothing is left to undo."""
        self.filter(removal_wanted_at__isnull=False, removed_at=None).update(
            is_optimization_wanted=False,
            is_optimization_active=False,
            is_optimization_in_doubt=False,
            claimed_at=None,
            next_try_at=None,
            removal_due_at=None,
            removed_at=at,
        )

    def as_shown(self) -> DeviceQuerySet:
        """With all that a card tells, in one query."""
        return self.select_related("podero_user", "attempt__consent", "charge_wish")

    def due(self, *, now: datetime) -> DeviceQuerySet:
        """Devices whose optimization at Podero is not, or not surely, as it should be.

        Among them those that a clock which was ahead has put off for longer than anybody waits.
        """
        differs = ~Q(is_optimization_wanted=F("is_optimization_active"))
        return self.filter(
            Q(next_try_at__lte=now) | Q(next_try_at__gt=now + LONGEST_WAIT),
            differs | Q(is_optimization_in_doubt=True),
        ).order_by("next_try_at", "pk")

    def unread_since(self, moment: datetime) -> DeviceQuerySet:
        """Those that Podero is to be asked about again, the one asked about longest ago first.

        Of one that is to be removed no more is wanted than that it is off, and stays so; one that
        Podero does not know may have been missed by mistake, and be steered.
        """
        is_recently_missed = Q(missing_since=None) | Q(missing_since__gt=moment - WATCH_OVER)
        unread = self.filter(
            is_recently_missed | Q(checked_at__lte=moment - WATCH_OVER),
            asked_about_at__lte=moment,
            checked_at__lte=moment,
            removed_at=None,
        )
        unread = unread.exclude(
            SURELY_OFF,
            removal_wanted_at__isnull=False,
            checked_at__gt=moment - WATCH_OVER,
        )
        there = unread.filter(podero_user__podero_id__isnull=False)
        return there.order_by("asked_about_at", "pk")
