from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property

from onboarding.admin.search import found

if TYPE_CHECKING:
    ModelAdminBase = admin.ModelAdmin[Any]
    TabularInlineBase = admin.TabularInline[Any, Any]
    PaginatorBase = Paginator[Any]
else:
    ModelAdminBase = admin.ModelAdmin
    TabularInlineBase = admin.TabularInline
    PaginatorBase = Paginator


# Whoever would turn more pages than these searches instead.
LISTED_AT_MOST: Final = 1000


class NewestRows(PaginatorBase):
    """Counts no further than it lists: counting millions takes seconds."""

    @cached_property
    def count(self) -> int:
        return min(self._counted, LISTED_AT_MOST)

    @property
    def is_cut(self) -> bool:
        return self._counted > LISTED_AT_MOST

    @cached_property
    def _counted(self) -> int:
        rows: QuerySet[Any] = self.object_list  # type: ignore[assignment]
        return rows.order_by()[: LISTED_AT_MOST + 1].count()


class ReadOnlyAdmin(ModelAdminBase):
    """History is made by the flows alone.

    Lists are made for millions of rows: the newest come first, in the order of their keys, and
    cannot be put into an order that has no index.
    """

    actions: Sequence[str] | None = None
    list_per_page = 50
    ordering: ClassVar[Any] = ("-pk",)
    paginator = NewestRows
    show_facets = admin.ShowFacets.NEVER
    show_full_result_count = False
    sortable_by: ClassVar[Any] = ()

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        word = search_term.strip()
        paths = self.get_search_fields(request)
        return (found(queryset, paths=paths, word=word) if word and paths else queryset), False


class ReadOnlyInline(TabularInlineBase):
    extra = 0
    can_delete = False
    show_change_link = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
