"""The rows of a run: primary keys of any type as text, and a table cut into ranges."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from types import SimpleNamespace
from typing import Any, Final

from django.db import models

from athumb_storage.distributed.errors import RunError
from athumb_storage.distributed.models import Range, Run

RANGE_ROWS: Final = 500
"""How many rows a range has, at most: what one task does, and what is looked through again for a lost one."""

Listed = Iterable[tuple[Any, Sequence[str] | None]]
"""Primary keys, each with the thumb names wanted of that row; None is what the run says."""


class Key:
    """The primary key of a model as text, and back.

    Text is compared by nobody but the database, whose order need not be that of Python.

    Raises:
        RunError: the key has several columns.
    """

    def __init__(self, model: type[models.Model]) -> None:
        if len(getattr(model._meta, "pk_fields", ())) > 1:
            raise RunError(f"{model._meta.label} has a primary key of several columns, which no run can have.")
        self._field: Any = model._meta.pk

    def to_text(self, pk: Any) -> str:
        return str(self._field.value_to_string(SimpleNamespace(**{self._field.attname: pk})))

    def from_text(self, text: str) -> Any:
        return self._field.to_python(text)


def cut(rows: models.QuerySet[Any]) -> Iterator[Range]:
    """Ranges of all these rows, by pages over the primary key. If they are a choice, each range lists its own."""
    key = Key(rows.model)
    is_choice = rows.query.where or rows.query.is_sliced or rows.query.distinct or rows.query.combinator
    if is_choice:
        chosen = rows if rows.query.is_sliced else rows.order_by("pk")
        yield from cut_listed(((pk, None) for pk in chosen.values_list("pk", flat=True).iterator()), key)
        return
    ordered, cursor = rows.order_by("pk").values_list("pk", flat=True), None
    while pks := list((ordered if cursor is None else ordered.filter(pk__gt=cursor))[:RANGE_ROWS]):
        yield Range(cursor=None if cursor is None else key.to_text(cursor), end=key.to_text(pks[-1]), rows=len(pks))
        cursor = pks[-1]


def cut_listed(listed: Listed, key: Key) -> Iterator[Range]:
    """Ranges of rows of which the same thumbs are wanted."""
    alike: dict[tuple[str, ...] | None, list[str]] = {}
    for pk, names in listed:
        only = None if names is None else tuple(names)
        alike.setdefault(only, []).append(key.to_text(pk))
        if len(alike[only]) == RANGE_ROWS:
            yield _of_listed(only, alike.pop(only))
    for only, pks in alike.items():
        yield _of_listed(only, pks)


def _of_listed(only: tuple[str, ...] | None, pks: list[str]) -> Range:
    return Range(listed=pks, only=None if only is None else list(only), rows=len(pks))


def in_batches(ranges: Iterator[Range], run: Run, size: int = 100) -> Iterator[list[Range]]:
    """The ranges, as those of this run, some at a time."""
    while batch := list(islice(ranges, size)):
        for each in batch:
            each.run = run
        yield batch


def rows_left(part: Range, model: type[models.Model]) -> models.QuerySet[Any]:
    """The rows that are left of a range, in the order of their primary keys."""
    key = Key(model)
    rows = model._base_manager.using(part.run.database).order_by("pk")
    if part.cursor is not None:
        rows = rows.filter(pk__gt=key.from_text(part.cursor))
    if part.listed is not None:
        return rows.filter(pk__in=[key.from_text(text) for text in part.listed])
    return rows.filter(pk__lte=key.from_text(part.end or ""))
