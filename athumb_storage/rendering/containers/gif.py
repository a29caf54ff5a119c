"""GIF files (GIF89a specification): blocks and their sub-blocks."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable, Iterator
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

    The first piece goes up to the end of the first sub-block, each further one has as many as were read at once.
    """

    kind: int
    first: bool
    data: bytes
    end: int


def parts(reader: BinaryIO, *, comments: bool = True) -> Iterator[Part]:
    """All parts in order, up to the trailer. Bytes that belong to nothing are passed over, as decoders do.

    Args:
        reader: the file's bytes.
        comments: whether those are among the parts.

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
        for sub_blocks, many in buffered.blocks():
            if comments or kind != COMMENT:
                yield Part(kind, bool(head), head + sub_blocks, buffered.tell())
            head = b""
            count += many
            refuse_tiny_pieces(count, buffered.tell(), _SMALLEST)
    yield Part(TRAILER, True, bytes([TRAILER]), buffered.tell())


def _introducer(buffered: BufferedReader) -> int:
    """The byte that a block begins with. Many files have no trailer, so the end of the file stands for it."""
    try:
        return buffered.byte()
    except Truncated:
        return TRAILER


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


def alone(head: bytes, control: bytes, image: bytes) -> bytes:
    """How a file begins that has only this image, which is all of its canvas.

    Args:
        head: the head of the file that it is in.
        control: the block before it, if any.
        image: its first piece.
    """
    return head[:6] + image[5:9] + head[10:] + control + image[:1] + bytes(4) + image[5:]


def timing_of(control: bytes) -> tuple[int, int]:
    """The disposal of a frame and its delay in 1/100 s, from the first piece of the block before it; zeros if none."""
    flags, delay = struct.unpack_from("<BH", control.ljust(6, b"\0"), 3)
    return flags >> 2 & 7, delay


def is_looping(part: Part) -> bool:
    """Whether what follows in this block is how often an animation is shown."""
    return part.kind == APPLICATION and part.first and part.data[3:] in _LOOPING


def repeats_of(part: Part) -> int | None:
    """How often an animation is shown again, from the second piece of that block; 0 is for ever, None is not told."""
    return struct.unpack_from("<H", part.data, 2)[0] if part.data[:2] == b"\x03\x01" else None


def as_frame(still: bytes, corner: Size, delay: int, disposal: int) -> bytes:
    """The image of a file as a frame of another, where it has a palette of its own.

    Args:
        still: the file.
        corner: left and top on the canvas.
        delay: how long it is shown, in 1/100 s.
        disposal: what is done with it then: 1 keeps it, 2 clears its place.
    """
    palette, image, bits, flags, nothing = b"", b"", 0, 0, 0
    for part in parts(io.BytesIO(still)):
        if part.kind == HEAD:
            palette, bits = part.data[13:], part.data[10] & 7
        elif part.kind == CONTROL and part.first:
            flags, nothing = part.data[3] & 1, part.data[6]
        elif part.kind == IMAGE:
            image += part.data
    control = struct.pack("<4BHBB", _EXTENSION, CONTROL, 4, disposal << 2 | flags, delay, nothing, 0)
    interlaced = image[9] & 0x40
    return control + struct.pack("<B2H4sB", IMAGE, *corner, image[5:9], 0x80 | interlaced | bits) + palette + image[10:]


def animation(size: Size, frames: Iterable[bytes], plays: int) -> bytes:
    """A file of these frames, which is shown so many times, or for ever if that is 0."""
    head = b"GIF89a" + struct.pack("<HHBBB", *size, 0, 0, 0)
    repeats = struct.pack("<H", max(plays - 1, 0))
    looping = b"!\xff\x0b" + _LOOPING[0] + b"\x03\x01" + repeats + b"\0"
    return b"".join([head, looping if plays != 1 else b"", *frames, bytes([TRAILER])])


def is_metadata(part: Part) -> bool:
    """Whether a block can be left out without a change to how the image looks, by its first piece."""
    if part.kind == APPLICATION:
        return part.data[3:] not in _LOOPING
    return part.kind not in (HEAD, IMAGE, TRAILER, PLAIN_TEXT, CONTROL)
