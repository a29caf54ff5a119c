"""Decode once, then scale and encode each thumb, with Pillow."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any, BinaryIO, Final, TypeVar

from PIL import Image, ImageChops, ImageCms

from athumb_storage.concurrency import SharedPool, available_cores
from athumb_storage.exceptions import AthumbError, ImageLimitExceeded, RenderingError, UploadedImageIsUnreadableError
from athumb_storage.formats import HEAD_SIZE, MIME_TYPES, sniff
from athumb_storage.geometry import Box, Placement, Size, as_stored, place, upright
from athumb_storage.rendering.bytestream import Piece, byte_length
from athumb_storage.rendering.colours import ToSrgb, scalable
from athumb_storage.rendering.containers import jpeg, tiff
from athumb_storage.rendering.encoding import encoded
from athumb_storage.rendering.guard import PixelsInFlight, ProcessorTime, guarded
from athumb_storage.rendering.headers import Header, Window, read_header
from athumb_storage.rendering.limits import Limits
from athumb_storage.rendering.plan import DECODE_SCALES, Plan, Step, make_plan
from athumb_storage.specs import Variant

_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""How pixels stored in an EXIF orientation are turned upright (Exif 2.32, tag 0x0112)."""

_CHUNK: Final = 1 << 20
"""How many bytes the decoder is fed at once; between two bites it wants the GIL, which others may hold."""

_LARGE: Final = 1_000_000
"""From how many pixels on an image is decoded by a thread of our own, and scaled by all cores."""

_SMALL: Final = 100_000
"""Up to how many pixels a thumb is encoded sooner than another thread would have begun to."""

_WEIGHTS: Final = {"WEBP": 1.5, "AVIF": 1.5}
"""How many times the memory of other formats a pixel takes: libwebp has two canvases, libavif planes beside RGB."""

_ANYTHING: Final = bytes(37 * number % 251 for number in range(128))
"""Bytes without a marker in them."""

_DEFAULT_LIMITS: Final = Limits()

_SIZE_LIMITS: Final = Limits(max_pixels=None, max_bytes=None)
"""For an image of which only the size is asked for: no pixel is decoded, so there may be more than are allowed."""

_PILLOWS: Final = (
    *(OSError, EOFError, SyntaxError, ValueError, TypeError, ArithmeticError, LookupError, AttributeError),
    *(AssertionError, RuntimeError, Warning, struct.error, zlib.error, ImageCms.PyCMSError),
)
"""What Pillow raises at damaged files. What is no such error was not about the image: it is of somebody who wants this
thread to stop. Running out of memory is neither: the limits keep what one image may ask for sensible.
"""

_RUNTIME_ERRORS: Final = (RuntimeError, NotImplementedError, RecursionError)
"""Those of Pillow; another class that derives from RuntimeError is a project's own."""

_in_flight = PixelsInFlight()
_decoders = SharedPool(available_cores(), "athumb-decode")
_workers = SharedPool(available_cores(), "athumb-render")


R = TypeVar("R")


@dataclass(frozen=True)
class Rendered:
    """One variant as it came out: its encoded bytes, and its width and height in pixels."""

    variant: Variant
    data: bytes
    size: Size


Opened = Callable[[Size], None]
"""Is told width and height, in pixels, of an image as it is shown, when its header has been read."""


def _nobody(size: Size) -> None:
    pass


@dataclass(frozen=True)
class _Original:
    """An image that is open and not yet decoded."""

    image: Image.Image
    reader: BinaryIO
    header: Header
    spent: ProcessorTime

    @property
    def stored_size(self) -> Size:
        """Width and height of what is shown of it, as it is stored."""
        if self.header.window is None:
            return self.image.size
        left, top, right, bottom = self.header.window
        return right - left, bottom - top

    @property
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


def render(
    reader: BinaryIO,
    image_format: str,
    variants: Sequence[Variant],
    limits: Limits = _DEFAULT_LIMITS,
    opened: Opened = _nobody,
) -> list[Rendered]:
    """The thumbs of the image in `reader`.

    Args:
        reader: the original's bytes. It is read by this thread alone and left open.
        image_format: what `formats.sniff` said of them; no other format is tried.
        variants: what is wanted.
        limits: what the image may have.
        opened: is told the size of the image.

    Raises:
        ImageLimitExceeded: the image is over a limit.
        UploadedImageIsUnreadableError: the image cannot be decoded.
        RenderingError: a thumb cannot be scaled or encoded.
    """
    original = _opened(reader, image_format, limits)
    opened(original.shown_size)
    plan = _planned(original, variants)
    by_name = {variant.thumb_name: variant for variant in variants}
    return _in_turn(original.pixels(plan.scale), limits, partial(_thumbs, original, plan, by_name))


def _in_turn(pixels: int, limits: Limits, work: Callable[[], R]) -> R:
    """Do work that decodes so many pixels, when there is room for them.

    Much is decoded by a few threads of our own: the C library keeps what a thread gave back for the same thread, so
    that forty threads of a server would come to ten times the memory.
    """

    def held() -> R:
        with _in_flight.hold(pixels, limits.pixels_in_flight):
            return work()

    return held() if pixels < _LARGE else _decoders.submit(held).result()


def _thumbs(original: _Original, plan: Plan, variants: Mapping[str, Variant]) -> list[Rendered]:
    spent, orientation = original.spent, original.orientation
    with _reading(), spent.counted():
        decoded, to_srgb = _decoded(original, plan.scale)
    few_colours = _has_few_colours(original.image, decoded) if "PNG" in {v.format for v in variants.values()} else False
    done: list[Rendered] = []
    running: list[Future[Rendered]] = []
    for step, scaled in _scaled(decoded, plan, to_srgb, spent):
        variant = variants[step.thumb_name]
        if scaled.width * scaled.height < _SMALL:
            done.append(_finished(scaled, orientation, variant, spent, few_colours))
        else:
            running.append(_workers.submit(_finished, scaled, orientation, variant, spent, few_colours))
    return done + [job.result() for job in running]


def verify_decodable(
    reader: BinaryIO, image_format: str, limits: Limits = _DEFAULT_LIMITS, opened: Opened = _nobody
) -> Image.Image:
    """Decode the image in `reader` as cheaply as possible, to prove that its thumbs could be rendered.

    Args:
        reader: the original's bytes. It is read by this thread alone and left open, at its beginning.
        image_format: what `formats.sniff` said of them; no other format is tried.
        limits: what the image may have.
        opened: is told the size of the image.

    Returns:
        The image, opened afresh on the same reader and not yet decoded.

    Raises:
        ImageLimitExceeded: the image is over a limit.
        UploadedImageIsUnreadableError: the image cannot be decoded.
    """
    original = _opened(reader, image_format, limits)
    opened(original.shown_size)
    scale = max(DECODE_SCALES) if original.can_be_scaled else 1

    def check() -> None:
        with _reading(), original.spent.counted():
            _decoded(original, scale)

    _in_turn(original.pixels(scale), limits, check)
    with _reading():
        image = _open_image(reader, image_format, original.header.pieces, ProcessorTime(None))
        reader.seek(0)
        return image


def shown_size(reader: BinaryIO, formats: Collection[str] = tuple(MIME_TYPES)) -> Size | None:
    """Width and height, in pixels, of the image in `reader` as it is shown; None if it is none that can be read.

    Args:
        reader: its bytes.
        formats: those that may be opened.
    """
    reader.seek(0)
    image_format = sniff(reader.read(HEAD_SIZE))
    if image_format is None or image_format not in formats:
        return None
    try:
        return _opened(reader, image_format, _SIZE_LIMITS).shown_size
    except UploadedImageIsUnreadableError:
        return None


@contextmanager
def _reading() -> Iterator[None]:
    """Pillow raises errors of many kinds at a damaged file; all of them mean the same to who uploaded it."""
    try:
        yield
    except UploadedImageIsUnreadableError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        # Pillow's own limit is lower than ours, and all of the process shares it.
        raise ImageLimitExceeded(f"The image has more pixels than Image.MAX_IMAGE_PIXELS allows: {error}") from error
    except _PILLOWS as error:
        raise _translated(error, UploadedImageIsUnreadableError("The image cannot be read")) from error


def _translated(error: Exception, meaning: AthumbError) -> Exception:
    """An error of Pillow's in our words; itself, if somebody else is likely to have raised it."""
    if isinstance(error, TimeoutError) or (isinstance(error, RuntimeError) and type(error) not in _RUNTIME_ERRORS):
        return error
    return type(meaning)(f"{meaning}: {str(error) or type(error).__name__}")


def _opened(reader: BinaryIO, image_format: str, limits: Limits) -> _Original:
    spent = ProcessorTime(limits.time_budget)
    with _reading():
        limits.check_bytes(byte_length(reader))
        with spent.counted():
            header = read_header(reader, image_format)
            limits.check_size(header.size)
            image = _open_image(reader, image_format, header.pieces, spent)
            original = _Original(image, reader, header, spent)
            # What the decoder makes of the header counts as well, and the canvas of an animation.
            for size in (image.size, original.stored_size):
                limits.check_size(size)
            return original


def _open_image(reader: BinaryIO, image_format: str, pieces: Sequence[Piece], spent: ProcessorTime) -> Image.Image:
    image = Image.open(guarded(reader, pieces, spent.check), formats=[image_format])
    if image.format != "TIFF":  # there each strip would be given so much, which may be one row
        image.decodermaxblock = _CHUNK
    return image


def _planned(original: _Original, variants: Sequence[Variant]) -> Plan:
    shown, orientation, stored = original.shown_size, original.orientation, original.stored_size
    placements: dict[str, Placement] = {
        variant.thumb_name: as_stored(place(shown, variant.thumb), orientation, stored) for variant in variants
    }
    return make_plan(placements, scaled_decode=original.can_be_scaled)


def _decoded(original: _Original, scale: int) -> tuple[Image.Image, ToSrgb]:
    image = original.image
    try:
        _load(image, scale)
    except OSError:
        if original.header.is_whole or not _lacks_only_its_end(original):
            raise
        image = _ended(original)
        _load(image, scale)
    # Its own is that of an AVIF file, the only one whose decoder gets to see it.
    space = replace(original.header.space, profile=original.header.space.profile or image.info.get("icc_profile"))
    image, to_srgb = scalable(image, space, partial(_low_bytes, original))
    return _windowed(image, original.header.window), to_srgb


def _load(image: Image.Image, scale: int, mode: str | None = None) -> None:
    if scale > 1 or mode:
        width, height = image.size
        image.draft(mode, (max(width // scale, 1), max(height // scale, 1)))
    if hasattr(image, "_decoder"):
        _let_go_of_decoder(image)
    image.load()


def _low_bytes(original: _Original) -> Image.Image:
    """The lower halves of the numbers of a PNG of 16 bits a colour, decoded as if they were the upper ones."""
    image = _open_image(original.reader, "PNG", original.header.pieces, original.spent)
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


def _lacks_only_its_end(original: _Original) -> bool:
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


def _ended(original: _Original, following: bytes = b"") -> Image.Image:
    pieces = [*original.header.pieces, following + jpeg.written(jpeg.EOI, b"")]
    return _open_image(original.reader, "JPEG", pieces, original.spent)


def _windowed(image: Image.Image, window: Window | None) -> Image.Image:
    """What lies in the window, transparent where there is nothing."""
    if window is None:
        return image
    if min(window[:2]) < 0 or window[2] > image.width or window[3] > image.height:
        image = image.convert("RGBA").convert("RGBa") if image.mode != "RGBa" else image
    return image.crop(window)


def _scaled(
    decoded: Image.Image, plan: Plan, to_srgb: ToSrgb, spent: ProcessorTime
) -> Iterator[tuple[Step, Image.Image]]:
    """Each step with its pixels, not yet turned upright; those that no later step needs are let go of."""
    sources: dict[str | None, Image.Image] = {None: decoded}
    needed = {step.source for step in plan.steps}
    for step in plan.steps:
        with spent.counted():
            try:
                scaled = _resized(sources[step.source], step.size, step.box, spent)
                if step.source is None:  # what is scaled from another thumb is in sRGB already
                    scaled = to_srgb(scaled)
            except _PILLOWS as error:
                raise _translated(error, RenderingError(f"thumb {step.thumb_name!r} cannot be scaled")) from error
        if step.thumb_name in needed:
            sources[step.thumb_name] = scaled
        yield step, scaled


def _resized(source: Image.Image, size: Size, box: Box, spent: ProcessorTime) -> Image.Image:
    """`box` of the source at `size`; of a large one, each core scales a strip."""
    left, top, right, bottom = box
    # There may be more cores than rows.
    strips = min(_workers.size, size[1]) if (right - left) * (bottom - top) >= _LARGE else 1
    # Lanczos looks over the edge of a box, so strips meet without a seam.
    edges = [size[1] * strip // strips for strip in range(strips + 1)]
    scale = (bottom - top) / size[1]

    def strip(start: int, end: int) -> Image.Image:
        part = left, top + start * scale, right, top + end * scale
        return source.resize((size[0], end - start), Image.Resampling.LANCZOS, box=part)

    def counted(start: int, end: int) -> Image.Image:
        with spent.counted():
            return strip(start, end)

    jobs = [_workers.submit(counted, start, end) for start, end in pairwise(edges[1:])]
    first = strip(0, edges[1])
    if not jobs:
        return first
    whole = Image.new(first.mode, size)
    whole.paste(first)
    for start, job in zip(edges[1:-1], jobs, strict=True):
        whole.paste(job.result(), (0, start))
    return whole


def _has_few_colours(image: Image.Image, decoded: Image.Image) -> bool:
    """Whether its colours have, or could have, a palette; that there are too many is seen after a few rows."""
    return image.mode in ("1", "P") or (decoded.mode in ("RGB", "RGBa") and decoded.getcolors(256) is not None)


def _finished(
    image: Image.Image, orientation: int, variant: Variant, spent: ProcessorTime, few_colours: bool
) -> Rendered:
    with spent.counted():
        if orientation > 1:
            image = image.transpose(_TURNS[orientation])
        try:
            data = encoded(image, variant, few_colours=few_colours)
        except _PILLOWS as error:
            cause = f"thumb {variant.thumb_name!r} cannot be encoded as {variant.format}"
            raise _translated(error, RenderingError(cause)) from error
    return Rendered(variant, data, image.size)
