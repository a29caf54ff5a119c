"""HEIF files, as AVIF and HEIC are (ISO/IEC 14496-12 and 23008-12): what a decoder makes of their boxes and items.

Decoders read all tables at once and allocate for what these promise, so tables that promise absurdly much are refused.
"""

from __future__ import annotations

import io
import struct
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import BinaryIO, Final, NamedTuple

from athumb_storage.exceptions import UploadedImageIsUnreadableError
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

_SMALLEST: Final = 64

MOST_ITEMS: Final = 600
"""Pictures and metadata: a grid may be of 256 pictures, and as many for its transparency."""

_MOST_LISTS: Final = 4
"""Lists of which item has which properties: one for each size that their numbers can have."""

_MOST_PROPERTIES: Final = 255

_MOST_IN_TABLE: Final = 1 << 20

TABLES: Final = frozenset([b"pitm", b"iinf", b"iloc", b"idat", b"stsc", b"stco", b"co64", b"stsz"])

_METADATA: Final = frozenset([b"Exif", b"mime", b"uri "])

Rectangle = tuple[int, int, int, int]

SizesBetween = Callable[[BinaryIO, int, int], Iterator[Size]]
"""What the pixels between two places of a file say of their size."""


class Box(NamedTuple):
    """A box's name, where its content begins and ends in the file, and where its name stands."""

    name: bytes
    start: int
    end: int
    at: int


class Item(NamedTuple):
    """A picture, or data that go with one: its number, its type, where that and the last of its flags stand."""

    number: int
    kind: bytes
    at: int
    flags_at: int
    parts: Sequence[Place] = ()
    properties: Sequence[Box] = ()


class Description(ABC):
    """What the boxes of a file say.

    Args:
        reader: the file's bytes.

    Raises:
        UploadedImageIsUnreadableError: they promise absurdly much.
    """

    coding: bytes
    """The type of the items that are coded pictures."""

    def __init__(self, reader: BinaryIO) -> None:
        self._reader = reader
        self.sizes: list[Size] = []
        """Width and height of each picture, by its description and by its pixels, which need not agree."""
        self.changes: dict[int, bytes] = {}
        """What the decoder is to see, where in the file: metadata for instance, all of which it would unpack, as none.
        """
        self.clean_aperture: Rectangle | None = None
        """Left, top, right and bottom of the part of the picture that is to be shown."""
        self.colours: tuple[int, int, int, bool] | None = None
        """As in nclx: primaries, transfer, matrix, and whether the range is full (ITU-T H.273)."""
        self.kinds: set[bytes] = set()
        """The types of all items."""
        self._read(byte_length(reader))

    @abstractmethod
    def _read(self, end: int) -> None: ...

    @abstractmethod
    def _read_picture(self, item: Item) -> None: ...

    def _read_meta(self, meta: Box) -> tuple[int, dict[int, Item]]:
        """The number of the picture that is to be shown, and all that there are."""
        tables = self._tables(meta.start + 4, meta.end)
        properties = [*self._find(meta.start + 4, meta.end, b"iprp", b"ipco", b"")]
        self.sizes += [self._size(box) for box in properties if box.name == b"ispe"]
        if b"iinf" not in tables or b"iloc" not in tables:
            return 0, {}
        # That of a film has none.
        pitm = self._content(tables[b"pitm"]) if b"pitm" in tables else bytes(8)
        primary = int.from_bytes(pitm[4:6] if pitm[0] == 0 else pitm[4:8], "big")
        items = self._items(meta, tables, properties)
        self.kinds |= {item.kind for item in items.values()}
        for item in items.values():
            if item.number == primary and not (self.clean_aperture or self.colours):
                self._read_properties(item)
            if item.kind in _METADATA:
                self.changes[item.at] = b"none"
            elif item.kind == self.coding:
                self._read_picture(item)
        return primary, items

    def _items(self, meta: Box, tables: Mapping[bytes, Box], properties: Sequence[Box]) -> dict[int, Item]:
        associations: dict[int, list[Box]] = {}
        lists = [*self._find(meta.start + 4, meta.end, b"iprp", b"ipma")]
        refuse_more_than("lists of properties", len(lists), _MOST_LISTS)
        for ipma in lists:
            for number, index in _associations(self._content(ipma)):
                if 0 < index <= len(properties):
                    associations.setdefault(number, []).append(properties[index - 1])
                    refuse_more_than("properties of one picture", len(associations[number]), _MOST_PROPERTIES)
        items = list(_items(self._content(tables[b"iinf"]), tables[b"iinf"].start))
        refuse_more_than("pictures", len(items), MOST_ITEMS)
        places = _places(self._content(tables[b"iloc"]))
        found = {}
        for item in items:
            method, parts = places.get(item.number, (0, []))
            shift = tables[b"idat"].start if method == 1 and b"idat" in tables else 0
            parts = [(start + shift, size) for start, size in parts]
            refuse_more_than("items of one number", 1 + (item.number in found), 1)
            found[item.number] = item._replace(parts=parts, properties=associations.get(item.number, ()))
        return found

    def _read_properties(self, item: Item) -> None:
        size = next((self._size(box) for box in item.properties if box.name == b"ispe"), None)
        for box in item.properties:
            content = self._content(box) if box.name in (b"clap", b"colr") else b""
            if box.name == b"clap" and size:
                self.clean_aperture = _rectangle(struct.unpack_from(">IIIIiIiI", content), size)
            elif content[:4] == b"nclx":
                primaries, transfer, matrix, full = struct.unpack_from(">HHHB", content, 4)
                self.colours = primaries, transfer, matrix, bool(full & 0x80)

    def _size(self, ispe: Box) -> Size:
        width, height = struct.unpack_from(">II", self._content(ispe), 4)
        return width, height

    def _coded_sizes(self, parts: Sequence[Place], sizes: SizesBetween) -> list[Size]:
        """What the boxes say of a size need not be what the pictures have, and decoders allocate for what they have."""
        reader = self._reader
        if len(parts) > 1:
            total = sum(size for _, size in parts)
            refuse_more_than("bytes of pixels, parts counted twice", total, byte_length(reader))
            reader, parts = io.BytesIO(b"".join(self._bytes(*part) for part in parts)), [(0, total)]
        return [size for start, length in parts for size in until_truncated(sizes(reader, start, start + length))]

    def _tables(self, start: int, end: int) -> dict[bytes, Box]:
        tables: dict[bytes, Box] = {}
        for box in self._boxes(start, end):
            if box.name in TABLES:
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
            box = Box(name, buffered.tell(), min(at + size, end), at + 4)
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
        if size < 8:  # decoders may take it for the rest, or for one that tells its size in 64 bits
            raise UploadedImageIsUnreadableError(f"A picture is told of in {size} bytes, as no program writes it")
        version = iinf[at + 8]
        if version >= 2:
            number, _, kind = struct.unpack_from(">HH4s" if version == 2 else ">IH4s", iinf, at + 12)
            yield Item(number, kind, start + at + (16 if version == 2 else 18), start + at + 11)
        at += size


def _associations(ipma: bytes) -> Iterator[tuple[int, int]]:
    """The number of an item and that of one of its properties, counted from 1, again and again."""
    fields = Fields(ipma, 8)
    wide, step = 4 if ipma[0] else 2, 2 if ipma[3] & 1 else 1
    for _ in range(number_at(ipma, 4)):
        item = fields.take(wide)
        for _ in range(fields.take(1)):
            # The first bit says whether it is essential.
            yield item, fields.take(step) & (0x7FFF if step == 2 else 0x7F)


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
    if not {*sizes} <= {0, 4, 8}:
        raise Truncated
    fields = Fields(iloc, 6)
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
        refuse_more_than("places of one item", 1 + (item in places), 1)
        places[item] = (method, parts)
    return places


def number_at(content: bytes, at: int) -> int:
    """A number of 32 bits."""
    return int(struct.unpack_from(">I", content, at)[0])


class Fields:
    """Numbers of any size, one after the other."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data = data
        self._at = at

    def take(self, size: int) -> int:
        self._at += size
        if self._at > len(self._data):
            raise Truncated
        return int.from_bytes(self._data[self._at - size : self._at], "big")
