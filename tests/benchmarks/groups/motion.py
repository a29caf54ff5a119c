"""An animated GIF of 60 frames to a thumb that moves, against libvips: time, and memory in processes of their own."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from tests.benchmarks.context import Context
from tests.benchmarks.groups.memory import peak_added
from tests.benchmarks.report import Row, absent, at_most, shown
from tests.benchmarks.sets import QUALITY
from tests.benchmarks.timing import interleaved, timed

FRAMES, SIZE, BOX = 60, (640, 480), 320
LABEL = f"GIF of {FRAMES} frames to WebP"


def measure(context: Context) -> list[Row]:
    data = drawn(Path(context.photo_12mp))
    subjects: dict[str, Callable[[], object]] = {"ours": lambda: ours(data), "vips": lambda: vips(data)}
    if context.subject == "time":
        turns = {who: _milliseconds(make) for who, make in subjects.items()}
        times = interleaved(turns, context.runs)
        return [at_most(context.group, LABEL, times["ours"], times["vips"], "ms", None, "vs libvips")]
    label = f"peak memory added by a {LABEL}"
    if not Path("/proc/self/clear_refs").exists():
        return [absent(context.group, label, "the peak can be read on Linux alone")]
    added = peak_added(subjects[context.subject])
    if context.subject == "ours":
        return [shown(context.group, label, added, "MiB", ours=True)]
    return [shown(context.group, f"{label}: libvips", added, "MiB")]


def _milliseconds(make: Callable[[], object]) -> Callable[[], float]:
    return lambda: 1000 * timed(make)


def drawn(photo: Path) -> bytes:
    """A window that moves over the photo."""
    whole = Image.open(photo).convert("RGB").reduce(4)
    step = max(1, (whole.width - SIZE[0]) // FRAMES)
    windows = [whole.crop((at * step, 0, at * step + SIZE[0], SIZE[1])) for at in range(FRAMES)]
    output = io.BytesIO()
    windows[0].save(output, "GIF", save_all=True, append_images=windows[1:], duration=50, loop=0)
    return output.getvalue()


def ours(data: bytes) -> bytes:
    from athumb_storage import Thumb
    from athumb_storage.rendering import render
    from athumb_storage.specs import Variant

    thumb = Thumb(size=(BOX, BOX), format="WEBP", quality=QUALITY, animated=True)
    [done] = render(io.BytesIO(data), "GIF", [Variant.of("moving", thumb, "WEBP")])
    return done.data


def vips(data: bytes) -> bytes:
    import pyvips

    image = pyvips.Image.thumbnail_buffer(data, BOX, height=BOX, option_string="n=-1")
    return bytes(image.webpsave_buffer(Q=QUALITY, effort=4, keep="none"))
