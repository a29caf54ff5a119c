"""Which rows are due: those whose thumbs are missing or stale, by one listing of what they have in common."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from django.db import models

from athumb_storage.audit.ledger import Ledger, decoded, microseconds
from athumb_storage.audit.places import Place
from athumb_storage.audit.reconciling import STALE
from athumb_storage.audit.rows import PAGE
from athumb_storage.audit.scope import keys_of
from athumb_storage.rows import all_rows, by_pk, kept_columns

_HERE: Final = Place("", "")
"""The storage itself, so that keys are names in it."""

_KEPT: Final = ""
"""What a row is to keep of its image counts as a thumb without a name, whose key, empty as well, nothing has."""

_MISSING: Final = "SELECT original, thumb FROM absent WHERE is_required"

_STALE: Final = f"SELECT e.original, e.thumb {STALE}"

_OLDER: Final = """
SELECT a.original, a.thumb FROM absent a
CROSS JOIN used u ON u.id = a.original
WHERE a.is_required
AND EXISTS (SELECT 1 FROM older o WHERE o.place = u.place AND o.original = u.key AND o.thumb = a.thumb)
"""

_DUE: Final = """
FROM due d CROSS JOIN used u ON u.id = d.original
WHERE d.thumb = ? OR NOT EXISTS (SELECT 1 FROM used v WHERE v.place = u.place AND v.key = u.key AND v.id > u.id)
"""
"""What is due, but for the thumbs of rows whose file a later one has as well; what a row is to keep is its own."""


def due(
    field: models.FileField,
    database: str | None = None,
    *,
    missing: bool = False,
    stale: bool = False,
    since: datetime | None = None,
    only: Sequence[str] | None = None,
    rows: models.QuerySet[Any] | None = None,
    counted: Callable[[int], object] = bool,
) -> Iterator[tuple[Any, list[str]]]:
    """The rows whose file lacks thumbs or has stale ones: primary key and thumb names, in the order of primary keys.

    A row that does not have the width, height or placeholder that its model keeps lacks something as well, if no thumb.
    Of rows that share a file only the last is given for thumbs. A file whose name says that it has none is not due;
    one that is not there lacks all of them. The storage is listed once, from what the names have in common.

    Args:
        field: a file field on a storage that makes thumbs.
        database: the alias of the database; None is that of `rows`.
        missing: whether to give what lacks a thumb.
        stale: whether to give what has a thumb that is older than its original or than `since`, or that, by its
            fingerprint, was made by another Thumb.
        since: before this, thumbs are stale; aware of its time zone.
        only: the thumb names that count; None is all.
        rows: those of the field's model that count; None is all.
        counted: is told how many are due, before the first is given.
    """
    storage: Any = field.storage
    rows = all_rows(field.model) if rows is None else rows
    rows = rows if database is None else rows.using(database)
    with Ledger() as ledger:
        prefix = _fill(ledger, field, rows, only)
        if prefix is None:
            return
        ledger.list_files(0, "", storage.list_files(prefix))
        ledger.sort()
        ledger.run("CREATE TABLE due (original INTEGER, thumb INTEGER, PRIMARY KEY (original, thumb)) WITHOUT ROWID")
        if missing:
            ledger.run(f"INSERT OR IGNORE INTO due {_MISSING}")
        if stale:
            _note_stale(ledger, storage.naming, since)
        ((count,),) = ledger.query(f"SELECT count(DISTINCT d.original) {_DUE}", [ledger.number_of(_KEPT)])
        counted(count)
        yield from _grouped(ledger)


def _fill(
    ledger: Ledger, field: models.FileField, rows: models.QuerySet[Any], only: Sequence[str] | None
) -> str | None:
    """Note what the rows name and what is expected; what all of these keys begin with, None if there is none."""
    prefix: str | None = None
    kept = [column for column in kept_columns(field) if column]
    for pk, name, *values in by_pk(rows, field.attname, *kept, page=PAGE):
        if not name:
            continue
        keys = keys_of(field.storage, _HERE, str(name))
        # A primary key may be of any type; the file is ours alone, and gone afterwards.
        note = ledger.use(0, keys.key, is_audited=True, pk=pickle.dumps(pk))
        prefix = keys.key if prefix is None else _common(prefix, keys.key)
        if not all(values):
            ledger.expect(0, _KEPT, note, _KEPT, required=keys.required, slack=None)
        for thumb, of_thumb in keys.thumbs.items():
            if only is not None and thumb not in only:
                continue
            for key in of_thumb:
                ledger.expect(0, key, note, thumb, required=keys.required, slack=keys.slack)
                prefix = _common(prefix, key)
    return prefix


def _common(one: str, other: str) -> str:
    """What both begin with."""
    if other.startswith(one):
        return one
    length = next((index for index, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(other))
    return one[:length]


def _note_stale(ledger: Ledger, naming: Any, since: datetime | None) -> None:
    """Note as due what is stale by its time, or by its fingerprint."""
    _note_older(ledger, naming)
    ledger.run(f"INSERT OR IGNORE INTO due {_STALE}", [microseconds(since) if since else 0])
    ledger.run(f"INSERT OR IGNORE INTO due {_OLDER}")


def _note_older(ledger: Ledger, naming: Any) -> None:
    """Note what the fingerprints of stored thumbs tell."""
    thumb_name = getattr(naming, "thumb_name", None)
    if thumb_name is None:
        return
    for _, key, size, _, _ in ledger.unexpected():
        name = decoded(key)
        original, thumb = naming.original(name), thumb_name(name)
        if original is not None and thumb is not None:
            ledger.note_older(0, _HERE.key(original), thumb, key, size)
    ledger.run("CREATE INDEX older_original ON older (place, original, thumb)")


def _grouped(ledger: Ledger) -> Iterator[tuple[Any, list[str]]]:
    """A row and its thumb names at a time."""
    query = f"SELECT u.pk, d.thumb {_DUE} ORDER BY d.original, d.thumb"
    found: Iterable[tuple[bytes, int]] = ledger.query(query, [ledger.number_of(_KEPT)])
    current: tuple[bytes, list[str]] | None = None
    for pk, thumb in found:
        if current is None or current[0] != pk:
            if current is not None:
                yield pickle.loads(current[0]), current[1]  # noqa: S301, written above
            current = pk, []
        if thumb_name := ledger.thumb_name(thumb):
            current[1].append(thumb_name)
    if current is not None:
        yield pickle.loads(current[0]), current[1]  # noqa: S301, written above
