"""AVIF files (ISO/IEC 14496-12 and AV1 Image File Format): pictures, or the frames of a film, coded in AV1."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import chain, islice, repeat, zip_longest
from typing import Final

from athumb_storage.geometry import Size
from athumb_storage.rendering.bytestream import Place, Truncated, byte_length, refuse_more_than
from athumb_storage.rendering.containers import av1, heif
from athumb_storage.rendering.containers.heif import Box, number_at

_MOST_TRACKS: Final = 16
"""Films, and descriptions of pictures, in one file, which may have one for its transparency as well."""

_MOST_FRAMES: Final = 100_000
"""Frames of a film. None but the first is decoded, but the decoder lists them all."""


_SAMPLES: Final = frozenset([b"stsc", b"stco", b"co64", b"stsz"])

_BARE: Final = (
    ((b"",), {b"ftyp", b"meta", b"mdat"}),
    ((b"meta", b""), {b"hdlr", b"pitm", b"iinf", b"iloc", b"iprp", b"iref", b"idat", b"dinf"}),
    (
        (b"meta", b"iprp", b"ipco", b""),
        {b"ispe", b"pixi", b"av1C", b"colr", b"auxC", b"irot", b"imir", b"clap", b"pasp", b"clli", b"mdcv"},
    ),
)
"""What boxes there are, at a path, in a picture that tells nothing but how it looks."""


class Description(heif.Description):
    """What the boxes of an AVIF file say."""

    coding = b"av01"

    def is_bare(self) -> bool:
        """Whether there is nothing in it but a picture and what it takes to show it."""
        end = byte_length(self._reader)
        there = [([*self._find(0, end, *path)], known) for path, known in _BARE]
        is_known = all({box.name for box in boxes} <= known for boxes, known in there)
        return is_known and self.kinds <= {self.coding, b"grid"} and there[0][0][-1].end == end

    def _read(self, end: int) -> None:
        with suppress(Truncated, struct.error, IndexError):  # the decoder will stumble over it as well
            metas = [*self._find(0, end, b"meta"), *self._find(0, end, b"moov", b"trak", b"meta")]
            tracks = [*self._find(0, end, b"moov", b"trak", b"mdia", b"minf", b"stbl")]
            refuse_more_than("tracks", len(metas) + len(tracks), _MOST_TRACKS)
            for meta in metas:
                self._read_meta(meta)
            for track in tracks:
                self._read_track(self._tables(track.start, track.end))

    def _read_track(self, tables: Mapping[bytes, Box]) -> None:
        """A track's tables may stand for far more frames than there are bytes in the file."""
        content = {name: self._content(box) for name, box in tables.items() if name in heif.TABLES - {b"idat"}}
        offsets = content.get(b"stco", b"") or content.get(b"co64", b"")
        frames = _frames(content.get(b"stsc", b""), number_at(offsets, 4))
        refuse_more_than("frames", frames, _MOST_FRAMES)
        first = int.from_bytes(offsets[8 : 16 if b"co64" in content else 12], "big")
        sizes = content.get(b"stsz", b"")
        # One size for all, or a table of them.
        self.sizes += self._coded_sizes([(first, number_at(sizes, 4) or number_at(sizes, 12))], av1.sizes)

    def _read_picture(self, item: heif.Item) -> None:
        self.sizes += self._coded_sizes(item.parts, av1.sizes)

    def frames(self) -> Iterator[Size]:
        """Width and height of each frame, as far as its own pixels tell them; else zeros.

        Raises:
            Truncated: the file ends within one.
        """
        tracks = []
        for box in self._find(0, byte_length(self._reader), b"moov", b"trak", b"mdia", b"minf", b"stbl"):
            tables = self._tables(box.start, box.end)
            content = {name: self._content(tables[name]) for name in _SAMPLES if name in tables}
            tracks.append(_samples(content))
        for places in zip_longest(*tracks):  # its pixels, and their transparency
            found = (av1.sizes(self._reader, place[0], sum(place)) for place in places if place)
            yield max(chain.from_iterable(found), default=(0, 0), key=lambda size: size[0] * size[1])

    def plays(self) -> int:
        """How often the film is shown, by its edit list; 0 is for ever, as browsers show one that has none."""
        for head, edit in map(self._contents, self.edited_tracks()):
            if not edit[3] & 1:
                return 1
            once, whole = (edit[8:16] if edit[0] else edit[8:12]), (head[28:36] if head[0] else head[20:24])
            if int.from_bytes(once, "big") and whole.strip(b"\xff"):
                return -(-int.from_bytes(whole, "big") // int.from_bytes(once, "big"))
        return 0

    def _contents(self, boxes: tuple[Box, Box]) -> tuple[bytes, bytes]:
        return self._content(boxes[0]), self._content(boxes[1])

    def edited_tracks(self) -> Iterator[tuple[Box, Box]]:
        """The header and the edit list of each track that has both."""
        for track in self._find(0, byte_length(self._reader), b"moov", b"trak"):
            heads, edits = (
                self._find(track.start, track.end, b"tkhd"),
                self._find(track.start, track.end, b"edts", b"elst"),
            )
            yield from zip(list(heads), list(edits), strict=False)


def _samples(tables: Mapping[bytes, bytes]) -> Iterator[Place]:
    """Where the samples of a track are, in order: in chunks, of which each has as many as stsc says."""
    wide, offsets = (8, tables[b"co64"]) if b"co64" in tables else (4, tables.get(b"stco", b""))
    runs = {first: count for first, count, _ in struct.iter_unpack(">III", tables.get(b"stsc", b"")[8:])}
    lengths = tables.get(b"stsz", bytes(12))
    one, total = struct.unpack_from(">II", lengths, 4)  # one size for all, or a table of them
    left = repeat(one, total) if one else chain.from_iterable(struct.iter_unpack(">I", lengths[12 : 12 + 4 * total]))
    count = 0
    for chunk, at in enumerate(range(8, len(offsets), wide), 1):
        count = runs.get(chunk, count)
        start = int.from_bytes(offsets[at : at + wide], "big")
        for size in islice(left, count):
            yield start, size
            start += size


def with_plays(data: bytes, plays: int) -> bytes:
    """A film of libavif's, which is shown for ever, as one that is shown so many times; 0 is for ever.

    What counts is the duration of its tracks, which is so many times that of their edit list (AVIF 1.1, section 4.2.1).
    """
    description, patched = Description(io.BytesIO(data)), bytearray(data)
    for head, edit in description.edited_tracks() if plays else ():
        once = int.from_bytes(data[edit.start + 8 : edit.start + 16], "big")
        patched[head.start + 28 : head.start + 36] = (once * plays).to_bytes(8, "big")
    return bytes(patched)


def _frames(samples_to_chunks: bytes, chunks: int) -> int:
    """How many frames a track has in so many chunks, from the content of stsc."""
    entries = list(struct.iter_unpack(">III", samples_to_chunks[8 : 8 + (len(samples_to_chunks) - 8) // 12 * 12]))
    ends = [first for first, _, _ in entries[1:]] + [chunks + 1]
    runs = zip(entries, ends, strict=False)
    return sum(max(end - first, 0) * samples for (first, samples, _), end in runs)
