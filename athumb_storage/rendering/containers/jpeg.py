"""JPEG files (ITU-T T.81, annex B): segments and scans."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple

from athumb_storage.rendering.bytestream import BufferedReader, refuse_tiny_pieces

SOI, EOI, SOS, APP0, COM = 0xD8, 0xD9, 0xDA, 0xE0, 0xFE
APP1, APP2, APP13, APP14, APP15, DQT = 0xE1, 0xE2, 0xED, 0xEE, 0xEF, 0xDB

SCAN: Final = 0
JUNK: Final = -1
"""Stand for the coded pixels that follow an SOS segment, and for bytes that belong to nothing."""

EXIF: Final = b"Exif\0\0"
ICC: Final = b"ICC_PROFILE\0"

_SMALLEST: Final = 64
"""Bytes in a segment, on average, below which a file of very many segments was made to be slow."""

_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""The SOF markers; the other three of the row are DHT, JPG and DAC."""

_PROGRESSIVE: Final = frozenset({0xC2, 0xC6, 0xCA, 0xCE})

_ALONE: Final = frozenset({0x01, *range(0xD0, 0xDA)})
"""The markers without a segment: TEM, RST0 to RST7, SOI, EOI."""

_MARKER: Final = re.compile(rb"\xff[^\x00\xff]")
_MARKER_IN_SCAN: Final = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
"""Among coded pixels, FF00 stands for FF, and restart markers belong to the scan."""


class Part(NamedTuple):
    """A segment or a piece of what is between them: its marker, its payload, and where it begins in the file."""

    marker: int
    payload: bytes
    start: int


def parts(reader: BinaryIO) -> Iterator[Part]:
    """Each segment, in order, from SOI to EOI of the first picture in the file.

    Each SOS is followed by the scan's bytes, in pieces, with the marker `SCAN`. Bytes that belong to nothing, which
    decoders pass over, have the marker `JUNK`.

    Raises:
        Truncated: the file ends before EOI.
    """
    buffered = BufferedReader(reader)
    marker, count = -1, 0
    while marker != EOI:
        for piece in buffered.before(_MARKER):
            if piece:
                yield Part(JUNK, piece, buffered.tell())
        start = buffered.tell()
        marker = buffered.take(2)[1]
        yield Part(marker, b"" if marker in _ALONE else _payload(buffered), start)
        if marker == SOS:
            for piece in buffered.before(_MARKER_IN_SCAN):
                yield Part(SCAN, piece, buffered.tell())
        count += 1
        refuse_tiny_pieces(count, start, _SMALLEST)


def _payload(buffered: BufferedReader) -> bytes:
    # A length below 2 is nonsense; decoders stumble over it as well.
    return buffered.take(max(int.from_bytes(buffered.take(2), "big") - 2, 0))


def is_frame(marker: int) -> bool:
    """Whether the segment tells the picture's size (SOF, "start of frame")."""
    return marker in _FRAMES


def is_progressive(marker: int) -> bool:
    """Whether it says that the picture comes in several passes, from coarse to fine."""
    return marker in _PROGRESSIVE


def is_metadata(marker: int, payload: bytes) -> bool:
    """Whether a segment can be left out without a change to how the picture looks."""
    if marker == APP2:
        return not payload.startswith(ICC)
    if marker == APP0:
        return not payload.startswith(b"JFIF\0")
    # By Adobe's, decoders tell YCbCr from RGB and YCCK from CMYK.
    if marker == APP14:
        return not payload.startswith(b"Adobe")
    return marker == COM or APP0 <= marker <= APP15


def without_preview(jfif: bytes) -> bytes:
    """The JFIF segment's payload, whose last two numbers are the size of the preview that follows them."""
    return jfif[:12] + b"\0\0" if len(jfif) >= 14 else jfif


def joined_profile(payloads: list[bytes], most: int) -> bytes | None:
    """The profile that is spread over these ICC segments; None if a part is missing, or it has more than `most` bytes.

    Each segment tells its number and how many there are.
    """
    numbered = sorted((payload[12:13], payload[14:]) for payload in payloads if len(payload) > 14)
    if not numbered or payloads[0][13] != len(numbered) or sum(len(data) for _, data in numbered) > most:
        return None
    return b"".join(data for _, data in numbered)


def written(marker: int, payload: bytes) -> bytes:
    """A segment, or a marker that has none, as it stands in a file."""
    start = bytes([0xFF, marker])
    return start if marker in _ALONE else start + (len(payload) + 2).to_bytes(2, "big") + payload
