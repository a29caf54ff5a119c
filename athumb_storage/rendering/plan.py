"""The rendering plan: how small the original may be decoded, and what each thumb is scaled from.

It is computed from sizes alone, before any pixel is decoded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from athumb_storage.geometry import Box, Placement, Size

DECODE_SCALES: Final = (8, 4, 2)
"""The fractions (1/8, 1/4, 1/2) that a JPEG can be decoded at for less than the whole costs."""

DECODE_MARGIN: Final = 1.6
"""How many decoded pixels a side there have to be, at least, for each pixel of a thumb."""

REUSE_MARGIN: Final = 1.2
"""The same for a thumb that is scaled from a larger thumb."""


@dataclass(frozen=True)
class Step:
    """The pixels of one thumb in one density: scale the box `box` of `source` to `size`."""

    label: str
    """That of its variants: the thumb name, with the density."""
    source: str | None
    """The label of the larger thumb it is scaled from; None is the decoded original."""
    size: Size
    box: Box
    """In pixels of the source."""
    shown: Box
    """The same in pixels of the decoded original."""
    canvas: Size | None = None
    """The size of the whole thumb, upright, where something is to be filled beside the box."""


@dataclass(frozen=True)
class Plan:
    """What to do, in order: decode at 1/`scale`, then the steps; a step's source comes before it."""

    scale: int
    steps: tuple[Step, ...]


def make_plan(placements: Mapping[str, Placement], *, scaled_decode: bool, scale: int | None = None) -> Plan:
    """The plan that touches the fewest pixels while each thumb keeps enough of them to be scaled from.

    Args:
        placements: label -> its placement on the original, in pixels as they are stored.
        scaled_decode: whether the original's format can be decoded at a fraction of its size.
        scale: at which fraction it was decoded already, if it was.
    """
    largest_first = sorted(placements.items(), key=lambda item: item[1].size[0] * item[1].size[1], reverse=True)
    if scale is None:
        scale = _decode_scale(placements) if scaled_decode else 1
    done: list[tuple[str, Placement]] = []
    steps = []
    for label, placement in largest_first:
        steps.append(_step(label, placement, done, scale))
        done.append((label, placement))
    return Plan(scale, tuple(steps))


def _decode_scale(placements: Mapping[str, Placement]) -> int:
    available = min((min(_densities(placement)) for placement in placements.values()), default=1)
    return next((scale for scale in DECODE_SCALES if available >= scale * DECODE_MARGIN), 1)


def _densities(placement: Placement) -> tuple[float, float]:
    """How many pixels of the original lie on one of the thumb, across and down."""
    left, top, right, bottom = placement.box
    return (right - left) / placement.size[0], (bottom - top) / placement.size[1]


def _step(label: str, placement: Placement, done: list[tuple[str, Placement]], scale: int) -> Step:
    left, top, right, bottom = (side / scale for side in placement.box)
    shown = left, top, right, bottom
    for source_label, source in reversed(done):  # the smallest that will do
        if _can_serve(source, placement):
            return Step(label, source_label, placement.size, _box_on(source, placement.box), shown, placement.canvas)
    return Step(label, None, placement.size, shown, shown, placement.canvas)


def _can_serve(source: Placement, wanted: Placement) -> bool:
    inside = all(a <= b for a, b in zip(source.box[:2], wanted.box[:2], strict=True)) and all(
        a >= b for a, b in zip(source.box[2:], wanted.box[2:], strict=True)
    )
    pairs = zip(_densities(source), _densities(wanted), strict=True)
    # A source that was itself enlarged has no pixels to spare.
    return inside and all(have >= 1 and have * REUSE_MARGIN <= want for have, want in pairs)


def _box_on(source: Placement, box: Box) -> Box:
    across, down = _densities(source)
    left, top = source.box[:2]
    return (
        (box[0] - left) / across,
        (box[1] - top) / down,
        min((box[2] - left) / across, source.size[0]),
        min((box[3] - top) / down, source.size[1]),
    )
