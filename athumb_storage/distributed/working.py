"""What a task does: one range of a run, and then it hands on."""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import closing
from typing import Any, Final

from athumb_storage import conf
from athumb_storage.distributed import engines, leases
from athumb_storage.distributed.models import Range, Run
from athumb_storage.distributed.rows import rows_left
from athumb_storage.distributed.targets import Target
from athumb_storage.regeneration import WORKERS, Outcome, Result, regenerate
from athumb_storage.rows import PrimaryKey

logger = logging.getLogger("athumb_storage")

_Results = Generator[Result, None, None]

TRIES: Final = 5
"""How often a range is claimed without a row being done before its rows are done one at a time."""

TRIES_ALONE: Final = 2
"""How often a row alone may end its worker before it is passed over."""

OTHER_CODE_SECONDS: Final = 60
"""When a worker looks again whose code has other thumbs than the run."""


def work_on(run_id: int, work: engines.Work) -> None:
    """Work on one range of a run, then enqueue `work` on it again if anything is left.

    On a backend that runs tasks at once this goes on until nothing is left.
    """
    while True:
        run = Run.objects.filter(pk=run_id, state=Run.State.UNDERWAY).first()
        if run is None:
            logger.info("Run %s is not under way.", run_id)
            return
        delay = _turn(run, work)
        if delay is None or engines.hand_on(run, work, delay):
            return


def _turn(run: Run, work: engines.Work) -> float | None:
    """Work on a range, if one is free; in how many seconds there may be another, None if nothing is left."""
    target = Target.of(run)
    if target is None:
        logger.warning("Run %s is for other thumbs than the code here has: left alone.", run)
        return OTHER_CODE_SECONDS
    part = leases.claim(run)
    if part is None:
        return leases.seconds_left(run)
    try:
        _work_through(part, target)
    except BaseException as error:
        if not isinstance(error, Exception):  # told to stop, for which no row is to blame
            leases.give_back(part)
        if not engines.is_immediate(run.backend):
            # When the lease has ended: what is broken may be mended by then.
            engines.enqueue(run, work, conf.lease_seconds())
        raise
    return leases.seconds_left(run)


def _work_through(part: Range, target: Target) -> None:
    key = PrimaryKey(target.model)
    tries = TRIES + 1 if _is_alone(part) else 0  # what is done one at a time stays so, up to the row that is looked for
    with leases.kept(part), closing(_results(part, target)) as results:
        for result in results:
            if not leases.move(part, key.to_text(result.pk), result, tries):
                logger.info("Range %s is somebody else's now, or the run was cancelled.", part)
                return
    leases.finish(part)


def _is_alone(part: Range) -> bool:
    return TRIES < part.attempts <= TRIES + TRIES_ALONE


def _results(part: Range, target: Target) -> _Results:
    """One result a row. Whoever takes one moves the cursor before the next."""
    if _is_alone(part):
        yield from _one_by_one(part, target)
        return
    if part.attempts > TRIES + TRIES_ALONE:
        yield from _passed_over(part, target)
    workers = part.run.workers or WORKERS
    yield from regenerate(rows_left(part, target.model), target.field, _wanted(part), workers=workers)


def _one_by_one(part: Range, target: Target) -> _Results:
    while row := _next_row(part, target):
        pk, name = row
        rows = target.model._base_manager.using(part.run.database).filter(pk=pk).order_by("pk")
        results = list(regenerate(rows, target.field, _wanted(part), workers=1))
        yield from results or [Result(pk, name, Outcome.EMPTY)]  # it may be deleted by now


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
