"""Thumbs that move: in which formats, how long each frame stays, how often they are shown, and what they may cost."""

import io
import logging

import pytest
from PIL import Image

from athumb_storage.exceptions import ImageLimitExceeded, RenderingError
from athumb_storage.rendering import Limits, animation, frames, guard, render, scaling
from athumb_storage.specs import Thumb, Variant
from tests.unit.rendering import BLUE, LIME, RED, near, quadrants, rendered, saved
from tests.unit.rendering.animations import (
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
from tests.unit.rendering.test_frames import moving

FORMATS = ("GIF", "PNG", "WEBP", "AVIF")
SIZE = (80, 40)
SOLID = [(*colour, 255) for colour in (RED, LIME, BLUE)]


def original(format_, images, durations=(100, 50, 200), plays=3, disposal=0):
    """An animation of pictures that are as large as it is; `disposal` is 2 where each is cleared before the next."""
    size, timed = images[0].size, list(zip(images, durations, strict=True))
    cleared = disposal == 2
    if format_ == "GIF":
        told = [gif_frame(image, delay=lasts // 10, disposal=disposal) for image, lasts in timed]
        return gif(size, *told, repeats=None if plays == 1 else max(plays - 1, 0))
    if format_ == "PNG":
        return apng(size, *(png_frame(image, delay=(lasts, 1000)) for image, lasts in timed), plays=plays)
    if format_ == "WEBP":
        return webp(size, *(webp_frame(image, duration=lasts, cleared=cleared) for image, lasts in timed), plays=plays)
    options = {"quality": 95, "save_all": True, "append_images": images[1:], "duration": list(durations)}
    return playing(saved(images[0], "AVIF", **options), plays)


def playing(avif, plays):
    """The film, which is shown so many times by its edit list, or for ever."""
    if not plays:
        return avif
    track, edits = avif.index(b"tkhd") + 32, avif.index(b"elst") + 12
    whole = plays * int.from_bytes(avif[edits : edits + 8], "big")
    return avif[:track] + whole.to_bytes(8, "big") + avif[track + 8 :]


@pytest.mark.parametrize("target", FORMATS)
@pytest.mark.parametrize("source", FORMATS)
def test_an_animation_keeps_moving_in_every_format_that_can(source, target):
    data = moving(original(source, [piece(SIZE, colour) for colour in SOLID]), source, target, size=(40, 40))
    shown = frames_of(data)
    assert [image.size for image, _ in shown] == [(40, 20)] * 3
    assert [image.getpixel((20, 10)) for image, _ in shown] == [near(colour, 4) for colour in SOLID]
    assert durations_of(data) == [100, 50, 200]
    assert plays_of(data) == 3


@pytest.mark.parametrize("target", FORMATS)
@pytest.mark.parametrize("source", FORMATS)
def test_nothing_shines_through_where_a_frame_is_transparent(source, target):
    left, right = (0, 0, 40, 40), (40, 0, 80, 40)
    images = [piece(SIZE, RED, hole=right), piece(SIZE, BLUE, hole=left), piece(SIZE, LIME, hole=right)]
    data = moving(original(source, images, disposal=2), source, target, size=SIZE)
    assert [[image.getpixel(point)[3] for point in ((10, 20), (70, 20))] for image, _ in frames_of(data)] == [
        [255, 0],
        [0, 255],
        [255, 0],
    ]
    assert [image.getpixel((10, 20) if turn != 1 else (70, 20)) for turn, (image, _) in enumerate(frames_of(data))] == [
        near((*colour, 255), 4) for colour in (RED, BLUE, LIME)
    ]


@pytest.mark.parametrize("target", FORMATS)
@pytest.mark.parametrize("source", FORMATS)
@pytest.mark.parametrize("plays", [0, 1, 2])
def test_how_often_it_is_shown(source, target, plays):
    data = original(source, [piece(SIZE, colour) for colour in SOLID], plays=plays)
    assert plays_of(moving(data, source, target)) == plays


@pytest.mark.parametrize(("repeats", "plays"), [(None, 1), (0, 0), (1, 2), (65_535, 65_535)])
def test_a_gif_tells_how_often_it_is_shown_again(repeats, plays):
    data = gif(SIZE, *(gif_frame(piece(SIZE, colour)) for colour in SOLID), repeats=repeats)
    assert plays_of(moving(data, "GIF", "WEBP")) == plays


def test_a_number_of_plays_that_only_png_can_hold_is_cut():
    data = apng(SIZE, *(png_frame(piece(SIZE, colour)) for colour in SOLID), plays=2**32 - 1)
    assert {target: plays_of(moving(data, "PNG", target)) for target in FORMATS} == dict.fromkeys(FORMATS, 65_535)


def test_an_avif_without_an_edit_list_is_shown_for_ever_and_one_that_repeats_nothing_once():
    data = original("AVIF", [piece(SIZE, colour) for colour in SOLID], plays=0)
    box, edits = data.index(b"edts"), data.index(b"elst")
    assert plays_of(moving(data[:box] + b"free" + data[box + 4 :], "AVIF", "WEBP")) == 0
    assert plays_of(moving(data[: edits + 7] + b"\0" + data[edits + 8 :], "AVIF", "WEBP")) == 1


def shades(count):
    return [piece(SIZE, (10 * number, 200, 255 - 10 * number, 255)) for number in range(count)]


@pytest.mark.parametrize(
    ("target", "told", "lasts"),
    [
        ("GIF", [0, 10, 20, 50], [0, 10, 20, 50]),
        ("WEBP", [0, 1, 20, 50], [0, 1, 20, 50]),
        ("PNG", [0, 1, 20, 50], [0, 1, 20, 50]),
        ("AVIF", [0, 1, 20, 50], [1, 1, 20, 50]),  # which has no frames of no time
        ("GIF", [33, 33, 34, 33, 33, 34], [30, 40, 30, 30, 40, 30]),
        ("GIF", [15, 15, 40, 40], [20, 20, 30, 40]),  # 10 ms would be shown as 100 ms
        ("PNG", [70_001, 655_350, 655_349, 16_777_215], [70_000, 655_350, 655_350, 655_350]),
        ("GIF", [70_001, 655_350, 655_349, 16_777_215], [70_000, 655_350, 655_350, 655_350]),
        ("WEBP", [70_001, 655_350, 655_349, 16_777_215], [70_001, 655_350, 655_349, 655_350]),
    ],
)
def test_how_long_each_frame_is_shown(target, told, lasts):
    data = webp(SIZE, *(webp_frame(image, duration=ms) for image, ms in zip(shades(len(told)), told, strict=True)))
    assert durations_of(moving(data, "WEBP", target)) == lasts


def test_fractions_of_a_millisecond_do_not_add_up():
    data = apng(SIZE, *(png_frame(image, delay=(1, 30)) for image in shades(6)))
    assert durations_of(moving(data, "PNG", "WEBP")) == [33, 34, 33, 33, 34, 33]
    assert durations_of(moving(data, "PNG", "GIF")) == [30, 40, 30, 30, 40, 30]


def test_a_delay_of_a_png_without_a_denominator_is_in_hundredths():
    data = apng(SIZE, *(png_frame(image, delay=(5, 0)) for image in shades(2)))
    assert durations_of(moving(data, "PNG", "WEBP")) == [50, 50]


@pytest.mark.parametrize("target", FORMATS)
def test_frames_that_look_the_same_become_one_that_stays_as_long(target):
    images = [piece(SIZE, colour) for colour in (RED, RED, LIME, LIME, LIME)]
    data = original("WEBP", images, durations=(10, 20, 30, 40, 50))
    assert durations_of(moving(data, "WEBP", target)) == [30, 120]


@pytest.mark.parametrize("target", FORMATS)
def test_an_animation_in_which_nothing_moves_is_a_still_image(target):
    data = moving(original("WEBP", [piece(SIZE, RED)] * 3), "WEBP", target)
    assert [image.getpixel((5, 5)) for image, _ in frames_of(data)] == [near((*RED, 255), 4)]


def test_a_gif_holds_only_what_changes():
    noise = Image.effect_noise((200, 200), 90).convert("RGBA")
    images = [noise.copy() for _ in range(9)]
    for number, image in enumerate(images):
        image.paste(RED, (20 * number, 0, 20 * number + 20, 20))
    data = moving(original("WEBP", images, durations=[100] * 9), "WEBP", "GIF", size=(200, 200))
    one = moving(original("WEBP", images[:2], durations=[100] * 2), "WEBP", "GIF", size=(200, 200))
    assert len(data) < 1.3 * len(one)
    for number, (image, _) in enumerate(frames_of(data)):
        assert image.getpixel((20 * number + 10, 10)) == near((*RED, 255), 12)
        assert number == 0 or image.getpixel((20 * number - 10, 10)) != near((*RED, 255), 40)


@pytest.mark.parametrize("target", FORMATS)
def test_frames_are_cropped_and_scaled_as_a_still_image_is(target):
    images = [quadrants((80, 40)).convert("RGBA"), quadrants((80, 40)).rotate(180).convert("RGBA")]
    data = webp(SIZE, *map(webp_frame, images))
    options = {"size": (10, 20), "crop": "right", "quality": 95 if target in ("WEBP", "AVIF") else None}
    for number, (image, _) in enumerate(frames_of(moving(data, "WEBP", target, **options))):
        still = rendered(saved(images[number]), {"thumb": Thumb(format="PNG", **options)})["thumb"]
        expected = Image.open(io.BytesIO(still.data)).convert("RGBA")
        points = [(2, 4), (7, 4), (2, 15), (7, 15)]
        assert [image.getpixel(point) for point in points] == [near(expected.getpixel(point), 8) for point in points]


# What stands still


GIF_OF_THREE = original("GIF", [piece(SIZE, colour) for colour in SOLID])


@pytest.mark.parametrize("target", [*FORMATS, "JPEG"])
def test_a_thumb_that_is_not_asked_to_move_is_the_first_frame(target):
    [image] = [image for image, _ in frames_of(rendered(GIF_OF_THREE, {"t": Thumb(size=SIZE)}, target)["t"].data)]
    assert image.getpixel((5, 5)) == near((*RED, 255), 4)


@pytest.mark.parametrize("target", [*FORMATS, "JPEG"])
@pytest.mark.parametrize("source", [*FORMATS, "JPEG", "TIFF", "BMP"])
def test_a_still_image_is_as_without_the_option(source, target, caplog):
    caplog.set_level(logging.INFO, "athumb_storage")
    data = saved(quadrants(), source)
    still, animated = (
        rendered(data, {"thumb": Thumb(size=(60, 60), animated=animated)}, target)["thumb"].data
        for animated in (False, True)
    )
    assert still == animated
    assert caplog.records == []


def test_it_is_told_that_a_format_cannot_move(caplog):
    caplog.set_level(logging.INFO, "athumb_storage")
    thumbs = {
        "still": Thumb(size=SIZE, format="JPEG"),
        "large": Thumb(size=SIZE, format="JPEG", animated=True),
        "small": Thumb(size=(20, 20), format="WEBP", animated=True),
    }
    found = rendered(GIF_OF_THREE, thumbs)
    assert [len(frames_of(found[name].data)) for name in thumbs] == [1, 1, 3]
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", "Thumb 'large' stands still: JPEG cannot move")
    ]


# Limits


def limited(data, thumbs, **limits):
    variants = [Variant.of(name, thumb, thumb.format) for name, thumb in thumbs.items()]
    found = render(io.BytesIO(data), "GIF", variants, Limits(**limits))
    return {result.variant.thumb_name: len(frames_of(result.data)) for result in found}


STILL, LARGE = Thumb(size=SIZE, format="GIF"), Thumb(size=SIZE, format="GIF", animated=True)
SMALL = Thumb(size=(20, 20), format="WEBP", animated=True)


def test_an_animation_of_too_many_frames_is_refused_where_a_thumb_wants_them_all():
    with pytest.raises(ImageLimitExceeded, match=r"3 frames, more than the 2 .*\(max_frames\)"):
        limited(GIF_OF_THREE, {"still": STILL, "large": LARGE}, max_frames=2)
    assert limited(GIF_OF_THREE, {"still": STILL}, max_frames=2) == {"still": 1}
    jpeg = Thumb(size=SIZE, format="JPEG", animated=True)
    assert limited(GIF_OF_THREE, {"jpeg": jpeg}, max_frames=2) == {"jpeg": 1}
    for most in (3, None):
        assert limited(GIF_OF_THREE, {"large": LARGE}, max_frames=most) == {"large": 3}


def test_an_animation_of_too_many_pixels_stands_still(caplog):
    thumbs = {"still": STILL, "large": LARGE, "small": SMALL}
    pixels = 3 * (80 * 40 + 80 * 40 + 20 * 10)
    assert limited(GIF_OF_THREE, thumbs, max_animation_pixels=pixels) == {"still": 1, "large": 3, "small": 3}
    assert caplog.records == []
    assert limited(GIF_OF_THREE, thumbs, max_animation_pixels=pixels - 1) == {"still": 1, "large": 1, "small": 1}
    [record] = caplog.records
    assert (record.name, record.levelname) == ("athumb_storage", "WARNING")
    assert record.getMessage() == (
        "Thumbs 'large', 'small' stand still: 3 frames come to 19800 pixels, more than the 19799 that are allowed "
        "(max_animation_pixels)"
    )
    assert limited(GIF_OF_THREE, thumbs, max_animation_pixels=None) == {"still": 1, "large": 3, "small": 3}


def test_frames_out_of_the_canvas_count_as_what_they_are(caplog):
    data = gif((1, 1), gif_frame(piece((1, 1), RED)), gif_frame(piece((200, 200), LIME)))
    assert limited(data, {"large": LARGE}, max_animation_pixels=40_000) == {"large": 1}
    assert "max_animation_pixels" in caplog.text


@pytest.mark.parametrize("step", [(frames, "open_image"), (scaling, "_resized"), (animation, "_gif")])
def test_what_each_frame_takes_counts(monkeypatch, step):
    module, name = step
    now = [0.0]
    monkeypatch.setattr(guard, "thread_time", lambda: now[0])

    def slowly(*args, **options):
        now[0] += 1
        return done(*args, **options)

    done = getattr(module, name)
    monkeypatch.setattr(module, name, slowly)
    monkeypatch.setitem(animation._WRITERS, "GIF", animation._gif)
    times = 1 if name == "_gif" else 3
    assert limited(GIF_OF_THREE, {"large": LARGE}, time_budget=times) == {"large": 3}
    with pytest.raises(ImageLimitExceeded, match="time_budget"):
        limited(GIF_OF_THREE, {"large": LARGE}, time_budget=times - 0.5)


def test_all_thumbs_are_made_of_frames_that_are_decoded_once(monkeypatch):
    opened = []
    done = frames.open_image
    monkeypatch.setattr(frames, "open_image", lambda *args: opened.append(1) or done(*args))
    assert limited(GIF_OF_THREE, {"large": LARGE, "small": SMALL}) == {"large": 3, "small": 3}
    assert len(opened) == 3


def test_what_is_held_at_once_counts_among_the_pixels_in_flight(monkeypatch):
    held = []
    done = guard.PixelsInFlight.hold
    monkeypatch.setattr(
        guard.PixelsInFlight, "hold", lambda self, pixels, most: held.append(pixels) or done(self, pixels, most)
    )
    limited(GIF_OF_THREE, {"still": STILL, "large": LARGE, "small": SMALL})
    assert held == [3 * 80 * 40 + 3 * (80 * 40 + 20 * 10), 80 * 40]


def test_an_encoder_that_fails_is_told_with_the_thumb(monkeypatch):
    monkeypatch.setattr(animation, "written", lambda *_: 1 / 0)
    with pytest.raises(RenderingError, match="thumb 'large' cannot be encoded as GIF"):
        limited(GIF_OF_THREE, {"large": LARGE})


def test_a_hole_in_the_first_frame_stays_one():
    data = gif(SIZE, gif_frame(piece(SIZE, RED, hole=(0, 0, 40, 40))), gif_frame(piece((9, 9), LIME), (60, 0)))
    assert [image.getpixel((10, 20))[3] for image, _ in frames_of(moving(data, "GIF", "GIF", size=SIZE))] == [0, 0]
