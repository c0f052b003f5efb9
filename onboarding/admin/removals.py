"""What is to be removed at Podero, and what could not be: shared by devices and customers."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from onboarding.admin.many_rows import LISTED_AT_MOST, ManyRowsAdmin
from onboarding.flows import removal
from onboarding.models import Device, PoderoUser
from onboarding.models.removals import Removable
from onboarding.tasks import carry_out_removal, nudge

REMOVAL_FIELDS = (
    "removal_wanted_at",
    "removal_due_at",
    "removal_refusals",
    "removal_refused_status",
    "removal_failure_code",
    "removed_at",
)


class RemovalFilter(admin.SimpleListFilter):
    title = _("removal at Podero")
    parameter_name = "removal"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("wanted", _("to be removed")),
            ("refused", _("could not be removed")),
            ("removed", _("removed")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        there = queryset.filter(removal_wanted_at__isnull=False, removed_at=None)
        if self.value() == "wanted":
            return there
        if self.value() == "refused":
            return there.filter(removal_refusals__gt=0) | there.filter(removal_due_at=None)
        if self.value() == "removed":
            return queryset.filter(removed_at__isnull=False)
        return queryset


class RemovableAdmin(ManyRowsAdmin):
    """Nothing is edited: the one action asks Podero again for what the customer wanted.

    It takes Django's permission to change the rows; looking at them does not suffice.
    """

    actions = ("try_to_remove_again",)

    @admin.display(description=_("removal at Podero"))
    def removal(self, row: Removable) -> str:
        if not row.is_removal_wanted:
            return "–"
        if row.is_removed:
            return str(_("removed"))
        if not row.is_removal_refused:
            return str(_("to be removed"))
        words = _("could not be removed (%(status)s)")
        return str(words % {"status": row.removal_refused_status or row.removal_failure_code})

    @admin.action(description=_("Try to remove at Podero again"), permissions=["try_again"])
    def try_to_remove_again(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        asked = 0
        customers = set()
        for row in rows[:LISTED_AT_MOST]:
            if _want_again(row):
                asked += 1
                customers.add(row.pk if isinstance(row, PoderoUser) else row.podero_user_id)
                self.log_change(request, row, "Asked Podero again to remove it.")
        for customer_id in customers:
            nudge(carry_out_removal, customer_id=customer_id)
        words = ngettext("%d is being removed.", "%d are being removed.", asked) % asked
        self.message_user(request, words, messages.SUCCESS if asked else messages.WARNING)

    def has_try_again_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm(f"onboarding.change_{self.opts.model_name}"))


def _want_again(row: PoderoUser | Device) -> bool:
    """False when there is nothing to remove."""
    now = timezone.now()
    if isinstance(row, PoderoUser):
        return removal.try_again(customer=row, now=now)
    return removal.try_device_again(device=row, now=now)
