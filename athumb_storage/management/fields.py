"""The model and the field that a command is told."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist
from django.core.management.base import CommandError
from django.db import models

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


def fields_with_thumbs() -> list[tuple[type[models.Model], models.FileField]]:
    """All of the project, each with the model whose table has it."""
    return [
        (model, field)
        for model in apps.get_models(include_auto_created=True)
        if not model._meta.proxy
        for field in model._meta.local_concrete_fields
        if isinstance(field, models.FileField) and getattr(field.storage, "thumbs", None)
    ]


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
