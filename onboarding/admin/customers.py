from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from onboarding import podero
from onboarding.admin.consents import ConsentInline
from onboarding.admin.read_only import ReadOnlyInline
from onboarding.admin.removals import REMOVAL_FIELDS, RemovableAdmin, RemovalFilter
from onboarding.models import Device, OnboardingSession, PoderoUser

_NONE = "none"


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


class PriceZoneFilter(admin.SimpleListFilter):
    title = _("price zone")
    parameter_name = "price_zone"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [*((zone, zone) for zone in podero.PRICE_ZONES), (_NONE, _("not told"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        zone = self.value()
        if zone is None:
            return queryset
        return queryset.filter(price_zone="" if zone == _NONE else zone)


class LanguageFilter(admin.SimpleListFilter):
    """By the languages of Podero's form: "de" is that of "de-AT", too."""

    title = _("language")
    parameter_name = "language"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [*((language, language) for language in podero.LANGUAGES), (_NONE, _("not told"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        language = self.value()
        if language is None:
            return queryset
        if language == _NONE:
            return queryset.filter(language="")
        return queryset.filter(language__istartswith=language)


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
        PriceZoneFilter,
        LanguageFilter,
        ("withdrawn_at", admin.EmptyFieldListFilter),
    )
    search_fields = (
        "email",
        "external_user_id",
        "reference",
        "podero_id",
        "attempts__podero_id",
        "attempts__reference",
        "devices__podero_id",
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
