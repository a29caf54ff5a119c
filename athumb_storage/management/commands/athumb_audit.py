"""`manage.py athumb_audit [app.Model field ...]`"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import InvalidStorageError
from django.core.management.base import BaseCommand, CommandError, OutputWrapper
from django.db import DatabaseError, models

from athumb_storage.audit import (
    GONE,
    IN_USE,
    KINDS,
    REMOVED,
    Audit,
    Inventory,
    Pruning,
    Scope,
    Total,
    audited,
    has_thumbs,
    refuse_to_prune,
    stored_at,
)
from athumb_storage.exceptions import AthumbError
from athumb_storage.management.arguments import named_field, named_model, since
from athumb_storage.storages.journal import is_of_storing

MISSING: Final = 3
"""The exit code where something is missing."""

LEFT_OVER: Final = 4
"""The exit code where nothing is missing, and something is stale, surplus or orphaned."""


class Command(BaseCommand):
    help = (
        "Reconciles one listing of what is stored with the database and the thumbs that are configured. "
        "Exit codes: 0 all is in order, 1 the audit could not be carried out, 3 something is missing, "
        "4 nothing is missing, and something is stale, surplus or orphaned."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "fields", nargs="*", metavar="app.Model field", help="the fields; none is all fields with thumbs"
        )
        parser.add_argument("--format", choices=("text", "json"), default="text", help="text, or one JSON object")
        parser.add_argument("--list", action="store_true", help="name every file")
        parser.add_argument("--since", type=since, metavar="TIME", help="thumbs stored before this are stale")
        parser.add_argument(
            "--inventory",
            type=Path,
            metavar="MANIFEST",
            help="the manifest.json of an S3 Inventory, instead of a listing",
        )
        parser.add_argument("--prune", action="store_true", help="remove orphaned thumbs")
        parser.add_argument("--originals", action="store_true", help="with --prune: orphaned originals as well")
        parser.add_argument(
            "--min-age", type=_hours, default=24, metavar="HOURS", help="with --prune: only what is older (24)"
        )
        parser.add_argument("--dry-run", action="store_true", help="with --prune: say what would be removed")
        parser.add_argument(
            "--noinput", "--no-input", action="store_false", dest="interactive", help="with --prune: do not ask"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["prune"] and (options["originals"] or options["dry_run"]):
            raise CommandError("--originals and --dry-run go with --prune.")
        scope: Scope | None = None
        try:
            scope = Scope(_fields(options["fields"]))
            if options["prune"]:
                refuse_to_prune(scope)
            listing = Inventory(options["inventory"]).listing() if options["inventory"] else stored_at
            with audited(scope, since=options["since"], listing=listing) as audit:
                totals = self._told(audit, options)
        except (AthumbError, ImproperlyConfigured, InvalidStorageError, DatabaseError) as error:
            raise CommandError(f"The audit could not be carried out: {error}") from error
        except Exception as error:
            if scope is None or not any(is_of_storing(root.storage, error) for root in scope.roots):
                raise
            why = f"{type(error).__name__}: {error}"
            raise CommandError(f"The audit could not be carried out: {why}") from error
        _leave(totals)

    def _told(self, audit: Audit, options: dict[str, Any]) -> dict[str, Total]:
        """Say what was found, and prune if that is wanted; what is left then."""
        totals = audit.totals()
        is_text = options["format"] == "text"
        if is_text:
            self._write(_text(audit, totals, options["list"]))
        pruned = self._prune(audit, totals, options) if options["prune"] else None
        if not is_text:
            self._write(_json(audit, totals, options["list"], pruned))
        return totals if pruned is None or options["dry_run"] else _after(totals, pruned)

    def _prune(self, audit: Audit, totals: dict[str, Total], options: dict[str, Any]) -> dict[str, Counter[str]]:
        """What became of the orphans, by their kind."""
        kinds = ["orphaned_thumbs", *(["orphaned_originals"] if options["originals"] else [])]
        prunings = {kind: Pruning(audit, [kind], timedelta(hours=options["min_age"])) for kind in kinds}
        say = self.stdout if options["format"] == "text" else self.stderr
        wanted = dict.fromkeys(kinds, 0)
        for kind, pruning in prunings.items():
            for finding in pruning.candidates():
                wanted[kind] += 1
                say.write(f"to be removed: {_words(kind)}: {json.dumps(finding.address)}")
        counted = ", ".join(f"{count} {_words(kind)}" for kind, count in wanted.items())
        if options["dry_run"]:
            say.write(f"Dry run: {counted} would be removed.")
            return {kind: pruning.passed_over() for kind, pruning in prunings.items()}
        say.write(f"To be removed: {counted}.")
        if any(wanted.values()) and options["interactive"] and not _is_confirmed(say):
            raise CommandError("Nothing was removed. Without a terminal, --noinput removes without asking.")
        outcomes = {kind: pruning.run() for kind, pruning in prunings.items()}
        summed: Counter[str] = sum(outcomes.values(), Counter())
        removed = summed.pop(REMOVED, 0)
        skipped = "".join(f", {count} {reason}" for reason, count in sorted(summed.items()))
        say.write(f"Removed {removed} files; skipped {summed.total()}{skipped}.")
        return outcomes

    def _write(self, parts: Iterable[str]) -> None:
        for part in parts:
            self.stdout.write(part, ending="")


def _text(audit: Audit, totals: dict[str, Total], is_listed: bool) -> Iterator[str]:
    where = ", ".join(root.place.address or type(root.storage).__name__ for root in audit.scope.roots)
    yield f"{audit.listed.count} files of {audit.listed.bytes} bytes in {where}\n"
    if is_listed:
        for kind in KINDS:
            for finding in audit.findings(kind):
                yield f"{_words(kind)}: {json.dumps(finding.address)}\n"
    for kind, total in totals.items():
        stored = "" if kind.startswith("missing") else f", {total.bytes} bytes"
        yield f"{_words(kind)}: {total.count}{stored}\n"


def _json(
    audit: Audit, totals: dict[str, Total], is_listed: bool, pruned: dict[str, Counter[str]] | None
) -> Iterator[str]:
    """One object, a part at a time: there may be many keys."""
    for number, (kind, total) in enumerate(totals.items()):
        yield f'{", " if number else "{"}"{kind}": {{"count": {total.count}, "bytes": {total.bytes}'
        if is_listed:
            yield ', "keys": ['
            for index, finding in enumerate(audit.findings(kind)):
                yield f"{', ' if index else ''}{json.dumps(finding.address)}"
            yield "]"
        yield "}"
    yield "}\n" if pruned is None else f', "pruned": {json.dumps(pruned)}}}\n'


def _words(kind: str) -> str:
    return kind.replace("_", " ")


def _after(totals: dict[str, Total], pruned: dict[str, Counter[str]]) -> dict[str, Total]:
    """What is left. How many bytes does not matter any more."""
    no_orphans = {
        kind: sum(outcomes[reason] for reason in (REMOVED, GONE, IN_USE)) for kind, outcomes in pruned.items()
    }
    return {kind: Total(total.count - no_orphans.get(kind, 0)) for kind, total in totals.items()}


def _is_confirmed(say: OutputWrapper) -> bool:
    say.write("Remove them? Type 'yes' to go on: ", ending="")
    say.flush()
    return sys.stdin is not None and sys.stdin.readline().strip() == "yes"


def _hours(text: str) -> float:
    try:
        hours = float(text)
    except ValueError:
        hours = -1
    if not 0 <= hours < 1e6:
        raise ArgumentTypeError(f"{text!r} is no number of hours.")
    return hours


def _leave(totals: dict[str, Total]) -> None:
    found = ", ".join(f"{total.count} {_words(kind)}" for kind, total in totals.items() if total.count)
    if any(total.count for kind, total in totals.items() if kind.startswith("missing")):
        raise CommandError(f"Something is missing: {found}.", returncode=MISSING)
    if found:
        raise CommandError(f"Nothing is missing: {found}.", returncode=LEFT_OVER)


def _fields(words: list[str]) -> list[models.FileField] | None:
    """What the command line names: a model and its fields, then perhaps another; a model alone is all of its fields."""
    named: list[tuple[type[models.Model], list[str]]] = []
    for word in words:
        if "." in word:
            named.append((named_model(word), []))
        elif named:
            named[-1][1].append(word)
        else:
            raise CommandError(f"{word!r} is no model: write app_label.Model, such as store.Product.")
    fields = [
        field
        for model, names in named
        for field in ([named_field(model, name) for name in names] if names else _all(model))
    ]
    return fields if words else None


def _all(model: type[models.Model]) -> list[models.FileField]:
    fields = [field for field in model._meta.concrete_fields if isinstance(field, models.FileField)]
    with_thumbs = [field for field in fields if has_thumbs(field.storage)]
    if not with_thumbs:
        raise CommandError(f"{model._meta.label} has no field with thumbs.")
    return with_thumbs
