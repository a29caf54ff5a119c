"""Sizes and boxes, against the same rules written down a second time with exact fractions."""

import math
import random
from fractions import Fraction

import pytest

from athumb_storage import Thumb
from athumb_storage.geometry import Placement, as_stored, parse_crop, place, swaps_sides, upright


def half_up(value):
    return max(1, math.floor(value + Fraction(1, 2)))


def expected_scaled(original, thumb):
    ratios = [Fraction(box, side) for box, side in zip(thumb.size, original, strict=True)]
    ratio = max(ratios) if thumb.crop else min(ratios)
    if ratio > 1 and not thumb.upscale:
        ratio = Fraction(1)
    return tuple(half_up(side * ratio) for side in original)


def random_cases(seed, count, longest=6000):
    rng = random.Random(seed)

    def side():
        return min(longest, max(1, round(math.exp(rng.uniform(0, math.log(longest))))))

    return [((side(), side()), (side(), side()), rng.random() < 0.5) for _ in range(count)]


@pytest.mark.parametrize("seed", range(5))
def test_a_fit_has_the_rounded_proportional_size(seed):
    for original, box, upscale in random_cases(seed, 1000):
        thumb = Thumb(size=box, upscale=upscale)
        placement = place(original, thumb)
        assert placement.size == expected_scaled(original, thumb), (original, thumb)
        assert placement.size[0] <= box[0]
        assert placement.size[1] <= box[1]
        assert placement.box == (0, 0, *original)


@pytest.mark.parametrize("seed", range(5))
def test_a_crop_has_exactly_the_box_or_what_fits_of_it(seed):
    for original, box, upscale in random_cases(seed, 1000):
        thumb = Thumb(size=box, crop=True, upscale=upscale)
        scaled = expected_scaled(original, thumb)
        placement = place(original, thumb)
        assert placement.size == tuple(map(min, scaled, box)), (original, thumb)
        if upscale:
            assert placement.size == box


@pytest.mark.parametrize("crop", ["center", "left top", "right bottom", "30% 70%", "7px 3px"])
def test_the_box_of_a_crop_is_the_window_scaled_back(crop):
    for original, box, upscale in random_cases(crop, 1000):
        thumb = Thumb(size=box, crop=crop, upscale=upscale)
        scaled = expected_scaled(original, thumb)
        placement = place(original, thumb)
        for axis, offset in enumerate(parse_crop(crop)):
            room = scaled[axis] - placement.size[axis]
            start = min(offset.amount, room) if offset.unit == "px" else math.floor(Fraction(room * offset.amount, 100))
            factor = Fraction(original[axis], scaled[axis])
            expected = float(start * factor), float((start + placement.size[axis]) * factor)
            assert placement.box[axis::2] == pytest.approx(expected, abs=1e-6), (original, thumb)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_box_never_leaves_the_stored_pixels(orientation):
    for original, box, upscale in random_cases(orientation, 3000):
        for crop in (None, "center", "right bottom"):
            thumb = Thumb(size=box, crop=crop, upscale=upscale)
            left, top, right, bottom = as_stored(
                place(upright(original, orientation), thumb), orientation, original
            ).box
            case = (original, thumb)
            assert 0 <= left < right <= original[0], case
            assert 0 <= top < bottom <= original[1], case


@pytest.mark.parametrize(
    ("original", "box", "size"),
    [
        ((300, 200), (60, 60), (60, 40)),
        ((200, 300), (60, 60), (40, 60)),
        ((300, 200), (200, 1000), (200, 133)),
        ((301, 200), (60, 60), (60, 40)),
        ((3, 2), (5, 5), (5, 3)),
        ((4, 2), (5, 5), (5, 3)),  # 2.5 is rounded up
        ((8, 2), (10, 10), (10, 3)),  # 2.5 again, where rounding to even would give 2
        ((50, 50), (50, 50), (50, 50)),
    ],
)
def test_sizes_of_a_fit(original, box, size):
    assert place(original, Thumb(size=box)).size == size


@pytest.mark.parametrize(
    ("original", "box", "size"),
    [
        ((10_000, 1), (50, 50), (50, 1)),
        ((1, 10_000), (50, 50), (1, 50)),
        ((10_000, 1), (1, 1), (1, 1)),
        ((1, 1), (500, 20), (20, 20)),
    ],
)
def test_a_side_has_at_least_one_pixel(original, box, size):
    assert place(original, Thumb(size=box)).size == size


@pytest.mark.parametrize("original", [(10_000, 1), (1, 10_000), (1, 1), (65_535, 2)])
def test_a_crop_of_an_extreme_original_has_the_size_of_the_box(original):
    placement = place(original, Thumb(size=(40, 30), crop=True))
    assert placement.size == (40, 30)
    left, top, right, bottom = placement.box
    assert left < right
    assert top < bottom


@pytest.mark.parametrize(
    ("original", "crop", "size", "box"),
    [
        ((30, 20), None, (30, 20), (0, 0, 30, 20)),
        ((30, 20), True, (30, 20), (0, 0, 30, 20)),
        ((300, 20), None, (100, 7), (0, 0, 300, 20)),
        ((300, 20), True, (100, 20), (100, 0, 200, 20)),
        ((300, 20), "left", (100, 20), (0, 0, 100, 20)),
        ((20, 300), True, (20, 100), (0, 100, 20, 200)),
        ((20, 300), "bottom", (20, 100), (0, 200, 20, 300)),
    ],
)
def test_without_upscale_a_small_original_gives_what_fits(original, crop, size, box):
    assert place(original, Thumb(size=(100, 100), crop=crop, upscale=False)) == Placement(size, box)


def test_without_upscale_a_large_original_is_scaled_down():
    assert place((300, 200), Thumb(size=(60, 60), upscale=False)).size == (60, 40)
    assert place((300, 200), Thumb(size=(60, 60), crop=True, upscale=False)).size == (60, 60)


# 400 x 200 in a box of 100 x 100 leaves 100 scaled pixels of room across, which are 200 of the original.
@pytest.mark.parametrize(
    ("crop", "left"),
    [
        ("left", 0),
        ("left top", 0),
        ("center", 100),
        ("top", 100),
        ("right", 200),
        ("right bottom", 200),
        ("0%", 0),
        ("50%", 100),
        ("25% 0%", 50),
        ("100% 20%", 200),
        ("150% 0%", 200),
        ("10px", 20),
        ("10px 0px", 20),
        ("100px 0px", 200),
        ("5000px 0px", 200),
        ("30px center", 60),
        ("right 10%", 200),
    ],
)
def test_where_a_wide_original_is_cropped(crop, left):
    assert place((400, 200), Thumb(size=(100, 100), crop=crop)).box == (left, 0, left + 200, 200)


@pytest.mark.parametrize(
    ("crop", "top"),
    [
        ("top", 0),
        ("left top", 0),
        ("left", 100),
        ("center", 100),
        ("bottom", 200),
        ("center bottom", 200),
        ("50% 20%", 40),
        ("20%", 40),
        ("10px", 20),
        ("0px 10px", 20),
        ("left 45px", 90),
    ],
)
def test_where_a_tall_original_is_cropped(crop, top):
    assert place((200, 400), Thumb(size=(100, 100), crop=crop)).box == (0, top, 200, top + 200)


def test_a_percentage_is_one_of_the_room_in_whole_pixels():
    # 103 scaled pixels in a window of 100: half of the room of 3 is 1 pixel.
    assert place((103, 100), Thumb(size=(100, 100), crop=True)).box == (1, 0, 101, 100)


@pytest.mark.parametrize("crop", ["top left", "middle", "", "left top left", "5", "5pt", "-5px", "left top 5px"])
def test_what_is_no_crop(crop):
    with pytest.raises(ValueError):
        parse_crop(crop)


# The corner of the stored pixels where the upright image's top left corner is, from the table of Exif 2.32, tag 0x0112.
@pytest.mark.parametrize(
    ("orientation", "size", "box"),
    [
        (1, (10, 20), (0, 0, 10, 20)),
        (2, (10, 20), (390, 0, 400, 20)),
        (3, (10, 20), (390, 280, 400, 300)),
        (4, (10, 20), (0, 280, 10, 300)),
        (5, (20, 10), (0, 0, 20, 10)),
        (6, (20, 10), (0, 290, 20, 300)),
        (7, (20, 10), (380, 290, 400, 300)),
        (8, (20, 10), (380, 0, 400, 10)),
    ],
)
def test_the_upright_top_left_corner_in_stored_pixels(orientation, size, box):
    assert as_stored(Placement((10, 20), (0, 0, 10, 20)), orientation, (400, 300)) == Placement(size, box)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_whole_image_stays_the_whole_image(orientation):
    stored = (400, 300)
    shown = upright(stored, orientation)
    assert shown == ((300, 400) if orientation >= 5 else (400, 300))
    assert swaps_sides(orientation) is (orientation >= 5)
    assert as_stored(Placement(shown, (0, 0, *shown)), orientation, stored) == Placement(stored, (0, 0, *stored))


# Densities


@pytest.mark.parametrize("seed", range(3))
def test_a_density_of_a_fit_is_the_fit_into_a_larger_box_that_enlarges_nothing(seed):
    for original, box, upscale in random_cases(seed, 500, longest=3000):
        for density in (2, 3):
            denser = place(original, Thumb(size=box, upscale=upscale), density)
            larger = Thumb(size=(box[0] * density, box[1] * density), upscale=False)
            assert denser == place(original, larger), (original, box, density)


@pytest.mark.parametrize("crop", ["center", "left top", "30% 70%", "7px 3px"])
def test_a_density_of_a_crop_shows_the_same_and_enlarges_nothing(crop):
    for original, box, upscale in random_cases(crop, 500, longest=3000):
        thumb = Thumb(size=box, crop=crop, upscale=upscale)
        plain, denser = place(original, thumb), place(original, thumb, 2)
        assert denser.box == plain.box
        across, down = plain.box[2] - plain.box[0], plain.box[3] - plain.box[1]
        assert denser.size[0] <= max(1, math.ceil(across))
        assert denser.size[1] <= max(1, math.ceil(down))
        if across >= 2 * box[0] and down >= 2 * box[1]:
            assert denser.size == (2 * box[0], 2 * box[1])


@pytest.mark.parametrize(
    ("original", "density", "size", "canvas"),
    [
        ((300, 150), 1, (60, 30), (60, 60)),
        ((300, 150), 2, (120, 60), (120, 120)),
        ((90, 45), 2, (90, 45), (90, 90)),
        ((30, 15), 2, (30, 15), (30, 30)),
    ],
)
def test_a_pad_keeps_its_proportions_at_every_density(original, density, size, canvas):
    placement = place(original, Thumb(size=(60, 60), pad="white"), density)
    assert (placement.size, placement.canvas, placement.whole) == (size, canvas, canvas)


# Subjects


@pytest.mark.parametrize(
    ("subject", "left"),
    [((0.5, 0.5), 50), ((0.25, 0.9), 0), ((0.0, 0.0), 0), ((0.3, 0.5), 10), ((0.7, 0.1), 90), ((1.0, 1.0), 100)],
)
@pytest.mark.parametrize("crop", ["smart", "focal"])
def test_a_subject_is_in_the_middle_as_far_as_can_be(crop, subject, left):
    placement = place((200, 100), Thumb(size=(100, 100), crop=crop), subject=subject)
    assert placement.box == (left, 0, left + 100, 100)
    turned = place((100, 200), Thumb(size=(50, 50), crop=crop), subject=subject[::-1])
    assert turned.box == (0, left, 100, left + 100)


def test_a_subject_counts_for_no_other_crop():
    for thumb in (Thumb(size=(9, 9)), Thumb(size=(9, 9), crop=True), Thumb(size=(9, 9), crop="left top")):
        assert place((200, 100), thumb, subject=(0.1, 0.9)) == place((200, 100), thumb)
