"""What is done to a thumb when it is scaled and upright: the project's processors, and what fills its box beside it."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from typing import Any, Final

from PIL import Image

from athumb_storage.exceptions import RenderingError
from athumb_storage.geometry import Size
from athumb_storage.rendering.opening import PILLOWS, translated
from athumb_storage.specs import Thumb

_MODES: Final = ("L", "RGB", "RGBA")


def finished(image: Image.Image, thumb: Thumb, canvas: Size | None) -> Image.Image:
    """A thumb as it is encoded.

    Args:
        image: its pixels, in mode L, RGB, YCbCr or RGBA and in sRGB, upright.
        thumb: what is wanted.
        canvas: the size of the whole thumb, where something is to be filled.

    Raises:
        RenderingError: a processor cannot be imported, or gives no image of that size.
    """
    if image.mode == "YCbCr" and (thumb.processors or canvas):
        image = image.convert("RGB")
    for path, options in thumb.processors:
        image = _processed(image, path, dict(options))
    return _padded(image, canvas, thumb.pad) if canvas and thumb.pad else image


@lru_cache
def processor(path: str) -> Callable[..., Any]:
    """The callable of this dotted name.

    Raises:
        RenderingError: there is none.
    """
    module, _, name = path.rpartition(".")
    try:
        found: Callable[..., Any] = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise RenderingError(f"The processor {path} cannot be imported: {error}") from error
    return found


def can_process(path: str) -> bool:
    """Whether there is a processor of this dotted name."""
    try:
        return callable(processor(path))
    except RenderingError:
        return False


def _processed(image: Image.Image, path: str, options: dict[str, Any]) -> Image.Image:
    try:
        done = processor(path)(image, **options)
    except PILLOWS as error:
        raise translated(error, RenderingError(f"The processor {path} failed")) from error
    if not isinstance(done, Image.Image) or done.size != image.size:
        given = f"an image of {done.size}" if isinstance(done, Image.Image) else f"{done!r}"
        raise RenderingError(f"The processor {path} gave {given}; an image of {image.size} pixels is wanted")
    return done if done.mode in _MODES else done.convert("RGBA" if done.has_transparency_data else "RGB")


def _padded(image: Image.Image, canvas: Size, colour: str) -> Image.Image:
    """The image in the middle of a canvas of this colour, which shows through it as well."""
    fill = tuple(bytes.fromhex(colour[1:]))
    corner = (canvas[0] - image.width) // 2, (canvas[1] - image.height) // 2
    ground = Image.new("RGB" if len(fill) == 3 else "RGBA", canvas, fill)
    if ground.mode == "RGB":
        ground.paste(image, corner, image if image.mode == "RGBA" else None)
    else:
        ground.alpha_composite(image.convert("RGBA"), corner)
    return ground
