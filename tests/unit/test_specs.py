"""Thumb and ThumbSet: what may be written, and what the messages say when it is wrong."""

import copy
import pickle
from collections.abc import Mapping
from dataclasses import FrozenInstanceError, fields, replace
from typing import get_args

import pytest

from athumb_storage import CropAmount, InvalidThumb, Thumb, ThumbOptions, ThumbSet, UnknownThumb
from athumb_storage.formats import EXTENSIONS, FormatName, canonical
from athumb_storage.geometry import MAX_SIDE, CropWord

PAIRS = (("small", {"size": (20, 10)}), ("square", {"size": (50, 50), "crop": True}))


def test_a_thumb_needs_only_a_size():
    thumb = Thumb(size=(20, 10))
    assert (thumb.size, thumb.crop, thumb.upscale, thumb.format) == ((20, 10), None, True, None)
    assert (thumb.quality, thumb.encoder) == (None, None)


def test_a_thumb_takes_its_options_by_name_alone():
    with pytest.raises(TypeError):
        Thumb((20, 10))


@pytest.mark.parametrize("size", [(1, 1), (200, 1000), [50, 60], (MAX_SIDE, MAX_SIDE)])
def test_sizes_are_kept_as_a_tuple(size):
    assert Thumb(size=size).size == tuple(size)
    assert type(Thumb(size=size).size) is tuple


@pytest.mark.parametrize(
    "size",
    [
        None,
        50,
        "50x50",
        "50",
        (50,),
        (50, 50, 50),
        (0, 50),
        (50, 0),
        (-1, 50),
        (50.0, 50),
        (None, None),
        (None, 0),
        (True, None),
        ("50", "50"),
        (True, True),
        (MAX_SIDE + 1, 5),
        (5, MAX_SIDE + 1),
    ],
)
def test_a_wrong_size_is_named(size):
    with pytest.raises(
        InvalidThumb, match=r"option 'size'.*is not two whole numbers of pixels from 1 to 16383"
    ) as info:
        Thumb(size=size)
    assert repr(size) in str(info.value)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (None, None),
        (False, None),
        (True, "center"),
        ("center", "center"),
        ("top", "top"),
        ("left", "left"),
        ("left top", "left top"),
        ("right bottom", "right bottom"),
        ("center top", "center top"),
        ("50%", "50%"),
        ("50% 20%", "50% 20%"),
        ("10px 0px", "10px 0px"),
        ("left 20%", "left 20%"),
    ],
)
def test_crops(given, kept):
    assert Thumb(size=(9, 9), crop=given).crop == kept


@pytest.mark.parametrize(
    "crop",
    ["", " ", "middle", "top left", "left left", "10", "10 20", "-5px", "10em", "1.5%", "left top 5px", "LEFT"],
)
def test_a_wrong_crop_is_named(crop):
    with pytest.raises(InvalidThumb, match="option 'crop'") as info:
        Thumb(size=(9, 9), crop=crop)
    assert repr(crop) in str(info.value)


@pytest.mark.parametrize(
    ("crop", "places"),
    [
        ("middle", "left nor center nor right nor top nor bottom nor an amount such as 50% or 10px"),
        ("middle top", "left nor center nor right nor an amount such as 50% or 10px"),
        ("left middle", "top nor center nor bottom nor an amount such as 50% or 10px"),
    ],
)
def test_a_place_that_is_none_is_told_which_there_are(crop, places):
    with pytest.raises(InvalidThumb) as info:
        Thumb(size=(9, 9), crop=crop)
    assert str(info.value) == f"option 'crop': {crop!r}: 'middle' is neither {places}"


@pytest.mark.parametrize("crop", [1, 0.5, ("left", "top"), object])
def test_a_crop_that_is_no_place_is_named(crop):
    with pytest.raises(InvalidThumb, match=r"option 'crop'.*is neither True nor a place"):
        Thumb(size=(9, 9), crop=crop)


@pytest.mark.parametrize("upscale", [True, False])
def test_upscale(upscale):
    assert Thumb(size=(9, 9), upscale=upscale).upscale is upscale


def test_a_thumb_stands_still_unless_it_is_told_to_move():
    assert Thumb(size=(9, 9)).animated is False
    assert Thumb(size=(9, 9), animated=True).animated is True


@pytest.mark.parametrize("animated", [None, 0, 1, "yes"])
def test_a_wrong_animated_is_named(animated):
    with pytest.raises(InvalidThumb, match=f"option 'animated': {animated!r} is neither True nor False"):
        Thumb(size=(9, 9), animated=animated)


@pytest.mark.parametrize("upscale", [None, 0, 1, "no"])
def test_a_wrong_upscale_is_named(upscale):
    with pytest.raises(InvalidThumb, match="option 'upscale'"):
        Thumb(size=(9, 9), upscale=upscale)


@pytest.mark.parametrize(
    ("given", "kept", "canonical"),
    [
        ("JPEG", "JPEG", "JPEG"),
        ("jpeg", "JPEG", "JPEG"),
        ("jpg", "JPG", "JPEG"),
        ("png", "PNG", "PNG"),
        ("Gif", "GIF", "GIF"),
        ("webp", "WEBP", "WEBP"),
        ("avif", "AVIF", "AVIF"),
    ],
)
def test_formats(given, kept, canonical):
    thumb = Thumb(size=(9, 9), format=given)
    assert thumb.format == kept
    assert thumb.formats_for("cat.bmp", "PNG") == (canonical,)


@pytest.mark.parametrize("format_", ["", "HEIC", "svg", ".jpg", 3, True])
def test_a_wrong_format_is_named(format_):
    with pytest.raises(InvalidThumb, match=r"option 'format'.*is none of JPEG, PNG, GIF, WEBP, AVIF, BMP, TIFF"):
        Thumb(size=(9, 9), format=format_)


@pytest.mark.parametrize("quality", [1, 85, 100])
def test_qualities(quality):
    assert Thumb(size=(9, 9), quality=quality).quality == quality


@pytest.mark.parametrize("quality", [0, 101, -1, 85.0, "85", True, [85]])
def test_a_wrong_quality_is_named(quality):
    with pytest.raises(InvalidThumb, match=r"option 'quality'.*is not a whole number from 1 to 100"):
        Thumb(size=(9, 9), quality=quality)


def test_each_format_has_a_quality_of_its_own():
    thumb = Thumb(size=(9, 9))
    found = {name: thumb.quality_for(name) for name in EXTENSIONS}
    assert found == {"JPEG": 85, "WEBP": 85, "AVIF": 65, "PNG": None, "GIF": None, "BMP": None, "TIFF": None}


def test_a_number_is_the_quality_of_all_formats_that_have_one():
    thumb = Thumb(size=(9, 9), quality=40)
    assert [thumb.quality_for(name) for name in ("JPEG", "WEBP", "AVIF", "PNG")] == [40, 40, 40, None]


def test_a_quality_by_format():
    thumb = Thumb(size=(9, 9), quality={"avif": 50, "JPG": 90})
    assert [thumb.quality_for(name) for name in ("JPEG", "WEBP", "AVIF", "PNG")] == [90, 85, 50, None]
    assert thumb.quality == {"AVIF": 50, "JPEG": 90}
    assert hash(thumb) == hash(Thumb(size=(9, 9), quality={"JPEG": 90, "AVIF": 50}))
    assert thumb == Thumb(size=(9, 9), quality={"JPEG": 90, "AVIF": 50})
    assert thumb != Thumb(size=(9, 9), quality={"JPEG": 90})


@pytest.mark.parametrize(
    ("quality", "error"),
    [({"JPEG": 0}, "not a whole number"), ({"PNG": 5}, "PNG has none"), ({"HEIC": 5}, "'HEIC' is none of")],
)
def test_a_wrong_quality_by_format_is_named(quality, error):
    with pytest.raises(InvalidThumb, match=rf"option 'quality': .*{error}"):
        Thumb(size=(9, 9), quality=quality)


def test_options_of_an_encoder():
    thumb = Thumb(size=(9, 9), format="webp", encoder={"method": 6, "lossless": True})
    assert thumb.encoder == {"WEBP": {"method": 6, "lossless": True}}
    by_format = Thumb(size=(9, 9), encoder={"jpg": {"subsampling": "4:4:4"}, "AVIF": {"speed": 4}})
    assert by_format.encoder == {"JPEG": {"subsampling": "4:4:4"}, "AVIF": {"speed": 4}}
    assert len({thumb, by_format, replace(thumb)}) == 2
    assert ThumbSet({"a": by_format}).with_format("PNG")["a"].encoder == by_format.encoder
    with pytest.raises(TypeError):
        thumb.encoder["WEBP"] = {}


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"encoder": "fast"}, "is no mapping"),
        ({"encoder": {"method": 6}}, "by format are wanted"),
        ({"format": "WEBP", "encoder": {"methd": 6}}, "WEBP knows no 'methd'; it knows lossless, method"),
        ({"format": "WEBP", "encoder": {"method": 7}}, "'method' of WEBP cannot be 7; .* from 0 to 6"),
        ({"format": "WEBP", "encoder": {"method": True}}, "'method' of WEBP cannot be True"),
        ({"format": "WEBP", "encoder": {"lossless": 1}}, "'lossless' of WEBP cannot be 1; .*True, False"),
        ({"format": "JPEG", "encoder": {"subsampling": "4:3:3"}}, "'subsampling' of JPEG cannot be '4:3:3'; .*'4:4:4'"),
        ({"format": "JPEG", "encoder": {"exif": b""}}, "JPEG knows no 'exif'"),
        ({"format": "JPEG", "encoder": {"quality": 5}}, "JPEG knows no 'quality'"),
        ({"format": "BMP", "encoder": {"optimize": True}}, "BMP knows no 'optimize'; it knows none"),
        ({"encoder": {"HEIC": {}}}, "'HEIC' is none of"),
    ],
)
def test_wrong_options_of_an_encoder_are_named(options, error):
    with pytest.raises(InvalidThumb, match=f"option 'encoder': .*{error}"):
        Thumb(size=(9, 9), **options)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.jpg", "JPEG"),
        ("a.JPEG", "JPEG"),
        ("a.png", "PNG"),
        ("b/a.gif", "GIF"),
        ("a.webp", "WEBP"),
        ("a.avif", "AVIF"),
        ("a.tiff", "WEBP"),
        ("a", "WEBP"),
        ("png", "WEBP"),
        ("b.png/a", "WEBP"),
        ("a.png.bak", "WEBP"),
    ],
)
def test_the_format_follows_the_name_and_then_the_fallback(name, expected):
    assert Thumb(size=(9, 9)).formats_for(name, "WEBP") == (expected,)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a.bmp", "BMP"), ("a.TIF", "TIFF"), ("a.tiff", "TIFF"), ("a.jpg", "JPEG"), ("a.gz", "WEBP"), ("a", "WEBP")],
)
def test_an_extension_that_is_kept_tells_every_format(name, expected):
    assert Thumb(size=(9, 9)).formats_for(name, "WEBP", keeps_extension=True) == (expected,)
    assert Thumb(size=(9, 9), format="png").formats_for(name, "WEBP", keeps_extension=True) == ("PNG",)


def test_a_thumb_is_frozen_and_hashable():
    thumb = Thumb(size=(9, 9))
    with pytest.raises(FrozenInstanceError):
        thumb.quality = 3
    assert {thumb: 1}[Thumb(size=[9, 9])] == 1
    assert thumb != Thumb(size=(9, 9), quality=3)
    assert Thumb(size=(9, 9), crop=True) == Thumb(size=(9, 9), crop="center")


def test_what_replace_makes_of_a_thumb_is_checked():
    with pytest.raises(InvalidThumb, match="quality"):
        replace(Thumb(size=(9, 9)), quality=0)


def test_parse_takes_a_thumb_as_it_is():
    thumb = Thumb(size=(9, 9))
    assert Thumb.parse(thumb) is thumb


@pytest.mark.parametrize("options", [None, (9, 9), "9x9", 9])
def test_parse_wants_a_mapping(options):
    with pytest.raises(InvalidThumb, match="a Thumb or a mapping of options is wanted"):
        Thumb.parse(options)


def test_an_unknown_option_is_named_with_those_that_exist():
    with pytest.raises(
        InvalidThumb, match=r"option 'cropp' is unknown; the options are .*size, crop, pad, upscale, format, quality"
    ):
        Thumb.parse({"size": (9, 9), "cropp": True})


def test_a_missing_size_is_named():
    with pytest.raises(InvalidThumb, match="option 'size' is missing"):
        Thumb.parse({"crop": True})


@pytest.mark.parametrize(
    "thumbs",
    [
        PAIRS,
        list(PAIRS),
        [list(pair) for pair in PAIRS],
        dict(PAIRS),
        iter(PAIRS),
        {"small": Thumb(size=(20, 10)), "square": Thumb(size=(50, 50), crop=True)},
        [("small", Thumb(size=(20, 10))), ("square", {"size": [50, 50], "crop": "center"})],
        ThumbSet(PAIRS),
    ],
    ids=["pairs", "list", "lists", "dict", "iterator", "thumbs", "mixed", "set"],
)
def test_every_form_of_thumbs_makes_the_same_set(thumbs):
    made = ThumbSet(thumbs)
    assert list(made.items()) == [("small", Thumb(size=(20, 10))), ("square", Thumb(size=(50, 50), crop=True))]


@pytest.mark.parametrize("nothing", [None, (), [], {}])
def test_no_thumbs(nothing):
    assert len(ThumbSet(nothing)) == 0
    assert not ThumbSet(nothing)


@pytest.mark.parametrize("thumbs", ["small", 5, object()])
def test_what_is_no_set_of_thumbs(thumbs):
    with pytest.raises(InvalidThumb, match="thumbs are a mapping or pairs of thumb name and options, not"):
        ThumbSet(thumbs)


@pytest.mark.parametrize("pair", ["ab", ("small",), ("small", {}, 3), (5, {"size": (9, 9)}), 7, None])
def test_what_is_no_pair(pair):
    with pytest.raises(InvalidThumb, match="is not a pair of thumb name and options") as info:
        ThumbSet([pair])
    assert repr(pair) in str(info.value)


@pytest.mark.parametrize("name", ["", ".hidden", "..", "a/b", "a\\b", "a\nb", "a\0b", 5, None])
def test_a_thumb_name_may_not_leave_its_folder(name):
    with pytest.raises(InvalidThumb, match=r"thumb name .* is not a printable name without slashes"):
        ThumbSet({name: {"size": (9, 9)}})


@pytest.mark.parametrize("name", ["60x60", "large", "a b", "größe", "2.5x", "50%", "a_b-c"])
def test_thumb_names(name):
    assert list(ThumbSet({name: {"size": (9, 9)}})) == [name]


def test_a_name_given_twice():
    with pytest.raises(InvalidThumb, match="thumb 'small' is there twice"):
        ThumbSet([*PAIRS, ("small", {"size": (5, 5)})])


@pytest.mark.parametrize(
    ("options", "option"),
    [
        ({"size": (0, 5)}, "size"),
        ({}, "size"),
        ({"size": (5, 5), "crop": "nowhere"}, "crop"),
        ({"size": (5, 5), "upscale": "yes"}, "upscale"),
        ({"size": (5, 5), "format": "SVG"}, "format"),
        ({"size": (5, 5), "quality": 0}, "quality"),
        ({"size": (5, 5), "colour": "red"}, "colour"),
    ],
)
def test_a_wrong_option_names_thumb_and_option(options, option):
    with pytest.raises(InvalidThumb, match=f"^thumb 'large': option '{option}'"):
        ThumbSet({"small": {"size": (5, 5)}, "large": options})


def test_an_invalid_thumb_is_a_value_error():
    with pytest.raises(ValueError, match="thumb 'large'"):
        ThumbSet({"large": None})


def test_a_set_is_a_read_only_mapping():
    thumbs = ThumbSet(PAIRS)
    assert isinstance(thumbs, Mapping)
    assert list(thumbs) == ["small", "square"]
    assert len(thumbs) == 2
    assert "small" in thumbs
    assert "large" not in thumbs
    assert thumbs["small"] == Thumb(size=(20, 10))
    assert thumbs.get("large") is None
    with pytest.raises(KeyError, match="large"):
        thumbs["large"]
    with pytest.raises(TypeError):
        thumbs["large"] = Thumb(size=(9, 9))
    with pytest.raises(TypeError):
        del thumbs["small"]
    with pytest.raises(AttributeError):
        thumbs.extra = 1


def test_a_set_does_not_follow_the_dict_it_was_made_from():
    given = dict(PAIRS)
    thumbs = ThumbSet(given)
    given.clear()
    assert len(thumbs) == 2


def test_sets_are_equal_by_their_ordered_thumbs():
    thumbs = ThumbSet(PAIRS)
    assert thumbs == ThumbSet(dict(PAIRS))
    assert hash(thumbs) == hash(ThumbSet(dict(PAIRS)))
    assert thumbs != ThumbSet(reversed(PAIRS))
    assert thumbs != ThumbSet(PAIRS[:1])
    assert thumbs != dict(thumbs)


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_sets_pickle(protocol):
    thumbs = ThumbSet(PAIRS)
    assert pickle.loads(pickle.dumps(thumbs, protocol)) == thumbs


@pytest.mark.parametrize("make_copy", [copy.copy, copy.deepcopy])
def test_sets_and_thumbs_copy(make_copy):
    thumbs = ThumbSet(PAIRS)
    assert make_copy(thumbs) == thumbs
    assert make_copy(thumbs["small"]) == thumbs["small"]


def test_the_repr_tells_the_thumbs():
    assert "small" in repr(ThumbSet(PAIRS))
    assert "size=(20, 10)" in repr(ThumbSet(PAIRS))


def test_name_of_a_name_and_of_a_thumb():
    thumbs = ThumbSet(PAIRS)
    assert thumbs.name_of("square") == "square"
    assert thumbs.name_of(thumbs["square"]) == "square"
    assert thumbs.name_of(Thumb(size=(50, 50), crop="center")) == "square"


@pytest.mark.parametrize("thumb", ["large", "", Thumb(size=(1, 1))])
def test_name_of_an_unknown_thumb_lists_the_known(thumb):
    with pytest.raises(UnknownThumb, match="Known thumbs: 'small', 'square'") as info:
        ThumbSet(PAIRS).name_of(thumb)
    assert repr(thumb) in str(info.value)
    assert isinstance(info.value, LookupError)


def test_name_of_where_there_are_no_thumbs():
    with pytest.raises(UnknownThumb, match="Known thumbs: none"):
        ThumbSet().name_of("large")


def test_the_overlay_counts():
    base = ThumbSet(PAIRS)
    over = base.overlaid_with(ThumbSet({"square": {"size": (7, 7)}, "new": {"size": (8, 8)}}))
    assert {name: thumb.size for name, thumb in over.items()} == {"small": (20, 10), "square": (7, 7), "new": (8, 8)}
    assert list(over) == ["small", "square", "new"]
    assert base == ThumbSet(PAIRS)


def test_with_format_fills_in_where_there_is_none():
    thumbs = ThumbSet({"a": {"size": (9, 9)}, "b": {"size": (9, 9), "format": "webp"}})
    assert [thumb.format for thumb in thumbs.with_format("PNG").values()] == ["PNG", "WEBP"]
    assert thumbs.with_format(None) == thumbs
    assert thumbs["a"].format is None


def test_with_format_checks_the_format():
    with pytest.raises(InvalidThumb, match="format"):
        ThumbSet(PAIRS).with_format("SVG")


# What type checkers are told


def test_the_types_name_the_options_there_are():
    assert list(ThumbOptions.__annotations__) == [field.name for field in fields(Thumb)]


def test_the_types_name_the_words_of_a_crop():
    words = {f"{x} {y}" for x in ("left", "center", "right") for y in ("top", "center", "bottom")}
    assert {*get_args(CropWord)} == words | {"left", "center", "right", "top", "bottom"}
    assert all(Thumb(size=(9, 9), crop=word).crop == word for word in get_args(CropWord))


def test_the_types_name_the_formats_there_are():
    assert {canonical(name) for name in get_args(FormatName)} == {*EXTENSIONS}
    assert all(Thumb(size=(9, 9), format=name).format == name.upper() for name in get_args(FormatName))


def test_an_amount_is_a_string():
    assert type(CropAmount("50% 20%")) is str


# Several formats, densities, pads, processors


def test_several_formats_best_first():
    thumb = Thumb(size=(9, 9), format=["avif", "webp", "jpg"])
    assert thumb.format == ("AVIF", "WEBP", "JPG")
    assert thumb.formats_for("cat.png", "PNG") == ("AVIF", "WEBP", "JPEG")


def test_one_format_is_the_same_alone_or_in_a_tuple():
    assert Thumb(size=(9, 9), format=("webp",)) == Thumb(size=(9, 9), format="WEBP")


@pytest.mark.parametrize(
    ("format_", "words"),
    [
        (("JPG", "WEBP", "jpeg"), "twice"),
        (("WEBP", "tga"), "'tga' is none of"),
        ((), r"\(\) is none of"),
        (("",), "''"),
    ],
)
def test_wrong_formats_are_named(format_, words):
    with pytest.raises(InvalidThumb, match=f"option 'format': .*{words}"):
        Thumb(size=(9, 9), format=format_)


def test_options_by_format_are_wanted_for_the_encoder_of_several():
    with pytest.raises(InvalidThumb, match="option 'encoder': options by format"):
        Thumb(size=(9, 9), format=("WEBP", "JPEG"), encoder={"method": 3})
    thumb = Thumb(size=(9, 9), format=("WEBP", "JPEG"), encoder={"WEBP": {"method": 3}}, quality={"JPEG": 70})
    assert (thumb.quality_for("JPEG"), thumb.quality_for("WEBP")) == (70, 85)


def test_the_format_of_a_field_may_be_several():
    thumbs = ThumbSet({"a": {"size": (9, 9)}, "b": {"size": (9, 9), "format": "PNG"}}).with_format(("WEBP", "JPEG"))
    assert [thumb.format for thumb in thumbs.values()] == [("WEBP", "JPEG"), "PNG"]


def test_densities_are_sorted():
    assert Thumb(size=(9, 9), densities=[2, 1]).densities == (1, 2)


@pytest.mark.parametrize(
    "densities", [(), (2,), (1, 1), (1, 0), (1, 10), (1, 1.5), (1, True), 2, "12", None, (1, None)]
)
def test_wrong_densities_are_named(densities):
    with pytest.raises(InvalidThumb, match=r"option 'densities': .* are not different whole numbers from 1 to 9"):
        Thumb(size=(9, 9), densities=densities)


def test_a_density_may_not_pass_the_longest_side():
    with pytest.raises(InvalidThumb, match=r"option 'densities': 2 times \(9000, 9\) is more than 16383 pixels"):
        Thumb(size=(9000, 9), densities=(1, 2))


@pytest.mark.parametrize("name", ["large@2x", "@3x", "large@1.5x", "a@10x"])
def test_a_thumb_name_may_not_end_like_a_density(name):
    with pytest.raises(InvalidThumb, match="ends like that of a density"):
        ThumbSet({name: {"size": (9, 9)}})


@pytest.mark.parametrize("name", ["large@2", "2x", "a@2x.b", "large@x"])
def test_other_thumb_names_may(name):
    assert list(ThumbSet({name: {"size": (9, 9)}})) == [name]


def test_a_side_may_be_none():
    assert Thumb(size=(800, None)).size == (800, None)
    assert Thumb(size=(None, 800)).size == (None, 800)


@pytest.mark.parametrize("option", [{"crop": True}, {"crop": "smart"}, {"pad": "white"}])
@pytest.mark.parametrize("size", [(9, None), (None, 9)])
def test_what_fills_a_box_wants_both_sides(option, size):
    with pytest.raises(InvalidThumb, match=f"option '{next(iter(option))}': both sides of the size are wanted"):
        Thumb(size=size, **option)


@pytest.mark.parametrize(
    ("pad", "kept"),
    [
        ("white", "#ffffff"),
        ("#FFE4E1", "#ffe4e1"),
        ("#fa0", "#ffaa00"),
        ("#fa08", "#ffaa0088"),
        ("#01020304", "#01020304"),
        ("transparent", "#00000000"),
        (None, None),
    ],
)
def test_pads(pad, kept):
    assert Thumb(size=(9, 9), pad=pad).pad == kept


@pytest.mark.parametrize("pad", ["", "whit", "fff", "#ff", "#fffff", "#ggg", 0, (0, 0, 0), True])
def test_a_wrong_pad_is_named(pad):
    with pytest.raises(InvalidThumb, match=r"option 'pad': .* is neither a colour"):
        Thumb(size=(9, 9), pad=pad)


def test_a_pad_and_a_crop_are_too_much():
    with pytest.raises(InvalidThumb, match="option 'pad': a crop leaves nothing"):
        Thumb(size=(9, 9), pad="white", crop=True)


def test_processors_have_options():
    thumb = Thumb(size=(9, 9), processors=["a.b", ("c.d", {"x": 1, "y": "z"})])
    assert thumb.processors == (("a.b", {}), ("c.d", {"x": 1, "y": "z"}))
    assert hash(thumb) == hash(Thumb(size=(9, 9), processors=[("a.b", {}), ("c.d", {"y": "z", "x": 1})]))


@pytest.mark.parametrize(
    "processors",
    [
        "a.b",
        3,
        None,
        ["a"],
        [""],
        ["a..b"],
        ["a b.c"],
        [("a.b",)],
        [("a.b", 3)],
        [("a.b", {"x": []})],
        [("a.b", {1: 2})],
    ],
)
def test_wrong_processors_are_named(processors):
    with pytest.raises(InvalidThumb, match="option 'processors'"):
        Thumb(size=(9, 9), processors=processors)


# Fingerprints. None of these lines may ever change: pages, mails and caches have URLs with them.

FINGERPRINTS = [
    ({"size": (200, 100)}, "41ebcd0a"),
    ({"size": (200, 100), "crop": True}, "69fc3061"),
    ({"size": (200, 100), "crop": "focal"}, "36e710b3"),
    ({"size": (200, None), "upscale": False}, "800f6e07"),
    ({"size": (200, 100), "pad": "white"}, "5c1c857e"),
    ({"size": (200, 100), "format": "JPG"}, "9aa8d5cc"),
    ({"size": (200, 100), "format": ("AVIF", "WEBP", "JPEG"), "densities": (1, 2)}, "21ce4890"),
    ({"size": (200, 100), "quality": 80}, "63aeae24"),
    ({"size": (200, 100), "quality": {"WEBP": 80, "JPEG": 90}}, "934004e4"),
    ({"size": (200, 100), "encoder": {"AVIF": {"speed": 6}}}, "80ba2b81"),
    ({"size": (200, 100), "processors": (("a.b", {"text": "größe", "share": 0.25}), "c.d")}, "06f00243"),
]


@pytest.mark.parametrize(("options", "fingerprint"), FINGERPRINTS)
def test_no_fingerprint_has_moved(options, fingerprint):
    assert Thumb(**options).fingerprint == fingerprint


def test_what_is_the_same_has_the_same_fingerprint():
    same = [
        Thumb(size=(200, 100)),
        Thumb(size=[200, 100], crop=False, upscale=True, densities=[1], processors=[], quality=None),
    ]
    assert len({thumb.fingerprint for thumb in same}) == 1
    assert len({Thumb(**options).fingerprint for options, _ in FINGERPRINTS}) == len(FINGERPRINTS)
