"""How much one image may ask of the server, told before it is decoded as far as that can be told."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Final

from athumb_storage.exceptions import ImageLimitExceeded
from athumb_storage.geometry import Size

_LONGEST_SIDE: Final = 1 << 20
"""Pixels, whatever the other side is: the weights that a filter has for a longer one do not fit into memory."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What an image may have; None is no limit.

    Raises:
        ValueError: a value is no positive number; the message names the option.
    """

    max_pixels: int | None = 89_478_485
    """Width x height of what is decoded. The default is from where on Pillow warns of a decompression bomb."""
    max_frames: int | None = 1000
    """Frames of an animation, where a thumb keeps it moving. A still thumb takes one, whatever there is."""
    max_animation_pixels: int | None = 100_000_000
    """Width x height x frames, of an animation and of all thumbs that keep it moving. A larger one stands still."""
    max_bytes: int | None = 64 * 1024**2
    """The size of the file, in bytes."""
    time_budget: float | None = 30.0
    """Seconds of processor time that reading, scaling and encoding may take together.

    What other images and other threads take does not count. The clock is looked at between the steps, and whenever the
    decoder asks for more bytes. A single step is not broken off.
    """
    pixels_in_flight: int | None = None
    """Pixels that may be decoded at once, in all threads of the process. An image with more is decoded alone."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            whole = field.name != "time_budget"
            if value is not None and not _is_positive(value, whole=whole):
                kind = "whole number" if whole else "number"
                raise ValueError(f"{field.name} is {value!r}; a positive {kind} or None is wanted")

    def check_bytes(self, size: int) -> None:
        """Raise `ImageLimitExceeded` if a file of `size` bytes is too large."""
        _check("max_bytes", self.max_bytes, size, "bytes")

    def check_frames(self, count: int) -> None:
        """The same for its frames."""
        _check("max_frames", self.max_frames, count, "frames")

    def check_animation(self, pixels: int) -> None:
        """The same for the pixels of all its frames, and of what is made of them."""
        _check("max_animation_pixels", self.max_animation_pixels, pixels, "pixels in all its frames")

    def check_size(self, size: Size) -> None:
        """The same for its width and height, in pixels."""
        _check("max_pixels", self.max_pixels, size[0] * size[1], "pixels")
        if max(size) > _LONGEST_SIDE:
            raise ImageLimitExceeded(f"The image has a side of {max(size)} pixels, more than {_LONGEST_SIDE}")


def _is_positive(value: object, *, whole: bool) -> bool:
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
        return False
    return value > 0 and math.isfinite(value)


def _check(option: str, limit: int | None, found: int, unit: str) -> None:
    if limit is not None and found > limit:
        raise ImageLimitExceeded(f"The image has {found} {unit}, more than the {limit} that are allowed ({option})")
