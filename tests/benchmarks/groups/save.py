"""A save with the six seed thumbs, against django-storages storing the original alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.benchmarks import ours
from tests.benchmarks.context import Context
from tests.benchmarks.counting import counted
from tests.benchmarks.groups.saving import turn
from tests.benchmarks.project import set_up, upload
from tests.benchmarks.report import Row, absent, at_most, limit
from tests.benchmarks.sets import SEED
from tests.benchmarks.timing import interleaved

PLAIN = "django-storages, the original alone"
VARIANTS: tuple[tuple[str, bool, float, float], ...] = (
    ("save with 6 seed thumbs", False, 1.6, 1.6),
    ("save with 6 seed thumbs, unique_names", True, 1.35, 1.2),
)
"""Measure, unique_names, its bar, its bar with 20 ms per request."""


def measure(context: Context) -> list[Row]:
    set_up(context)
    return measured(context, slow=False)


def measured(context: Context, *, slow: bool) -> list[Row]:
    """The rows of this group; through the proxy if `slow`."""
    rows: list[Row] = []
    for number, photo in enumerate(context.photos):
        rows += _one_photo(context, photo, slow=slow, barred=number == 0)
    return rows + ([] if slow else _requests(context))


def _one_photo(context: Context, photo: Path, *, slow: bool, barred: bool) -> list[Row]:
    """Bars are for the drawn photo; real ones are shown with their ratios."""
    rows: list[Row] = []
    subjects: dict[str, Callable[[], float]] = {PLAIN: turn(ours.baseline(context, slow=slow), photo)}
    for measure, unique, *_ in VARIANTS:
        try:
            our_storage = ours.storage(context, SEED, slow=slow, unique_names=unique)
        except ours.Unavailable as error:
            rows.append(absent(context.group, measure, error))
        else:
            subjects[measure] = turn(ours.saver(our_storage, SEED), photo)
    times = interleaved(subjects, context.runs if barred else min(context.runs, 5), warm_up=3)
    for measure, _, bar, slow_bar in VARIANTS:
        if measure in times:
            label = measure if barred else f"{measure}, {photo.name}"
            times_bar = (slow_bar if slow else bar) if barred else None
            rows.append(at_most(context.group, label, times[measure], times[PLAIN], "ms", times_bar, f"vs {PLAIN}"))
    return rows


def _requests(context: Context) -> list[Row]:
    try:
        our_storage = ours.storage(context, SEED)
    except ours.Unavailable:
        return []
    with upload(Path(context.photo_12mp)) as content, counted() as counts:
        ours.saver(our_storage, SEED)(content)
    return [limit(context.group, "requests of a save", counts.requests, "", 1 + len(SEED.thumbs))]
