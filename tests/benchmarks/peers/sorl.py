"""sorl-thumbnail: `get_thumbnail` for each size, with its cached database store; the source is read once a request."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile
from sorl.thumbnail import get_thumbnail, images

from tests.benchmarks.ours import fresh_name
from tests.benchmarks.peers import JPEG_OR_WEBP
from tests.benchmarks.sets import QUALITY, Wanted, WantedSet


class Sorl:
    name = "sorl-thumbnail"
    note = ""
    formats = JPEG_OR_WEBP

    def save(self, content: UploadedFile, wanted: WantedSet) -> list[str]:
        with _one_request():
            self.photo = default_storage.save(fresh_name("sorl"), content)
            self.wanted = wanted
            return self._urls()

    def warm_urls(self) -> Callable[[], int]:
        return lambda: len(self._urls())

    def _urls(self) -> list[str]:
        return [get_thumbnail(self.photo, thumb.geometry, **self._options(thumb)).url for thumb in self.wanted.thumbs]

    def _options(self, thumb: Wanted) -> dict[str, Any]:
        options: dict[str, Any] = {"quality": QUALITY, "format": self.wanted.format, "upscale": False}
        return {**options, "crop": "center"} if thumb.crop else options


def _one_request() -> AbstractContextManager[None]:
    """What sorl keeps while a request is served, so that it reads the source once; older ones kept nothing."""
    return images.source_cache() if hasattr(images, "source_cache") else nullcontext()
