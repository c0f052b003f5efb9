from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from onboarding.admin.read_only import ReadOnlyAdmin, ReadOnlyInline
from onboarding.models import Consent, Device, OnboardingSession, PoderoUser


class AttemptInline(ReadOnlyInline):
    model = OnboardingSession
    fields = ("support_code", "state", "failure_code", "device_type", "started_at", "finished_at")
    readonly_fields = fields
    ordering = ("-started_at",)
    show_change_link = True


class DeviceInline(ReadOnlyInline):
    model = Device
    fields = ("label", "device_type", "linked_at", "confirmed_at", "is_optimization_active")
    readonly_fields = fields
    show_change_link = True


class ConsentInline(ReadOnlyInline):
    model = Consent
    fields = (
        "given_at",
        "text",
        "allows_control",
        "allows_data_exchange",
        "channel",
        "withdrawn_at",
    )
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("text")


@admin.register(PoderoUser)
class CustomerAdmin(ReadOnlyAdmin):
    list_display = (
        "external_user_id",
        "is_known_to_podero",
        "language",
        "price_zone",
        "created_at",
        "withdrawn_at",
    )
    list_filter = ("price_zone", "language", ("withdrawn_at", admin.EmptyFieldListFilter))
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
        "email",
        "podero_id",
        "is_creation_in_doubt",
        "language",
        "price_zone",
        "created_at",
        "withdrawn_at",
    )
    inlines = (AttemptInline, DeviceInline, ConsentInline)

    @admin.display(description=_("known to Podero"), boolean=True)
    def is_known_to_podero(self, customer: PoderoUser) -> bool:
        return customer.podero_id is not None
