"""Generate the thumbs of many rows again: from a model's rows to the storage's `generate_thumbs`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, cast

from django.core.exceptions import SuspiciousOperation
from django.db import models

from athumb_storage.storages.journal import is_of_storing

CHUNK_SIZE = 2000
"""How many rows are fetched at once."""


class Outcome(Enum):
    """What became of one row."""

    GENERATED = "generated"
    NO_IMAGE = "not an image"
    EMPTY = "without a file"
    REPEATED = "repeated"
    COMPLETE = "complete already"
    FAILED = "failed"


@dataclass(frozen=True)
class Result:
    """One row: its primary key, the original's name, what became of it, and why if it failed."""

    pk: Any
    name: str
    outcome: Outcome
    reason: str = ""


def regenerate(
    rows: models.QuerySet[Any],
    field: models.FileField,
    only: Sequence[str] | None = None,
    *,
    missing: bool = False,
    dry_run: bool = False,
) -> Iterator[Result]:
    """Generate the thumbs of every row again, one result a row; a file that fails does not stop the others.

    Rows are streamed in the order of their names, so that a name that is there twice is seen to be, however many rows
    there are.

    Args:
        rows: the rows, of the field's model or one derived from it.
        field: a file field on a storage that makes thumbs.
        only: the thumb names wanted; None is all.
        missing: whether to leave alone what is stored already.
        dry_run: whether to leave the storage alone.
    """
    previous = None
    focal = getattr(field, "focal", None)
    # Rows that share a file share its crops; the last counts, as far as that can be told.
    ordered = rows.order_by(field.attname, "-pk") if focal else rows.order_by(field.attname)
    columns = ["pk", field.attname, *([focal.name] if focal else [])]
    for pk, name, *points in ordered.values_list(*columns).iterator(chunk_size=CHUNK_SIZE):
        if not name:
            yield Result(pk, "", Outcome.EMPTY)
        elif name == previous:
            yield Result(pk, name, Outcome.REPEATED)
        else:
            yield _judged(pk, name, field, only, points, missing=missing, dry_run=dry_run)
        previous = name


def _judged(
    pk: Any,
    name: str,
    field: models.FileField,
    only: Sequence[str] | None,
    points: Sequence[Any],
    *,
    missing: bool,
    dry_run: bool,
) -> Result:
    """Generate the thumbs of a row, and say how it went."""
    try:
        outcome = _generate(name, field, only, points, missing=missing, dry_run=dry_run)
    except Exception as error:
        if not is_of_storing(cast(Any, field).storage, error) and not isinstance(error, SuspiciousOperation):
            raise
        return Result(pk, name, Outcome.FAILED, f"{type(error).__name__}: {error}")
    return Result(pk, name, outcome)


def _generate(
    name: str, field: Any, only: Sequence[str] | None, points: Sequence[Any], *, missing: bool, dry_run: bool
) -> Outcome:
    storage = field.storage
    if missing:
        only = [thumb for thumb in storage.missing_thumbs(name) if only is None or thumb in only]
        if not only:
            return Outcome.COMPLETE
    if dry_run:
        return Outcome.GENERATED
    focal = field.focal.parse(points[0]) if points else None
    return Outcome.GENERATED if storage.generate_thumbs(name, only, focal) else Outcome.NO_IMAGE
