"""HEIC files (ISO/IEC 23008-12, annex B): a picture coded in HEVC, or a grid of such, with one for its transparency.

What the decoder is not needed for it does not get to see. What is left is added up, for one picture may be asked for
by many others, and each time it is decoded anew.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from athumb_storage.exceptions import UploadedImageIsUnreadableError
from athumb_storage.rendering.bytestream import Truncated, byte_length, refuse_more_than
from athumb_storage.rendering.containers import heif, hevc
from athumb_storage.rendering.containers.heif import MOST_ITEMS, Fields, Item

_SHOWN: Final = frozenset([b"ftyp", b"meta", b"mdat"])
_SHOWN_IN_META: Final = frozenset([b"hdlr", b"pitm", b"iinf", b"iloc", b"iprp", b"iref", b"idat"])
_SHOWN_REFERENCES: Final = frozenset([b"dimg", b"auxl", b"prem"])
"""A grid to its pictures, transparency to its picture, and that it is multiplied into its colours."""

_IS_HIDDEN: Final = b"\1"
"""The flags of an item that is not shown by itself."""

_GRID: Final = 12
"""Bytes that tell of a grid."""

_MOST_TIMES: Final = 8
"""How many times the pixels of the picture may be decoded: with its transparency, its depth and the like."""

_FEW: Final = 1 << 22
"""Pixels that may be decoded, or bytes read, in any case; the tiles of a grid may be larger than the whole."""


class Description(heif.Description):
    """What the boxes of a HEIC file say.

    Raises:
        UploadedImageIsUnreadableError: the boxes are damaged as well. What is not understood here cannot be left to the
            decoder, which might understand it.
    """

    coding = b"hvc1"

    def _read(self, end: int) -> None:
        self._pixels: dict[int, int] = {}  # of each picture by itself, by its number
        try:
            metas = [box for box in self._hide(0, end, _SHOWN) if box.name == b"meta"]
            if len(metas) != 1:
                raise UploadedImageIsUnreadableError(f"A HEIC file with {len(metas)} descriptions is not supported")
            self._check(metas[0])
        except (Truncated, struct.error, IndexError) as error:
            raise UploadedImageIsUnreadableError(f"The HEIC file is damaged: {error}") from error

    def _check(self, meta: heif.Box) -> None:
        boxes = self._hide(meta.start + 4, meta.end, _SHOWN_IN_META)
        for name in (b"iprp", b"iref"):
            refuse_more_than(f"{name.decode()} for the same thing", sum(box.name == name for box in boxes), 1)
        primary, items = self._read_meta(meta)
        for item in items.values():
            if item.kind == b"grid":
                self._read_grid(item)
            if item.number != primary:  # the decoder would unpack all pictures that are shown by themselves
                self.changes[item.flags_at] = _IS_HIDDEN
        references = next((box for box in boxes if box.name == b"iref"), None)
        self._add_up(primary, items, self._read_references(references) if references else {})

    def _hide(self, start: int, end: int, shown: frozenset[bytes]) -> list[heif.Box]:
        """The boxes between two places; the decoder sees nothing of the others."""
        boxes = [*self._boxes(start, end)]
        self.changes |= {box.at: b"free" for box in boxes if box.name not in shown}
        return [box for box in boxes if box.name in shown]

    def _items(self, *parts: Any) -> dict[int, Item]:
        items = super()._items(*parts)
        total = sum(size for item in items.values() for _, size in item.parts)
        refuse_more_than("bytes of items, parts counted twice", total, max(_FEW, 2 * byte_length(self._reader)))
        return items

    def _read_properties(self, item: Item) -> None:
        super()._read_properties(item)
        if self.clean_aperture is None:  # the decoder would round it
            self.changes |= {box.at: b"free" for box in item.properties if box.name == b"clap"}

    def _read_picture(self, item: Item) -> None:
        records = [self._content(box) for box in item.properties if box.name == b"hvcC"]
        refuse_more_than("hvcC for the same thing", len(records), 1)
        found = [size for record in records for size in hevc.sizes_of_record(record)]
        for wide in {4, *map(hevc.length_size, records)}:  # decoders may take it for 4 in any case
            found += self._coded_sizes(item.parts, partial(hevc.sizes, wide=wide))
        self.sizes += found
        self._pixels[item.number] = max((width * height for width, height in found), default=0)

    def _read_grid(self, item: Item) -> None:
        """A grid has its size among its data (ISO/IEC 23008-12, section 6.6.2.3.2)."""
        data = b"".join(self._bytes(start, min(size, _GRID)) for start, size in item.parts)
        fields, wide = Fields(data, 4), 4 if data[1] & 1 else 2
        width, height = fields.take(wide), fields.take(wide)
        self.sizes.append((width, height))
        self._pixels[item.number] = width * height

    def _read_references(self, iref: heif.Box) -> dict[int, list[int]]:
        """What is decoded for each picture: those that a grid is made of, and those that say they belong to it."""
        wide = 4 if self._content(iref)[0] else 2
        needed: dict[int, list[int]] = defaultdict(list)
        for box in self._hide(iref.start + 4, iref.end, _SHOWN_REFERENCES):
            fields = Fields(self._content(box), 0)
            number = fields.take(wide)
            others = [fields.take(wide) for _ in range(fields.take(2))]
            if box.name == b"dimg":
                needed[number] += others
            elif box.name == b"auxl":
                for other in others:
                    needed[other].append(number)
        return needed

    def _add_up(self, primary: int, items: Mapping[int, Item], needed: Mapping[int, Sequence[int]]) -> None:
        """One picture may be needed by many others, and is decoded for each of them."""
        pending, count, pixels = [primary], 0, 0
        while pending:
            number = pending.pop()
            count += 1
            refuse_more_than("pictures in its picture", count + len(pending), MOST_ITEMS)
            kind = items[number].kind if number in items else b""
            if kind not in (b"hvc1", b"grid"):
                raise UploadedImageIsUnreadableError(f"A HEIC file with a picture of type {kind!r} is not supported")
            pixels += self._pixels[number] if kind == b"hvc1" else 0
            pending += needed.get(number, ())
        most = max(_FEW, _MOST_TIMES * self._pixels[primary])
        refuse_more_than("pixels in all the pictures of its picture", pixels, most)
