"""What may be done to a thumb's pixels besides: callables that take a Pillow image and return one of the same size."""

from __future__ import annotations

from PIL import Image, ImageFilter


def sharpen(image: Image.Image, *, radius: float = 0.6, percent: int = 60, threshold: int = 2) -> Image.Image:
    """Make edges clearer, which are softer in a thumb than in its original (an unsharp mask).

    Args:
        image: in mode L, RGB or RGBA.
        radius: how far from an edge, in pixels.
        percent: how much.
        threshold: the least difference, of 255, that counts as an edge.
    """
    return image.filter(ImageFilter.UnsharpMask(radius, percent, threshold))
