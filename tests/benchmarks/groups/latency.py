"""The same saves with 20 ms injected into every request, as by a server that is not next door."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks.context import Context
from tests.benchmarks.groups import save
from tests.benchmarks.groups.peers import Match, half, play
from tests.benchmarks.project import set_up
from tests.benchmarks.report import Row
from tests.benchmarks.sets import SEED


def measure(context: Context) -> list[Row]:
    set_up(context, peers=True, slow=True)
    rows = save.measured(context, slow=True)
    match = Match("seed thumbs", Path(context.photo_12mp), SEED, runs=half(context), slow=True)
    return rows + play(context, match)
