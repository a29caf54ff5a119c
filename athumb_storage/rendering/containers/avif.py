"""AVIF files (ISO/IEC 14496-12 and 23008-12): boxes, items and tracks, as far as a decoder reads them on opening."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import BinaryIO, Final, NamedTuple

from athumb_storage.rendering.bytestream import BufferedReader, Truncated, refuse_tiny_pieces

_SMALLEST: Final = 64

Place = tuple[int, int]
"""Where something begins in the file, and where it ends."""


class Box(NamedTuple):
    """A box's name, and where its content begins and ends in the file."""

    name: bytes
    start: int
    end: int


def boxes(reader: BinaryIO, start: int, end: int) -> Iterator[Box]:
    """The boxes between these two places of the file, without those that are in them.

    Raises:
        Truncated: the file ends within the head of one.
    """
    reader.seek(start)
    buffered = BufferedReader(reader)
    count = 0
    while buffered.tell() + 8 <= end:
        at = buffered.tell()
        size, name = struct.unpack(">I4s", buffered.take(8))
        size = int.from_bytes(buffered.take(8), "big") if size == 1 else size or end - at
        box = Box(name, buffered.tell(), min(at + size, end))
        if box.end < box.start:
            raise Truncated
        yield box
        buffered.skip(box.end - box.start)
        count += 1
        refuse_tiny_pieces(count, at - start, _SMALLEST)


def find(reader: BinaryIO, start: int, end: int, *path: bytes) -> Iterator[Box]:
    """The boxes of the last of these names, in those of the names before."""
    for box in boxes(reader, start, end):
        if box.name == path[0] and len(path) == 1:
            yield box
        elif box.name == path[0]:
            # This one has a version and flags before what is in it.
            yield from find(reader, box.start + 4 * (box.name == b"meta"), box.end, *path[1:])


def content_of(reader: BinaryIO, box: Box) -> bytes:
    """The content of a box."""
    reader.seek(box.start)
    return reader.read(box.end - box.start)


def dimensions(ispe: bytes) -> tuple[int, int]:
    """Width and height that the content of ispe, a property of some item, tells."""
    width, height = struct.unpack_from(">II", ispe, 4)
    return width, height


def types_of(iinf: bytes) -> dict[int, bytes]:
    """The type of each item, by its number, from the content of iinf."""
    types = {}
    at = 6 if iinf[0] == 0 else 8
    while at + 8 <= len(iinf):
        (size,) = struct.unpack_from(">I", iinf, at)
        version = iinf[at + 8]
        if version >= 2:
            item, _, kind = struct.unpack_from(">HH4s" if version == 2 else ">IH4s", iinf, at + 12)
            types[item] = kind
        at += max(size, 8)
    return types


def places_of(iloc: bytes) -> dict[int, tuple[int, list[Place]]]:
    """How each item is stored (0: in the file, 1: in idat) and where its parts are, from the content of iloc."""
    version = iloc[0]
    sizes = [iloc[4] >> 4, iloc[4] & 15, iloc[5] >> 4, iloc[5] & 15 if version else 0]
    fields = _Fields(iloc, 6)
    wide = 4 if version == 2 else 2
    places = {}
    for _ in range(fields.take(wide)):
        item = fields.take(wide)
        method = fields.take(2) & 15 if version else 0
        fields.take(2)
        base = fields.take(sizes[2])
        parts = []
        for _ in range(fields.take(2)):
            fields.take(sizes[3])
            start = base + fields.take(sizes[0])
            parts.append((start, start + fields.take(sizes[1])))
        places[item] = (method, parts)
    return places


def frames_of(samples_to_chunks: bytes, chunks: int) -> int:
    """How many frames a track has in so many chunks, from the content of stsc."""
    entries = list(struct.iter_unpack(">III", samples_to_chunks[8 : 8 + (len(samples_to_chunks) - 8) // 12 * 12]))
    ends = [first for first, _, _ in entries[1:]] + [chunks + 1]
    runs = zip(entries, ends, strict=False)
    return sum(max(end - first, 0) * samples for (first, samples, _), end in runs)


def number_in(content: bytes, at: int) -> int:
    """The number of four bytes at this place of a box's content."""
    return int(struct.unpack_from(">I", content, at)[0])


def total(places: Iterable[Place]) -> int:
    """How many bytes some places have together."""
    return sum(end - start for start, end in places)


class _Fields:
    """Numbers of any size, one after the other."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data = data
        self._at = at

    def take(self, size: int) -> int:
        self._at += size
        if self._at > len(self._data):
            raise Truncated
        return int.from_bytes(self._data[self._at - size : self._at], "big")
