"""What `render` gives: the right part of the picture, upright, at the right size, in the format asked for."""

import io
import random
import threading

import pytest
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from athumb_storage import RenderingError, Thumb, UploadedImageIsUnreadableError
from athumb_storage.concurrency import SharedPool
from athumb_storage.geometry import place, upright
from athumb_storage.rendering import can_write, render
from athumb_storage.specs import Variant
from tests.conftest import PHOTOS, some_slow
from tests.unit.rendering import (
    BLUE,
    CORNERS,
    LIME,
    RED,
    TURNED,
    YELLOW,
    at,
    corners_of,
    decoded,
    near,
    psnr,
    quadrants,
    rendered,
    saved,
    thumb_of,
)

FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "AVIF")


def photo(name):
    path = PHOTOS / name
    if not path.exists():
        pytest.skip(f"the sample photo {name} is not there")
    return path.read_bytes()


def turned_file(image, orientation, format_):
    """An upright image as a camera stores it that was held in this orientation."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"JPEG": {"quality": 95}, "WEBP": {"lossless": True}}.get(format_, {})
    return saved(TURNED[orientation](image), format_, exif=exif, **options)


def smooth_photo(size=(1600, 1200)):
    """Something like a photo: soft large and small shapes on a gradient."""
    rng = random.Random(3)
    image = Image.linear_gradient("L").resize(size)
    image = Image.merge("RGB", (image, image.rotate(180), image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)))
    draw = ImageDraw.Draw(image)
    for _ in range(120):
        x, y, r = rng.randrange(size[0]), rng.randrange(size[1]), rng.randrange(10, 200)
        draw.ellipse((x - r, y - r, x + r, y + r), fill=tuple(rng.randrange(256) for _ in range(3)))
    return image.filter(ImageFilter.GaussianBlur(6))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
def test_a_fit_is_upright(format_, orientation):
    data = turned_file(quadrants((240, 160)), orientation, format_)
    thumb = thumb_of(data, size=(60, 60))
    assert thumb.size == (60, 40)
    assert corners_of(thumb) == [near(colour) for colour in CORNERS]


# Originals so long that a window at an end of them is within two of the colours, or in one of the middle in all four.
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format_", ["JPEG", "TIFF"])
@pytest.mark.parametrize(
    ("size", "crop", "colours"),
    [
        ((1200, 200), "left top", [RED, RED, BLUE, BLUE]),
        ((1200, 200), "right", [LIME, LIME, YELLOW, YELLOW]),
        ((1200, 200), "center", CORNERS),
        ((200, 1200), "top", [RED, LIME, RED, LIME]),
        ((200, 1200), "right bottom", [BLUE, YELLOW, BLUE, YELLOW]),
        ((200, 1200), "50%", CORNERS),
    ],
)
def test_a_crop_is_one_of_the_upright_image(size, crop, colours, format_, orientation):
    thumb = thumb_of(turned_file(quadrants(size), orientation, format_), size=(40, 30), crop=crop)
    assert thumb.size == (40, 30)
    assert corners_of(thumb) == [near(colour, 10) for colour in colours]


@pytest.mark.parametrize("orientation", [0, 9, 77])
def test_an_orientation_that_is_none_is_ignored(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    thumb = thumb_of(saved(quadrants(), "JPEG", exif=exif), size=(60, 60))
    assert corners_of(thumb) == [near(colour) for colour in CORNERS]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_crop_of_any_size_can_be_cut_from_a_turned_original(orientation):
    rng = random.Random(orientation)
    for _ in range(60):
        stored = rng.randint(1, 900), rng.randint(1, 900)
        exif = Image.Exif()
        exif[0x0112] = orientation
        data = saved(Image.new("L", stored, 90), exif=exif, compress_level=1)
        box = rng.randint(1, 200), rng.randint(1, 200)
        assert thumb_of(data, size=box, crop=True).size == box, (stored, box)


@pytest.mark.parametrize(
    ("stored", "orientation", "box"), [((924, 1513), 2, (842, 103)), ((477, 4129), 3, (668, 1083))]
)
def test_a_crop_whose_box_ends_at_the_edge(stored, orientation, box):
    # Scaled back to the original, these windows end a rounding error behind the edge.
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(Image.new("L", stored, 90), exif=exif)
    assert thumb_of(data, size=box, crop=True).size == box


@pytest.mark.parametrize("number", range(2, 9))
def test_the_sample_photo_is_the_same_in_each_orientation(number):
    thumbs = {"fit": Thumb(size=(240, 240)), "crop": Thumb(size=(100, 150), crop="30% 50%")}
    upright_one = rendered(photo("Landscape_1.jpg"), thumbs)
    turned_one = rendered(photo(f"Landscape_{number}.jpg"), thumbs)
    for name, size in (("fit", (240, 160)), ("crop", (100, 150))):
        assert turned_one[name].size == upright_one[name].size == size
        assert psnr(decoded(turned_one[name].data), decoded(upright_one[name].data)) > 24


@pytest.mark.parametrize("name", ["iphone_8mp.jpg", "nokia_9mp.jpg", "gps.jpg"])
def test_sample_photos_come_out_as_a_full_decode_would_give_them(name):
    data = photo(name)
    thumbs = {
        "large": Thumb(size=(400, 400)),
        "small": Thumb(size=(80, 80)),
        "square": Thumb(size=(60, 60), crop=True),
    }
    for thumb_name, result in rendered(data, thumbs).items():
        assert psnr(decoded(result.data), slowly(data, thumbs[thumb_name])) > 32, thumb_name


def test_the_position_of_a_sample_photo_is_left_behind():
    data = photo("gps.jpg")
    assert 0x8825 in decoded(data).getexif()
    assert not dict(thumb_of(data, "JPEG", size=(50, 50)).getexif())


def slowly(data, thumb):
    """The thumb from all of the pixels in one step."""
    image = decoded(data)
    orientation = image.getexif().get(0x0112, 1)
    back = {5: 5, 6: 8, 7: 7, 8: 6}.get(orientation, orientation)
    image = TURNED[back](image)
    placement = place(image.size, thumb)
    return image.convert("RGB").resize(placement.size, Image.Resampling.LANCZOS, box=placement.box)


@pytest.mark.parametrize("format_", ["JPEG", "PNG"])
@pytest.mark.parametrize("orientation", some_slow([1, 3, 6, 7], always=[6]))
def test_the_short_way_is_as_good_as_the_long_one(orientation, format_):
    data = turned_file(smooth_photo(), orientation, format_)
    thumbs = {
        "w800": Thumb(size=(800, 800)),
        "w320": Thumb(size=(320, 320)),
        "w100": Thumb(size=(100, 100)),
        "square": Thumb(size=(120, 120), crop=True),
        "corner": Thumb(size=(50, 80), crop="right bottom"),
        "offset": Thumb(size=(90, 30), crop="50% 20%"),
    }
    together = rendered(data, thumbs)
    for name, thumb in thumbs.items():
        alone = rendered(data, {name: thumb})[name]
        for result in (together[name], alone):
            assert psnr(decoded(result.data), slowly(data, thumb)) >= 40, name


# A row of ten colours, 40 pixels each: where a window of 100 pixels begins can be read off them.
STRIPES = [(25 * number, 255 - 25 * number, 128) for number in range(10)]


def stripes(*, tall=False):
    image = Image.new("RGB", (400, 100))
    for number, colour in enumerate(STRIPES):
        image.paste(colour, (number * 40, 0, number * 40 + 40, 100))
    return image.transpose(Image.Transpose.TRANSPOSE) if tall else image


@pytest.mark.parametrize("tall", [False, True])
@pytest.mark.parametrize(
    ("crop", "tall_crop", "first"),
    [
        ("left top", "left top", 0),
        ("left", "top", 0),
        ("center", "center", 150),
        ("right", "bottom", 300),
        ("50% 20%", "20% 50%", 150),
        ("20% 50%", "50% 20%", 60),
        ("10px 0px", "0px 10px", 10),
        ("10px", "10px", 10),
        ("75%", "75%", 225),
        ("999px 0px", "0px 999px", 300),
    ],
)
def test_where_a_crop_begins(crop, tall_crop, first, tall):
    thumb = thumb_of(saved(stripes(tall=tall)), size=(100, 100), crop=tall_crop if tall else crop)
    row = thumb.transpose(Image.Transpose.TRANSPOSE) if tall else thumb
    assert row.convert("RGB").tobytes() == stripes().crop((first, 0, first + 100, 100)).tobytes()


@pytest.mark.parametrize("original", [*FORMATS, "BMP", "TIFF"])
@pytest.mark.parametrize("format_", [*FORMATS, "BMP", "TIFF"])
def test_the_bytes_are_of_the_format_that_is_ordered(format_, original):
    result = rendered(saved(quadrants(), original), {"thumb": Thumb(size=(60, 60))}, format_)["thumb"]
    image = decoded(result.data)
    assert image.format == format_
    assert image.size == result.size == (60, 40)
    assert corners_of(image) == [near(colour, 12) for colour in CORNERS]
    assert result.variant == Variant.of("thumb", Thumb(size=(60, 60)), format_)


@pytest.mark.parametrize("format_", ["JPEG", "WEBP", "AVIF"])
def test_quality_counts(format_):
    data = saved(smooth_photo((400, 300)).effect_spread(10), "PNG")
    sizes = [
        len(rendered(data, {"thumb": Thumb(size=(200, 200), quality=quality)}, format_)["thumb"].data)
        for quality in (10, 50, 95)
    ]
    assert sizes[0] < sizes[1] < sizes[2]


@pytest.mark.parametrize("format_", FORMATS)
def test_this_pillow_can_write_every_format(format_):
    assert can_write(format_)


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ({"size": (120, 120)}, (120, 80)),
        ({"size": (120, 120), "upscale": False}, (30, 20)),
        ({"size": (120, 120), "crop": True}, (120, 120)),
        ({"size": (120, 120), "crop": True, "upscale": False}, (30, 20)),
        ({"size": (20, 120), "crop": True, "upscale": False}, (20, 20)),
    ],
)
@pytest.mark.parametrize("format_", ["JPEG", "PNG"])
def test_a_small_original(options, size, format_):
    thumb = thumb_of(saved(quadrants((30, 20)), format_), **options)
    assert thumb.size == size
    assert at(thumb, 0.02, 0.02)[0] > 200


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (2000, 3)])
@pytest.mark.parametrize("format_", ["JPEG", "PNG"])
def test_extreme_originals(size, format_):
    data = saved(Image.new("RGB", size, (200, 30, 60)), format_)
    thumbs = {"fit": Thumb(size=(40, 40)), "crop": Thumb(size=(40, 30), crop=True)}
    results = rendered(data, thumbs)
    assert results["fit"].size == place(size, thumbs["fit"]).size
    assert results["crop"].size == (40, 30)
    assert at(decoded(results["crop"].data), 0.5, 0.5) == near((200, 30, 60), 4)


@pytest.mark.parametrize("seed", range(4))
def test_sizes_are_exact_whatever_the_set(seed):
    rng = random.Random(seed)
    for _ in range(8):
        original = rng.randint(1, 700), rng.randint(1, 700)
        thumbs = {
            f"thumb{number}": Thumb(
                size=(rng.randint(1, 300), rng.randint(1, 300)),
                crop=rng.choice([None, "center", "left top", "33% 80%"]),
                upscale=rng.random() < 0.7,
            )
            for number in range(5)
        }
        orientation = rng.randint(1, 8)
        exif = Image.Exif()
        exif[0x0112] = orientation
        data = saved(Image.new("L", original, 99), rng.choice(["JPEG", "PNG"]), exif=exif)
        results = rendered(data, thumbs)
        assert set(results) == set(thumbs)
        for name, result in results.items():
            expected = place(upright(original, orientation), thumbs[name]).size
            assert decoded(result.data).size == result.size == expected, (original, orientation, thumbs[name])


def test_the_first_frame_of_an_animation():
    frames = [Image.new("RGB", (40, 40), colour) for colour in (RED, BLUE)]
    for format_ in ("GIF", "WEBP", "AVIF", "PNG"):
        data = saved(frames[0], format_, save_all=True, append_images=frames[1:])
        thumb = thumb_of(data, "PNG", size=(20, 20))
        assert at(thumb, 0.5, 0.5) == near(RED), format_


def test_a_photo_of_several_pictures_shows_the_first():
    # Phones write MPO, which is a JPEG followed by more; a small thumb is decoded at a fraction.
    second = Image.new("RGB", (1200, 800), "black")
    data = saved(quadrants((1200, 800)), "MPO", save_all=True, append_images=[second])
    assert decoded(data).format == "MPO"
    thumb = thumb_of(data, size=(60, 60))
    assert thumb.size == (60, 40)
    assert corners_of(thumb) == [near(colour, 8) for colour in CORNERS]


@pytest.mark.parametrize("options", [{"progressive": True}, {"subsampling": 0}, {"restart_marker_blocks": 3}])
@pytest.mark.parametrize("size", [(1201, 799), (1600, 1200)])
def test_kinds_of_jpeg_at_a_fraction(options, size):
    thumb = thumb_of(saved(quadrants(size), "JPEG", **options), size=(61, 61))
    assert thumb.size == place(size, Thumb(size=(61, 61))).size
    assert corners_of(thumb) == [near(colour, 8) for colour in CORNERS]


def test_no_orders_give_no_thumbs():
    assert list(render(io.BytesIO(saved(quadrants())), "PNG", [])) == []


def test_the_reader_stays_open():
    reader = io.BytesIO(saved(quadrants()))
    assert list(render(reader, "PNG", [Variant.of("thumb", Thumb(size=(20, 20)), "PNG")]))
    assert not reader.closed


def noise(size=(300, 200)):
    return smooth_photo(size).effect_spread(20)


@pytest.mark.parametrize("orders", [[], [Variant.of("thumb", Thumb(size=(20, 20)), "PNG")]], ids=["none", "one"])
@pytest.mark.parametrize("format_", [*FORMATS, "BMP", "TIFF"])
def test_a_truncated_image_is_unreadable(format_, orders):
    data = saved(noise(), format_)
    with pytest.raises(UploadedImageIsUnreadableError, match="The image cannot be read"):
        list(render(io.BytesIO(data[: len(data) // 2]), format_, orders))


@pytest.mark.parametrize("format_", [*FORMATS, "BMP", "TIFF"])
def test_a_head_alone_is_unreadable(format_):
    with pytest.raises(UploadedImageIsUnreadableError, match="The image cannot be read"):
        list(render(io.BytesIO(saved(noise(), format_)[:20]), format_, []))


def test_no_other_format_is_tried():
    with pytest.raises(UploadedImageIsUnreadableError):
        list(render(io.BytesIO(saved(quadrants(), "PNG")), "JPEG", []))


def test_an_image_of_far_too_many_pixels_is_unreadable(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(UploadedImageIsUnreadableError, match="exceeds limit"):
        list(render(io.BytesIO(saved(quadrants())), "PNG", []))


def test_a_thumb_that_cannot_be_encoded_is_named(monkeypatch):
    Image.init()

    def fail(*_):
        raise OSError("encoder error -2")

    monkeypatch.setitem(Image.SAVE, "GIF", fail)
    orders = [Variant.of("small", Thumb(size=(20, 20)), "PNG"), Variant.of("large", Thumb(size=(60, 60)), "GIF")]
    with pytest.raises(RenderingError, match=r"'large'.*GIF.*encoder error -2"):
        list(render(io.BytesIO(saved(quadrants())), "PNG", orders))


def test_many_may_render_at_once():
    data = saved(quadrants((600, 400)), "JPEG")
    thumbs = {f"w{width}": Thumb(size=(width, width)) for width in (20, 40, 80, 160)}
    alone = {name: result.data for name, result in rendered(data, thumbs).items()}
    seen = []

    def work():
        seen.append({name: result.data for name, result in rendered(data, thumbs).items()})

    workers = [threading.Thread(target=work) for _ in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert seen == [alone] * 6


@pytest.mark.parametrize("cores", [1, 2, 3, 64])
@pytest.mark.parametrize("box", [(60, 60), (300, 50), (2000, 9)])
def test_a_large_original_on_any_number_of_cores(monkeypatch, cores, box):
    """It is scaled in strips; there may be more cores than the thumb has rows, and strips may not show."""
    data = saved(Image.effect_noise((20_000, 60), 90), "PNG")
    monkeypatch.setattr("athumb_storage.rendering.scaling.workers", SharedPool(1, "test-alone"))
    alone = thumb_of(data, size=box)
    monkeypatch.setattr("athumb_storage.rendering.scaling.workers", SharedPool(cores, "test-strips"))
    in_strips = thumb_of(data, size=box)
    assert in_strips.size == alone.size
    assert ImageChops.difference(in_strips, alone).getextrema()[1] <= 1
