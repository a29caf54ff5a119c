"""A JPEG decoded as its brightness in full and its colours small, which takes half the time on two cores.

JPEG and WebP keep colours at half the size of brightness, so what a thumb shows of them is a fourth of its pixels: they
are decoded at a fraction of their size, by one thread, while another decodes the brightness alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from PIL import Image

from athumb_storage.geometry import Box, Size
from athumb_storage.rendering.plan import DECODE_SCALES, Plan
from athumb_storage.specs import Variant

_SAMPLINGS: Final = ({(2, 2), (1, 1)}, {(1, 1)})
"""4:2:0 and 4:4:4. Where colours are at half the width alone, a fraction of them loses what the whole shows."""

_GAP: Final = 2.0
"""How many pixels a side are left for the filter where colours are made smaller in two goes (`reducing_gap`)."""


@dataclass(frozen=True)
class ColourPlanes:
    """The colours of an image, at a fraction of its size."""

    blue: Image.Image
    red: Image.Image
    scale: int
    """The image has so many pixels a side for each of theirs."""

    def added_to(self, brightness: Image.Image, box: Box) -> Image.Image:
        """A thumb in mode YCbCr.

        Args:
            brightness: the thumb without colours.
            box: what it shows, in pixels of the image.
        """
        size = brightness.size
        half = _half(size)
        left, top, right, bottom = (side / self.scale for side in box)
        part = left, top, min(right, self.blue.width), min(bottom, self.blue.height)
        bands = [
            # Encoders take the mean of each four pixels, which is then just what was scaled.
            plane.resize(half, Image.Resampling.LANCZOS, box=part, reducing_gap=_GAP).resize(
                size, Image.Resampling.NEAREST
            )
            for plane in (self.blue, self.red)
        ]
        return Image.merge("YCbCr", (brightness, *bands))


def _half(size: Size) -> Size:
    """Half the size; a side that has no half stays as it is."""
    width, height = (side // 2 if side % 2 == 0 else side for side in size)
    return width, height


def scale_of_colours(image: Image.Image, plan: Plan, variants: Iterable[Variant]) -> int | None:
    """At which fraction the colours of an image are enough; None if it is not to be decoded in planes.

    Args:
        image: the image, opened and not yet decoded.
        plan: how its thumbs are scaled.
        variants: what they are encoded as.
    """
    if plan.scale != 1 or image.format != "JPEG" or image.mode != "RGB" or not all(map(_keeps_half, variants)):
        return None
    layers = image.layer  # type: ignore[attr-defined]
    if {layer[1:3] for layer in layers} not in _SAMPLINGS or layers[0][1:3] != max(layer[1:3] for layer in layers):
        return None
    if image.info.get("adobe_transform") == 0 or [layer[0] for layer in layers] == [*b"RGB"]:
        return None  # coded in RGB
    density = min((min(_densities(step.shown, step.size)) for step in plan.steps), default=0.0)
    return next((scale for scale in DECODE_SCALES if 2 * density >= scale), None)


def _densities(box: Box, size: Size) -> tuple[float, float]:
    left, top, right, bottom = box
    return (right - left) / size[0], (bottom - top) / size[1]


def _keeps_half(variant: Variant) -> bool:
    """Whether its encoder keeps colours at half the size."""
    options = (variant.thumb.encoder or {}).get(variant.format, {})
    is_half = options.get("subsampling", "4:2:0") == "4:2:0" and not options.get("lossless")
    return variant.format in ("JPEG", "WEBP") and is_half
