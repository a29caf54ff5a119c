"""The same image without its metadata, its coded pixels byte for byte as they were."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import BinaryIO, Final

from athumb_storage.exceptions import UploadedImageIsUnreadableError
from athumb_storage.rendering.bytestream import BufferedReader, Piece, Truncated, byte_length
from athumb_storage.rendering.containers import avif, gif, jpeg, png, riff, tiff


def stripped(reader: BinaryIO, image_format: str) -> Iterator[bytes]:
    """The image in `reader` without EXIF, XMP, IPTC, comments, previews and all else that does not show, in pieces.

    What changes how it looks stays: colour profiles, transparency, animation, and, if it says that the image is turned,
    the one EXIF entry for that. What follows the end of the image is left behind as well, such as the other pictures
    and films that telephones put there.

    Args:
        reader: the image's bytes. It is read while the pieces are asked for, and left open.
        image_format: what `formats.sniff` said of them.

    Raises:
        UploadedImageIsUnreadableError: the file is not put together as its format demands, or it cannot be stripped
            without loss, as TIFF, and an AVIF that has metadata.
    """
    strip = _STRIPPERS.get(image_format)
    if strip is None or not can_strip(reader, image_format):
        raise UploadedImageIsUnreadableError(f"A {image_format} file cannot be stripped of its metadata without loss")
    reader.seek(0)
    try:
        yield from strip(reader)
    except Truncated as error:
        raise UploadedImageIsUnreadableError(f"The {image_format} file ends too early") from error
    except (struct.error, IndexError) as error:
        raise UploadedImageIsUnreadableError(f"The {image_format} file is damaged: {error}") from error


def can_strip(reader: BinaryIO, image_format: str) -> bool:
    """Whether the image in `reader` can be stripped without loss."""
    return image_format in _STRIPPERS and (image_format != "AVIF" or _is_bare(reader))


def _jpeg(reader: BinaryIO) -> Iterator[bytes]:
    exif_is_due = True
    for marker, payload, _ in jpeg.parts(reader):
        if marker == jpeg.SCAN:
            yield payload
        elif marker == jpeg.APP1 and payload.startswith(jpeg.EXIF) and exif_is_due:
            exif_is_due = False
            if orientation := _turned(payload):
                yield jpeg.written(marker, jpeg.EXIF + tiff.only_orientation(orientation))
        elif marker != jpeg.JUNK and not jpeg.is_metadata(marker, payload):
            yield jpeg.written(marker, jpeg.without_preview(payload) if marker == jpeg.APP0 else payload)


def _png(reader: BinaryIO) -> Iterator[bytes]:
    yield png.SIGNATURE
    exif_is_due = True
    for chunk in png.chunks(reader):
        if chunk.name == b"eXIf" and exif_is_due:
            exif_is_due = False
            if orientation := _turned(png.data_of(reader, chunk)):
                yield png.chunk(chunk.name, tiff.only_orientation(orientation))
        elif not png.is_metadata(chunk.name):
            yield from _copied(reader, *chunk.place)


def _gif(reader: BinaryIO) -> Iterator[bytes]:
    dropped, kinds = False, set()
    for part in gif.parts(reader):
        kinds.add(part.kind)
        if part.first:
            dropped = gif.is_metadata(part)
        if not dropped:
            yield part.data
    _check_picture(gif.IMAGE in kinds)


def _webp(reader: BinaryIO) -> Iterator[bytes]:
    pieces = list(_webp_pieces(reader))
    size = sum(len(piece) if isinstance(piece, bytes) else piece[1] for piece in pieces)
    yield b"RIFF" + struct.pack("<I", size + 4) + b"WEBP"
    for piece in pieces:
        if isinstance(piece, bytes):
            yield piece
        else:
            yield from _copied(reader, *piece)


def _webp_pieces(reader: BinaryIO) -> Iterator[Piece]:
    """Everything after the file's head. Its size stands in that, so all has to be known before it is written."""
    chunks = list(riff.chunks(reader, riff.HEADER, byte_length(reader)))
    _check_picture(any(chunk.name in riff.PICTURES for chunk in chunks))
    extended = chunks[0].name == b"VP8X"
    orientation = _webp_orientation(reader, chunks) if extended else None
    for chunk in chunks if extended else chunks[:1]:  # what follows a single image is not part of it
        if chunk.name == b"VP8X":
            yield from _webp_head(reader, chunk, turned=orientation is not None)
        elif chunk.name == b"ANMF":
            yield from _webp_frame(reader, chunk)
        elif not riff.is_metadata(chunk.name):
            yield chunk.start - 8, chunk.size + 8
            yield b"\0" * (chunk.size % 2)  # which many files lack at their end
    if orientation:
        exif = tiff.only_orientation(orientation)
        yield riff.header(b"EXIF", len(exif)) + exif


def _webp_orientation(reader: BinaryIO, chunks: Sequence[riff.Chunk]) -> int | None:
    exif = next((chunk for chunk in chunks if chunk.name == b"EXIF"), None)
    return _turned(riff.data_of(reader, exif)) if exif else None


def _webp_head(reader: BinaryIO, chunk: riff.Chunk, *, turned: bool) -> Iterator[Piece]:
    data = riff.data_of(reader, chunk)
    flags = data[0] & ~(riff.EXIF_FLAG | riff.XMP_FLAG) | (riff.EXIF_FLAG if turned else 0)
    yield riff.header(chunk.name, chunk.size) + bytes([flags]) + data[1:]


def _webp_frame(reader: BinaryIO, chunk: riff.Chunk) -> Iterator[Piece]:
    """A frame of an animation, which has chunks of its own."""
    inner = riff.chunks(reader, chunk.start + riff.FRAME_HEADER, chunk.start + chunk.size)
    kept = [(part.start - 8, part.end - part.start + 8) for part in inner if not riff.is_metadata(part.name)]
    yield riff.header(chunk.name, riff.FRAME_HEADER + sum(size for _, size in kept))
    yield chunk.start, riff.FRAME_HEADER
    yield from kept


def _copied(reader: BinaryIO, start: int, size: int) -> Iterator[bytes]:
    reader.seek(start)
    yield from BufferedReader(reader).pieces(size)


def _check_picture(there_is_one: bool) -> None:
    if not there_is_one:
        raise UploadedImageIsUnreadableError("There is no picture in the file")


def _turned(exif: bytes) -> int | None:
    """The orientation that EXIF data tell, unless it is the usual one or none that exists."""
    orientation = tiff.orientation_of(exif)
    return orientation if orientation > 1 else None


def _as_it_is(reader: BinaryIO) -> Iterator[bytes]:
    yield from _copied(reader, 0, byte_length(reader))


def _is_bare(reader: BinaryIO) -> bool:
    try:
        return avif.Description(reader).is_bare()
    except (Truncated, struct.error, IndexError):  # nobody knows what is in it
        return False


_STRIPPERS: Final[Mapping[str, Callable[[BinaryIO], Iterator[bytes]]]] = {
    "JPEG": _jpeg,
    "PNG": _png,
    "GIF": _gif,
    "WEBP": _webp,
    "AVIF": _as_it_is,
    "BMP": _as_it_is,
}
