"""Every kind of pixel there is, made grey, RGB or RGBA in the sRGB colour space."""

from __future__ import annotations

import io
import logging
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial, reduce
from typing import Final

from PIL import Image, ImageChops, ImageCms
from PIL.TiffImagePlugin import TiffImageFile

from athumb_storage.exceptions import UploadedImageIsUnreadableError
from athumb_storage.rendering.containers import tiff
from athumb_storage.rendering.profiles import Chromaticities, of_code_points, of_gamma, with_srgb_curve

_MOST_KEPT: Final = 1 << 16
"""Bytes of a profile that is kept, with what was made of it, for the next image that has it."""

_INVISIBLE: Final = 2
"""By how many of 255 a profile may change colours and still be sRGB: profiles of sRGB differ by that much."""

logger = logging.getLogger("athumb_storage")


@dataclass(frozen=True)
class ColourSpace:
    """What a file says of its colours; where it says nothing, they are sRGB."""

    profile: bytes | None = None
    """An ICC profile. It counts before code points, and these before a gamma."""
    cicp: tuple[int, int, int, bool] | None = None
    """Colour primaries, transfer characteristics, matrix coefficients and whether the range is full (ITU-T H.273)."""
    gamma: float | None = None
    """The exponent that pixels were encoded with, as in gAMA of a PNG: 0.45455 for most."""
    chromaticities: Chromaticities | None = None
    """x and y of white, red, green and blue, as in cHRM of a PNG."""
    key: tuple[int, ...] | None = None
    """The colour that is transparent, as in tRNS of a PNG."""
    depth: int = 8
    """Bits of each number in the file, and in `key`."""

    def icc(self) -> bytes | None:
        """The profile by which the colours are to be converted; None if they are sRGB."""
        if self.profile:
            return self.profile
        return of_code_points(*self.cicp[:2]) if self.cicp else of_gamma(self.gamma, self.chromaticities)


ToSrgb = Callable[[Image.Image], Image.Image]
"""Makes an image that was scaled one in mode L, RGB or RGBA and in the sRGB colour space."""


def scalable(
    image: Image.Image, space: ColourSpace, low_bytes: Callable[[], Image.Image] | None = None
) -> tuple[Image.Image, ToSrgb]:
    """The pixels of an image in a mode that can be scaled, and what is to be done with what was scaled from them.

    A profile is applied after scaling because there are far fewer pixels then. What is transparent is scaled with its
    colours multiplied by it (RGBa). CMYK without a profile becomes what is left of white when the inks are taken off,
    (255 - c) * (255 - k) / 255, as in browsers.

    Args:
        image: the image, decoded.
        space: what the file says of its colours.
        low_bytes: gives the lower halves of the numbers of an image of 16 bits a colour, of which Pillow keeps the
            upper ones.

    Raises:
        UploadedImageIsUnreadableError: Pillow would read the pixels as something else than they are.
    """
    if isinstance(image, TiffImageFile):
        image = _understood_tiff(image)
    is_grey = image.getbands()[0] in ("1", "L", "I")
    profile = space.icc()
    if profile and space.depth == 16 and image.mode in ("RGB", "RGBA") and low_bytes and not space.key:
        image, profile = _from_sixteen_bits(image, low_bytes, profile)
    if space.key:
        image = _without_key(image, space, low_bytes)
    elif image.mode == "F":
        image = _of_floats(image)
    elif image.mode == "1":
        image = image.convert("L")
    elif image.mode.startswith("I;16"):
        image = image.convert("I")
    elif image.mode in ("YCbCr", "LAB", "HSV"):
        image = image.convert("RGB")
    elif image.has_transparency_data:
        image = image.convert("LA") if image.mode == "La" else image
        image = (image if image.mode == "RGBA" else image.convert("RGBA")).convert("RGBa")
    elif image.mode == "P":
        image = image.convert("RGB")
    # Encoders write comments, profiles and EXIF data that they find here.
    image.info = {}
    return image, partial(in_srgb, profile=profile, is_grey=is_grey)


def flattened(image: Image.Image) -> Image.Image:
    """The image without transparency, on white."""
    if image.mode != "RGBA":
        return image
    background = Image.new("RGB", image.size, "white")
    background.paste(image, mask=image.getchannel("A"))
    return background


_EIGHT_BITS: Final = [round(value / 257) for value in range(65536)]
_EIGHT_BITS_INVERTED: Final = _EIGHT_BITS[::-1]


def _understood_tiff(image: TiffImageFile) -> Image.Image:
    """An image whose numbers mean what Pillow takes them for, or are made to.

    Raises:
        UploadedImageIsUnreadableError: nobody would recognise it.
    """
    tags = image.tag_v2
    bits = max(tags.get(tiff.BITS_PER_SAMPLE, (1,)))
    if bits > 16 and image.mode != "F":
        raise UploadedImageIsUnreadableError("A TIFF of whole numbers of 32 bits is not supported")
    if bits > 8 and tags.get(tiff.PLANES) == 2 and len(image.getbands()) > 1:
        raise UploadedImageIsUnreadableError("A TIFF of 16 bits whose colours are stored apart is not supported")
    colours = tags.get(tiff.COLOUR_MAP, ())
    if image.mode == "P" and max(colours) < 256:  # they should have 16 bits, of which some programs fill 8
        count = len(colours) // 3
        image.putpalette([number for colour in range(count) for number in colours[colour::count]])
    if image.mode.startswith("I;16") and tags.get(tiff.PHOTOMETRIC) == 0:  # zero is white
        return image.convert("I").point(_EIGHT_BITS_INVERTED, "L")
    return image


def _of_floats(image: Image.Image) -> Image.Image:
    """Numbers from 0 to 1, as most programs write them, or else from 0 to 255."""
    lowest, highest = image.getextrema()
    if lowest >= 0 and highest <= 1:  # type: ignore[operator]  # two numbers
        image = image.point(lambda value: value * 255 + 0.5)
    return image.convert("L")


def _without_key(image: Image.Image, space: ColourSpace, low_bytes: Callable[[], Image.Image] | None) -> Image.Image:
    """The image, transparent where it has the one colour that a PNG calls transparent, bit for bit."""
    key, most = space.key or (), (1 << space.depth) - 1
    if image.mode.startswith("I;16"):
        image = image.convert("I")
        alpha = image.point([255 * (value != key[0]) for value in range(65536)], "L")
        image = image.point(_EIGHT_BITS, "L")
    elif space.depth == 16:
        low = low_bytes() if low_bytes else image
        parts = [number >> 8 for number in key] + [number & 255 for number in key]
        alpha = _different([*image.split(), *low.split()], parts)
    else:
        image = image.convert("L") if image.mode == "1" else image
        alpha = _different(image.split(), [(number & most) * 255 // most for number in key])
    image = image.convert("RGB")
    image.putalpha(alpha)
    return image.convert("RGBa")


def _different(bands: Sequence[Image.Image], numbers: Sequence[int]) -> Image.Image:
    """255 where one of the bands has not its number, else 0."""
    unlike = [
        band.point([255 * (value != number) for value in range(256)])
        for band, number in zip(bands, numbers, strict=True)
    ]
    return reduce(ImageChops.lighter, unlike)


def in_srgb(image: Image.Image, profile: bytes | None = None, *, is_grey: bool = False) -> Image.Image:
    """What was scaled, in mode L, RGB or RGBA and in sRGB, by this profile or else as it is."""
    if image.mode == "YCbCr":
        image = image.convert("RGB")
    alpha = None
    if image.mode == "RGBa":
        image = image.convert("RGBA")
        alpha = image.getchannel("A")
        image = image.convert("L" if is_grey else "RGB")
    if profile:
        image = _converted(image, profile)
    if image.mode == "I":
        image = image.point(_EIGHT_BITS, "L")
    if image.mode not in ("L", "RGB"):
        image = image.convert("RGB")
    if alpha is not None and alpha.getextrema() != (255, 255):
        image = image.convert("RGB")
        image.putalpha(alpha)
    image.info = {}
    return image


def _converted(image: Image.Image, profile: bytes) -> Image.Image:
    try:
        space = ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile.xcolor_space.strip()
        if space == "RGB" and image.mode == "I" and (curves := with_srgb_curve(profile)):
            space, profile = "GRAY", curves[1][0]  # what is grey has but a curve
        if space == "RGB" and image.mode in ("L", "I"):
            image = in_srgb(image).convert("RGB")
        elif image.mode == "I":
            image = image.convert("I;16")
        transform = _transform(profile, image.mode)
        if transform is None:
            return image.convert("I") if image.mode == "I;16" else image
        converted = ImageCms.applyTransform(image, transform) or image  # None where it is done in place
    except (ImageCms.PyCMSError, OSError, ValueError) as error:
        _raise_if_stopped(error)
        # Photos with a broken or foreign profile are common; without it they only look a little off.
        logger.warning("Ignored an ICC profile that cannot be used: %s", error)
        return image.convert("I") if image.mode == "I;16" else image
    return converted.convert("L") if space == "GRAY" else converted


def _raise_if_stopped(error: Exception) -> None:
    """Raise an error again that is of somebody who wants this thread to stop, and no word about the image."""
    if TimeoutError in (type(error), type(error.__cause__)):
        raise error


def _from_sixteen_bits(
    image: Image.Image, low_bytes: Callable[[], Image.Image], profile: bytes
) -> tuple[Image.Image, bytes]:
    """Colours of 16 bits made ones of 8, and the profile that these have.

    Where a profile's curve is steep in the shadows, as that of linear light is, 8 bits are too few for it: the colours
    get sRGB's curve before they are cut. Table profiles, which have no such curve, are left as they are.
    """
    try:
        curves = with_srgb_curve(profile)
        tables = [_table(grey) for grey in curves[1]] if curves else []
    except (ImageCms.PyCMSError, OSError, ValueError) as error:
        _raise_if_stopped(error)
        return image, profile  # which is warned of where it is used
    if curves is None or max(table[257] for table in tables) <= _INVISIBLE:
        return image, profile
    bands, low = list(image.split()), low_bytes()
    for number, table in enumerate(tables):
        both = Image.merge("LA", (low.getchannel(number), bands[number])).tobytes()
        bands[number] = Image.frombytes("I", image.size, both, "raw", "I;16").point(table, "L")
    return Image.merge(image.mode, bands), curves[0]


def _table(grey: bytes) -> bytes:
    """What each number of 16 bits is in sRGB, by a profile for greys."""
    ramp = Image.frombytes("I;16", (256, 256), struct.pack("<65536H", *range(65536)))
    transform = _transform(grey, "I;16")
    return (ImageCms.applyTransform(ramp, transform) or ramp).convert("L").tobytes() if transform else bytes(65536)


def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """How colours of a profile become sRGB; None if they are sRGB, which their numbers tell and not their name."""
    # Few profiles are in use, so they are kept; but not those of which a few fill the memory.
    built = _built if len(profile) <= _MOST_KEPT else _built.__wrapped__
    return built(profile, mode)


@lru_cache(maxsize=32)
def _built(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    # LittleCMS makes of a curve for 16 bits one of so few points that shadows come out half as bright.
    flags = ImageCms.Flags.NOOPTIMIZE if mode == "I;16" else ImageCms.Flags.NONE
    transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB", flags=flags)
    if mode not in ("L", "RGB"):
        return transform
    ramp = Image.linear_gradient("L")
    probe = ramp if mode == "L" else Image.merge("RGB", (ramp, ramp.rotate(90), ramp.rotate(180)))
    converted = ImageCms.applyTransform(probe, transform)
    changes = ImageChops.difference(probe.convert("RGB"), converted or probe).getextrema()
    return transform if max(highest for _, highest in changes) > _INVISIBLE else None  # type: ignore[misc]
