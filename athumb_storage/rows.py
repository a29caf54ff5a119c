"""The rows of a model, however many there are: their primary keys, and what they keep of their images."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from django.db import models


class PrimaryKey:
    """The primary key of a model as text, and back; one of several columns is a list in JSON.

    Text is compared by nobody but the database, whose order need not be that of Python.
    """

    def __init__(self, model: type[models.Model]) -> None:
        key: Any = model._meta.pk
        self._parts = [_own_field(field) for field in getattr(key, "fields", [key])]
        self._is_one = not hasattr(key, "fields")

    def to_text(self, pk: Any) -> str:
        values = [pk] if self._is_one else pk
        texts = [
            str(field.value_to_string(SimpleNamespace(**{field.attname: value})))
            for field, value in zip(self._parts, values, strict=True)
        ]
        return texts[0] if self._is_one else json.dumps(texts)

    def from_text(self, text: str) -> Any:
        """
        Raises:
            ValueError, TypeError, ValidationError: it is none.
        """
        if self._is_one:
            return self._parts[0].to_python(text)
        return tuple(field.to_python(value) for field, value in zip(self._parts, json.loads(text), strict=True))


def _own_field(field: Any) -> Any:
    """The field that makes the values; that of a derived model refers to its parent's."""
    while field.remote_field:
        field = field.target_field
    return field


def all_rows(model: type[models.Model], database: str | None = None) -> models.QuerySet[Any]:
    """Every row of a model: its managers may hide some.

    Args:
        model: the model.
        database: the alias of the database; None is what routers say.
    """
    return models.QuerySet(model, using=database)


def by_pk(rows: models.QuerySet[Any], *columns: str, page: int) -> Iterator[tuple[Any, ...]]:
    """The primary key and these columns of every row, in the order of primary keys.

    Each page is a query of its own, so that no database sorts or keeps the whole table; a database finds its beginning
    in the index of the primary key.
    """
    ordered = rows.order_by("pk")
    found = list(ordered.values_list("pk", *columns)[:page])
    while found:
        yield from found
        if len(found) < page:
            return
        found = list(ordered.filter(pk__gt=found[-1][0]).values_list("pk", *columns)[:page])


def kept_columns(field: Any) -> tuple[str | None, str | None, str | None]:
    """The names of the columns that keep width, height and placeholder of a file field's images, if there are any."""
    width, height, placeholder = (getattr(field, f"{what}_field", None) for what in ("width", "height", "placeholder"))
    return width or None, height or None, placeholder or None
