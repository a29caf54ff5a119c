"""GIF files (GIF89a specification): blocks and their sub-blocks."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple

from athumb_storage.geometry import Size
from athumb_storage.rendering.bytestream import BufferedReader, Truncated, refuse_tiny_pieces

HEAD, IMAGE, TRAILER, PLAIN_TEXT, CONTROL, COMMENT, APPLICATION = 0x00, 0x2C, 0x3B, 0x01, 0xF9, 0xFE, 0xFF
"""What a part belongs to: the head with its palette, an image, the end of the file, or an extension, by its label."""

_EXTENSION: Final = 0x21
_LOOPING: Final = (b"NETSCAPE2.0", b"ANIMEXTS1.0")
_SMALLEST: Final = 64


class Part(NamedTuple):
    """A piece of a block: what the block is, whether this is its first piece, its bytes, and where they end.

    The first piece goes up to the end of the first sub-block.
    """

    kind: int
    first: bool
    data: bytes
    end: int


def parts(reader: BinaryIO) -> Iterator[Part]:
    """All parts in order, up to the trailer. Bytes that belong to nothing are passed over, as decoders do.

    Raises:
        Truncated: the file ends before the trailer.
    """
    buffered = BufferedReader(reader)
    yield Part(HEAD, True, _with_palette(buffered.take(13), 10, buffered), buffered.tell())
    count = 0
    while (kind := _introducer(buffered)) != TRAILER:
        head = b""
        if kind == IMAGE:
            head = _with_palette(bytes([kind]) + buffered.take(9), 9, buffered) + buffered.take(1)
        elif kind == _EXTENSION:
            head = bytes([kind, buffered.byte()])
            kind = head[1]
        if not head:
            count += 1
            refuse_tiny_pieces(count, buffered.tell(), _SMALLEST)
            continue
        for number, block in enumerate(_sub_blocks(buffered)):
            yield Part(kind, number == 0, block if number else head + block, buffered.tell())
            count += 1
            refuse_tiny_pieces(count, buffered.tell(), _SMALLEST)
    yield Part(TRAILER, True, bytes([TRAILER]), buffered.tell())


def _introducer(buffered: BufferedReader) -> int:
    """The byte that a block begins with. Many files have no trailer, so the end of the file stands for it."""
    try:
        return buffered.byte()
    except Truncated:
        return TRAILER


def _sub_blocks(buffered: BufferedReader) -> Iterator[bytes]:
    """The sub-blocks, each with its size before it; the last one is of size 0."""
    size = -1
    while size:
        size = buffered.byte()
        yield bytes([size]) + buffered.take(size)


def _with_palette(head: bytes, flags: int, buffered: BufferedReader) -> bytes:
    """`head` with the palette that follows it, if its byte of flags says that one does."""
    return head + (buffered.take(6 << (head[flags] & 7)) if head[flags] & 0x80 else b"")


def canvas_of(head: bytes) -> Size:
    """Width and height that the head tells."""
    width, height = struct.unpack_from("<HH", head, 6)
    return width, height


def frame_of(image: bytes) -> tuple[int, int, int, int]:
    """Left, top, width and height of an image on the canvas, which the first piece of its block tells."""
    left, top, width, height = struct.unpack_from("<4H", image, 1)
    return left, top, width, height


def with_canvas(head: bytes, width: int, height: int) -> bytes:
    """The head of a file whose canvas has this size."""
    return head[:6] + struct.pack("<HH", width, height) + head[10:]


def at_corner(image: bytes) -> bytes:
    """The first piece of an image that begins at the upper left corner of the canvas."""
    return image[:1] + bytes(4) + image[5:]


def is_metadata(part: Part) -> bool:
    """Whether a block can be left out without a change to how the image looks, by its first piece."""
    if part.kind == APPLICATION:
        return part.data[3:] not in _LOOPING
    return part.kind not in (HEAD, IMAGE, TRAILER, PLAIN_TEXT, CONTROL)
