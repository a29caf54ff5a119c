"""`manage.py athumb_runs [RUN]`"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from athumb_storage.distributed import runs, showing
from athumb_storage.distributed.door import positive
from athumb_storage.distributed.errors import RunError
from athumb_storage.distributed.models import Run


class Command(BaseCommand):
    help = "Shows the runs by which several workers make thumbs again, stops one, or takes it up again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("run", nargs="?", type=positive, help="the number of a run, to show more of it")
        parser.add_argument(
            "--resume", type=positive, metavar="RUN", help="enqueue its tasks again, and rows that failed"
        )
        parser.add_argument("--cancel", type=positive, metavar="RUN", help="stop it at the next row")
        parser.add_argument("--tasks", type=positive, metavar="N", help="with --resume: how many tasks")

    def handle(self, *args: Any, **options: Any) -> None:
        if sum(options[name] is not None for name in ("run", "resume", "cancel")) > 1:
            raise CommandError("One thing at a time: RUN to show it, --resume RUN, or --cancel RUN.")
        if options["tasks"] is not None and options["resume"] is None:
            raise CommandError("--tasks goes with --resume.")
        try:
            self._handle(options)
        except RunError as error:
            raise CommandError(str(error)) from error

    def _handle(self, options: dict[str, Any]) -> None:
        if options["resume"]:
            run = runs.resume(options["resume"], options["tasks"])
            self.stdout.write(showing.line_of(run))
            if showing.is_done_here(run):
                showing.refuse_failures(run)
        elif options["cancel"]:
            self.stdout.write(showing.line_of(runs.cancel(options["cancel"])))
        elif options["run"]:
            for line in showing.lines_of(runs.get(options["run"])):
                self.stdout.write(line)
        else:
            for run in Run.objects.order_by("pk"):
                self.stdout.write(showing.line_of(run))
