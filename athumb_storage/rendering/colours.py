"""Every kind of pixel there is, made grey, RGB or RGBA in the sRGB colour space."""

from __future__ import annotations

import io
import logging

from PIL import Image, ImageCms

logger = logging.getLogger("athumb_storage")


def normalised(image: Image.Image) -> Image.Image:
    """The image in mode L, RGB or RGBA and in sRGB, with nothing else attached to it."""
    profile = image.info.get("icc_profile")
    image = _eight_bit(image)
    if "transparency" in image.info or image.mode in ("LA", "La", "PA", "RGBa"):
        image = image.convert("RGBA")
    elif image.mode == "P":
        image = image.convert(image.palette.mode if image.palette else "RGB")
    if profile:
        image = _in_srgb(image, profile)
    if image.mode not in ("L", "RGB", "RGBA"):
        image = image.convert("RGB")
    # Encoders write comments, profiles and EXIF data that they find here.
    image.info = {}
    return image


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
        image = image.convert("I")
        deep = image.getextrema()[1] > 255  # type: ignore[operator]  # one band: a pair of numbers
        return (image.point(lambda value: value * (1 / 256)) if deep else image).convert("L")
    return image.convert("L") if image.mode == "F" else image


def _in_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    mode = "RGBA" if image.mode == "RGBA" else "RGB"
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if image.mode in ("RGB", "RGBA") and "sRGB" in ImageCms.getProfileDescription(source):
            return image
        converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode=mode)
    except (ImageCms.PyCMSError, OSError, ValueError) as error:
        # Photos with a broken or foreign profile are common; without it they only look a little off.
        logger.warning("Ignored an ICC profile that cannot be used: %s", error)
        return image
    return converted or image
