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


class ToldFilter(admin.SimpleListFilter):
    """By the values there can be; Django's own would read all rows for those that there are."""

    parameter_name: str
    values: tuple[str, ...]
    lookup: str

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [*((value, value) for value in self.values), (_NONE, _("not told"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        if value == _NONE:
            return queryset.filter(**{self.parameter_name: ""})
        return queryset.filter(**{self.lookup: value}) if value in self.values else queryset


class PriceZoneFilter(ToldFilter):
    title = _("price zone")
    parameter_name = lookup = "price_zone"
    values = podero.PRICE_ZONES


class LanguageFilter(ToldFilter):
    """By the languages of Podero's form: "de" is that of "de-AT", too."""

    title = _("language")
    parameter_name = "language"
    lookup = "language__istartswith"
    values = podero.LANGUAGES


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
        ("withdrawn_at", admin.EmptyFieldListFilter),
        LanguageFilter,
        PriceZoneFilter,
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
