"""AVIF files (ISO/IEC 14496-12 and AV1 Image File Format): pictures, or the frames of a film, coded in AV1."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from athumb_storage.rendering.bytestream import Truncated, byte_length, refuse_more_than
from athumb_storage.rendering.containers import av1, heif
from athumb_storage.rendering.containers.heif import Box, number_at

_MOST_TRACKS: Final = 16
"""Films, and descriptions of pictures, in one file, which may have one for its transparency as well."""

_MOST_FRAMES: Final = 100_000
"""Frames of a film. None but the first is decoded, but the decoder lists them all."""


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


def _frames(samples_to_chunks: bytes, chunks: int) -> int:
    """How many frames a track has in so many chunks, from the content of stsc."""
    entries = list(struct.iter_unpack(">III", samples_to_chunks[8 : 8 + (len(samples_to_chunks) - 8) // 12 * 12]))
    ends = [first for first, _, _ in entries[1:]] + [chunks + 1]
    runs = zip(entries, ends, strict=False)
    return sum(max(end - first, 0) * samples for (first, samples, _), end in runs)
