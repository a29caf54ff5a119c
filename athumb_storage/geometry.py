"""Boxes and crops: which part of the original a thumb shows, and at what size. Pure arithmetic.

Sizes are (width, height) in pixels; boxes are (left, top, right, bottom) in pixels, fractions allowed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from math import floor
from typing import Final, Literal, NamedTuple, NewType, Protocol, get_args

Size = tuple[int, int]
BoxSize = tuple[int | None, int | None]
Box = tuple[float, float, float, float]
Point = tuple[float, float]

MAX_SIDE: Final = 16_383
"""The longest side of a thumb in pixels: the most that WebP can hold."""

MIDDLE: Final = 0.5, 0.5

CropWord = Literal[
    "left", "center", "right", "top", "bottom",
    "left top", "left center", "left bottom",
    "center top", "center center", "center bottom",
    "right top", "right center", "right bottom",
]  # fmt: skip
"""The places that have words."""

CropSubject = Literal["smart", "focal"]
"""What a crop keeps that follows from the picture: what draws the eye, or a point that somebody has chosen."""

SUBJECTS: Final[tuple[CropSubject, ...]] = get_args(CropSubject)

CropAmount = NewType("CropAmount", str)
"""A place in percent or pixels: `CropAmount("50% 20%")`. It is a plain string, marked for type checkers."""


class Shape(Protocol):
    """What a Thumb says of its shape; see there."""

    @property
    def size(self) -> BoxSize: ...
    @property
    def crop(self) -> str | None: ...
    @property
    def pad(self) -> str | None: ...
    @property
    def upscale(self) -> bool: ...
    @property
    def keeps_ratio(self) -> bool: ...


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


@lru_cache
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


def parse_point(text: str) -> Point:
    """The point that two fractions such as "0.30,0.20" stand for: across from the left, down from the top.

    Raises:
        ValueError: they are none.
    """
    try:
        across, down = (float(part) for part in text.split(","))
    except ValueError:
        raise ValueError(f"{text[:40]!r} is not two fractions such as '0.30,0.20'") from None
    return checked_point((across, down))


def checked_point(point: Point) -> Point:
    """The same point.

    Raises:
        ValueError: it is not on the picture.
    """
    across, down = point
    if not (0 <= across <= 1 and 0 <= down <= 1):
        raise ValueError(f"{point!r} are not two fractions from 0 to 1")
    return across, down


@dataclass(frozen=True)
class Placement:
    """A thumb on its original: the box of the original that it shows, and the size that box gets."""

    size: Size
    box: Box
    canvas: Size | None = None
    """The size of the whole thumb, where something is to be filled beside the box, which lies in its middle."""

    @property
    def whole(self) -> Size:
        """The size of the whole thumb."""
        return self.canvas or self.size


def place(original: Size, thumb: Shape, density: int = 1, subject: Point = MIDDLE) -> Placement:
    """Where `thumb` lies on an upright original of the given size.

    A fit scales the whole original into the box, rounding half up, at least one pixel a side. A crop scales the
    original until it covers the box, then cuts the box out of it.

    Args:
        original: its size in pixels.
        thumb: the shape of the thumb.
        density: how many pixels a side there are to be for each of the box. More than 1 shows the same, and enlarges
            nothing: where the original has too few pixels there are fewer.
        subject: the point that a crop of a subject has in its middle, as far as it can; fractions of the original's
            width and height.
    """
    if density > 1:
        return _denser(original, thumb, density, place(original, thumb, subject=subject))
    box, scaled = _box_and_scaled(original, thumb)
    if thumb.crop is None:
        return Placement(scaled, (0, 0, *original), box if thumb.pad else None)
    window = _window(scaled, box)
    if thumb.crop in SUBJECTS:
        left, top = (_around(*axis) for axis in zip(subject, window, scaled, strict=True))
    else:
        x, y = parse_crop(thumb.crop)
        left, top = x.within(scaled[0] - window[0]), y.within(scaled[1] - window[1])
    across = _span(left, window[0], original[0], scaled[0])
    down = _span(top, window[1], original[1], scaled[1])
    return Placement(window, (across[0], down[0], across[1], down[1]))


def whole_size(original: Size, thumb: Shape, density: int = 1) -> Size:
    """The size of the whole thumb, as `place` has it, in less time."""
    if density > 1:
        return place(original, thumb, density).whole
    box, scaled = _box_and_scaled(original, thumb)
    if thumb.crop is None:
        return box if thumb.pad else scaled
    return _window(scaled, box)


def _box_and_scaled(original: Size, thumb: Shape) -> tuple[Size, Size]:
    """The box that is filled or fitted into, and the whole original as it is scaled for that."""
    box = _sides(thumb)
    if thumb.keeps_ratio and thumb.crop and not thumb.upscale:
        box = _rounded(box, min(1, original[0] / box[0], original[1] / box[1]))
    return box, _scaled(original, box, covers=thumb.crop is not None, upscale=thumb.upscale)


def _window(scaled: Size, box: Size) -> Size:
    return min(scaled[0], box[0]), min(scaled[1], box[1])


def exact_size(thumb: Shape, density: int = 1) -> Size | None:
    """The size of a thumb whatever the original is; None where it follows from that."""
    fills = thumb.pad or (thumb.crop is not None and thumb.upscale)
    return _sides(thumb) if fills and density == 1 else None


def _sides(thumb: Shape) -> Size:
    """Both sides of its box: one that is not told is as long as it may be."""
    width, height = thumb.size
    return width or MAX_SIDE, height or MAX_SIDE


def _denser(original: Size, thumb: Shape, density: int, plain: Placement) -> Placement:
    """The same with more pixels, as far as the original has them; all of it with as many fewer."""
    if thumb.crop is None:
        width, height = (min(side * density, MAX_SIDE) for side in _sides(thumb))
        size = _scaled(original, (width, height), covers=False, upscale=False)
        filled = plain.canvas and _rounded(plain.canvas, _share(size, plain.canvas) / _share(plain.size, plain.canvas))
        return Placement(size, plain.box, filled)
    left, top, right, bottom = plain.box
    times = min(density, (right - left) / plain.size[0], (bottom - top) / plain.size[1])
    return Placement(_rounded(plain.size, times), plain.box)


def _share(size: Size, canvas: Size) -> float:
    """How much of a canvas this takes, along the side where it takes more."""
    return max(size[0] / canvas[0], size[1] / canvas[1])


def _rounded(size: Size, times: float) -> Size:
    return max(1, floor(size[0] * times + 0.5)), max(1, floor(size[1] * times + 0.5))


def _around(middle: float, window: int, scaled: int) -> int:
    """Where a window begins that has this fraction of the scaled original in its middle, or as near as can be."""
    return min(max(floor(middle * scaled - window / 2 + 0.5), 0), scaled - window)


def _span(start: int, length: int, original: int, scaled: int) -> tuple[float, float]:
    """Where a stretch of the scaled original begins and ends on the original, which no rounding error may leave."""
    return start * original / scaled, min((start + length) * original / scaled, original)


def _scaled(original: Size, box: Size, *, covers: bool, upscale: bool) -> Size:
    """The size of the whole original, scaled to cover a box, or to fit in."""
    (width, height), (box_width, box_height) = original, box
    # Compared as products of integers, so that no rounding error decides which side touches the box.
    by_width = (box_width * height >= box_height * width) == covers
    numerator, denominator = (box_width, width) if by_width else (box_height, height)
    if numerator >= denominator and not upscale:
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
    """A placement on the upright image, said of the pixels as they are stored (before they are turned).

    What is filled beside them is filled when they are upright.
    """
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
    return Placement(size, (left, top, right, bottom), placement.canvas)
