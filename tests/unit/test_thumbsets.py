"""Responsive sets: what may be written, what they stand for, and how they are looked up."""

from __future__ import annotations

import pickle

import pytest

from athumb_storage import InvalidThumb, Responsive, Thumb, ThumbSet, UnknownThumb

HERO = Responsive(widths=(640, 320), formats=("AVIF", "JPEG"), ratio=(16, 9), quality=70)


def test_a_set_stands_for_a_thumb_a_width():
    thumbs = ThumbSet([("hero", HERO), ("small", {"size": (9, 9)})])
    assert list(thumbs) == ["hero-320", "hero-640", "small"]
    assert thumbs.sets == {"hero": ("hero-320", "hero-640")}
    thumb = thumbs["hero-320"]
    assert isinstance(thumb, Thumb)
    assert (thumb.size, thumb.crop, thumb.upscale) == ((320, 180), "center", False)
    assert (thumb.format, thumb.quality) == (("AVIF", "JPEG"), 70)


@pytest.mark.parametrize(
    ("ratio", "size"),
    [(None, (100, None)), ((1, 1), (100, 100)), ((3, 2), (100, 67)), ((200, 1), (100, 1)), ((2.35, 1), (100, 43))],
)
def test_the_height_follows_from_the_ratio(ratio, size):
    assert ThumbSet({"a": Responsive(widths=[100], ratio=ratio)})["a-100"].size == size


def test_without_a_ratio_nothing_is_cut_off():
    assert ThumbSet({"a": Responsive(widths=[100])})["a-100"].crop is None


def test_other_options_are_those_of_each_thumb():
    hero = Responsive(
        widths=[10],
        ratio=(1, 1),
        crop="smart",
        upscale=True,
        formats="png",
        encoder={"optimize": True},
        animated=True,
        processors=["a.b"],
    )
    thumb = ThumbSet({"a": hero})["a-10"]
    assert (thumb.crop, thumb.upscale, thumb.format, thumb.animated) == ("smart", True, "PNG", True)
    assert thumb.encoder == {"PNG": {"optimize": True}}
    assert thumb.processors == (("a.b", {}),)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"widths": ()}, "option 'widths'"),
        ({"widths": "320"}, "option 'widths'"),
        ({"widths": 320}, "option 'widths'"),
        ({"widths": (320, 320)}, "has a width twice"),
        ({"widths": (0,)}, "option 'size': \\(0, None\\)"),
        ({"widths": (True,)}, "option 'size'"),
        ({"widths": ("320",)}, "option 'size'"),
        ({"widths": (320.5,)}, "option 'size'"),
        ({"widths": (20_000,)}, "option 'size'"),
        ({"ratio": (16, 0)}, "option 'ratio'"),
        ({"ratio": (-16, 9)}, "option 'ratio'"),
        ({"ratio": "16:9"}, "option 'ratio'"),
        ({"ratio": 1.5}, "option 'ratio'"),
        ({"crop": None, "ratio": (1, 1)}, "option 'crop'"),
        ({"crop": "middle", "ratio": (1, 1)}, "option 'crop': 'middle'"),
        ({"formats": "SVG"}, "option 'format': 'SVG'"),
        ({"formats": ("JPG", "JPEG")}, "has a format twice"),
        ({"quality": 101}, "option 'quality'"),
        ({"encoder": {"JPEG": {"colour": 1}}}, "option 'encoder'"),
    ],
)
def test_a_wrong_option_is_named(options, message):
    with pytest.raises(InvalidThumb, match=message):
        Responsive(**{"widths": (320, 640), **options})


@pytest.mark.parametrize(
    ("thumbs", "name"),
    [
        ([("hero", HERO), ("hero-320", {"size": (9, 9)})], "hero-320"),
        ([("hero-320", {"size": (9, 9)}), ("hero", HERO)], "hero-320"),
        ([("hero", HERO), ("hero", {"size": (9, 9)})], "hero"),
        ([("hero", {"size": (9, 9)}), ("hero", HERO)], "hero"),
        ([("hero", HERO), ("hero", Responsive(widths=[5]))], "hero"),
        ([("a", Responsive(widths=[5])), ("a-5", Responsive(widths=[6]))], "a-5"),
        ([("a-5", Responsive(widths=[6])), ("a", Responsive(widths=[5]))], "a-5"),
    ],
)
def test_a_name_that_is_taken_is_refused(thumbs, name):
    with pytest.raises(InvalidThumb, match=f"thumb {name!r} is there twice"):
        ThumbSet(thumbs)


@pytest.mark.parametrize("name", ["", "a/b", ".a", "a@2x"])
def test_a_set_has_a_name_like_a_thumb(name):
    with pytest.raises(InvalidThumb, match="thumb name"):
        ThumbSet({name: HERO})


def test_the_name_of_a_set_is_that_of_its_widest():
    thumbs = ThumbSet({"hero": HERO})
    assert thumbs.name_of("hero") == "hero-640"
    assert thumbs.names_of("hero") == ("hero-320", "hero-640")
    assert thumbs.names_of("hero-320") == ("hero-320",)
    assert thumbs.names_of(thumbs["hero-320"]) == ("hero-320",)


def test_an_unknown_name_lists_sets_as_well():
    with pytest.raises(UnknownThumb, match="'hero-320', 'hero-640', 'hero'"):
        ThumbSet({"hero": HERO}).names_of("zero")


def test_a_set_of_thumbs_made_of_another_keeps_them():
    thumbs = ThumbSet({"hero": HERO})
    assert ThumbSet(thumbs) == thumbs
    assert ThumbSet(thumbs).sets == thumbs.sets


def test_sets_count_where_two_are_compared():
    thumbs = ThumbSet({"hero": HERO})
    assert thumbs == ThumbSet({"hero": HERO})
    assert hash(thumbs) == hash(ThumbSet({"hero": HERO}))
    assert thumbs != ThumbSet(dict(thumbs))
    assert pickle.loads(pickle.dumps(thumbs)) == thumbs


def test_a_format_is_for_those_that_name_none():
    thumbs = ThumbSet({"a": Responsive(widths=[5]), "hero": HERO}).with_format("WEBP")
    assert (thumbs["a-5"].format, thumbs["hero-320"].format) == ("WEBP", ("AVIF", "JPEG"))
    assert thumbs.sets == {"a": ("a-5",), "hero": ("hero-320", "hero-640")}


@pytest.mark.parametrize(
    ("over", "names", "sets"),
    [
        ({"hero": Responsive(widths=[5])}, ["hero-5"], {"hero": ("hero-5",)}),
        ({"hero": {"size": (5, 5)}}, ["hero"], {}),
        ({"other": {"size": (5, 5)}}, ["hero-320", "hero-640", "other"], {"hero": ("hero-320", "hero-640")}),
    ],
)
def test_what_is_laid_over_a_set_takes_its_place(over, names, sets):
    thumbs = ThumbSet({"hero": HERO}).overlaid_with(ThumbSet(over))
    assert (list(thumbs), thumbs.sets) == (names, sets)


def test_a_set_takes_the_place_of_a_thumb():
    thumbs = ThumbSet({"hero": {"size": (5, 5)}, "small": {"size": (9, 9)}}).overlaid_with(ThumbSet({"hero": HERO}))
    assert list(thumbs) == ["small", "hero-320", "hero-640"]


def test_a_width_has_another_fingerprint_than_a_thumb_that_is_cut_otherwise():
    width = ThumbSet({"a": Responsive(widths=[90], ratio=(3, 2))})["a-90"]
    assert width.fingerprint != Thumb(size=(90, 60), crop=True, upscale=False).fingerprint
    assert width.fingerprint == ThumbSet({"b": Responsive(widths=[90, 30], ratio=(3, 2))})["b-90"].fingerprint
