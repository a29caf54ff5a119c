"""`manage.py athumb_regen_field app.Model field`"""

from __future__ import annotations

import time
from argparse import ArgumentParser
from collections import Counter
from typing import Any

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist
from django.core.management.base import BaseCommand, CommandError
from django.db import DEFAULT_DB_ALIAS, models

from athumb_storage.exceptions import UnknownThumb
from athumb_storage.regeneration import Outcome, Result, regenerate

PROGRESS_EVERY = 1.0
"""Seconds between two lines of progress."""


class Command(BaseCommand):
    help = "Generates the thumbs of a field again, for all rows of a model, from the originals in the storage."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("model", help="the model, as app.Model")
        parser.add_argument("field", help="the name of its file field")
        parser.add_argument(
            "--thumb", action="append", metavar="NAME", help="only this thumb or responsive set; may be repeated"
        )
        parser.add_argument(
            "--missing", action="store_true", help="only thumbs that are not stored; the storage is asked"
        )
        parser.add_argument("--dry-run", action="store_true", help="say what would be done, and store nothing")
        parser.add_argument("--database", default=DEFAULT_DB_ALIAS, help="the database that has the rows")

    def handle(self, *args: Any, **options: Any) -> None:
        model = _model(options["model"])
        field = _field(model, options["field"])
        only = _thumb_names(field, options["thumb"])
        rows = model._base_manager.using(options["database"]).all()
        results = regenerate(rows, field, only, missing=options["missing"], dry_run=options["dry_run"])
        counts = self._followed(results, rows.count(), options["verbosity"])
        self._summarise(counts, options["dry_run"])

    def _followed(self, results: Any, total: int, verbosity: int) -> Counter[Outcome]:
        counts: Counter[Outcome] = Counter()
        reported = time.monotonic()
        for result in results:
            counts[result.outcome] += 1
            self._report(result, verbosity)
            if verbosity and time.monotonic() - reported >= PROGRESS_EVERY:
                reported = time.monotonic()
                self.stdout.write(f"{counts.total()}/{_rows(total)}, at {result.name!r}")
        return counts

    def _report(self, result: Result, verbosity: int) -> None:
        if result.outcome is Outcome.FAILED:
            self.stderr.write(f"Failed: {result.name!r} (row {result.pk}): {result.reason}")
        elif verbosity > 1:
            self.stdout.write(f"{result.outcome.value}: {result.name!r} (row {result.pk})")

    def _summarise(self, counts: Counter[Outcome], dry_run: bool) -> None:
        told = [outcome for outcome in Outcome if outcome is not Outcome.COMPLETE or counts[outcome]]
        summary = ", ".join(f"{counts[outcome]} {outcome.value}" for outcome in told)
        self.stdout.write(f"{'Dry run, nothing stored: ' if dry_run else ''}{_rows(counts.total())}: {summary}.")
        if counts[Outcome.FAILED]:
            raise CommandError(f"{counts[Outcome.FAILED]} of {_rows(counts.total())} failed.")


def _rows(count: int) -> str:
    return f"{count} row{'' if count == 1 else 's'}"


def _model(label: str) -> type[models.Model]:
    try:
        return apps.get_model(label)
    except ValueError as error:
        raise CommandError(f"There is no model {label!r}: write app_label.Model, such as store.Product.") from error
    except LookupError as error:
        raise CommandError(f"There is no model {label!r}: {error}") from error


def _field(model: type[models.Model], name: str) -> models.FileField:
    try:
        field = model._meta.get_field(name)
    except FieldDoesNotExist as error:
        raise CommandError(str(error)) from error
    storage = getattr(field, "storage", None)
    if not isinstance(field, models.FileField) or not hasattr(storage, "generate_thumbs"):
        raise CommandError(f"{model._meta.label}.{name} is no file field on a storage that makes thumbs.")
    if not getattr(storage, "thumbs", None):
        raise CommandError(f"{model._meta.label}.{name} has no thumbs.")
    return field


def _thumb_names(field: Any, names: list[str] | None) -> list[str] | None:
    if names is None:
        return None
    try:
        return [thumb for name in names for thumb in field.storage.thumbs.names_of(name)]
    except UnknownThumb as error:
        raise CommandError(str(error)) from error
