"""Who works on a range: a claim is one conditional UPDATE, and so is each step. The clock is the database's."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final

from django.db import Error, connections, router, transaction
from django.db.models import DurationField, ExpressionWrapper, F, Q
from django.db.models.functions import Now

from athumb_storage import conf
from athumb_storage.distributed.models import Failure, Range, Run
from athumb_storage.regeneration import Outcome, Result

logger = logging.getLogger("athumb_storage")

LOOKED_AT: Final = 16
"""How many free ranges a worker looks at at once: others may be faster at the first."""

BEATS: Final = 3
"""How often a lease is moved on before it would end, where a row takes long."""

LONGEST: Final = 10
"""How many leases one row may take before others try."""


def claim(run: Run) -> Range | None:
    """A range of the run that nobody has, which is the caller's until its lease ends; None if there is none."""
    is_free = Q(lease=None) | Q(lease__lte=Now())
    free = Range.objects.filter(is_free, run=run, finished=False)
    while pks := list(free.order_by("pk").values_list("pk", flat=True)[:LOOKED_AT]):
        for pk in pks:
            owner = uuid.uuid4().hex
            mine = free.filter(pk=pk).update(owner=owner, lease=_lease_end(), attempts=F("attempts") + 1)
            if mine:
                return _confirmed(Range.objects.select_related("run").get(pk=pk), owner)
    return None


def _confirmed(part: Range, owner: str) -> Range | None:
    """The range, unless its run was cancelled while it was claimed, or it took longer than the lease."""
    if part.run.state != Run.State.UNDERWAY:
        give_back(part)
        return None
    if part.owner != owner:
        return None
    Run.objects.filter(pk=part.run_id, started=None).update(started=Now())
    return part


def move(part: Range, row: str, result: Result, attempts: int = 0) -> bool:
    """Move the cursor to a row that is done, and the lease on; False if the range is the caller's no more.

    Args:
        part: a range that was claimed.
        row: the primary key of the row, as text.
        result: what became of it.
        attempts: what the attempts are from now on.
    """
    is_generated, is_failed = (int(result.outcome is outcome) for outcome in (Outcome.GENERATED, Outcome.FAILED))
    with transaction.atomic(using=router.db_for_write(Range)):
        is_mine = _update(
            part,
            cursor=row,
            lease=_lease_end(),
            attempts=attempts,
            moved=Now(),
            done=F("done") + 1,
            generated=F("generated") + is_generated,
            failed=F("failed") + is_failed,
        )
        if is_mine and is_failed:
            _note(part, row, result)
    part.cursor, part.attempts = row, attempts
    return is_mine


@contextmanager
def kept(part: Range) -> Iterator[None]:
    """Move the lease on while one row takes long, as it does where a storage is out of reach: up to ten times.

    By a thread of its own, which a worker that is killed has no more.
    """
    is_over = threading.Event()
    thread = threading.Thread(target=_keep, args=(part, is_over), name="athumb-lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def _keep(part: Range, is_over: threading.Event) -> None:
    cursor, beats = part.cursor, 0
    while not is_over.wait(conf.lease_seconds() / BEATS):
        cursor, beats = part.cursor, beats + 1 if part.cursor == cursor else 1
        if beats > BEATS * LONGEST:
            continue
        try:
            _update(part, lease=_lease_end())
        except Error:
            logger.exception("The lease of range %s could not be moved on.", part)
        finally:
            connections.close_all()  # those of this thread


def finish(part: Range) -> None:
    """Say that nothing is left of a range."""
    _update(part, finished=True, owner="", lease=None)


def give_back(part: Range) -> None:
    """Leave a range to others, as if it had not been claimed since the cursor moved."""
    _update(part, owner="", lease=None, attempts=max(0, part.attempts - 1))


def seconds_left(run: Run) -> float | None:
    """When there may be something to do, in seconds from now; None if nothing is left, and then the run is finished."""
    ends_in = ExpressionWrapper(F("lease") - Now(), output_field=DurationField())
    unfinished = Range.objects.filter(run=run, finished=False)
    if unfinished.filter(lease=None).exists():
        return 0
    for left in unfinished.order_by("lease").annotate(left=ends_in).values_list("left", flat=True)[:1]:
        return max(0.0, float(left.total_seconds()))
    return _finish_run(run)


def _finish_run(run: Run) -> float | None:
    """As `seconds_left`: None, but 0 for a run that was taken up again meanwhile, for which ranges were made."""
    database = router.db_for_write(Run)
    with transaction.atomic(using=database):
        # First, for this waits for who takes the run up again; what is looked at before can be late.
        is_ended = Run.objects.filter(pk=run.pk, state=Run.State.UNDERWAY).update(state=Run.State.FINISHED)
        if is_ended and Range.objects.filter(run=run, finished=False).exists():
            transaction.set_rollback(True, using=database)
            return 0
    return None


def _lease_end() -> Any:
    return Now() + timedelta(seconds=conf.lease_seconds())


def _update(part: Range, **values: Any) -> bool:
    return bool(Range.objects.filter(pk=part.pk, owner=part.owner).update(**values))


def _note(part: Range, row: str, result: Result) -> None:
    if part.run.failures.count() < Failure.MAX_KEPT:
        reason = _storable(result.reason)[: Failure.MAX_REASON]
        Failure.objects.create(run=part.run, part=part, row=row, name=_storable(result.name), reason=reason)


def _storable(text: str) -> str:
    """The text without what a database refuses."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
