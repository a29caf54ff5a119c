"""PNG files (PNG specification, third edition, section 5): chunks."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple

from athumb_storage.rendering.bytestream import BufferedReader, Place, Truncated, refuse_tiny_pieces

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"

_APPEARANCE: Final = frozenset(
    b"tRNS gAMA cHRM sRGB iCCP sBIT cICP bKGD pHYs acTL fcTL fdAT mDCV mDCv cLLI cLLi".split()
)
"""Chunks that a viewer may pass over, but that change how the image looks."""

_CONTROL: Final = struct.Struct(">4x4I2H2B")

_SMALLEST: Final = 256
"""Bytes in a chunk, on average, below which a file of very many chunks was made to be slow."""


class Chunk(NamedTuple):
    """A chunk's name, where its data begin in the file, and how many bytes they are."""

    name: bytes
    start: int
    size: int

    @property
    def place(self) -> Place:
        """Where all of it is, with its head and its checksum."""
        return self.start - 8, self.size + 12


def chunks(reader: BinaryIO) -> Iterator[Chunk]:
    """The chunks, in order, up to IEND.

    Raises:
        Truncated: the file ends before IEND.
    """
    buffered = BufferedReader(reader)
    buffered.skip(len(SIGNATURE))
    name, count = b"", 0
    while name != b"IEND":
        size, name = struct.unpack(">I4s", buffered.take(8))
        yield Chunk(name, buffered.tell(), size)
        buffered.skip(size + 4)  # the checksum
        count += 1
        refuse_tiny_pieces(count, buffered.tell(), _SMALLEST)


def data_of(reader: BinaryIO, chunk: Chunk) -> bytes:
    """The data of a chunk."""
    reader.seek(chunk.start)
    return reader.read(chunk.size)


def dimensions(header: bytes) -> tuple[int, int]:
    """Width and height that the data of IHDR tell; zeros if they are not all there."""
    return int.from_bytes(header[:4], "big"), int.from_bytes(header[4:8], "big")


class Control(NamedTuple):
    """What fcTL says of a frame."""

    width: int
    height: int
    left: int
    top: int
    numerator: int
    denominator: int
    disposal: int
    """What becomes of it when it was shown: 0 keeps it, 1 clears its place, 2 gives back what was there before."""
    blending: int
    """0 puts it in the place of what is there, 1 lays it over that."""

    @property
    def duration(self) -> float:
        """How long it is shown, in ms."""
        return 1000 * self.numerator / (self.denominator or 100)


def control_of(data: bytes) -> Control:
    """What the data of fcTL say.

    Raises:
        Truncated: they are too few.
    """
    if len(data) < _CONTROL.size:
        raise Truncated
    return Control(*_CONTROL.unpack_from(data))


def profile_of(iccp: bytes, most: int) -> bytes | None:
    """The colour profile that the data of iCCP hold; None if it has more than `most` bytes, or is damaged."""
    packed = iccp.split(b"\0", 1)[-1][1:]
    try:
        profile = zlib.decompressobj().decompress(packed, most + 1)
    except zlib.error:
        return None
    return profile if len(profile) <= most else None


def is_metadata(name: bytes) -> bool:
    """Whether a chunk can be left out without a change to how the image looks."""
    critical = name[:1].isupper()
    return not critical and name not in _APPEARANCE


def chunk(name: bytes, data: bytes) -> bytes:
    """A chunk as it stands in a file."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
