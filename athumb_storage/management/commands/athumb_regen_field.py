"""`manage.py athumb_regen_field app.Model field`"""

from __future__ import annotations

import signal
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import models

from athumb_storage.audit import due
from athumb_storage.distributed import door
from athumb_storage.management.arguments import (
    fields_with_thumbs,
    named_database,
    named_field,
    named_model,
    named_rows,
    named_thumbs,
    since,
)
from athumb_storage.management.progress import Progress, counted
from athumb_storage.management.records import Checkpoint, Report
from athumb_storage.regeneration import WORKERS, LeftUnderWay, Outcome, Result, fingerprint, regenerate
from athumb_storage.rows import PrimaryKey
from athumb_storage.storages.journal import is_of_storing

_CHOICES = ("thumb", "pk", "start_pk", "filter", "missing", "stale", "since", "limit", "dry_run", "database")
"""The arguments that choose what is done, besides the field."""

_TOLD = (Outcome.GENERATED, Outcome.NO_IMAGE, Outcome.EMPTY, Outcome.REPEATED, Outcome.FAILED)
"""What is counted in the summary, also where there is none."""

_TOLD_DRY = (Outcome.DUE, Outcome.EMPTY, Outcome.REPEATED)
"""The same of a dry run, which looks into no file."""

_Listed = Iterable[tuple[Any, Sequence[str]]] | None


@dataclass(frozen=True)
class _Chosen:
    """The rows of a field that are chosen, and the thumbs wanted of them."""

    field: models.FileField
    rows: models.QuerySet[Any]
    only: Sequence[str] | None

    @property
    def label(self) -> str:
        return f"{self.rows.model._meta.label}.{self.field.name}"

    @property
    def key(self) -> PrimaryKey:
        return PrimaryKey(self.rows.model)


class Command(BaseCommand):
    help = "Generates the thumbs of a field again, for all rows of a model, from the originals in the storage."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("model", nargs="?", help="the model, as app.Model")
        parser.add_argument("field", nargs="?", help="the name of its file field")
        parser.add_argument("--all", action="store_true", help="every field with thumbs, instead of one")
        what = parser.add_argument_group("what is generated")
        what.add_argument(
            "--thumb", action="append", metavar="NAME", help="only this thumb or responsive set; may be repeated"
        )
        what.add_argument("--missing", action="store_true", help="only thumbs that are not stored, by one listing")
        what.add_argument(
            "--stale",
            action="store_true",
            help="only thumbs from before a change: told by fingerprints, else older than --since or their original",
        )
        what.add_argument(
            "--since", type=since, metavar="TIME", help="with --stale: when thumbs were changed, as 2026-01-31T12:00"
        )
        rows = parser.add_argument_group("for which rows")
        rows.add_argument("--pk", action="append", help="only the row with this primary key; may be repeated")
        rows.add_argument("--start-pk", metavar="PK", help="only rows from this primary key on")
        rows.add_argument(
            "--filter",
            action="append",
            metavar="LOOKUP=VALUE",
            help="only rows that Django's filter() finds, such as created__gte=2026-01-31; may be repeated",
        )
        rows.add_argument("--limit", type=int, metavar="N", help="at most so many rows")
        rows.add_argument("--database", metavar="ALIAS", help="the database that has the rows")
        how = parser.add_argument_group("how")
        how.add_argument("--workers", type=int, metavar="N", help=f"originals worked on at once (default: {WORKERS})")
        how.add_argument("--dry-run", action="store_true", help="say what would be done, and store nothing")
        how.add_argument("--fail-fast", action="store_true", help="stop at the first file that fails")
        how.add_argument("--report", metavar="FILE", help="add what becomes of each row to this file, as JSON lines")
        how.add_argument(
            "--checkpoint", metavar="FILE", help="keep in this file how far it is, and go on from there the next time"
        )
        door.add_options(parser.add_argument_group("by many machines"))

    def run_from_argv(self, argv: list[str]) -> None:
        try:
            super().run_from_argv(argv)
        except LeftUnderWay:  # at its end Python would wait for the threads all the same
            self.stdout.flush()
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            signal.raise_signal(signal.SIGINT)

    def handle(self, *args: Any, **options: Any) -> None:
        _refuse_contradictions(options)
        every = _every(options)
        if options["enqueue"]:
            self._enqueue(every, options)
            return
        arguments = {name: options[name] for name in _CHOICES}
        thumbs = {chosen.label: fingerprint(chosen.field) for chosen in every}
        checkpoint = Checkpoint(options["checkpoint"], {"thumbs": thumbs, **arguments})
        if checkpoint.is_complete:
            self.stdout.write(f"{options['checkpoint']} says that all is done. Remove it to begin anew.")
        else:
            try:
                with Report(options["report"]) as report:
                    self._work(every, options, checkpoint, report)
                checkpoint.finish()
            except KeyboardInterrupt:
                self.stderr.write(f"Stopped after {counted(checkpoint.counts.total())}.")
                raise
        self._summarise(checkpoint.counts, options["dry_run"])

    def _enqueue(self, every: list[_Chosen], options: dict[str, Any]) -> None:
        """A run for each field; one that cannot be started does not stop the others, which nobody has to start anew."""
        wrong = []
        for chosen in every:
            listed = _listed(chosen, options)
            try:
                door.enqueue(chosen.rows, chosen.field, chosen.only, options, listed=listed, tell=self.stdout.write)
            except CommandError as error:
                wrong.append(f"{chosen.label}: {error}")
        if wrong:
            raise CommandError("\n".join(wrong))

    def _work(self, every: list[_Chosen], options: dict[str, Any], checkpoint: Checkpoint, report: Report) -> None:
        labels = [chosen.label for chosen in every]
        first = labels.index(checkpoint.field) if checkpoint.field else 0
        for chosen in every[first:]:
            limit = options["limit"] and options["limit"] - checkpoint.counts.total()
            label, key = chosen.label, chosen.key
            last = checkpoint.last_pk(label, key)
            left = chosen if last is None else replace(chosen, rows=chosen.rows.filter(pk__gt=last))
            with (
                Progress(self.stdout, limit, is_wanted=options["verbosity"] > 0) as progress,
                closing(self._results(left, limit, progress, options)) as results,
            ):
                for result in results:
                    report.write(label, key, result)
                    is_last = result.outcome is Outcome.FAILED and options["fail_fast"]
                    if not is_last:  # else it is the first one the next time
                        checkpoint.note(label, key, result)
                    progress.step(result.name)
                    self._tell(key, result, progress, options["verbosity"])
                    if is_last:
                        done = counted(checkpoint.counts.total())
                        raise CommandError(f"Stopped at the first failure, after {done}.")

    def _results(
        self, chosen: _Chosen, limit: int | None, progress: Progress, options: dict[str, Any]
    ) -> Generator[Result, None, None]:
        def stopping(under_way: int) -> None:
            originals = f"{under_way} original{'' if under_way == 1 else 's'} under way"
            progress.write(self.stderr, f"Waiting for {originals}; Ctrl-C leaves them.")

        listed = _listed(chosen, options, progress.expect)
        if listed is None:
            progress.expect(chosen.rows.count())
        return regenerate(
            chosen.rows,
            chosen.field,
            chosen.only,
            due=listed,
            limit=limit,
            workers=options["workers"] or WORKERS,
            dry_run=options["dry_run"],
            stopping=stopping,
        )

    def _tell(self, key: PrimaryKey, result: Result, progress: Progress, verbosity: int) -> None:
        row = f"{result.name!r} (row {key.to_text(result.pk)})"
        if result.outcome is Outcome.FAILED:
            progress.write(self.stderr, f"Failed: {row}: {result.reason}")
        elif verbosity > 1:
            progress.write(self.stdout, f"{result.outcome.value}: {row}")

    def _summarise(self, counts: Counter[Outcome], dry_run: bool) -> None:
        always = _TOLD_DRY if dry_run else _TOLD
        summary = ", ".join(f"{counts[each]} {each.value}" for each in Outcome if each in always or counts[each])
        self.stdout.write(f"{'Dry run, nothing stored: ' if dry_run else ''}{counted(counts.total())}: {summary}.")
        if counts[Outcome.FAILED]:
            raise CommandError(f"{counts[Outcome.FAILED]} of {counted(counts.total())} failed.")


def _refuse_contradictions(options: dict[str, Any]) -> None:
    """
    Raises:
        CommandError: options that do not go together, or mean nothing.
    """
    named_database(options["database"])
    if options["workers"] is not None and options["workers"] < 1:
        raise CommandError("--workers: at least one is needed.")
    if options["limit"] is not None and options["limit"] < 0:
        raise CommandError("--limit: a number of rows is needed, 0 or more.")
    if options["since"] and not options["stale"]:
        raise CommandError("--since goes with --stale.")
    door.check(options)
    files = [Path(options[name]).resolve() for name in ("report", "checkpoint") if options[name] is not None]
    if len({*files}) < len(files):
        raise CommandError("--report and --checkpoint are two files.")


def _every(options: dict[str, Any]) -> list[_Chosen]:
    """What is chosen, for each of the fields.

    Raises:
        CommandError: it cannot be meant.
    """
    rows = {"pks": options["pk"], "start_pk": options["start_pk"], "filters": options["filter"]}
    return [
        _Chosen(field, named_rows(model, options["database"], **rows), named_thumbs(field, options["thumb"]))
        for model, field in _fields(options)
    ]


def _fields(options: dict[str, Any]) -> list[tuple[type[models.Model], models.FileField]]:
    if options["all"]:
        narrow = [name for name in ("model", "field", "thumb", "pk", "start_pk", "filter") if options[name] is not None]
        if narrow:
            raise CommandError(f"--all takes every field, so {narrow[0].replace('_', '-')} cannot be given with it.")
        return fields_with_thumbs(options["database"])
    if options["field"] is None:
        raise CommandError("Which field? Write app_label.Model and the field's name, or --all.")
    model = named_model(options["model"])
    return [(model, named_field(model, options["field"]))]


def _listed(chosen: _Chosen, options: dict[str, Any], expect: Callable[[int], object] = bool) -> _Listed:
    """The rows that lack thumbs or have stale ones, with these; None if all are wanted."""
    if not (options["missing"] or options["stale"]):
        return None
    kinds = {name: options[name] for name in ("missing", "stale", "since")}
    return _found(due(chosen.field, only=chosen.only, rows=chosen.rows, counted=expect, **kinds), chosen.field)


def _found(listed: Iterable[tuple[Any, Sequence[str]]], field: Any) -> Iterator[tuple[Any, Sequence[str]]]:
    """The same.

    Raises:
        CommandError: the storage could not be listed.
    """
    try:
        yield from listed
    except Exception as error:
        if not is_of_storing(field.storage, error):
            raise
        raise CommandError(f"What is missing or stale cannot be told: {type(error).__name__}: {error}") from error
