"""Naming: the rule from (original name, variant) to thumb key, and back. Pure string work."""

from __future__ import annotations

import posixpath
import re
from typing import Final, Protocol, runtime_checkable

from athumb_storage.formats import READ_ONLY_EXTENSIONS, canonical
from athumb_storage.specs import Variant


@runtime_checkable
class Naming(Protocol):
    """Where thumbs are stored. A project may pass an object of its own with these three methods."""

    def key(self, name: str, variant: Variant) -> str:
        """The thumb key of this variant for the original `name`."""
        ...

    def prefix(self, name: str) -> str | None:
        """What the thumb keys of the original `name`, and no other keys, begin with; None if nothing is just that.

        It ends with a slash, so that it is a folder where there are folders.
        """
        ...

    def original(self, key: str) -> str | None:
        """The name of the original that the thumb `key` belongs to; None if `key` is no thumb key or cannot tell."""
        ...


_MARK: Final = ".nothumbs"


def marked(name: str, max_length: int | None = None) -> str:
    """The name that an original without thumbs is stored under, where a placeholder is to be shown instead of them.

    `photos/cat.jpg` -> `photos/cat.nothumbs.jpg`; its root is shortened where it would be longer than `max_length`.
    """
    folder, slash, file_name = name.rpartition("/")
    root, extension = posixpath.splitext(file_name)
    excess = len(name) + len(_MARK) - max_length if max_length else 0
    return f"{folder}{slash}{root[: len(root) - max(excess, 0)]}{_MARK}{extension}"


def unmarked(name: str) -> str:
    """The name without what `is_marked` looks for."""
    return name.replace(_MARK, _MARK.replace(".", "_"))


def is_marked(name: str) -> bool:
    """Whether the original of this name was stored without thumbs, so that a placeholder is shown instead."""
    return _MARK in name.rpartition("/")[2]


class FolderNaming:
    """`photos/cat.jpg` -> `photos/cat.jpg.thumbs/large.jpg`: a folder of thumbs beside each original."""

    _KEY: Final = re.compile(r"(.+)\.thumbs/[^/]+", re.DOTALL)

    def key(self, name: str, variant: Variant) -> str:
        return f"{name}.thumbs/{variant.label}.{variant.extension}"

    def prefix(self, name: str) -> str | None:
        return f"{name}.thumbs/"

    def original(self, key: str) -> str | None:
        match = self._KEY.fullmatch(key)
        return match[1] if match else None


class FingerprintNaming(FolderNaming):
    """`photos/cat.jpg` -> `photos/cat.jpg.thumbs/large.1f3a9c2b.webp`: a Thumb that is changed has another key."""

    _FILE: Final = re.compile(r"(.+?)(?:@\d+x)?\.[0-9a-f]{8}\.[^.]+", re.DOTALL)
    has_fingerprints: Final = True
    """So that what is at a key stays as it is."""

    def key(self, name: str, variant: Variant) -> str:
        return f"{name}.thumbs/{variant.label}.{variant.thumb.fingerprint}.{variant.extension}"

    def thumb_name(self, key: str) -> str | None:
        """The name of the thumb that was stored at `key`, whatever it is now; None if that cannot be told."""
        match = self._FILE.fullmatch(key.rpartition("/")[2])
        return match[1] if match and self.original(key) is not None else None


class AthumbNaming:
    """`photos/cat.JPG` -> `photos/cat_large.JPG`: the rule of django-athumb, so that its buckets keep their URLs.

    The extension is the original's own, spelled as it is, unless the thumb names a format, or the original is of one
    that thumbs cannot be. Keys cannot be told from the names of originals, so there is neither a prefix nor a way back.
    """

    keeps_extension: Final = True
    """So that the extension tells the truth, the thumbs of `cat.bmp` are BMPs; with other namings they are not."""

    def key(self, name: str, variant: Variant) -> str:
        folder, slash, file_name = name.rpartition("/")
        stem, dot, extension = file_name.rpartition(".")
        if not dot:
            stem = file_name
        if not dot or extension.lower() in READ_ONLY_EXTENSIONS:
            extension = variant.extension
        for spelling in variant.thumb.spellings:
            if canonical(spelling) == variant.format:
                extension = spelling.lower()
        return f"{folder}{slash}{stem}_{variant.label}.{extension}"

    def prefix(self, name: str) -> str | None:
        return None

    def original(self, key: str) -> str | None:
        return None


NAMINGS: Final[dict[str, Naming]] = {
    "folder": FolderNaming(),
    "athumb": AthumbNaming(),
    "fingerprint": FingerprintNaming(),
}
"""The namings that the option `naming` knows by a word."""
