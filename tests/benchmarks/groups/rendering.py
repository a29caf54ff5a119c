"""Rendering alone, without a storage, against libvips: one shrink-on-load decode, then a thumbnail for each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.benchmarks import ours
from tests.benchmarks.context import Context
from tests.benchmarks.project import set_up
from tests.benchmarks.report import Row, absent, at_most, shown
from tests.benchmarks.sets import QUALITY, RESPONSIVE_JPEG, SEED, Wanted, WantedSet
from tests.benchmarks.timing import interleaved, timed

BARS = ((SEED, 1.0), (RESPONSIVE_JPEG, 1.15))


def measure(context: Context) -> list[Row]:
    set_up(context)
    rows: list[Row] = []
    for number, photo in enumerate(context.photos):
        for wanted, bar in BARS:
            label = wanted.name if number == 0 else f"{wanted.name}, {photo.name}"
            rows.append(_compared(context, photo, wanted, bar if number == 0 else None, label))
    return rows


def _compared(context: Context, photo: Path, wanted: WantedSet, bar: float | None, label: str) -> Row:
    data = photo.read_bytes()
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
    decoded = pyvips.Image.thumbnail_buffer(data, largest.width, height=largest.height, size="down").copy_memory()
    return [_encoded(decoded if thumb is largest else _scaled(decoded, thumb)) for thumb in wanted.thumbs]


def _scaled(decoded: Any, thumb: Wanted) -> Any:
    crop = {"crop": "centre"} if thumb.crop else {}
    return decoded.thumbnail_image(thumb.width, height=thumb.height, size="both" if thumb.crop else "down", **crop)


def _encoded(image: Any) -> bytes:
    return bytes(image.jpegsave_buffer(Q=QUALITY, keep="none"))
