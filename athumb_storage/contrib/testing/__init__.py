"""For a project's tests: `override_storage`, and what every storage with thumbs does, as tests to inherit.

class TestArchiveStorage(StorageContract):
    @pytest.fixture
    def make_storage(self, tmp_path):
        return partial(ArchiveStorage, location=tmp_path)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from athumb_storage.contrib.testing.overriding import override_storage

if TYPE_CHECKING:
    from athumb_storage.contrib.testing.base import KEYS, THUMBS, MakeStorage
    from athumb_storage.contrib.testing.contract import StorageContract
    from athumb_storage.contrib.testing.files import colour_at, content_of, draw, image_in, noise, stored, upload

__all__ = [
    "KEYS",
    "THUMBS",
    "MakeStorage",
    "StorageContract",
    "colour_at",
    "content_of",
    "draw",
    "image_in",
    "noise",
    "override_storage",
    "stored",
    "upload",
]

_ROOMS = {
    "base": ("KEYS", "THUMBS", "MakeStorage"),
    "contract": ("StorageContract",),
    "files": ("colour_at", "content_of", "draw", "image_in", "noise", "stored", "upload"),
}
_THEMES = ("saving", "failing", "deleting", "generating", "naming", "options", "variants", "originals")


def __getattr__(name: str) -> Any:
    """What needs pytest is imported when it is asked for."""
    for room, names in _ROOMS.items():
        if name in names:
            _rewrite_assertions()
            return getattr(import_module(f"{__name__}.{room}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _rewrite_assertions() -> None:
    """Without that, a failed one would not show its values: pytest rewrites only a project's own tests by itself."""
    try:
        import pytest
    except ImportError as error:
        raise ImportError("The contract of athumb_storage.contrib.testing needs pytest: pip install pytest") from error
    pytest.register_assert_rewrite(*(f"{__name__}.{theme}" for theme in _THEMES))
