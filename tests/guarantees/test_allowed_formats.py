"""Nothing but the formats that a storage allows is ever opened."""

from __future__ import annotations

import pytest
from django.core.files.base import ContentFile
from PIL import Image

from athumb_storage import UploadedImageIsUnreadableError
from athumb_storage.formats import EXTENSIONS
from athumb_storage.rendering import opening
from tests.conftest import content_of, draw, stored, upload
from tests.hostile.heic import REAL

ONE = {"small": {"size": (9, 9)}}


def test_only_allowed_formats_are_opened(make_storage, monkeypatch):
    storage = make_storage(thumbs=ONE, allowed_formats=["jpeg"])
    assert len(stored_by(storage, "cat.png", draw())) == 2
    opened = []
    monkeypatch.setattr(Image, "open", lambda *args, **options: opened.append(args))
    monkeypatch.setattr(opening, "open_heic", opened.append)
    for image_format in sorted(set(EXTENSIONS) - {"JPEG"} | {"HEIC"}):
        data = REAL if image_format == "HEIC" else draw(format=image_format)
        name = f"dog-{image_format}.nothumbs.jpg"
        assert stored_by(storage, f"dog-{image_format}.jpg", data) == [name]
        assert content_of(storage, name) == data
        assert storage.generate_thumbs(name) == {}
        strict = storage.with_thumbs({}, images_only=True)
        with pytest.raises(UploadedImageIsUnreadableError, match=f"dog-{image_format}.*is not an image of a format"):
            strict.save(name, ContentFile(data))
        with pytest.raises(UploadedImageIsUnreadableError, match=f"{name}.*is not an image of a format"):
            strict.check_image(upload(name, data))
        with pytest.raises(UploadedImageIsUnreadableError):
            strict.generate_thumbs(name)
    assert opened == []


def stored_by(storage, name, data):
    """What this save stored."""
    before = set(stored(storage))
    storage.save(name, ContentFile(data))
    return sorted(set(stored(storage)) - before)
