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
from django.db import DatabaseError, OperationalError, connections, models, router, transaction

from athumb_storage.audit.places import Place, place_of
from athumb_storage.exceptions import AuditError
from athumb_storage.rows import all_rows, by_pk

PAGE: Final = 2000
"""How many rows are fetched at once."""

_NO_DATABASE: Final = "django.db.backends.dummy"
"""The engine of a database that Django lets be without settings."""

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

    @cached_property
    def is_there(self) -> bool:
        """Whether it has a table. Where Django migrates it and the project uses it, it has to.

        Raises:
            AuditError: nobody can tell.
        """
        is_migrated = self.model._meta.managed and router.allow_migrate_model(self.database, self.model)
        if is_migrated and self.is_used:
            return True
        try:
            with transaction.atomic(using=self.database):
                self._rows().exists()
        except DatabaseError as error:
            if not self._is_absent(error):
                raise self._unreadable(error) from error
            logger.info("%s has no table: %s", self, error)
            return False
        return True

    @property
    def is_used(self) -> bool:
        """Whether this is a database that the project uses for the model where it names none."""
        return self.database in _used_by(self.model)

    @property
    def defaults(self) -> list[str]:
        """The names that a row has which is given none."""
        in_database = getattr(self.field, "db_default", None)
        values = (self.field.get_default(), getattr(in_database, "value", in_database))
        return [value for value in values if value and isinstance(value, str)]

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
            for name in self._all_names():
                if name:
                    yield str(name)
        except DatabaseError as error:
            raise self._unreadable(error) from error

    def named(self, names: Iterable[str]) -> set[str]:
        """Those of these names that a row has now.

        Raises:
            AuditError: the table cannot be read.
        """
        left, found = filter(_may_be_kept, names), set()
        try:
            while some := list(islice(left, _MOST_NAMES)):
                rows = self._rows().filter(**{f"{self.field.attname}__in": some})
                found |= {str(name) for name in rows.values_list(self.field.attname, flat=True)}
        except DatabaseError as error:
            raise self._unreadable(error) from error
        return found

    def _all_names(self) -> Iterator[Any]:
        if self.model._meta.managed:
            return (name for _, name in by_pk(self._rows(), self.field.attname, page=PAGE))
        # What is called a primary key may repeat itself, as in many views.
        return self._rows().order_by().values_list(self.field.attname, flat=True).iterator(PAGE)

    def _is_absent(self, error: DatabaseError) -> bool:
        """Whether this error, of reading it, means that there is no such table, and not that something else failed."""
        connection = connections[self.database]
        if isinstance(error, OperationalError) and connection.vendor != "sqlite":
            return False
        table = connection.introspection.identifier_converter(self.model._meta.db_table)
        try:
            there = connection.introspection.table_names(include_views=True)
        except DatabaseError:
            return False
        return table.casefold() not in {name.casefold() for name in there}

    def _rows(self) -> models.QuerySet[Any]:
        return all_rows(self.model, self.database)

    def _unreadable(self, error: DatabaseError) -> AuditError:
        table = self.model._meta.db_table
        why = f"the table {table!r} cannot be read ({error}). A router's allow_migrate() says which database has what."
        return AuditError(f"{self}: {why}")


def _may_be_kept(name: str) -> bool:
    """Whether a database can have this text at all."""
    try:
        return "\0" not in name and bool(name.encode())
    except UnicodeEncodeError:
        return False


def every_file_column(database: str | None = None) -> list[FileColumn]:
    """All there may be, by default in all databases: where a router lets a model be migrated, reads or writes it."""
    return [
        FileColumn(model, field, alias)
        for model in apps.get_models(include_auto_created=True)
        if not model._meta.proxy
        for field in model._meta.local_concrete_fields
        if isinstance(field, models.FileField)
        for alias in connections
        if database in (None, alias)
        and connections.settings[alias]["ENGINE"] != _NO_DATABASE
        and (router.allow_migrate_model(alias, model) or alias in _used_by(model))
    ]


def file_columns(database: str | None = None) -> list[FileColumn]:
    """All there are."""
    return [column for column in every_file_column(database) if column.is_there]


def _used_by(model: type[models.Model]) -> set[str]:
    """The databases that the project uses for a model, its proxies and those derived from it where it names none."""
    family = [each for each in apps.get_models(include_auto_created=True) if issubclass(each, model)]
    return {choose(each) for each in family for choose in (router.db_for_read, router.db_for_write)}
