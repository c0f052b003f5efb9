"""Rows that prove something: written once, read often, erased by retention and erasure alone."""

from __future__ import annotations

from typing import Any, NoReturn, TypeVar

from django.db import models

Row_co = TypeVar("Row_co", bound=models.Model, covariant=True)


class AppendOnlyQuerySet(models.QuerySet[Row_co]):
    """Refuses what would change or remove rows by the way; also as the base manager's.

    `bulk_update` and `update_or_create` end in what is refused here or in the model's `save`.
    """

    def update(self, **_fields: Any) -> NoReturn:
        raise TypeError(f"{self.model.__name__} is never changed.")

    def bulk_create(self, *_args: Any, **_options: Any) -> NoReturn:
        # It would pass `save` by, and with it the seal; it can also overwrite.
        raise TypeError(f"{self.model.__name__} is written one by one.")

    def delete(self) -> NoReturn:
        raise TypeError(f"{self.model.__name__} is erased in time or on request, not by the way.")


class AppendOnly(models.Model):
    """A row that is saved once. `Meta` of its tables must inherit this one's."""

    class Meta:
        abstract = True
        base_manager_name = "objects"

    def save(self, **options: Any) -> None:
        if not self._state.adding:
            raise TypeError(f"{type(self).__name__} is never changed.")
        # Otherwise a new object with an old primary key would overwrite.
        super().save(**(options | {"force_insert": True}))

    def delete(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        raise TypeError(f"{type(self).__name__} is erased in time or on request, not by the way.")


def erase(rows: models.QuerySet[Any]) -> tuple[int, dict[str, int]]:
    """Erase rows for good, append-only ones included; for retention and erasure only."""
    return models.QuerySet.delete(rows)
