"""The peak of memory that one save adds, in a process of its own for each photo."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks import ours
from tests.benchmarks.context import Context
from tests.benchmarks.groups.saving import Save
from tests.benchmarks.project import set_up, upload
from tests.benchmarks.report import Row, absent, limit, shown
from tests.benchmarks.sets import SEED

MIB = 1 << 20
BARS = {"12 MP": 20, "48 MP": 60}
SMALL = "small.jpg"
"""The photo to warm up with, beside the others."""


def measure(context: Context) -> list[Row]:
    set_up(context)
    megapixels, _, who = context.subject.partition(", ")
    label = f"peak memory added by a save of {megapixels}"
    if not Path("/proc/self/clear_refs").exists():
        return [absent(context.group, label, "the peak can be read on Linux alone")]
    photo = Path(context.photo_12mp if megapixels == "12 MP" else context.photo_48mp)
    if who == "plain":
        return [shown(context.group, f"{label}: django-storages alone", _added(ours.baseline(context), photo), "MiB")]
    try:
        save = ours.saver(ours.storage(context, SEED), SEED)
    except ours.Unavailable as error:
        return [absent(context.group, label, error, f"<= {BARS[megapixels]} MiB")]
    return [limit(context.group, label, _added(save, photo), "MiB", BARS[megapixels])]


def _added(save: Save, photo: Path) -> float:
    """MiB of resident memory at the peak of a save, above what there was before it."""
    _saved(save, photo.with_name(SMALL))
    return peak_added(lambda: _saved(save, photo))


def peak_added(action: Callable[[], object]) -> float:
    """MiB of resident memory at the peak of an action, above what there was before it."""
    gc.collect()
    before = status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    action()
    return (status("VmHWM") - before) / MIB


def _saved(save: Save, photo: Path) -> None:
    with upload(photo) as content:
        save(content)


def status(name: str) -> int:
    """A line of /proc/self/status, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))
