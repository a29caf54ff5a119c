"""WebP files (RFC 9649, section 2): RIFF chunks."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import BinaryIO, Final, NamedTuple

from athumb_storage.geometry import Size
from athumb_storage.rendering.bytestream import BufferedReader, Place, refuse_tiny_pieces

ALPHA_FLAG, EXIF_FLAG, XMP_FLAG = 0x10, 0x08, 0x04
"""What VP8X says of the chunks that follow."""

FRAME_HEADER: Final = 16
"""Bytes of an ANMF chunk before the chunks that are in it."""

HEADER: Final = 12
"""Bytes before the first chunk."""

PICTURES: Final = frozenset([b"ANMF", b"VP8 ", b"VP8L"])
"""The chunks with pixels."""

_KEPT: Final = PICTURES | {b"VP8X", b"ICCP", b"ANIM", b"ALPH"}
_SMALLEST: Final = 64


class Chunk(NamedTuple):
    """A chunk's name, where its data begin in the file, and how many bytes they are, without the padding to be even."""

    name: bytes
    start: int
    size: int

    @property
    def place(self) -> Place:
        """Where all of it is, with its head, but without the padding."""
        return self.start - 8, self.size + 8

    @property
    def end(self) -> int:
        """Where the next chunk begins."""
        return self.start + self.size + self.size % 2


def chunks(reader: BinaryIO, start: int, end: int) -> Iterator[Chunk]:
    """The chunks between these two places of the file.

    Raises:
        Truncated: the file ends within the header of one.
    """
    reader.seek(start)
    buffered = BufferedReader(reader)
    count = 0
    while start + 8 <= end:
        name, size = struct.unpack("<4sI", buffered.take(8))
        chunk = Chunk(name, start + 8, size)
        yield chunk
        buffered.skip(chunk.end - chunk.start)
        start = chunk.end
        count += 1
        refuse_tiny_pieces(count, start, _SMALLEST)


def canvas_of(chunk: Chunk, data: bytes) -> Size | None:
    """Width and height that the first chunk of a file tells by the first ten bytes of its data; None if none."""
    if chunk.name == b"VP8X" and len(data) == 10:
        return int.from_bytes(data[4:7], "little") + 1, int.from_bytes(data[7:10], "little") + 1
    if chunk.name == b"VP8 " and data[3:6] == b"\x9d\x01\x2a" and len(data) == 10:
        width, height = struct.unpack_from("<HH", data, 6)
        return width & 0x3FFF, height & 0x3FFF
    if chunk.name == b"VP8L" and data[:1] == b"\x2f" and len(data) >= 5:
        bits = int.from_bytes(data[1:5], "little")
        return (bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1
    return None


def frame_of(data: bytes) -> tuple[int, int, int, int]:
    """Left, top, width and height on the canvas, from the first bytes of an ANMF chunk's data."""
    left, top, width, height = (int.from_bytes(data[at : at + 3], "little") for at in (0, 3, 6, 9))
    return 2 * left, 2 * top, width + 1, height + 1


def with_alpha(data: bytes) -> bytes:
    """An extended file that says that something in it is transparent.

    libwebp does not say so of an animation in which nothing is but what lies beside its frames.
    """
    flags = HEADER + 8
    return data[:flags] + bytes([data[flags] | ALPHA_FLAG]) + data[flags + 1 :]


def pictures(chunks: Iterable[Chunk]) -> list[Chunk]:
    """Those of one picture: its pixels and their transparency."""
    return [chunk for chunk in chunks if chunk.name in (b"ALPH", b"VP8 ", b"VP8L")]


def end_of(head: bytes) -> int:
    """Where a file ends, by its first bytes."""
    return 8 + int.from_bytes(head[4:8], "little")


def plays_of(anim: bytes) -> int:
    """How often an animation is shown, from the data of its ANIM chunk; 0 is for ever."""
    return int.from_bytes(anim[4:6], "little")


def timing_of(data: bytes) -> tuple[int, bool, bool]:
    """How long a frame is shown, in ms, whether it lies over what is there, and whether its place is cleared then.

    From the first bytes of an ANMF chunk's data.
    """
    flags = data[15]
    return int.from_bytes(data[12:15], "little"), not flags & 2, bool(flags & 1)


def extended(width: int, height: int, flags: int) -> bytes:
    """A VP8X chunk as it stands in a file."""
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return header(b"VP8X", 10) + bytes([flags, 0, 0, 0]) + sides


def data_of(reader: BinaryIO, chunk: Chunk, most: int = -1) -> bytes:
    """The data of a chunk, or the first bytes of them."""
    reader.seek(chunk.start)
    return reader.read(chunk.size if most < 0 else min(chunk.size, most))


def is_metadata(name: bytes) -> bool:
    """Whether a chunk can be left out without a change to how the image looks."""
    return name not in _KEPT


def header(name: bytes, size: int) -> bytes:
    """What stands before a chunk's data."""
    return struct.pack("<4sI", name, size)
