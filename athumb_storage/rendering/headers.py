"""What is told of an image before Pillow sees it, and the part of the file that Pillow gets to see.

A decoder reads all that it is given: comments, previews, further frames, what cameras and programs note. A thumb needs
none of that, so the decoder does not get it. What it does get is looked at here where one call of it would take long
or allocate much without reading anything meanwhile; docs/guarantees.md has the list.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO, Final

from athumb_storage.exceptions import UploadedImageIsUnreadableError
from athumb_storage.geometry import Size
from athumb_storage.rendering.bytestream import Piece, byte_length, merged, refuse_more_than, until_truncated
from athumb_storage.rendering.colours import ColourSpace
from athumb_storage.rendering.containers import avif, bmp, gif, heic, jpeg, png, riff, tiff

_MOST_PROFILE: Final = 4 << 20
"""Bytes of a colour profile. Those of printers have up to two million; a larger one is not looked at."""

_MOST_TABLES: Final = 1 << 16
"""Bytes of a JPEG before its pixels, without metadata, which have less than 2,000. Pillow takes its time for tables."""

_MOST_JUNK: Final = 1 << 18
"""Bytes of a JPEG that belong to nothing; each of them is looked at."""

_MOST_SCANS: Final = 100
"""Scans of one JPEG. Encoders write 3 to 20."""

_MOST_PASSES: Final = 2_000_000_000
"""Pixels times scans of one JPEG, for which the decoder takes up to two seconds."""

_MOST_RUNS: Final = 2 << 20
"""Bytes of a compressed BMP, which Pillow unpacks one by one in Python."""

_MOST_NUMBERS: Final = 1 << 18
"""Bytes of the values of one tag: 65,536 strips or tiles, each of which costs the decoder some time."""

_LARGEST_TILE: Final = 1 << 22
"""Pixels that a tile may have although the image is smaller; the decoder allocates it whole."""

Window = tuple[int, int, int, int]

_SRGB: Final = ColourSpace()


@dataclass(frozen=True, kw_only=True)
class Header:
    """What a file says of its image, or of the first frame of its animation."""

    size: Size
    """Width and height of what is decoded, in pixels; the largest there is, if a file says several things."""
    pieces: Sequence[Piece]
    """What the decoder is given to read."""
    orientation: int = 1
    """How the image is to be turned, as in EXIF, where the decoder does not tell."""
    space: ColourSpace = _SRGB
    """What its colours mean, where the decoder does not tell."""
    window: Window | None = None
    """Left, top, right and bottom of what is to be shown, in pixels of what is decoded; None for all of it.

    It may reach beyond what is decoded, as the canvas of an animation does; there it is transparent.
    """
    is_whole: bool = True
    """False where the file does not end as its format demands; something else may follow, or something lack."""


def read_header(reader: BinaryIO, image_format: str) -> Header:
    """What is told of the image in `reader`.

    A file that ends too early or makes no sense is left to the decoder, which knows what can still be shown.

    Args:
        reader: the file's bytes.
        image_format: what `formats.sniff` said of them.

    Raises:
        UploadedImageIsUnreadableError: no program that writes images wrote this.
    """
    reader.seek(0)
    header = _READERS[image_format](reader)
    reader.seek(0)
    return header


def _jpeg(reader: BinaryIO) -> Header:
    kept: list[Piece] = []
    exif, profile = b"", []
    size, components = (0, 0), 0
    tables = junk = 0
    for marker, payload, start in until_truncated(jpeg.parts(reader)):
        if marker == jpeg.SOS:
            if payload[:1] != bytes([components]):
                _check_scans(reader, size)
            end = byte_length(reader) - _trailing(reader, b"\xff")  # half a marker, if anything
            kept.append((start, end - start))
            break
        if jpeg.is_frame(marker) and len(payload) > 5:
            components = 0 if jpeg.is_progressive(marker) else payload[5]
            size = int.from_bytes(payload[3:5], "big"), int.from_bytes(payload[1:3], "big")
        if marker == jpeg.APP1 and payload.startswith(jpeg.EXIF):
            exif = exif or payload
        elif marker == jpeg.APP2 and payload.startswith(jpeg.ICC):
            profile.append(payload)
        elif marker == jpeg.JUNK:
            junk += len(payload)
            refuse_more_than("bytes of nothing", junk, _MOST_JUNK)
        elif not jpeg.is_metadata(marker, payload):
            kept.append(jpeg.written(marker, jpeg.without_preview(payload) if marker == jpeg.APP0 else payload))
            tables += len(kept[-1])
            refuse_more_than("bytes of tables", tables, _MOST_TABLES)
    return Header(
        size=size,
        pieces=merged(kept),
        orientation=tiff.orientation_of(exif),
        space=ColourSpace(profile=jpeg.joined_profile(profile, _MOST_PROFILE)),
        is_whole=_last_bytes(reader, 2) == jpeg.written(jpeg.EOI, b""),
    )


def _last_bytes(reader: BinaryIO, count: int) -> bytes:
    reader.seek(max(byte_length(reader) - count, 0))
    return reader.read(count)


def _trailing(reader: BinaryIO, byte: bytes) -> int:
    """How many of the last bytes are this one; no more than a few are looked at."""
    last = _last_bytes(reader, 64)
    return len(last) - len(last.rstrip(byte))


def _check_scans(reader: BinaryIO, size: Size) -> None:
    """The decoder goes over all pixels for each scan, even if it is a few bytes long."""
    reader.seek(0)
    most = min(_MOST_SCANS, _MOST_PASSES // max(size[0] * size[1], 1))
    scans = 0
    for part in until_truncated(jpeg.parts(reader)):
        scans += part.marker == jpeg.SOS
        refuse_more_than("scans", scans, most)


_COLOURS_OF_PNG: Final = frozenset([b"cICP", b"iCCP", b"sRGB", b"gAMA", b"cHRM"])
_STILL_PNG: Final = frozenset([b"IHDR", b"PLTE", b"IDAT", b"IEND"])
_NUMBERS_OF_KEY: Final = {0: 1, 2: 3}
"""How many numbers of 16 bits tRNS has, by the kind of colour: grey and RGB. Others have no single colour as a key."""


def _png(reader: BinaryIO) -> Header:
    chunks = list(until_truncated(png.chunks(reader)))
    found: dict[bytes, bytes] = {}
    for chunk in chunks:
        if chunk.name not in found and chunk.name in _COLOURS_OF_PNG | {b"IHDR", b"eXIf", b"acTL", b"tRNS"}:
            found[chunk.name] = png.data_of(reader, chunk)
    head = found.get(b"IHDR", b"").ljust(13, b"\0")
    size = png.dimensions(head)
    key = _key_of_png(head, found)
    kept = _STILL_PNG if key else _STILL_PNG | {b"tRNS"}
    pieces: list[Piece] = [png.SIGNATURE, *(chunk.place for chunk in chunks if chunk.name in kept)]
    window = None
    control = _first_frame_of_png(chunks) if b"acTL" in found else None
    if control is not None:
        frame = struct.unpack_from(">4I", png.data_of(reader, chunks[control]), 4)
        pieces = apng_pieces(chunks, control, struct.pack(">II", *frame[:2]) + head[8:13], kept)
        size, window = frame[:2], _window(frame[2:], frame[:2], size)
    return Header(
        size=size,
        pieces=merged(pieces),
        orientation=tiff.orientation_of(found.get(b"eXIf", b"")),
        space=replace(_colours_of_png(found), key=key, depth=head[8]),
        window=window,
    )


def _first_frame_of_png(chunks: Sequence[png.Chunk]) -> int | None:
    """Which chunk begins the animation's first frame; None if that is the still image, which viewers show as well."""
    names = [chunk.name for chunk in chunks]
    pixels = names.index(b"IDAT") if b"IDAT" in names else len(names)
    control = names.index(b"fcTL") if b"fcTL" in names else 0
    return control if names.index(b"acTL") < pixels < control else None


def apng_pieces(chunks: Sequence[png.Chunk], control: int, head: bytes, kept: frozenset[bytes]) -> list[Piece]:
    """A frame of an animation as a still image. Nobody looks at the checksums of pixels, so they stay as they are."""
    pieces: list[Piece] = [png.SIGNATURE, png.chunk(b"IHDR", head)]
    pieces += [chunk.place for chunk in chunks[:control] if chunk.name in kept - {b"IHDR", b"IDAT"}]
    for chunk in chunks[control + 1 :]:
        if chunk.name == b"fcTL":
            break
        if chunk.name == b"IDAT":
            pieces.append(chunk.place)
        elif chunk.name == b"fdAT" and chunk.size >= 4:  # a number stands before the pixels
            pieces += [struct.pack(">I4s", chunk.size - 4, b"IDAT"), (chunk.start + 4, chunk.size)]
    return [*pieces, png.chunk(b"IEND", b"")]


def _key_of_png(head: bytes, found: Mapping[bytes, bytes]) -> tuple[int, ...] | None:
    """The colour that is transparent; None if there is none, or it is not told that way."""
    count = _NUMBERS_OF_KEY.get(head[9])
    data = found.get(b"tRNS", b"")
    return struct.unpack_from(f">{count}H", data) if count and len(data) >= 2 * count else None


def _colours_of_png(found: Mapping[bytes, bytes]) -> ColourSpace:
    """What counts of that which a PNG says of its colours (PNG specification, third edition, section 4.3)."""
    cicp = found.get(b"cICP", b"")
    if len(cicp) == 4:
        return ColourSpace(cicp=(cicp[0], cicp[1], cicp[2], cicp[3] == 1))
    if b"iCCP" in found:
        return ColourSpace(profile=png.profile_of(found[b"iCCP"], _MOST_PROFILE))
    gamma, chromaticities = found.get(b"gAMA", b""), found.get(b"cHRM", b"")
    if b"sRGB" in found:
        return ColourSpace()
    return ColourSpace(
        gamma=int.from_bytes(gamma, "big") / 100_000 if len(gamma) == 4 else None,
        chromaticities=_chromaticities(chromaticities) if len(chromaticities) == 32 else None,
    )


def _chromaticities(data: bytes) -> tuple[float, float, float, float, float, float, float, float]:
    wx, wy, rx, ry, gx, gy, bx, by = (number / 100_000 for number in struct.unpack(">8I", data))
    return wx, wy, rx, ry, gx, gy, bx, by


def _window(corner: Size, frame: Size, canvas: Size) -> Window | None:
    """A canvas, in pixels of the frame that lies on it; None if the frame covers just that."""
    left, top = corner
    return None if (corner, frame) == ((0, 0), canvas) else (-left, -top, canvas[0] - left, canvas[1] - top)


def _gif(reader: BinaryIO) -> Header:
    head = control = b""
    for part in until_truncated(gif.parts(reader)):
        if part.kind == gif.HEAD:
            head = part.data
        elif part.kind == gif.CONTROL:
            control = part.data + b"\0" if part.first else control
        elif part.kind == gif.IMAGE:
            left, top, width, height = gif.frame_of(part.data)
            # Browsers make the canvas larger if the first image does not fit.
            screen = gif.canvas_of(head)
            canvas = max(screen[0], left + width), max(screen[1], top + height)
            rest = part.end, byte_length(reader) - part.end
            return Header(
                size=(width, height),
                pieces=[gif.alone(head, control, part.data), rest],
                window=_window((left, top), (width, height), canvas),
            )
    return Header(size=(0, 0), pieces=[head])


def _webp(reader: BinaryIO) -> Header:
    chunks = list(until_truncated(riff.chunks(reader, riff.HEADER, byte_length(reader))))
    if not chunks:
        return Header(size=(0, 0), pieces=[])
    head = riff.data_of(reader, chunks[0], most=10)
    canvas = riff.canvas_of(chunks[0], head) or (0, 0)
    if chunks[0].name != b"VP8X":
        return Header(size=canvas, pieces=webp_pieces(chunks[:1]))
    by_name = {chunk.name: chunk for chunk in reversed(chunks)}
    size, window = canvas, None
    if animated := by_name.get(b"ANMF"):
        left, top, width, height = riff.frame_of(riff.data_of(reader, animated, most=riff.FRAME_HEADER))
        size, window = (width, height), _window((left, top), (width, height), canvas)
        start = animated.start + riff.FRAME_HEADER
        chunks = list(until_truncated(riff.chunks(reader, start, animated.start + animated.size)))
    exif, profile = (
        riff.data_of(reader, by_name[name]) if name in by_name and by_name[name].size <= _MOST_PROFILE else b""
        for name in (b"EXIF", b"ICCP")
    )
    return Header(
        size=size,
        pieces=webp_pieces(riff.pictures(chunks), riff.extended(*size, head[0] & riff.ALPHA_FLAG)),
        orientation=tiff.orientation_of(exif),
        space=ColourSpace(profile=profile or None),
        window=window,
    )


def webp_pieces(pictures: Sequence[riff.Chunk], extended: bytes = b"") -> list[Piece]:
    """A file of these chunks of one picture, with that chunk before them."""
    pieces: list[Piece] = [extended]
    for chunk in pictures:
        pieces += [chunk.place, b"\0" * (chunk.size % 2)]
    size = 4 + len(extended) + sum(chunk.size + 8 + chunk.size % 2 for chunk in pictures)
    return [b"RIFF" + struct.pack("<I", size) + b"WEBP", *pieces]


_MAJOR_BRAND: Final = 8
"""Where an AVIF file says what it is."""


def _avif(reader: BinaryIO) -> Header:
    description = avif.Description(reader)
    changes = description.changes
    reader.seek(_MAJOR_BRAND)
    if reader.read(4) not in (b"avif", b"avis", b"mif1", b"msf1"):
        changes = {**changes, _MAJOR_BRAND: b"avif"}  # Pillow knows no other, though the list of brands is what counts
    return Header(
        size=_largest(description.sizes),
        pieces=_changed(reader, changes),
        space=ColourSpace(cicp=description.colours),
        window=description.clean_aperture,
    )


def _heic(reader: BinaryIO) -> Header:
    """The decoder turns and crops by itself."""
    description = heic.Description(reader)
    return Header(
        size=_largest(description.sizes),
        pieces=_changed(reader, description.changes),
        space=ColourSpace(cicp=description.colours),
    )


def _largest(sizes: Sequence[Size]) -> Size:
    return max(sizes, default=(0, 0), key=lambda size: size[0] * size[1])


def _changed(reader: BinaryIO, changes: Mapping[int, bytes]) -> list[Piece]:
    """The whole file, with these bytes in these places."""
    pieces: list[Piece] = []
    at = 0
    for place in sorted(changes):
        pieces += [(at, place - at), changes[place]]
        at = place + len(changes[place])
    return [*pieces, (at, byte_length(reader) - at)]


def _bmp(reader: BinaryIO) -> Header:
    head = bmp.Head(reader)
    length = byte_length(reader)
    if head.has_runs:
        refuse_more_than("bytes of runs of pixels", length, _MOST_RUNS)
    return Header(size=head.size, pieces=[bmp.FILE_HEADER * head.is_dib, (0, length)])


def _tiff(reader: BinaryIO) -> Header:
    """Only the first page, and of its tags only those by which its pixels are found and understood."""
    directories = tiff.Directories(reader)
    entries = directories.first()
    width, height, across, down = (
        directories.integer(entries.get(tag)) for tag in (tiff.WIDTH, tiff.LENGTH, tiff.TILE_WIDTH, tiff.TILE_LENGTH)
    )
    if across * down > max(_LARGEST_TILE, 4 * width * height):
        raise UploadedImageIsUnreadableError("Its tiles are far larger than the image")
    kept = [entry for tag, entry in entries.items() if tag in tiff.APPEARANCE]
    for entry in kept:
        refuse_more_than(f"bytes in its tag {entry.tag}", entry.size, _MOST_NUMBERS)
    length = byte_length(reader)
    padding = length % 2  # directories begin at even places
    profile = entries.get(tiff.PROFILE)
    return Header(
        size=(width, height),
        pieces=[
            directories.head_to(length + padding),
            (directories.head_size, length - directories.head_size),
            bytes(padding) + directories.written(kept),
        ],
        orientation=tiff.upright_or(directories.integer(entries.get(tiff.ORIENTATION))),
        space=ColourSpace(profile=directories.data_of(profile) if profile and profile.size <= _MOST_PROFILE else None),
    )


_READERS: Final[Mapping[str, Callable[[BinaryIO], Header]]] = {
    "JPEG": _jpeg,
    "PNG": _png,
    "GIF": _gif,
    "WEBP": _webp,
    "AVIF": _avif,
    "BMP": _bmp,
    "TIFF": _tiff,
    "HEIC": _heic,
}
