"""How a finished thumb is written: the options of each format's encoder."""

from __future__ import annotations

import io
from functools import lru_cache
from typing import Any, Final

from PIL import Image, features

from athumb_storage.exceptions import RenderingError
from athumb_storage.rendering.colours import flattened
from athumb_storage.specs import Variant

_WITH_QUALITY: Final = frozenset({"JPEG", "WEBP", "AVIF"})
_WITHOUT_ALPHA: Final = frozenset({"JPEG", "BMP"})


@lru_cache
def can_write(format: str) -> bool:  # noqa: A002, it is the option's name
    """Whether the Pillow that is installed can write this format: WebP and AVIF may be left out of a build."""
    return format not in ("WEBP", "AVIF") or bool(features.check(format.lower()))


def encoded(image: Image.Image, variant: Variant) -> bytes:
    """A thumb's bytes.

    Args:
        image: its pixels, in mode L, RGB or RGBA and in sRGB, upright.
        variant: what it is encoded as.

    Raises:
        RenderingError: the installed Pillow cannot write the format.
    """
    if not can_write(variant.format):
        raise RenderingError(f"thumb {variant.thumb_name!r}: the installed Pillow cannot write {variant.format}")
    if variant.format in _WITHOUT_ALPHA:
        image = flattened(image)
    options: dict[str, Any] = {"quality": variant.thumb.quality} if variant.format in _WITH_QUALITY else {}
    output = io.BytesIO()
    image.save(output, variant.format, **options)
    return output.getvalue()
