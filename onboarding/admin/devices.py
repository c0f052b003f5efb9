from __future__ import annotations

from django.contrib import admin
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from onboarding.admin.removals import REMOVAL_FIELDS, RemovableAdmin, RemovalFilter
from onboarding.flows import removal
from onboarding.models import Device


@admin.register(Device)
class DeviceAdmin(RemovableAdmin):
    list_display = (
        "label",
        "device_type",
        "customer_number",
        "is_confirmed",
        "is_optimization_wanted",
        "is_optimization_active",
        "is_authenticated",
        "removal",
        "linked_at",
        "checked_at",
    )
    list_filter = (
        RemovalFilter,
        "device_type",
        "is_authenticated",
        "is_optimization_wanted",
        "is_optimization_active",
        ("confirmed_at", admin.EmptyFieldListFilter),
        "manufacturer",
    )
    list_select_related = ("podero_user",)
    ordering = ("-linked_at",)
    search_fields = (
        "podero_user__email__iexact",
        "podero_user__external_user_id__exact",
        "reference__istartswith",
        "podero_id__istartswith",
        "podero_user__podero_id__istartswith",
        "attempt__reference__istartswith",
    )
    search_help_text = _(
        "E-mail, customer number, support code or reference, or one of Podero's ids"
    )
    fields = (
        "reference",
        "podero_user",
        "attempt",
        "podero_id",
        "device_type",
        "manufacturer",
        "model",
        "linked_at",
        "confirmed_at",
        "is_optimization_wanted",
        "is_optimization_active",
        "is_authenticated",
        "is_action_needed",
        "connection_status",
        "checked_at",
        "tries",
        "next_try_at",
        *REMOVAL_FIELDS,
    )

    @admin.display(description=_("customer"), ordering="podero_user__external_user_id")
    def customer_number(self, device: Device) -> str:
        return device.podero_user.external_user_id

    @admin.display(description=_("confirmed"), boolean=True)
    def is_confirmed(self, device: Device) -> bool:
        return device.is_confirmed

    def want_again(self, row: Device) -> bool:
        return removal.try_device_again(device=row, now=timezone.now())
