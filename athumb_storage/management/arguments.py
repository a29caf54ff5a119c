"""What a command is told: a model, a field, thumbs, a time."""

from __future__ import annotations

from datetime import datetime, time
from typing import Any

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist
from django.core.management.base import CommandError
from django.db import models
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.timezone import is_naive, make_aware

from athumb_storage.audit import file_columns, has_thumbs
from athumb_storage.exceptions import UnknownThumb


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


def fields_with_thumbs(database: str) -> list[tuple[type[models.Model], models.FileField]]:
    """All that have rows in this database, each with the model whose table has it."""
    return [(each.model, each.field) for each in file_columns(database) if has_thumbs(each.storage)]


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
