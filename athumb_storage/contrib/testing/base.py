"""What the contract is told of a storage, and the thumbs that it asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Final
from unittest import mock

import pytest
from django.test import override_settings

from athumb_storage import Thumb
from athumb_storage.contrib.testing import files
from athumb_storage.rendering import encoding
from athumb_storage.storages import ThumbnailStorageMixin

THUMBS: Final[dict[str, Any]] = {
    "small": {"size": (30, 30)},
    "square": {"size": (20, 20), "crop": True},
    "web": Thumb(size=(40, 40), format="WEBP"),
}
KEYS: Final = ["cat.jpg", "cat.jpg.thumbs/small.jpg", "cat.jpg.thumbs/square.jpg", "cat.jpg.thumbs/web.webp"]
"""All that is stored of `cat.jpg` with these thumbs."""

MakeStorage = Callable[..., ThumbnailStorageMixin]
"""Makes a storage, with options by keyword."""


class Contract:
    """What the tests have to know of a storage. A subclass overrides what is otherwise with its own."""

    options_with_an_outside: ClassVar[dict[str, Any] | None] = {}
    """Options with which a storage has a place to keep to, so that `../` would lead out of it. None if it has none."""

    @pytest.fixture
    def make_storage(self) -> MakeStorage:
        """Makes a storage, with options by keyword.

        All storages of one test are over the same place, which is empty when the test begins.
        """
        raise NotImplementedError(f"{type(self).__name__} needs a fixture `make_storage`.")

    @pytest.fixture(autouse=True)
    def _no_thumbs_of_the_project(self) -> Iterator[None]:
        # The tests ask for all thumbs themselves, in whatever project they run.
        with override_settings(ATHUMB_THUMBS=None):
            yield

    def stored(self, storage: ThumbnailStorageMixin) -> list[str]:
        """The names of all files in a storage, sorted. To be overridden for one without `listdir`."""
        return files.stored(storage)

    def can_list(self, storage: ThumbnailStorageMixin) -> bool:
        """Whether it can list, and so find the thumbs that are configured no more."""
        try:
            storage.listdir("")
        except NotImplementedError:
            return False
        except FileNotFoundError:
            pass  # its place is made by the first save
        return True

    # There is no public door to failures, so these take hold of what ThumbnailStorageMixin calls.

    @contextmanager
    def thumbs_cannot_be_written(self, storage: ThumbnailStorageMixin, reason: str, ending: str = "") -> Iterator[None]:
        """Let a storage fail with an OSError where it writes a thumb at a key that ends so."""
        write = storage._write_thumb

        def fails(key: str, *args: Any, **options: Any) -> str:
            if key.endswith(ending):
                raise OSError(reason)
            return write(key, *args, **options)

        with mock.patch.object(storage, "_write_thumb", fails):
            yield

    @contextmanager
    def nothing_can_be_removed(self, storage: ThumbnailStorageMixin, reason: str) -> Iterator[None]:
        """Let a storage fail with an OSError where it removes anything."""
        with mock.patch.object(storage, "_remove", side_effect=OSError(reason)):
            yield

    @contextmanager
    def format_cannot_be_written(self, fmt: str) -> Iterator[None]:
        """Let thumbs of a format fail, as with a Pillow that was built without it."""
        with mock.patch.object(encoding, "can_write", lambda each: each != fmt):
            yield
