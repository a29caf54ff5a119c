"""What can be told of an image before Pillow sees it: its size, its frames, and whether it was made to do harm.

Pillow allocates the canvas of some formats when it opens them, and reads the metadata of others, whatever is in them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import BinaryIO, Final

from athumb_storage.rendering.avif import inspect_avif
from athumb_storage.rendering.bytestream import refuse_more_than, until_truncated
from athumb_storage.rendering.containers import bmp, gif, jpeg, png, riff, tiff
from athumb_storage.rendering.containers.tiff import MOST_EXIF
from athumb_storage.rendering.limits import Limits, byte_length

_MOST_SEGMENTS: Final = 10_000
"""Segments before the pixels of a JPEG. An ICC profile or the longest XMP data have some hundreds."""

_MOST_METADATA: Final = 16 << 20
"""Bytes of all that is not pixels, which Pillow keeps in memory, some of them more than once."""

_MOST_TEXT: Final = 4 << 20
"""Bytes of text and colour profiles in a PNG, unpacked; Pillow takes up to four bytes for each letter."""

_KINDS_OF_SEGMENTS: Final = {
    **dict.fromkeys(range(0xC0, 0xD0), "of tables"),
    jpeg.DQT: "of tables",
    jpeg.APP13: "of Photoshop's",
    jpeg.JUNK: "of nothing",
}
_MOST_OF_KIND: Final = {"": 32 << 20, "of tables": 1 << 16, "of Photoshop's": 4 << 20, "of nothing": 1 << 18}
"""Bytes before the pixels of a JPEG. Pillow takes its time for tables, Photoshop's data and bytes between segments."""

_MOST_SCANS: Final = 100
"""Scans of one JPEG. Encoders write 3 to 20."""

_MOST_PASSES: Final = 2_000_000_000
"""Pixels times scans of one JPEG, for which the decoder takes up to two seconds."""

_MOST_COMMENTS: Final = 4096
"""Sub-blocks of comments (up to 255 bytes each) in a GIF; Pillow 12 and older copies all of them for each."""


_MOST_RUNS: Final = 2 << 20
"""Bytes of a compressed BMP, which Pillow unpacks one by one in Python."""


def inspect(reader: BinaryIO, image_format: str, limits: Limits) -> None:
    """Refuse what is over a limit, or was made to do harm. The reader is at its beginning before and after.

    A file that ends too early or makes no sense is left to the decoder, which knows what can still be shown.

    Raises:
        ImageLimitExceeded: there are too many pixels or frames.
        UploadedImageIsUnreadableError: no program that writes images wrote this.
    """
    reader.seek(0)
    _INSPECTIONS[image_format](reader, limits)
    reader.seek(0)


def _jpeg(reader: BinaryIO, limits: Limits) -> None:
    exif = bytearray()
    sizes: Counter[str] = Counter()
    pixels = components = 0
    for count, (marker, payload) in enumerate(until_truncated(jpeg.parts(reader))):
        kind = _KINDS_OF_SEGMENTS.get(marker, "")
        sizes[kind] += len(payload)
        refuse_more_than("segments before its pixels", count, _MOST_SEGMENTS)
        refuse_more_than(f"bytes {kind} before its pixels", sizes[kind], _MOST_OF_KIND[kind])
        if jpeg.is_frame(marker) and len(payload) > 5:
            components = 0 if jpeg.is_progressive(marker) else payload[5]
            pixels = int.from_bytes(payload[1:3], "big") * int.from_bytes(payload[3:5], "big")
            limits.check_pixels(pixels)
        elif marker == jpeg.APP1 and payload.startswith(jpeg.EXIF):
            exif += payload[len(jpeg.EXIF) :]
            refuse_more_than("bytes of EXIF data", len(exif), MOST_EXIF)
        elif marker == jpeg.SOS:
            if payload[:1] != bytes([components]):
                _check_scans(reader, pixels)
            break
    tiff.of_exif(bytes(exif)).check()


def _check_scans(reader: BinaryIO, pixels: int) -> None:
    """The decoder goes over all pixels for each scan, even if it is a few bytes long."""
    reader.seek(0)
    most = min(_MOST_SCANS, _MOST_PASSES // max(pixels, 1))
    scans = 0
    for marker, _ in until_truncated(jpeg.parts(reader)):
        scans += marker == jpeg.SOS
        refuse_more_than("scans", scans, most)


def _png(reader: BinaryIO, limits: Limits) -> None:
    size = text = width = height = 0
    for chunk in until_truncated(png.chunks(reader)):
        if chunk.name == b"IHDR":
            width, height = png.dimensions(png.data_of(reader, chunk))
            limits.check_pixels(width * height)
        elif chunk.name == b"acTL":
            frames = png.frames_of(png.data_of(reader, chunk))
            limits.check_frames(frames)
            limits.check_pixels(width * height * frames)
        elif chunk.name not in (b"IDAT", b"fdAT"):
            size += chunk.size
            refuse_more_than("bytes that are no pixels", size, _MOST_METADATA)
            if chunk.name == b"eXIf":
                refuse_more_than("bytes of EXIF data", chunk.size, MOST_EXIF)
            text += png.text_size(reader, chunk, _MOST_TEXT - text + 1)
            refuse_more_than("bytes of text and profiles", text, _MOST_TEXT)


def _gif(reader: BinaryIO, limits: Limits) -> None:
    width = height = frames = comments = 0
    for part in until_truncated(gif.parts(reader)):
        if part.kind == gif.HEAD:
            width, height = gif.canvas_of(part.data)
        elif part.kind == gif.IMAGE and part.first:
            frames += 1
            # Pillow makes the canvas larger if an image does not fit.
            right, bottom = gif.corner_of(part.data)
            width, height = max(width, right), max(height, bottom)
            limits.check_frames(frames, counting=True)
        elif part.kind == gif.COMMENT:
            comments += 1
            refuse_more_than("pieces of comments", comments, _MOST_COMMENTS)
        if part.kind in (gif.HEAD, gif.IMAGE):
            limits.check_pixels(width * height * max(frames, 1), counting=frames > 1)


def _webp(reader: BinaryIO, limits: Limits) -> None:
    frames = pixels = 0
    for chunk in until_truncated(riff.chunks(reader, riff.HEADER, byte_length(reader))):
        if chunk.start == riff.HEADER + 8:
            reader.seek(chunk.start)
            width, height = riff.canvas_of(chunk, reader.read(10)) or (0, 0)
            pixels = width * height
            limits.check_pixels(pixels)
        elif chunk.name == b"ANMF":
            frames += 1
            limits.check_frames(frames, counting=True)
            limits.check_pixels(pixels * frames, counting=True)


def _tiff(reader: BinaryIO, limits: Limits) -> None:
    directories = tiff.Directories(reader, byte_length(reader))
    pixels = 0
    for frames, (width, height) in enumerate(directories.pages(), 1):
        pixels += width * height
        limits.check_frames(frames, counting=True)
        limits.check_pixels(pixels, counting=frames > 1)
    directories.check()


def _bmp(reader: BinaryIO, limits: Limits) -> None:
    width, height = bmp.dimensions(reader)
    limits.check_pixels(width * height)
    if bmp.has_runs(reader):
        refuse_more_than("bytes of runs of pixels", byte_length(reader), _MOST_RUNS)


_INSPECTIONS: Final[Mapping[str, Callable[[BinaryIO, Limits], None]]] = {
    "JPEG": _jpeg,
    "PNG": _png,
    "GIF": _gif,
    "WEBP": _webp,
    "AVIF": inspect_avif,
    "BMP": _bmp,
    "TIFF": _tiff,
}
