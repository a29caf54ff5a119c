"""Decode once, then scale and encode each thumb, with Pillow."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import BinaryIO, Final

from PIL import Image, ImageCms

from athumb_storage.concurrency import SharedPool, available_cores
from athumb_storage.exceptions import AthumbError, ImageLimitExceeded, RenderingError, UploadedImageIsUnreadableError
from athumb_storage.formats import HEAD_SIZE, MIME_TYPES, sniff
from athumb_storage.geometry import Box, Placement, Size, as_stored, place, upright
from athumb_storage.rendering.colours import ColourSpace, ToSrgb, scalable
from athumb_storage.rendering.containers import png, tiff
from athumb_storage.rendering.encoding import encoded
from athumb_storage.rendering.inspection import inspect
from athumb_storage.rendering.limits import Deadline, Limits, byte_length, watched
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
"""From how many pixels on a source is scaled by all cores."""

_SMALL: Final = 100_000
"""Up to how many pixels a thumb is encoded sooner than another thread would have begun to."""

_DECLARED_FRAMES: Final = frozenset({"PNG", "WEBP", "AVIF"})
"""The formats of which Pillow knows the number of frames once they are open; GIF and TIFF files it would read whole."""

_DEFAULT_LIMITS: Final = Limits()

_SIZE_LIMITS: Final = Limits(max_pixels=None, max_frames=100_000)
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

_workers = SharedPool(available_cores(), "athumb-render")


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


def render(
    reader: BinaryIO,
    image_format: str,
    variants: Sequence[Variant],
    limits: Limits = _DEFAULT_LIMITS,
    opened: Opened = _nobody,
) -> Iterator[Rendered]:
    """The thumbs of the image in `reader`, each as soon as it is encoded.

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
    with _reading():
        limits.check_bytes(byte_length(reader))
        deadline = Deadline(limits)
        image = _open_image(watched(reader, deadline), image_format, limits)
        orientation = _orientation(image, reader)
        opened(upright(image.size, orientation))
        plan = _planned(image, orientation, variants)
        decoded, to_srgb = _decoded(image, plan.scale)
    by_name = {variant.thumb_name: variant for variant in variants}
    running: list[Future[Rendered]] = []
    for step, scaled in _scaled(decoded, plan, to_srgb):
        deadline.check()
        variant = by_name[step.thumb_name]
        if scaled.width * scaled.height < _SMALL:
            yield _finished(scaled, orientation, variant, deadline)
        else:
            running.append(_workers.submit(_finished, scaled, orientation, variant, deadline))
        for job in [job for job in running if job.done()]:
            running.remove(job)
            yield job.result()
    for job in as_completed(running):
        yield job.result()


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
    with _reading():
        limits.check_bytes(byte_length(reader))
        image = _open_image(watched(reader, Deadline(limits)), image_format, limits)
        opened(upright(image.size, _orientation(image, reader)))
        _decoded(image, max(DECODE_SCALES) if _can_be_scaled(image) else 1)
        image = Image.open(reader, formats=[image_format])
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
    reader.seek(0)
    if image_format is None or image_format not in formats:
        return None
    try:
        with _reading():
            image = _open_image(reader, image_format, _SIZE_LIMITS)
            return upright(image.size, _orientation(image, reader))
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
    return type(meaning)(f"{meaning}: {error}")


def _open_image(reader: BinaryIO, image_format: str, limits: Limits) -> Image.Image:
    inspect(reader, image_format, limits)
    image = Image.open(reader, formats=[image_format])
    # What the decoder makes of the header counts as well.
    frames = image.n_frames if image_format in _DECLARED_FRAMES else 1  # type: ignore[attr-defined]
    limits.check_frames(frames)
    limits.check_pixels(image.width * image.height * frames)
    return image


def _orientation(image: Image.Image, reader: BinaryIO) -> int:
    """How the image is to be turned. Pillow's `getexif` would unpack all that a hostile file has packed into it."""
    if image.format == "TIFF":  # Pillow turns these itself
        return 1
    # Pillow only sees what stands before the pixels of a PNG.
    exif = png.exif_of(reader) if image.format == "PNG" else image.info.get("exif")
    orientation = tiff.of_exif(exif).orientation() if isinstance(exif, bytes) else 1
    return orientation if orientation in _TURNS else 1


def _can_be_scaled(image: Image.Image) -> bool:
    return image.format in ("JPEG", "MPO")


def _planned(image: Image.Image, orientation: int, variants: Sequence[Variant]) -> Plan:
    shown = upright(image.size, orientation)
    placements: dict[str, Placement] = {
        variant.thumb_name: as_stored(place(shown, variant.thumb), orientation, image.size) for variant in variants
    }
    return make_plan(placements, scaled_decode=_can_be_scaled(image))


def _decoded(image: Image.Image, scale: int) -> tuple[Image.Image, ToSrgb]:
    if scale > 1:
        width, height = image.size
        image.draft(None, (max(width // scale, 1), max(height // scale, 1)))
    if image.format != "TIFF":  # there each strip would be given so much, which may be one row
        image.decodermaxblock = _CHUNK  # type: ignore[attr-defined]
    image.load()
    return scalable(image, ColourSpace(profile=image.info.get("icc_profile")))


def _scaled(decoded: Image.Image, plan: Plan, to_srgb: ToSrgb) -> Iterator[tuple[Step, Image.Image]]:
    """Each step with its pixels, not yet turned upright; those that no later step needs are let go of."""
    sources: dict[str | None, Image.Image] = {None: decoded}
    needed = {step.source for step in plan.steps}
    for step in plan.steps:
        try:
            scaled = _resized(sources[step.source], step.size, step.box)
            if step.source is None:  # what is scaled from another thumb is in sRGB already
                scaled = to_srgb(scaled)
        except _PILLOWS as error:
            raise _translated(error, RenderingError(f"thumb {step.thumb_name!r} cannot be scaled")) from error
        if step.thumb_name in needed:
            sources[step.thumb_name] = scaled
        yield step, scaled


def _resized(source: Image.Image, size: Size, box: Box) -> Image.Image:
    """`box` of the source at `size`; of a large one, each core scales a strip."""
    left, top, right, bottom = box
    # There may be more cores than rows.
    strips = min(_workers.size, size[1]) if (right - left) * (bottom - top) >= _LARGE else 1
    # Lanczos looks over the edge of a box, so strips meet without a seam.
    edges = [size[1] * strip // strips for strip in range(strips + 1)]
    scale = (bottom - top) / size[1]
    jobs = [
        _workers.submit(_strip, source, size[0], end - start, (left, top + start * scale, right, top + end * scale))
        for start, end in pairwise(edges[1:])
    ]
    first = _strip(source, size[0], edges[1], (left, top, right, top + edges[1] * scale))
    if not jobs:
        return first
    whole = Image.new(first.mode, size)
    whole.paste(first)
    for start, job in zip(edges[1:-1], jobs, strict=True):
        whole.paste(job.result(), (0, start))
    return whole


def _strip(source: Image.Image, width: int, height: int, box: Box) -> Image.Image:
    return source.resize((width, height), Image.Resampling.LANCZOS, box=box)


def _finished(image: Image.Image, orientation: int, variant: Variant, deadline: Deadline) -> Rendered:
    deadline.check()
    if orientation in _TURNS:
        image = image.transpose(_TURNS[orientation])
    try:
        data = encoded(image, variant)
    except _PILLOWS as error:
        cause = f"thumb {variant.thumb_name!r} cannot be encoded as {variant.format}"
        raise _translated(error, RenderingError(cause)) from error
    deadline.check()
    return Rendered(variant, data, image.size)
