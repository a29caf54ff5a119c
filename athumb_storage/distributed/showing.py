"""A run in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from django.db.models import Max, Q, QuerySet, Sum
from django.db.models.functions import Now

from athumb_storage.distributed import engines
from athumb_storage.distributed.errors import RunError
from athumb_storage.distributed.models import Range, Run

SHOWN: Final = 50
"""How many failures are listed."""


def lines_of(run: Run) -> Iterator[str]:
    """The run, the ranges that somebody works on, and failures, each in a line."""
    yield line_of(run)
    for part in _held(run).order_by("pk"):
        after = "the beginning" if part.cursor is None else repr(part.cursor)
        tries = f", attempt {part.attempts}" if part.attempts > 1 else ""
        yield f"Range {part.pk}: {part.done} of {max(part.rows, part.done)} rows, after {after}{tries}."
    for failure in run.failures.order_by("pk")[:SHOWN]:
        yield f"Failed: {failure}"
    count = run.failures.count()
    if count > SHOWN:
        yield f"... and {count - SHOWN} more, in the table of failures."


def line_of(run: Run) -> str:
    """The run and how far it is."""
    counts = _counts(run)
    done, rows = counts["done"], max(counts["rows"], counts["done"])  # what is added between two keys is done as well
    seconds = (counts["last"] - run.started).total_seconds() if counts["last"] and run.started else 0
    rate = f", {done / seconds:.1f} a second" if done and seconds > 0 else ""
    return f"Run {run}: {_state(run)}, {done} of {rows} rows{rate}, {counts['failed']} failed."


def is_done_here(run: Run) -> bool:
    """Whether it is over, for its backend ran the tasks at once."""
    return run.state == Run.State.FINISHED and engines.is_immediate(run.backend)


def refuse_failures(run: Run) -> None:
    """
    Raises:
        RunError: rows of the run failed.
    """
    counts = _counts(run)
    if counts["failed"]:
        raise RunError(f"{counts['failed']} of {max(counts['rows'], counts['done'])} rows failed in run {run}.")


def _counts(run: Run) -> dict[str, Any]:
    return Range.objects.filter(run=run).aggregate(
        rows=Sum("rows", default=0), done=Sum("done", default=0), failed=Sum("failed", default=0), last=Max("moved")
    )


def _state(run: Run) -> str:
    if run.state != Run.State.UNDERWAY or _held(run).exists():
        return str(run.state)
    return "waiting for a worker"


def _held(run: Run) -> QuerySet[Range]:
    """The ranges that a worker has."""
    return Range.objects.filter(Q(lease__gt=Now()), run=run, finished=False)
