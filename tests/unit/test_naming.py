"""The namings, and the way back."""

import pytest

from athumb_storage import Thumb
from athumb_storage.formats import canonical
from athumb_storage.naming import NAMINGS, AthumbNaming, FolderNaming, Naming, is_marked, marked, unmarked
from athumb_storage.specs import Variant

PLAIN = Thumb(size=(9, 9))
LARGE = Variant.of("large", PLAIN, "JPEG")
LARGE_WEBP = Variant.of("large", PLAIN, "WEBP")
NAMES = [
    "cat.jpg",
    "photos/cat.jpg",
    "photos/2024.05/cat.final.jpg",
    "photos/cat",
    "photos.d/cat",
    ".hidden",
    "größe/кот 猫.jpg",
    "a b/c+d%20?.jpg",
    "new\nline.jpg",
    "x.thumbs",
]


def test_the_namings_by_their_words():
    assert isinstance(NAMINGS["folder"], FolderNaming)
    assert isinstance(NAMINGS["athumb"], AthumbNaming)
    assert all(isinstance(naming, Naming) for naming in NAMINGS.values())


def test_an_object_without_the_methods_is_no_naming():
    assert not isinstance(object(), Naming)


def test_thumbs_lie_in_a_folder_beside_the_original():
    assert FolderNaming().key("photos/cat.jpg", LARGE) == "photos/cat.jpg.thumbs/large.jpg"
    assert FolderNaming().key("photos/cat.jpg", LARGE_WEBP) == "photos/cat.jpg.thumbs/large.webp"


@pytest.mark.parametrize("thumb_name", ["large", "60x60", "2.5x", "groß", "a b"])
@pytest.mark.parametrize("name", [*NAMES, "photos/cat.jpg.thumbs/large.jpg"])
def test_the_way_back_from_a_key(name, thumb_name):
    key = FolderNaming().key(name, Variant.of(thumb_name, PLAIN, "JPEG"))
    assert FolderNaming().original(key) == name


@pytest.mark.parametrize("name", NAMES)
def test_a_prefix_is_that_of_the_keys_of_one_original(name):
    prefix = FolderNaming().prefix(name)
    assert prefix.endswith("/")
    assert FolderNaming().key(name, LARGE).startswith(prefix)
    others = [other for other in NAMES if other != name]
    assert not any(FolderNaming().key(other, LARGE).startswith(prefix) for other in others)


@pytest.mark.parametrize(
    "key", ["", "cat.jpg", "photos/cat.jpg", ".thumbs/large.jpg", "cat.thumbs/a/b.jpg", "x.thumbs/"]
)
def test_what_is_no_thumb_key(key):
    assert FolderNaming().original(key) is None


def test_originals_that_differ_only_by_extension_share_no_thumb():
    keys = {FolderNaming().key(name, LARGE) for name in ("a.png", "a.jpg", "a")}
    assert len(keys) == 3


@pytest.mark.parametrize(
    ("name", "format_", "extension", "key"),
    [
        ("photos/cat.JPG", None, "jpg", "photos/cat_large.JPG"),
        ("photos/cat.jpeg", None, "jpg", "photos/cat_large.jpeg"),
        ("photos/cat.JPG", "jpeg", "jpg", "photos/cat_large.jpeg"),
        ("photos/cat.png", "jpg", "jpg", "photos/cat_large.jpg"),
        ("photos/cat.png", "WEBP", "webp", "photos/cat_large.webp"),
        ("photos/cat.tiff", None, "jpg", "photos/cat_large.tiff"),
        ("cat.gif", None, "gif", "cat_large.gif"),
        ("photos/cat.heic", None, "jpg", "photos/cat_large.jpg"),
        ("photos/cat.HEIF", None, "png", "photos/cat_large.png"),
        ("photos/cat.HIF", "webp", "webp", "photos/cat_large.webp"),
        ("photos/cat.final.png", None, "png", "photos/cat.final_large.png"),
        ("photos.d/cat.png", None, "png", "photos.d/cat_large.png"),
        ("photos.d/cat", None, "jpg", "photos.d/cat_large.jpg"),
        ("cat", "png", "png", "cat_large.png"),
        ("größe/кот.JPG", None, "jpg", "größe/кот_large.JPG"),
    ],
)
def test_the_rules_of_the_seed_library(name, format_, extension, key):
    thumb = Thumb(size=(9, 9), format=format_)
    written = canonical(extension)
    variant = Variant(thumb_name="large", thumb=thumb, format=written, extension=extension)
    assert AthumbNaming().key(name, variant) == key


@pytest.mark.parametrize(
    ("density", "key"), [(1, "photos/cat.png.thumbs/large.{}.webp"), (2, "photos/cat.png.thumbs/large@2x.{}.webp")]
)
def test_the_fingerprint_of_the_thumb_stands_before_the_extension(density, key):
    thumb = Thumb(size=(9, 9), densities=(1, 2))
    naming = NAMINGS["fingerprint"]
    found = naming.key("photos/cat.png", Variant.of("large", thumb, "WEBP", density))
    assert found == key.format(thumb.fingerprint)
    assert naming.prefix("photos/cat.png") == "photos/cat.png.thumbs/"
    assert naming.original(found) == "photos/cat.png"


def test_the_seed_library_has_no_way_back():
    assert AthumbNaming().prefix("photos/cat.jpg") is None
    assert AthumbNaming().original("photos/cat_large.jpg") is None


# The mark of an original without thumbs


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cat.jpg", "cat.nothumbs.jpg"),
        ("photos/cat.final.JPG", "photos/cat.final.nothumbs.JPG"),
        ("photos.d/cat", "photos.d/cat.nothumbs"),
        (".hidden", ".hidden.nothumbs"),
        ("größe/猫.jpg", "größe/猫.nothumbs.jpg"),
        ("a.nothumbs/cat.jpg", "a.nothumbs/cat.nothumbs.jpg"),
    ],
)
def test_the_mark_is_before_the_extension(name, expected):
    assert not is_marked(name)
    assert marked(name) == marked(name, len(expected)) == expected
    assert is_marked(expected)


@pytest.mark.parametrize("max_length", [14, 15, 17, 30])
def test_the_root_is_shortened_for_the_mark(max_length):
    name = marked("some-cat-of-mine.jpg", max_length)
    assert len(name) <= max_length
    assert is_marked(name)
    assert name.endswith(".nothumbs.jpg")
    assert "some-cat-of-mine.jpg".startswith(name.removesuffix(".nothumbs.jpg"))


@pytest.mark.parametrize("name", ["cat.nothumbs.jpg", "cat.nothumbs", ".nothumbs.jpg", "c.nothumbs.nothumbs.jpg"])
def test_a_mark_is_taken_off(name):
    assert is_marked(name)
    assert not is_marked(unmarked(name))
    assert len(unmarked(name)) == len(name)


@pytest.mark.parametrize("name", ["cat.jpg", "nothumbs.jpg", "cat_nothumbs.jpg", "cat.thumbs", "cat.no.thumbs"])
def test_where_there_is_no_mark_nothing_is_taken_off(name):
    assert not is_marked(name)
    assert unmarked(name) == name
