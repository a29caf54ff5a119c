"""What a thumb in several formats and densities costs, and a crop that looks for its subject."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any
from unittest import mock

from PIL import Image, ImageOps

from athumb_storage.rendering import engine
from tests.benchmarks import ours
from tests.benchmarks.context import Context
from tests.benchmarks.counting import counted
from tests.benchmarks.groups.saving import turn
from tests.benchmarks.project import s3_options, set_up, upload
from tests.benchmarks.report import Row, absent, at_most, limit
from tests.benchmarks.sets import SEED
from tests.benchmarks.timing import interleaved, timed

BOX = 600, 600
FORMATS = ("AVIF", "WEBP", "JPEG")
SET = {"large": {"size": BOX, "format": FORMATS, "densities": (1, 2)}}
ALONE = {f"{name}-{density}": {"size": (600 * density, 600 * density), "format": name, "upscale": False}
         for name in FORMATS for density in (1, 2)}  # fmt: skip
"""The same six files as six thumbs."""

SMALL = 1000, 1000
"""What a picture is scaled to for the measure of crops: they see it when it is decoded for its thumbs."""


def measure(context: Context) -> list[Row]:
    set_up(context)
    return [*_set(context), *_smart(context), *_heic(context)]


def _heic(context: Context) -> list[Row]:
    """The seed thumbs of a HEIC photo, against its decoder alone, which nothing can be faster than."""
    try:
        import pi_heif
    except ImportError as error:
        return [absent(context.group, "HEIC photo", error)]
    if not context.heic_photo:
        return [absent(context.group, "HEIC photo", "there is none in PHOTOS, and nothing here can write one")]
    data = Path(context.heic_photo).read_bytes()

    def decoded() -> float:
        return 1000 * timed(lambda: pi_heif.open_heif(data).to_pillow())

    def thumbs() -> float:
        return 1000 * timed(lambda: ours.render(data, SEED, "HEIC"))

    times = interleaved({"ours": thumbs, "decoder": decoded}, context.runs)
    label = f"HEIC photo, 6 seed thumbs, {Path(context.heic_photo).name}"
    return [at_most(context.group, label, times["ours"], times["decoder"], "ms", None, "vs pi-heif decoding it")]


def _set(context: Context) -> list[Row]:
    photo = Path(context.photo_12mp)
    one, six = (_storage(context, thumbs) for thumbs in (SET, ALONE))
    decoded: list[str] = []
    with upload(photo) as content, counted() as counts, _noted("decode", decoded), _noted("decode_in_planes", decoded):
        one.save(ours.fresh_name("variants"), content)
    times = interleaved({"one": turn(_saver(one), photo), "six": turn(_saver(six), photo)}, context.runs)
    label = "3 formats x 2 densities"
    return [
        limit(context.group, f"{label}, requests", counts.requests, "", 1 + 6),
        limit(context.group, f"{label}, decodes", len(decoded), "", 1),
        at_most(context.group, f"{label}, save", times["one"], times["six"], "ms", None, "vs the same as six thumbs"),
    ]


def _noted(door: str, decoded: list[str]) -> Any:
    """Notes each decode that goes through one of the engine's two doors."""
    decode = getattr(engine, door)

    def noted(*args: Any) -> Any:
        decoded.append(door)
        return decode(*args)

    return mock.patch.object(engine, door, noted)


def _storage(context: Context, thumbs: dict[str, dict[str, Any]]) -> Any:
    from athumb_storage.storages import S3ThumbnailStorage

    return S3ThumbnailStorage(thumbs=thumbs, conditional_writes=True, **s3_options(context, slow=False))


def _saver(storage: Any) -> Any:
    def save(content: Any) -> list[str]:
        name = storage.save(ours.fresh_name("variants"), content)
        return [storage.url(name)]

    return save


def _smart(context: Context) -> list[Row]:
    import pyvips

    from athumb_storage.rendering.crops import Saliency

    rows = []
    for number, photo in enumerate(context.photos):
        image = ImageOps.exif_transpose(Image.open(photo)).convert("RGB")
        image.thumbnail(SMALL)
        output = io.BytesIO()
        image.save(output, "PNG", compress_level=1)
        theirs = pyvips.Image.new_from_buffer(output.getvalue(), "").copy_memory()

        def smart(image: Image.Image = image) -> float:
            return 1000 * timed(lambda: Saliency(image).offset((1, 1)))

        def attention(theirs: Any = theirs) -> float:
            side = min(theirs.width, theirs.height)
            return 1000 * timed(lambda: theirs.smartcrop(side, side, interesting="attention").copy_memory())

        times = interleaved({"ours": smart, "vips": attention}, context.runs)
        label = "smart crop of 1000 pixels" if number == 0 else f"smart crop of 1000 pixels, {photo.name}"
        rows.append(at_most(context.group, label, times["ours"], times["vips"], "ms", None, "vs libvips' attention"))
    return rows
