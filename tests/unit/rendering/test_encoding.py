"""How thumbs are written: the options that encoders are given, and palettes."""

import io
import random

import pytest
from PIL import Image, ImageDraw

from athumb_storage import Thumb
from athumb_storage.rendering import render
from athumb_storage.rendering.encoding import encoded
from athumb_storage.specs import Variant
from tests.unit.rendering import decoded, psnr, quadrants, rendered, saved, thumb_of


def written(image, image_format, *, few_colours=False, **options):
    variant = Variant.of("thumb", Thumb(size=(9, 9), format=image_format, **options), image_format)
    return encoded(image, variant, few_colours=few_colours)


def noise(size=(200, 150)):
    return Image.effect_noise(size, 60).convert("RGB")


def gradient(size=(200, 150)):
    ramp = Image.linear_gradient("L").resize(size)
    return Image.merge("RGB", (ramp, ramp.rotate(180), ramp.rotate(90).resize(size)))


# Options


def test_formats_that_are_written_at_once_do_not_mix_up_their_options():
    output = io.BytesIO()
    noise((900, 600)).save(output, "PNG", compress_level=1)
    thumb = Thumb(size=(900, 600), format=("AVIF", "WEBP", "JPEG"), quality={"AVIF": 30, "WEBP": 60, "JPEG": 90})
    variants = [Variant.of("large", thumb, image_format) for image_format in ("AVIF", "WEBP", "JPEG")]

    def sizes_of(*wanted):
        return [len(done.data) for done in render(io.BytesIO(output.getvalue()), "PNG", wanted)]

    alone = [size for variant in variants for size in sizes_of(variant)]
    for _ in range(10):
        assert sizes_of(*variants) == alone


def test_a_jpeg_is_progressive_and_smaller_with_the_same_pixels():
    image = gradient()
    plain = saved(image, "JPEG", quality=85)
    data = written(image, "JPEG")
    assert decoded(data).info.get("progressive")
    assert len(data) < len(plain)
    assert decoded(data).tobytes() == decoded(plain).tobytes()


@pytest.mark.parametrize("quality", [85, 100])
@pytest.mark.parametrize("subsampling", ["4:2:0", "4:4:4"])
def test_a_jpeg_of_noise_is_written_although_pillows_buffer_is_too_small(quality, subsampling):
    size = (320, 240)
    image = Image.frombytes("RGB", size, random.Random(1).randbytes(size[0] * size[1] * 3))
    data = written(image, "JPEG", quality=quality, encoder={"subsampling": subsampling})
    assert decoded(data).tobytes() == decoded(saved(image, "JPEG", quality=quality, subsampling=subsampling)).tobytes()


def test_options_are_passed_on():
    assert "progressive" not in decoded(written(noise(), "JPEG", encoder={"progressive": False})).info
    sampling = {"4:4:4": 1, "4:2:0": 2}
    for word, factor in sampling.items():
        assert decoded(written(noise(), "JPEG", encoder={"subsampling": word})).layer[0][1] == factor


def test_a_lossless_webp_is_one():
    image = noise()
    assert decoded(written(image, "WEBP", encoder={"lossless": True})).tobytes() == image.tobytes()


def test_options_of_another_format_do_not_count():
    options = {"WEBP": {"lossless": True}, "JPEG": {"progressive": False}}
    variant = Variant.of("thumb", Thumb(size=(9, 9), encoder=options), "JPEG")
    assert "progressive" not in decoded(encoded(noise(), variant)).info


@pytest.mark.parametrize("image_format", ["JPEG", "WEBP", "AVIF"])
def test_a_quality_by_format_is_that_of_the_format(image_format):
    image = noise()
    sizes = {
        len(written(image, image_format, quality=quality))
        for quality in (30, {image_format: 30}, {"JPEG": 30, "WEBP": 30, "AVIF": 30})
    }
    assert len(sizes) == 1
    assert sizes.pop() < len(written(image, image_format))


def test_an_avif_is_smaller_than_a_jpeg_by_default():
    photo = gradient((400, 300)).effect_spread(3)
    assert len(written(photo, "AVIF")) < len(written(photo, "JPEG"))


# PNG


def logo(size=(96, 96)):
    """Three flat colours with soft edges, as programs for drawing write them."""
    image = Image.new("RGB", (size[0] * 4, size[1] * 4), "white")
    draw = ImageDraw.Draw(image)
    draw.ellipse((20, 20, size[0] * 3, size[1] * 3), "navy")
    draw.rectangle((size[0], size[1] * 2, size[0] * 3, size[1] * 4 - 10), "tomato")
    return image.resize(size, Image.Resampling.LANCZOS)


@pytest.mark.parametrize("count", [2, 4, 16])
def test_a_png_of_few_colours_has_a_palette_and_the_same_pixels(count):
    image = Image.new("RGB", (256, 64))
    for number in range(count):
        at = number * 256 // count
        image.paste((number, 255 - number, number * 7 % 256), (at, 0, (number + 1) * 256 // count, 64))
    data = written(image, "PNG")
    assert decoded(data).mode == "P"
    assert decoded(data).convert("RGB").tobytes() == image.tobytes()
    assert len(data) <= len(saved(image, "PNG"))


def test_a_png_without_colours_is_grey():
    image = Image.linear_gradient("L").convert("RGB")
    assert decoded(written(image, "PNG")).mode in ("L", "P")
    assert decoded(written(image, "PNG")).convert("RGB").tobytes() == image.tobytes()


@pytest.mark.parametrize("make", [noise, gradient, logo, quadrants])
@pytest.mark.parametrize("few_colours", [True, False])
def test_a_png_is_never_larger_than_a_plain_one(make, few_colours):
    image = make()
    assert len(written(image, "PNG", few_colours=few_colours)) <= len(saved(image, "PNG"))


def test_a_thumb_of_an_image_with_a_palette_has_one():
    original = saved(logo((900, 900)).quantize(64))
    thumb = thumb_of(original, size=(300, 300))
    assert thumb.mode == "P"
    true = decoded(original).convert("RGB").resize((300, 300), Image.Resampling.LANCZOS)
    assert psnr(thumb, true) > 38


def test_a_thumb_of_a_transparent_image_with_a_palette_has_one_too():
    image = logo((600, 600)).convert("RGBA")
    image.putalpha(Image.radial_gradient("L").resize((600, 600)).point([255 * (value < 150) for value in range(256)]))
    thumb = thumb_of(saved(image.quantize(32, Image.Quantize.FASTOCTREE)), size=(200, 200))
    assert thumb.mode == "P"
    assert {0, 255} <= set(thumb.convert("RGBA").getchannel("A").tobytes())


def test_a_photo_keeps_all_its_colours():
    photo = saved(gradient((600, 450)), "PNG")
    assert thumb_of(photo, size=(200, 150)).mode == "RGB"


# GIF


def soft_star():
    """A disc with a soft edge, on nothing, as a GIF of 256 colours with alpha cannot hold it."""
    big = Image.new("RGBA", (800, 800), (0, 0, 0, 0))
    ImageDraw.Draw(big).ellipse((80, 80, 720, 720), (240, 180, 30, 255))
    ImageDraw.Draw(big).ellipse((240, 240, 560, 560), (30, 90, 200, 255))
    return big.resize((200, 200), Image.Resampling.LANCZOS)


def on(image, background):
    ground = Image.new("RGBA", image.size, background)
    ground.alpha_composite(image.convert("RGBA"))
    return ground.convert("RGB")


def test_a_transparent_gif_is_transparent_where_the_original_is_and_has_no_fringes():
    original = soft_star()
    original.putalpha(original.getchannel("A").point([255 * (value > 127) for value in range(256)]))
    data = saved(original, "GIF")
    true = decoded(data).convert("RGBA").resize((90, 90), Image.Resampling.LANCZOS)
    thumb = thumb_of(data, "GIF", size=(90, 90))
    found = thumb.convert("RGBA")
    cut = true.getchannel("A").point([255 * (value >= 128) for value in range(256)])
    assert found.getchannel("A").tobytes() == cut.tobytes()
    true.putalpha(cut)
    for background in ("white", "grey", "black"):
        assert psnr(on(found, background), on(true, background)) > 35


def test_an_opaque_gif_has_a_good_palette():
    image = gradient()
    assert psnr(decoded(written(image, "GIF")), image) > 30


@pytest.mark.parametrize("alpha", [0, 255])
def test_a_gif_that_is_all_there_or_not_at_all(alpha):
    image = noise((20, 20)).convert("RGBA")
    image.putalpha(alpha)
    found = decoded(written(image, "GIF")).convert("RGBA").getchannel("A")
    assert set(found.tobytes()) == {alpha}


def test_all_formats_of_a_set_are_written_with_their_own_options():
    thumbs = {
        "jpeg": Thumb(size=(60, 40), format="JPEG", encoder={"subsampling": "4:4:4"}),
        "webp": Thumb(size=(60, 40), format="WEBP", encoder={"lossless": True}),
    }
    results = rendered(saved(quadrants((240, 160))), thumbs)
    assert decoded(results["jpeg"].data).layer[0][1] == 1
    assert b"VP8L" in results["webp"].data


def test_an_original_without_transparency_gives_thumbs_without_it():
    image = gradient().convert("RGBA")
    for image_format in ("PNG", "WEBP", "AVIF"):
        [thumb] = render(io.BytesIO(saved(image)), "PNG", [Variant.of("a", Thumb(size=(90, 90)), image_format)])
        assert decoded(thumb.data).mode == "RGB"
