"""What can be told of an AVIF file before Pillow sees it: its size, its frames, and whether it was made to do harm."""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping
from typing import BinaryIO, Final

from athumb_storage.exceptions import UploadedImageIsUnreadableError
from athumb_storage.rendering.bytestream import Truncated, refuse_more_than, until_truncated
from athumb_storage.rendering.containers import av1, avif, tiff
from athumb_storage.rendering.containers.tiff import MOST_EXIF
from athumb_storage.rendering.limits import Limits, byte_length

_MOST_TRACKS: Final = 16
"""Films, and descriptions of pictures, in one AVIF file, which may have one for its transparency as well."""

_MOST_ITEMS: Final = 600
"""Pictures and metadata: a grid may be of 256 pictures, and as many for its transparency."""

_AVIF_TABLES: Final = frozenset([b"iinf", b"iloc", b"idat", b"stsc", b"stco", b"co64", b"stsz"])


def inspect_avif(reader: BinaryIO, limits: Limits) -> None:
    """Refuse an AVIF file that is over a limit, or was made to do harm.

    Raises:
        ImageLimitExceeded: there are too many pixels or frames.
        UploadedImageIsUnreadableError: no program that writes images wrote this.
    """
    try:
        _check_boxes(reader, byte_length(reader), limits)
    except (Truncated, struct.error, IndexError):
        return  # the decoder will stumble over it as well


def _check_boxes(reader: BinaryIO, end: int, limits: Limits) -> None:
    metas = [*avif.find(reader, 0, end, b"meta"), *avif.find(reader, 0, end, b"moov", b"trak", b"meta")]
    tracks = [*avif.find(reader, 0, end, b"moov", b"trak", b"mdia", b"minf", b"stbl")]
    refuse_more_than("tracks", len(metas) + len(tracks), _MOST_TRACKS)
    for meta in metas:
        for ispe in avif.find(reader, meta.start + 4, meta.end, b"iprp", b"ipco", b"ispe"):
            width, height = avif.dimensions(avif.content_of(reader, ispe))
            limits.check_pixels(width * height)
        _check_items(reader, _tables(reader, meta.start + 4, meta.end), limits)
    for track in tracks:
        _check_track(reader, _tables(reader, track.start, track.end), limits)


def _tables(reader: BinaryIO, start: int, end: int) -> dict[bytes, avif.Box]:
    tables: dict[bytes, avif.Box] = {}
    for box in avif.boxes(reader, start, end):
        if box.name in tables and box.name in _AVIF_TABLES:
            raise UploadedImageIsUnreadableError(f"The image has more than one {box.name.decode()} for the same thing")
        if box.name in _AVIF_TABLES and box.name != b"idat":  # that one holds the pixels themselves
            refuse_more_than("bytes in a table", box.end - box.start, MOST_EXIF)
        tables[box.name] = box
    return tables


def _check_items(reader: BinaryIO, tables: Mapping[bytes, avif.Box], limits: Limits) -> None:
    """What the header says of the size need not be what the pictures are, and decoders allocate for what they are."""
    if b"iinf" not in tables or b"iloc" not in tables:
        return
    types = avif.types_of(avif.content_of(reader, tables[b"iinf"]))
    refuse_more_than("EXIF items", sum(kind == b"Exif" for kind in types.values()), _MOST_TRACKS)
    refuse_more_than("pictures", len(types), _MOST_ITEMS)
    places = avif.places_of(avif.content_of(reader, tables[b"iloc"]))
    for item, kind in types.items():
        method, parts = places.get(item, (0, []))
        shift = tables[b"idat"].start if method == 1 and b"idat" in tables else 0
        parts = [(start + shift, end + shift) for start, end in parts]
        if kind == b"Exif":
            refuse_more_than("bytes of EXIF data", avif.total(parts), MOST_EXIF)
            tiff.of_exif(_joined(reader, parts)[4:]).check()
        elif kind == b"av01":
            _check_pictures(reader, parts, limits)


def _check_pictures(reader: BinaryIO, parts: list[avif.Place], limits: Limits) -> None:
    if len(parts) > 1:
        refuse_more_than("bytes of pixels, parts counted twice", avif.total(parts), byte_length(reader))
        data = _joined(reader, parts)
        reader, parts = io.BytesIO(data), [(0, len(data))]
    for start, end in parts:
        for width, height in until_truncated(av1.sizes(reader, start, end)):
            limits.check_pixels(width * height)


def _check_track(reader: BinaryIO, tables: Mapping[bytes, avif.Box], limits: Limits) -> None:
    """A track's tables may stand for far more frames than there are bytes in the file."""
    content = {name: avif.content_of(reader, box) for name, box in tables.items() if name in _AVIF_TABLES - {b"idat"}}
    offsets = content.get(b"stco", b"") or content.get(b"co64", b"")
    limits.check_frames(avif.frames_of(content.get(b"stsc", b""), avif.number_in(offsets, 4)))
    first = int.from_bytes(offsets[8 : 16 if b"co64" in content else 12], "big")
    sizes = content.get(b"stsz", b"")
    # One size for all, or a table of them.
    size = avif.number_in(sizes, 4) or avif.number_in(sizes, 12)
    _check_pictures(reader, [(first, first + size)], limits)


def _joined(reader: BinaryIO, parts: list[avif.Place]) -> bytes:
    pieces = []
    for start, end in parts:
        reader.seek(start)
        pieces.append(reader.read(end - start))
    return b"".join(pieces)
