"""Every thumb against the slow way: full decode, Lanczos straight from the original, encoded with the same settings."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from tests.benchmarks import ours
from tests.benchmarks.context import Context
from tests.benchmarks.project import set_up, upload
from tests.benchmarks.report import Row, absent, limit
from tests.benchmarks.sets import ALL, ENCODER, Wanted, WantedSet

MOST = 0.5
"""dB."""


def measure(context: Context) -> list[Row]:
    set_up(context)
    rows: list[Row] = []
    for photo in context.photos:
        with Image.open(photo) as image:
            full = ImageOps.exif_transpose(image.convert("RGB"))
        for wanted in ALL:
            rows += _set_rows(context, photo, full, wanted)
    return rows


def _set_rows(context: Context, photo: Path, full: Image.Image, wanted: WantedSet) -> list[Row]:
    label = f"{wanted.name}, {photo.name}"
    try:
        our_storage = ours.storage(context, wanted)
    except ours.Unavailable as error:
        return [absent(context.group, label, error, f"<= {MOST} dB")]
    with upload(photo) as content:
        name = our_storage.save(ours.fresh_name("quality"), content)
    rows = []
    for thumb in wanted.thumbs:
        with our_storage.open(our_storage.thumb_key(name, thumb.name)) as stored:
            rows.append(_thumb_row(context.group, f"{label}: {thumb.name}", full, thumb, wanted, stored.read()))
    return rows


def _thumb_row(group: str, label: str, full: Image.Image, thumb: Wanted, wanted: WantedSet, data: bytes) -> Row:
    """How many dB are lost against the slow way; the ratio column is left empty."""
    our_image = Image.open(io.BytesIO(data)).convert("RGB")
    reference = slow_way(full, thumb)
    if our_image.size != reference.size:
        return Row(group, label, f"<= {MOST} dB", met=False, note=f"{our_image.size}, not {reference.size} pixels")
    buffer = io.BytesIO()
    reference.save(buffer, wanted.format, **ENCODER[wanted.format])
    best = psnr(Image.open(buffer).convert("RGB"), reference)
    lost = best - psnr(our_image, reference)
    note = f"slow way {best:.1f} dB, {len(buffer.getvalue())} bytes; ours {len(data)} bytes"
    return limit(group, label, round(lost, 3), "dB", MOST, note)


def slow_way(full: Image.Image, thumb: Wanted) -> Image.Image:
    """The thumb scaled from the whole image, with the rounding that the documentation promises (half up)."""
    width, height = full.size
    scales = thumb.width / width, thumb.height / height
    scale = min(1.0, max(scales) if thumb.crop else min(scales))
    size = max(1, int(width * scale + 0.5)), max(1, int(height * scale + 0.5))
    if not thumb.crop:
        return full.resize(size, Image.Resampling.LANCZOS)
    window = min(size[0], thumb.width), min(size[1], thumb.height)
    # The crop begins at a whole pixel of the scaled image.
    left, top = (size[0] - window[0]) // 2, (size[1] - window[1]) // 2
    across, down = width / size[0], height / size[1]
    box = (left * across, top * down, (left + window[0]) * across, (top + window[1]) * down)
    return full.resize(window, Image.Resampling.LANCZOS, box=box)


def psnr(one: Image.Image, other: Image.Image) -> float:
    """Peak signal-to-noise ratio in dB, over all pixels of the three bands."""
    difference = np.asarray(one, np.float64) - np.asarray(other, np.float64)
    error = float(np.mean(difference**2))
    return 99.0 if error == 0 else 10 * float(np.log10(255**2 / error))
