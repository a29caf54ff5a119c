"""The steps of a plan: each thumb scaled from the decoded original, or from a larger thumb."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from PIL import Image

from athumb_storage.concurrency import SharedPool, available_cores
from athumb_storage.exceptions import RenderingError
from athumb_storage.geometry import Box, Size
from athumb_storage.rendering.guard import ProcessorTime
from athumb_storage.rendering.opening import PILLOWS, translated
from athumb_storage.rendering.plan import Plan, Step

LARGE: Final = 1_000_000
"""From how many pixels on an image is decoded by a thread of our own, and scaled by all cores."""

workers: Final = SharedPool(available_cores(), "athumb-render")


def scaled_steps(decoded: Image.Image, plan: Plan, spent: ProcessorTime) -> Iterator[tuple[Step, Image.Image]]:
    """Each step with its pixels as they were decoded; those that no later step needs are let go of."""
    sources: dict[str | None, Image.Image] = {None: decoded}
    needed = {step.source for step in plan.steps}
    for step in plan.steps:
        with spent.counted():
            try:
                # By the time that thumbs are scaled from thumbs, the other cores are busy encoding.
                cores = workers.size if step.source is None else 1
                scaled = _resized(sources[step.source], step.size, step.box, cores, spent)
            except PILLOWS as error:
                raise translated(error, RenderingError(f"thumb {step.label!r} cannot be scaled")) from error
        if step.label in needed:
            sources[step.label] = scaled
        yield step, scaled


def _resized(source: Image.Image, size: Size, box: Box, cores: int, spent: ProcessorTime) -> Image.Image:
    """`box` of the source at `size`; of a large one, each core scales a strip."""
    left, top, right, bottom = box
    # There may be more cores than rows.
    strips = min(cores, size[1]) if (right - left) * (bottom - top) >= LARGE else 1
    # Lanczos looks over the edge of a box, so strips meet without a seam.
    edges = [size[1] * strip // strips for strip in range(strips + 1)]
    scale = (bottom - top) / size[1]

    def strip(start: int, end: int) -> Image.Image:
        part = left, top + start * scale, right, top + end * scale
        return source.resize((size[0], end - start), Image.Resampling.LANCZOS, box=part)

    def counted(start: int, end: int) -> Image.Image:
        with spent.counted():
            return strip(start, end)

    jobs = [workers.submit(counted, start, end) for start, end in pairwise(edges[1:])]
    first = strip(0, edges[1])
    if not jobs:
        return first
    whole = Image.new(first.mode, size)
    whole.paste(first)
    for (start, end), job in zip(pairwise(edges[1:]), jobs, strict=True):
        # Where all threads are busy with other thumbs, nobody waits for one.
        whole.paste(strip(start, end) if job.cancel() else job.result(), (0, start))
    return whole
