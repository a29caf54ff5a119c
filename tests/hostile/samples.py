"""Valid images, small and varied."""

from __future__ import annotations

import io
import random
from functools import lru_cache

from PIL import Image, ImageCms

from athumb_storage.rendering import readable_formats
from tests.hostile import heic
from tests.hostile.builder import after_soi

SIZE = (48, 36)

EXTENSIONS = {
    "JPEG": "jpg",
    "PNG": "png",
    "GIF": "gif",
    "WEBP": "webp",
    "AVIF": "avif",
    "BMP": "bmp",
    "TIFF": "tif",
    **({"HEIC": "heic"} if "HEIC" in readable_formats() else {}),
}
"""Every format that an original is read in, with an extension for it."""


def picture(mode="RGB", size=SIZE, seed=1):
    """A soft gradient under noise, so that no format can make nothing of it."""
    rng = random.Random(seed)
    bands = []
    for turn in (0, 90, 180):
        noise = Image.frombytes("L", size, rng.randbytes(size[0] * size[1]))
        bands.append(Image.blend(Image.linear_gradient("L").rotate(turn).resize(size), noise, 0.2))
    whole = Image.merge("RGB", bands)
    if mode.endswith("A"):
        whole.putalpha(bands[0])
    if mode == "I;16":
        return Image.frombytes("I;16", size, rng.randbytes(2 * size[0] * size[1]))
    return whole.convert(mode)


def saved(image, image_format, **options):
    output = io.BytesIO()
    # A copy, because Pillow leaves what one encoder was told on the image, where the next one stumbles over it.
    image.copy().save(output, image_format, **options)
    return output.getvalue()


def _exif(orientation=6):
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010E] = "a camera's word"
    return exif


def srgb_profile():
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def _frames(mode="RGB"):
    first, *more = (picture(mode, seed=seed) for seed in (1, 2, 3))
    return first, {"save_all": True, "append_images": more}


def _animated(image_format, **options):
    first, more = _frames()
    return saved(first, image_format, **more, **options)


@lru_cache
def samples():
    """Name -> (format, bytes) of each valid image."""
    rgb, rgba, grey = picture(), picture("RGBA"), picture("L")
    palette = rgb.quantize(16)
    moving_palette, more_palettes = _frames("P")
    return {
        "jpeg": ("JPEG", saved(rgb, "JPEG")),
        "jpeg-progressive": ("JPEG", saved(rgb, "JPEG", progressive=True, exif=_exif(), comment="hello")),
        "jpeg-cmyk": ("JPEG", saved(picture("CMYK"), "JPEG")),
        "jpeg-grey-icc": ("JPEG", saved(rgb, "JPEG", icc_profile=srgb_profile(), restart_marker_rows=1)),
        "mpo": ("JPEG", _animated("MPO")),
        "png": ("PNG", saved(rgba, "PNG", icc_profile=srgb_profile(), exif=_exif(8))),
        "png-palette": ("PNG", saved(palette, "PNG", transparency=3)),
        "png-deep": ("PNG", saved(picture("I;16"), "PNG")),
        "png-bits": ("PNG", saved(grey.convert("1"), "PNG")),
        "apng": ("PNG", _animated("PNG")),
        "gif": ("GIF", saved(palette, "GIF", transparency=2, comment=b"hello")),
        "gif-animated": ("GIF", saved(moving_palette, "GIF", **more_palettes, loop=0, duration=40, disposal=2)),
        "webp": ("WEBP", saved(rgba, "WEBP", exif=_exif(), xmp=b"<x:xmpmeta/>")),
        "webp-lossless": ("WEBP", saved(rgb, "WEBP", lossless=True)),
        "webp-animated": ("WEBP", _animated("WEBP")),
        "avif": ("AVIF", saved(rgba, "AVIF", speed=10, exif=_exif(3))),
        "avif-animated": ("AVIF", _animated("AVIF", speed=10)),
        "bmp": ("BMP", saved(rgb, "BMP")),
        "bmp-palette": ("BMP", saved(palette, "BMP")),
        "tiff": ("TIFF", saved(rgb, "TIFF", exif=_exif(5))),
        "tiff-pages": ("TIFF", _animated("TIFF", compression="tiff_lzw")),
        "tiff-deflate": ("TIFF", saved(rgba, "TIFF", compression="tiff_adobe_deflate")),
        "tiff-jpeg": ("TIFF", saved(rgb, "TIFF", compression="jpeg")),
        "tiff-packbits": ("TIFF", saved(grey, "TIFF", compression="packbits")),
        "tiff-fax": ("TIFF", saved(grey.convert("1"), "TIFF", compression="group4")),
        **(_heics() if "HEIC" in EXTENSIONS else {}),
    }


def _heics():
    tiles = [heic.picture()] * 4
    turned = heic.grid(2, 2, (100, 90), heic.box(b"irot", b"\1"))
    return {
        "heic": ("HEIC", heic.REAL),
        "heic-grid": ("HEIC", heic.heic(turned, *tiles, references=[(b"dimg", 1, 2, 3, 4, 5)])),
    }


def one_of_each():
    """Format -> the bytes of a valid image in it."""
    return {image_format: samples()[image_format.lower()][1] for image_format in EXTENSIONS}


def jpeg_with(*segments):
    """A valid JPEG with these segments right behind its first marker."""
    return after_soi(samples()["jpeg"][1], *segments)
