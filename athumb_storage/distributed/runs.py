"""Runs: start one, take it up again, stop it. What a task does with it is in `working`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain, islice
from typing import Any, Final

from django.db import models, router, transaction
from django.db.models import F

from athumb_storage.distributed import engines
from athumb_storage.distributed.errors import RunError
from athumb_storage.distributed.models import Failure, Range, Run
from athumb_storage.distributed.rows import Listed, cut, cut_listed, in_batches
from athumb_storage.distributed.targets import Target
from athumb_storage.regeneration import fingerprint
from athumb_storage.rows import PrimaryKey

MAX_TASKS: Final = 16
"""How many tasks a run is started with unless it is said. More than there are workers do no harm."""


def start(
    rows: models.QuerySet[Any],
    field: models.FileField,
    only: Sequence[str] | None = None,
    *,
    listed: Listed | None = None,
    workers: int | None = None,
    tasks: int | None = None,
    backend: str | None = None,
    queue: str | None = None,
) -> Run:
    """Start a run: the thumbs of these rows are made again by tasks, as soon as the transaction is committed.

    Args:
        rows: the rows, of the field's model or one derived from it, in the database that they are in.
        field: a file field on a storage that makes thumbs.
        only: the thumb names wanted; None is all.
        listed: primary keys of rows, each with the thumb names wanted of it; None is all `rows`.
        workers: how many originals each task works on at once; None is what its machine has the cores for.
        tasks: how many tasks to start with; None is as many as there are ranges, up to 16.
        backend: the alias of the task backend in the setting `TASKS`; None is "default", or the first.
        queue: the queue of the backend; None is "default", or its first.

    Raises:
        RunError: there is no such backend or queue, it did not take the tasks, or it ran them at once and they failed.
    """
    rows = _writable(rows)
    backend, queue = engines.place(backend, queue)
    run = Run(
        model=rows.model._meta.label,
        field=field.name,
        database=rows.db,
        only=None if only is None else list(only),
        workers=workers,
        fingerprint=fingerprint(field),
        backend=backend,
        queue=queue,
    )
    ranges = cut(rows) if listed is None else cut_listed(listed, PrimaryKey(rows.model))
    first = [*islice(ranges, 1)]  # before the transaction: to know what is due a whole bucket may have to be listed
    with transaction.atomic(using=router.db_for_write(Run)):
        run.save()
        _write(chain(first, ranges), run)
        _enqueue(run, tasks)
    return run


def resume(run_id: int, tasks: int | None = None) -> Run:
    """Send the tasks of a run again, also of one that was cancelled; rows that failed are done again.

    Raises:
        RunError: there is no such run, nothing of it is left to do, it is for other thumbs than the code here has, or
            the backend did not take the tasks, or ran them at once and they failed.
    """
    run = get(run_id)
    if run.state == Run.State.FINISHED and not run.failures.exists():
        raise RunError(f"Run {run} is finished, and no row failed.")
    target = Target.of(run)
    if target is None:
        raise RunError(f"Run {run} is for other thumbs than the code here has: start a new one.")
    with transaction.atomic(using=router.db_for_write(Run)):
        # First, for this locks the run: who takes it up at the same time finds no failures any more.
        Run.objects.filter(pk=run.pk).update(state=Run.State.UNDERWAY)
        _take_up_failures(run, PrimaryKey(target.model))
        _enqueue(run, tasks)
    run.refresh_from_db()
    return run


def _take_up_failures(run: Run, key: PrimaryKey) -> None:
    """Move the rows whose failures are kept to ranges of their own, as if they had not been done."""
    found = list(run.failures.order_by("pk").values_list("pk", "row", "part", "part__rows", "part__only"))
    _write(cut_listed(((key.from_text(row), only) for _, row, _, _, only in found), key), run)
    for (part, rows), count in Counter((part, rows) for _, _, part, rows, _ in found).items():
        # A range can have more rows by now than it had when it was cut.
        Range.objects.filter(pk=part).update(
            rows=max(0, rows - count), done=F("done") - count, failed=F("failed") - count
        )
    Failure.objects.filter(pk__in=[pk for pk, *_ in found]).delete()


def cancel(run_id: int) -> Run:
    """Stop a run; who works on a range stops at the next row.

    Raises:
        RunError: there is no such run.
    """
    run = get(run_id)
    with transaction.atomic(using=router.db_for_write(Run)):
        if Run.objects.filter(pk=run.pk).exclude(state=Run.State.FINISHED).update(state=Run.State.CANCELLED):
            Range.objects.filter(run=run, finished=False).update(owner="", lease=None)
    run.refresh_from_db()
    return run


def get(run_id: int) -> Run:
    """The run.

    Raises:
        RunError: there is none of this number.
    """
    run = Run.objects.filter(pk=run_id).first()
    if run is None:
        raise RunError(f"There is no run {run_id}.")
    return run


def _writable(rows: models.QuerySet[Any]) -> models.QuerySet[Any]:
    """The rows, where nothing is said not in a replica, to which nothing can be written."""
    return rows.using(getattr(rows, "_db", None) or router.db_for_write(rows.model))


def _write(ranges: Iterable[Range], run: Run) -> None:
    for batch in in_batches(iter(ranges), run):
        Range.objects.bulk_create(batch)


def _enqueue(run: Run, tasks: int | None) -> None:
    unfinished = Range.objects.filter(run=run, finished=False)[: tasks or MAX_TASKS].count()
    count = 1 if engines.is_immediate(run.backend) else tasks or unfinished
    engines.enqueue(run, max(1, count))
