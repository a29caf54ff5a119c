"""The plan: what is decoded and what each thumb is scaled from, told by sizes alone."""

import math
import random

import pytest

from athumb_storage import Thumb
from athumb_storage.geometry import place
from athumb_storage.rendering import make_plan
from athumb_storage.rendering.plan import DECODE_MARGIN, DECODE_SCALES, REUSE_MARGIN

SEED_SET = {
    "50x50_cropped": Thumb(size=(50, 50), crop=True),
    "60x60": Thumb(size=(60, 60)),
    "large": Thumb(size=(200, 1000)),
    "front": Thumb(size=(120, 90), crop="left top", upscale=False),
}
RESPONSIVE_SET = {f"w{width}": Thumb(size=(width, 16_000)) for width in (320, 640, 960, 1280, 1600, 1920)}
MIXED_SET = {
    **SEED_SET,
    **RESPONSIVE_SET,
    "banner": Thumb(size=(1500, 200), crop="center"),
    "corner": Thumb(size=(100, 100), crop="right bottom"),
    "huge": Thumb(size=(8000, 8000)),
}
SETS = {"seed": SEED_SET, "responsive": RESPONSIVE_SET, "mixed": MIXED_SET}
ORIGINALS = [(4000, 3000), (3000, 4000), (1800, 1200), (640, 480), (100, 3000), (7, 5), (1, 1)]


def random_originals():
    rng = random.Random(7)
    return [(rng.randint(1, 6000), rng.randint(1, 6000)) for _ in range(40)]


CASES = [(name, original) for name in SETS for original in [*ORIGINALS, *random_originals()]]


def planned(original, thumbs, *, scaled_decode=True):
    placements = {name: place(original, thumb) for name, thumb in thumbs.items()}
    return placements, make_plan(placements, scaled_decode=scaled_decode)


def boxes_on_the_original(plan):
    """Thumb name -> the box of the original that it shows, followed back through its sources."""
    boxes, sizes = {}, {}
    for step in plan.steps:
        if step.source is None:
            boxes[step.label] = tuple(edge * plan.scale for edge in step.box)
        else:
            left, top, right, bottom = boxes[step.source]
            across = (right - left) / sizes[step.source][0]
            down = (bottom - top) / sizes[step.source][1]
            boxes[step.label] = (
                left + step.box[0] * across,
                top + step.box[1] * down,
                left + step.box[2] * across,
                top + step.box[3] * down,
            )
        sizes[step.label] = step.size
    return boxes


@pytest.mark.parametrize("scaled_decode", [True, False])
@pytest.mark.parametrize(("name", "original"), CASES)
def test_each_thumb_is_made_once_and_after_its_source(name, original, scaled_decode):
    placements, plan = planned(original, SETS[name], scaled_decode=scaled_decode)
    assert sorted(step.label for step in plan.steps) == sorted(placements)
    done = {None}
    for step in plan.steps:
        assert step.source in done
        assert step.size == placements[step.label].size
        done.add(step.label)


@pytest.mark.parametrize(("name", "original"), CASES)
def test_each_thumb_shows_what_its_placement_says(name, original):
    placements, plan = planned(original, SETS[name])
    for thumb_name, box in boxes_on_the_original(plan).items():
        assert box == pytest.approx(placements[thumb_name].box, abs=1e-4), thumb_name


@pytest.mark.parametrize(("name", "original"), CASES)
def test_each_box_lies_within_its_source(name, original):
    _, plan = planned(original, SETS[name])
    sizes = {step.label: step.size for step in plan.steps}
    sizes[None] = (math.ceil(original[0] / plan.scale), math.ceil(original[1] / plan.scale))
    for step in plan.steps:
        left, top, right, bottom = step.box
        assert 0 <= left < right <= sizes[step.source][0] + 1e-6, step
        assert 0 <= top < bottom <= sizes[step.source][1] + 1e-6, step


@pytest.mark.parametrize(("name", "original"), CASES)
def test_a_source_has_pixels_to_spare(name, original):
    placements, plan = planned(original, SETS[name])
    for step in plan.steps:
        margin = REUSE_MARGIN if step.source else DECODE_MARGIN
        if step.source or plan.scale > 1:
            assert (step.box[2] - step.box[0]) / step.size[0] >= margin - 1e-6, step
            assert (step.box[3] - step.box[1]) / step.size[1] >= margin - 1e-6, step
        if step.source:  # one that was enlarged itself has none
            left, top, right, bottom = placements[step.source].box
            assert right - left >= placements[step.source].size[0] * (1 - 1e-6)
            assert bottom - top >= placements[step.source].size[1] * (1 - 1e-6)


def test_the_margins_leave_something():
    assert DECODE_MARGIN >= 1
    assert REUSE_MARGIN >= 1


@pytest.mark.parametrize(("name", "original"), CASES)
def test_the_decode_scale_is_the_smallest_that_the_margin_allows(name, original):
    placements, plan = planned(original, SETS[name])
    available = min(
        min((p.box[2] - p.box[0]) / p.size[0], (p.box[3] - p.box[1]) / p.size[1]) for p in placements.values()
    )
    allowed = [scale for scale in DECODE_SCALES if scale * DECODE_MARGIN <= available]
    assert plan.scale == max(allowed, default=1)


@pytest.mark.parametrize(
    ("size", "scale"),
    [((20, 15), 8), ((4000, 3000), 1), ((3000, 3000), 1), ((8000, 8000), 1)],
)
def test_how_small_the_original_is_decoded(size, scale):
    assert planned((4000, 3000), {"thumb": Thumb(size=size)})[1].scale == scale


def test_the_most_demanding_thumb_decides_the_scale():
    assert planned((4000, 3000), {"tiny": Thumb(size=(20, 20)), "huge": Thumb(size=(4000, 4000))})[1].scale == 1
    # A crop of a small part needs more of the pixels than a fit of the same size.
    wide = {"strip": Thumb(size=(20, 2000), crop=True)}
    assert planned((4000, 3000), wide)[1].scale == 1


def test_other_formats_are_decoded_whole():
    assert planned((4000, 3000), {"tiny": Thumb(size=(20, 20))}, scaled_decode=False)[1].scale == 1


def test_a_much_smaller_thumb_is_scaled_from_a_larger_one():
    _, plan = planned((4000, 3000), {"tiny": Thumb(size=(40, 40)), "large": Thumb(size=(1600, 1600))})
    assert [(step.label, step.source) for step in plan.steps] == [("large", None), ("tiny", "large")]


def test_a_thumb_of_another_part_is_scaled_from_the_original():
    thumbs = {"left": Thumb(size=(1000, 1000), crop="left top"), "tiny": Thumb(size=(40, 40), crop="right bottom")}
    _, plan = planned((4000, 3000), thumbs)
    assert [step.source for step in plan.steps] == [None, None]


def test_an_enlarged_thumb_is_no_source():
    thumbs = {"enlarged": Thumb(size=(4000, 4000)), "small": Thumb(size=(20, 20))}
    _, plan = planned((400, 400), thumbs)
    assert [step.source for step in plan.steps] == [None, None]


def test_thumbs_of_one_size_are_each_made():
    thumbs = {name: Thumb(size=(100, 100), crop=True) for name in "abc"}
    _, plan = planned((4000, 3000), thumbs)
    assert sorted(step.label for step in plan.steps) == ["a", "b", "c"]


def test_the_order_in_which_thumbs_are_written_down_does_not_matter():
    reordered = dict(reversed(list(RESPONSIVE_SET.items())))
    assert planned((4000, 3000), RESPONSIVE_SET)[1] == planned((4000, 3000), reordered)[1]


def test_no_thumbs_make_an_empty_plan():
    assert make_plan({}, scaled_decode=True).steps == ()
