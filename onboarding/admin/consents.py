from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from onboarding.admin.many_rows import ManyRowsAdmin
from onboarding.admin.read_only import ReadOnlyInline
from onboarding.models import Consent
from onboarding.models.seals import Mark


class Marked:
    """A column that holds the row against its seal."""

    @admin.display(description=_("as it was written"), boolean=True)
    def is_intact(self, consent: Consent) -> bool | None:
        """Yes, no, or unknown because the key that sealed it is not set."""
        mark = consent.examine()
        return None if mark is Mark.KEY_MISSING else mark is Mark.INTACT


class ConsentInline(Marked, ReadOnlyInline):
    model = Consent
    fields = (
        "given_at",
        "text",
        "allows_control",
        "allows_data_exchange",
        "allows_reminder",
        "channel",
        "withdrawn_at",
        "is_intact",
    )
    readonly_fields = fields
    ordering = ("-given_at",)
    show_change_link = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Consent]:
        return super().get_queryset(request).select_related("podero_user", "text")


@admin.register(Consent)
class ConsentAdmin(Marked, ManyRowsAdmin):
    list_display = (
        "reference",
        "customer_number",
        "version",
        "language",
        "given_at",
        "channel",
        "withdrawn_at",
        "is_intact",
    )
    list_filter = (
        "text__version",
        "text__language",
        ("withdrawn_at", admin.EmptyFieldListFilter),
        "given_at",
    )
    list_select_related = ("podero_user",)
    search_fields = (
        "podero_user__email",
        "podero_user__external_user_id",
        "reference",
        "attempts__reference",
        "attempts__podero_id",
        "podero_user__podero_id",
        "attempts__devices__podero_id",
    )
    search_help_text = _(
        "E-mail, customer number, support code or reference, or one of Podero's ids"
    )
    fields = (
        "reference",
        "podero_user",
        "given_at",
        "channel",
        "allows_control",
        "allows_data_exchange",
        "allows_reminder",
        "withdrawn_at",
        "version",
        "language",
        "words",
        "is_intact",
    )
    readonly_fields = ("version", "language", "words", "is_intact")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Consent]:
        # Joined, the few texts would be gone through first, and all their consents sorted.
        return super().get_queryset(request).select_related("podero_user").prefetch_related("text")

    @admin.display(description=_("customer"))
    def customer_number(self, consent: Consent) -> str:
        return consent.podero_user.external_user_id

    @admin.display(description=_("version"))
    def version(self, consent: Consent) -> str:
        return consent.text.version

    @admin.display(description=_("language"))
    def language(self, consent: Consent) -> str:
        return consent.text.language

    @admin.display(description=_("words as shown"))
    def words(self, consent: Consent) -> str:
        """The stored text itself, marks and all: a row may have been tampered with."""
        return consent.text.body
