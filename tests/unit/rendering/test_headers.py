"""What a decoder gets to read of a file: told by thumbs of files with more in them, and by where they are cut."""

import io
import random
import struct
import zlib

import pytest
from PIL import Image

from athumb_storage import ImageLimitExceeded, Thumb, UploadedImageIsUnreadableError
from athumb_storage.formats import HEAD_SIZE, sniff
from athumb_storage.rendering import render, shown_size, verify_decodable
from athumb_storage.specs import Variant
from tests.hostile.builder import (
    GIF_CONTROL,
    avif_with_property,
    bmp,
    gif,
    png,
    png_chunk,
    riff,
    riff_chunk,
    webp_canvas,
    webp_frame,
)
from tests.unit.rendering import BLUE, LIME, RED, at, corners_of, near, quadrants, saved, thumb_of

MIB = 1 << 20


def opened(data):
    return verify_decodable(io.BytesIO(data), sniff(data[:HEAD_SIZE]))


# The first frame of an animation


def apng(*, default_is_first):
    """A red still image; an animation on a canvas of 8 x 8 whose first frame is 4 x 4, lime, and at (2, 4)."""

    def pixels(colour, side):
        return zlib.compress((b"\0" + bytes(colour) * side) * side)

    def control(number, width, height, left, top):
        return png_chunk(b"fcTL", struct.pack(">5I2H2B", number, width, height, left, top, 1, 10, 0, 0))

    first = [control(0, 8, 8, 0, 0)] if default_is_first else []
    count = len(first)
    after = [
        control(count, 4, 4, 2, 4),
        png_chunk(b"fdAT", struct.pack(">I", count + 1) + pixels(LIME, 4)),
        control(count + 2, 8, 8, 0, 0),
        png_chunk(b"fdAT", struct.pack(">I", count + 3) + pixels(BLUE, 8)),
    ]
    chunks = [png_chunk(b"acTL", struct.pack(">2I", 2 + count, 0)), *first]
    return png(8, 8, *chunks, colour=2, pixels=pixels(RED, 8), after=after)


def test_the_default_image_of_an_apng_counts_if_it_is_part_of_the_animation():
    assert at(thumb_of(apng(default_is_first=True), size=(8, 8)), 0.5, 0.5) == near(RED, 2)


def part_of_canvas(thumb):
    """Whether the thumb has the frame at (2, 4) to (6, 8), and is transparent around it."""
    alpha = thumb.convert("RGBA").getchannel("A")
    inside = {alpha.getpixel((x, y)) for x in range(2, 6) for y in range(4, 8)}
    outside = {alpha.getpixel((x, y)) for x in range(8) for y in range(8) if not (2 <= x < 6 and 4 <= y < 8)}
    return (inside, outside)


def frames_on_a_canvas():
    still = saved(Image.new("RGB", (4, 4), LIME), "WEBP", lossless=True)
    frame = struct.pack("<3s3s", b"\1\0\0", b"\2\0\0") + b"\3\0\0\3\0\0" + b"\x0a\0\0\0" + still[12:]
    other = webp_frame(saved(Image.new("RGB", (8, 8), BLUE), "WEBP", lossless=True)[12:], 8, 8)
    palette = b"GIF89a" + struct.pack("<HHBBB", 8, 8, 0x80, 0, 0) + bytes(LIME) * 2
    lzw = saved(Image.new("P", (4, 4), 1), "GIF")
    codes = lzw[lzw.rindex(b",") + 10 : -1]
    small = b"," + struct.pack("<4HB", 2, 4, 4, 4, 0) + codes
    return {
        "APNG": apng(default_is_first=False),
        "WebP": riff(webp_canvas(8, 8, 2), riff_chunk(b"ANIM", bytes(6)), riff_chunk(b"ANMF", frame), other),
        "GIF": palette + GIF_CONTROL + small + b";",
    }


@pytest.mark.parametrize("format_", ["APNG", "WebP", "GIF"])
def test_what_the_first_frame_does_not_cover_is_transparent(format_):
    data = frames_on_a_canvas()[format_]
    assert shown_size(io.BytesIO(data)) == (8, 8)
    thumb = thumb_of(data, size=(8, 8))
    assert part_of_canvas(thumb) == ({255}, {0})
    assert thumb.convert("RGB").getpixel((4, 6)) == near(LIME, 2)


def test_a_gif_grows_to_hold_its_first_frame_as_in_browsers():
    lzw = saved(Image.new("P", (4, 4), 1), "GIF")
    data = gif(2, 2, b"," + struct.pack("<4HB", 0, 0, 4, 4, 0) + lzw[lzw.rindex(b",") + 10 : -1])
    assert shown_size(io.BytesIO(data)) == (4, 4)


def test_further_frames_are_not_read():
    data = saved(quadrants((60, 40)), "GIF", save_all=True, append_images=[Image.new("RGB", (60, 40))] * 5)
    cut = data[: data.index(b"\x21\xf9", len(data) // 2) + 20]
    assert corners_of(thumb_of(cut, size=(60, 40))) == corners_of(thumb_of(data, size=(60, 40)))


# The end of a JPEG


@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"subsampling": 0}, {"restart_marker_rows": 1}], ids=str
)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_jpeg_that_lacks_only_its_last_marker_is_accepted(mode, options):
    data = saved(quadrants((150, 90)).convert(mode), "JPEG", quality=90, **options)
    for cut in (1, 2):
        assert corners_of(thumb_of(data[:-cut], size=(150, 90))) == corners_of(thumb_of(data, size=(150, 90)))
        assert opened(data[:-cut])


@pytest.mark.parametrize("options", [{}, {"progressive": True}], ids=str)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_jpeg_that_lacks_more_is_refused(mode, options):
    # The same noise in every run: the last scans of a progressive file may say nothing.
    noise = Image.frombytes("RGB", (150, 90), random.Random(7).randbytes(3 * 150 * 90))
    data = saved(noise.convert(mode), "JPEG", quality=90, **options)
    for missing in (len(data) // 2, 2 * len(data) // 5 if options else 60):
        for door in (opened, lambda data: thumb_of(data, size=(9, 9)), lambda data: thumb_of(data, size=(150, 90))):
            with pytest.raises(UploadedImageIsUnreadableError):
                door(data[:-missing])


# What AVIF says in its boxes


def clean_aperture(width, height, right, down):
    return b"clap" + struct.pack(">4I", width, 1, height, 1) + struct.pack(">iIiI", *right, *down)


def test_the_clean_aperture_of_an_avif_is_applied():
    avif = saved(quadrants((64, 48)), "AVIF", quality=95)
    # 32 x 24 pixels, whose middle lies a quarter to the left of and above the picture's: all of it is red.
    data = avif_with_property(avif, clean_aperture(32, 24, (-16, 1), (-12, 1)))
    assert shown_size(io.BytesIO(data)) == (32, 24)
    assert corners_of(thumb_of(data, size=(32, 24))) == [near(RED, 12)] * 4


@pytest.mark.parametrize(
    "aperture",
    [
        clean_aperture(32, 24, (-40, 1), (0, 1)),
        clean_aperture(32, 24, (1, 3), (0, 1)),
        clean_aperture(0, 24, (0, 1), (0, 1)),
        clean_aperture(32, 24, (0, 0), (0, 1)),
    ],
    ids=["outside", "fractions", "nothing", "divided by zero"],
)
def test_a_clean_aperture_that_makes_no_sense_is_ignored(aperture):
    data = avif_with_property(saved(quadrants((64, 48)), "AVIF", quality=95), aperture)
    assert shown_size(io.BytesIO(data)) == (64, 48)


def test_the_colours_of_an_avif_are_told_by_code_points():
    """By the formulas of IEC 61966-2-1: 128 of linear light is 188."""
    grey = saved(Image.new("RGB", (16, 16), (128, 128, 128)), "AVIF", quality=100, subsampling="4:4:4")
    at_ = grey.index(b"nclx")
    data = grey[: at_ + 6] + struct.pack(">H", 8) + grey[at_ + 8 :]
    assert at(thumb_of(data, size=(16, 16)), 0.5, 0.5) == near((188,) * 3, 3)


@pytest.mark.parametrize("brand", [b"mif1", b"msf1", b"miaf", b"MA1B"])
def test_an_avif_is_known_by_its_compatible_brands(brand):
    avif = saved(quadrants((60, 40)), "AVIF", quality=95)
    data = avif[:8] + brand + avif[12:]
    assert corners_of(thumb_of(data, size=(60, 40))) == corners_of(thumb_of(avif, size=(60, 40)))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_of_an_avif_is_that_of_its_boxes(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(quadrants((60, 40)), "AVIF", quality=95, exif=exif)
    assert shown_size(io.BytesIO(data)) == ((40, 60) if orientation > 4 else (60, 40))


# Kinds of BMP and TIFF


def test_a_bmp_with_reserved_words_is_read():
    data = bytearray(saved(quadrants((60, 40)), "BMP"))
    data[6:10] = b"\1\2\3\4"
    assert corners_of(thumb_of(bytes(data), size=(60, 40))) == corners_of(quadrants((60, 40)))


def test_a_dib_is_read():
    data = saved(quadrants((60, 40)), "DIB")
    assert not data.startswith(b"BM")
    assert corners_of(thumb_of(data, size=(60, 40))) == corners_of(quadrants((60, 40)))


@pytest.mark.parametrize("bits", [24, 8, 1])
def test_a_bmp_of_os2_is_read(bits):
    colours = {24: [], 8: [RED, BLUE] + [LIME] * 254, 1: [RED, BLUE]}[bits]
    row = {24: bytes(RED[::-1]) * 4 + bytes(BLUE[::-1]) * 4, 8: b"\0\0\0\0\1\1\1\1", 1: b"\x0f\0\0\0"}[bits]
    palette = b"".join(bytes(colour[::-1]) for colour in colours)
    start = 26 + len(palette)
    head = struct.pack("<2sIHHI", b"BM", start + 8 * len(row), 7, 7, start) + struct.pack("<I4H", 12, 8, 8, 1, bits)
    thumb = thumb_of(head + palette + row * 8, size=(8, 8))
    assert [at(thumb, 0.2, 0.5), at(thumb, 0.8, 0.5)] == [near(RED, 2), near(BLUE, 2)]


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
def test_a_big_tiff_is_read(mode):
    data = saved(quadrants((60, 40)).convert(mode), "TIFF", big_tiff=True)
    assert data[2] == 43
    expected = corners_of(quadrants((60, 40)).convert(mode).convert("RGB"))
    assert corners_of(thumb_of(data, size=(60, 40))) == [near(colour, 2) for colour in expected]


@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
def test_a_tiff_of_one_row_a_strip_is_read(compression):
    from PIL.TiffImagePlugin import ROWSPERSTRIP

    image = quadrants((40, 4000))
    data = saved(image, "TIFF", compression=compression, tiffinfo={ROWSPERSTRIP: 1}, strip_size=120)
    assert corners_of(thumb_of(data, size=(20, 2000))) == [near(colour, 3) for colour in corners_of(image)]


# What no thumb needs


def icc_chunk(size):
    return png_chunk(b"iCCP", b"p\0\0" + zlib.compress(bytes(size)))


@pytest.mark.parametrize(
    "data",
    [
        png(8, 8, png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + b"x" * 5 * MIB)),
        png(8, 8, png_chunk(b"prVt", bytes(17 * MIB))),
        png(8, 8, icc_chunk(3 * MIB // 2)),
        png(8, 8, icc_chunk(5 * MIB)),
    ],
    ids=["xmp", "private", "profile", "large profile"],
)
def test_what_no_thumb_needs_is_passed_over(data):
    assert thumb_of(data, size=(8, 8)).size == (8, 8)
    assert opened(data)


@pytest.mark.parametrize(("width", "height"), [(89_000_000, 1), (1, 89_000_000), ((1 << 20) + 1, 2)])
def test_a_side_that_no_filter_can_scale_is_refused_with_a_reason(width, height):
    data = png(width, height, pixels=b"")
    for door in (opened, lambda data: render(io.BytesIO(data), "PNG", [Variant.of("a", Thumb(size=(9, 9)), "PNG")])):
        with pytest.raises(ImageLimitExceeded, match=r"a side of \d+ pixels, more than 1048576"):
            door(data)


def test_an_error_without_words_is_told_by_its_name(monkeypatch):
    def fail(*_, **__):
        raise EOFError

    monkeypatch.setattr("PIL.Image.open", fail)
    with pytest.raises(UploadedImageIsUnreadableError, match="cannot be read: EOFError"):
        opened(bmp(4, 4))
