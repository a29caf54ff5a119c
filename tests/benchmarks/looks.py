"""How many bytes the same looks take in each format: `python -m tests.benchmarks.looks ~/Pictures`.

Without a folder it draws a photo. Looks are told by SSIMULACRA2, of which 70 is high quality and 90 cannot be told from
the original; time is processor time of all threads.
"""

from __future__ import annotations

import io
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

from tests.benchmarks import environment, photos

WIDTH = 320
WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "JPEG 85, neither optimised nor progressive": ("JPEG", {"quality": 85}),
    **{f"JPEG {q}": ("JPEG", {"quality": q, "optimize": True, "progressive": True}) for q in (75, 80, 85, 90)},
    **{f"WebP {q}": ("WEBP", {"quality": q}) for q in (75, 80, 85, 90)},
    **{f"WebP 85, method {m}": ("WEBP", {"quality": 85, "method": m}) for m in (2, 6)},
    **{f"AVIF {q}": ("AVIF", {"quality": q, "max_threads": 1}) for q in (60, 65, 70, 75, 85)},
    "AVIF 65, speed 8": ("AVIF", {"quality": 65, "max_threads": 1, "speed": 8}),
    "AVIF 67, speed 8": ("AVIF", {"quality": 67, "max_threads": 1, "speed": 8}),
    "AVIF 65, two threads": ("AVIF", {"quality": 65, "max_threads": 2}),
}


def thumbs(paths: list[Path], width: int) -> list[Image.Image]:
    """The photos at this width, by a full decode and Lanczos."""
    found = []
    for path in paths:
        image = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
        found.append(image.resize((width, round(image.height * width / image.width)), Image.Resampling.LANCZOS))
    return found


def measured(images: list[Image.Image], image_format: str, options: dict[str, Any]) -> tuple[int, float, float]:
    """Bytes of all, the mean of their looks, and milliseconds of all."""
    from ssimulacra2 import compute_ssimulacra2

    size, looks, spent = 0, 0.0, 0.0
    with tempfile.TemporaryDirectory() as folder:
        true, seen = Path(folder) / "true.png", Path(folder) / "seen.png"
        for image in images:
            output = io.BytesIO()
            started = time.process_time()
            image.save(output, image_format, **options)
            spent += time.process_time() - started
            size += len(output.getvalue())
            image.save(true)
            Image.open(output).convert("RGB").save(seen)
            looks += compute_ssimulacra2(str(true), str(seen))
    return size, looks / len(images), 1000 * spent


def main() -> None:
    environment.enter("tests.benchmarks.looks")
    folder = sys.argv[1] if len(sys.argv) > 1 else None
    paths = photos.real(folder) or [photos.drawn(environment.FOLDER / "photos", photos.SIZE_12MP)]
    images = thumbs(paths, WIDTH)
    print(f"{len(images)} photos, {WIDTH} pixels wide\n\n| | bytes | SSIMULACRA2 | ms |\n|---|---|---|---|")
    for label, (image_format, options) in WAYS.items():
        size, looks, spent = measured(images, image_format, options)
        print(f"| {label} | {size:,} | {looks:.1f} | {spent:.0f} |", flush=True)


if __name__ == "__main__":
    main()
