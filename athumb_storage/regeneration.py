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
    FAILED = "failed"


@dataclass(frozen=True)
class Result:
    """One row: its primary key, the original's name, what became of it, and why if it failed."""

    pk: Any
    name: str
    outcome: Outcome
    reason: str = ""


def regenerate(
    rows: models.QuerySet[Any], field: models.FileField, only: Sequence[str] | None = None, *, dry_run: bool = False
) -> Iterator[Result]:
    """Generate the thumbs of every row again, one result a row; a file that fails does not stop the others.

    Rows are streamed in the order of their names, so that a name that is there twice is seen to be, however many rows
    there are.

    Args:
        rows: the rows, of the field's model or one derived from it.
        field: a file field on a storage that makes thumbs.
        only: the thumb names wanted; None is all.
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
            yield Result(pk, name, Outcome.GENERATED) if dry_run else _generate(pk, name, field, only, *points)
        previous = name


def _generate(pk: Any, name: str, field: models.FileField, only: Sequence[str] | None, point: Any = None) -> Result:
    storage: Any = field.storage
    try:
        focal = {"focal": cast(Any, field).focal.parse(point)} if point else {}
        keys = storage.generate_thumbs(name, only, **focal)
    except Exception as error:
        if not is_of_storing(storage, error) and not isinstance(error, SuspiciousOperation):
            raise
        return Result(pk, name, Outcome.FAILED, f"{type(error).__name__}: {error}")
    return Result(pk, name, Outcome.GENERATED if keys else Outcome.NO_IMAGE)
