"""The URL of a thumb, in µs: ours over a hundred photos, the peers' warm URLs of the photo they saved last."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.benchmarks import ours
from tests.benchmarks.context import Context
from tests.benchmarks.counting import counted
from tests.benchmarks.groups.saving import fastest
from tests.benchmarks.peers import all_peers
from tests.benchmarks.project import set_up, upload
from tests.benchmarks.report import Row, absent, at_most, faster, limit
from tests.benchmarks.sets import SEED
from tests.benchmarks.timing import interleaved, microseconds_each

NAMES = [f"photos/2026/11/photo-{number}.jpg" for number in range(100)]
THUMB_NAMES = [thumb.name for thumb in SEED.thumbs]
WINDOW = 3600
BARS = {"with": 8.0, "without": 50.0}
"""How many times faster than the fastest peer, with a custom domain and without."""


def measure(context: Context) -> list[Row]:
    set_up(context, peers=True)
    label = f"thumb URL, unsigned, {context.subject} custom domain"
    rows = _unsigned(context, label)
    return rows if context.custom_domain else rows + _presigned(context)


def _unsigned(context: Context, label: str) -> list[Row]:
    peers = all_peers()
    batches: dict[str, Callable[[], int]] = {}
    for peer in peers:
        with upload(Path(context.photo_12mp)) as content:
            peer.save(content, SEED)
        batches[peer.name] = peer.warm_urls()
    try:
        batches["ours"] = our_urls(ours.storage(context, SEED))
    except ours.Unavailable as error:
        return [absent(context.group, label, error)]
    times = interleaved({name: _turn(batch) for name, batch in batches.items()}, max(3, context.runs // 3))
    rows = [limit(context.group, label, times["ours"], "µs", 3)]
    rows += [at_most(context.group, f"{label}: {p.name}", times["ours"], times[p.name], "µs", None) for p in peers]
    name, best = fastest(times, peers)
    bar = BARS[context.subject]
    return [*rows, faster(context.group, f"{label}: the fastest peer", times["ours"], best, "µs", bar, f"vs {name}")]


def our_urls(our_storage: Any) -> Callable[[], int]:
    """Every thumb of every name once."""
    url_for_thumb = our_storage.url_for_thumb

    def batch() -> int:
        for name in NAMES:
            for thumb in THUMB_NAMES:
                url_for_thumb(name, thumb)
        return len(NAMES) * len(THUMB_NAMES)

    return batch


def _turn(batch: Callable[[], int]) -> Callable[[], float]:
    batch()
    return lambda: microseconds_each(batch, 0.1)


def _presigned(context: Context) -> list[Row]:
    label = "thumb URL, presigned, within its window"
    try:
        our_storage = ours.storage(context, SEED, querystring_auth=True, signed_url_window=WINDOW)
    except ours.Unavailable as error:
        return [absent(context.group, label, error, "<= 5 µs")]
    times = interleaved({"ours": _turn(our_urls(our_storage))}, max(3, context.runs // 3))
    with counted() as counts:
        our_urls(our_storage)()
    note = f"{counts.requests} requests, {counts.cache_calls} cache calls"
    return [limit(context.group, label, times["ours"], "µs", 5, note)]
