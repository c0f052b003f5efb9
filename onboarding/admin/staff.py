from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest

if TYPE_CHECKING:
    UserAdminBase = UserAdmin[User]
else:
    UserAdminBase = UserAdmin

admin.site.unregister(User)


@admin.register(User)
class StaffAdmin(UserAdminBase):
    """The accounts of staff; those of customers are nobody's to change, or to sign in with."""

    list_display = ("username", "is_staff", "is_active", "last_login")

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).filter(podero_user=None)
