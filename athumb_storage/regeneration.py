"""Generate the thumbs of many rows again: from a model's rows to the storage's `generate_thumbs`, overlapped."""

from __future__ import annotations

import json
import logging
import random
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from enum import Enum
from hashlib import sha256
from itertools import count, islice
from typing import Any, Final, cast

from django.core.exceptions import SuspiciousOperation
from django.db import connections, models

from athumb_storage.concurrency import SharedPool, ThisThread, Threads, available_cores
from athumb_storage.rows import all_rows, by_pk, kept_columns
from athumb_storage.storages.journal import is_of_storing
from athumb_storage.uploads import UploadInfo

logger = logging.getLogger("athumb_storage")

WORKERS: Final = min(16, 4 * available_cores())
"""How many originals are worked on at once: some are fetched and some stored while others are rendered."""

PAGE: Final = 500
"""How many rows are fetched at once."""

_AHEAD: Final = 4
"""How many originals for each worker may be done, or waiting, behind one that takes long."""

_REMEMBERED: Final = 10_000
"""How many names are remembered, so that a file which several rows share is done once."""

ATTEMPTS: Final = 8
"""How often an original is tried while the storage says that it is asked too much, or is out of reach."""

_LONGEST_PAUSE: Final = 60.0
"""Seconds between two attempts, at most."""


class Outcome(Enum):
    """What became of one row."""

    GENERATED = "generated"
    DUE = "to be generated"
    """Of a dry run."""
    NO_IMAGE = "not an image"
    EMPTY = "without a file"
    REPEATED = "repeated"
    CHANGED = "changed meanwhile"
    FAILED = "failed"


@dataclass(frozen=True)
class Result:
    """One row: its primary key, the original's name, what became of it, and why if it failed."""

    pk: Any
    name: str
    outcome: Outcome
    reason: str = ""


class LeftUnderWay(KeyboardInterrupt):
    """Interrupted while what was under way was waited for: threads may still work on it."""


@dataclass(frozen=True, slots=True)
class _Row:
    """A row that is to be done."""

    pk: Any
    name: str
    point: str
    """Its focal point, as text."""
    kept: Mapping[str, Any]
    """The columns that keep something of the image, with their values."""
    wants_placeholder: bool
    only: Sequence[str] | None
    """The thumb names wanted; None is all."""

    def covers(self, other: _Row) -> bool:
        """Whether to work on this row does for another one that has the same file."""
        has_thumbs = self.only is None or (other.only is not None and {*other.only} <= {*self.only})
        return has_thumbs and self.point == other.point and self.wants_placeholder >= other.wants_placeholder


@dataclass(frozen=True)
class _Done:
    """What became of an original. Its error as text: the error itself would hold all that was read of the file."""

    outcome: Outcome
    info: UploadInfo | None = None
    reason: str = ""
    is_gone: bool = False


@dataclass(slots=True)
class _Work:
    """What is under way for a row, and for the rows after it that it does for."""

    row: _Row
    done: Future[_Done]
    is_told: bool = False
    """Whether what became of it was the result of a row."""


def fingerprint(field: Any) -> str:
    """Another one when the code has another thumb set or naming for a field."""
    naming = type(getattr(field.storage, "naming", None))
    thumbs = getattr(field.storage, "thumbs", {})
    said = [naming.__module__, naming.__qualname__, *((name, thumb.fingerprint) for name, thumb in thumbs.items())]
    return sha256(json.dumps(said).encode()).hexdigest()


def regenerate(
    rows: models.QuerySet[Any],
    field: models.FileField,
    only: Sequence[str] | None = None,
    *,
    due: Iterable[tuple[Any, Sequence[str]]] | None = None,
    limit: int | None = None,
    workers: int = 1,
    dry_run: bool = False,
    stopping: Callable[[int], object] = bool,
) -> Generator[Result, None, None]:
    """Generate the thumbs of every row again, one result a row; a file that fails does not stop the others.

    Rows come in pages by primary key, and so do the results: when one is given, all rows before it are done. Widths,
    heights and placeholders that the model keeps are filled in where there are none. To close the iterator is to stop:
    what has begun is ended, and no more is begun.

    Args:
        rows: the rows, of the field's model or one derived from it.
        field: a file field on a storage that makes thumbs.
        only: the thumb names wanted; None is all.
        due: primary keys of some of the rows, each with its thumb names; None is all rows.
        limit: how many rows at most.
        workers: how many originals are worked on at once; what of them is decoded at once is bounded by
            `ATHUMB_PIXELS_IN_FLIGHT`.
        dry_run: whether to leave storage and database alone.
        stopping: is told how many originals are under way, where it is stopped and waits for them.

    Raises:
        LeftUnderWay: an interrupt came while they were waited for.
    """
    job = _Job(rows, field, workers, dry_run)
    found = job.pages(only) if due is None else job.chosen(due)
    waiting: deque[tuple[_Row, _Work | None]] = deque()
    try:
        for row in islice(found, limit):
            waiting.append((row, job.begin(row)))
            while waiting and (len(waiting) >= _AHEAD * workers or _is_done(waiting[0][1])):
                yield job.result(*waiting[0])
                waiting.popleft()  # only now: where it is interrupted, this one is waited for as well
        while waiting:
            yield job.result(*waiting[0])
            waiting.popleft()
    finally:
        job.stop((work.done for _, work in waiting if work), stopping)


class _Job:
    """The rows of one field, and the threads that generate their thumbs."""

    def __init__(self, rows: models.QuerySet[Any], field: models.FileField, workers: int, dry_run: bool) -> None:
        self._field = cast(Any, field)
        self._storage = self._field.storage
        self._rows = rows
        self._dry_run = dry_run
        self._focal = getattr(field, "focal", None)
        self._kept = kept_columns(field)
        self._columns = [field.attname, *([self._focal.name] if self._focal else []), *filter(None, self._kept)]
        overlap = workers > 1 and self._storage.is_thread_safe
        self._threads: Threads = SharedPool(workers, "athumb-regen") if overlap else ThisThread()
        self._recent: OrderedDict[str, _Work] = OrderedDict()
        self._is_stopped = threading.Event()
        self._due: Future[_Done] = Future()
        self._due.set_result(_Done(Outcome.DUE))

    # Rows

    def pages(self, only: Sequence[str] | None) -> Iterator[_Row]:
        """All of the rows."""
        return (self._row(values, only) for values in by_pk(self._rows, *self._columns, page=PAGE))

    def chosen(self, due: Iterable[tuple[Any, Sequence[str]]]) -> Iterator[_Row]:
        """Those of the rows that are due, as far as they are still there."""
        remaining = iter(due)
        while page := dict(islice(remaining, PAGE)):
            some = self._rows.filter(pk__in=[*page]).values_list("pk", *self._columns)
            found = {values[0]: values for values in some}
            yield from (self._row(found[pk], only) for pk, only in page.items() if pk in found)

    def _row(self, values: Sequence[Any], only: Sequence[str] | None) -> _Row:
        pk, *others = values
        found = dict(zip(self._columns, others, strict=True))
        point = found[self._focal.name] if self._focal else None
        kept = {column: found[column] for column in self._kept if column}
        placeholder = self._kept[2]
        wants_placeholder = bool(placeholder and not kept[placeholder])
        return _Row(pk, str(found[self._field.attname] or ""), str(point or ""), kept, wants_placeholder, only)

    # What becomes of them

    def begin(self, row: _Row) -> _Work | None:
        """The work on a row, which is under way now, or that on a row before which does for it; None without a file."""
        if not row.name:
            return None
        before = self._recent.get(row.name)
        if before and before.row.covers(row):
            return before
        if before:  # its crops may be for another point, and the last row counts
            wait([before.done])
        work = _Work(row, self._due if self._dry_run else self._threads.submit(self._work, row))
        self._recent[row.name] = work
        if len(self._recent) > _REMEMBERED:
            self._recent.popitem(last=False)
        return work

    def _work(self, row: _Row) -> _Done:
        """Generate the thumbs of a row."""
        try:
            info = self._patiently(row)
        except Exception as error:
            if not self._is_of_original(error):
                raise
            reason = ": ".join(filter(None, [type(error).__name__, str(error)]))
            return _Done(Outcome.FAILED, reason=reason, is_gone=isinstance(error, FileNotFoundError))
        finally:
            if self._threads.overlap:  # what a receiver of our signals asked the database, it asked from this thread
                connections.close_all()
        return _Done(Outcome.GENERATED if info else Outcome.NO_IMAGE, info)

    def _is_of_original(self, error: Exception) -> bool:
        """Whether an error is about one original, and no reason to stop."""
        if isinstance(error, TimeoutError) and self._threads.overlap:  # nobody means to stop a thread of ours by that
            return True
        return isinstance(error, (SuspiciousOperation, MemoryError)) or is_of_storing(self._storage, error)

    def _patiently(self, row: _Row) -> UploadInfo | None:
        """What is found out of its image, None if it is none. Again and again while the storage wants to be asked less:
        each worker waits for a random time, so that they do not come back at once.
        """
        for attempt in count(1):
            try:
                return self._generated(row)
            except self._storage.storage_errors as error:
                is_temporary = self._is_of_original(error) and self._storage.is_temporary(error)
                if attempt == ATTEMPTS or not is_temporary:
                    raise
                pause = random.uniform(0, min(_LONGEST_PAUSE, 2**attempt))  # noqa: S311, it is no secret
                logger.warning("%r is tried again in %.0f s: %s", row.name, pause, error)
                if self._is_stopped.wait(pause):
                    raise
        raise AssertionError  # pragma: no cover, it counts for ever

    def _generated(self, row: _Row) -> UploadInfo | None:
        focal = self._focal.parse(row.point) if self._focal else None
        if not row.kept:
            return UploadInfo() if self._storage.generate_thumbs(row.name, row.only, focal) else None
        info = UploadInfo(wants_placeholder=row.wants_placeholder)
        self._storage.generate_thumbs(row.name, row.only, focal, info=info)
        return info if info.format else None

    def result(self, row: _Row, work: _Work | None) -> Result:
        """What became of a row, when that is known."""
        if work is None:
            return Result(row.pk, row.name, Outcome.EMPTY)
        done = work.done.result()
        if done.info:
            self._keep(row, done.info)
        if work.is_told:
            return Result(row.pk, row.name, Outcome.REPEATED)
        if done.is_gone and not self._same(row).exists():  # another row may miss it still
            return Result(row.pk, row.name, Outcome.CHANGED)
        work.is_told = True
        return Result(row.pk, row.name, done.outcome, done.reason)

    def _keep(self, row: _Row, info: UploadInfo) -> None:
        """Fill in what the model keeps of the image, and this row does not have yet."""
        found = zip(self._kept, (info.width, info.height, info.placeholder), strict=True)
        values = {column: value for column, value in found if column and value and not row.kept[column]}
        if values:
            self._same(row).update(**values)

    def _same(self, row: _Row) -> models.QuerySet[Any]:
        """The row, if it has that file still."""
        rows = all_rows(self._rows.model, self._rows.db)
        return rows.filter(pk=row.pk, **{self._field.attname: row.name})

    def stop(self, begun: Iterable[Future[Any]], stopping: Callable[[int], object]) -> None:
        """Begin no more of this, and wait for what has begun."""
        self._is_stopped.set()
        try:
            under_way = {each for each in begun if not (each.cancel() or each.done())}
            if under_way:
                stopping(len(under_way))
                wait(under_way)
        except KeyboardInterrupt:
            raise LeftUnderWay from None


def _is_done(work: _Work | None) -> bool:
    return work is None or work.done.done()
