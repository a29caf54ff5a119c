"""Names that somebody else chose: what is made of them, and which are refused."""

from __future__ import annotations

import posixpath
import unicodedata
from collections.abc import Callable, Iterable
from typing import Final

from django.core.exceptions import SuspiciousFileOperation

from athumb_storage.exceptions import shown
from athumb_storage.formats import UPLOAD_EXTENSIONS
from athumb_storage.naming import Naming

Alternative = Callable[[str, str], str]
"""Django's `Storage.get_alternative_name`: file root and extension -> another file name."""

_BIDI_CONTROLS: Final = dict.fromkeys(
    [0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)],
)
"""Marks that turn the direction of what follows, so that "gpj.exe" is shown as "exe.jpg" (Unicode, UAX 9, 2.8)."""

_REFUSED: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Control characters, halves of surrogate pairs, and line ends, by their general category in Unicode."""

_NOT_IN_XML: Final = frozenset("\ufffe\uffff")
"""What no XML may hold besides those, so that S3 could store it and neither list nor delete it:
https://www.w3.org/TR/xml/#charsets
"""


class TooLong(SuspiciousFileOperation):
    """There is no room for a name or a key."""


def safe_name(name: str) -> str:
    """`name` with slashes, without marks that change how it is read, and without dots and spaces at its end.

    Raises:
        SuspiciousFileOperation: it has characters that no file name needs, or nothing is left of the file's name.
    """
    name = str(name).replace("\\", "/")
    if any(unicodedata.category(character) in _REFUSED or character in _NOT_IN_XML for character in name):
        raise SuspiciousFileOperation(f"{shown(name)} has characters that cannot be in a file name.")
    folder, slash, file_name = name.translate(_BIDI_CONTROLS).rpartition("/")
    return f"{folder}{slash}{_trimmed(file_name, name)}"


def _trimmed(file_name: str, name: str) -> str:
    if file_name in ("", ".", ".."):  # Django's own checks see to these
        return file_name
    trimmed = file_name.rstrip(". ")
    if not trimmed:
        raise SuspiciousFileOperation(f"{shown(name)} cannot be stored: nothing would be left of the file's name.")
    return trimmed


def refuse_thumb_names(name: str, naming: Naming) -> None:
    """Refuse a name that is, or is in, a folder of thumbs.

    Raises:
        SuspiciousFileOperation: it is.
    """
    path = posixpath.normpath(name)  # "." and double slashes lead to the same place
    if naming.original(f"{path}/thumb") is not None or naming.original(path) is not None:
        raise SuspiciousFileOperation(f"{shown(name)} cannot be stored: thumbs are stored under names like this.")


def refuse_long(keys: Iterable[str], limit: int) -> None:
    """Refuse keys of which one is longer than `limit` bytes in UTF-8.

    Raises:
        TooLong: one is; the message names it.
    """
    for key in keys:
        length = len(key.encode(errors="surrogatepass"))
        if length > limit:
            raise TooLong(f"{shown(key)} cannot be stored: it is {length} bytes long, more than {limit}.")


def with_extension_of(name: str, image_format: str) -> str:
    """`name` with an extension of this format: itself if it has one, else in place of another image's, else added."""
    root, extension = posixpath.splitext(name)
    told = extension[1:].lower()
    if told in UPLOAD_EXTENSIONS[image_format]:
        return name
    is_known = any(told in extensions for extensions in UPLOAD_EXTENSIONS.values())
    return f"{root if is_known else name}.{UPLOAD_EXTENSIONS[image_format][0]}"


def another_name(name: str, max_length: int | None, alternative: Alternative) -> str:
    """`name` with a random token before its extension, its root shortened where it would be too long.

    Raises:
        SuspiciousFileOperation: nothing of the root would be left.
    """
    folder, file_name = posixpath.split(name)
    root, extension = posixpath.splitext(file_name)
    while True:
        other = posixpath.join(folder, alternative(root, extension))
        excess = len(other) - max_length if max_length else 0
        if excess <= 0:
            return other
        if excess >= len(root):
            raise SuspiciousFileOperation(
                f"{shown(name)} cannot be shortened to {max_length} characters: allow more in the field's max_length."
            )
        root = root[:-excess]
