"""A save with the six seed thumbs, against each peer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks import ours
from tests.benchmarks.context import Context
from tests.benchmarks.groups.saving import fastest, peer_turns, turn
from tests.benchmarks.peers import Peer, all_peers
from tests.benchmarks.project import set_up
from tests.benchmarks.report import Row, absent, at_most, faster, shown
from tests.benchmarks.sets import SEED, WantedSet
from tests.benchmarks.timing import interleaved

OURS = "ours"
PLAIN = "django-storages, the original alone"


@dataclass(frozen=True)
class Match:
    """Ours and every peer that can, with one photo and one thumb set."""

    label: str
    photo: Path
    wanted: WantedSet
    bar: float | None = None
    """How many times faster than the fastest peer ours has to be; None only shows them."""
    runs: int = 1
    slow: bool = False


def measure(context: Context) -> list[Row]:
    set_up(context, peers=True)
    drawn, *real = context.photos
    rows = play(context, Match("seed thumbs", drawn, SEED, bar=10, runs=half(context)))
    for photo in real:
        rows += play(context, Match(f"seed thumbs, {photo.name}", photo, SEED))
    return rows


def half(context: Context) -> int:
    """The peers take a second and more for each photo, so they have fewer turns."""
    return max(2, context.runs // 2)


def play(context: Context, match: Match) -> list[Row]:
    """The rows of a match; the subjects take turns."""
    peers = [peer for peer in all_peers() if match.wanted.format in peer.formats]
    subjects = {
        PLAIN: turn(ours.baseline(context, slow=match.slow), match.photo),
        **peer_turns(peers, match.photo, match.wanted),
    }
    try:
        our_storage = ours.storage(context, match.wanted, slow=match.slow)
    except ours.Unavailable as error:
        return [absent(context.group, match.label, error)]
    subjects[OURS] = turn(ours.saver(our_storage, match.wanted), match.photo)
    return _rows(context, match, peers, interleaved(subjects, match.runs, warm_up=2))


def _rows(context: Context, match: Match, peers: list[Peer], times: dict[str, float]) -> list[Row]:
    group, label = context.group, match.label
    rows = [shown(group, f"{label}: {PLAIN}", times[PLAIN], "ms")]
    rows += [at_most(group, f"{label}: {p.name}", times[OURS], times[p.name], "ms", None, p.note) for p in peers]
    name, best = fastest(times, peers)
    return [*rows, faster(group, f"{label}: the fastest peer", times[OURS], best, "ms", match.bar, f"vs {name}")]
