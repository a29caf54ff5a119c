"""Every kind of pixel there is, made grey, RGB or RGBA in the sRGB colour space."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image, ImageCms

logger = logging.getLogger("athumb_storage")


@dataclass(frozen=True)
class ColourSpace:
    """What a file says of its colours; where it says nothing, they are sRGB."""

    profile: bytes | None = None
    """An ICC profile."""
    cicp: tuple[int, int, int, bool] | None = None
    """Colour primaries, transfer characteristics, matrix coefficients and whether the range is full (ITU-T H.273)."""
    gamma: float | None = None
    """The exponent that pixels were encoded with, as in gAMA of a PNG: 0.45455 for most."""
    chromaticities: tuple[float, float, float, float, float, float, float, float] | None = None
    """x and y of white, red, green and blue, as in cHRM of a PNG."""


ToSrgb = Callable[[Image.Image], Image.Image]
"""Makes an image that was scaled one in mode L, RGB or RGBA and in the sRGB colour space."""


def scalable(image: Image.Image, space: ColourSpace) -> tuple[Image.Image, ToSrgb]:
    """The pixels of an image in a mode that can be scaled, and what is to be done with what was scaled from them.

    A profile is applied after scaling because there are far fewer pixels then.
    """
    profile = space.profile
    image, alpha = _without_alpha(_eight_bit(image))
    if profile:
        image = _in_srgb(image, profile)
    if image.mode not in ("L", "RGB"):
        image = image.convert("RGB")
    if alpha is not None:
        image.putalpha(alpha)
        image = image.convert("RGBA")
    # Encoders write comments, profiles and EXIF data that they find here.
    image.info = {}
    return image, _as_it_is


def _as_it_is(image: Image.Image) -> Image.Image:
    return image.convert("RGBA") if image.mode == "RGBa" else image


def _without_alpha(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """The colours alone, and the transparency, if there is any; a profile speaks of colours only."""
    if image.has_transparency_data:
        alpha = image.convert("RGBA").getchannel("A")
        grey = image.mode in ("L", "LA", "La")
        return image.convert("LA" if image.mode == "La" else "RGBA").convert("L" if grey else "RGB"), alpha
    return (image.convert("RGB") if image.mode == "P" else image), None


def flattened(image: Image.Image) -> Image.Image:
    """The image without transparency, on white."""
    if image.mode != "RGBA":
        return image
    background = Image.new("RGB", image.size, "white")
    background.paste(image, mask=image.getchannel("A"))
    return background


def _eight_bit(image: Image.Image) -> Image.Image:
    """Pillow cuts 16-bit grey off at 255 when it converts it, so it is scaled first."""
    if image.mode == "1":
        return image.convert("L")
    if image.mode.startswith("I"):
        # Mode I holds 32 bits, whatever the file had.
        deep = image.mode != "I" or image.getextrema()[1] > 255  # type: ignore[operator]  # a pair of numbers
        image = image.convert("I")
        return (image.point(lambda value: value * (1 / 256)) if deep else image).convert("L")
    return image.convert("L") if image.mode == "F" else image


def _in_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if image.mode == "RGB" and "sRGB" in ImageCms.getProfileDescription(source):
            return image
        converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError) as error:
        if TimeoutError in (type(error), type(error.__cause__)):
            raise  # of somebody who wants this thread to stop
        # Photos with a broken or foreign profile are common; without it they only look a little off.
        logger.warning("Ignored an ICC profile that cannot be used: %s", error)
        return image
    return converted or image
