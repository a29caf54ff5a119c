"""Photos of camera-like detail, drawn from a seed, and real ones from a folder.

A photo's detail falls off as 1/f, with sharp edges on top and sensor noise below; a smooth gradient or white noise
would flatter, or punish, a scaled decode that real photos do not.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image, ImageDraw, ImageFilter

if TYPE_CHECKING:
    import numpy as np

Size = tuple[int, int]

SIZE_12MP: Size = (4000, 3000)
SIZE_48MP: Size = (8000, 6000)
CAMERA_QUALITY = 92
DETAIL_FALLOFF = 0.34
"""Chosen so that 12 megapixels take about 2.9 MB, as they do in a camera."""
SUFFIXES = frozenset({".jpg", ".jpeg"})


def drawn(folder: Path, size: Size, seed: int = 7) -> Path:
    """The photo of this size, drawn once and then kept in `folder`."""
    version = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:8]
    path = folder / f"photo-{size[0]}x{size[1]}-{seed}-{version}.jpg"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".new")
        draw(size, seed).save(temporary, "JPEG", quality=CAMERA_QUALITY, exif=_exif())
        temporary.replace(path)
    return path


def small(folder: Path) -> Path:
    """A photo of 640x480 pixels, to warm up with."""
    path = folder / "small.jpg"
    if not path.exists():
        draw((640, 480), 7).save(path, "JPEG", quality=85)
    return path


def real(folder: str | None) -> list[Path]:
    """The JPEG files in the folder."""
    if not folder:
        return []
    paths = Path(folder).expanduser().iterdir()
    return sorted(path.resolve() for path in paths if path.suffix.lower() in SUFFIXES)


def draw(size: Size, seed: int) -> Image.Image:
    """A landscape: clouds and ground of 1/f detail, hard-edged shapes, fine lines, a little noise."""
    import numpy as np

    random = np.random.default_rng(seed)
    light = _octaves(random, size, finest=2)
    light = 0.5 + 0.17 * light
    red, blue = (0.06 * _octaves(random, size, finest=64, octaves=5) for _ in range(2))
    bands = [_band(light + shift) for shift in (red, 0, blue)]
    image = Image.merge("RGB", bands)
    _shapes(image, random)
    return _with_sensor_noise(image.filter(ImageFilter.GaussianBlur(0.7 * size[0] / 4000)), random)


def _octaves(random: np.random.Generator, size: Size, finest: int, octaves: int = 11) -> Any:
    """Noise as in photos of nature, each octave of a little less contrast than the one twice as coarse.

    An amplitude spectrum of exactly 1/f would have the same contrast in all; lenses and air take from the finest.
    """
    import numpy as np

    total = np.zeros(size[::-1], np.float32)
    for octave in range(octaves):
        step = finest << octave
        shape = (size[1] // step + 3, size[0] // step + 3)
        grid = Image.fromarray(random.standard_normal(shape, dtype=np.float32))
        weight = np.float32(1 << octave) ** np.float32(DETAIL_FALLOFF)
        total += weight * np.asarray(grid.resize(size, Image.Resampling.BICUBIC))
    return total / total.std()


def below(folder: str | None, pattern: str) -> list[Path]:
    """The files of such names, at any depth, by their size."""
    found = Path(folder).expanduser().rglob(pattern) if folder else ()
    return sorted(found, key=lambda path: path.stat().st_size)


def _band(values: Any) -> Image.Image:
    import numpy as np

    return Image.fromarray((np.clip(values, 0, 1) * 255).astype(np.uint8))


def _shapes(image: Image.Image, random: np.random.Generator) -> None:
    """Roofs and windows (edges), and grass (fine lines), over the lower half."""
    width, height = image.size
    unit = width / 400
    pen = ImageDraw.Draw(image)
    for _ in range(60):
        left, top = random.uniform(0, width), random.uniform(0.35, 0.75) * height
        across, down = random.uniform(4, 30) * unit, random.uniform(4, 20) * unit
        colour = tuple(int(value) for value in random.integers(20, 235, 3))
        pen.polygon([(left, top), (left + across, top + 0.2 * down), (left + 0.9 * across, top + down)], fill=colour)
        pen.rectangle([left, top + down, left + across / 3, top + 1.6 * down], fill=colour[::-1])
    for _ in range(9000):
        left, top = random.uniform(0, width), random.uniform(0.7, 1) * height
        shade = int(random.integers(30, 200))
        end = (left + random.uniform(-2, 2) * unit, top - random.uniform(1, 7) * unit)
        pen.line([(left, top), end], fill=(shade // 2, shade, shade // 3), width=max(1, round(unit / 5)))


def _with_sensor_noise(image: Image.Image, random: np.random.Generator, sigma: float = 1.6) -> Image.Image:
    import numpy as np

    bands = []
    for band in image.split():
        noise = random.standard_normal(band.size[::-1], dtype=np.float32) * np.float32(sigma)
        bands.append(Image.fromarray(np.clip(np.asarray(band) + noise, 0, 255).astype(np.uint8)))
    return Image.merge("RGB", bands)


def _exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x0112] = "Bench", "Drawn", 1
    return exif
