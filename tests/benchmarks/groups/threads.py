"""Eight threads that upload, against one; and what is left when they are done."""

from __future__ import annotations

import gc
import statistics
import threading
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from tests.benchmarks import ours
from tests.benchmarks.context import Context
from tests.benchmarks.groups.saving import Save
from tests.benchmarks.project import set_up, upload
from tests.benchmarks.report import Row, absent, gain, limit
from tests.benchmarks.sets import SEED
from tests.benchmarks.timing import timed

LABEL = "8 threads uploading, against 1"
PLAIN = "django-storages, the originals alone"
THREADS = 8


def measure(context: Context) -> list[Row]:
    set_up(context)
    try:
        save = ours.saver(ours.storage(context, SEED), SEED)
    except ours.Unavailable as error:
        return [absent(context.group, LABEL, error, ">= 1.6 x")]
    _uploads(context, save, THREADS, THREADS)
    before = _left(context)
    speeds = _speeds(context, save)
    gc.collect()
    after = _left(context)
    plain = _speeds(context, ours.baseline(context))
    return [
        gain(context.group, LABEL, speeds[THREADS], speeds[1], "photos/s", 1.6),
        gain(context.group, f"{LABEL}: {PLAIN}", plain[THREADS], plain[1], "photos/s", None),
        limit(context.group, "threads left over", after[0] - before[0], "", 0, f"{after[0]} in the process"),
        limit(context.group, "connections left over", after[1] - before[1], "", 0, f"{after[1]} kept open for reuse"),
    ]


def _speeds(context: Context, save: Save) -> dict[int, float]:
    """Photos per second with one thread and with eight, taking turns."""
    speeds: dict[int, list[float]] = {1: [], THREADS: []}
    for _ in range(max(3, context.runs // 3)):
        for threads, found in speeds.items():
            found.append(_uploads(context, save, threads, THREADS if context.quick else 3 * THREADS))
    return {threads: statistics.median(found) for threads, found in speeds.items()}


def _uploads(context: Context, save: Save, threads: int, photos: int) -> float:
    """Photos per second; the threads are warm, as a server's are: each has saved a photo before."""
    warm = threading.Barrier(threads)

    def store(*, wait: bool = False) -> None:
        if wait:
            warm.wait()
        with upload(Path(context.photo_12mp)) as content:
            save(content)

    with ThreadPoolExecutor(threads) as pool:
        _results(pool.submit(store, wait=True) for _ in range(threads))
        return photos / timed(lambda: _results([pool.submit(store) for _ in range(photos)]))


def _results(jobs: Iterable[Future[None]]) -> None:
    for job in list(jobs):
        job.result()


def _left(context: Context) -> tuple[int, int]:
    """How many threads there are, and how many connections to the server."""
    port = urlsplit(context.endpoint_url).port
    connections = psutil.Process().net_connections(kind="tcp")
    return threading.active_count(), sum(bool(one.raddr) and one.raddr.port == port for one in connections)
