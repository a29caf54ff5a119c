"""An image from its file to its pixels: opened as little as it takes, decoded at the size that is needed."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, BinaryIO, Final

from PIL import Image, ImageChops, ImageCms

from athumb_storage.concurrency import Threads
from athumb_storage.exceptions import AthumbError, ImageLimitExceeded, UploadedImageIsUnreadableError
from athumb_storage.geometry import Box, Size, upright
from athumb_storage.rendering.bytestream import Piece, byte_length
from athumb_storage.rendering.colours import ToSrgb, in_srgb, scalable
from athumb_storage.rendering.containers import jpeg, tiff
from athumb_storage.rendering.guard import ProcessorTime, guarded
from athumb_storage.rendering.headers import Header, Window, read_header
from athumb_storage.rendering.heic import open_heic
from athumb_storage.rendering.limits import Limits
from athumb_storage.rendering.planes import ColourPlanes

_CHUNK: Final = 1 << 20
"""How many bytes the decoder is fed at once; between two bites it wants the GIL, which others may hold."""

_WEIGHTS: Final = {"WEBP": 1.5, "AVIF": 1.5, "HEIC": 1.5}
"""How many times the memory of other formats a pixel takes: libwebp has two canvases, libavif planes beside RGB, and
libheif all that Pillow has.
"""

_ANYTHING: Final = bytes(37 * number % 251 for number in range(128))
"""Bytes without a marker in them."""

PILLOWS: Final = (
    *(OSError, EOFError, SyntaxError, ValueError, TypeError, ArithmeticError, LookupError, AttributeError),
    *(AssertionError, RuntimeError, Warning, struct.error, zlib.error, ImageCms.PyCMSError),
)
"""What Pillow raises at damaged files. What is no such error was not about the image: it is of somebody who wants this
thread to stop. Running out of memory is neither: the limits keep what one image may ask for sensible.
"""

_RUNTIME_ERRORS: Final = (RuntimeError, NotImplementedError, RecursionError)
"""Those of Pillow; another class that derives from RuntimeError is a project's own."""


@dataclass(frozen=True)
class Decoded:
    """The pixels of an image, in a mode that can be scaled."""

    image: Image.Image
    """All of it, or its brightness alone (mode L)."""
    to_srgb: ToSrgb | None
    colours: ColourPlanes | None = None
    """Where `image` is the brightness alone."""

    def coloured(self, scaled: Image.Image, box: Box) -> Image.Image:
        """What was scaled from `image`, of which it shows this box, with all its colours, in sRGB."""
        image = self.colours.added_to(scaled, box) if self.colours else scaled
        return self.to_srgb(image) if self.to_srgb else image


@dataclass(frozen=True)
class Original:
    """An image that is open and not yet decoded."""

    image: Image.Image
    reader: BinaryIO
    header: Header
    spent: ProcessorTime

    # Kept, because the image tells neither any more when it is decoded.

    @cached_property
    def stored_size(self) -> Size:
        """Width and height of what is shown of it, as it is stored."""
        if self.header.window is None:
            return self.image.size
        left, top, right, bottom = self.header.window
        return right - left, bottom - top

    @cached_property
    def orientation(self) -> int:
        """How it is to be turned. The header tells, but for AVIF, which has this in its own words."""
        exif = self.image.info.get("exif")
        return tiff.orientation_of(exif) if isinstance(exif, bytes) else self.header.orientation

    @property
    def shown_size(self) -> Size:
        """Width and height as it is shown."""
        return upright(self.stored_size, self.orientation)

    @property
    def can_be_scaled(self) -> bool:
        """Whether it can be decoded at a fraction of its size."""
        return self.image.format == "JPEG"

    def pixels(self, scale: int) -> int:
        """How many there are at most while it is decoded at 1/`scale`."""
        scale = scale if self.header.is_whole else 1
        across, down = (-(-max(*sides) // scale) for sides in zip(self.image.size, self.stored_size, strict=True))
        return int(across * down * _WEIGHTS.get(self.image.format or "", 1))


def open_original(reader: BinaryIO, image_format: str, limits: Limits) -> Original:
    """The image in `reader`, within the limits.

    Raises:
        ImageLimitExceeded: it is over one.
        UploadedImageIsUnreadableError: it is no image.
    """
    spent = ProcessorTime(limits.time_budget)
    with reading():
        limits.check_bytes(byte_length(reader))
        with spent.counted():
            header = read_header(reader, image_format)
            limits.check_size(header.size)
            image = open_image(reader, image_format, header.pieces, spent)
            original = Original(image, reader, header, spent)
            # What the decoder makes of the header counts as well, and the canvas of an animation.
            for size in (image.size, original.stored_size):
                limits.check_size(size)
            return original


def open_image(reader: BinaryIO, image_format: str, pieces: Sequence[Piece], spent: ProcessorTime) -> Image.Image:
    """The image that these pieces of a file are, opened by Pillow and not yet decoded."""
    source = guarded(reader, pieces, spent.check)
    image = open_heic(source) if image_format == "HEIC" else Image.open(source, formats=[image_format])
    if image.format != "TIFF":  # there each strip would be given so much, which may be one row
        image.decodermaxblock = _CHUNK
    return image


def decode(original: Original, scale: int) -> Decoded:
    """The pixels of an image at 1/`scale` of its size."""
    image = original.image
    try:
        _load(image, scale)
    except OSError as error:
        # A timeout is of somebody who wants this thread to stop.
        if original.header.is_whole or isinstance(error, TimeoutError) or not _lacks_only_its_end(original):
            raise
        image = _ended(original)
        _load(image, scale)
    # Its own is that of an AVIF or HEIC file, the only ones whose decoder gets to see it.
    space = replace(original.header.space, profile=original.header.space.profile or image.info.get("icc_profile"))
    image, to_srgb = scalable(image, space, partial(_low_bytes, original))
    return Decoded(windowed(image, original.header.window), to_srgb)


def decode_in_planes(original: Original, scale: int, threads: Threads) -> Decoded:
    """The same of a JPEG, with its colours at 1/`scale` of its size, decoded by one of these threads meanwhile."""
    reader = guarded(original.reader, original.header.pieces, original.spent.check)
    data = reader.read()

    def part(mode: str, fraction: int) -> Image.Image:
        with original.spent.counted():
            image = open_image(io.BytesIO(data), "JPEG", [(0, len(data))], original.spent)
            _load(image, fraction, mode)
            return image

    decoding = threads.submit(part, "YCbCr", scale)
    brightness = part("L", 1)
    _, blue, red = decoding.result().split()
    brightness.info = {}
    space = original.header.space
    to_srgb = partial(in_srgb, profile=space.profile) if space.profile else None
    return Decoded(brightness, to_srgb, ColourPlanes(blue, red, scale))


def _load(image: Image.Image, scale: int, mode: str | None = None) -> None:
    if scale > 1 or mode:
        width, height = image.size
        image.draft(mode, (max(width // scale, 1), max(height // scale, 1)))
    if hasattr(image, "_decoder"):
        _let_go_of_decoder(image)
    image.load()


def _low_bytes(original: Original) -> Image.Image:
    """The lower halves of the numbers of a PNG of 16 bits a colour, decoded as if they were the upper ones."""
    image = open_image(original.reader, "PNG", original.header.pieces, original.spent)
    [tile] = image.tile  # type: ignore[attr-defined]
    image.tile = [tile._replace(args=tile.args.replace(";16B", ";16L"))]  # type: ignore[attr-defined]
    image.load()
    return image


def _let_go_of_decoder(image: Any) -> None:
    """Pillow would keep the decoders of WebP and AVIF, with canvases of their own, when they have done their work."""
    prepare = image.load_prepare

    def load_prepare() -> None:
        image._decoder = None
        prepare()

    image.load_prepare = load_prepare


def _lacks_only_its_end(original: Original) -> bool:
    """Whether a JPEG lacks nothing but the marker that ends it; browsers show such files.

    If nothing else is missing, what is decoded does not depend on what follows.
    """
    for mode, scale in (("L", 1), (None, 8)):  # all of the brightness, and something of the colours, take little memory
        found = [_ended(original, following) for following in (b"", _ANYTHING)]
        for image in found:
            _load(image, scale, mode)
        if ImageChops.difference(*found).getbbox():
            return False
    return True


def _ended(original: Original, following: bytes = b"") -> Image.Image:
    pieces = [*original.header.pieces, following + jpeg.written(jpeg.EOI, b"")]
    return open_image(original.reader, "JPEG", pieces, original.spent)


def windowed(image: Image.Image, window: Window | None) -> Image.Image:
    """What lies in the window, transparent where there is nothing."""
    if window is None:
        return image
    if min(window[:2]) < 0 or window[2] > image.width or window[3] > image.height:
        image = image.convert("RGBA").convert("RGBa") if image.mode != "RGBa" else image
    return image.crop(window)


@contextmanager
def reading() -> Iterator[None]:
    """Pillow raises errors of many kinds at a damaged file; all of them mean the same to who uploaded it."""
    try:
        yield
    except UploadedImageIsUnreadableError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        # Pillow's own limit is lower than ours, and all of the process shares it.
        raise ImageLimitExceeded(f"The image has more pixels than Image.MAX_IMAGE_PIXELS allows: {error}") from error
    except PILLOWS as error:
        raise translated(error, UploadedImageIsUnreadableError("The image cannot be read")) from error


def translated(error: Exception, meaning: AthumbError) -> Exception:
    """An error of Pillow's in our words; itself, if somebody else is likely to have raised it."""
    if isinstance(error, TimeoutError) or (isinstance(error, RuntimeError) and type(error) not in _RUNTIME_ERRORS):
        return error
    return type(meaning)(f"{meaning}: {str(error) or type(error).__name__}")
