"""Which files the database names: every row of every model that has a file field, in every database."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any, Final

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import InvalidStorageError
from django.db import DatabaseError, connections, models, router

from athumb_storage.audit.places import Place, place_of
from athumb_storage.exceptions import AuditError
from athumb_storage.rows import by_pk

PAGE: Final = 2000
"""How many rows are fetched at once."""

_MOST_NAMES: Final = 400
"""How many names one query asks for; SQLite once took 999 parameters."""

logger = logging.getLogger("athumb_storage")


@dataclass(frozen=True, eq=False)
class FileColumn:
    """A file field of a model that has the column itself, in one database."""

    model: type[models.Model]
    field: models.FileField
    database: str

    def __str__(self) -> str:
        return f"{self.model._meta.label}.{self.field.name} in the database {self.database!r}"

    @cached_property
    def storage(self) -> Any:
        """The field's: bound to its thumbs, if it has any."""
        return self.field.storage

    @cached_property
    def place(self) -> Place:
        """Where its files are.

        Raises:
            AuditError: its storage cannot be set up.
        """
        try:
            return place_of(self.storage)
        except (InvalidStorageError, ImproperlyConfigured, ImportError) as error:
            raise AuditError(f"The storage of {self} cannot be set up: {error}") from error

    @property
    def makes_thumbs(self) -> bool:
        """Whether its storage knows of thumbs."""
        return hasattr(self.storage, "thumb_keys")

    def names(self) -> Iterator[str]:
        """The names in all rows, as often as they are there.

        Raises:
            AuditError: the table cannot be read.
        """
        try:
            for _, name in by_pk(self._rows(), self.field.attname, page=PAGE):
                if name:
                    yield str(name)
        except DatabaseError as error:
            raise self._unreadable(error) from error

    def named(self, names: Iterable[str]) -> set[str]:
        """Those of these names that a row has now.

        Raises:
            AuditError: the table cannot be read.
        """
        left, found = iter(names), set()
        try:
            while some := list(islice(left, _MOST_NAMES)):
                rows = self._rows().filter(**{f"{self.field.attname}__in": some})
                found |= {str(name) for name in rows.values_list(self.field.attname, flat=True)}
        except DatabaseError as error:
            raise self._unreadable(error) from error
        return found

    def _rows(self) -> models.QuerySet[Any]:
        return models.QuerySet(self.model, using=self.database)  # a manager may hide some

    def _unreadable(self, error: DatabaseError) -> AuditError:
        table = self.model._meta.db_table
        why = f"the table {table!r} cannot be read ({error}). A router's allow_migrate() says which database has what."
        return AuditError(f"{self}: {why}")


def file_columns(database: str | None = None) -> list[FileColumn]:
    """All there are, by default in all databases. A model that is not managed counts where its table is.

    Raises:
        DatabaseError: a database cannot be asked which tables it has.
    """
    return [
        FileColumn(model, field, alias)
        for model in apps.get_models(include_auto_created=True)
        if not model._meta.proxy
        for field in model._meta.local_concrete_fields
        if isinstance(field, models.FileField)
        for alias in ([database] if database else connections)
        if router.allow_migrate_model(alias, model) and _is_there(model, alias)
    ]


def _is_there(model: type[models.Model], alias: str) -> bool:
    if model._meta.managed:
        return True
    connection = connections[alias]
    table = connection.introspection.identifier_converter(model._meta.db_table)
    is_there = table in connection.introspection.table_names(include_views=True)
    if not is_there:
        logger.info("%s is not managed and has no table in the database %r.", model._meta.label, alias)
    return is_there
