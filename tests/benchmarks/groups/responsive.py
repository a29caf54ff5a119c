"""A save with the responsive set, in JPEG and in WebP, against each peer."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks.context import Context
from tests.benchmarks.groups.peers import Match, half, play
from tests.benchmarks.project import set_up
from tests.benchmarks.report import Row
from tests.benchmarks.sets import RESPONSIVE_JPEG, RESPONSIVE_WEBP


def measure(context: Context) -> list[Row]:
    set_up(context, peers=True)
    photo = Path(context.photo_12mp)
    rows: list[Row] = []
    for wanted, bar in ((RESPONSIVE_JPEG, 4.0), (RESPONSIVE_WEBP, 1.5)):
        rows += play(context, Match(f"{wanted.format}", photo, wanted, bar=bar, runs=half(context)))
    return rows
