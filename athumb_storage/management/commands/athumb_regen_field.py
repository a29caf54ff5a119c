"""`manage.py athumb_regen_field app.Model field`"""

from __future__ import annotations

from argparse import ArgumentParser
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from typing import Any

from django.core.exceptions import FieldError, ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import DEFAULT_DB_ALIAS, models

from athumb_storage.audit import due
from athumb_storage.distributed import door
from athumb_storage.management.arguments import fields_with_thumbs, named_field, named_model, named_thumbs, since
from athumb_storage.management.progress import Progress, counted
from athumb_storage.management.records import Checkpoint, Report
from athumb_storage.regeneration import WORKERS, Outcome, Result, fingerprint, regenerate
from athumb_storage.rows import PrimaryKey
from athumb_storage.storages.journal import is_of_storing

_CHOICES = ("thumb", "pk", "start_pk", "filter", "missing", "stale", "since", "limit", "dry_run", "database")
"""The arguments that choose what is done, besides the field."""


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
        rows.add_argument("--database", default=DEFAULT_DB_ALIAS, help="the database that has the rows")
        how = parser.add_argument_group("how")
        how.add_argument(
            "--workers",
            type=int,
            default=WORKERS,
            metavar="N",
            help="originals worked on at once (default: %(default)s)",
        )
        how.add_argument("--dry-run", action="store_true", help="say what would be done, and store nothing")
        how.add_argument("--fail-fast", action="store_true", help="stop at the first file that fails")
        how.add_argument("--report", metavar="FILE", help="add what becomes of each row to this file, as JSON lines")
        how.add_argument(
            "--checkpoint", metavar="FILE", help="keep in this file how far it is, and go on from there the next time"
        )
        door.add_options(parser.add_argument_group("by many machines"))

    def handle(self, *args: Any, **options: Any) -> None:
        if options["workers"] < 1:
            raise CommandError("--workers: at least one is needed.")
        if options["since"] and not options["stale"]:
            raise CommandError("--since goes with --stale.")
        door.check(options)
        fields = _fields(options)
        if options["enqueue"]:
            self._enqueue(fields, options)
            return
        chosen = {name: options[name] for name in _CHOICES}
        thumbs = {_label(model, field): fingerprint(field) for model, field in fields}
        checkpoint = Checkpoint(options["checkpoint"], {"thumbs": thumbs, **chosen})
        if checkpoint.is_complete:
            self.stdout.write(f"{options['checkpoint']} says that all is done. Remove it to begin anew.")
        else:
            try:
                with Report(options["report"]) as report:
                    self._work(fields, options, checkpoint, report)
                checkpoint.finish()
            except KeyboardInterrupt:
                self.stderr.write(f"Stopped after {counted(checkpoint.counts.total())}.")
                raise
        self._summarise(checkpoint.counts, options["dry_run"])

    def _enqueue(self, fields: Sequence[tuple[type[models.Model], models.FileField]], options: dict[str, Any]) -> None:
        """A run for each field; one that cannot be started does not stop the others, which nobody has to start anew."""
        wrong = []
        for model, field in fields:
            rows, only = _rows(model, options), named_thumbs(field, options["thumb"])
            due = _due(rows, field, only, options)
            try:
                door.enqueue(rows, field, only, options, listed=due, tell=self.stdout.write)
            except CommandError as error:
                wrong.append(f"{_label(model, field)}: {error}")
        if wrong:
            raise CommandError("\n".join(wrong))

    def _work(
        self,
        fields: Sequence[tuple[type[models.Model], models.FileField]],
        options: dict[str, Any],
        checkpoint: Checkpoint,
        report: Report,
    ) -> None:
        labels = [_label(*each) for each in fields]
        first = labels.index(checkpoint.field) if checkpoint.field else 0
        for label, (model, field) in list(zip(labels, fields, strict=True))[first:]:
            key = PrimaryKey(model)
            last = checkpoint.last_pk(label, key)
            rows = _rows(model, options)
            rows = rows if last is None else rows.filter(pk__gt=last)
            only = named_thumbs(field, options["thumb"])
            limit = options["limit"] and options["limit"] - checkpoint.counts.total()
            how = {"limit": limit, "workers": options["workers"], "dry_run": options["dry_run"]}
            with Progress(self.stdout, limit, is_wanted=options["verbosity"] > 0) as progress:
                due = _due(rows, field, only, options, progress.expect)
                if due is None:
                    progress.expect(rows.count())
                with closing(regenerate(rows, field, only, due=due, **how)) as results:
                    for result in results:
                        report.write(label, result)
                        checkpoint.note(label, key, result)
                        progress.step(result.name)
                        self._tell(result, progress, options["verbosity"])
                        if result.outcome is Outcome.FAILED and options["fail_fast"]:
                            done = counted(checkpoint.counts.total())
                            raise CommandError(f"Stopped at the first failure, after {done}.")

    def _tell(self, result: Result, progress: Progress, verbosity: int) -> None:
        if result.outcome is Outcome.FAILED:
            progress.write(self.stderr, f"Failed: {result.name!r} (row {result.pk}): {result.reason}")
        elif verbosity > 1:
            progress.write(self.stdout, f"{result.outcome.value}: {result.name!r} (row {result.pk})")

    def _summarise(self, counts: Counter[Outcome], dry_run: bool) -> None:
        told = [outcome for outcome in Outcome if outcome is not Outcome.CHANGED or counts[outcome]]
        summary = ", ".join(f"{counts[outcome]} {outcome.value}" for outcome in told)
        self.stdout.write(f"{'Dry run, nothing stored: ' if dry_run else ''}{counted(counts.total())}: {summary}.")
        if counts[Outcome.FAILED]:
            raise CommandError(f"{counts[Outcome.FAILED]} of {counted(counts.total())} failed.")


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


def _label(model: type[models.Model], field: models.FileField) -> str:
    return f"{model._meta.label}.{field.name}"


def _rows(model: type[models.Model], options: dict[str, Any]) -> models.QuerySet[Any]:
    rows = model._base_manager.using(options["database"]).all()
    if options["pk"] is not None:
        rows = rows.filter(pk__in=[_parsed_pk(model, text) for text in options["pk"]])
    if options["start_pk"] is not None:
        rows = rows.filter(pk__gte=_parsed_pk(model, options["start_pk"]))
    try:
        for text in options["filter"] or ():
            rows = rows.filter(**_lookup(text)).distinct()
        str(rows.query)
    except (FieldError, ValidationError, ValueError, TypeError) as error:
        raise CommandError(f"--filter {text}: {error}") from error
    return rows


def _parsed_pk(model: type[models.Model], text: str) -> Any:
    try:
        return PrimaryKey(model).from_text(text)
    except (ValidationError, ValueError, TypeError) as error:
        raise CommandError(f"{text!r} is no primary key of {model._meta.label}.") from error


def _lookup(text: str) -> dict[str, Any]:
    """What Django's filter() takes, from the text of a command line."""
    lookup, equals, value = text.partition("=")
    if not equals:
        raise ValueError("write LOOKUP=VALUE")
    if lookup.endswith("__in"):
        return {lookup: value.split(",")}
    if lookup.endswith("__isnull"):
        return {lookup: {"true": True, "false": False}.get(value.lower(), value)}
    return {lookup: value}


def _due(
    rows: models.QuerySet[Any],
    field: models.FileField,
    only: Sequence[str] | None,
    options: dict[str, Any],
    counted: Callable[[int], object] = bool,
) -> Iterable[tuple[Any, Sequence[str]]] | None:
    """The rows that lack thumbs or have stale ones; None if all are wanted."""
    if not (options["missing"] or options["stale"]):
        return None
    chosen = {name: options[name] for name in ("missing", "stale", "since")}
    return _found(due(field, only=only, rows=rows, counted=counted, **chosen), field)


def _found(due: Iterable[tuple[Any, Sequence[str]]], field: Any) -> Iterator[tuple[Any, Sequence[str]]]:
    """The same.

    Raises:
        CommandError: the storage could not be listed.
    """
    try:
        yield from due
    except Exception as error:
        if not is_of_storing(field.storage, error):
            raise
        raise CommandError(f"What is missing or stale cannot be told: {type(error).__name__}: {error}") from error
