"""The scope of an audit: which fields it is about, what has to be listed, and who else has files there."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, NamedTuple

from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import InvalidStorageError, default_storage
from django.db.models import FileField

from athumb_storage import conf
from athumb_storage.audit.places import Place, own, place_of
from athumb_storage.audit.rows import FileColumn, file_columns
from athumb_storage.exceptions import AuditError
from athumb_storage.naming import Naming

_SAME_SAVE: Final = timedelta(hours=1)
"""How much older than its original a thumb may be that was stored by the same save.

Where names are unique, thumbs do not wait for the original, whose time may be that of the end of its upload.
"""


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


class Scope:
    """
    Args:
        fields: the fields that are asked about; None is all that have thumbs.

    Raises:
        AuditError: there is none, or a storage cannot be set up.
    """

    def __init__(self, fields: Collection[FileField] | None = None) -> None:
        columns = file_columns()
        if fields is None:
            fields = {column.field for column in columns if column.place and has_thumbs(column.storage)}
        self._fields = set(fields)
        audited = [column for column in columns if self.is_audited(column)]
        if not audited:
            raise AuditError("No field has thumbs: there is nothing to be audited.")
        self.roots = outermost(audited)
        self.homes = list(dict.fromkeys(root.place.home for root in self.roots))
        """The places that are looked at, each by its number."""
        self.columns = [column for column in columns if column.place.home in self.homes]
        """Everything that has files there."""
        self._roots = [[root for root in self.roots if root.place.home == home] for home in self.homes]
        self._columns = [[column for column in self.columns if column.place.home == home] for home in self.homes]
        self._namings = [_namings(columns) for columns in self._columns]

    def is_audited(self, column: FileColumn) -> bool:
        """Whether it was asked about."""
        return column.field in self._fields

    def number(self, place: Place) -> int:
        """The number of a place that is looked at."""
        return self.homes.index(place.home)

    def roots_of(self, number: int) -> list[Root]:
        """What is listed in this place."""
        return self._roots[number]

    def columns_of(self, number: int) -> list[FileColumn]:
        """Who has files in this place."""
        return self._columns[number]

    def originals_of(self, number: int, key: str) -> Iterator[tuple[str, Naming, str]]:
        """The keys of the originals that the thumb at `key` may belong to, by which naming, and its name there."""
        for place, naming in self._namings[number]:
            name = place.name(key)
            original = None if name is None else naming.original(name)
            if name is not None and original is not None:
                yield place.key(original), naming, name

    def used_without_a_field(self) -> Iterator[tuple[int, Keys]]:
        """What the callables in `ATHUMB_FILES_IN_USE` give, with the numbers of the places.

        Raises:
            ImproperlyConfigured: the setting is wrong.
            Exception: what a callable raises.
        """
        callables = conf.files_in_use()
        if not callables:
            return
        for storage, place in self._storages():
            for names in (each(storage) for each in callables):
                for name in names:
                    if name:
                        yield self.number(place), self._any_keys(place, str(name), storage)

    def keys_of(self, column: FileColumn, name: str) -> Keys:
        """The keys of what a row names."""
        if column.makes_thumbs:
            return keys_of(column.storage, column.place, name)
        return self._any_keys(column.place, name, column.storage)

    def _any_keys(self, place: Place, name: str, storage: Any) -> Keys:
        """The keys of a file that no field with thumbs names: the thumbs of any may be in use, and none has to be."""
        own_keys = keys_of(storage, place, name)
        thumbs = dict(own_keys.thumbs)
        for column in self.columns_of(self.number(place)):
            theirs = column.place.name(own_keys.key)
            if column.makes_thumbs and theirs:
                for thumb, keys in keys_of(column.storage, column.place, theirs).thumbs.items():
                    thumbs[thumb] = [*thumbs.get(thumb, ()), *keys]
        return Keys(own_keys.key, thumbs, False, None)

    def _storages(self) -> Iterator[tuple[Any, Place]]:
        """Every storage there, each once."""
        found = {id(own(each.storage)): (own(each.storage), each.place) for each in self.columns}
        try:
            found.setdefault(id(own(default_storage)), (own(default_storage), place_of(default_storage)))
        except (InvalidStorageError, ImproperlyConfigured) as error:
            raise AuditError(f"The default storage cannot be set up: {error}") from error
        return (each for each in found.values() if each[1].home in self.homes)


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


def _namings(columns: list[FileColumn]) -> list[tuple[Place, Naming]]:
    """Every rule by which these store thumbs, with the location it holds in."""
    found = [(column.place, column.storage.naming) for column in columns if column.makes_thumbs]
    return [each for index, each in enumerate(found) if each not in found[:index]]


def outermost(columns: list[FileColumn]) -> list[Root]:
    """The locations of these, without those that lie in another."""
    roots: list[Root] = []
    for column in sorted(columns, key=lambda column: len(column.place.prefix)):
        place = column.place
        if not any(root.place.home == place.home and place.prefix.startswith(root.place.prefix) for root in roots):
            roots.append(Root(own(column.storage), place))
    return roots
