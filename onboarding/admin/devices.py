from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from onboarding.admin.read_only import ReadOnlyAdmin, ReadOnlyInline
from onboarding.models import Device, Reconnection


class ReconnectionInline(ReadOnlyInline):
    model = Reconnection
    fields = (
        "support_code",
        "state",
        "failure_code",
        "started_at",
        "opened_at",
        "returned_at",
        "is_return_matched",
        "foreign_return_at",
        "finished_at",
    )
    readonly_fields = fields
    ordering = ("-id",)


@admin.register(Device)
class DeviceAdmin(ReadOnlyAdmin):
    list_display = (
        "label",
        "device_type",
        "customer_number",
        "is_confirmed",
        "is_optimization_wanted",
        "is_optimization_active",
        "is_authenticated",
        "linked_at",
        "checked_at",
    )
    list_filter = (
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
        "is_holder_proven",
        "is_optimization_wanted",
        "is_optimization_active",
        "is_authenticated",
        "is_action_needed",
        "connection_status",
        "checked_at",
        "tries",
        "next_try_at",
    )
    inlines = (ReconnectionInline,)

    @admin.display(description=_("customer"), ordering="podero_user__external_user_id")
    def customer_number(self, device: Device) -> str:
        return device.podero_user.external_user_id

    @admin.display(description=_("confirmed"), boolean=True)
    def is_confirmed(self, device: Device) -> bool:
        return device.is_confirmed
