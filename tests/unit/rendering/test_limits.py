"""What an image may ask of the server: told before it is decoded, whatever else is in the file."""

import io
import struct
import threading
import time
import warnings
from contextlib import suppress
from functools import partial
from itertools import count
from time import thread_time

import pytest
from PIL import Image

from athumb_storage import ImageLimitExceeded, Thumb, UploadedImageIsUnreadableError
from athumb_storage.formats import HEAD_SIZE, sniff
from athumb_storage.rendering import Limits, engine, opening, render, scaling, shown_size, verify_decodable
from athumb_storage.rendering.guard import ProcessorTime
from athumb_storage.specs import Variant
from tests.hostile.builder import (
    after_soi,
    avif_of_size,
    bmp,
    gif,
    gif_frame,
    ifd,
    jpeg_of_size,
    jpeg_segment,
    packed_chunk,
    png,
    png_chunk,
    riff,
    riff_chunk,
    tiff_of,
    tiff_page,
    webp_canvas,
    webp_frame,
    with_scans,
)
from tests.unit.rendering import quadrants, saved

FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "AVIF", "BMP", "TIFF")
ANIMATED = ("PNG", "GIF", "WEBP", "AVIF", "TIFF")
MIB = 1024**2

SMALL = saved(Image.new("RGB", (64, 64), "red"), "JPEG")
GREY = saved(Image.new("L", (64, 64), 90), "PNG")
WEBP = saved(Image.new("RGB", (64, 64), "red"), "WEBP", lossless=True)
AVIF = saved(Image.new("RGB", (64, 64), "red"), "AVIF")


def format_of(data):
    return sniff(data[:HEAD_SIZE])


def rendered(data, **limits):
    orders = [Variant.of("thumb", Thumb(size=(20, 20)), "PNG")]
    return list(render(io.BytesIO(data), format_of(data), orders, Limits(**limits)))


def checked(data, **limits):
    return verify_decodable(io.BytesIO(data), format_of(data), Limits(**limits))


DOORS = pytest.mark.parametrize("door", [rendered, checked])


def animation(format_, frames=5, size=(30, 20)):
    pictures = [Image.new("RGB", size, (40 * number, 0, 255 - 40 * number)) for number in range(frames)]
    return saved(pictures[0], format_, save_all=True, append_images=pictures[1:])


# The options


@pytest.mark.parametrize("option", ["max_pixels", "max_frames", "max_animation_pixels", "max_bytes", "time_budget"])
@pytest.mark.parametrize("value", [0, -1, "10", True, float("nan"), float("inf"), [1]])
def test_a_wrong_limit_is_named(option, value):
    with pytest.raises(ValueError, match=option):
        Limits(**{option: value})


@pytest.mark.parametrize("option", ["max_pixels", "max_frames", "max_animation_pixels", "max_bytes"])
def test_only_time_may_be_a_fraction(option):
    assert Limits(time_budget=0.5).time_budget == 0.5
    with pytest.raises(ValueError, match=option):
        Limits(**{option: 2.5})


def test_limits_are_values():
    assert Limits() == Limits(
        max_pixels=89_478_485, max_frames=1000, max_animation_pixels=100_000_000, max_bytes=64 * MIB, time_budget=30.0
    )
    assert Limits(max_frames=None) != Limits()
    with pytest.raises(AttributeError):
        Limits().max_pixels = 5


# At the limit and one above it


@DOORS
@pytest.mark.parametrize("format_", FORMATS)
def test_pixels_up_to_the_limit(door, format_):
    data = saved(quadrants((60, 40)), format_)
    assert door(data, max_pixels=2400)
    with pytest.raises(ImageLimitExceeded, match=r"^The image has 2400 pixels, more than the 2399 .*\(max_pixels\)$"):
        door(data, max_pixels=2399)


@DOORS
@pytest.mark.parametrize("format_", FORMATS)
def test_bytes_up_to_the_limit(door, format_):
    data = saved(quadrants((60, 40)), format_)
    assert door(data, max_bytes=len(data))
    with pytest.raises(ImageLimitExceeded, match=rf"{len(data)} bytes, more than the {len(data) - 1} .*\(max_bytes\)"):
        door(data, max_bytes=len(data) - 1)


@DOORS
@pytest.mark.parametrize("format_", ANIMATED)
def test_frames_that_are_not_decoded_do_not_count(door, format_):
    data = animation(format_)
    assert door(data, max_frames=1, max_pixels=600)
    with pytest.raises(ImageLimitExceeded, match="max_pixels"):
        door(data, max_pixels=599)


@DOORS
def test_the_canvas_of_an_animation_counts_even_if_its_first_frame_is_small(door):
    for data in (
        gif(60, 40, gif_frame()),
        riff(webp_canvas(60, 40, 2), riff_chunk(b"ANIM", bytes(6)), webp_frame(WEBP[12:], 64, 64)),
    ):
        assert door(data, max_pixels=64 * 64)
        with pytest.raises(ImageLimitExceeded, match="max_pixels"):
            door(data, max_pixels=2399)


@DOORS
def test_a_jpeg_of_several_pictures_is_one_frame(door):
    pictures = [Image.new("RGB", (30, 20), colour) for colour in ("red", "lime", "blue")]
    data = saved(pictures[0], "MPO", save_all=True, append_images=pictures[1:])
    assert Image.open(io.BytesIO(data)).n_frames == 3
    assert door(data, max_frames=1, max_pixels=600)


@DOORS
@pytest.mark.parametrize("format_", FORMATS)
def test_no_limits(door, format_):
    none = dict.fromkeys(("max_pixels", "max_frames", "max_bytes", "time_budget"))
    assert door(saved(quadrants((60, 40)), format_), **none)


@DOORS
@pytest.mark.parametrize("format_", FORMATS)
def test_time_is_over(door, format_):
    with pytest.raises(ImageLimitExceeded, match=r"1e-09 seconds .*\(time_budget\)"):
        door(saved(quadrants((60, 40)), format_), time_budget=1e-9)


@pytest.fixture
def clock(monkeypatch):
    """The processor time of this thread, as it is told: a second more each time that somebody looks."""
    seconds = count()
    monkeypatch.setattr("athumb_storage.rendering.guard.thread_time", lambda: next(seconds))


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.usefixtures("clock")
def test_reading_stops_when_time_is_over(format_):
    reader = io.BytesIO(saved(quadrants((600, 400)), format_))
    verify_decodable(reader, format_, Limits(time_budget=1000))
    with pytest.raises(ImageLimitExceeded, match="time_budget"):
        verify_decodable(reader, format_, Limits(time_budget=1))


@pytest.mark.parametrize(("room", "step"), [(scaling, "_resized"), (engine, "encoded")])
def test_time_may_be_over_between_the_steps(monkeypatch, room, step):
    original = getattr(room, step)

    def slowly(*args, **options):
        monkeypatch.setattr("athumb_storage.rendering.guard.thread_time", lambda: thread_time() + 100)
        return original(*args, **options)

    monkeypatch.setattr(room, step, slowly)
    orders = [Variant.of("thumb", Thumb(size=(20, 20)), "JPEG")]
    with pytest.raises(ImageLimitExceeded, match="time_budget"):
        render(io.BytesIO(GREY), "PNG", orders, Limits(time_budget=30))


class Waiting(io.BytesIO):
    """A file of which each read takes a while, without any work."""

    def read(self, size=-1):
        time.sleep(0.05)
        return super().read(size)


def test_to_wait_costs_nothing_of_the_time_budget():
    data = saved(quadrants((600, 400)), "PNG")
    orders = [Variant.of("thumb", Thumb(size=(20, 20)), "PNG")]
    started = time.monotonic()
    assert render(Waiting(data), "PNG", orders, Limits(time_budget=0.1))
    assert time.monotonic() - started > 0.1


def test_what_other_threads_work_on_costs_nothing_of_the_time_budget():
    spent = ProcessorTime(0.5)
    busy = threading.Thread(target=_burn, args=(0.7,))
    with spent.counted():
        busy.start()
        busy.join()
    spent.check()


def test_the_time_of_all_threads_that_work_on_an_image_counts():
    spent = ProcessorTime(0.5)

    def work():
        with suppress(ImageLimitExceeded), spent.counted():
            _burn(0.3)

    for thread in (threads := [threading.Thread(target=work) for _ in range(2)]):
        thread.start()
    for thread in threads:
        thread.join()
    with pytest.raises(ImageLimitExceeded, match="time_budget"):
        spent.check()


def _burn(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def test_an_error_can_be_told_with_the_name_of_the_file():
    with pytest.raises(ImageLimitExceeded) as caught:
        checked(GREY, max_pixels=1)
    again = type(caught.value)(f"'cat.png': {caught.value}")
    assert "cat.png" in str(again)
    assert isinstance(again, UploadedImageIsUnreadableError)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("format_", ["JPEG", "PNG", "BMP"])
def test_a_size_is_told_without_a_limit_of_pixels(format_):
    size = (12_000, 9_000)
    make = {"JPEG": partial(jpeg_of_size, SMALL), "PNG": partial(png, pixels=b""), "BMP": bmp}[format_]
    assert shown_size(io.BytesIO(make(*size))) == size


# Pillow's own limit


@DOORS
def test_pillows_own_limit_counts_where_it_is_lower(door, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(ImageLimitExceeded, match="MAX_IMAGE_PIXELS"):
        door(GREY)


@DOORS
def test_a_warning_of_pillows_that_is_an_error(door, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 64 * 64 - 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ImageLimitExceeded, match="MAX_IMAGE_PIXELS"):
            door(GREY)


def test_pillow_warns_of_nothing_that_is_over_our_limit():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for data in (
            png(10_000, 10_000, pixels=b""),
            jpeg_of_size(SMALL, 10_000, 10_000),
            avif_of_size(AVIF, 10_000, 10_000),
        ):
            with pytest.raises(ImageLimitExceeded):
                checked(data)
    assert not caught


# check


@pytest.mark.parametrize("format_", FORMATS)
def test_a_checked_image_is_fresh_and_its_reader_rewound(format_):
    reader = io.BytesIO(saved(quadrants((60, 40)), format_))
    reader.seek(7)
    image = verify_decodable(reader, format_)
    assert reader.tell() == 0
    assert not reader.closed
    assert (image.format, image.size) == (format_, (60, 40))
    assert image.convert("RGB").getpixel((5, 5))[0] > 240


@pytest.mark.parametrize("format_", FORMATS)
def test_a_truncated_image_does_not_pass(format_):
    data = saved(quadrants((600, 400)).effect_spread(20), format_)
    with pytest.raises(UploadedImageIsUnreadableError, match="The image cannot be read"):
        verify_decodable(io.BytesIO(data[: len(data) // 2]), format_)


def test_a_jpeg_is_checked_at_a_fraction_of_its_size(monkeypatch):
    sizes = []
    scalable = opening.scalable

    def watched(image, *args):
        sizes.append(image.size)
        return scalable(image, *args)

    monkeypatch.setattr(opening, "scalable", watched)
    verify_decodable(io.BytesIO(saved(quadrants((803, 407)), "JPEG")), "JPEG")
    assert sizes == [(101, 51)]


@pytest.mark.parametrize("error", [struct.error, IndexError, SyntaxError, OverflowError, RecursionError, UserWarning])
@pytest.mark.parametrize("step", ["PIL.Image.open", "athumb_storage.rendering.opening.scalable"])
def test_whatever_pillow_raises_means_that_the_image_is_unreadable(monkeypatch, step, error):
    def fail(*_, **__):
        raise error("hostile")

    monkeypatch.setattr(step, fail)
    with pytest.raises(UploadedImageIsUnreadableError, match="The image cannot be read: hostile"):
        checked(GREY)


def test_running_out_of_memory_is_not_the_images_fault(monkeypatch):
    def fail(*_):
        raise MemoryError

    monkeypatch.setattr("athumb_storage.rendering.opening.scalable", fail)
    with pytest.raises(MemoryError):
        checked(GREY)


# Orientation, read from the EXIF data by hand


def exif_of(orientation, *, order="<", kind=3, before=()):
    return tiff_of(ifd([*before, (0x0112, kind, 1, orientation)], order=order), order=order)


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow says what is wrong with them
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [3, 4])
@pytest.mark.parametrize("orientation", [1, 6])
def test_orientation_in_each_byte_order_and_type(order, kind, orientation):
    exif = exif_of(orientation, order=order, kind=kind, before=[(0x010E, 2, 400, 9999), (0x010F, 99, 1, 1)])
    data = after_soi(saved(quadrants((60, 40)), "JPEG"), jpeg_segment(0xE1, b"Exif\0\0" + exif), jfif=False)
    assert shown_size(io.BytesIO(data)) == ((40, 60) if orientation == 6 else (60, 40))


def test_the_orientation_of_a_png_may_stand_behind_its_pixels():
    data = png(6, 4, after=[png_chunk(b"eXIf", exif_of(6))])
    assert shown_size(io.BytesIO(data)) == (4, 6)
    assert rendered(data)[0].size == (13, 20)


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow says what is wrong with them
@pytest.mark.parametrize("cut", range(27))
def test_exif_data_that_are_cut_off_are_harmless(cut):
    data = after_soi(saved(quadrants((60, 40)), "JPEG"), jpeg_segment(0xE1, b"Exif\0\0" + exif_of(6)[:cut]), jfif=False)
    assert len(rendered(data)) == 1


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow says what is wrong with them
@pytest.mark.parametrize("exif", [b"", b"no TIFF at all", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\0", b"\0" * 500])
def test_exif_data_that_are_none_are_ignored(exif):
    data = after_soi(saved(quadrants((60, 40)), "JPEG"), jpeg_segment(0xE1, b"Exif\0\0" + exif), jfif=False)
    assert len(rendered(data)) == 1
    assert shown_size(io.BytesIO(data)) == (60, 40)


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow says what is wrong with them
def test_damaged_exif_data_of_a_camera_are_accepted():
    """A value that lies outside, values that overlap, an absurd count and an unknown type are all found in the wild."""
    entries = [(0x010E, 2, 40, 9999), (0x010F, 2, 60, 20), (0x0110, 2, 60, 20), (0x0112, 3, 1, 6)]
    exif = tiff_of(ifd([*entries, (0x0131, 2, 2**31, 8), (0x013B, 77, 5, 1)])) + b"\0" * 100
    data = after_soi(saved(quadrants((60, 40)), "JPEG"), jpeg_segment(0xE1, b"Exif\0\0" + exif), jfif=False)
    assert shown_size(io.BytesIO(data)) == (40, 60)
    assert rendered(data)[0].size == (13, 20)


# What is large or unusual, but no bomb


@pytest.mark.parametrize(
    "make",
    [
        lambda: after_soi(
            SMALL, jpeg_segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + b"x" * 65_000) * 200, jfif=False
        ),
        lambda: after_soi(SMALL, jpeg_segment(0xED, b"Photoshop 3.0\0" + bytes(60_000)) * 10, jfif=False),
        lambda: after_soi(SMALL, b"\xff" * 1000, jfif=False),
        lambda: saved(quadrants((900, 600)), "JPEG", progressive=True),
        lambda: with_scans(saved(Image.new("L", (900, 600), 9), "JPEG", progressive=True), 40),
        lambda: png(8, 8, png_chunk(b"tEXt", b"workflow\0" + b"x" * 3_000_000)),
        lambda: png(8, 8, packed_chunk(b"zTXt", 1, b"x" * 900_000), png_chunk(b"abCd", bytes(5_000_000))),
        lambda: gif(1, 1, b"!\xfe" + (b"\xff" + bytes(255)) * 1000 + b"\0", gif_frame() * 1000),
        lambda: tiff_of(tiff_page(9, 9, (700, 1, 3_000_000, 8)), bytes(3_000_000)),
        lambda: riff(webp_canvas(64, 64), WEBP[12:], riff_chunk(b"abcd", bytes(1000)) * 1000),
    ],
    ids=["xmp", "photoshop", "fill", "progressive", "scans", "text", "packed", "gif", "tiff", "webp"],
)
@DOORS
def test_what_is_merely_unusual_is_accepted(door, make):
    assert door(make())


def test_a_compressed_bmp_that_would_be_unpacked_for_seconds_is_refused():
    bomb = bmp(10, 10, 8, 1, bytes(3 * MIB), colours=256, palette=bytes(1024))
    with pytest.raises(UploadedImageIsUnreadableError, match="runs of pixels"):
        verify_decodable(io.BytesIO(bomb), "BMP")
