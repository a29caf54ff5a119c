"""`manage.py athumb_runs [RUN]`"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Max, Q, Sum
from django.db.models.functions import Now

from athumb_storage.distributed import runs
from athumb_storage.distributed.door import positive
from athumb_storage.distributed.errors import RunError
from athumb_storage.distributed.models import Range, Run

SHOWN = 50
"""How many failures are listed."""


class Command(BaseCommand):
    help = "Shows the runs by which several workers make thumbs again, stops one, or takes it up again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("run", nargs="?", type=positive, help="the number of a run, to show more of it")
        parser.add_argument("--resume", type=positive, metavar="RUN", help="enqueue its tasks again")
        parser.add_argument("--cancel", type=positive, metavar="RUN", help="stop it at the next row")
        parser.add_argument("--tasks", type=positive, metavar="N", help="with --resume: how many tasks")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self._handle(options)
        except RunError as error:
            raise CommandError(str(error)) from error

    def _handle(self, options: dict[str, Any]) -> None:
        if options["resume"]:
            self._show(runs.resume(options["resume"], options["tasks"]))
        elif options["cancel"]:
            self._show(runs.cancel(options["cancel"]))
        elif options["run"]:
            run = runs.get(options["run"])
            self._show(run)
            self._show_ranges(run)
            self._show_failures(run)
        else:
            for run in Run.objects.order_by("pk"):
                self._show(run)

    def _show(self, run: Run) -> None:
        run.refresh_from_db()
        counts = Range.objects.filter(run=run).aggregate(
            rows=Sum("rows", default=0), done=Sum("done", default=0), failed=Sum("failed", default=0), last=Max("moved")
        )
        seconds = (counts["last"] - run.started).total_seconds() if counts["last"] and run.started else 0
        rate = f", {counts['done'] / seconds:.1f} a second" if seconds > 0 else ""
        done = f"{counts['done']} of {counts['rows']} rows{rate}, {counts['failed']} failed"
        self.stdout.write(f"Run {run}: {self._state(run)}, {done}.")

    def _state(self, run: Run) -> str:
        if run.state != Run.State.UNDERWAY or _held(run).exists():
            return str(run.state)
        return "waiting for a worker"

    def _show_ranges(self, run: Run) -> None:
        for part in _held(run).order_by("pk"):
            after = "the beginning" if part.cursor is None else repr(part.cursor)
            tries = f", attempt {part.attempts}" if part.attempts > 1 else ""
            self.stdout.write(f"Range {part.pk}: {part.done} of {part.rows} rows, after {after}{tries}.")

    def _show_failures(self, run: Run) -> None:
        for failure in run.failures.order_by("pk")[:SHOWN]:
            self.stdout.write(f"Failed: {failure}")
        count = run.failures.count()
        if count > SHOWN:
            self.stdout.write(f"... and {count - SHOWN} more, in the table of failures.")


def _held(run: Run) -> Any:
    """The ranges that a worker has."""
    return Range.objects.filter(Q(lease__gt=Now()), run=run, finished=False)
