"""Rendering alone, without a storage, against libvips: one shrink-on-load decode, then a thumbnail for each.

Both write the same options; that of libvips for the effort of AVIF counts from the other end.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.benchmarks import ours
from tests.benchmarks.context import Context
from tests.benchmarks.project import set_up
from tests.benchmarks.report import Row, absent, at_most, shown
from tests.benchmarks.sets import (
    ENCODER,
    QUALITY,
    RESPONSIVE_AVIF,
    RESPONSIVE_JPEG,
    RESPONSIVE_WEBP,
    SEED,
    SEED_PNG,
    Wanted,
    WantedSet,
)
from tests.benchmarks.timing import interleaved, timed

BARS = (
    (SEED, 0.75),
    (RESPONSIVE_JPEG, 1.15),
    (RESPONSIVE_WEBP, None),
    (RESPONSIVE_AVIF, None),
    (SEED_PNG, None),
)
BAR_WITH_PROFILE = 1.5


def measure(context: Context) -> list[Row]:
    set_up(context)
    rows: list[Row] = []
    for number, photo in enumerate(context.photos):
        for wanted, bar in BARS:
            label = wanted.name if number == 0 else f"{wanted.name}, {photo.name}"
            rows.append(_compared(context, photo.read_bytes(), wanted, bar if number == 0 else None, label))
    wide = with_profile(context.photos[0])
    rows.append(_compared(context, wide, RESPONSIVE_JPEG, BAR_WITH_PROFILE, "responsive_jpeg, Display P3"))
    return rows


def with_profile(photo: Path) -> bytes:
    """The photo as telephones take them, with a profile of Display P3, which is that of libvips."""
    import pyvips

    image = pyvips.Image.new_from_file(str(photo)).icc_transform("p3", input_profile="srgb")
    return bytes(image.jpegsave_buffer(Q=92, keep="icc"))


def _compared(context: Context, data: bytes, wanted: WantedSet, bar: float | None, label: str) -> Row:
    subjects: dict[str, Callable[[], float]] = {"pyvips": lambda: 1000 * timed(lambda: with_vips(data, wanted))}
    try:
        ours.render(data, wanted)
    except ours.Unavailable as error:
        vips = interleaved(subjects, context.runs)["pyvips"]
        return shown(context.group, label, vips, "ms", absent("", "", error).note)
    subjects["ours"] = lambda: 1000 * timed(lambda: ours.render(data, wanted))
    times = interleaved(subjects, context.runs)
    return at_most(context.group, label, times["ours"], times["pyvips"], "ms", bar, "vs pyvips, all cores")


def with_vips(data: bytes, wanted: WantedSet) -> list[bytes]:
    """The set as pyvips makes it: decoded once for the largest thumb, and every thumb made from that."""
    import pyvips

    largest = max((thumb for thumb in wanted.thumbs if not thumb.crop), key=lambda thumb: thumb.width)
    # Without a profile there is nothing to convert, which libvips would do all the same.
    options = {"export_profile": "srgb"} if b"ICC_PROFILE" in data else {}
    decoded = pyvips.Image.thumbnail_buffer(
        data, largest.width, height=largest.height, size="down", **options
    ).copy_memory()
    encoded = _ENCODERS[wanted.format]
    return [encoded(decoded if thumb is largest else _scaled(decoded, thumb)) for thumb in wanted.thumbs]


def _scaled(decoded: Any, thumb: Wanted) -> Any:
    crop = {"crop": "centre"} if thumb.crop else {}
    return decoded.thumbnail_image(thumb.width, height=thumb.height, size="both" if thumb.crop else "down", **crop)


_ENCODERS: dict[str, Callable[[Any], bytes]] = {
    "JPEG": lambda image: image.jpegsave_buffer(Q=QUALITY, optimize_coding=True, interlace=True, keep="none"),
    "WEBP": lambda image: image.webpsave_buffer(Q=QUALITY, effort=4, keep="none"),
    "AVIF": lambda image: image.heifsave_buffer(
        Q=ENCODER["AVIF"]["quality"], compression="av1", effort=9 - ENCODER["AVIF"]["speed"], keep="none"
    ),
    "PNG": lambda image: image.pngsave_buffer(keep="none"),
}
