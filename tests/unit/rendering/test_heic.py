"""HEIC originals: shown as phones show them, by a decoder that gets to see one picture and no more."""

import io
import struct
import subprocess
import sys

import pytest
from PIL import Image, ImageStat

from athumb_storage import ImageLimitExceeded, UploadedImageIsUnreadableError
from athumb_storage.rendering import heic as room
from athumb_storage.rendering import opening, shown_size, verify_decodable
from tests.conftest import PHOTOS
from tests.hostile.builder import patched
from tests.hostile.heic import (
    ALPHA_CODED,
    ALPHA_RECORD,
    CODED,
    REAL,
    RECORD,
    alpha,
    box,
    grid,
    heic,
    picture,
    record_of_size,
    unit_of_size,
)
from tests.unit.rendering import BLUE, LIME, RED, YELLOW, at, corners_of, near, thumb_of
from tests.unit.rendering.test_colours import WIDE, wide_in_srgb
from tests.unit.rendering.test_headers import clean_aperture

pytest.importorskip("pi_heif", reason="there is no wheel of pi-heif for this Python")

EXIF = b"\0\0\0\6Exif\0\0MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0a secret"
"""An item of EXIF data: that the camera was turned, and what it notes."""


def clap(*numbers):
    return box(b"clap", clean_aperture(*numbers)[4:])


def nclx(primaries, transfer, matrix):
    return box(b"colr", b"nclx" + struct.pack(">HHHB", primaries, transfer, matrix, 0x80))


def size_of(data):
    return shown_size(io.BytesIO(data))


def opened(data):
    return verify_decodable(io.BytesIO(data), "HEIC")


def refused(data, match):
    with pytest.raises(UploadedImageIsUnreadableError, match=match):
        opened(data)


# What is shown


def test_the_file_of_an_encoder():
    thumb = thumb_of(REAL, size=(64, 64)).convert("RGBA")
    assert corners_of(thumb)[1:] == [near(LIME), near(BLUE), near(YELLOW)]
    assert [at(thumb, x, y, "RGBA")[3] for x, y in ((0.2, 0.2), (0.8, 0.2), (0.2, 0.8))] == [0, 128, 255]


def test_what_is_transparent_is_white_in_a_jpeg():
    corners = corners_of(thumb_of(REAL, "JPEG", size=(64, 64)))
    assert corners == [near((255, 255, 255)), near((127, 255, 127)), near(BLUE), near(YELLOW)]


def test_colours_that_are_multiplied_by_their_transparency():
    items = picture(), alpha(coded=ALPHA_CODED)
    data = heic(*items, references=[(b"auxl", 2, 1), (b"prem", 1, 2)])
    assert opened(data).mode == "RGBa"
    assert at(thumb_of(data, size=(64, 64)), 0.8, 0.8, "RGBA") == near((*YELLOW, 255))


@pytest.mark.parametrize(
    ("properties", "corners"),
    [
        ([box(b"irot", b"\1")], [LIME, YELLOW, RED, BLUE]),
        ([box(b"irot", b"\2")], [YELLOW, BLUE, LIME, RED]),
        ([box(b"irot", b"\3")], [BLUE, RED, YELLOW, LIME]),
        ([box(b"imir", b"\0")], [BLUE, YELLOW, RED, LIME]),
        ([box(b"imir", b"\1")], [LIME, RED, YELLOW, BLUE]),
        ([box(b"irot", b"\1"), box(b"imir", b"\1")], [YELLOW, LIME, BLUE, RED]),
    ],
    ids=["90", "180", "270", "upside down", "mirrored", "turned and mirrored"],
)
def test_a_picture_is_turned_by_its_boxes_and_not_by_its_exif_as_well(properties, corners):
    data = heic(picture(*properties), (b"Exif", EXIF, []), references=[(b"cdsc", 2, 1)])
    image = opened(data)
    assert corners_of(image) == [near(corner) for corner in corners]
    assert image.info == {}
    assert corners_of(thumb_of(data, size=(64, 64))) == [near(corner) for corner in corners]


def test_the_size_of_a_picture_that_is_turned():
    data = heic(picture(clap(32, 16, (-16, 1), (-24, 1)), box(b"irot", b"\1")))
    assert size_of(data) == (16, 32)
    assert corners_of(thumb_of(data, size=(16, 32))) == [near(RED)] * 4


@pytest.mark.parametrize(
    "numbers",
    [(32, 24, (-40, 1), (0, 1)), (32, 24, (1, 3), (0, 1)), (0, 24, (0, 1), (0, 1)), (32, 24, (0, 0), (0, 1))],
    ids=["outside", "fractions", "nothing", "divided by zero"],
)
def test_a_clean_aperture_that_makes_no_sense_is_ignored(numbers):
    assert size_of(heic(picture(clap(*numbers)))) == (64, 64)


def test_a_grid_of_an_odd_size():
    """Each tile is one of four quarters; of the last row and column only a part is left."""
    data = heic(grid(2, 2, (101, 91)), *[picture()] * 4, references=[(b"dimg", 1, 2, 3, 4, 5)])
    assert size_of(data) == (101, 91)
    thumb = thumb_of(data, size=(101, 91))
    places = {(10, 10): RED, (50, 10): LIME, (80, 10): RED, (99, 10): LIME, (10, 40): BLUE, (99, 89): LIME}
    assert thumb.size == (101, 91)
    assert {place: thumb.convert("RGB").getpixel(place) for place in places} == {
        place: near(colour) for place, colour in places.items()
    }


@pytest.mark.parametrize("primaries", [12, 1], ids=["Display P3", "sRGB"])
def test_colours_are_told_by_code_points(primaries):
    """The numbers are those of a matrix that is not the picture's; what they are in sRGB, libvips told."""
    expected = {
        1: [(255, 25, 0), (0, 216, 0), (0, 15, 255), (255, 240, 0)],
        12: [(255, 0, 0), (0, 220, 0), (0, 15, 255), (255, 239, 0)],
    }[primaries]
    found = corners_of(thumb_of(heic(picture(nclx(primaries, 13, 1))), size=(64, 64)))
    assert found == [near(colour, 2) for colour in expected]


def test_a_profile_counts_before_code_points():
    data = heic(picture(nclx(9, 16, 1), box(b"colr", b"prof" + WIDE)))
    thumb = thumb_of(data, size=(64, 64))
    expected = [wide_in_srgb(colour) for colour in ((255, 25, 0), (0, 216, 0), (0, 15, 255), (255, 240, 0))]
    assert corners_of(thumb) == [near(colour, 4) for colour in expected]
    assert "icc_profile" not in thumb.info


def test_the_picture_that_is_to_be_shown_is_shown():
    grey = picture(record=ALPHA_RECORD, coded=ALPHA_CODED)
    for primary, mode in ((1, "L"), (2, "RGB")):
        image = opened(heic(grey, picture(), primary=primary))
        image.load()
        assert image.mode == mode


REFERENCE = {
    "pug": ((64, 64), [(76, 76, 76), (60, 60, 60), (81, 81, 81), (52, 52, 52)]),
    "tree": ((320, 241), [(97, 148, 179), (87, 141, 178), (125, 173, 192), (113, 150, 155)]),
    "alpha": ((512, 512), [(255, 255, 255), (241, 215, 215), (242, 218, 218), (255, 255, 255)]),
    "odd-size": ((451, 461), [(216, 149, 248), (159, 225, 246), (255, 172, 153), (194, 254, 154)]),
}
"""The size, and each quarter's mean on white, by heif-convert of libheif 1.15, and libvips where there is a profile."""


@pytest.mark.parametrize("name", REFERENCE)
def test_sample_photos(name):
    path = PHOTOS / "formats" / f"{name}.heic"
    if not path.exists():
        pytest.skip(f"the sample photo {path.name} is not there")
    size, means = REFERENCE[name]
    assert size_of(path.read_bytes()) == size
    thumb = thumb_of(path.read_bytes(), size=size).convert("RGBA")
    whole = Image.alpha_composite(Image.new("RGBA", size, "white"), thumb).convert("RGB")
    width, height = size[0] // 2, size[1] // 2
    corners = [(x, y) for y in (0, size[1] - height) for x in (0, size[0] - width)]
    found = [ImageStat.Stat(whole.crop((x, y, x + width, y + height))).mean for x, y in corners]
    assert found == [near(mean, 1.5) for mean in means]


# What is decoded, and when


def test_no_pixel_is_decoded_before_it_is_needed():
    data = heic(picture(coded=CODED[:5] + bytes(len(CODED) - 5)))
    assert size_of(data) == (64, 64)
    refused(data, "cannot be read")


def test_the_decoder_is_not_loaded_before_an_image_needs_it():
    said = "from athumb_storage.storages.options import StorageOptions as S; S(allowed_formats=['heic']); import sys; "
    code = said + "print('HEIC' in S().allowed_formats, 'pi_heif' in sys.modules)"
    code = f"from django.conf import settings; settings.configure(); {code}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True False\n"


def test_pillow_opens_no_heic_for_others():
    opened(REAL)
    with pytest.raises(Image.UnidentifiedImageError):
        Image.open(io.BytesIO(REAL))


def test_without_a_decoder_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(room, "can_read_heic", lambda: False)
    refused(REAL, r'pip install "athumb-storage\[heif\]"')
    assert size_of(REAL) is None


@pytest.mark.parametrize("depth", [9, 10, 12])
def test_greys_of_more_than_8_bits_are_refused(depth):
    """Nothing but the header says so here: the decoder would write over the end of the pixels."""
    record = patched(ALPHA_RECORD, 17, bytes([0xF8 | (depth - 8)] * 2))
    refused(heic(picture(record=record, coded=ALPHA_CODED)), "greys of more than 8 bits")


# What is refused before


@pytest.mark.parametrize(
    "data",
    [
        heic(picture(record=record_of_size(RECORD, 9500, 9500))),
        heic(picture(coded=unit_of_size(9500, 9500) + CODED)),
        heic(picture(size=(9500, 9500))),
        heic(grid(1, 1, (9500, 9500), told=(64, 64)), picture(), references=[(b"dimg", 1, 2)]),
        heic(picture(), picture(record=record_of_size(RECORD, 9500, 9500))),
    ],
    ids=["header", "pixels", "description", "grid", "another"],
)
def test_whatever_size_is_told_counts(data):
    with pytest.raises(ImageLimitExceeded, match="max_pixels"):
        opened(data)


@pytest.mark.parametrize("kind", [b"iden", b"iovl", b"av01", b"jpeg", b"unci", b"tmap"])
def test_a_picture_of_another_kind_is_refused(kind):
    refused(heic(picture(kind=kind)), "not supported")
    refused(heic(grid(1, 1, (64, 64)), picture(kind=kind), references=[(b"dimg", 1, 2)]), "not supported")
    refused(heic(picture(), alpha(kind=kind), references=[(b"auxl", 2, 1)]), "not supported")


def test_what_a_picture_does_not_need_may_be_of_any_kind():
    items = picture(), picture(kind=b"iovl"), (b"tmap", b"", []), (b"mime\0application/rdf+xml\0deflate", b"junk", [])
    data = heic(*items, references=[(b"dimg", 3, 1, 2), (b"thmb", 2, 1), (b"cdsc", 4, 1)])
    assert corners_of(opened(data)) == [near(colour) for colour in (RED, LIME, BLUE, YELLOW)]


def test_a_picture_that_needs_more_pixels_than_it_has_is_refused():
    large = {"size": (2000, 2000), "record": record_of_size(ALPHA_RECORD, 2000, 2000)}
    pictures = [alpha(**large) for _ in range(2)]
    refused(heic(picture(), *pictures, references=[(b"auxl", 2, 1), (b"auxl", 3, 1)]), "pixels in all the pictures")


@pytest.mark.parametrize(
    "data",
    [
        heic(picture(), primary=7),
        heic(picture()).replace(b"pitm", b"free"),
        heic(picture()).replace(b"iloc", b"free"),
        heic(picture()).replace(b"meta", b"free"),
        heic(picture()) + heic(picture()),
        heic(picture(box(b"hvcC", RECORD + b"\0"))),
        heic(picture(), picture()).replace(b"\0\2\0\0hvc1", b"\0\1\0\0hvc1"),
        heic((b"grid", b"\0\1\0", []), picture(), references=[(b"dimg", 1, 2)]),
        heic(picture(record=RECORD[:30])),
        heic(picture(), in_meta=box(b"iref", b"", 0), references=[(b"auxl", 1, 9)]),
    ],
    ids=[
        *("no such picture", "no picture", "no places", "no description", "two descriptions"),
        *("two headers", "two of one number", "half a grid", "half a header", "two lists"),
    ],
)
def test_what_is_not_understood_is_not_left_to_the_decoder(data, monkeypatch):
    monkeypatch.setattr(opening, "open_heic", lambda reader: pytest.fail("it is decoded"))
    with pytest.raises(UploadedImageIsUnreadableError):
        opened(data)
