"""How much one image may ask of the server, told before it is decoded as far as that can be told."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass, fields
from time import monotonic
from typing import BinaryIO, cast

from athumb_storage.exceptions import ImageLimitExceeded


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What an image may have; None is no limit.

    Raises:
        ValueError: a value is no positive number; the message names the option.
    """

    max_pixels: int | None = 89_478_485
    """Width x height x frames. The default is from where on Pillow warns of a decompression bomb: 256 MiB of RGB."""
    max_frames: int | None = 1000
    """Frames of an animation, or pages of a TIFF file."""
    max_bytes: int | None = 64 * 1024**2
    """The size of the file, in bytes."""
    time_budget: float | None = 30.0
    """Seconds that reading, scaling and encoding may take together, by the clock on the wall.

    The clock is looked at between the steps: whenever the decoder asks for more bytes, after each scaling, and before
    and after each encoding. A single step is not broken off.
    """

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

    def check_frames(self, frames: int, *, counting: bool = False) -> None:
        """The same for its frames; `counting`: there may be more that have not been counted."""
        _check("max_frames", self.max_frames, frames, "frames", counting=counting)

    def check_pixels(self, pixels: int, *, counting: bool = False) -> None:
        """The same for the pixels of all frames."""
        _check("max_pixels", self.max_pixels, pixels, "pixels", counting=counting)


def _is_positive(value: object, *, whole: bool) -> bool:
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
        return False
    return value > 0 and math.isfinite(value)


def _check(option: str, limit: int | None, found: int, unit: str, *, counting: bool = False) -> None:
    if limit is not None and found > limit:
        number = f"at least {found}" if counting else f"{found}"
        raise ImageLimitExceeded(f"The image has {number} {unit}, more than the {limit} that are allowed ({option})")


class Deadline:
    """The moment when the time budget is used up; the clock starts now."""

    def __init__(self, limits: Limits) -> None:
        self._budget = limits.time_budget
        self._end = None if self._budget is None else monotonic() + self._budget

    def check(self) -> None:
        """Raise `ImageLimitExceeded` if that moment has passed."""
        if self._end is not None and monotonic() > self._end:
            raise ImageLimitExceeded(
                f"The image takes more time to render than the {self._budget} seconds that are allowed (time_budget)"
            )


class _Watched:
    """A reader that looks at the clock each time it is read."""

    def __init__(self, reader: BinaryIO, deadline: Deadline) -> None:
        self._read = reader.read
        self._check = deadline.check
        self.seek = reader.seek
        self.tell = reader.tell

    def read(self, size: int = -1) -> bytes:
        self._check()
        return self._read(size)


def watched(reader: BinaryIO, deadline: Deadline) -> BinaryIO:
    """`reader`, but each read raises `ImageLimitExceeded` once the deadline has passed. Closing is left to others."""
    return cast(BinaryIO, _Watched(reader, deadline))


def byte_length(reader: BinaryIO) -> int:
    """How many bytes there are in `reader`, which is at its beginning afterwards."""
    size = reader.seek(0, io.SEEK_END)
    reader.seek(0)
    return size
