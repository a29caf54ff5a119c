"""Which picture of a file the admin shows. All of it follows from the name: no storage is asked, and no database."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import PurePosixPath
from typing import Any, Final

from django.forms.utils import flatatt
from django.utils.html import format_html
from django.utils.safestring import SafeString

from athumb_storage.exceptions import OriginalSizeUnknown
from athumb_storage.fieldfiles import ThumbsFieldFile
from athumb_storage.geometry import Size
from athumb_storage.specs import Thumb
from athumb_storage.validators import is_stored

PREVIEW: Final = "admin"
"""The thumb name of the preview, if the project has such a thumb."""

PICKER_SIDE: Final = 240
"""How long a picture is to be in which a point can be chosen, in pixels."""


def file_with_thumbs(value: object) -> ThumbsFieldFile | None:
    """The same, if it is a stored file that has thumbs."""
    if isinstance(value, ThumbsFieldFile) and is_stored(value) and value.has_thumbs:
        return value
    return None


def preview_thumb(thumbs: Mapping[str, Thumb]) -> str:
    """The thumb name of the preview: the one that is meant for it, else the smallest."""
    return PREVIEW if PREVIEW in thumbs else min(thumbs, key=lambda name: _area(thumbs[name]))


def _area(thumb: Thumb) -> int:
    width, height = thumb.size
    return (width or height or 0) * (height or width or 0)


def uncropped_thumb(thumbs: Mapping[str, Thumb]) -> str | None:
    """The name of the smallest thumb that shows all of the original and is large enough to choose a point, else of the
    largest; None where there is none."""
    fits = {name: max(side or 0 for side in thumb.size) for name, thumb in thumbs.items() if _is_fit(thumb)}
    large = [name for name in fits if fits[name] >= PICKER_SIDE]
    return min(large, key=fits.__getitem__) if large else max(fits, key=fits.__getitem__, default=None)


def _is_fit(thumb: Thumb) -> bool:
    return thumb.crop is None and thumb.pad is None


def image_tag(file: ThumbsFieldFile, thumb: str | None) -> SafeString:
    """The `<img>` of a thumb, or of the original if `thumb` is None.

    Raises:
        UnknownThumb: the file has no such thumb.
    """
    attributes: dict[str, Any] = {
        "src": file.url_for_thumb(thumb) if thumb else file.url,
        "alt": PurePosixPath(file.name or "").name,
        "loading": "lazy",
    }
    size = size_of(file, thumb)
    if size:
        attributes["width"], attributes["height"] = size
    return format_html("<img{}>", flatatt(attributes))


def size_of(file: ThumbsFieldFile, thumb: str | None = None) -> Size | None:
    """Width and height of a thumb, or of the original if `thumb` is None; None if they are not at hand."""
    # A form that is refused leaves an upload on the row, and the upload's size.
    if file.instance.__dict__.get(file.field.attname) is not file:
        return None
    with suppress(OriginalSizeUnknown):
        size: Size = file.thumb_size(thumb) if thumb else file._original_size()
        return size
    return None
