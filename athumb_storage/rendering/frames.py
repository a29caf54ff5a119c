"""The frames of an animation, each as its file has it: where it lies, how long it stays, and its pixels as an image.

Each frame of a GIF, PNG or WebP is given to Pillow as a still image of its own, without metadata, and laid on the
canvas here. Pillow's own way (`seek`) shows another picture than browsers do: of a GIF, it keeps a disposal for the
frames that tell none, fills what is disposed of with a colour where nothing should be, and lets any frame enlarge the
canvas; of a PNG, it takes a default image for the first frame. An AVIF is a film, of which its decoder has to see all.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import BinaryIO, Final

from PIL import Image

from athumb_storage.exceptions import UploadedImageIsUnreadableError
from athumb_storage.geometry import Size
from athumb_storage.rendering.bytestream import Piece, Truncated, byte_length, merged, until_truncated
from athumb_storage.rendering.colours import scalable
from athumb_storage.rendering.containers import avif, gif, png, riff
from athumb_storage.rendering.headers import Header, apng_pieces, webp_pieces
from athumb_storage.rendering.opening import Original, decode, open_image, reading, windowed

LONGEST: Final = 655_350
"""The most ms that a frame stays: what GIF can hold. It is less than what the other formats can."""

_MOST_PLAYS: Final = 0xFFFF
"""The most that WebP can tell, which is as good as for ever."""


class Disposal(Enum):
    """What becomes of a frame when it was shown."""

    KEEP = auto()
    CLEAR = auto()
    RESTORE = auto()
    """What was there before comes back."""


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One frame of an animation."""

    size: Size
    """Of its pixels."""
    corner: Size = (0, 0)
    """Left and top on the canvas, which it may reach out of."""
    pieces: Sequence[Piece] = ()
    """The file of it alone, as a still image; none of an AVIF."""
    duration: float = 0
    """In ms; that of an AVIF is told by the decoder."""
    over: bool = True
    """Whether it is laid over what is there. Otherwise it takes its place, with all its transparency."""
    disposal: Disposal = Disposal.KEEP


@dataclass
class Animation:
    """What a file says of its animation."""

    frames: list[Frame] = field(default_factory=list)
    plays: int = 1
    """How often it is shown; 0 is for ever."""


def read_animation(original: Original, most: int | None) -> Animation:
    """What is told of the animation in a file; of more than `most` frames, one more than that is enough.

    An image of a format that cannot move has none at all.

    Raises:
        EOFError: the file ends too early.
    """
    animation = Animation()
    original.reader.seek(0)
    reader = _READERS.get(original.image.format or "")
    for told in reader(original) if reader else ():
        if isinstance(told, Frame):
            animation.frames.append(told)
        else:
            animation.plays = min(told, _MOST_PLAYS)
        if most is not None and len(animation.frames) > most:
            break
    return animation


_DISPOSALS_OF_GIF: Final = {2: Disposal.CLEAR, 3: Disposal.RESTORE, 4: Disposal.RESTORE}
"""What is none of these is kept. Some programs write 4, the third of three bits, where they mean 3."""


def _gif(original: Original) -> Iterator[Frame | int]:
    head = control = b""
    frame, start, end, is_looping = None, 0, 0, False
    count, is_whole = 0, False
    for part in until_truncated(gif.parts(original.reader, comments=False)):
        is_whole = part.kind == gif.TRAILER
        if part.kind == gif.IMAGE and not part.first:
            end = part.end
            continue
        if frame:
            yield replace(frame, pieces=[*frame.pieces, (start, end - start)])
            frame = None
        if part.kind == gif.HEAD:
            head = part.data
        elif part.kind == gif.CONTROL and part.first:
            control = part.data + b"\0"
        elif part.kind == gif.APPLICATION:
            repeats = gif.repeats_of(part) if is_looping and not part.first else None
            if repeats is not None:
                yield repeats + 1 if repeats else 0  # it tells how often it is shown again, as browsers understand it
            is_looping = gif.is_looping(part) if part.first else is_looping
        elif part.kind == gif.IMAGE:
            left, top, width, height = gif.frame_of(part.data)
            disposal, delay = gif.timing_of(control)
            frame = Frame(
                size=(width, height),
                corner=(left, top),
                pieces=[gif.alone(head, control, part.data)],
                duration=10 * delay,
                disposal=_DISPOSALS_OF_GIF.get(disposal, Disposal.KEEP),
            )
            control, start, end, count = b"", part.end, part.end, count + 1
    if count > 1 and not is_whole:  # of a still image, the decoder knows what can be shown
        raise Truncated


_DISPOSALS_OF_PNG: Final = {1: Disposal.CLEAR, 2: Disposal.RESTORE}


def _png(original: Original) -> Iterator[Frame | int]:
    reader = original.reader
    kept = frozenset([b"PLTE"] if original.header.space.key else [b"PLTE", b"tRNS"])
    head, count = b"", 0
    tables: list[png.Chunk] = []
    frame: list[png.Chunk] = []
    for chunk in png.chunks(reader):
        if chunk.name == b"IHDR":
            head = png.data_of(reader, chunk)
        elif chunk.name == b"acTL":
            count, plays = struct.unpack(">II", png.data_of(reader, chunk))
            yield plays
        elif chunk.name in kept:
            tables.append(chunk)
        elif chunk.name == b"IDAT" and count < 2:
            return
        elif chunk.name in (b"fcTL", b"IEND"):
            if frame and count:
                yield _frame_of_png(reader, head, tables, frame, kept)
                count -= 1  # what is there beyond those that it promises is not shown
            frame = [chunk]
        elif chunk.name in (b"IDAT", b"fdAT") and frame:  # else it is a picture for those who know no animations
            frame.append(chunk)


def _frame_of_png(
    reader: BinaryIO, head: bytes, tables: list[png.Chunk], frame: list[png.Chunk], kept: frozenset[bytes]
) -> Frame:
    control = png.control_of(png.data_of(reader, frame[0]))
    size = control.width, control.height
    return Frame(
        size=size,
        corner=(control.left, control.top),
        pieces=merged(apng_pieces(tables + frame, len(tables), struct.pack(">II", *size) + head[8:13], kept)),
        duration=control.duration,
        over=control.blending == 1,
        disposal=_DISPOSALS_OF_PNG.get(control.disposal, Disposal.KEEP),
    )


def _webp(original: Original) -> Iterator[Frame | int]:
    reader = original.reader
    end, head, flags = byte_length(reader), reader.read(riff.HEADER), 0
    for chunk in riff.chunks(reader, riff.HEADER, end):
        if chunk.name == b"VP8X":
            flags = riff.data_of(reader, chunk)[0]
        elif chunk.name == b"ANIM":
            yield riff.plays_of(riff.data_of(reader, chunk))
        elif chunk.name == b"ANMF":
            if riff.end_of(head) > end:
                raise Truncated
            data = riff.data_of(reader, chunk, most=riff.FRAME_HEADER)
            left, top, width, height = riff.frame_of(data)
            duration, over, is_cleared = riff.timing_of(data)
            parts = riff.pictures(riff.chunks(reader, chunk.start + riff.FRAME_HEADER, chunk.start + chunk.size))
            yield Frame(
                size=(width, height),
                corner=(left, top),
                pieces=webp_pieces(parts, riff.extended(width, height, flags & riff.ALPHA_FLAG)),
                duration=duration,
                over=over,
                disposal=Disposal.CLEAR if is_cleared else Disposal.KEEP,
            )


def _avif(original: Original) -> Iterator[Frame | int]:
    if original.image.n_frames > 1:  # type: ignore[attr-defined]  # it may hold a film, and be the picture beside it
        description = avif.Description(original.reader)
        yield description.plays()
        for size in description.frames():
            yield Frame(size=size)


_READERS: Final[Mapping[str, Callable[[Original], Iterator[Frame | int]]]] = {
    "GIF": _gif,
    "PNG": _png,
    "WEBP": _webp,
    "AVIF": _avif,
}


def pictures(original: Original, frames: Sequence[Frame]) -> Iterator[tuple[Image.Image, float]]:
    """What is to be seen, one after the other: all of the canvas, and until when, in ms from the beginning.

    It is in sRGB, not turned, and in a mode that can be scaled, RGB or RGBa.

    Raises:
        UploadedImageIsUnreadableError: a frame cannot be decoded.
    """
    shown = _film(original, len(frames)) if original.image.format == "AVIF" else _composed(original, frames)
    while True:
        with reading(), original.spent.counted():
            found = next(shown, None)
            if found is None:
                return
            canvas, end = found
            image = _scalable(canvas)
        yield image, end


def _scalable(canvas: Image.Image) -> Image.Image:
    if canvas.mode == "RGBA" and canvas.getchannel("A").getextrema() != (255, 255):
        return canvas.convert("RGBa")
    return canvas.convert("RGB")


def _composed(original: Original, frames: Sequence[Frame]) -> Iterator[tuple[Image.Image, float]]:
    canvas, end = Image.new("RGBA", original.stored_size), 0.0
    for frame in frames:
        before = canvas.copy() if frame.disposal is Disposal.RESTORE else None
        picture = _decoded(original, frame)
        if frame.over and picture.mode == "RGBA":
            canvas.alpha_composite(picture, frame.corner)
        else:
            canvas.paste(picture, frame.corner)
        end += min(frame.duration, LONGEST)
        yield canvas, end
        if before:
            canvas = before
        elif frame.disposal is Disposal.CLEAR:
            left, top = frame.corner
            canvas.paste((0, 0, 0, 0), (left, top, left + frame.size[0], top + frame.size[1]))


def _decoded(original: Original, frame: Frame) -> Image.Image:
    """The pixels of a frame, in mode L, RGB or RGBA and in sRGB."""
    space = original.header.space
    image = open_image(original.reader, str(original.image.format), frame.pieces, original.spent)
    if image.size != frame.size:
        raise UploadedImageIsUnreadableError("A frame has another size than it says")
    if image.mode in ("P", "RGBA") and not (space.icc() or space.key):  # what most are, without a detour
        return image.convert("RGBA" if image.has_transparency_data else "RGB")
    header = Header(size=frame.size, pieces=frame.pieces, space=space)
    decoded = decode(Original(image, original.reader, header, original.spent), 1)
    return decoded.coloured(decoded.image, (0, 0, *frame.size))


def _film(original: Original, count: int) -> Iterator[tuple[Image.Image, float]]:
    header = original.header
    image = open_image(original.reader, "AVIF", header.pieces, original.spent)
    space = replace(header.space, profile=header.space.profile or image.info.get("icc_profile"))
    for number in range(min(count, image.n_frames)):  # type: ignore[attr-defined]
        image.seek(number)
        image.load()
        end = image.info["timestamp"] + min(image.info["duration"], LONGEST)
        picture, to_srgb = scalable(image, space)
        yield windowed(to_srgb(picture), header.window), end
