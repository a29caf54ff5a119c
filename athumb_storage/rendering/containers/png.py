"""PNG files (PNG specification, third edition, section 5): chunks."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple

from athumb_storage.rendering.bytestream import BufferedReader, Truncated, refuse_tiny_pieces

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"

_APPEARANCE: Final = frozenset(
    b"tRNS gAMA cHRM sRGB iCCP sBIT cICP bKGD pHYs acTL fcTL fdAT mDCV mDCv cLLI cLLi".split()
)
"""Chunks that a viewer may pass over, but that change how the image looks."""

_SMALLEST: Final = 256
"""Bytes in a chunk, on average, below which a file of very many chunks was made to be slow."""


class Chunk(NamedTuple):
    """A chunk's name, where its data begin in the file, and how many bytes they are."""

    name: bytes
    start: int
    size: int


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


def frames_of(control: bytes) -> int:
    """How many frames the data of acTL tell."""
    return int.from_bytes(control[:4], "big")


def text_size(reader: BinaryIO, chunk: Chunk, most: int) -> int:
    """How many bytes of text, or of a profile, a chunk unpacks to, counted up to `most`; 0 if it has none."""
    if chunk.name not in (b"tEXt", b"zTXt", b"iTXt", b"iCCP"):
        return 0
    packed = _packed_text(data_of(reader, chunk), chunk.name)
    if packed is None:
        return chunk.size
    try:
        return len(zlib.decompressobj().decompress(packed, most))
    except zlib.error:
        return 0


def _packed_text(data: bytes, name: bytes) -> bytes | None:
    """The compressed part of a chunk of text; None if it is not compressed."""
    fields = data.split(b"\0", 1)[-1]
    if name in (b"zTXt", b"iCCP"):
        return fields[1:]
    # A flag, the method, the language and a keyword in that language, each of the two with a zero behind it.
    compressed = name == b"iTXt" and fields[:1] not in (b"", b"\0")
    return fields[2:].split(b"\0", 2)[-1] if compressed else None


def exif_of(reader: BinaryIO) -> bytes | None:
    """The EXIF data, which may stand before or after the pixels; None if there are none."""
    reader.seek(0)
    try:
        for chunk in chunks(reader):
            if chunk.name == b"eXIf":
                return data_of(reader, chunk)
    except Truncated:
        pass
    return None


def is_metadata(name: bytes) -> bool:
    """Whether a chunk can be left out without a change to how the image looks."""
    critical = name[:1].isupper()
    return not critical and name not in _APPEARANCE


def chunk(name: bytes, data: bytes) -> bytes:
    """A chunk as it stands in a file."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
