"""ICC profiles for what files say of their colours in other ways: by code points, or by a gamma and chromaticities.

The results are those of a browser; Chromium's were measured. PQ and HLG, which tell more brightness than a page has,
are mapped to it by the curve of SMPTE ST 2094-50 for a reference white of 203 cd/m² (ITU-R BT.2408), a peak of 1,000.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Final

Chromaticities = tuple[float, float, float, float, float, float, float, float]
"""x and y of white, red, green and blue (CIE 1931)."""

Matrix = Sequence[Sequence[float]]

_D65: Final = (0.3127, 0.3290)
_SRGB_PRIMARIES: Final = (*_D65, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)

_PRIMARIES: Final[Mapping[int, Chromaticities]] = {
    1: _SRGB_PRIMARIES,
    4: (0.310, 0.316, 0.67, 0.33, 0.21, 0.71, 0.14, 0.08),
    5: (*_D65, 0.64, 0.33, 0.29, 0.60, 0.15, 0.06),
    6: (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    7: (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    9: (*_D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
    11: (0.314, 0.351, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    12: (*_D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
}
"""By code point (ITU-T H.273, table 2); those that are not here are taken for sRGB's."""

_REFERENCE_WHITE: Final = 203.0
_PEAK: Final = 1000 / _REFERENCE_WHITE
_STEPS: Final = 4096

_BRADFORD: Final = ((0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296))
_D50: Final = (0.9642, 1.0, 0.8249)


@lru_cache(maxsize=16)
def of_code_points(primaries: int, transfer: int) -> bytes | None:
    """The profile of some code points of ITU-T H.273; None if they say sRGB, or nothing."""
    curve = _CURVES.get(transfer, _SRGB_CURVE)
    chromaticities = _PRIMARIES.get(primaries, _SRGB_PRIMARIES)
    if curve is _SRGB_CURVE and chromaticities is _SRGB_PRIMARIES:
        return None
    return _profile(chromaticities, curve() if callable(curve) else curve)


@lru_cache(maxsize=16)
def of_gamma(gamma: float | None, chromaticities: Chromaticities | None) -> bytes | None:
    """The profile of gAMA and cHRM of a PNG; None if they say sRGB, or too little."""
    # Browsers take the usual gamma for sRGB's if it stands alone, and pass over chromaticities that do.
    if not gamma or (chromaticities is None and abs(gamma - 1 / 2.2) < 0.005):
        return None
    try:
        return _profile(chromaticities or _SRGB_PRIMARIES, _parametric(0, 1 / gamma))
    except (ZeroDivisionError, struct.error):
        return None  # chromaticities that make no colours


def _fixed(number: float) -> bytes:
    return struct.pack(">i", round(number * 65536))


def _parametric(kind: int, *numbers: float) -> bytes:
    """A curve by its formula (ICC.1:2022, section 10.18)."""
    return b"para" + bytes(4) + struct.pack(">HH", kind, 0) + b"".join(map(_fixed, numbers))


def _sampled(light: Callable[[float], float]) -> bytes:
    """A curve by its values (ICC.1:2022, section 10.6)."""
    values = [round(65535 * min(light(step / (_STEPS - 1)), 1)) for step in range(_STEPS)]
    return b"curv" + bytes(4) + struct.pack(f">I{_STEPS}H", _STEPS, *values)


def _pq() -> bytes:
    """SMPTE ST 2084."""
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128

    def light(value: float) -> float:
        root = value ** (1 / m2)
        return _toned(10_000 / _REFERENCE_WHITE * (max(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1))

    return _sampled(light)


def _hlg() -> bytes:
    """ITU-R BT.2100, with its system gamma of 1.2 for each colour by itself."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073

    def light(value: float) -> float:
        scene = value**2 / 3 if value <= 0.5 else (math.exp((value - c) / a) + b) / 12
        return _toned(_PEAK * scene**1.2)

    return _sampled(light)


def _toned(light: float) -> float:
    """Light, where 1 is the reference white, as it is shown where nothing is brighter than white.

    Half of it up to the reference white, then along a Bézier curve up to white at the peak.
    """
    if light <= 1:
        return light / 2
    if light >= _PEAK:
        return 1
    middle = 0.35 + 0.65 * 2, 0.35 / 2 + 0.65
    # Which t has this x: a quadratic equation.
    a, b, c = 1 - 2 * middle[0] + _PEAK, 2 * (middle[0] - 1), 1 - light
    t = (-b + math.sqrt(b * b - 4 * a * c)) / (2 * a)
    return (1 - t) ** 2 / 2 + 2 * t * (1 - t) * middle[1] + t**2


_SRGB_CURVE: Final = _parametric(3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
_SCREEN: Final = _parametric(0, 2.4)

_CURVES: Final[Mapping[int, bytes | Callable[[], bytes]]] = {
    **dict.fromkeys((1, 6, 14, 15), _SCREEN),  # for which screens have a gamma of 2.4 (ITU-R BT.1886)
    4: _parametric(0, 2.2),
    5: _parametric(0, 2.8),
    8: _parametric(0, 1.0),
    16: _pq,
    18: _hlg,
}
"""By code point (ITU-T H.273, table 3); those that are not here are taken for sRGB's."""


def _profile(chromaticities: Chromaticities, curve: bytes) -> bytes:
    tags: dict[bytes, bytes] = {}
    for name, colour in zip((b"r", b"g", b"b"), zip(*_to_xyz(chromaticities), strict=True), strict=True):
        tags |= {name + b"XYZ": _numbers(colour), name + b"TRC": curve}
    return _written(b"RGB ", tags)


def with_srgb_curve(profile: bytes) -> tuple[bytes, list[bytes]] | None:
    """A profile of the same primaries whose curves are sRGB's, and profiles for greys of the curves that it had.

    None for a profile that is no matrix with three curves.
    """
    tags = _tags(profile)
    names = [(colour + b"XYZ", colour + b"TRC") for colour in (b"r", b"g", b"b")]
    if b"A2B0" in tags or not all(name in tags for pair in names for name in pair):
        return None
    same = {name: value for xyz, curve in names for name, value in ((xyz, tags[xyz]), (curve, _SRGB_CURVE))}
    return _written(b"RGB ", same), [_written(b"GRAY", {b"kTRC": tags[curve]}) for _, curve in names]


def _tags(profile: bytes) -> dict[bytes, bytes]:
    count = int.from_bytes(profile[128:132], "big")
    table = profile[132 : 132 + 12 * min(count, 100)]  # LittleCMS reads no more either
    entries = struct.iter_unpack(">4sII", table[: len(table) // 12 * 12])
    return {name: profile[start : start + size] for name, start, size in entries}


def _written(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    """A profile of a screen (ICC.1:2022, sections 7 and 8.3)."""
    tags = {b"wtpt": _numbers(_D50), **tags}
    table, body = struct.pack(">I", len(tags)), b""
    for tag, data in tags.items():
        table += struct.pack(">4sII", tag, 132 + 12 * len(tags) + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    head = struct.pack(">I4s4s4s4s4s", 128 + len(table) + len(body), b"", b"\4\x40", b"mntr", space, b"XYZ ")
    head = (head + bytes(12) + b"acsp").ljust(68, b"\0") + b"".join(map(_fixed, _D50))
    return head.ljust(128, b"\0") + table + body


def _numbers(xyz: Sequence[float]) -> bytes:
    return b"XYZ " + bytes(4) + b"".join(map(_fixed, xyz))


def _to_xyz(chromaticities: Chromaticities) -> Matrix:
    """From linear RGB to XYZ under D50, the white of ICC profiles, by Bradford's adaptation (ICC.1:2022, annex E)."""
    points = [(x / y, 1.0, (1 - x - y) / y) for x, y in zip(chromaticities[::2], chromaticities[1::2], strict=True)]
    white, primaries = _column(points[0]), _transposed(points[1:])
    linear = _product(primaries, _diagonal(_product(_inverse(primaries), white)))
    wanted, have = _product(_BRADFORD, _column(_D50)), _product(_BRADFORD, white)
    cones = [to[0] / of[0] for to, of in zip(wanted, have, strict=True)]
    return _product(_inverse(_BRADFORD), _product(_diagonal(_column(cones)), _product(_BRADFORD, linear)))


def _product(one: Matrix, other: Matrix) -> Matrix:
    return [[sum(a * b for a, b in zip(row, column, strict=True)) for column in _transposed(other)] for row in one]


def _transposed(matrix: Matrix) -> Matrix:
    return list(zip(*matrix, strict=True))


def _column(numbers: Sequence[float]) -> Matrix:
    return [[number] for number in numbers]


def _diagonal(column: Matrix) -> Matrix:
    return [[row[0] if at == place else 0.0 for place in range(3)] for at, row in enumerate(column)]


def _inverse(matrix: Matrix) -> Matrix:
    (a, b, c), (d, e, f), (g, h, i) = matrix
    cofactors = [
        [e * i - f * h, c * h - b * i, b * f - c * e],
        [f * g - d * i, a * i - c * g, c * d - a * f],
        [d * h - e * g, b * g - a * h, a * e - b * d],
    ]
    determinant = a * cofactors[0][0] + b * cofactors[1][0] + c * cofactors[2][0]
    return [[value / determinant for value in row] for row in cofactors]
