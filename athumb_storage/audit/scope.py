"""The scope of an audit: which fields it is about, what has to be listed, and who else has files there."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any, Final, NamedTuple

from django.conf import STATICFILES_STORAGE_ALIAS
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import File
from django.core.files.storage import storages
from django.db.models import FileField

from athumb_storage import conf
from athumb_storage.audit.places import Place, is_in_memory, own, place_of
from athumb_storage.audit.rows import FileColumn, every_file_column
from athumb_storage.exceptions import AuditError, shown
from athumb_storage.naming import Naming

_SAME_SAVE: Final = timedelta(hours=1)
"""How much older than its original a thumb may be that was stored by the same save.

Where names are unique, thumbs do not wait for the original, whose time may be that of the end of its upload.
"""


logger = logging.getLogger("athumb_storage")


@dataclass(frozen=True)
class Root:
    """A location that is listed."""

    storage: Any
    """One that has it, bound to no field."""
    place: Place


class Keys(NamedTuple):
    """The keys of an original and of its thumbs."""

    key: str
    thumbs: dict[str, list[str]]
    """Thumb name -> keys."""
    required: bool
    """Whether its thumbs have to be there."""
    slack: int | None
    """How many microseconds older than the original they may be; None is any."""


@dataclass(frozen=True, eq=False)
class Home:
    """A bucket, the file system or another storage: where keys are absolute."""

    number: int
    roots: list[Root]
    """What is listed in it."""
    columns: list[FileColumn]
    """Everything that has files in it."""
    configured: list[tuple[Any, Place]]
    """The storages of the settings that are in it, with their places."""

    @cached_property
    def _namings(self) -> list[tuple[Place, Naming]]:
        """Every rule by which fields store thumbs here, with the location it holds in."""
        found = [(column.place, column.storage.naming) for column in self.columns if column.makes_thumbs]
        return [each for index, each in enumerate(found) if each not in found[:index]]

    @cached_property
    def can_tell_back(self) -> bool:
        """Whether the key of every thumb tells its original."""
        prefixes = [(naming.prefix("name"), naming) for _, naming in self._namings]
        return all(prefix is not None and naming.original(f"{prefix}x.jpg") == "name" for prefix, naming in prefixes)

    def root_of(self, key: str) -> Root:
        """What was listed when this key was found."""
        return next(root for root in self.roots if key.startswith(root.place.prefix))

    def originals_of(self, key: str) -> Iterator[tuple[str, Naming, str]]:
        """The keys of the originals that the thumb at `key` may belong to, by which naming, and its name there."""
        for place, naming in self._namings:
            name = place.name(key)
            original = None if name is None else naming.original(name)
            if name is not None and original is not None:
                yield place.key(original), naming, name

    def is_a_fields(self, key: str) -> bool:
        """Whether the innermost location that has this key is a field's; other storages have files of their own."""
        return max(filter(key.startswith, self._locations), key=len) in self._locations_of_fields

    @cached_property
    def _locations_of_fields(self) -> set[str]:
        return {column.place.prefix for column in self.columns}

    @cached_property
    def _locations(self) -> set[str]:
        return self._locations_of_fields | {place.prefix for _, place in self.configured}

    def keys_of(self, column: FileColumn, name: str) -> Keys:
        """The keys of what a row names."""
        if column.makes_thumbs:
            return keys_of(column.storage, column.place, name)
        return self.any_keys(column.storage, column.place, name)

    def any_keys(self, storage: Any, place: Place, name: str) -> Keys:
        """The keys of a file that no field with thumbs names: the thumbs of any may be in use, and none has to be."""
        own_keys = keys_of(storage, place, name)
        thumbs = dict(own_keys.thumbs)
        for column in self.columns:
            theirs = column.place.name(own_keys.key)
            if column.makes_thumbs and theirs:
                for thumb, keys in keys_of(column.storage, column.place, theirs).thumbs.items():
                    thumbs[thumb] = [*thumbs.get(thumb, ()), *keys]
        return Keys(own_keys.key, thumbs, False, None)

    def used_without_a_field(self) -> Iterator[Keys]:
        """What the callables in `ATHUMB_FILES_IN_USE` give for each storage here.

        Raises:
            ImproperlyConfigured: the setting is wrong.
            AuditError: one gives something else than names.
            Exception: what a callable raises.
        """
        callables = conf.files_in_use()
        for storage, place in self._storages() if callables else ():
            for path, used in callables.items():
                for name in _names(path, used(storage)):
                    yield self.any_keys(storage, place, name)

    def _storages(self) -> Iterable[tuple[Any, Place]]:
        """Every storage here, each once."""
        of_columns = [(own(column.storage), column.place) for column in self.columns]
        return {id(storage): (storage, place) for storage, place in (*of_columns, *self.configured)}.values()


class Scope:
    """What an audit looks at.

    Args:
        fields: the fields that are asked about; None is all that have thumbs.

    Attributes:
        homes: what has to be listed, and who has files there.
        unread: what may name files there, and has no table where the project would read it.
        broken: alias -> error of the storages in the settings that cannot be set up.
        elsewhere: the columns on storages of a kind that tells nobody where it stores.

    Raises:
        AuditError: there is nothing to be audited, or a storage cannot be set up.
    """

    def __init__(self, fields: Collection[FileField] | None = None) -> None:
        every = every_file_column()
        columns = [column for column in every if column.is_there]
        if fields is None:
            fields = {column.field for column in columns if column.place and has_thumbs(column.storage)}
        self._fields = set(fields)
        roots = outermost([column for column in columns if self.is_audited(column)])
        if not roots:
            named = ", ".join(sorted(map(str, fields)))
            raise AuditError(f"No database has {named}." if named else "No field has thumbs: nothing can be audited.")
        configured, self.broken = _configured()
        self.homes = [
            Home(
                number,
                [root for root in roots if root.place.home == home],
                [column for column in columns if column.place.home == home],
                [(storage, place) for storage, place in configured if place.home == home],
            )
            for number, home in enumerate(dict.fromkeys(root.place.home for root in roots))
        ]
        homes = {root.place.home for root in roots}
        left_out = (column for column in every if column.is_used and not column.is_there)
        self.unread = [column for column in left_out if column.place.home in homes]
        self.elsewhere = [
            column for column in columns if isinstance(column.place.home, int) and not is_in_memory(column.storage)
        ]

    @property
    def roots(self) -> list[Root]:
        """All that is listed."""
        return [root for home in self.homes for root in home.roots]

    def is_audited(self, column: FileColumn) -> bool:
        """Whether it was asked about."""
        return column.field in self._fields


def _names(path: str, given: Any) -> Iterator[str]:
    """The names that a callable of `ATHUMB_FILES_IN_USE` gives.

    Raises:
        AuditError: it gives something else.
    """
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        raise AuditError(f"{path} in ATHUMB_FILES_IN_USE gives {shown(repr(given))}: several names are wanted.")
    for each in given:
        name = each.name if isinstance(each, File) else os.fspath(each) if isinstance(each, os.PathLike) else each
        if name is not None and not isinstance(name, str):
            raise AuditError(f"{path} in ATHUMB_FILES_IN_USE gives {shown(repr(each))}: that is no name.")
        if name:
            yield name


def _configured() -> tuple[list[tuple[Any, Place]], dict[str, Exception]]:
    """The storages of the settings with their places, and alias -> error of those that cannot be set up."""
    found, broken = [], {}
    for alias in storages.backends:
        try:
            storage = own(storages[alias])
            found.append((storage, place_of(storage)))
        except Exception as error:  # noqa: BLE001, whatever a class raises, or a server that it asks
            if alias == STATICFILES_STORAGE_ALIAS and isinstance(error, ImproperlyConfigured):
                continue  # Django lets static files be without settings of their own
            broken[alias] = error
            logger.warning("The storage %r of STORAGES is left out, it cannot be set up: %s", alias, error)
    return found, broken


def has_thumbs(storage: Any) -> bool:
    """Whether this is a storage of thumbs that has any."""
    return hasattr(storage, "thumb_keys") and bool(storage.thumbs)


def keys_of(storage: Any, place: Place, name: str) -> Keys:
    """The keys of an original and of the thumbs that its storage makes."""
    if not hasattr(storage, "thumb_keys"):
        return Keys(place.key(name), {}, False, None)
    thumbs = {thumb: [place.key(key) for key in keys] for thumb, keys in storage.thumb_keys(name).items()}
    return Keys(place.key(name), thumbs, storage.has_thumbs(name), slack_of(storage))


def slack_of(storage: Any) -> int | None:
    """How many microseconds older than its original a thumb may be; None where its key tells whether it is stale."""
    if hasattr(storage.naming, "thumb_name"):
        return None
    return _SAME_SAVE // timedelta(microseconds=1) if storage.unique_names else 0


def outermost(columns: list[FileColumn]) -> list[Root]:
    """The locations of these, without those that lie in another."""
    roots: list[Root] = []
    for column in sorted(columns, key=lambda column: len(column.place.prefix)):
        place = column.place
        if not any(root.place.home == place.home and place.prefix.startswith(root.place.prefix) for root in roots):
            roots.append(Root(own(column.storage), place))
    return roots
