"""What is to be seen of an animation: frames that are parts of the canvas, and what becomes of them.

What is expected is what browsers show. ImageMagick (`-coalesce`) and libvips show the same of GIF, libvips of WebP,
ffmpeg of PNG and AVIF.
"""

import io
import struct

import pytest
from PIL import Image

from athumb_storage.exceptions import ImageLimitExceeded, UploadedImageIsUnreadableError
from athumb_storage.rendering import Limits, render
from athumb_storage.rendering.containers import tiff
from athumb_storage.specs import Thumb, Variant
from tests.conftest import PHOTOS
from tests.hostile.builder import patched, png_chunk, riff_chunk
from tests.unit.rendering import BLUE, CORNERS, LIME, RED, TURNED, corners_of, near, quadrants, saved
from tests.unit.rendering.animations import (
    NOTHING,
    apng,
    durations_of,
    frames_of,
    gif,
    gif_frame,
    piece,
    plays_of,
    png_frame,
    webp,
    webp_frame,
)
from tests.unit.rendering.test_av1 import sequence, unit
from tests.unit.rendering.test_colours import WIDE, wide_in_srgb

SIZE = (40, 20)
LEFT, MIDDLE, RIGHT = (5, 10), (15, 10), (35, 15)
SOLID = {colour: (*colour, 255) for colour in (RED, LIME, BLUE)}


def moving(data, format_, target="PNG", size=SIZE, limits=None, **options):
    """The bytes of a thumb that moves."""
    variant = Variant.of("thumb", Thumb(size=size, animated=True, **options), target)
    [result] = render(io.BytesIO(data), format_, [variant], limits or Limits())
    assert result.variant == variant
    assert result.size == Image.open(io.BytesIO(result.data)).size
    return result.data


def seen(data, format_, *points):
    """The colours at these points, frame by frame."""
    shown = [image for image, _ in frames_of(moving(data, format_))]
    return [[image.getpixel(point) for point in points] for image in shown]


def scene_of_gif(disposal, first=None):
    return gif(
        SIZE,
        gif_frame(piece(SIZE, RED), disposal=first),
        gif_frame(piece((10, 20), LIME), (10, 0), disposal=disposal),
        gif_frame(piece((10, 10), BLUE), (30, 10)),
    )


KEPT, CLEARED, RESTORED = SOLID[LIME], NOTHING, SOLID[RED]


@pytest.mark.parametrize(
    ("disposal", "left"),
    [(None, KEPT), (0, KEPT), (1, KEPT), (2, CLEARED), (3, RESTORED), (4, RESTORED), (5, KEPT), (7, KEPT)],
)
def test_the_disposal_of_a_frame_of_a_gif(disposal, left):
    found = seen(scene_of_gif(disposal), "GIF", LEFT, MIDDLE, RIGHT)
    red, lime, blue = SOLID.values()
    assert found == [[red, red, red], [red, lime, red], [red, left, blue]]


def test_a_disposal_of_a_gif_holds_for_one_frame():
    assert seen(scene_of_gif(None, first=2), "GIF", LEFT, MIDDLE, RIGHT)[1:] == [
        [NOTHING, SOLID[LIME], NOTHING],
        [NOTHING, SOLID[LIME], SOLID[BLUE]],
    ]


def test_before_the_first_frame_of_a_gif_there_was_nothing():
    assert seen(scene_of_gif(1, first=3), "GIF", LEFT)[1] == [NOTHING]


def test_what_is_transparent_in_a_frame_of_a_gif_shows_what_is_there():
    hole = (0, 0, 10, 20)
    data = gif(SIZE, gif_frame(piece(SIZE, RED)), gif_frame(piece((30, 20), LIME, hole), (10, 0)))
    assert seen(data, "GIF", MIDDLE, RIGHT)[1] == [SOLID[RED], SOLID[LIME]]


def test_a_first_frame_need_not_cover_the_canvas_of_a_gif():
    data = gif(SIZE, gif_frame(piece((10, 20), RED)), gif_frame(piece((10, 20), LIME), (10, 0)))
    red, lime, _ = SOLID.values()
    assert seen(data, "GIF", LEFT, MIDDLE, RIGHT) == [[red, NOTHING, NOTHING], [red, lime, NOTHING]]


def test_a_canvas_grows_for_the_first_frame_of_a_gif_alone():
    data = gif((10, 10), gif_frame(piece(SIZE, RED)), gif_frame(piece((30, 90), LIME), (20, 0)))
    red, lime, _ = SOLID.values()
    assert seen(data, "GIF", LEFT, RIGHT) == [[red, red], [red, lime]]


def test_a_frame_of_a_gif_may_lie_out_of_the_canvas():
    data = gif(SIZE, gif_frame(piece(SIZE, RED)), gif_frame(piece((9, 9), LIME), (50, 50)))
    assert seen(data, "GIF", LEFT) == [[SOLID[RED]]]


def test_the_palette_of_a_frame_of_a_gif_is_its_own():
    first, second = piece(SIZE, (10, 20, 30, 255)), piece(SIZE, (30, 20, 10, 255))
    data = saved(first.quantize(4), "GIF", save_all=True, append_images=[second.quantize(4)], duration=50)
    assert seen(data, "GIF", LEFT) == [[(10, 20, 30, 255)], [(30, 20, 10, 255)]]


HALF = (*LIME, 128)


@pytest.mark.parametrize(("blending", "middle"), [(0, HALF), (1, (127, 128, 0, 255))])
@pytest.mark.parametrize("disposal", [0, 1, 2])
def test_the_disposal_and_the_blending_of_a_frame_of_a_png(disposal, blending, middle):
    data = apng(
        SIZE,
        png_frame(piece(SIZE, RED)),
        png_frame(piece((10, 20), HALF), (10, 0), disposal=disposal, blending=blending),
        png_frame(piece((10, 10), BLUE), (30, 10)),
    )
    red, _, blue = SOLID.values()
    left = [middle, NOTHING, red][disposal]
    shown = seen(data, "PNG", LEFT, MIDDLE, RIGHT)
    assert shown == [[red, red, red], [red, near(middle, 1), red], [red, near(left, 1), blue]]


def test_a_picture_for_those_who_know_no_animations_is_not_shown():
    frames = png_frame(piece((10, 20), LIME), (10, 0)), png_frame(piece(SIZE, BLUE))
    data = apng(SIZE, *frames, default=piece(SIZE, RED))
    assert seen(data, "PNG", LEFT, MIDDLE) == [[NOTHING, SOLID[LIME]], [SOLID[BLUE], SOLID[BLUE]]]


@pytest.mark.parametrize(("promised", "shown"), [(0, None), (1, None), (2, 2), (3, 3), (9, 3), (2**31 - 1, 3)])
def test_a_png_shows_no_more_frames_than_it_promises_and_has(promised, shown):
    frames = [png_frame(piece(SIZE, colour)) for colour in SOLID]
    data = moving(apng(SIZE, *frames, promised=promised), "PNG")
    assert len(frames_of(data)) == (shown or 1)
    assert (b"acTL" in data) == (shown is not None)


@pytest.mark.parametrize(("over", "middle"), [(False, HALF), (True, (127, 128, 0, 255))])
@pytest.mark.parametrize("cleared", [False, True])
def test_the_disposal_and_the_blending_of_a_frame_of_a_webp(cleared, over, middle):
    data = webp(
        SIZE,
        webp_frame(piece(SIZE, RED)),
        webp_frame(piece((10, 20), HALF), (10, 0), cleared=cleared, over=over),
        webp_frame(piece((10, 10), BLUE), (30, 10)),
    )
    red, _, blue = SOLID.values()
    left = NOTHING if cleared else middle
    shown = seen(data, "WEBP", LEFT, MIDDLE, RIGHT)
    assert shown == [[red, red, red], [red, near(middle, 1), red], [red, near(left, 1), blue]]


def test_the_transparency_of_an_avif():
    frames = [piece((80, 40), colour, hole=(0, 0, 40, 40)) for colour in SOLID]
    data = saved(frames[0], "AVIF", quality=95, save_all=True, append_images=frames[1:], duration=[10, 20, 30])
    shown = frames_of(moving(data, "AVIF", size=(80, 40)))
    assert [image.getpixel((10, 20))[3] for image, _ in shown] == [0, 0, 0]
    assert [image.getpixel((60, 20)) for image, _ in shown] == [near(colour, 4) for colour in SOLID.values()]
    assert [duration for _, duration in shown] == [10, 20, 30]


STAR = (255, 238, 170, 255)


@pytest.mark.parametrize(
    ("name", "points", "expected", "lasts", "plays"),
    [
        (
            "motion-star.gif",
            [(79, 79), (79, 20), (20, 79), (120, 120), (79, 140), (40, 40)],
            [
                [STAR, STAR, NOTHING, STAR, NOTHING, NOTHING],
                [STAR, NOTHING, NOTHING, NOTHING, NOTHING, STAR],
                [STAR, NOTHING, NOTHING, NOTHING, STAR, STAR],
                [STAR, NOTHING, STAR, STAR, NOTHING, NOTHING],
            ],
            [100, 100, 100, 100],
            0,
        ),
        (
            "motion.avif",
            [(75, 75)],
            [[(0, 0, 0, 255)], [(0, 0, 252, 255)], [(0, 125, 0, 255)], [(252, 0, 1, 255)], [(252, 252, 0, 255)]],
            [33, 33, 34, 33, 33],
            1,
        ),
    ],
)
def test_animations_of_others(name, points, expected, lasts, plays):
    path = PHOTOS / "formats" / name
    if not path.exists():
        pytest.skip(f"the sample {name} is not there")
    side = 159 if name.endswith("gif") else 150
    data = moving(path.read_bytes(), name.rpartition(".")[2].upper(), size=(side, side))
    shown = [[image.getpixel(point) for point in points] for image, _ in frames_of(data)]
    assert shown == [[near(colour, 3) for colour in frame] for frame in expected]
    assert (durations_of(data), plays_of(data)) == (lasts, plays)


def originals_turned(orientation, frames):
    """The frames as files that say so."""
    size, exif = frames[0].size, tiff.only_orientation(orientation)
    yield "WEBP", webp(size, *map(webp_frame, frames), flags=8, after=riff_chunk(b"EXIF", exif))
    yield "PNG", apng(size, *map(png_frame, frames), before=png_chunk(b"eXIf", exif))
    if orientation == 8:
        # Pillow crashes where it is to write a film that is turned, so its track is told to be, instead of its colours.
        plain = [frame.convert("RGB") for frame in frames]
        film = saved(plain[0], "AVIF", save_all=True, append_images=plain[1:], duration=100, quality=95)
        boxes = struct.pack(">I4sB", 9, b"irot", 1) + struct.pack(">I4s2x", 10, b"free")
        yield "AVIF", patched(film, film.rindex(b"colr") - 4, boxes)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_frames_are_turned_as_a_still_image_is(orientation):
    upright = quadrants()
    inverted = upright.point(lambda value: 255 - value)
    frames = [TURNED[orientation](image).convert("RGBA") for image in (upright, inverted)]
    for format_, data in originals_turned(orientation, frames):
        first, second = (image for image, _ in frames_of(moving(data, format_, size=(120, 80))))
        assert first.size == (120, 80), format_
        assert corners_of(first) == [near(colour) for colour in CORNERS], format_
        assert corners_of(second) == [near([255 - band for band in colour]) for colour in CORNERS], format_


def test_the_colours_of_each_frame_are_converted_to_srgb():
    colours = (200, 100, 100), (60, 160, 90)
    frames = [webp_frame(piece(SIZE, (*colour, 255))) for colour in colours]
    data = webp(SIZE, *frames, flags=0x20, before=riff_chunk(b"ICCP", WIDE))
    assert [frame for [frame] in seen(data, "WEBP", LEFT)] == [
        near((*wide_in_srgb(colour), 255), 4) for colour in colours
    ]


ANIMATIONS = {
    "GIF": lambda: gif(SIZE, *(gif_frame(piece(SIZE, colour)) for colour in SOLID), before=b"!\xfe\x06SECRET\0"),
    "PNG": lambda: apng(
        SIZE, *(png_frame(piece(SIZE, colour)) for colour in SOLID), before=png_chunk(b"tEXt", b"Comment\0SECRET")
    ),
    "WEBP": lambda: webp(
        SIZE, *(webp_frame(piece(SIZE, colour)) for colour in SOLID), after=riff_chunk(b"XMP ", b"SECRET"), flags=4
    ),
    "AVIF": lambda: saved(
        piece((80, 40), RED),
        "AVIF",
        save_all=True,
        append_images=[piece((80, 40), LIME), piece((80, 40), BLUE)],
        duration=100,
        exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0SECRET",
    ),
}


@pytest.mark.parametrize("format_", ANIMATIONS)
def test_the_decoder_gets_no_metadata(format_, monkeypatch):
    opened = []

    def watched(file, **options):
        image = original(file, **options)
        opened.append(image.info)
        return image

    original = Image.open
    monkeypatch.setattr(Image, "open", watched)
    data = ANIMATIONS[format_]()
    assert b"SECRET" in data
    assert b"SECRET" not in moving(data, format_)
    assert opened
    assert not {"comment", "Comment", "exif", "xmp"} & {key for info in opened for key in info}


@pytest.mark.parametrize("format_", ANIMATIONS)
@pytest.mark.parametrize("percent", [40, 80, 95])
def test_an_animation_that_is_cut_off_is_refused(format_, percent):
    data = ANIMATIONS[format_]().replace(b";", b"") if format_ == "GIF" else ANIMATIONS[format_]()
    with pytest.raises(UploadedImageIsUnreadableError):
        moving(data[: len(data) * percent // 100], format_)


def test_a_gif_without_its_last_byte_is_whole():
    assert len(frames_of(moving(ANIMATIONS["GIF"]()[:-1], "GIF"))) == 3


CUT_OFF = {
    "GIF": gif(SIZE, gif_frame(piece(SIZE, RED)))[:-1] + b"!\xfe\x09cut off",
    "PNG": saved(quadrants(SIZE), "PNG")[:-12],
    "PNG of one frame": apng(SIZE, png_frame(piece(SIZE, RED)))[:-12],
}


@pytest.mark.parametrize("label", CUT_OFF)
def test_a_still_image_that_lacks_its_end_is_as_without_the_option(label):
    data, format_ = CUT_OFF[label], label.partition(" ")[0]
    still = render(io.BytesIO(data), format_, [Variant.of("thumb", Thumb(size=SIZE), "PNG")])[0].data
    assert moving(data, format_) == still


def test_a_frame_of_another_size_than_it_says_is_refused():
    data = ANIMATIONS["WEBP"]()
    at_width = data.rindex(b"ANMF") + 8 + 6
    with pytest.raises(UploadedImageIsUnreadableError):
        moving(patched(data, at_width, (29).to_bytes(3, "little")), "WEBP")


@pytest.mark.parametrize(
    ("format_", "data"),
    [
        ("GIF", gif(SIZE, gif_frame(piece(SIZE, RED)), gif_frame(piece((90, 90), LIME)))),
        ("PNG", apng(SIZE, png_frame(piece(SIZE, RED)), png_frame(piece((90, 90), LIME)))),
        ("WEBP", webp(SIZE, webp_frame(piece(SIZE, RED)), webp_frame(piece((90, 90), LIME)))),
    ],
)
def test_the_pixels_of_each_frame_are_limited(format_, data):
    with pytest.raises(ImageLimitExceeded, match=r"8100 pixels, more than the 8000 .*\(max_pixels\)"):
        moving(data, format_, limits=Limits(max_pixels=8000))
    assert frames_of(moving(data, format_, limits=Limits(max_pixels=8100)))


def test_the_pixels_of_a_frame_of_an_avif_are_limited_by_what_it_tells_itself():
    noise = [Image.effect_noise((80, 40), 90).convert("RGB") for _ in range(2)]
    data = saved(noise[0], "AVIF", save_all=True, append_images=noise[1:], duration=100, speed=10)
    sizes = data.index(b"stsz") + 16
    first = int.from_bytes(data[sizes : sizes + 4], "big")
    start = int.from_bytes(data[data.index(b"stco") + 12 :][:4], "big")
    header = unit(sequence((4000, 3000), reduced=True))
    data = patched(data, start + first, header)
    with pytest.raises(ImageLimitExceeded, match=r"12000000 pixels, .*\(max_pixels\)"):
        moving(data, "AVIF", limits=Limits(max_pixels=1_000_000))
