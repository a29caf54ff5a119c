"""What an image may ask of the server: told before it is decoded, whatever else is in the file."""

import io
import json
import struct
import subprocess
import sys
import time
import warnings
import zlib
from pathlib import Path

import pytest
from PIL import Image

import athumb_storage
from athumb_storage import ImageLimitExceeded, Thumb, UploadedImageIsUnreadableError
from athumb_storage.formats import HEAD_SIZE, sniff
from athumb_storage.rendering import Limits, render, shown_size, verify_decodable
from athumb_storage.specs import Variant
from tests.unit.rendering import files, quadrants, saved

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


def jpeg_of(size):
    """A JPEG whose header tells this size."""
    at = SMALL.index(b"\xff\xc0") + 5
    return SMALL[:at] + struct.pack(">HH", size[1], size[0]) + SMALL[at + 4 :]


def avif_of(size):
    at = AVIF.index(b"ispe") + 8
    return AVIF[:at] + struct.pack(">II", *size) + AVIF[at + 8 :]


# The options


@pytest.mark.parametrize("option", ["max_pixels", "max_frames", "max_bytes", "time_budget"])
@pytest.mark.parametrize("value", [0, -1, "10", True, float("nan"), float("inf"), [1]])
def test_a_wrong_limit_is_named(option, value):
    with pytest.raises(ValueError, match=option):
        Limits(**{option: value})


@pytest.mark.parametrize("option", ["max_pixels", "max_frames", "max_bytes"])
def test_only_time_may_be_a_fraction(option):
    assert Limits(time_budget=0.5).time_budget == 0.5
    with pytest.raises(ValueError, match=option):
        Limits(**{option: 2.5})


def test_limits_are_values():
    assert Limits() == Limits(max_pixels=89_478_485, max_frames=1000, max_bytes=64 * MIB, time_budget=30.0)
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
def test_frames_up_to_the_limit(door, format_):
    data = animation(format_)
    assert door(data, max_frames=5)
    with pytest.raises(ImageLimitExceeded, match=r"(5|at least 5) frames, more than the 4 .*\(max_frames\)"):
        door(data, max_frames=4)


@DOORS
@pytest.mark.parametrize("format_", ANIMATED)
def test_the_pixels_of_all_frames_count(door, format_):
    data = animation(format_)
    assert door(data, max_pixels=5 * 600)
    with pytest.raises(ImageLimitExceeded, match="max_pixels"):
        door(data, max_pixels=5 * 600 - 1)


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


class Slow(io.BytesIO):
    """A file of which each read takes a while."""

    def read(self, size=-1):
        time.sleep(0.02)
        return super().read(size)


@pytest.mark.parametrize("format_", FORMATS)
def test_reading_stops_when_time_is_over(format_):
    reader = Slow(saved(quadrants((600, 400)), format_))
    with pytest.raises(ImageLimitExceeded, match="time_budget"):
        verify_decodable(reader, format_, Limits(time_budget=0.01))


@pytest.mark.parametrize("step", ["scaled", "encoded"])
def test_time_may_be_over_between_the_steps(monkeypatch, step):
    clock = iter([0, *[1] * 1000])
    monkeypatch.setattr("athumb_storage.rendering.limits.monotonic", lambda: next(clock))
    late = {"scaled": "_resized", "encoded": "flattened"}[step]
    module = "athumb_storage.rendering.engine"
    original = getattr(sys.modules[module], late)

    def slowly(*args):
        monkeypatch.setattr("athumb_storage.rendering.limits.monotonic", lambda: 100)
        return original(*args)

    monkeypatch.setattr(f"{module}.{late}", slowly)
    orders = [Variant.of("thumb", Thumb(size=(20, 20)), "JPEG")]
    with pytest.raises(ImageLimitExceeded, match="time_budget"):
        list(render(io.BytesIO(GREY), "PNG", orders, Limits(time_budget=30)))


def test_an_error_can_be_told_again_with_the_name_of_the_file():
    with pytest.raises(ImageLimitExceeded) as caught:
        checked(GREY, max_pixels=1)
    again = type(caught.value)(f"'cat.png': {caught.value}")
    assert "cat.png" in str(again)
    assert isinstance(again, UploadedImageIsUnreadableError)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("format_", ["JPEG", "PNG", "BMP"])
def test_a_size_is_told_without_a_limit_of_pixels(format_):
    size = (12_000, 9_000)
    make = {"JPEG": jpeg_of, "PNG": lambda size: files.png(size, pixels=b""), "BMP": files.bmp}[format_]
    assert shown_size(io.BytesIO(make(size))) == size


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
        for data in (files.png((10_000, 10_000), pixels=b""), jpeg_of((10_000, 10_000)), avif_of((10_000, 10_000))):
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
    monkeypatch.setattr("athumb_storage.rendering.engine.normalised", lambda image: sizes.append(image.size))
    verify_decodable(io.BytesIO(saved(quadrants((803, 407)), "JPEG")), "JPEG")
    assert sizes == [(101, 51)]


@pytest.mark.parametrize("error", [struct.error, IndexError, SyntaxError, OverflowError, RecursionError, UserWarning])
@pytest.mark.parametrize("step", ["PIL.Image.open", "athumb_storage.rendering.engine.normalised"])
def test_whatever_pillow_raises_means_that_the_image_is_unreadable(monkeypatch, step, error):
    def fail(*_, **__):
        raise error("hostile")

    monkeypatch.setattr(step, fail)
    with pytest.raises(UploadedImageIsUnreadableError, match="The image cannot be read: hostile"):
        checked(GREY)


def test_running_out_of_memory_is_not_the_images_fault(monkeypatch):
    def fail(*_):
        raise MemoryError

    monkeypatch.setattr("athumb_storage.rendering.engine.normalised", fail)
    with pytest.raises(MemoryError):
        checked(GREY)


# Orientation, read from the EXIF data by hand


def exif_of(orientation, *, order="<", kind=3, before=()):
    return files.tiff(files.directory(*before, (0x0112, kind, 1, orientation), order=order), order=order)


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow says what is wrong with them
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [3, 4])
@pytest.mark.parametrize("orientation", [1, 6])
def test_orientation_in_each_byte_order_and_type(order, kind, orientation):
    exif = exif_of(orientation, order=order, kind=kind, before=[(0x010E, 2, 400, 9999), (0x010F, 99, 1, 1)])
    data = files.after_soi(saved(quadrants((60, 40)), "JPEG"), files.segment(0xE1, b"Exif\0\0" + exif))
    assert shown_size(io.BytesIO(data)) == ((40, 60) if orientation == 6 else (60, 40))


def test_the_orientation_of_a_png_may_stand_behind_its_pixels():
    data = files.png((6, 4), after=[files.chunk(b"eXIf", exif_of(6))])
    assert shown_size(io.BytesIO(data)) == (4, 6)
    assert rendered(data)[0].size == (13, 20)


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow says what is wrong with them
@pytest.mark.parametrize("cut", range(27))
def test_exif_data_that_are_cut_off_are_harmless(cut):
    data = files.after_soi(saved(quadrants((60, 40)), "JPEG"), files.segment(0xE1, b"Exif\0\0" + exif_of(6)[:cut]))
    assert len(rendered(data)) == 1


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow says what is wrong with them
@pytest.mark.parametrize("exif", [b"", b"no TIFF at all", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\0", b"\0" * 500])
def test_exif_data_that_are_none_are_ignored(exif):
    data = files.after_soi(saved(quadrants((60, 40)), "JPEG"), files.segment(0xE1, b"Exif\0\0" + exif))
    assert len(rendered(data)) == 1
    assert shown_size(io.BytesIO(data)) == (60, 40)


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow says what is wrong with them
def test_damaged_exif_data_of_a_camera_are_accepted():
    """A value that lies outside, values that overlap, an absurd count and an unknown type are all found in the wild."""
    entries = [(0x010E, 2, 40, 9999), (0x010F, 2, 60, 20), (0x0110, 2, 60, 20), (0x0112, 3, 1, 6)]
    exif = files.tiff(files.directory(*entries, (0x0131, 2, 2**31, 8), (0x013B, 77, 5, 1))) + b"\0" * 100
    data = files.after_soi(saved(quadrants((60, 40)), "JPEG"), files.segment(0xE1, b"Exif\0\0" + exif))
    assert shown_size(io.BytesIO(data)) == (40, 60)
    assert rendered(data)[0].size == (13, 20)


# Bombs: each is refused, in little time and memory


def overlapping(count, size, at=8):
    """Entries that all have the same data."""
    return [(1000 + number, 7, size, at) for number in range(count)]


def exif_segments(exif):
    return [files.segment(0xE1, b"Exif\0\0" + exif[at : at + 65_000]) for at in range(0, len(exif), 65_000)]


def progressive(size, scans):
    """A blank picture with its last scan over and over again; each is a few bytes long."""
    data = saved(Image.new("L", size, 9), "JPEG", progressive=True)
    return data[:-2] + data[data.rindex(b"\xff\xda") : -2] * scans + data[-2:]


def lying_avif():
    """An AVIF whose header tells of 16 x 16 pixels, but whose picture is allowed to have 65,536 x 65,536."""
    at = AVIF.index(b"mdat") + 4
    assert AVIF[at : at + 3] == b"\x12\x00\x0a"
    # A sequence header of the short form: profile 0, still picture, level 0, 16 bits for each side.
    bits = f"000{1}{1}00000{15:04b}{15:04b}{65535:016b}{65535:016b}".ljust(64, "0")
    header = int(bits, 2).to_bytes(8, "big")
    size = AVIF[at + 3]
    return AVIF[: at + 3] + bytes([len(header)]) + header + AVIF[at + 4 + size :]


def long_avif():
    """An animation whose table says that its one chunk has 20 million frames of the same size."""
    data = animation("AVIF", 3)
    at = data.index(b"stsc") + 12
    return data[: at + 4] + struct.pack(">I", 20_000_000) + data[at + 8 :]


def packed(name, number, text):
    head = {b"zTXt": b"key%d\0\0", b"iTXt": b"key%d\0\1\0\0\0", b"iCCP": b"key%d\0\0"}[name] % number
    return files.chunk(name, head + zlib.compress(text, 9))


LIMITED = {
    "jpeg of 65535 x 65535": lambda: jpeg_of((65535, 65535)),
    "png of 65535 x 65535": lambda: files.png((65535, 65535), pixels=b""),
    "png of 2^31 x 2^31": lambda: files.png((2**31 - 1, 2**31 - 1), pixels=b""),
    "png of 2^31 frames": lambda: files.png((8, 8), files.chunk(b"acTL", struct.pack(">II", 2**31, 0))),
    "png of zeros, 20,000 x 20,000": lambda: files.png((20_000, 20_000), pixels=zlib.compress(bytes(20_000 * 20_001))),
    "gif of 65535 x 65535": lambda: files.gif((65535, 65535), files.frame()),
    "gif with a frame of 65535 x 65535": lambda: files.gif(
        (1, 1), files.CONTROL, files.frame(width=65535, height=65535)
    ),
    "gif of 100,000 frames": lambda: files.gif((1, 1), files.frame() * 100_000),
    "tiff of 2^32 x 2^32": lambda: files.tiff(files.page((2**32 - 1, 2**32 - 1))),
    "tiff of 200,000 pages": lambda: files.tiff(
        *(files.page((1, 1), following=8 + 114 * (number + 1)) for number in range(200_000))
    ),
    "bmp of 65535 x 65535": lambda: files.bmp((65535, 65535)),
    "bmp of 65535 x 65535 from top to bottom": lambda: files.bmp((65535, -65535)),
    "webp of 16383 x 16383": lambda: files.riff(
        files.vp8x(2, (16383, 16383)), files.riff_chunk(b"ANIM", bytes(6)), files.anmf(WEBP, (64, 64))
    ),
    "lossless webp of 16384 x 16384": lambda: WEBP[:21] + struct.pack("<I", (1 << 28) - 1) + WEBP[25:],
    "webp of 100,000 frames": lambda: files.riff(
        files.vp8x(2, (64, 64)), files.riff_chunk(b"ANIM", bytes(6)), files.anmf(WEBP, (64, 64)) * 100_000
    ),
    "avif of 65535 x 65535": lambda: avif_of((65535, 65535)),
    "avif of 16384 x 16384": lambda: avif_of((16384, 16384)),
    "avif of 65536 x 65536 that says otherwise": lying_avif,
    "avif of 20 million frames": long_avif,
}

ABSURD = {
    "jpeg with overlapping tags": lambda: files.after_soi(
        SMALL, files.segment(0xE1, b"Exif\0\0" + files.tiff(files.directory(*overlapping(5000, 5000))))
    ),
    "jpeg with overlapping tags in many segments": lambda: files.after_soi(
        SMALL, *exif_segments(files.tiff(files.directory(*overlapping(60_000, 700_000))).ljust(1_000_000, b"\0"))
    ),
    "the same without pixels": lambda: files.after_soi(
        SMALL[:20], *exif_segments(files.tiff(files.directory(*overlapping(60_000, 700_000))).ljust(1_000_000, b"\0"))
    ),
    "jpeg with 20 MB of EXIF": lambda: files.after_soi(SMALL, *exif_segments(bytes(20_000_000))),
    "jpeg with a million segments": lambda: files.after_soi(SMALL, files.segment(0xE5, b"") * 1_000_000),
    "jpeg with 60 MB of segments": lambda: files.after_soi(SMALL, files.segment(0xE5, bytes(65_000)) * 900),
    "jpeg with 20 MB of tables": lambda: files.after_soi(SMALL, files.segment(0xDB, bytes(65_000)) * 300),
    "jpeg with 20 MB of Photoshop's": lambda: files.after_soi(
        SMALL, files.segment(0xED, b"Photoshop 3.0\0" + b"8BIM\4\0\0\0\0\0\0\0" * 5000) * 300
    ),
    "jpeg with 20 MB of fill bytes": lambda: files.after_soi(SMALL, b"\xff" * 20_000_000),
    "jpeg with 20 MB of junk": lambda: files.after_soi(SMALL, b"\xff\0" * 10_000_000),
    "jpeg of 4000 x 4000 and 1000 scans": lambda: progressive((4000, 4000), 1000),
    "png with a million chunks": lambda: files.png((8, 8), files.chunk(b"tIME", bytes(7)) * 1_000_000),
    "png with a million chunks behind its pixels": lambda: files.png(
        (8, 8), after=[files.chunk(b"abCd", b"") * 1_000_000]
    ),
    "png with a million pieces of pixels": lambda: files.png((8, 8), files.chunk(b"IDAT", b"") * 1_000_000),
    "png with 60 packed texts of 1 MiB": lambda: files.png(
        (8, 8), *(packed(b"zTXt", number, b"a" * MIB) for number in range(60))
    ),
    "png with 60 packed texts of 1 MiB and a wide letter": lambda: files.png(
        (8, 8), *(packed(b"iTXt", number, "\U0001f600".encode() + b"a" * (MIB - 4)) for number in range(60))
    ),
    "png with 2000 profiles": lambda: files.png((8, 8), packed(b"iCCP", 1, bytes(MIB)) * 2000),
    "png with a profile of 200 MiB": lambda: files.png((8, 8), packed(b"iCCP", 1, bytes(200 * MIB))),
    "png with 20 MiB of EXIF": lambda: files.png((8, 8), files.chunk(b"eXIf", bytes(20 * MIB))),
    "png with 20 MiB of text": lambda: files.png((8, 8), files.chunk(b"iTXt", b"key\0\0\0\0\0" + b"a" * 20 * MIB)),
    "png with 30 MiB of who knows what": lambda: files.png((8, 8), files.chunk(b"abCd", bytes(30 * MIB))),
    "gif with 50 MB of comments": lambda: files.gif(
        (1, 1), b"!\xfe" + (b"\xff" + bytes(255)) * 200_000 + b"\0", files.frame()
    ),
    "gif with a million comments": lambda: files.gif((1, 1), b"!\xfe\1c\0" * 1_000_000, files.frame()),
    "gif with 10 million extensions": lambda: files.gif((1, 1), b"!\xff\1c\0" * 10_000_000, files.frame()),
    "gif with an extension of crumbs": lambda: files.gif((1, 1), b"!\xff" + b"\1c" * 20_000_000 + b"\0", files.frame()),
    "gif with 20 MB of junk": lambda: files.gif((1, 1), bytes(20_000_000), files.frame()),
    "tiff whose pages go round in a circle": lambda: files.tiff(
        files.page((1, 1), following=8 + 114), files.page((1, 1), following=8)
    ),
    "tiff that follows itself": lambda: files.tiff(files.page((1, 1), following=8)),
    "tiff with overlapping tags": lambda: files.tiff(
        files.page((1, 1), *overlapping(60_000, 1_000_000)), bytes(1_000_000)
    ),
    "tiff with overlapping tags in its EXIF": lambda: files.tiff(
        files.page((1, 1), (34665, 4, 1, 134)), files.directory(*overlapping(60_000, MIB)), bytes(MIB)
    ),
    "tiff with 60,000 directories": lambda: files.tiff(
        files.page((1, 1), (34665, 4, 1, 134)),
        files.directory(*((34665, 4, 1, 134 + 12 * number) for number in range(60_000))),
        bytes(MIB),
    ),
    "tiff with 10 million strips": lambda: files.tiff(files.page((99, 99), (273, 4, 10_000_000, 8)), bytes(40_000_000)),
    "tiff with 10 million strips, told in bytes": lambda: files.tiff(
        files.page((99, 99), (273, 1, 10_000_000, 8)), bytes(10_000_000)
    ),
    "tiff with two million orientations": lambda: files.tiff(
        files.page((9, 9), (274, 5, 2_000_000, 8)), bytes(16_000_000)
    ),
    "tiff with a tile that is far too large": lambda: files.tiff(
        files.page((9, 9), (259, 3, 1, 8), (322, 4, 1, 16), (323, 4, 1, 1 << 24), (324, 4, 1, 8), (325, 4, 1, 80))
    ),
    "webp with 5 million chunks": lambda: files.riff(files.vp8x(0, (64, 64)), WEBP[12:], b"abcd\0\0\0\0" * 5_000_000),
}

MEASURE = """
import io, json, resource, sys, time
from pathlib import Path
from PIL import Image
Image.init()
from athumb_storage import UploadedImageIsUnreadableError
from athumb_storage.formats import HEAD_SIZE, sniff
from athumb_storage.rendering import verify_decodable

def peak():
    # A new process inherits its parent's ru_maxrss, which would hide what it takes itself.
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    found = [int(line.split()[1]) for line in lines if line.startswith("VmHWM")]
    return found[0] if found else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

with open(sys.argv[1], "rb") as reader:
    image_format = sniff(reader.read(HEAD_SIZE))
    memory, seconds = peak(), time.process_time()
    try:
        verify_decodable(reader, image_format)
        answer = "accepted"
    except UploadedImageIsUnreadableError as error:
        answer = type(error).__name__
    print(json.dumps([answer, time.process_time() - seconds, (peak() - memory) / 1024]))
"""


def cost(path):
    """What became of the file, the CPU seconds it took, and by how many MiB the process grew."""
    command = [sys.executable, "-W", "ignore", "-c", MEASURE, str(path)]
    folder = Path(athumb_storage.__file__).parents[1]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=True)
    return json.loads(done.stdout)


BOMBS = [(name, make, "ImageLimitExceeded") for name, make in LIMITED.items()] + [
    (name, make, "UploadedImageIsUnreadableError") for name, make in ABSURD.items()
]


@pytest.mark.parametrize(("make", "expected"), [pytest.param(*bomb[1:], id=bomb[0]) for bomb in BOMBS])
def test_a_bomb_is_refused_and_costs_little(tmp_path, make, expected):
    path = tmp_path / "bomb"
    path.write_bytes(make())
    answer, seconds, mebibytes = cost(path)
    assert answer == expected
    assert seconds < 1
    assert mebibytes < 64


def test_a_measurement_notices_what_an_image_costs(tmp_path):
    path = tmp_path / "large.png"
    path.write_bytes(files.png((9000, 9000), pixels=zlib.compress(bytes(9000 * 9001))))
    answer, _, mebibytes = cost(path)
    assert answer == "accepted"
    assert mebibytes > 64


# What is large or unusual, but no bomb


@pytest.mark.parametrize(
    "make",
    [
        lambda: files.after_soi(SMALL, files.segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + b"x" * 65_000) * 200),
        lambda: files.after_soi(SMALL, files.segment(0xED, b"Photoshop 3.0\0" + bytes(60_000)) * 10),
        lambda: files.after_soi(SMALL, b"\xff" * 1000),
        lambda: saved(quadrants((900, 600)), "JPEG", progressive=True),
        lambda: progressive((900, 600), 40),
        lambda: files.png((8, 8), files.chunk(b"tEXt", b"workflow\0" + b"x" * 3_000_000)),
        lambda: files.png((8, 8), packed(b"zTXt", 1, b"x" * 900_000), files.chunk(b"abCd", bytes(5_000_000))),
        lambda: files.gif((1, 1), b"!\xfe" + (b"\xff" + bytes(255)) * 1000 + b"\0", files.frame() * 1000),
        lambda: files.tiff(files.page((9, 9), (700, 1, 3_000_000, 8)), bytes(3_000_000)),
        lambda: files.riff(files.vp8x(0, (64, 64)), WEBP[12:], files.riff_chunk(b"abcd", bytes(1000)) * 1000),
    ],
    ids=["xmp", "photoshop", "fill", "progressive", "scans", "text", "packed", "gif", "tiff", "webp"],
)
@DOORS
def test_what_is_merely_unusual_is_accepted(door, make):
    assert door(make())


def test_a_compressed_bmp_that_would_be_unpacked_for_seconds_is_refused():
    header = b"BM" + struct.pack("<IIIIiiHHIIiiII", 54, 0, 54 + 1024, 40, 10, 10, 1, 8, 1, 0, 0, 0, 256, 0)
    bomb = header + bytes(1024) + bytes(3 << 20)
    with pytest.raises(UploadedImageIsUnreadableError, match="runs of pixels"):
        verify_decodable(io.BytesIO(bomb), "BMP")
