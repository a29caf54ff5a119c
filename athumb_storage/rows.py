"""The rows of a model, however many there are, and the columns that keep something of their images."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db import models


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
