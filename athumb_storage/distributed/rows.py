"""The rows of a run: a table cut into ranges."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final

from django.db import models

from athumb_storage.distributed.models import Range, Run
from athumb_storage.rows import PrimaryKey, all_rows, by_pk

RANGE_ROWS: Final = 500
"""How many rows a range has, at most: what one task does, and what is looked through again for a lost one."""

Listed = Iterable[tuple[Any, Sequence[str] | None]]
"""Primary keys, each with the thumb names wanted of that row; None is what the run says."""


def cut(rows: models.QuerySet[Any]) -> Iterator[Range]:
    """Ranges of all these rows, by pages over the primary key. If they are a choice, each range lists its own."""
    key = PrimaryKey(rows.model)
    if _is_choice(rows):
        chosen = rows if rows.query.is_sliced else rows.order_by("pk")
        yield from cut_listed(((pk, None) for pk in chosen.values_list("pk", flat=True).iterator()), key)
        return
    pks, cursor = (pk for (pk,) in by_pk(rows, page=RANGE_ROWS)), None
    while page := list(islice(pks, RANGE_ROWS)):
        yield Range(cursor=cursor, end=key.to_text(page[-1]), rows=len(page))
        cursor = key.to_text(page[-1])


def _is_choice(rows: models.QuerySet[Any]) -> bool:
    """Whether these may be some of the rows of the table."""
    query = rows.query
    return bool(query.where or query.is_sliced or query.distinct or query.combinator)


def cut_listed(listed: Listed, key: PrimaryKey) -> Iterator[Range]:
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
    key = PrimaryKey(model)
    rows = all_rows(model, part.run.database).order_by("pk")
    if part.cursor is not None:
        rows = rows.filter(pk__gt=key.from_text(part.cursor))
    if part.listed is not None:
        return rows.filter(pk__in=[key.from_text(text) for text in part.listed])
    return rows.filter(pk__lte=key.from_text(part.end or ""))
