"""Thumbs that move: which do, their frames at their sizes, and how each format holds them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from PIL import Image, ImageChops

from athumb_storage.exceptions import RenderingError
from athumb_storage.geometry import Size
from athumb_storage.rendering.containers import avif, gif, riff
from athumb_storage.rendering.encoding import encoded, options_of, with_palette_of_gif, written
from athumb_storage.rendering.frames import LONGEST, Animation, pictures, read_animation
from athumb_storage.rendering.guard import ProcessorTime
from athumb_storage.rendering.limits import Limits
from athumb_storage.rendering.opening import PILLOWS, Original, reading, translated
from athumb_storage.rendering.plan import Plan, Step
from athumb_storage.specs import Variant

_MOVING: Final = frozenset({"GIF", "PNG", "WEBP", "AVIF"})

_SHORTEST: Final = 10
"""Up to how many ms browsers take the delay of a frame for a mistake, and show it for 100 ms."""

_CANVASES: Final = 3
"""How many there are at once: the one that is seen, the same to be scaled, and what is decoded of a frame."""

logger = logging.getLogger("athumb_storage")


@dataclass
class Film:
    """The frames of a thumb, in mode RGB or RGBA; one that looks like the one before it is not kept."""

    frames: list[Image.Image] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)
    """Until when each is shown, in ms from the beginning. So no rounding adds up."""

    def add(self, frame: Image.Image, end: float) -> None:
        """Show a frame next, until then."""
        if self.frames and self.frames[-1] == frame:
            self.ends[-1] = end
        else:
            self.frames.append(frame)
            self.ends.append(end)

    def durations(self, unit: int = 1, least: int = 0) -> list[int]:
        """How long each is shown, in units of so many ms; one of more than 10 ms at least so many units."""
        found, at, before = [], 0, 0.0
        for end in self.ends:
            lasts = max(round(end / unit) - at, least if end - before > _SHORTEST else 0)
            found.append(min(lasts, LONGEST // unit))
            at, before = at + lasts, end
        return found


@dataclass(frozen=True)
class Motion:
    """What is to be made of an animation."""

    animation: Animation
    variants: Sequence[Variant]
    plan: Plan
    pixels: int
    """How many are held at most while it is made."""


def motion_of(
    original: Original,
    variants: Sequence[Variant],
    limits: Limits,
    planned: Callable[[Sequence[Variant]], Plan],
    must_move: bool = False,
) -> Motion | None:
    """What is to move of these variants; None if nothing does.

    Raises:
        ImageLimitExceeded: there are too many frames, or too large ones.
        UploadedImageIsUnreadableError: the file is damaged.
    """
    wanted = [variant for variant in variants if variant.thumb.animated]
    if not wanted:
        return None
    moving = [variant for variant in wanted if variant.format in _MOVING]
    with reading(), original.spent.counted():
        animation = read_animation(original, limits.max_frames if moving else 1)
    count = len(animation.frames)
    if count < 2:
        return None
    for variant in wanted:
        if variant not in moving:
            logger.info("Thumb %r stands still: %s cannot move", variant.label, variant.format)
    if not moving:
        return None
    limits.check_frames(count)
    for frame in animation.frames:
        limits.check_size(frame.size)
    plan = planned(moving)
    thumbs = count * sum(_area(step.canvas or step.size) for step in plan.steps)
    canvas, areas = _area(original.stored_size), [_area(frame.size) for frame in animation.frames]
    made = thumbs + sum(max(canvas, area) for area in areas)
    if must_move:
        limits.check_animation(made)
    if not _is_within(made, count, moving, limits.max_animation_pixels):
        return None
    return Motion(animation, moving, plan, _CANVASES * max(original.pixels(1), *areas) + thumbs)


def _area(size: Size) -> int:
    return size[0] * size[1]


def _is_within(pixels: int, frames: int, variants: Sequence[Variant], most: int | None) -> bool:
    """Whether an animation may have so many pixels; if not, that is told."""
    if most is None or pixels <= most:
        return True
    logger.warning(
        "Thumbs %s stand still: %d frames come to %d pixels, more than the %d that are allowed (max_animation_pixels)",
        ", ".join(repr(variant.label) for variant in variants),
        frames,
        pixels,
        most,
    )
    return False


def films(
    original: Original,
    motion: Motion,
    scaled: Callable[[Image.Image], Iterator[tuple[Step, Image.Image]]],
    finish: Callable[[Step, Image.Image], Image.Image],
) -> dict[str, Film]:
    """The frames of each thumb, by the label of its variants.

    Args:
        original: what they are decoded from.
        motion: what is to be made of it.
        scaled: makes of what is to be seen each step of the plan.
        finish: makes a frame of what was scaled: upright, in sRGB, and with what the thumb wants besides.
    """
    found = {step.label: Film() for step in motion.plan.steps}
    for picture, end in pictures(original, motion.animation.frames):
        for step, image in scaled(picture):
            with original.spent.counted():
                frame = finish(step, image)
                found[step.label].add(frame.convert("RGB") if frame.mode == "L" else frame, end)
    return found


def encoded_film(film: Film, variant: Variant, plays: int, spent: ProcessorTime) -> bytes:
    """A thumb's bytes.

    Raises:
        RenderingError: it cannot be encoded.
    """
    with spent.counted():
        try:
            if len(film.frames) == 1:
                return encoded(film.frames[0], variant)
            if any(frame.mode == "RGBA" for frame in film.frames):
                film = Film([frame.convert("RGBA") for frame in film.frames], film.ends)
            return _WRITERS[variant.format](film, plays, options_of(variant))
        except PILLOWS as error:
            cause = f"thumb {variant.label!r} cannot be encoded as {variant.format}"
            raise translated(error, RenderingError(cause)) from error


def _gif(film: Film, plays: int, options: Mapping[str, Any]) -> bytes:
    """Each frame with a palette of its own.

    Pillow would write them together, but stumbles over some palettes that it made itself ("invalid palette size").
    """
    options = {"interlace": False, **options}
    is_solid = film.frames[0].mode == "RGB"
    frames, before = [], None
    for frame, delay in zip(film.frames, film.durations(unit=10, least=2), strict=True):
        part, corner = _changed(before, frame) if before and is_solid else (frame, (0, 0))
        image, more = with_palette_of_gif(part, options)
        # Where something shows through, each frame is whole, and cleared before the next.
        frames.append(gif.as_frame(written(image, "GIF", more), corner, delay, disposal=1 if is_solid else 2))
        before = frame
    return gif.animation(film.frames[0].size, frames, plays)


def _changed(before: Image.Image, frame: Image.Image) -> tuple[Image.Image, tuple[int, int]]:
    """What is not as in the frame before, transparent where it is, and where it lies."""
    red, green, blue = ImageChops.difference(before, frame).split()
    difference = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    box = difference.getbbox()
    assert box is not None  # noqa: S101, a film holds no two frames that are the same
    part = frame.crop(box)
    part.putalpha(difference.crop(box).point([0] + 255 * [255]))
    return part, box[:2]


def _png(film: Film, plays: int, options: Mapping[str, Any]) -> bytes:
    # A delay is a fraction of two numbers of 16 bits, which longer ones in ms are not.
    durations = [lasts if lasts <= 0xFFFF else 10 * round(lasts / 10) for lasts in film.durations()]
    return _saved(film, "PNG", {**options, "duration": durations, "loop": plays})


def _webp(film: Film, plays: int, options: Mapping[str, Any]) -> bytes:
    # A key frame now and then, for those who want to begin in the middle, takes a fourth of the time, and bytes.
    more = {"method": 4, "kmax": 0, **options, "duration": film.durations(), "loop": plays}
    data = _saved(film, "WEBP", more)
    return riff.with_alpha(data) if film.frames[0].mode == "RGBA" else data


def _avif(film: Film, plays: int, options: Mapping[str, Any]) -> bytes:
    return avif.with_plays(_saved(film, "AVIF", {**options, "duration": film.durations()}), plays)


def _saved(film: Film, image_format: str, options: Mapping[str, Any]) -> bytes:
    first, *rest = film.frames
    return written(first, image_format, {**options, "save_all": True, "append_images": rest})


_WRITERS: Final[Mapping[str, Callable[[Film, int, Mapping[str, Any]], bytes]]] = {
    "GIF": _gif,
    "PNG": _png,
    "WEBP": _webp,
    "AVIF": _avif,
}
