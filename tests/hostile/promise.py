"""The promise itself: any bytes under any name become a stored set or a clear error, and nothing is left over."""

from __future__ import annotations

import io

from django.core.exceptions import SuspiciousOperation, ValidationError
from PIL import Image

from athumb_storage.exceptions import UploadedImageIsUnreadableError
from athumb_storage.formats import sniff
from athumb_storage.geometry import place
from athumb_storage.rendering import shown_size
from tests.conftest import content_of, image_in, stored
from tests.hostile.families import PLAIN, REFUSED, STORED

CLEAR_ERRORS = (UploadedImageIsUnreadableError, SuspiciousOperation, ValidationError)

THUMBS = {"small": {"size": (24, 24)}, "square": {"size": (16, 16), "crop": True, "format": "WEBP"}}

MOVING = {
    "moving": {"size": (24, 24), "animated": True, "format": "GIF"},
    "moving square": {"size": (16, 16), "crop": True, "animated": True, "format": "WEBP"},
}
"""Thumbs that keep an animation moving."""


def outcome(storage, name, content):
    """What became of one upload to an empty storage: STORED, PLAIN or REFUSED.

    Raises:
        AssertionError: it is none of these.
        Exception: whatever `save` raises that it may not.
    """
    return what_became(storage, save(storage, name, content), content)


def save(storage, name, content):
    """The name that it was stored as; None if it was refused with a clear error."""
    content.seek(0)
    try:
        return storage.save(name, content)
    except CLEAR_ERRORS:
        return None


def what_became(storage, name, content):
    """STORED, PLAIN or REFUSED, of content that was saved as this."""
    if name is None:
        assert stored(storage) == [], "an upload that was refused left something over"
        return REFUSED
    content.seek(0)
    data = content.read()
    assert content_of(storage, name) == data, "the original is not what was uploaded"
    if stored(storage) == [name]:
        assert sniff(data[:32]) is None, "an image without its thumbs"
        return PLAIN
    _check_thumbs(storage, name, data)
    return STORED


def _check_thumbs(storage, name, data):
    keys = {thumb_name: storage.thumb_key(name, thumb_name) for thumb_name in storage.thumbs}
    assert stored(storage) == sorted([name, *keys.values()]), "not the set that belongs to the original"
    size = shown_size(io.BytesIO(data))
    assert size is not None, "thumbs of what has no size"
    for thumb_name, thumb in storage.thumbs.items():
        image = image_in(storage, keys[thumb_name])
        options = storage.options
        wanted = thumb.formats_for(name, options.fallback_format, options.keeps_extension)[-1]
        assert image.format == wanted, f"{thumb_name} is {image.format}"
        assert image.size == place(size, thumb).size, f"{thumb_name} is {image.size} of {size}"


def is_bare(storage):
    """Whether not even a folder is there."""
    return storage.listdir("") == ([], [])


def pillow_settings():
    """Everything in Pillow that holds for a whole process, with its value."""
    import PIL.GifImagePlugin
    import PIL.ImageFile
    import PIL.JpegImagePlugin
    import PIL.PngImagePlugin
    import PIL.TiffImagePlugin

    modules = (
        Image,
        PIL.ImageFile,
        PIL.PngImagePlugin,
        PIL.GifImagePlugin,
        PIL.TiffImagePlugin,
        PIL.JpegImagePlugin,
    )
    found = {
        f"{module.__name__}.{name}": value
        for module in modules
        for name, value in vars(module).items()
        if name.isupper() and isinstance(value, bool | int | float | str | None)
    }
    core = Image.core
    return {**found, "block": core.get_block_size(), "blocks": core.get_blocks_max(), "alignment": core.get_alignment()}
