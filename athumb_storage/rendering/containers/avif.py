"""AVIF files (ISO/IEC 14496-12 and 23008-12): what a decoder makes of their boxes, items and tracks on opening.

Decoders read all tables at once and allocate for what these promise, so tables that promise absurdly much are refused.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Mapping
from contextlib import suppress
from fractions import Fraction
from typing import BinaryIO, Final, NamedTuple

from athumb_storage.geometry import Size
from athumb_storage.rendering.bytestream import (
    BufferedReader,
    Place,
    Truncated,
    byte_length,
    refuse_more_than,
    refuse_tiny_pieces,
    until_truncated,
)
from athumb_storage.rendering.containers import av1

_SMALLEST: Final = 64

_MOST_TRACKS: Final = 16
"""Films, and descriptions of pictures, in one file, which may have one for its transparency as well."""

_MOST_ITEMS: Final = 600
"""Pictures and metadata: a grid may be of 256 pictures, and as many for its transparency."""

_MOST_FRAMES: Final = 100_000
"""Frames of a film. None but the first is decoded, but the decoder lists them all."""

_MOST_IN_TABLE: Final = 1 << 20

_TABLES: Final = frozenset([b"pitm", b"iinf", b"iloc", b"idat", b"stsc", b"stco", b"co64", b"stsz"])

Rectangle = tuple[int, int, int, int]


class Box(NamedTuple):
    """A box's name, and where its content begins and ends in the file."""

    name: bytes
    start: int
    end: int


class Item(NamedTuple):
    """A picture, or data that go with one: its number, its type, and where in the file the type stands."""

    number: int
    kind: bytes
    at: int


class Description:
    """What the boxes of a file say.

    Args:
        reader: the file's bytes.

    Raises:
        UploadedImageIsUnreadableError: they promise absurdly much.
    """

    def __init__(self, reader: BinaryIO) -> None:
        self._reader = reader
        self.sizes: list[Size] = []
        """Width and height of each picture, by its description and by its pixels, which need not agree."""
        self.exif: list[int] = []
        """Where in the file an item is said to be EXIF data."""
        self.clean_aperture: Rectangle | None = None
        """Left, top, right and bottom of the part of the picture that is to be shown."""
        self.colours: tuple[int, int, int, bool] | None = None
        """As in nclx: primaries, transfer, matrix, and whether the range is full (ITU-T H.273)."""
        with suppress(Truncated, struct.error, IndexError):  # the decoder will stumble over it as well
            self._read(byte_length(reader))

    def _read(self, end: int) -> None:
        metas = [*self._find(0, end, b"meta"), *self._find(0, end, b"moov", b"trak", b"meta")]
        tracks = [*self._find(0, end, b"moov", b"trak", b"mdia", b"minf", b"stbl")]
        refuse_more_than("tracks", len(metas) + len(tracks), _MOST_TRACKS)
        for meta in metas:
            tables = self._tables(meta.start + 4, meta.end)
            properties = [*self._find(meta.start + 4, meta.end, b"iprp", b"ipco", b"")]
            self._read_properties(meta, tables, properties)
            self._read_items(tables)
        for track in tracks:
            self._read_track(self._tables(track.start, track.end))

    def _read_properties(self, meta: Box, tables: Mapping[bytes, Box], properties: list[Box]) -> None:
        for box in properties:
            if box.name == b"ispe":
                self.sizes.append(struct.unpack_from(">II", self._content(box), 4))
        if b"pitm" not in tables or self.clean_aperture or self.colours:
            return
        pitm = self._content(tables[b"pitm"])
        primary = int.from_bytes(pitm[4:6] if pitm[0] == 0 else pitm[4:8], "big")
        for ipma in self._find(meta.start + 4, meta.end, b"iprp", b"ipma"):
            for index in _associated(self._content(ipma), primary):
                if 0 < index <= len(properties):
                    self._read_property(properties[index - 1])

    def _read_property(self, box: Box) -> None:
        content = self._content(box)
        if box.name == b"clap" and self.sizes:
            self.clean_aperture = _rectangle(struct.unpack_from(">IIIIiIiI", content), self.sizes[0])
        elif box.name == b"colr" and content[:4] == b"nclx":
            primaries, transfer, matrix, full = struct.unpack_from(">HHHB", content, 4)
            self.colours = primaries, transfer, matrix, bool(full & 0x80)

    def _read_items(self, tables: Mapping[bytes, Box]) -> None:
        if b"iinf" not in tables or b"iloc" not in tables:
            return
        items = list(_items(self._content(tables[b"iinf"]), tables[b"iinf"].start))
        refuse_more_than("pictures", len(items), _MOST_ITEMS)
        places = _places(self._content(tables[b"iloc"]))
        for item in items:
            method, parts = places.get(item.number, (0, []))
            shift = tables[b"idat"].start if method == 1 and b"idat" in tables else 0
            if item.kind == b"Exif":
                self.exif.append(item.at)
            elif item.kind == b"av01":
                self._read_pictures([(start + shift, size) for start, size in parts])

    def _read_track(self, tables: Mapping[bytes, Box]) -> None:
        """A track's tables may stand for far more frames than there are bytes in the file."""
        content = {name: self._content(box) for name, box in tables.items() if name in _TABLES - {b"idat"}}
        offsets = content.get(b"stco", b"") or content.get(b"co64", b"")
        frames = _frames(content.get(b"stsc", b""), _number(offsets, 4))
        refuse_more_than("frames", frames, _MOST_FRAMES)
        first = int.from_bytes(offsets[8 : 16 if b"co64" in content else 12], "big")
        sizes = content.get(b"stsz", b"")
        # One size for all, or a table of them.
        self._read_pictures([(first, _number(sizes, 4) or _number(sizes, 12))])

    def _read_pictures(self, parts: list[Place]) -> None:
        """What the boxes say of a size need not be what the pictures have, and decoders allocate for what they have."""
        reader = self._reader
        if len(parts) > 1:
            total = sum(size for _, size in parts)
            refuse_more_than("bytes of pixels, parts counted twice", total, byte_length(reader))
            reader, parts = io.BytesIO(b"".join(self._bytes(*part) for part in parts)), [(0, total)]
        for start, size in parts:
            self.sizes += until_truncated(av1.sizes(reader, start, start + size))

    def _tables(self, start: int, end: int) -> dict[bytes, Box]:
        tables: dict[bytes, Box] = {}
        for box in self._boxes(start, end):
            if box.name in _TABLES:
                refuse_more_than(f"{box.name.decode()} for the same thing", 1 + (box.name in tables), 1)
                if box.name != b"idat":  # that one holds the pixels themselves
                    refuse_more_than("bytes in a table", box.end - box.start, _MOST_IN_TABLE)
            tables[box.name] = box
        return tables

    def _find(self, start: int, end: int, *path: bytes) -> Iterator[Box]:
        """The boxes of the last of these names, in those of the names before; of "", all."""
        for box in self._boxes(start, end):
            if len(path) == 1 and path[0] in (box.name, b""):
                yield box
            elif box.name == path[0]:
                # This one has a version and flags before what is in it.
                yield from self._find(box.start + 4 * (box.name == b"meta"), box.end, *path[1:])

    def _boxes(self, start: int, end: int) -> Iterator[Box]:
        """The boxes between these two places of the file, without those that are in them."""
        self._reader.seek(start)
        buffered = BufferedReader(self._reader)
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

    def _content(self, box: Box) -> bytes:
        refuse_more_than("bytes in a table", box.end - box.start, _MOST_IN_TABLE)
        return self._bytes(box.start, box.end - box.start)

    def _bytes(self, start: int, size: int) -> bytes:
        self._reader.seek(start)
        return self._reader.read(size)


def _items(iinf: bytes, start: int) -> Iterator[Item]:
    at = 6 if iinf[0] == 0 else 8
    while at + 8 <= len(iinf):
        (size,) = struct.unpack_from(">I", iinf, at)
        version = iinf[at + 8]
        if version >= 2:
            number, _, kind = struct.unpack_from(">HH4s" if version == 2 else ">IH4s", iinf, at + 12)
            yield Item(number, kind, start + at + (16 if version == 2 else 18))
        at += max(size, 8)


def _associated(ipma: bytes, item: int) -> Iterator[int]:
    """The numbers of an item's properties, counted from 1."""
    fields = _Fields(ipma, 8)
    wide, step = 4 if ipma[0] else 2, 2 if ipma[3] & 1 else 1
    for _ in range(_number(ipma, 4)):
        number = fields.take(wide)
        for _ in range(fields.take(1)):
            index = fields.take(step) & (0x7FFF if step == 2 else 0x7F)  # the first bit says whether it is essential
            if number == item:
                yield index


def _rectangle(numbers: tuple[int, ...], size: Size) -> Rectangle | None:
    """The part of a picture that clap tells, by its size and the distance of its middle from the picture's.

    As section 12.1.4 of ISO/IEC 14496-12 has it. One that is no whole pixels, or reaches out of the picture, is
    ignored, as browsers do.
    """
    if 0 in numbers[1::2]:
        return None
    width, height, right, down = (Fraction(numbers[at], numbers[at + 1]) for at in range(0, 8, 2))
    left, top = (size[0] - width) / 2 + right, (size[1] - height) / 2 + down
    sides = left, top, left + width, top + height
    if any(side.denominator != 1 for side in sides) or left < 0 or top < 0 or width < 1 or height < 1:
        return None
    return (int(left), int(top), int(sides[2]), int(sides[3])) if sides[2] <= size[0] and sides[3] <= size[1] else None


def _places(iloc: bytes) -> dict[int, tuple[int, list[Place]]]:
    """How each item is stored (0: in the file, 1: in idat) and where its parts are."""
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
            parts.append((start, fields.take(sizes[1])))
        places[item] = (method, parts)
    return places


def _frames(samples_to_chunks: bytes, chunks: int) -> int:
    """How many frames a track has in so many chunks, from the content of stsc."""
    entries = list(struct.iter_unpack(">III", samples_to_chunks[8 : 8 + (len(samples_to_chunks) - 8) // 12 * 12]))
    ends = [first for first, _, _ in entries[1:]] + [chunks + 1]
    runs = zip(entries, ends, strict=False)
    return sum(max(end - first, 0) * samples for (first, samples, _), end in runs)


def _number(content: bytes, at: int) -> int:
    return int(struct.unpack_from(">I", content, at)[0])


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
