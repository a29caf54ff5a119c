"""What the groups that save photos share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from django.core.files.uploadedfile import UploadedFile

from tests.benchmarks.peers import Peer
from tests.benchmarks.project import upload
from tests.benchmarks.sets import WantedSet
from tests.benchmarks.timing import timed

Save = Callable[[UploadedFile], list[str]]


def turn(save: Save, photo: Path) -> Callable[[], float]:
    """One timed save, in milliseconds; making the upload is not counted."""

    def once() -> float:
        with upload(photo) as content:
            return 1000 * timed(lambda: save(content))

    return once


def peer_turns(peers: Iterable[Peer], photo: Path, wanted: WantedSet) -> dict[str, Callable[[], float]]:
    return {peer.name: turn(_peer_save(peer, wanted), photo) for peer in peers}


def _peer_save(peer: Peer, wanted: WantedSet) -> Save:
    return lambda content: peer.save(content, wanted)


def fastest(times: dict[str, float], peers: Iterable[Peer]) -> tuple[str, float]:
    return min(((peer.name, times[peer.name]) for peer in peers), key=lambda pair: pair[1])
