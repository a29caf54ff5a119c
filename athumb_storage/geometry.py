"""Boxes and crops: which part of the original a thumb shows, and at what size. Pure arithmetic.

Sizes are (width, height) in pixels; boxes are (left, top, right, bottom) in pixels, fractions allowed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, NewType, Protocol

Size = tuple[int, int]
Box = tuple[float, float, float, float]

CropWord = Literal[
    "left", "center", "right", "top", "bottom",
    "left top", "left center", "left bottom",
    "center top", "center center", "center bottom",
    "right top", "right center", "right bottom",
]  # fmt: skip
"""The places that have words."""

CropAmount = NewType("CropAmount", str)
"""A place in percent or pixels: `CropAmount("50% 20%")`. It is a plain string, marked for type checkers."""


class Shape(Protocol):
    """What a Thumb says of its shape; see there."""

    @property
    def size(self) -> Size: ...
    @property
    def crop(self) -> str | None: ...
    @property
    def upscale(self) -> bool: ...


_X_WORDS: Final = {"left": 0, "center": 50, "right": 100}
_Y_WORDS: Final = {"top": 0, "center": 50, "bottom": 100}
_AMOUNT: Final = re.compile(r"(\d{1,6})(%|px)")


class Offset(NamedTuple):
    """How far a crop window moves along one axis: an amount of percent of the room there is, or of pixels."""

    amount: int
    unit: str

    def within(self, room: int) -> int:
        """The offset in pixels; `room` is how much longer the image is than the window."""
        pixels = room * self.amount // 100 if self.unit == "%" else self.amount
        return min(pixels, room)


def parse_crop(crop: str) -> tuple[Offset, Offset]:
    """The x and y offsets that `crop` stands for.

    One word moves along its own axis and centres the other; one amount counts for both; two go x first, then y.

    Raises:
        ValueError: `crop` is none of these.
    """
    match crop.split():
        case [word] if word in _X_WORDS:
            return Offset(_X_WORDS[word], "%"), Offset(50, "%")
        case [word] if word in _Y_WORDS:
            return Offset(50, "%"), Offset(_Y_WORDS[word], "%")
        case [amount]:
            offset = _offset(amount, _X_WORDS | _Y_WORDS)
            return offset, offset
        case [x, y]:
            return _offset(x, _X_WORDS), _offset(y, _Y_WORDS)
    raise ValueError("one or two words or amounts are wanted, such as 'top', 'left top', '50% 20%' or '10px 0px'")


def _offset(part: str, words: dict[str, int]) -> Offset:
    if part in words:
        return Offset(words[part], "%")
    amount = _AMOUNT.fullmatch(part)
    if not amount:
        raise ValueError(f"{part!r} is neither {' nor '.join([*words, 'an amount such as 50% or 10px'])}")
    return Offset(int(amount[1]), amount[2])


@dataclass(frozen=True)
class Placement:
    """A thumb on its original: the box of the original that it shows, and the size it gets."""

    size: Size
    box: Box


def place(original: Size, thumb: Shape) -> Placement:
    """Where `thumb` lies on an upright original of the given size.

    A fit scales the whole original into the box, rounding half up, at least one pixel a side. A crop scales the
    original until it covers the box, then cuts the box out of it.
    """
    scaled = _scaled(original, thumb)
    if thumb.crop is None:
        return Placement(scaled, (0, 0, *original))
    window = (min(scaled[0], thumb.size[0]), min(scaled[1], thumb.size[1]))
    x, y = parse_crop(thumb.crop)
    left, top = x.within(scaled[0] - window[0]), y.within(scaled[1] - window[1])
    across = _span(left, window[0], original[0], scaled[0])
    down = _span(top, window[1], original[1], scaled[1])
    return Placement(window, (across[0], down[0], across[1], down[1]))


def _span(start: int, length: int, original: int, scaled: int) -> tuple[float, float]:
    """Where a stretch of the scaled original begins and ends on the original, which no rounding error may leave."""
    return start * original / scaled, min((start + length) * original / scaled, original)


def _scaled(original: Size, thumb: Shape) -> Size:
    """The size of the whole original, scaled for `thumb`: to cover its box for a crop, else to fit in."""
    (width, height), (box_width, box_height) = original, thumb.size
    # Compared as products of integers, so that no rounding error decides which side touches the box.
    by_width = (box_width * height >= box_height * width) == (thumb.crop is not None)
    numerator, denominator = (box_width, width) if by_width else (box_height, height)
    if numerator >= denominator and not thumb.upscale:
        return original
    return _times(width, numerator, denominator), _times(height, numerator, denominator)


def _times(length: int, numerator: int, denominator: int) -> int:
    """`length * numerator / denominator`, rounded half up, at least 1."""
    return max(1, (2 * length * numerator + denominator) // (2 * denominator))


# How an EXIF orientation (Exif 2.32, tag 0x0112) shows the stored pixels: whether x runs backwards in them, whether
# y does, and whether width and height are swapped.
_ORIENTATIONS: Final = {
    1: (False, False, False),
    2: (True, False, False),
    3: (True, True, False),
    4: (False, True, False),
    5: (False, False, True),
    6: (False, True, True),
    7: (True, True, True),
    8: (True, False, True),
}


def swaps_sides(orientation: int) -> bool:
    """Whether an image of this EXIF orientation is stored lying on its side."""
    return _ORIENTATIONS[orientation][2]


def upright(stored: Size, orientation: int) -> Size:
    """The size of the image as it is shown, from its size as it is stored."""
    return stored[::-1] if swaps_sides(orientation) else stored


def as_stored(placement: Placement, orientation: int, stored: Size) -> Placement:
    """A placement on the upright image, said of the pixels as they are stored (before they are turned)."""
    backwards_x, backwards_y, swapped = _ORIENTATIONS[orientation]
    left, top, right, bottom = placement.box
    size = placement.size
    if swapped:
        left, top, right, bottom = top, left, bottom, right
        size = size[::-1]
    if backwards_x:
        left, right = stored[0] - right, stored[0] - left
    if backwards_y:
        top, bottom = stored[1] - bottom, stored[1] - top
    return Placement(size, (left, top, right, bottom))
