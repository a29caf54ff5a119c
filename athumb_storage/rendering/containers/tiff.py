"""TIFF files, and EXIF data, which are built the same way (TIFF 6.0, section 2): directories and their entries."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable, Iterator
from typing import BinaryIO, Final, NamedTuple

WIDTH, LENGTH, BITS_PER_SAMPLE, COMPRESSION, PHOTOMETRIC, ORIENTATION = 256, 257, 258, 259, 262, 274
STRIP_OFFSETS, STRIP_LENGTHS, PLANES, COLOUR_MAP, TILE_WIDTH, TILE_LENGTH = 273, 279, 284, 320, 322, 323
TILE_OFFSETS, TILE_LENGTHS, EXTRA_SAMPLES, SAMPLE_FORMAT, JPEG_TABLES, PROFILE = 324, 325, 338, 339, 347, 34675

_NUMBERS: Final = frozenset({WIDTH, LENGTH, COMPRESSION, PHOTOMETRIC, 266, 277, 278, PLANES, 292, 293, 317, TILE_WIDTH})
_LISTS: Final = frozenset(
    {BITS_PER_SAMPLE, STRIP_OFFSETS, STRIP_LENGTHS, COLOUR_MAP, TILE_OFFSETS, TILE_LENGTHS, EXTRA_SAMPLES}
)
APPEARANCE: Final = _NUMBERS | _LISTS | {TILE_LENGTH, SAMPLE_FORMAT, JPEG_TABLES, 529, 530, 531, 532}
"""The tags by which a decoder finds the pixels and knows what they mean; 529 to 532 are those of YCbCr."""

_SIZES: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""The types of values, with how many bytes one takes; the last three are those of BigTIFF."""

_WHOLE: Final = frozenset({1, 3, 4, 13, 16})
"""The types of whole numbers without a sign."""


class Entry(NamedTuple):
    """One entry of a directory; `value` are four bytes, in BigTIFF eight, with the value or where it is."""

    tag: int
    type: int
    length: int
    """How many values there are."""
    value: bytes

    @property
    def size(self) -> int:
        """How many bytes its values have."""
        return self.length * _SIZES.get(self.type, 0)


class Directories:
    """The directories of a TIFF file, or of EXIF data."""

    def __init__(self, reader: BinaryIO) -> None:
        self._reader = reader
        reader.seek(0)
        head = reader.read(16)
        self._order = {b"II": "<", b"MM": ">"}.get(head[:2], "")
        self._is_big = bool(self._order) and self.number(head[2:4]) == 43
        self.head_size = 16 if self._is_big else 8
        self._count, self._entry = ("Q", "HHQ8s") if self._is_big else ("H", "HHI4s")
        self.head = head[: self.head_size // 2]
        """All before the offset of the first directory."""
        self._first = self.number(head[len(self.head) : self.head_size]) if self._order else 0

    def first(self) -> dict[int, Entry]:
        """The entries of the first directory by their tag, as far as they are there; of two of one tag, the first."""
        found: dict[int, Entry] = {}
        for entry in self._entries() if self._first else ():
            found.setdefault(entry.tag, entry)
        return found

    def _entries(self) -> Iterator[Entry]:
        self._reader.seek(self._first)
        count = min(self.number(self._reader.read(struct.calcsize(self._count))), 0xFFFF)
        layout = struct.Struct(self._order + self._entry)
        data = self._reader.read(count * layout.size)
        yield from map(Entry._make, layout.iter_unpack(data[: len(data) // layout.size * layout.size]))

    def written(self, entries: Iterable[Entry]) -> bytes:
        """A directory of these entries as it stands in a file, with none after it."""
        packed = [struct.pack(self._order + self._entry, *entry) for entry in sorted(entries)]
        end = bytes(8 if self._is_big else 4)
        return struct.pack(self._order + self._count, len(packed)) + b"".join(packed) + end

    def head_to(self, offset: int) -> bytes:
        """The head of a file whose first directory is at `offset`."""
        return self.head + offset.to_bytes(len(self.head), "little" if self._order == "<" else "big")

    def integer(self, entry: Entry | None) -> int:
        """The value of an entry that is one whole number; else 0."""
        if entry is None or entry.type not in _WHOLE or entry.length != 1:
            return 0
        return self.number(entry.value[: entry.size])

    def data_of(self, entry: Entry) -> bytes:
        """The bytes of an entry's values, as many as are there."""
        if entry.size <= len(entry.value):
            return entry.value[: entry.size]
        self._reader.seek(self.number(entry.value))
        return self._reader.read(entry.size)

    def number(self, data: bytes) -> int:
        """An unsigned number in the order of this file."""
        return int.from_bytes(data, "little" if self._order == "<" else "big")


def orientation_of(exif: bytes) -> int:
    """How EXIF data, with or without the prefix that they have in JPEG files, say that an image is turned; 1 if not."""
    directories = Directories(io.BytesIO(exif.removeprefix(b"Exif\0\0")))
    return upright_or(directories.integer(directories.first().get(ORIENTATION)))


def upright_or(orientation: int) -> int:
    """The orientation, or 1 for one that does not exist."""
    return orientation if 2 <= orientation <= 8 else 1


def only_orientation(orientation: int) -> bytes:
    """EXIF data, without the prefix, that tell nothing but how the image is turned."""
    return struct.pack(">2sHIHHHIHHI", b"MM", 42, 8, 1, ORIENTATION, 3, 1, orientation, 0, 0)
