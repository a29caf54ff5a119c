"""Crops keep the subject of a picture: those of composed scenes, at least as well as libvips' attention crop."""

import random
import statistics

import pytest
from PIL import Image, ImageChops, ImageDraw

from athumb_storage.rendering.crops import Saliency
from tests.benchmarks.crops import GROUNDS, TESTED, kept, middle, ours, scenes

LIBVIPS = 0.928
"""The mean share of the subjects that libvips 8.18.7 keeps in the scenes of TESTED, by `smartcrop(..., "attention")` of
pyvips 3.2.0; `python -m tests.benchmarks.crops` measures it anew."""

SIZE = (300, 200)


def with_disc(middle, radius=25, size=SIZE, ground=(120, 130, 125), colour=(230, 120, 40)):
    image = Image.new("RGB", size, ground)
    ImageDraw.Draw(image).circle(middle, radius, colour)
    return image


def noise(mode, size):
    count = size[0] * size[1] * len(mode)
    return Image.frombytes(mode, size, random.Random(5).randbytes(count))


def test_subjects_are_kept_as_well_as_by_libvips_and_better_than_in_the_middle():
    found = kept(scenes(TESTED), {"ours": ours, "middle": middle})
    means = {name: {group: statistics.mean(shares[group]) for group in shares} for name, shares in found.items()}
    assert {f"on {ground}" for ground in GROUNDS} < means["ours"].keys()
    assert means["ours"]["all"] >= LIBVIPS
    assert [group for group, mean in means["ours"].items() if mean < means["middle"][group]] == []


@pytest.mark.parametrize(
    ("place", "size", "expected"),
    [
        ((30, 100), (1, 1), (0, 0.5)),
        ((270, 100), (1, 1), (1, 0.5)),
        ((150, 30), (3, 1), (0.5, 0)),
        ((150, 170), (3, 1), (0.5, 1)),
        ((150, 100), (1, 1), (0.5, 0.5)),
        ((30, 30), (600, 400), (0.5, 0.5)),
    ],
    ids=["left", "right", "top", "bottom", "middle", "no room"],
)
def test_the_window_lies_where_the_subject_is(place, size, expected):
    assert Saliency(with_disc(place)).offset(size) == pytest.approx(expected, abs=0.12)


def test_a_map_serves_windows_of_all_proportions():
    saliency = Saliency(with_disc((260, 40)))
    assert saliency.offset((100, 100))[0] > 0.9
    assert saliency.offset((1, 40))[0] == pytest.approx(0.87, abs=0.05)
    assert saliency.offset((300, 100))[1] < 0.1


@pytest.mark.parametrize("across", [110, 150, 190, 210])
def test_the_subject_is_not_at_the_rim_where_there_is_room(across):
    left = Saliency(with_disc((across, 100))).offset((1, 1))[0] * 100
    assert left + 40 <= across - 25
    assert across + 25 <= left + 160


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
@pytest.mark.parametrize("size", [(300, 200), (200, 300), (7, 3), (2, 2), (3000, 20)])
def test_a_picture_of_one_colour_is_cropped_from_the_middle(mode, size):
    saliency = Saliency(Image.new(mode, size, 128 if mode == "L" else (200, 30, 90, 128)[: len(mode)]))
    assert [saliency.offset(crop) for crop in ((1, 1), (16, 9), (9, 16))] == [(0.5, 0.5)] * 3


def test_a_picture_that_is_all_transparent_is_cropped_from_the_middle():
    image = with_disc((270, 100)).convert("RGBA")
    image.putalpha(0)
    assert Saliency(image).offset((1, 1)) == (0.5, 0.5)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
@pytest.mark.parametrize("size", [(1, 500), (500, 1), (1, 1), (1, 9)])
def test_a_line_of_pixels_is_cropped_from_the_middle(mode, size):
    saliency = Saliency(noise(mode, size))
    assert [saliency.offset(crop) for crop in ((1, 1), (16, 9), (9, 16))] == [(0.5, 0.5)] * 3


@pytest.mark.parametrize("size", [(2, 500), (3000, 3), (2, 3)])
@pytest.mark.parametrize("crop", [(1, 1), (1, 5000), (5000, 1)])
def test_narrow_pictures_have_a_place_as_well(size, crop):
    assert all(0 <= part <= 1 for part in Saliency(noise("RGB", size)).offset(crop))


def test_of_two_alike_the_one_closer_to_the_middle_is_kept():
    image = with_disc((60, 100), 20)
    ImageDraw.Draw(image).circle((200, 100), 20, (230, 120, 40))
    assert Saliency(image).offset((9, 16))[0] > 0.6


def test_a_small_thing_that_stands_out_outweighs_a_large_faint_one():
    image = with_disc((70, 100), 60, colour=(140, 150, 145))
    ImageDraw.Draw(image).circle((270, 100), 8, (230, 30, 30))
    assert Saliency(image).offset((9, 16))[0] > 0.7


def test_a_colour_that_is_rare_outweighs_one_that_is_not():
    image = Image.new("RGB", SIZE, (120, 130, 125))
    pen = ImageDraw.Draw(image)
    for across in range(20, 220, 40):
        for down in range(20, 200, 40):
            pen.circle((across, down), 14, (230, 200, 40))
    pen.circle((260, 100), 14, (40, 90, 230))
    assert Saliency(image).offset((9, 16))[0] > 0.7


@pytest.mark.parametrize(("across", "expected"), [(40, 0), (260, 1)])
def test_a_grey_picture_has_a_subject(across, expected):
    grey = with_disc((across, 100)).convert("L")
    assert Saliency(grey).offset((1, 1))[0] == pytest.approx(expected, abs=0.1)


def test_what_is_transparent_draws_nobodys_eye():
    image = with_disc((60, 100), colour=(110, 140, 130)).convert("RGBA")
    garish = Image.new("RGBA", (80, 200))
    for at in range(0, 80, 8):
        garish.paste((255, 0, 0, 0) if at % 16 else (0, 255, 0, 0), (at, 0, at + 8, 200))
    shown = image.copy()
    shown.paste(garish.convert("RGB"), (220, 0))
    image.paste(garish, (220, 0))
    assert Saliency(shown).offset((1, 1))[0] > 0.9
    assert Saliency(image).offset((1, 1))[0] < 0.5


@pytest.mark.parametrize("colour", [(255, 255, 255), (0, 0, 0), (128, 128, 128)], ids=["white", "black", "grey"])
def test_what_stands_on_a_transparent_ground_is_the_subject(colour):
    image = Image.new("RGBA", SIZE, (*colour, 0))
    ImageDraw.Draw(image).circle((250, 100), 30, (*colour, 255))
    assert Saliency(image).offset((1, 1))[0] > 0.9


@pytest.mark.parametrize("place", [(60, 100), (110, 60), (240, 150)])
def test_a_turned_picture_has_the_turned_place(place):
    image = ImageChops.add(with_disc(place), noise("RGB", SIZE), scale=2)
    across, down = (Saliency(image).offset(crop)[axis] for axis, crop in enumerate([(1, 1), (3, 1)]))
    turned = Saliency(image.transpose(Image.Transpose.ROTATE_90))
    assert turned.offset((1, 1)) == (0.5, pytest.approx(1 - across, abs=0.1))
    assert turned.offset((1, 3)) == (pytest.approx(down, abs=0.1), 0.5)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_the_picture_is_not_changed(mode):
    image = noise(mode, SIZE)
    before = image.copy()
    Saliency(image).offset((1, 1))
    assert image == before
