"""HEVC video (ITU-T H.265, sections 7.3.1 and 7.3.2.2): how large its pictures are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Final

from athumb_storage.geometry import Size
from athumb_storage.rendering.bytestream import BufferedReader, Truncated, refuse_more_than
from athumb_storage.rendering.containers.bits import Bits

_PARAMETERS: Final = 33
"""The type of a unit that tells the size of all pictures that follow."""

_PARAMETERS_SIZE: Final = 256
"""Bytes of such a unit that are looked at; the size stands in the first 110."""

_MOST_PARAMETERS: Final = 16
"""Such units with one picture, as many as have numbers."""

_MOST_UNITS: Final = 1000
"""Units in one picture: some headers, and the slices, of which there may be 600."""

_RECORD_HEAD: Final = 22


def sizes_of_record(record: bytes) -> Iterator[Size]:
    """Width and height in each set of parameters of an hvcC box (ISO/IEC 14496-15, section 8.3.3.1).

    Raises:
        IndexError: the record is cut off.
        Truncated: a set is.
    """
    return _sizes(_units_of_record(record))


def length_size(record: bytes) -> int:
    """How many bytes tell the length of each unit of a picture, from its hvcC box."""
    return (record[_RECORD_HEAD - 1] & 3) + 1


def sizes(reader: BinaryIO, start: int, end: int, wide: int = 4) -> Iterator[Size]:
    """Width and height in each set of parameters that stands between two places of the file, among the pixels.

    Args:
        reader: the file.
        start: where the first unit begins.
        end: where the last one ends.
        wide: how many bytes tell the length of a unit.

    Raises:
        Truncated: the file ends within a unit.
    """
    return _sizes(_units(reader, start, end, wide))


def _units_of_record(record: bytes) -> Iterator[bytes]:
    at = _RECORD_HEAD + 1
    for _ in range(record[_RECORD_HEAD]):
        count = int.from_bytes(record[at + 1 : at + 3], "big")
        at += 3
        for _ in range(count):
            size = record[at] << 8 | record[at + 1]
            yield record[at + 2 : at + 2 + size]
            at += 2 + size
    if at > len(record):
        raise Truncated


def _units(reader: BinaryIO, start: int, end: int, wide: int) -> Iterator[bytes]:
    """The beginning of each unit."""
    reader.seek(start)
    buffered = BufferedReader(reader)
    while buffered.tell() + wide <= end:
        size = int.from_bytes(buffered.take(wide), "big")
        part = buffered.take(min(size, _PARAMETERS_SIZE, end - buffered.tell()))
        yield part
        buffered.skip(size - len(part))


def _sizes(units: Iterator[bytes]) -> Iterator[Size]:
    found = 0
    for count, unit in enumerate(units, 1):
        refuse_more_than("units in one picture", count, _MOST_UNITS)
        if unit and unit[0] >> 1 & 0x3F == _PARAMETERS:
            found += 1
            refuse_more_than("sets of parameters for one picture", found, _MOST_PARAMETERS)
            # Where the bytes would look like the beginning of a unit, a 3 is put between them.
            yield _size(Bits(unit[2:_PARAMETERS_SIZE].replace(b"\0\0\3", b"\0\0")))


def _size(bits: Bits) -> Size:
    bits.take(4)
    layers = bits.take(3)
    bits.take(1 + 88 + 8)  # the profile and the level of the whole
    told = [(bits.take(1), bits.take(1)) for _ in range(layers)]
    bits.take(2 * (8 - layers) if layers else 0)
    for has_profile, has_level in told:
        bits.take(88 * has_profile + 8 * has_level)
    bits.golomb()
    if bits.golomb() == 3:  # the planes of colours are as large as that of brightness
        bits.take(1)
    return bits.golomb(), bits.golomb()
