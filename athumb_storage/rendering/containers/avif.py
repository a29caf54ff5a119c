"""AVIF files (ISO/IEC 14496-12 and 23008-12): boxes, as far as a decoder reads them when it opens a file."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple

from athumb_storage.rendering.bytestream import Truncated, Walker, check_crumbs

_CONTAINERS: Final = frozenset([b"moov", b"trak", b"mdia", b"minf", b"stbl"])
_SMALLEST: Final = 64


class Box(NamedTuple):
    """A box's name, and where its content begins and ends in the file."""

    name: bytes
    start: int
    end: int


def boxes(reader: BinaryIO, start: int, end: int) -> Iterator[Box]:
    """All boxes between these two places, each before those that are in it.

    Raises:
        Truncated: the file ends within the head of one.
    """
    walker = Walker(reader)
    count = 0
    walker.skip(start - walker.tell())
    while walker.tell() + 8 <= end:
        at = walker.tell()
        size, name = struct.unpack(">I4s", walker.take(8))
        size = int.from_bytes(walker.take(8), "big") if size == 1 else size or end - at
        box = Box(name, walker.tell(), min(at + size, end))
        if box.end < box.start:
            raise Truncated
        yield box
        count += 1
        check_crumbs(count, at, _SMALLEST)
        if name not in _CONTAINERS:
            walker.skip(box.end - box.start)
