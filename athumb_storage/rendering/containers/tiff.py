"""TIFF files, and EXIF data, which are built the same way (TIFF 6.0, section 2): directories and their entries."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple

from athumb_storage.exceptions import UploadedImageIsUnreadableError
from athumb_storage.rendering.bytestream import refuse_more_than

WIDTH, LENGTH, ORIENTATION, TILE_WIDTH, TILE_LENGTH = 0x0100, 0x0101, 0x0112, 0x0142, 0x0143

MOST_EXIF: Final = 1 << 20
"""Bytes of EXIF data. JPEG has room for 64 KiB, but some writers split them; Pillow copies all for each part."""

_SUBDIRECTORIES: Final = (0x8769, 0x8825, 0xA005)
"""Exif, GPS and Interoperability: the directories that a decoder reads besides the first."""

_MOST_DIRECTORIES: Final = 8
"""How many of those there may be, with the first."""

_SIZES: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}
"""The types of values, with how many bytes one takes; 16 is BigTIFF's, which decoders know everywhere."""

_BYTES: Final = frozenset({1, 2, 7})
"""The types that a decoder keeps as they are. Of any other, each value costs it many times its size in the file."""

_MOST_NUMBERS: Final = 1 << 18
"""How many bytes of numbers one entry may have: 65,536 strips or tiles, each of which costs the decoder some time."""

_NUMBERS: Final = frozenset(
    {256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 282, 283, 284}
    | {296, 317, 320, 322, 323, 324, 325, 338, 339, 530}
)
"""The tags in which a decoder looks for numbers, whatever their type."""

_LARGEST_TILE: Final = 1 << 22
"""Pixels that a tile may have although the image is smaller; the decoder allocates it whole."""

_HARMLESS: Final = 1 << 20
"""Up to this size together, entries may overlap, as those of damaged files do."""

_FIRST_FEW: Final = 16
"""Entries are sorted by their tag, so the size of a page is among these."""


class Entry(NamedTuple):
    """One entry of a directory; `value` are four bytes, which hold the value or tell where it is."""

    tag: int
    type: int
    length: int
    """How many values there are."""
    value: bytes


class Directories:
    """The directories of a TIFF file, or of EXIF data."""

    def __init__(self, reader: BinaryIO, size: int) -> None:
        self._reader = reader
        self._size = size
        reader.seek(0)
        head = reader.read(8)
        self._order = {b"II": "<", b"MM": ">"}.get(head[:2], "")
        self.first = self._number("I", head[4:8]) if self._order else 0

    def entries(self, offset: int, most: int = 0xFFFF) -> list[Entry]:
        """The entries of the directory at `offset`, at most so many, as far as they are there."""
        self._reader.seek(offset)
        count = min(self._number("H", self._reader.read(2)), most)
        data = self._reader.read(count * 12)
        whole = data[: len(data) // 12 * 12]
        return [Entry(*fields) for fields in struct.iter_unpack(f"{self._order}HHI4s", whole)]

    def pages(self) -> Iterator[tuple[int, int]]:
        """Width and height of each page.

        Raises:
            UploadedImageIsUnreadableError: the chain of pages comes back to where it has been.
        """
        seen = set()
        offset = self.first
        while offset:
            if offset in seen:
                raise UploadedImageIsUnreadableError("Its pages go round in a circle")
            seen.add(offset)
            values = {entry.tag: self._integer(entry) for entry in self.entries(offset, _FIRST_FEW)}
            yield values.get(WIDTH, 0), values.get(LENGTH, 0)
            offset = self._next(offset)

    def orientation(self) -> int:
        """The value of the tag in the first directory; 1 if there is none."""
        entries = self.entries(self.first) if self.first else []
        return next((self._integer(entry) for entry in entries if entry.tag == ORIENTATION), 1)

    def check(self) -> None:
        """Refuse directories which, when they are read, become many times larger than the file.

        Raises:
            UploadedImageIsUnreadableError: entries share their data to multiply them, or have absurdly many numbers.
        """
        pending = [self.first]
        seen = {0}
        while pending:
            offset = pending.pop()
            if offset not in seen:
                seen.add(offset)
                refuse_more_than("directories", len(seen), _MOST_DIRECTORIES)
                entries = self.entries(offset)
                self._check_entries(entries)
                pending += [self._integer(entry) for entry in entries if entry.tag in _SUBDIRECTORIES]

    def _check_entries(self, entries: list[Entry]) -> None:
        total = 0
        for entry in entries:
            size = entry.length * _SIZES.get(entry.type, 0)
            if size > 4 and self._number("I", entry.value) + size <= self._size:  # what is not there costs nothing
                total += size
                if (entry.type not in _BYTES or entry.tag in _NUMBERS) and size > _MOST_NUMBERS:
                    raise UploadedImageIsUnreadableError(f"Its tag {entry.tag} has {entry.length} values")
        if total > max(self._size, _HARMLESS):
            raise UploadedImageIsUnreadableError("Its tags have more data than the file")
        numbers = {entry.tag: self._integer(entry) for entry in entries}
        tile = numbers.get(TILE_WIDTH, 0) * numbers.get(TILE_LENGTH, 0)
        if tile > max(_LARGEST_TILE, 4 * numbers.get(WIDTH, 0) * numbers.get(LENGTH, 0)):
            raise UploadedImageIsUnreadableError("Its tiles are far larger than the image")

    def _next(self, offset: int) -> int:
        self._reader.seek(offset)
        count = self._number("H", self._reader.read(2))
        self._reader.seek(offset + 2 + count * 12)
        return self._number("I", self._reader.read(4))

    def _integer(self, entry: Entry) -> int:
        """The value of an entry that is one whole number; else 0."""
        size = _SIZES.get(entry.type, 0) if entry.type in (1, 3, 4, 13) else 0
        return int.from_bytes(entry.value[:size], "little" if self._order == "<" else "big")

    def _number(self, kind: str, data: bytes) -> int:
        """An unsigned number; 0 where the file has ended."""
        size = struct.calcsize(f"<{kind}")
        return int(struct.unpack(self._order + kind, data)[0]) if len(data) == size else 0


def of_exif(exif: bytes) -> Directories:
    """The directories in EXIF data, with or without the prefix that they have in JPEG files."""
    data = exif.removeprefix(b"Exif\0\0")
    return Directories(io.BytesIO(data), len(data))


def only_orientation(orientation: int) -> bytes:
    """EXIF data, without the prefix, that tell nothing but how the image is turned."""
    return struct.pack(">2sHIHHHIHHI", b"MM", 42, 8, 1, ORIENTATION, 3, 1, orientation, 0, 0)
