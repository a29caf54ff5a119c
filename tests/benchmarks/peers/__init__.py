"""The peers, each behind the same two verbs, used as its documentation tells. Import after Django is set up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from django.core.files.uploadedfile import UploadedFile

from tests.benchmarks.sets import WantedSet

JPEG_OR_WEBP = frozenset({"JPEG", "WEBP"})


class Peer(Protocol):
    """A library that makes thumbs, in a warm process."""

    name: str
    note: str
    formats: frozenset[str]
    """What it can make of a JPEG; it is left out where another format is wanted."""

    def save(self, content: UploadedFile, wanted: WantedSet) -> list[str]:
        """Store the upload and make all its thumbs; the URLs of the thumbs."""
        ...

    def warm_urls(self) -> Callable[[], int]:
        """A function that asks for each thumb URL of the photo saved last, and says how many there were."""
        ...


def all_peers() -> list[Peer]:
    from tests.benchmarks.peers import easy, imagekit, pictures, sorl, versatile

    return [easy.Easy(), sorl.Sorl(), imagekit.ImageKit(), versatile.Versatile(), pictures.Pictures()]
