"""What can be told of an image before Pillow sees it: its size, its frames, and whether it was made to do harm.

Pillow allocates the canvas of some formats when it opens them, and reads the metadata of others, whatever is in them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import BinaryIO, Final, TypeVar

from athumb_storage.exceptions import UploadedImageIsUnreadableError
from athumb_storage.rendering.bytestream import Truncated
from athumb_storage.rendering.containers import bmp, gif, jpeg, png, riff, tiff
from athumb_storage.rendering.limits import Limits, size_of

_MOST_SEGMENTS: Final = 10_000
"""Segments before the pixels of a JPEG. An ICC profile or the longest XMP data have some hundreds."""

_MOST_EXIF: Final = 1 << 20
"""Bytes of EXIF data. JPEG has room for 64 KiB, but some writers split them; Pillow copies all for each part."""

_MOST_METADATA: Final = 32 << 20
"""Bytes of all that is not pixels, which Pillow keeps in memory."""

_MOST_TEXT: Final = 8 << 20
"""Bytes of text in a PNG, unpacked; Pillow keeps up to four bytes for each."""

_MOST_SCANS: Final = 100
"""Passes over the pixels of one JPEG. Encoders write 3 to 20; the decoder needs a second for 10 of a large image."""

_MOST_COMMENTS: Final = 4096
"""Sub-blocks of comments (up to 255 bytes each) in a GIF; Pillow 12 and older copies all of them for each."""


_Part = TypeVar("_Part")


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
    count = size = components = 0
    for marker, payload in _as_far_as_they_go(jpeg.parts(reader)):
        count += 1
        size += len(payload)
        _check_most("segments before its pixels", count, _MOST_SEGMENTS)
        _check_most("bytes before its pixels", size, _MOST_METADATA)
        if jpeg.is_frame(marker) and len(payload) > 5:
            components = 0 if jpeg.is_progressive(marker) else payload[5]
            limits.check_pixels(int.from_bytes(payload[1:3], "big") * int.from_bytes(payload[3:5], "big"))
        elif marker == jpeg.APP1 and payload.startswith(jpeg.EXIF):
            exif += payload[len(jpeg.EXIF) :]
        elif marker == jpeg.SOS:
            if payload[:1] != bytes([components]):
                _check_scans(reader)
            break
    _check_most("bytes of EXIF data", len(exif), _MOST_EXIF)
    tiff.of_exif(bytes(exif)).check()


def _check_scans(reader: BinaryIO) -> None:
    """The decoder goes over all pixels for each scan, even if it is a few bytes long."""
    reader.seek(0)
    scans = 0
    for marker, _ in _as_far_as_they_go(jpeg.parts(reader)):
        scans += marker == jpeg.SOS
        _check_most("scans", scans, _MOST_SCANS)


def _png(reader: BinaryIO, limits: Limits) -> None:
    size = text = width = height = 0
    for chunk in _as_far_as_they_go(png.chunks(reader)):
        if chunk.name == b"IHDR":
            width, height = png.size_of(png.data_of(reader, chunk))
            limits.check_pixels(width * height)
        elif chunk.name == b"acTL":
            frames = png.frames_of(png.data_of(reader, chunk))
            limits.check_frames(frames)
            limits.check_pixels(width * height * frames)
        elif chunk.name not in (b"IDAT", b"fdAT"):
            size += chunk.size
            _check_most("bytes that are no pixels", size, _MOST_METADATA)
            text += png.text_size(reader, chunk, _MOST_TEXT - text + 1)
            _check_most("bytes of text", text, _MOST_TEXT)


def _gif(reader: BinaryIO, limits: Limits) -> None:
    width = height = frames = comments = 0
    for part in _as_far_as_they_go(gif.parts(reader)):
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
            _check_most("pieces of comments", comments, _MOST_COMMENTS)
        limits.check_pixels(width * height * max(frames, 1), counting=frames > 1)


def _webp(reader: BinaryIO, limits: Limits) -> None:
    frames = pixels = 0
    for chunk in _as_far_as_they_go(riff.chunks(reader, riff.HEADER, size_of(reader))):
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
    directories = tiff.Directories(reader, size_of(reader))
    pixels = frames = 0
    for width, height in directories.pages():
        frames += 1
        pixels += width * height
        limits.check_frames(frames, counting=True)
        limits.check_pixels(pixels, counting=frames > 1)
    directories.check()


def _bmp(reader: BinaryIO, limits: Limits) -> None:
    width, height = bmp.size_of(reader)
    limits.check_pixels(width * height)


def _avif(reader: BinaryIO, limits: Limits) -> None:
    pass


def _as_far_as_they_go(parts: Iterator[_Part]) -> Iterator[_Part]:
    try:
        yield from parts
    except Truncated:
        return


def _check_most(things: str, found: int, most: int) -> None:
    if found > most:
        raise UploadedImageIsUnreadableError(f"The image has more than {most} {things}; no program writes that many")


_INSPECTIONS: Final[Mapping[str, Callable[[BinaryIO, Limits], None]]] = {
    "JPEG": _jpeg,
    "PNG": _png,
    "GIF": _gif,
    "WEBP": _webp,
    "AVIF": _avif,
    "BMP": _bmp,
    "TIFF": _tiff,
}
