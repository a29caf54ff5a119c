"""What the command `athumb_regen_field` calls for `--enqueue`. It can be imported where the app is not installed."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable, Sequence
from typing import Any

from django.apps import apps
from django.core.management.base import CommandError
from django.db import models

from athumb_storage.distributed.errors import RunError

NOT_HERE = ("limit", "dry_run", "fail_fast", "report", "checkpoint")
"""The options of that command which a run has no use for."""


def add_options(parser: Any) -> None:
    """The options of a command that can start a run; the parser, or a group of its options, takes them."""
    parser.add_argument("--enqueue", action="store_true", help="start a run that the workers of a task engine share")
    parser.add_argument("--tasks", type=positive, metavar="N", help="with --enqueue: how many tasks to start with")
    parser.add_argument("--queue", metavar="NAME", help="with --enqueue: the queue for them")
    parser.add_argument("--backend", metavar="ALIAS", help="with --enqueue: their backend, of the setting TASKS")


def check(options: dict[str, Any]) -> None:
    """
    Raises:
        CommandError: options of the command do not go together, or do not go here.
    """
    if not options["enqueue"]:
        for name in ("tasks", "queue", "backend"):
            if options[name] is not None:
                raise CommandError(f"--{name} goes with --enqueue.")
        return
    if not apps.is_installed("athumb_storage.distributed"):
        raise CommandError('--enqueue needs "athumb_storage.distributed" in INSTALLED_APPS, and its migration.')
    for name in NOT_HERE:
        if options[name] is not None and options[name] is not False:
            raise CommandError(f"--{name.replace('_', '-')} does not go with --enqueue.")
    from athumb_storage.distributed import engines

    try:
        engines.place(options["backend"], options["queue"])
    except RunError as error:
        raise CommandError(str(error)) from error


def enqueue(
    rows: models.QuerySet[Any],
    field: models.FileField,
    only: Sequence[str] | None,
    options: dict[str, Any],
    *,
    listed: Any = None,
    tell: Callable[[str], object],
) -> None:
    """Start a run as the options say, which `check` has seen.

    Args:
        rows: all rows of the model, or those that were chosen.
        field: the file field.
        only: the thumb names wanted; None is all.
        options: those of the command, among them `workers` and the four of `add_options`.
        listed: primary keys of rows, each with the thumb names wanted of it; None is all `rows`.
        tell: is told what there is to say, a line at a time.

    Raises:
        CommandError: the run could not be started, or it was done at once and rows failed.
    """
    from athumb_storage.distributed import runs, showing

    chosen = {name: options[name] for name in ("workers", "tasks", "queue", "backend")}
    try:
        run = runs.start(rows, field, only, listed=listed, **chosen)
        run.refresh_from_db()
        if not showing.is_done_here(run):
            tell(f"Run {run} is started: `manage.py athumb_runs {run.pk}` shows how far it is.")
            return
        for line in showing.lines_of(run):
            tell(line)
        showing.refuse_failures(run)
    except RunError as error:
        raise CommandError(str(error)) from error


def positive(text: str) -> int:
    """A number above 0, as an argument of a command."""
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text!r} is no number above 0")
    return int(text)
