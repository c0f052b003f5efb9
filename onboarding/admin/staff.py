from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
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
    show_facets = admin.ShowFacets.NEVER
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        is_staff = Q(podero_user=None) | Q(is_staff=True) | Q(is_superuser=True)
        return super().get_queryset(request).filter(is_staff)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        obj.is_staff = obj.is_staff or not change
        super().save_model(request, obj, form, change)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.is_active and request.user.is_superuser

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Superusers only: whoever changes such an account can make it one."""
        return request.user.is_active and request.user.is_superuser

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """What they did would go with them; an account that is not active lets nobody in."""
        return False
