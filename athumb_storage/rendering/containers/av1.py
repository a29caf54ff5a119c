"""AV1 video (AV1 Bitstream & Decoding Process Specification, sections 5.3 to 5.5): how large its frames may be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Final

from athumb_storage.rendering.bytestream import BufferedReader, Truncated, refuse_more_than
from athumb_storage.rendering.containers.bits import Bits

_SEQUENCE_HEADER: Final = 1
_MOST_UNITS: Final = 1000
"""Units in one picture: some headers, and the tiles, of which there may be 512."""

_HEADER_SIZE: Final = 1024
"""Bytes of a sequence header that are looked at, which is more than 32 operating points can fill."""


def sizes(reader: BinaryIO, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The greatest width and height of frames that each sequence header between two places of the file allows.

    Raises:
        Truncated: the file ends within a unit.
    """
    reader.seek(start)
    buffered = BufferedReader(reader)
    count = 0
    while buffered.tell() < end:
        head = buffered.byte()
        if head & 0x04:
            buffered.skip(1)
        size = _leb128(buffered) if head & 0x02 else end - buffered.tell()
        if (head >> 3) & 0x0F == _SEQUENCE_HEADER:
            part = buffered.take(min(size, _HEADER_SIZE))
            yield _frame_size(Bits(part))
            size -= len(part)
        buffered.skip(size)
        count += 1
        refuse_more_than("units in one picture", count, _MOST_UNITS)


def _leb128(buffered: BufferedReader) -> int:
    value = 0
    for shift in range(0, 56, 7):
        byte = buffered.byte()
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value
    raise Truncated


def _frame_size(bits: Bits) -> tuple[int, int]:
    bits.take(4)  # profile, and whether it is a still picture
    if bits.take(1):  # the short form of the header
        bits.take(5)
    else:
        _skip_operating_points(bits)
    width_bits, height_bits = bits.take(4) + 1, bits.take(4) + 1
    return bits.take(width_bits) + 1, bits.take(height_bits) + 1


def _skip_operating_points(bits: Bits) -> None:
    delay_bits = _skip_timing(bits) if bits.take(1) else 0
    has_display_delay = bits.take(1)
    for _ in range(bits.take(5) + 1):
        bits.take(12)
        if bits.take(5) > 7:  # the level, which has a tier from there on
            bits.take(1)
        if delay_bits and bits.take(1):
            bits.take(2 * delay_bits + 1)
        if has_display_delay and bits.take(1):
            bits.take(4)


def _skip_timing(bits: Bits) -> int:
    """Pass over the timing; how many bits a delay takes, 0 if none are given."""
    bits.take(64)
    if bits.take(1):
        bits.golomb()
    if not bits.take(1):
        return 0
    delay_bits = bits.take(5) + 1
    bits.take(42)
    return delay_bits
