"""How a finished thumb is written: what each format's encoder is told, and the palettes of PNG and GIF."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from PIL import Image, ImageChops, ImageStat, features

from athumb_storage.exceptions import RenderingError
from athumb_storage.rendering.colours import flattened
from athumb_storage.specs import Variant

_WITHOUT_ALPHA: Final = frozenset({"JPEG", "BMP"})

_DEFAULTS: Final[Mapping[str, Mapping[str, Any]]] = {
    # A twentieth smaller, and the same pixels.
    "JPEG": {"optimize": True, "progressive": True},
    # A fourth of the time of speed 6, for 2 % more bytes. A second thread gains a tenth, if it is not busy elsewhere.
    "AVIF": {"speed": 8, "max_threads": 1},
}

_IN_PIECES: Final = {"optimize": False, "progressive": False}

_MOST_COLOURS: Final = 256

_LOOKS_THE_SAME: Final = 40.0
"""The peak signal-to-noise ratio, in decibels, from which on nobody tells two pictures apart side by side."""

_SOLID: Final = 128
"""From which alpha on a pixel of a GIF is there."""


@lru_cache
def can_write(format: str) -> bool:  # noqa: A002, it is the option's name
    """Whether the Pillow that is installed can write this format: WebP and AVIF may be left out of a build."""
    return format not in ("WEBP", "AVIF") or bool(features.check(format.lower()))


def encoded(image: Image.Image, variant: Variant, *, few_colours: bool = False) -> bytes:
    """A thumb's bytes.

    Args:
        image: its pixels, in mode L, RGB, YCbCr or RGBA and in sRGB, upright.
        variant: what it is encoded as.
        few_colours: whether its original has so few colours that a palette held them.

    Raises:
        RenderingError: the installed Pillow cannot write the format.
    """
    image_format, options = variant.format, options_of(variant)
    if image.mode == "YCbCr" and image_format != "JPEG":
        image = image.convert("RGB")
    if image_format in _WITHOUT_ALPHA:
        image = flattened(image)
    elif image_format == "GIF":
        image, options = with_palette_of_gif(image, options)
    elif image_format == "PNG":
        image = _grey_if_grey(image)
        plain = written(image, "PNG", options)
        smaller = _with_palette(image, few_colours=few_colours)
        return plain if smaller is None else min(plain, written(smaller, "PNG", options), key=len)
    return written(image, image_format, options)


def options_of(variant: Variant) -> Mapping[str, Any]:
    """What the encoder of a thumb is told.

    Raises:
        RenderingError: the installed Pillow cannot write the format.
    """
    image_format, thumb = variant.format, variant.thumb
    if not can_write(image_format):
        raise RenderingError(f"thumb {variant.label!r}: the installed Pillow cannot write {image_format}")
    options = {**_DEFAULTS.get(image_format, {}), **(thumb.encoder or {}).get(image_format, {})}
    quality = thumb.quality_for(image_format)
    return options if quality is None else {**options, "quality": quality}


def written(image: Image.Image, image_format: str, options: Mapping[str, Any]) -> bytes:
    """An image's bytes, as Pillow writes them with these options."""
    output = io.BytesIO()
    try:
        image.save(output, image_format, **options)
    except OSError as error:
        # Pillow gives libjpeg a byte a pixel for a JPEG that is optimised or progressive, which noise may need more
        # than; libjpeg says "Suspension not allowed here". A plain one is written in pieces.
        if image_format != "JPEG" or type(error) is not OSError:
            raise
        output = io.BytesIO()
        image.save(output, image_format, **{**options, **_IN_PIECES})
    return output.getvalue()


def _grey_if_grey(image: Image.Image) -> Image.Image:
    if image.mode != "RGB":
        return image
    red, green, blue = image.split()
    is_grey = not (ImageChops.difference(red, green).getbbox() or ImageChops.difference(red, blue).getbbox())
    return red if is_grey else image


def _with_palette(image: Image.Image, *, few_colours: bool) -> Image.Image | None:
    """The same with a palette, if that changes nothing; or nothing that is seen, where the original had few colours."""
    exact = image.getcolors(_MOST_COLOURS) is not None
    if not (exact or (few_colours and image.mode != "L")):
        return None
    if image.mode == "RGBA":
        reduced = image.quantize(_MOST_COLOURS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    else:
        reduced = image.convert("RGB").quantize(_MOST_COLOURS, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    return reduced if _likeness(image, reduced) >= _LOOKS_THE_SAME else None


def _likeness(one: Image.Image, other: Image.Image) -> float:
    """The peak signal-to-noise ratio of two images, in decibels, on the background where they differ more."""
    worst = 0.0
    for background in ("white", "black"):
        pair = []
        for image in (one, other):
            ground = Image.new("RGBA", image.size, background)
            ground.alpha_composite(image.convert("RGBA"))
            pair.append(ground.convert("RGB"))
        worst = max(worst, max(ImageStat.Stat(ImageChops.difference(*pair)).rms))
    return math.inf if not worst else 20 * math.log10(255 / worst)


def with_palette_of_gif(image: Image.Image, options: Mapping[str, Any]) -> tuple[Image.Image, Mapping[str, Any]]:
    """The image with a palette of its own, in which one entry stands for nothing where it is transparent."""
    if image.mode != "RGBA":
        return image if image.mode == "L" else image.quantize(_MOST_COLOURS, Image.Quantize.MEDIANCUT), options
    nothing = image.getchannel("A").point([255 * (alpha < _SOLID) for alpha in range(256)])
    reduced = image.convert("RGB").quantize(_MOST_COLOURS - 1, Image.Quantize.MEDIANCUT)
    reduced.paste(_MOST_COLOURS - 1, mask=nothing)
    return reduced, {**options, "transparency": _MOST_COLOURS - 1}
