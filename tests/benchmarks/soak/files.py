"""The files that the clients upload, all drawn here: good ones, each kind in colours of its own, and bad ones."""

from __future__ import annotations

import colorsys
import io
import zlib
from dataclasses import dataclass
from itertools import count
from typing import Any

from PIL import Image, ImageDraw

from tests.hostile.builder import gif, gif_frame, png

Colour = tuple[int, int, int]
Size = tuple[int, int]

SMALL: Size = (640, 480)
PHONE: Size = (4000, 3000)
PHONE_SCREEN: Size = (1290, 2796)
COLOURS = 30
"""So many hues, evenly spread, still differ by more than twice what a lossy format loses."""

_GRAIN = 9
"""The noise of a phone's sensor, in brightness levels; with it a photo of 12 megapixels takes 3 MB or so."""

_TURNED = 6
"""The EXIF orientation of a phone that is held upright: to be turned by a quarter."""


@dataclass(frozen=True)
class Upload:
    """One file as a client sends it; `colour` and `size` (as shown, in pixels) are None if it is a bad one."""

    kind: str
    name: str
    data: bytes
    weight: float
    colour: Colour | None = None
    size: Size | None = None

    @property
    def good(self) -> bool:
        return self.colour is not None

    @property
    def large(self) -> bool:
        """Whether it is a good one that takes much memory to decode."""
        return self.size is not None and self.size[0] * self.size[1] > 1_000_000


def draw_all() -> list[Upload]:
    """Every file. The weights make up the mix: about a fifth is bad, an eighth is large and good."""
    small, large = draw_small(), draw_large()
    return [*small, *large, *draw_bad(small[0].data, large[0].data)]


def draw_small() -> list[Upload]:
    hues = map(_hue, count())
    return [
        *(_photo("small JPEG", SMALL, next(hues), "JPEG", 5) for _ in range(8)),
        *(_photo("turned JPEG", SMALL[::-1], next(hues), "JPEG", 3, turned=True) for _ in range(4)),
        *(_screen("small PNG", SMALL, next(hues), 4) for _ in range(4)),
        *(_transparent(next(hues), 3) for _ in range(3)),
        *(_photo("small WebP", SMALL, next(hues), "WEBP", 3) for _ in range(3)),
    ]


def draw_large() -> list[Upload]:
    hues = map(_hue, count(COLOURS - 6))
    return [
        *(_photo("phone JPEG", PHONE, next(hues), "JPEG", 3) for _ in range(3)),
        *(_screen("phone PNG", PHONE_SCREEN, next(hues), 2) for _ in range(2)),
        _photo("phone WebP", PHONE, next(hues), "WEBP", 2),
    ]


def draw_bad(small: bytes, large: bytes) -> list[Upload]:
    """Files that are to be refused; two of them are these JPEGs, cut off."""
    html = b"<!DOCTYPE html><html><body><script>alert(1)</script></body></html>"
    return [
        Upload("truncated JPEG", "photo.jpg", small[: len(small) * 3 // 5], 6),
        Upload("truncated phone JPEG", "photo.jpg", large[: len(large) // 2], 2),
        Upload("text named .jpg", "photo.jpg", b"This is no photo.\n" * 50, 4),
        Upload("HTML named .png", "screen.png", html, 4),
        Upload("no bytes at all", "photo.jpg", b"", 3),
        Upload("PNG bomb", "screen.png", _png_bomb(), 4),
        Upload("GIF of 65,535 x 65,535", "dance.gif", _huge_gif(), 3),
    ]


def draw_one(size: Size) -> bytes:
    """A JPEG of this size."""
    return _photo("one", size, _hue(0), "JPEG", 1).data


def _hue(number: int) -> Colour:
    red, green, blue = colorsys.hsv_to_rgb(number / COLOURS, 0.7, 0.8)
    return round(red * 255), round(green * 255), round(blue * 255)


def _photo(kind: str, size: Size, colour: Colour, image_format: str, weight: float, *, turned: bool = False) -> Upload:
    """A photo of one colour with grain; `size` is that of the photo as it is shown."""
    image = _grained(size[::-1] if turned else size, colour)
    exif = Image.Exif()
    exif[0x0112] = _TURNED if turned else 1
    name = {"JPEG": "photo.jpg", "WEBP": "picture.webp"}[image_format]
    return Upload(kind, name, _encoded(image, image_format, quality=82, exif=exif), weight, colour, size)


def _screen(kind: str, size: Size, colour: Colour, weight: float) -> Upload:
    """A screenshot: an even colour, with lines of text at the top."""
    image = Image.new("RGB", size, colour)
    pen = ImageDraw.Draw(image)
    for top in range(4, size[1] // 5, 12):
        pen.text((8, top), "The quick brown fox jumps over the lazy dog. " * 3, fill="white")
    return Upload(kind, "screen.png", _encoded(image, "PNG"), weight, colour, size)


def _transparent(colour: Colour, weight: float) -> Upload:
    """A disc on nothing."""
    image = Image.new("RGBA", SMALL, (0, 0, 0, 0))
    ImageDraw.Draw(image).ellipse((20, 20, SMALL[0] - 20, SMALL[1] - 20), fill=(*colour, 255))
    return Upload("transparent PNG", "logo.png", _encoded(image, "PNG"), weight, colour, SMALL)


def _grained(size: Size, colour: Colour) -> Image.Image:
    grain = Image.effect_noise(size, _GRAIN)  # around 128
    bands = [grain.point([min(255, max(0, level - 128 + part)) for level in range(256)]) for part in colour]
    return Image.merge("RGB", bands)


def _encoded(image: Image.Image, image_format: str, **options: Any) -> bytes:
    output = io.BytesIO()
    image.save(output, image_format, **options)
    return output.getvalue()


def _png_bomb(side: int = 60_000) -> bytes:
    """A PNG of a few hundred bytes that says it has 3.6 billion pixels."""
    return png(side, side, colour=2, pixels=zlib.compress(bytes(100_000)))


def _huge_gif(side: int = 65_535) -> bytes:
    """One pixel on the largest canvas that there can be."""
    return gif(side, side, gif_frame())
