"""What a command is told: a model, a field, rows, thumbs, a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, time
from typing import Any

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist, FieldError, ValidationError
from django.core.management.base import CommandError
from django.db import DatabaseError, connections, models, router
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.timezone import is_naive, make_aware

from athumb_storage.audit import file_columns, has_thumbs
from athumb_storage.exceptions import UnknownThumb
from athumb_storage.rows import PrimaryKey, all_rows


def named_model(label: str) -> type[models.Model]:
    """
    Raises:
        CommandError: there is none.
    """
    try:
        return apps.get_model(label)
    except ValueError as error:
        raise CommandError(f"There is no model {label!r}: write app_label.Model, such as store.Product.") from error
    except LookupError as error:
        raise CommandError(f"There is no model {label!r}: {error}") from error


def named_field(model: type[models.Model], name: str) -> models.FileField:
    """
    Raises:
        CommandError: it is no file field with thumbs.
    """
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


def fields_with_thumbs(database: str | None) -> list[tuple[type[models.Model], models.FileField]]:
    """All that have rows in this database, each with the model whose table has it; None is where each is written to."""
    aliases = [database] if database else dict.fromkeys(router.db_for_write(model) for model in apps.get_models())
    return [
        (each.model, each.field)
        for alias in aliases
        for each in file_columns(alias)
        if alias == (database or router.db_for_write(each.model)) and has_thumbs(each.storage)
    ]


def named_database(alias: str | None) -> str | None:
    """The same.

    Raises:
        CommandError: there is no such database.
    """
    if alias is not None and alias not in connections:
        raise CommandError(f"There is no database {alias!r} among {', '.join(map(repr, connections))}.")
    return alias


def named_rows(
    model: type[models.Model],
    database: str | None,
    *,
    pks: Sequence[str] | None = None,
    start_pk: str | None = None,
    filters: Sequence[str] | None = None,
) -> models.QuerySet[Any]:
    """The rows that are chosen.

    Args:
        model: whose rows.
        database: the alias of the database; None is the one that the model is written to: a replica may lag behind.
        pks: primary keys as text; None is any.
        start_pk: the first of them, as text.
        filters: lookups with a value, each as `name=value`.

    Raises:
        CommandError: they cannot be looked for.
    """
    rows = all_rows(model, database or router.db_for_write(model))
    if pks is not None:
        with _refusing("--pk"):
            rows = _found(rows, {"pk__in": [_parsed_pk(model, text) for text in pks]})
    if start_pk is not None:
        with _refusing("--start-pk"):
            rows = _found(rows, {"pk__gte": _parsed_pk(model, start_pk)})
    for text in filters or ():
        with _refusing(f"--filter {text}"):
            rows = _found(rows, _lookup(text))
    return rows


@contextmanager
def _refusing(argument: str) -> Iterator[None]:
    try:
        yield
    except (FieldError, ValidationError, ValueError, TypeError, LookupError, OverflowError, DatabaseError) as error:
        raise CommandError(f"{argument}: {error}") from error


def _found(rows: models.QuerySet[Any], lookups: dict[str, Any]) -> models.QuerySet[Any]:
    """Those of the rows that Django's filter() finds, each once."""
    found = rows.filter(**lookups)
    tables = [alias for alias, count in found.query.alias_refcount.items() if count]
    if len(tables) > 1:  # another one may have several rows for one of ours
        same = all_rows(rows.model, rows.db).filter(pk=models.OuterRef("pk"), **lookups)
        found = rows.filter(models.Exists(same))
    found.exists()  # some errors are the database's
    return found


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
    if lookup.endswith("__range"):
        first, comma, last = value.partition(",")
        if not comma:
            raise ValueError("write LOOKUP=FIRST,LAST")
        return {lookup: (first, last)}
    if lookup.endswith("__isnull"):
        return {lookup: {"true": True, "false": False}.get(value.lower(), value)}
    return {lookup: value}


def named_thumbs(field: Any, names: list[str] | None) -> list[str] | None:
    """The names of these thumbs, and of all in these responsive sets; None is all.

    Raises:
        CommandError: there is none of that name.
    """
    if names is None:
        return None
    try:
        return [thumb for name in names for thumb in field.storage.thumbs.names_of(name)]
    except UnknownThumb as error:
        raise CommandError(str(error)) from error


def since(text: str) -> datetime:
    """The time or day that is given as `--since`, in the project's time zone unless it says another.

    Raises:
        CommandError: it is none.
    """
    try:
        found = parse_datetime(text)
        day = parse_date(text) if found is None else None
    except ValueError as error:
        raise CommandError(f"--since {text}: {error}") from error
    found = datetime.combine(day, time.min) if day else found
    if found is None:
        raise CommandError(f"--since {text}: write a time such as 2026-01-31 or 2026-01-31T12:00.")
    return make_aware(found) if is_naive(found) else found
