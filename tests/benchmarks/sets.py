"""The thumb sets that are measured, in words that every library's adapter translates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

QUALITY = 85


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
    """Thumbs of one format, all at quality 85."""

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
            "quality": QUALITY,
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
ALL = (SEED, RESPONSIVE_JPEG, RESPONSIVE_WEBP)
