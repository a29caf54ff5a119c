"""Places: what storages have in common, so that the same file has one address by whatever storage it is named."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from os.path import realpath
from typing import Any, Final

from django.core.exceptions import SuspiciousFileOperation
from django.utils.functional import LazyObject, empty

_ODD: Final = re.compile(r"(?:^|/)\.{0,2}(?:/|$)")
"""What a storage would write otherwise: empty parts of a path, and dots."""


@dataclass(frozen=True)
class Place:
    """Where a storage has its files.

    Keys are absolute in it: two storages with different locations in one bucket meet here.
    """

    home: str | int
    """`s3://bucket` for a bucket, "" for the file system, and the identity of any other storage."""
    prefix: str
    """What the keys of this storage begin with: its location."""

    @property
    def is_on_disk(self) -> bool:
        """Whether keys are paths."""
        return self.home == ""

    @property
    def address(self) -> str | None:
        """As the setting `ATHUMB_PRUNE_PREFIXES` has it; None where there is no such thing."""
        return self.address_of(self.prefix)

    def address_of(self, key: str) -> str | None:
        """The address of a key."""
        if isinstance(self.home, int):
            return None
        return f"{self.home}/{key}" if self.home else key

    def key(self, name: str) -> str:
        """The key of the file that is called `name` in this storage.

        A name that no storage would take, such as "../secret", has a key at which nothing can be listed.
        """
        return self._written(name) if self._is_odd(name) else self.prefix + name

    def holds(self, key: str) -> bool:
        """Whether this storage finds the file at `key` by a name, and no other file."""
        return key.startswith(self.prefix) and not self._is_odd(key[len(self.prefix) :])

    def name(self, key: str) -> str | None:
        """The name of the file at `key` in this storage; None if it lies elsewhere."""
        return key[len(self.prefix) :] if key.startswith(self.prefix) else None

    def names(self, key: str) -> list[str]:
        """The names by which rows may have the file at `key`: the plain one, and what older releases kept."""
        name = self.name(key)
        return [] if name is None else [name, f"/{name}", f"./{name}", *([key] if self.is_on_disk else [])]

    def _is_odd(self, name: str) -> bool:
        """Whether a storage would write this name otherwise."""
        return bool(_ODD.search(name)) or ("\\" in name and not self.is_on_disk)

    def _written(self, name: str) -> str:
        """The key as storages make it, see `storages.utils.safe_join` of django-storages."""
        if not self.is_on_disk:
            name = name.replace("\\", "/")
        elif name.startswith("/"):
            name = realpath(name)
        key = posixpath.normpath(posixpath.join("/", self.prefix, posixpath.normpath(name)))
        key = key if self.prefix.startswith("/") else key.lstrip("/")
        return key if key.startswith(self.prefix) else self.prefix + name


def place_of(storage: Any) -> Place:
    """The place of a storage with thumbs, one of Django's, or one of django-storages'. None is asked for anything.

    Raises:
        Exception: the storage cannot be set up.
    """
    storage = own(storage)
    bucket = getattr(storage, "bucket_name", None)
    if bucket:
        location = posixpath.normpath(posixpath.join("/", str(getattr(storage, "location", None) or ""))).strip("/")
        return Place(f"s3://{bucket}", f"{location}/" if location else "")
    if is_in_memory(storage):  # which has paths, too, and they are its own
        return Place(id(storage._root), "")
    try:
        return Place("", canonical(str(storage.path("x"))[:-1]))
    except (NotImplementedError, AttributeError, SuspiciousFileOperation):
        return Place(id(storage), "")


def is_in_memory(storage: Any) -> bool:
    """Whether this is Django's InMemoryStorage, or one derived from it."""
    return hasattr(own(storage), "_root")


def canonical(address: str) -> str:
    """An address as places have it: on the file system without symbolic links."""
    return f"{realpath(address).rstrip('/')}/" if address.startswith("/") else address


def own(storage: Any) -> Any:
    """The storage itself: not one bound to a field, nor what stands for it."""
    storage = getattr(storage, "unbound", storage)  # which sets up what is set up on first use
    if isinstance(storage, LazyObject):
        wrapped = storage.__dict__["_wrapped"]
        return storage if wrapped is empty else wrapped
    return storage
