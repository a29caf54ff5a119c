"""Decode once, then scale and encode each thumb, with Pillow."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from typing import BinaryIO, Final, TypeVar

from PIL import Image

from athumb_storage.concurrency import SharedPool, available_cores
from athumb_storage.exceptions import RenderingError, UploadedImageIsUnreadableError
from athumb_storage.formats import EXTENSIONS, HEAD_SIZE, MIME_TYPES, canonical, sniff
from athumb_storage.geometry import MIDDLE, Placement, Point, Size, as_stored, place
from athumb_storage.rendering.animation import Motion, encoded_film, films, motion_of
from athumb_storage.rendering.colours import in_srgb
from athumb_storage.rendering.crops import Saliency, subject_of
from athumb_storage.rendering.encoding import encoded
from athumb_storage.rendering.finishing import finished
from athumb_storage.rendering.guard import PixelsInFlight, ProcessorTime
from athumb_storage.rendering.limits import Limits
from athumb_storage.rendering.opening import (
    PILLOWS,
    Decoded,
    Original,
    decode,
    decode_in_planes,
    open_image,
    open_original,
    reading,
    translated,
)
from athumb_storage.rendering.plan import DECODE_SCALES, Plan, Step, make_plan
from athumb_storage.rendering.planes import scale_of_colours
from athumb_storage.rendering.scaling import LARGE, scaled_steps, workers
from athumb_storage.rendering.stripping import can_strip
from athumb_storage.rendering.thumbhash import HASHED_SIDE, thumbhash
from athumb_storage.specs import Thumb, Variant

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

_SMALL: Final = 100_000
"""Up to how many pixels a thumb is encoded sooner than another thread would have begun to."""

_GLANCE: Final = 192
"""How many pixels a side are enough to see what draws the eye."""

_DEFAULT_LIMITS: Final = Limits()

_SIZE_LIMITS: Final = Limits(max_pixels=None, max_bytes=None)
"""For an image of which only the size is asked for: no pixel is decoded, so there may be more than are allowed."""

_in_flight = PixelsInFlight()
_decoders = SharedPool(available_cores(), "athumb-decode")


R = TypeVar("R")


@dataclass(frozen=True)
class Rendered:
    """One variant as it came out: its encoded bytes, and its width and height in pixels."""

    variant: Variant
    data: bytes
    size: Size


Opened = Callable[[Size], None]
"""Is told width and height, in pixels, of an image as it is shown, when its header has been read."""


Hashed = Callable[[str], None]
"""Is told the ThumbHash of an image as it is shown, when it has been decoded."""


def _nobody(size: Size) -> None:
    pass


def render(
    reader: BinaryIO,
    image_format: str,
    variants: Sequence[Variant],
    limits: Limits = _DEFAULT_LIMITS,
    opened: Opened = _nobody,
    focal: Point | None = None,
    must_move: bool = False,
    hashed: Hashed | None = None,
) -> list[Rendered]:
    """The thumbs of the image in `reader`.

    Args:
        reader: the original's bytes. It is read by one thread at a time and left open.
        image_format: what `formats.sniff` said of them; no other format is tried.
        variants: what is wanted.
        limits: what the image may have.
        opened: is told the size of the image.
        focal: what focal crops have in their middle; None is the middle of the image.
        must_move: whether to refuse an animation that is too large to be kept moving where it should be.
        hashed: is told the image's ThumbHash, if somebody wants that.

    Raises:
        ImageLimitExceeded: the image is over a limit.
        UploadedImageIsUnreadableError: the image cannot be decoded.
        RenderingError: a thumb cannot be scaled or encoded.
    """
    original = open_original(reader, image_format, limits)
    opened(original.shown_size)
    subjects = {variant.thumb_name: focal for variant in variants if focal and variant.thumb.crop == "focal"}
    twins = _twins(original.shown_size, variants)
    done = _in_motion_or_still(original, list(dict.fromkeys(twins)), limits, subjects, must_move, hashed)
    by_twin = {rendered.variant: rendered for rendered in done}
    return [replace(by_twin[twin], variant=variant) for variant, twin in zip(variants, twins, strict=True)]


def _twins(shown_size: Size, variants: Sequence[Variant]) -> list[Variant]:
    """For each variant the first that comes out as the same bytes, such as all widths that an original has not got."""
    first: dict[tuple[object, ...], Variant] = {}
    return [first.setdefault(_looks(shown_size, variant), variant) for variant in variants]


def _looks(shown_size: Size, variant: Variant) -> tuple[object, ...]:
    thumb = variant.thumb
    drawn = thumb.crop, thumb.pad, thumb.animated, thumb.processors
    return place(shown_size, thumb, variant.density), drawn, variant.format, thumb.quality, thumb.encoder


def _in_motion_or_still(
    original: Original,
    variants: Sequence[Variant],
    limits: Limits,
    subjects: Mapping[str, Point],
    must_move: bool,
    hashed: Hashed | None,
) -> list[Rendered]:
    done: list[Rendered] = []
    if motion := motion_of(original, variants, limits, partial(_planned, original, subjects=subjects), must_move):
        done = _in_turn(motion.pixels, limits, partial(_moving, original, motion, subjects, hashed))
        hashed, variants = None, [variant for variant in variants if variant not in motion.variants]
        if not variants:
            return done
    plan = _planned(original, variants, subjects)
    work = partial(_thumbs, original, plan, variants, subjects, hashed)
    return done + _in_turn(original.pixels(plan.scale), limits, work)


def bounded(
    reader: BinaryIO, image_format: str, original: Thumb, fallback: str, limits: Limits = _DEFAULT_LIMITS
) -> Rendered | None:
    """The original as it is to be stored instead of the image in `reader`; None where that needs no new pixels.

    It needs them where it is larger, or of another format, or where its metadata cannot be left out without.

    Args:
        reader: the image's bytes. It is left open.
        image_format: what `formats.sniff` said of them.
        original: what it is to be; its format may be None for that of the image.
        fallback: the format where that cannot be written.
        limits: what the image may have.

    Raises:
        ImageLimitExceeded, UploadedImageIsUnreadableError, RenderingError: as `render`.
    """
    wanted = canonical(original.spellings[0]) if original.spellings else None
    written = wanted or (image_format if image_format in EXTENSIONS else fallback)
    if written == image_format and can_strip(reader, image_format):
        size = open_original(reader, image_format, limits).shown_size
        if place(size, original).size == size:
            return None
    [rendered] = render(reader, image_format, [Variant.of("original", original, written)], limits, must_move=True)
    return rendered


def _in_turn(pixels: int, limits: Limits, work: Callable[[], R]) -> R:
    """Do work that decodes so many pixels, when there is room for them.

    Much is decoded by a few threads of our own: the C library keeps what a thread gave back for the same thread, so
    that forty threads of a server would come to ten times the memory.
    """

    def held() -> R:
        with _in_flight.hold(pixels, limits.pixels_in_flight):
            return work()

    return held() if pixels < LARGE else _decoders.submit(held).result()


def _thumbs(
    original: Original,
    plan: Plan,
    variants: Sequence[Variant],
    subjects: Mapping[str, Point],
    hashed: Hashed | None,
) -> list[Rendered]:
    spent = original.spent
    colours = scale_of_colours(original.image, plan, variants) if original.header.is_whole else None
    with reading(), spent.counted():
        decoded = decode_in_planes(original, colours, workers) if colours else decode(original, plan.scale)
        smart = _smart_subjects(original, decoded, variants)
        if hashed:
            hashed(thumbhash(_glance(original, decoded, HASHED_SIDE)))
    if smart:
        plan = _planned(original, variants, {**subjects, **smart}, plan.scale)
    has_png = any(variant.format == "PNG" for variant in variants)
    few_colours = has_png and _has_few_colours(original.image, decoded.image)
    by_label: dict[str, list[Variant]] = {}
    for variant in variants:
        by_label.setdefault(variant.label, []).append(variant)
    done: list[Rendered] = []
    running: list[Future[Rendered]] = []
    for step, scaled in scaled_steps(decoded.image, plan, spent):
        same = by_label[step.label]
        make = partial(_finished, decoded, step, scaled, original.orientation, same[0].thumb)
        picture = _Picture(make, is_shared=len(same) > 1)
        for variant in same:
            write = partial(_encoded, picture, variant, spent, few_colours)
            if scaled.width * scaled.height < _SMALL:
                done.append(write())
            else:
                running.append(workers.submit(write))
    return done + [job.result() for job in running]


def _moving(original: Original, motion: Motion, subjects: Mapping[str, Point], hashed: Hashed | None) -> list[Rendered]:
    spent = original.spent
    plans: list[Plan] = []
    thumbs = {variant.label: variant.thumb for variant in motion.variants}

    def scaled(picture: Image.Image) -> Iterator[tuple[Step, Image.Image]]:
        if not plans:  # what draws the eye is that of the first
            first = Decoded(picture, in_srgb)
            if hashed:
                hashed(thumbhash(_glance(original, first, HASHED_SIDE)))
            smart = _smart_subjects(original, first, motion.variants)
            plans.append(_planned(original, motion.variants, {**subjects, **smart}))
        return scaled_steps(picture, plans[0], spent)

    def finish(step: Step, image: Image.Image) -> Image.Image:
        return finished(_upright(in_srgb(image), original.orientation), thumbs[step.label], step.canvas)

    found = films(original, motion, scaled, finish)
    running = []
    for variant in motion.variants:
        film = found[variant.label]
        job = workers.submit(partial(encoded_film, film, variant, motion.animation.plays, spent))
        running.append((variant, job, film.frames[0].size))
    return [Rendered(variant, job.result(), size) for variant, job, size in running]


def verify_decodable(
    reader: BinaryIO, image_format: str, limits: Limits = _DEFAULT_LIMITS, opened: Opened = _nobody
) -> Image.Image:
    """Decode the image in `reader` as cheaply as possible, to prove that its thumbs could be rendered.

    Args:
        reader: the original's bytes. It is read by one thread at a time and left open, at its beginning.
        image_format: what `formats.sniff` said of them; no other format is tried.
        limits: what the image may have.
        opened: is told the size of the image.

    Returns:
        The image, opened afresh on the same reader and not yet decoded.

    Raises:
        ImageLimitExceeded: the image is over a limit.
        UploadedImageIsUnreadableError: the image cannot be decoded.
    """
    original = open_original(reader, image_format, limits)
    opened(original.shown_size)
    scale = max(DECODE_SCALES) if original.can_be_scaled else 1

    def check() -> None:
        with reading(), original.spent.counted():
            decode(original, scale)

    _in_turn(original.pixels(scale), limits, check)
    with reading():
        image = open_image(reader, image_format, original.header.pieces, ProcessorTime(None))
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
        return open_original(reader, image_format, _SIZE_LIMITS).shown_size
    except UploadedImageIsUnreadableError:
        return None


def _planned(
    original: Original, variants: Sequence[Variant], subjects: Mapping[str, Point], scale: int | None = None
) -> Plan:
    """How the thumbs are made.

    Args:
        original: the image.
        variants: what is wanted.
        subjects: what crops have in their middle, by thumb name; the middle of the image where that is not told.
        scale: the fraction that it is decoded at, where it is already.
    """
    placements: dict[str, Placement] = {}
    for variant in variants:
        subject = subjects.get(variant.thumb_name, MIDDLE)
        placement = place(original.shown_size, variant.thumb, variant.density, subject)
        placements[variant.label] = as_stored(placement, original.orientation, original.stored_size)
    return make_plan(placements, scaled_decode=original.can_be_scaled, scale=scale)


def _smart_subjects(original: Original, decoded: Decoded, variants: Sequence[Variant]) -> dict[str, Point]:
    """What draws the eye, by thumb name, for those that want to know."""
    smart = {variant.thumb_name: variant.thumb for variant in variants if variant.thumb.crop == "smart"}
    if not smart:
        return {}
    saliency = Saliency(_glance(original, decoded, _GLANCE))
    return {name: subject_of(saliency, original.shown_size, thumb) for name, thumb in smart.items()}


def _glance(original: Original, decoded: Decoded, side: int) -> Image.Image:
    """The whole image as it is shown, with at most so many pixels a side."""
    whole = decoded.image.size
    scale = min(1.0, side / max(whole))
    size = max(1, round(whole[0] * scale)), max(1, round(whole[1] * scale))
    small = decoded.image.resize(size, Image.Resampling.BOX, reducing_gap=1.0)
    picture = _upright(decoded.coloured(small, (0, 0, *whole)), original.orientation)
    return picture.convert("RGB") if picture.mode == "YCbCr" else picture


def _has_few_colours(image: Image.Image, decoded: Image.Image) -> bool:
    """Whether its colours have, or could have, a palette; that there are too many is seen after a few rows."""
    return image.mode in ("1", "P") or (decoded.mode in ("RGB", "RGBa") and decoded.getcolors(256) is not None)


class _Picture:
    """The finished pixels of a thumb, which several threads encode: the first of them makes them.

    Pillow keeps the options of an encoder on the image while it writes, so each of several formats has a copy.
    """

    def __init__(self, make: Callable[[], Image.Image], *, is_shared: bool) -> None:
        self._make = make
        self._is_shared = is_shared
        self._lock = threading.Lock()
        self._image: Image.Image | None = None

    def get(self) -> Image.Image:
        with self._lock:
            if self._image is None:
                self._image = self._make()
            return self._image.copy() if self._is_shared else self._image


def _finished(decoded: Decoded, step: Step, scaled: Image.Image, orientation: int, thumb: Thumb) -> Image.Image:
    """What was scaled, with its colours, upright, and with what the thumb wants besides."""
    return finished(_upright(decoded.coloured(scaled, step.shown), orientation), thumb, step.canvas)


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    return image.transpose(_TURNS[orientation]) if orientation > 1 else image


def _encoded(picture: _Picture, variant: Variant, spent: ProcessorTime, few_colours: bool) -> Rendered:
    with spent.counted():
        try:
            image = picture.get()
            data = encoded(image, variant, few_colours=few_colours)
        except PILLOWS as error:
            cause = f"thumb {variant.label!r} cannot be encoded as {variant.format}"
            raise translated(error, RenderingError(cause)) from error
    return Rendered(variant, data, image.size)
