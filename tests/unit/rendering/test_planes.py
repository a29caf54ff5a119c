"""JPEGs that are decoded in planes: that their thumbs are as good as those of a full decode, and which ones are."""

import io
import random

import pytest
from PIL import Image, ImageDraw

from athumb_storage import Thumb
from athumb_storage.geometry import place
from athumb_storage.rendering import engine, render
from athumb_storage.specs import Variant
from tests.conftest import some_slow
from tests.unit.rendering import TURNED, decoded, near, psnr, quadrants, saved

MOST = 0.5
"""Decibels that may be lost against a full decode and Lanczos, after encoding; see docs/speed.md."""


def photo(size):
    """Soft gradients and some noise."""
    ramp = Image.linear_gradient("L").resize(size)
    bands = [ramp, ramp.transpose(Image.Transpose.ROTATE_180), ramp.transpose(Image.Transpose.FLIP_LEFT_RIGHT)]
    noise = Image.frombytes("L", size, random.Random(7).randbytes(size[0] * size[1]))
    return Image.blend(Image.merge("RGB", bands), noise.convert("RGB"), 0.1)


def saturated_lines(size):
    """Lines of strong colours on strong colours, the worst that can happen to colours at half the size."""
    image = Image.new("RGB", size, (0, 0, 200))
    pen = ImageDraw.Draw(image)
    for number in range(0, size[0], 16):
        pen.line((number, 0, size[0] - number, size[1]), (250, 0, 0) if number % 32 else (0, 240, 0), width=4)
    return image


def thumbs_of(data, thumbs, image_format):
    variants = [Variant.of(name, thumb, image_format) for name, thumb in thumbs.items()]
    return {done.variant.thumb_name: done.data for done in render(io.BytesIO(data), "JPEG", variants)}


SET = {
    "large": Thumb(size=(640, 640)),
    "odd": Thumb(size=(501, 501)),
    "medium": Thumb(size=(320, 320)),
    "square": Thumb(size=(200, 200), crop=True),
}


@pytest.fixture
def scales(monkeypatch):
    """At which scales colours were decoded; None for an image that was decoded as a whole."""
    found = []
    scale_of_colours = engine.scale_of_colours

    def watched(*args):
        found.append(scale_of_colours(*args))
        return found[-1]

    monkeypatch.setattr(engine, "scale_of_colours", watched)
    return found


@pytest.mark.parametrize("image_format", ["JPEG", "WEBP"])
@pytest.mark.parametrize("subsampling", some_slow(["4:2:0", "4:2:2", "4:4:4"], always=["4:2:0"]))
@pytest.mark.parametrize("make", [photo, saturated_lines])
def test_little_is_lost_against_a_full_decode(make, subsampling, image_format, scales):
    data = saved(make((1001, 751)), "JPEG", quality=92, subsampling=subsampling)
    whole = decoded(data).convert("RGB")
    found = thumbs_of(data, SET, image_format)
    assert [scale is None for scale in scales] == [subsampling == "4:2:2"]
    for name, thumb in SET.items():
        ours = decoded(found[name]).convert("RGB")
        true = whole.resize(ours.size, Image.Resampling.LANCZOS, box=place(whole.size, thumb).box)
        options = {"quality": 85, "optimize": True} if image_format == "JPEG" else {"quality": 85}
        best = decoded(saved(true, image_format, **options)).convert("RGB")
        assert psnr(ours, true) > psnr(best, true) - MOST, name


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_photo_in_planes_is_turned_upright(orientation, scales):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(TURNED[orientation](quadrants((640, 480))), "JPEG", quality=95, exif=exif)
    thumb = decoded(thumbs_of(data, {"a": Thumb(size=(400, 400))}, "JPEG")["a"])
    assert scales[0]
    assert thumb.size == (400, 300)
    corners = [thumb.getpixel(place) for place in ((40, 40), (360, 40), (40, 260), (360, 260))]
    assert corners == [near(quadrants().getpixel(place), 8) for place in ((9, 9), (200, 9), (9, 150), (200, 150))]


def coded_in_rgb():
    """A JPEG of three components without a conversion of colours, which Adobe's marker tells."""
    return saved(quadrants((640, 480)), "JPEG", quality=95, keep_rgb=True)


@pytest.mark.parametrize(
    ("data", "thumb", "image_format"),
    [
        (coded_in_rgb(), Thumb(size=(400, 400)), "JPEG"),
        (saved(quadrants((640, 480)).convert("CMYK"), "JPEG"), Thumb(size=(400, 400)), "JPEG"),
        (saved(quadrants((640, 480)).convert("L"), "JPEG", comment=b"grey"), Thumb(size=(400, 400)), "JPEG"),
        (saved(quadrants((640, 480)), "JPEG"), Thumb(size=(400, 400)), "PNG"),
        (saved(quadrants((640, 480)), "JPEG"), Thumb(size=(400, 400)), "AVIF"),
        (saved(quadrants((640, 480)), "JPEG"), Thumb(size=(60, 60)), "JPEG"),
        (
            saved(quadrants((640, 480)), "JPEG"),
            Thumb(size=(400, 400), encoder={"JPEG": {"subsampling": "4:4:4"}}),
            "JPEG",
        ),
        (saved(quadrants((640, 480)), "JPEG"), Thumb(size=(400, 400), encoder={"WEBP": {"lossless": True}}), "WEBP"),
        (saved(quadrants((640, 480)), "JPEG")[:-2], Thumb(size=(400, 400)), "JPEG"),
        (saved(quadrants((640, 480)), "JPEG"), Thumb(size=(2000, 2000)), "JPEG"),
    ],
    ids=["rgb", "cmyk", "grey", "png", "avif", "small", "4:4:4", "lossless", "without its end", "enlarged"],
)
def test_others_are_decoded_as_a_whole(data, thumb, image_format, scales):
    found = decoded(thumbs_of(data, {"a": thumb}, image_format)["a"]).convert("RGB")
    assert scales in ([], [None])
    red = (76, 76, 76) if b"grey" in data else (255, 0, 0)
    assert found.getpixel((found.width // 10, found.height // 10)) == near(red, 12)


def test_a_profile_is_applied_to_what_is_scaled_from_planes(scales):
    from tests.unit.rendering.test_colours import WIDE, wide_in_srgb

    colour = (200, 100, 100)
    data = saved(Image.new("RGB", (640, 480), colour), "JPEG", quality=98, icc_profile=WIDE)
    for image in map(decoded, thumbs_of(data, SET, "JPEG").values()):
        assert image.getpixel((50, 50)) == near(wide_in_srgb(colour), 4)
    assert scales[0]
