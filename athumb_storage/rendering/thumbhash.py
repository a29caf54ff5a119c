"""ThumbHash: what an image looks like from afar, in some 25 bytes. https://evanw.github.io/thumbhash/

Of the packages on PyPI that have it, several share one import name, and none is kept up; it is small.
"""

from __future__ import annotations

import base64
import binascii
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from math import cos, floor, pi
from operator import mul
from typing import Final

from PIL import Image

from athumb_storage.geometry import Size

HASHED_SIDE: Final = 32
"""To how many pixels a side an image is scaled before; more would be seen in no hash."""

_SHOWN_SIDE: Final = 10
"""How many pixels a side a placeholder has: a few more than a hash has waves. Browsers smooth what they enlarge."""

_BOOST: Final = 1.25
"""By how much the colours are too weak, since the waves are rounded."""

Rows = Sequence[Sequence[float]]


@dataclass(frozen=True)
class _Channel:
    """One channel: its mean, its waves from -1 to 1, and what these are to be multiplied by."""

    mean: float
    waves: list[float]
    scale: float


def thumbhash(image: Image.Image) -> str:
    """The hash of an image in sRGB, in base64."""
    width, height = image.size
    opaque = image.mode != "RGBA" or image.getchannel("A").getextrema() == (255, 255)
    red, green, blue, alpha = (_rows(band) for band in image.convert("RGBA").split())
    if not opaque:
        red, green, blue = (_over_mean(rows, alpha) for rows in (red, green, blue))
    pixels = [list(zip(*rows, strict=True)) for rows in zip(red, green, blue, strict=True)]
    longest, most = max(width, height), 7 if opaque else 5
    across, down = (max(1, _rounded(most * side / longest)) for side in (width, height))
    light = _channel([[(r + g + b) / 3 for r, g, b in row] for row in pixels], max(3, across), max(3, down))
    yellow = _channel([[(r + g) / 2 - b for r, g, b in row] for row in pixels], 3, 3)
    reddish = _channel([[r - g for r, g, _ in row] for row in pixels], 3, 3)
    clear = [] if opaque else [_channel(alpha, 5, 5)]
    is_wide = width > height
    head = (
        _rounded(63 * light.mean)
        | _rounded(31.5 + 31.5 * yellow.mean) << 6
        | _rounded(31.5 + 31.5 * reddish.mean) << 12
        | _rounded(31 * light.scale) << 18
        | (not opaque) << 23
        | (down if is_wide else across) << 24
        | _rounded(63 * yellow.scale) << 27
        | _rounded(63 * reddish.scale) << 33
        | is_wide << 39
    )
    means = [_rounded(15 * each.mean) | _rounded(15 * each.scale) << 4 for each in clear]
    nibbles = [_rounded(7.5 + 7.5 * wave) for each in (light, yellow, reddish, *clear) for wave in each.waves]
    nibbles += [0] * (len(nibbles) % 2)
    waves = [low | high << 4 for low, high in zip(nibbles[::2], nibbles[1::2], strict=True)]
    return base64.b64encode(head.to_bytes(5, "little") + bytes([*means, *waves])).decode()


@lru_cache(maxsize=4096)
def placeholder_png(text: str) -> bytes | None:
    """A small picture of what a hash says; None if it is none, or of an image that one sees through.

    Args:
        text: the hash in base64.
    """
    try:
        data = base64.b64decode(text, validate=True)
        return None if data[2] >> 7 else _picture(data)
    except (binascii.Error, ValueError, IndexError):
        return None


def _picture(data: bytes) -> bytes:
    head = int.from_bytes(data[:5], "little")
    is_wide = head >> 39
    across, down = (7, max(3, head >> 24 & 7)) if is_wide else (max(3, head >> 24 & 7), 7)
    waves = iter([nibble / 7.5 - 1 for byte in data[5:] for nibble in (byte & 15, byte >> 4)])
    shorter = max(1, _rounded(_SHOWN_SIDE * max(1, head >> 24 & 7) / 7))
    size = (_SHOWN_SIDE, shorter) if is_wide else (shorter, _SHOWN_SIDE)
    light = _drawn(size, (head & 63) / 63, waves, across, down, (head >> 18 & 31) / 31)
    yellow = _drawn(size, (head >> 6 & 63) / 31.5 - 1, waves, 3, 3, _BOOST * (head >> 27 & 63) / 63)
    reddish = _drawn(size, (head >> 12 & 63) / 31.5 - 1, waves, 3, 3, _BOOST * (head >> 33 & 63) / 63)
    colours = bytearray()
    for l, p, q in zip(light, yellow, reddish, strict=True):  # noqa: E741, as the format calls them
        blue = l - 2 / 3 * p
        red = (3 * l - blue + q) / 2
        colours += bytes(_rounded(255 * min(max(part, 0), 1)) for part in (red, red - q, blue))
    output = io.BytesIO()
    Image.frombytes("RGB", size, bytes(colours)).save(output, "PNG", optimize=True)
    return output.getvalue()


def _drawn(size: Size, mean: float, waves: Iterator[float], across: int, down: int, scale: float) -> Iterator[float]:
    """The pixels of one channel."""
    orders = _orders(across, down)
    amounts = dict(zip(orders, [2 * scale * wave for wave in islice(waves, len(orders))], strict=True))
    horizontal, vertical = _cosines(size[0], across), _cosines(size[1], down)
    return iter(
        [
            mean + sum(amount * horizontal[x][column] * vertical[y][row] for (x, y), amount in amounts.items())
            for row in range(size[1])
            for column in range(size[0])
        ]
    )


def _channel(rows: Rows, across: int, down: int) -> _Channel:
    horizontal, vertical = _cosines(len(rows[0]), across), _cosines(len(rows), down)
    # First along each row, then along the columns of what that gave.
    by_row = [[_product(row, wave) for row in rows] for wave in horizontal]
    count = len(rows) * len(rows[0])
    mean = sum(by_row[0]) / count
    waves = [_product(by_row[x], vertical[y]) / count for x, y in _orders(across, down)]
    scale = max(map(abs, waves))
    return _Channel(mean, [wave / scale if scale else -1 for wave in waves], scale)  # -1 is written as 0


def _orders(across: int, down: int) -> list[tuple[int, int]]:
    """How many half waves there are along each axis, of all that are kept but the mean, in the order of the format."""
    return [(x, y) for y in range(down) for x in range(across) if x * down < across * (down - y) and (x or y)]


@lru_cache(maxsize=256)
def _cosines(length: int, count: int) -> list[list[float]]:
    return [[cos(pi / length * wave * (at + 0.5)) for at in range(length)] for wave in range(count)]


def _rows(band: Image.Image) -> list[list[float]]:
    values = [value / 255 for value in band.tobytes()]
    return [values[start : start + band.width] for start in range(0, len(values), band.width)]


def _over_mean(rows: Rows, alpha: Rows) -> list[list[float]]:
    """A channel on the mean of what is seen of it."""
    seen = sum(map(sum, alpha))
    mean = sum(_product(*pair) for pair in zip(rows, alpha, strict=True)) / seen if seen else 0
    return [
        [mean * (1 - share) + share * value for value, share in zip(*pair, strict=True)]
        for pair in zip(rows, alpha, strict=True)
    ]


def _product(one: Sequence[float], other: Sequence[float]) -> float:
    return float(sum(map(mul, one, other)))


def _rounded(value: float) -> int:
    return floor(value + 0.5)
