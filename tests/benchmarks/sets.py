"""The thumb sets that are measured, in words that every library's adapter translates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

QUALITY = 85
ENCODER: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": QUALITY, "optimize": True, "progressive": True},
    "WEBP": {"quality": QUALITY},
    "AVIF": {"quality": 65, "speed": 8, "max_threads": 1},
    "PNG": {},
}
"""What Pillow is told for each format, by this library and by all it is compared with."""


@dataclass(frozen=True)
class Wanted:
    """One thumb: a box in pixels, filled if `crop`, else fitted into."""

    name: str
    width: int
    height: int
    crop: bool = False

    @property
    def geometry(self) -> str:
        return f"{self.width}x{self.height}"


@dataclass(frozen=True)
class WantedSet:
    """Thumbs of one format, all at the same quality."""

    name: str
    format: str
    thumbs: tuple[Wanted, ...]

    def as_thumbs(self) -> dict[str, dict[str, Any]]:
        """The set as this library's `thumbs` option."""
        return {wanted.name: self._options(wanted) for wanted in self.thumbs}

    def _options(self, wanted: Wanted) -> dict[str, Any]:
        return {
            "size": (wanted.width, wanted.height),
            "crop": wanted.crop,
            "upscale": False,
            "format": self.format,
            "quality": ENCODER[self.format].get("quality"),
        }


_SEED = (
    Wanted("50x50_cropped", 50, 50, crop=True),
    Wanted("60x60", 60, 60),
    Wanted("80x1000", 80, 1000),
    Wanted("front_page", 120, 1000),
    Wanted("medium", 161, 1000),
    Wanted("large", 200, 1000),
)
_RESPONSIVE = (
    *(Wanted(f"w{width}", width, 10_000) for width in (320, 640, 960, 1280, 1920)),
    Wanted("square", 256, 256, crop=True),
)

SEED = WantedSet("seed", "JPEG", _SEED)
RESPONSIVE_JPEG = WantedSet("responsive_jpeg", "JPEG", _RESPONSIVE)
RESPONSIVE_WEBP = WantedSet("responsive_webp", "WEBP", _RESPONSIVE)
RESPONSIVE_AVIF = WantedSet("responsive_avif", "AVIF", _RESPONSIVE)
SEED_PNG = WantedSet("seed_png", "PNG", _SEED)
ALL = (SEED, RESPONSIVE_JPEG, RESPONSIVE_WEBP)
