"""Where a crop lies so that it keeps what draws the eye: contrast to the surroundings, of colours that are rare.

What stands out differs from what is around it, at some scale (L. Itti, C. Koch, E. Niebur: A Model of Saliency-Based
Visual Attention, 1998), and is little of the picture (N. Bruce, J. Tsotsos: Saliency Based on Information Maximization,
2005). Nothing is asked of faces or skin, whose colours vary with people and light.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from operator import mul
from typing import Final

from PIL import Image, ImageChops, ImageFilter, ImageOps, ImageStat

from athumb_storage.geometry import Point, Shape, Size, place

_LONGEST: Final = 96
"""Pixels of the longer side of the small copy, to which the radii below belong."""

_SCALES: Final = (1, 2, 4)
"""Pixels a side of the copy that are one where things are compared with their surroundings."""

_RADII: Final = (0.75, 4.5)
"""How far things are blurred there, and how far their surroundings, in pixels (standard deviation)."""

_WEIGHTS: Final = (1 / 3, 2 / 3, 2 / 3, 0)
"""What brightness, blue and red count for, over three scales; colours differ by less than brightness does."""

_LEVELS: Final = 6
"""Steps of each band among which rare colours are told; their cube has to fit into a byte."""

_LEAST_SPAN: Final = 32
"""Of 255. A band that varies by less is told in coarser steps, so that noise is not many colours."""

_POWER: Final = 3
"""A small thing that stands out much outweighs a large one that stands out little."""

_RIM: Final = 0.6
"""How much less counts what is at the rim of the window than what is in its middle."""

_OUTSIDE: Final = 0.5
"""How much less counts what is at the rim of the picture, where photographers do not put things."""


class Saliency:
    """What draws the eye in a picture."""

    def __init__(self, image: Image.Image) -> None:
        """Looks at a picture.

        Args:
            image: upright, in sRGB and mode L, RGB or RGBA, of any size. It is not changed.
        """
        self._size = image.size
        small = _small(image)
        width, height = small.size
        powers = [value**_POWER for value in range(256)]
        seen = [powers[value] for value in _standing_out(small).tobytes()]
        self._columns = _damped([sum(seen[column::width]) for column in range(width)])
        self._rows = _damped([sum(seen[row * width : (row + 1) * width]) for row in range(height)])

    def offset(self, size: Size) -> tuple[float, float]:
        """Where a crop lies: the largest window with the proportions of `size` that fits into the picture.

        Args:
            size: width and height, in any unit.

        Returns:
            Which part of the room there is across and down is left of the window and above it, from 0 to 1. 0.5 is the
            middle, and said of an axis without room.
        """
        (width, height), (across, down) = self._size, size
        if across * height >= down * width:
            return 0.5, _best(self._rows, width * down / (across * height))
        return _best(self._columns, height * across / (down * width)), 0.5


def subject_of(saliency: Saliency, shown: Size, thumb: Shape) -> Point:
    """The point that a crop has in its middle, of an upright picture of this size, as fractions of that."""
    placement = place(shown, thumb)
    left, top, right, bottom = placement.box
    across, down = saliency.offset(placement.size)
    # The middle of a window that leaves so much of the room before it.
    width, height = (right - left) / shown[0], (bottom - top) / shown[1]
    return width / 2 + across * (1 - width), height / 2 + down * (1 - height)


def _small(image: Image.Image) -> Image.Image:
    if 1 in image.size:  # a line of pixels shows nothing
        return Image.new("L", (1, 1))
    scale = min(1.0, _LONGEST / max(image.size))
    width, height = (max(1, round(side * scale)) for side in image.size)
    return image.resize((width, height), Image.Resampling.BOX, reducing_gap=1.0)


def _damped(sums: Sequence[int]) -> list[float]:
    """The sums along an axis, less of those at its ends."""
    return [value * (1 - _OUTSIDE * _from_middle(at, len(sums)) ** 2) for at, value in enumerate(sums)]


def _from_middle(at: int, count: int) -> float:
    """How far a pixel of so many is from their middle: 0 there, 1 at the ends."""
    return abs((2 * at + 1) / count - 1)


def _best(sums: Sequence[float], share: float) -> float:
    """Where a window that covers this share of an axis holds the most, from 0 to 1; of equals, next to the middle."""
    # An even number of pixels, so that there is a middle.
    room = 2 * min(round((1 - share) * len(sums) / 2), (len(sums) - 1) // 2)
    length = len(sums) - room
    weights = [1 - _RIM * _from_middle(at, length) ** 4 for at in range(length)]
    starts = sorted(range(room + 1), key=lambda start: abs(2 * start - room))
    best = max(starts, key=lambda start: sum(map(mul, sums[start : start + length], weights)))
    return best / room if room else 0.5


def _standing_out(small: Image.Image) -> Image.Image:
    """How much each pixel draws the eye, from 0 to 255."""
    alpha = small.getchannel("A") if small.mode == "RGBA" else None
    if alpha:
        small = _on_other_ground(small, alpha)
    # Filters refuse the mode YCbCr.
    bands = Image.merge("RGB", small.convert("YCbCr").split())
    seen = ImageChops.multiply(_contrast(bands), _rarity(bands))
    return ImageChops.multiply(seen, alpha) if alpha else seen


def _on_other_ground(small: Image.Image, alpha: Image.Image) -> Image.Image:
    """What is not transparent, on black or white, whichever is less like it."""
    mean = ImageStat.Stat(small.convert("L"), alpha).mean[0]
    ground = Image.new("RGB", small.size, "black" if mean > 127 else "white")
    ground.paste(small, mask=alpha)
    return ground


def _contrast(bands: Image.Image) -> Image.Image:
    """How unlike its surroundings each pixel is, over several scales."""

    def at_scale(scale: int) -> Image.Image:
        part = bands.reduce(scale)
        near, far = (part.filter(ImageFilter.GaussianBlur(radius)) for radius in _RADII)
        return ImageChops.difference(near, far).convert("L", _WEIGHTS).resize(bands.size, Image.Resampling.BILINEAR)

    return ImageOps.autocontrast(reduce(ImageChops.add, map(at_scale, _SCALES)))


def _rarity(bands: Image.Image) -> Image.Image:
    """How few pixels have the colour of each: -log of their share."""
    tables: list[int] = []
    soft = bands.filter(ImageFilter.GaussianBlur(0.75))
    for number, (low, high) in enumerate(ImageStat.Stat(soft).extrema):
        span = max(high - low + 1, _LEAST_SPAN)
        tables += [max(0, min(value - low, span - 1)) * _LEVELS // span * _LEVELS**number for value in range(256)]
    colours = soft.point(tables).convert("L", (1, 1, 1, 0))
    counts = colours.histogram()
    total = sum(counts)
    information = [-math.log(max(count, 1) / total) for count in counts]
    most = max(information) or 1
    return colours.point([round(255 * bits / most) for bits in information]).filter(ImageFilter.GaussianBlur(1.5))
