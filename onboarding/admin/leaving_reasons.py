from __future__ import annotations

from django.contrib import admin

from onboarding.admin.read_only import ReadOnlyAdmin
from onboarding.models import LeavingReason


@admin.register(LeavingReason)
class LeavingReasonAdmin(ReadOnlyAdmin):
    list_display = ("day", "reason", "count")
    list_filter = ("reason", "day")
    ordering = ("-day", "reason")
