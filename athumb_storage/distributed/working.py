"""What a task does: one range of a run, and then it hands on."""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import closing, suppress
from enum import Enum
from typing import Any, Final

from django.db import Error, InterfaceError, OperationalError, close_old_connections

from athumb_storage import conf
from athumb_storage.distributed import engines, leases
from athumb_storage.distributed.models import Range, Run
from athumb_storage.distributed.rows import rows_left
from athumb_storage.distributed.targets import Target
from athumb_storage.regeneration import WORKERS, Outcome, Result, regenerate
from athumb_storage.rows import PrimaryKey, all_rows

logger = logging.getLogger("athumb_storage")

_Results = Generator[Result, None, None]

TRIES: Final = 5
"""How often a range is claimed without a row being done before its rows are done one at a time."""

TRIES_ALONE: Final = 2
"""How often a row alone may end its worker before it is passed over."""

OTHER_CODE_SECONDS: Final = 60
"""When a worker looks again whose code has other thumbs than the run."""

_left_alone: set[int] = set()
"""The runs for other thumbs of which this process has warned."""


class _Way(Enum):
    """How the rows that are left of a range are worked on."""

    TOGETHER = "together"
    ALONE = "one at a time"
    PASSING_OVER = "together but for the first, which is passed over"


def _way(attempts: int) -> _Way:
    if attempts <= TRIES:
        return _Way.TOGETHER
    return _Way.ALONE if attempts <= TRIES + TRIES_ALONE else _Way.PASSING_OVER


def work_on(run_id: int, backend: str, queue: str) -> None:
    """Work on one range of a run, then send the next task if anything is left.

    On a backend that runs tasks at once this goes on until nothing is left. On another the next task is sent whatever
    fails here, the database among it.

    Args:
        run_id: the number of the run.
        backend: the alias of the task backend.
        queue: the queue for the next task.
    """
    while True:
        try:
            delay = _turn(run_id)
        except BaseException:
            if not engines.is_immediate(backend):
                close_old_connections()  # but for one in a transaction, which is its owner's
                with suppress(Exception):  # it is logged
                    # When the lease has ended: what is broken may be mended by then.
                    engines.deliver(run_id, backend, queue, conf.lease_seconds())
            raise
        if delay is None or engines.hand_on(run_id, backend, queue, delay):
            return


def _turn(run_id: int) -> float | None:
    """Work on a range, if one is free; in how many seconds there may be another, None if nothing is left."""
    run = Run.objects.filter(pk=run_id, state=Run.State.UNDERWAY).first()
    if run is None:
        logger.info("Run %s is not under way.", run_id)
        return None
    target = Target.of(run)
    if target is None:
        level = logging.DEBUG if run_id in _left_alone else logging.WARNING
        logger.log(level, "Run %s is for other thumbs than the code here has: left alone.", run)
        _left_alone.add(run_id)
        return OTHER_CODE_SECONDS
    part = leases.claim(run)
    if part is not None:
        _work_through(part, target)
    return leases.seconds_left(run)


def _work_through(part: Range, target: Target) -> None:
    key, way = PrimaryKey(target.model), _way(part.attempts)
    # What is done one at a time stays so, up to the row that is looked for.
    attempts = TRIES + 1 if way is _Way.ALONE else 0
    try:
        with leases.kept(part), closing(_results(part, target, way)) as results:
            for result in results:
                if not leases.move(part, key.to_text(result.pk), result, attempts):
                    logger.info("Range %s is somebody else's now, or the run was cancelled.", part)
                    return
        leases.finish(part)
    except Exception:
        raise
    except BaseException:  # told to stop, for which no row is to blame
        with suppress(Error):  # the lease ends in any case
            leases.give_back(part)
        raise


def _results(part: Range, target: Target, way: _Way) -> _Results:
    """One result a row. Whoever takes one moves the cursor before the next."""
    if way is _Way.ALONE:
        yield from _one_by_one(part, target)
        return
    if way is _Way.PASSING_OVER:
        yield from _passed_over(part, target)
    workers = part.run.workers or WORKERS
    yield from regenerate(rows_left(part, target.model), target.field, _wanted(part), workers=workers)


def _one_by_one(part: Range, target: Target) -> _Results:
    while row := _next_row(part, target):
        yield _result(part, target, *row)


def _result(part: Range, target: Target, pk: Any, name: str) -> Result:
    """What becomes of a row alone. Whatever it raises is its failure, but for a database that is out of reach."""
    rows = all_rows(target.model, part.run.database).filter(pk=pk)
    try:
        results = list(regenerate(rows, target.field, _wanted(part), workers=1))
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        logger.exception("Failed in run %s: %r (row %s).", part.run, name, pk)
        return Result(pk, name, Outcome.FAILED, f"{type(error).__name__}: {error}")
    return results[0] if results else Result(pk, name, Outcome.EMPTY)  # it may be deleted by now


def _passed_over(part: Range, target: Target) -> _Results:
    if row := _next_row(part, target):
        pk, name = row
        reason = f"ended its worker {TRIES_ALONE} times when it was alone"
        logger.error("Passed over in run %s: %r (row %s) %s.", part.run, name, pk, reason)
        yield Result(pk, name, Outcome.FAILED, reason)


def _next_row(part: Range, target: Target) -> tuple[Any, str] | None:
    pk_and_name = rows_left(part, target.model).values_list("pk", target.field.attname).first()
    return None if pk_and_name is None else (pk_and_name[0], pk_and_name[1] or "")


def _wanted(part: Range) -> list[str] | None:
    return part.run.only if part.only is None else part.only
