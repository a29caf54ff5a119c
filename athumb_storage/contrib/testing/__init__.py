"""What every storage with thumbs does, as tests that a storage of one's own inherits.

class TestArchiveStorage(StorageContract):
    @pytest.fixture
    def make_storage(self, tmp_path):
        return partial(ArchiveStorage, location=tmp_path)
"""

try:
    import pytest
except ImportError as error:
    raise ImportError("athumb_storage.contrib.testing needs pytest: pip install pytest") from error

# Without that, a failed assertion would not show its values: pytest rewrites only a project's own tests by itself.
pytest.register_assert_rewrite(
    *(
        f"{__name__}.{theme}"
        for theme in ("saving", "failing", "deleting", "generating", "naming", "options", "variants", "originals")
    )
)

from athumb_storage.contrib.testing.base import KEYS, THUMBS, MakeStorage  # noqa: E402, they are rewritten from here on
from athumb_storage.contrib.testing.contract import StorageContract  # noqa: E402
from athumb_storage.contrib.testing.files import (  # noqa: E402
    colour_at,
    content_of,
    draw,
    image_in,
    noise,
    stored,
    upload,
)

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
    "stored",
    "upload",
]
