from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from onboarding.admin.many_rows import ManyRowsAdmin
from onboarding.admin.read_only import ReadOnlyInline
from onboarding.models import Device, OnboardingSession, SessionEvent
from onboarding.models.return_tokens import hash_of


class TimelineInline(ReadOnlyInline):
    model = SessionEvent
    fields = ("at", "event", "actor", "state_after", "failure_code", "podero_status")
    readonly_fields = fields
    ordering = ("id",)


class DeviceInline(ReadOnlyInline):
    model = Device
    fields = ("label", "device_type", "linked_at", "confirmed_at", "is_optimization_active")
    readonly_fields = fields
    show_change_link = True
    verbose_name_plural = _("devices linked by this attempt")


@admin.register(OnboardingSession)
class AttemptAdmin(ManyRowsAdmin):
    list_display = (
        "support_code",
        "customer_number",
        "state",
        "failure_code",
        "device_type",
        "started_at",
        "returned_at",
        "finished_at",
    )
    list_display_links = ("support_code",)
    list_filter = ("state", "failure_code", "device_type", "started_at")
    list_select_related = ("podero_user",)
    search_fields = (
        "podero_user__email",
        "podero_user__external_user_id",
        "reference",
        "podero_id",
        "podero_user__podero_id",
        "devices__podero_id",
    )
    search_help_text = _(
        "E-mail, customer number, support code or reference, or one of Podero's ids"
    )
    fieldsets = (
        (None, {"fields": ("reference", "podero_user", "state", "failure_code", "device_type")}),
        (
            _("Course"),
            {
                "fields": (
                    "started_at",
                    "opened_at",
                    "returned_at",
                    "is_return_matched",
                    "foreign_return_at",
                    "finished_at",
                    "expires_at",
                    "continues",
                    "consent",
                )
            },
        ),
        (
            _("Background work"),
            {"fields": ("tries", "next_try_at", "claimed_at", "form_fingerprint")},
        ),
    )
    readonly_fields = ("form_fingerprint",)
    inlines = (DeviceInline, TimelineInline)

    @admin.display(description=_("support code"))
    def support_code(self, attempt: OnboardingSession) -> str:
        return attempt.support_code

    @admin.display(description=_("customer"))
    def customer_number(self, attempt: OnboardingSession) -> str:
        return attempt.podero_user.external_user_id

    @admin.display(description=_("form fingerprint"))
    def form_fingerprint(self, attempt: OnboardingSession) -> str:
        """Enough to compare with Podero's support; the id itself would open the form."""
        return hash_of(str(attempt.podero_id))[:12] if attempt.podero_id else "–"

    def get_queryset(self, request: HttpRequest) -> QuerySet[OnboardingSession]:
        return super().get_queryset(request).select_related("podero_user", "consent", "continues")
