from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from onboarding.admin.consents import ConsentInline
from onboarding.admin.read_only import ReadOnlyInline
from onboarding.admin.removals import REMOVAL_FIELDS, RemovableAdmin, RemovalFilter
from onboarding.models import Device, OnboardingSession, PoderoUser


class AttemptInline(ReadOnlyInline):
    model = OnboardingSession
    fields = ("support_code", "state", "failure_code", "device_type", "started_at", "finished_at")
    readonly_fields = fields
    ordering = ("-started_at",)
    show_change_link = True


class DeviceInline(ReadOnlyInline):
    model = Device
    fields = (
        "label",
        "device_type",
        "linked_at",
        "is_optimization_active",
        "removed_at",
        "removal_refused_status",
    )
    readonly_fields = fields
    show_change_link = True


@admin.register(PoderoUser)
class CustomerAdmin(RemovableAdmin):
    list_display = (
        "external_user_id",
        "is_known_to_podero",
        "language",
        "price_zone",
        "created_at",
        "withdrawn_at",
        "removal",
    )
    list_filter = (
        RemovalFilter,
        "price_zone",
        "language",
        ("withdrawn_at", admin.EmptyFieldListFilter),
    )
    ordering = ("-created_at",)
    search_fields = (
        "email__iexact",
        "external_user_id__exact",
        "reference__istartswith",
        "podero_id__istartswith",
        "attempts__podero_id__istartswith",
        "attempts__reference__istartswith",
        "devices__podero_id__istartswith",
    )
    search_help_text = _(
        "E-mail, customer number, support code or reference, or one of Podero's ids"
    )
    fields = (
        "external_user_id",
        "name",
        "email",
        "podero_id",
        "is_creation_in_doubt",
        "language",
        "price_zone",
        "created_at",
        "withdrawn_at",
        "reminders_stopped_at",
        *REMOVAL_FIELDS,
    )
    inlines = (AttemptInline, DeviceInline, ConsentInline)

    @admin.display(description=_("name"), empty_value="")
    def name(self, customer: PoderoUser) -> str:
        return customer.account.get_full_name()

    @admin.display(description=_("known to Podero"), boolean=True)
    def is_known_to_podero(self, customer: PoderoUser) -> bool:
        return customer.podero_id is not None
