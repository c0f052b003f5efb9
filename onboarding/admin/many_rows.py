"""Lists of what every customer leaves rows in: as quick among millions as among few."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.db.models.expressions import Combinable
from django.http import HttpRequest
from django.utils.functional import cached_property

from onboarding.admin.read_only import ReadOnlyAdmin
from onboarding.admin.search import found

if TYPE_CHECKING:
    PaginatorBase = Paginator[Any]
else:
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


class InOrderOfKeys(ChangeList):
    """The newest first, whatever the address asks for: other orders have no index."""

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[str | Combinable]:
        return ["-pk"]


class ManyRowsAdmin(ReadOnlyAdmin):
    """`search_fields` names paths alone; what the last field is decides how it is searched."""

    list_per_page = 50
    paginator = NewestRows
    show_facets = admin.ShowFacets.NEVER
    show_full_result_count = False
    sortable_by: ClassVar[Any] = ()

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return InOrderOfKeys

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if word := search_term.strip():
            paths = self.get_search_fields(request)
            queryset = found(queryset, paths=paths, word=word, at_most=LISTED_AT_MOST + 1)
        return queryset, False
