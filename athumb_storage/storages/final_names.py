"""The name that an upload is stored under: one that tells what it is, and that is free."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import Final, Protocol

from django.core.exceptions import SuspiciousFileOperation

from athumb_storage.exceptions import UploadFailed, shown
from athumb_storage.formats import format_of_upload
from athumb_storage.naming import marked
from athumb_storage.storages.binding import ThumbLookup
from athumb_storage.storages.filenames import another_name, with_extension_of
from athumb_storage.storages.options import StorageOptions

MOST_NAMES: Final = 100
"""How many names are tried before it is taken for a fault that all of them should be taken."""

_TOKEN_LENGTH: Final = 8
"""How much longer Django's `get_alternative_name` makes a name."""

Write = Callable[[str], str]
"""Stores something under a name; the name it has now. Raises FileExistsError where something is already."""

# Django hands max_length to save() and not to _save(), where another name may have to be found.
max_length_of_save: ContextVar[int | None] = ContextVar("max_length_of_save", default=None)


class Storage(Protocol):
    """What is asked of a storage."""

    options: StorageOptions
    unique_names: bool

    @property
    def _lookup(self) -> ThumbLookup: ...
    @property
    def _replaces(self) -> bool: ...
    def get_available_name(self, name: str, max_length: int | None = None) -> str: ...
    def get_alternative_name(self, file_root: str, file_ext: str) -> str: ...
    def _refuse_long(self, keys: Iterable[str]) -> None: ...


def telling_name(storage: Storage, name: str, image_format: str | None) -> str:
    """The name to ask for, so that `has_thumbs` is right: where it tells the wrong thing, another one.

    Args:
        storage: where; one that replaces is given names which somebody relies on.
        name: the name.
        image_format: that of an image that gets thumbs, None for another file.
    """
    if storage._replaces or storage._lookup.images_only or not storage._lookup.thumbs:
        return name
    tells_an_image = format_of_upload(name) in storage.options.allowed_formats
    if tells_an_image == (image_format is not None):
        return name
    try:
        return marked_name(storage, name) if image_format is None else renamed(storage, name, image_format)
    except SuspiciousFileOperation:  # there is no room
        return posixpath.splitext(name)[0] if image_format is None else name


def renamed(storage: Storage, name: str, image_format: str) -> str:
    """The name with an extension of this format; another one, where that is taken or too long."""
    new = with_extension_of(name, image_format)
    max_length = max_length_of_save.get()
    is_long = max_length is not None and len(new) > max_length
    if new == name or (storage.unique_names and not is_long):
        return new
    return storage.get_available_name(new, max_length)


def marked_name(storage: Storage, name: str) -> str:
    """The name of an original without thumbs, with the mark that tells so."""
    max_length = max_length_of_save.get()
    # Room is left for a token, so that nothing of the mark is cut off for one.
    room = max_length - _TOKEN_LENGTH if max_length else None
    new = marked(name, room)
    if room is not None and len(new) > room:
        raise SuspiciousFileOperation(f"{shown(name)} has no room for a mark: allow more in the field's max_length.")
    return storage.get_available_name(new, max_length)


def under_free_name(storage: Storage, name: str, write: Write, *, has_thumbs: bool = True) -> str:
    """Call `write` with `name`, then with one other name after the other, until it finds none of its places taken.

    Args:
        storage: what names the alternatives.
        name: the name to begin with.
        write: what stores.
        has_thumbs: whether a name has to leave room for the keys of thumbs.

    Raises:
        UploadFailed: they are all taken.
        TooLong: a key is.
    """
    max_length = max_length_of_save.get()
    free = name
    tried = 1
    while True:
        if has_thumbs:
            storage._refuse_long(storage._lookup.keys(free))
        try:
            return write(free)
        except FileExistsError as error:
            if tried == MOST_NAMES:
                raise UploadFailed(name, f"{tried} names in turn were said to be taken ({error})") from error
        free = storage.get_available_name(another_name(name, max_length, storage.get_alternative_name), max_length)
        tried += 1
