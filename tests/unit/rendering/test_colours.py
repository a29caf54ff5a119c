"""Every kind of pixel comes out in the right colour, told by the pixels of thumbs."""

import io
import logging
import struct
import zlib

import pytest
from PIL import Image, ImageCms

from athumb_storage import Thumb, UploadedImageIsUnreadableError
from tests.hostile.builder import ifd, png, png_chunk
from tests.unit.rendering import at, decoded, near, rendered, saved, thumb_of

SIZE = (40, 40)


def halves(mode, left, right, size=SIZE):
    """An image of two colours, side by side."""
    image = Image.new(mode, size, left)
    image.paste(Image.new(mode, (size[0] - size[0] // 2, size[1]), right), (size[0] // 2, 0))
    return image


def sides_of(image, mode="RGB"):
    return [at(image, 0.2, 0.5, mode), at(image, 0.8, 0.5, mode)]


def png_of(size, depth, colour_type, rows, *chunks):
    """A PNG file put together by hand, for kinds that Pillow does not write."""
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    return png(*size, *(png_chunk(*chunk) for chunk in chunks), depth=depth, colour=colour_type, pixels=pixels)


def deep_png(colour_type, left, right, *chunks):
    """A PNG of 16 bits a band, with two colours."""
    half = SIZE[0] // 2
    row = struct.pack(f">{len(left) * SIZE[0]}H", *left * half, *right * half)
    return png_of(SIZE, 16, colour_type, [row] * SIZE[1], *chunks)


@pytest.mark.parametrize(
    ("mode", "left", "right", "expected"),
    [
        ("RGB", (200, 30, 60), (0, 90, 255), [(200, 30, 60), (0, 90, 255)]),
        ("L", 200, 30, [(200,) * 3, (30,) * 3]),
        ("1", 1, 0, [(255,) * 3, (0,) * 3]),
        ("CMYK", (0, 255, 255, 0), (0, 0, 0, 255), [(255, 0, 0), (0, 0, 0)]),
        ("YCbCr", (76, 85, 255), (255, 128, 128), [(254, 0, 0), (255, 255, 255)]),
        ("I;16", 65535, 0, [(255,) * 3, (0,) * 3]),
        ("I;16", 40000, 12800, [(156,) * 3, (50,) * 3]),
        ("F", 200.0, 30.0, [(200,) * 3, (30,) * 3]),
    ],
)
def test_kinds_of_pixels(mode, left, right, expected):
    thumb = thumb_of(saved(halves(mode, left, right), "TIFF"), size=(20, 20))
    assert sides_of(thumb) == [near(colour, 3) for colour in expected]


@pytest.mark.parametrize("format_", ["PNG", "GIF"])
def test_palettes(format_):
    image = halves("RGB", (200, 30, 60), (0, 90, 250)).quantize(8)
    assert image.mode == "P"
    assert sides_of(thumb_of(saved(image, format_), size=(20, 20))) == [near((200, 30, 60)), near((0, 90, 250))]


def test_a_palette_is_scaled_as_colours_not_as_indices():
    image = halves("RGB", (255, 0, 0), (0, 0, 255), (41, 40)).quantize(2)
    thumb = thumb_of(saved(image), size=(2, 2), crop=True)
    assert thumb.mode == "RGB"
    assert sides_of(thumb) == [near((255, 0, 0), 40), near((0, 0, 255), 40)]


@pytest.mark.parametrize(
    "data",
    [
        saved(halves("RGBA", (255, 0, 0, 255), (0, 0, 0, 0))),
        saved(halves("RGBA", (255, 0, 0, 255), (0, 0, 0, 0)), "GIF"),
        saved(halves("RGBA", (255, 0, 0, 255), (0, 0, 0, 0)), "WEBP", lossless=True),
        saved(halves("RGBA", (255, 0, 0, 255), (0, 0, 0, 0)), "TIFF"),
        saved(halves("RGBA", (255, 0, 0, 255), (0, 0, 0, 0)).quantize(4)),
        saved(halves("RGB", (255, 0, 0), (0, 0, 250)), transparency=(0, 0, 250)),
        deep_png(6, (65535, 0, 0, 65535), (0, 0, 0, 0)),
        deep_png(2, (65535, 0, 0), (0, 0, 65535), (b"tRNS", struct.pack(">3H", 0, 0, 65535))),
    ],
    ids=["rgba", "gif", "webp", "tiff", "palette", "colour key", "deep", "deep colour key"],
)
@pytest.mark.parametrize("format_", ["PNG", "WEBP", "AVIF", "GIF", "TIFF", "JPEG", "BMP"])
def test_transparency_is_kept_or_flattened_on_white(data, format_):
    left, right = sides_of(thumb_of(data, format_, size=(20, 20)), "RGBA")
    assert left == near((255, 0, 0, 255))
    if format_ in ("JPEG", "BMP"):
        assert right == near((255, 255, 255, 255))
    else:
        assert right[3] == 0


@pytest.mark.parametrize(
    "data",
    [
        saved(halves("LA", (200, 255), (0, 0))),
        saved(halves("L", 200, 0), transparency=0),
        deep_png(0, (51400,), (0,), (b"tRNS", struct.pack(">H", 0))),
        deep_png(4, (51400, 65535), (0, 0)),
    ],
    ids=["la", "l with a key", "deep with a key", "deep la"],
)
@pytest.mark.parametrize("format_", ["PNG", "WEBP", "JPEG"])
def test_transparent_grey(data, format_):
    left, right = sides_of(thumb_of(data, format_, size=(20, 20)), "RGBA")
    assert left == near((200, 200, 200, 255))
    assert right == near((255,) * 4) if format_ == "JPEG" else right[3] == 0


def test_half_transparent_pixels_are_mixed_with_white():
    data = saved(Image.new("RGBA", SIZE, (255, 0, 0, 128)))
    assert at(thumb_of(data, "JPEG", size=(20, 20)), 0.5, 0.5) == near((255, 127, 127))
    assert at(thumb_of(data, "PNG", size=(20, 20)), 0.5, 0.5, "RGBA") == near((255, 0, 0, 128), 2)


def test_what_is_transparent_does_not_bleed_into_what_is_not():
    image = halves("RGBA", (255, 0, 0, 255), (0, 0, 0, 0), (41, 41))
    thumb = thumb_of(saved(image), size=(5, 5))
    solid = [pixel for pixel in map(thumb.getpixel, [(x, 2) for x in range(5)]) if pixel[3] > 20]
    assert solid
    assert all(pixel[:3] == near((255, 0, 0), 10) for pixel in solid)


def test_a_deep_colour_image():
    thumb = thumb_of(deep_png(2, (65535, 0, 12850), (0, 25700, 65535)), size=(20, 20))
    assert sides_of(thumb) == [near((255, 0, 50), 2), near((0, 100, 255), 2)]


def test_a_deep_grey_image_is_neither_clipped_nor_brightened():
    assert sides_of(thumb_of(deep_png(0, (65535,), (32896,)), size=(20, 20))) == [
        near((255,) * 3, 2),
        near((128,) * 3, 2),
    ]
    # All values under 256, which of 65535 are as good as black.
    assert sides_of(thumb_of(deep_png(0, (255,), (0,)), size=(20, 20))) == [near((1,) * 3, 2), near((0,) * 3, 2)]


def test_grey_stays_grey():
    assert thumb_of(saved(halves("L", 200, 30)), size=(20, 20)).mode == "L"


def test_a_cmyk_jpeg():
    data = saved(halves("CMYK", (0, 255, 255, 0), (255, 0, 0, 0)), "JPEG")
    assert sides_of(thumb_of(data, "JPEG", size=(20, 20))) == [near((255, 0, 0), 8), near((0, 255, 255), 8)]


# Profiles, put together by hand after ICC.1:2001-04.


def icc(device_class, space, connection, tags):
    tags = {"desc": text_description("made for a test"), "wtpt": xyz(0.9642, 1, 0.8249), **tags}
    offset = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        data += b"\0" * (-len(data) % 4)
        table += struct.pack(">4sII", name.encode(), offset + len(body), len(data))
        body += data
    d50 = struct.pack(">3i", *(round(value * 65536) for value in (0.9642, 1, 0.8249)))
    header = struct.pack(
        ">I4sI4s4s4s12s4s4sII4s8sI12s4s44s",
        128 + len(table) + len(body),
        b"none",
        0x02100000,
        device_class.encode(),
        space.encode(),
        connection.encode(),
        b"\x07\xe8\x00\x01\x00\x01" + b"\0" * 6,
        b"acsp",
        b"none",
        0,
        0,
        b"none",
        b"\0" * 8,
        0,
        d50,
        b"none",
        b"\0" * 44,
    )
    return header + table + body


def text_description(text):
    return b"desc\0\0\0\0" + struct.pack(">I", len(text) + 1) + text.encode() + b"\0" * (1 + 4 + 4 + 2 + 1 + 67)


def xyz(*values):
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65536) for value in values))


def gamma(value):
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(value * 256)) + b"\0\0"


P3_PRIMARIES = ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407))
SRGB_OF_XYZ = (
    (3.1338561, -1.6168667, -0.4906146),
    (-0.9787684, 1.9161415, 0.0334540),
    (0.0719453, -0.2289914, 1.4052427),
)
"""From XYZ under D50 to linear sRGB, after Bruce Lindbloom's table."""

WIDE = icc(
    "mntr",
    "RGB ",
    "XYZ ",
    {
        **{f"{name}XYZ": xyz(*primary) for name, primary in zip("rgb", P3_PRIMARIES, strict=True)},
        **{f"{name}TRC": gamma(2.2) for name in "rgb"},
    },
)
LINEAR_GREY = icc("mntr", "GRAY", "XYZ ", {"kTRC": gamma(1.0)})


def encoded_srgb(value):
    value = min(1, max(0, value))
    return round(255 * (12.92 * value if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055))


def wide_in_srgb(colour):
    linear = [(band / 255) ** 2.2 for band in colour]
    tristimulus = [
        sum(part * primary[axis] for part, primary in zip(linear, P3_PRIMARIES, strict=True)) for axis in range(3)
    ]
    return tuple(encoded_srgb(sum(a * b for a, b in zip(row, tristimulus, strict=True))) for row in SRGB_OF_XYZ)


def cmyk_profile():
    """Shows cyan ink as bright red and no ink as white, so that nobody gets it right who does not read it."""
    corners = []
    for number in range(16):
        cyan, others = number >> 3, number & 7
        lightness, a, b = (54, 81, 70) if cyan and not others else ((100, 0, 0) if not number else (0, 0, 0))
        corners.append(bytes([round(lightness * 255 / 100), a + 128, b + 128]))
    identity = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    ramp = bytes(range(256))
    table = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + identity + ramp * 4 + b"".join(corners) + ramp * 3
    return icc("prtr", "CMYK", "Lab ", {"A2B0": table})


COLOURS = ((200, 100, 100), (60, 160, 90))


@pytest.mark.parametrize("original", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_wide_profile_is_converted_to_srgb(original):
    options = {"JPEG": {"quality": 98, "subsampling": 0}, "WEBP": {"lossless": True}}.get(original, {})
    data = saved(halves("RGB", *COLOURS), original, icc_profile=WIDE, **options)
    assert decoded(data).info["icc_profile"] == WIDE
    expected = [wide_in_srgb(colour) for colour in COLOURS]
    assert expected[0][0] > COLOURS[0][0] + 10  # else there were nothing to see
    thumb = thumb_of(data, size=(20, 20))
    assert sides_of(thumb) == [near(colour, 4) for colour in expected]
    assert "icc_profile" not in thumb.info


def test_the_alpha_of_an_image_with_a_profile_stays():
    data = saved(halves("RGBA", (*COLOURS[0], 255), (0, 0, 0, 0)), icc_profile=WIDE)
    left, right = sides_of(thumb_of(data, size=(20, 20)), "RGBA")
    assert left == near((*wide_in_srgb(COLOURS[0]), 255), 4)
    assert right[3] == 0


def test_the_profile_of_a_palette():
    data = saved(halves("RGB", *COLOURS).quantize(4), icc_profile=WIDE)
    assert sides_of(thumb_of(data, size=(20, 20))) == [near(wide_in_srgb(colour), 4) for colour in COLOURS]


@pytest.mark.parametrize("mode", ["L", "LA"])
def test_the_profile_of_a_grey_image(mode, caplog):
    left, right = (55, 255) if mode == "LA" else 55, (128, 255) if mode == "LA" else 128
    data = saved(halves(mode, left, right), icc_profile=LINEAR_GREY)
    expected = [near((encoded_srgb(value / 255),) * 3, 3) for value in (55, 128)]
    assert sides_of(thumb_of(data, size=(20, 20))) == expected
    assert not caplog.records


def test_the_profile_of_a_cmyk_image():
    data = saved(halves("CMYK", (255, 0, 0, 0), (0, 0, 0, 0)), "JPEG", icc_profile=cmyk_profile(), quality=95)
    red, white = sides_of(thumb_of(data, size=(20, 20)))
    assert red[0] > 200
    assert max(red[1:]) < 80
    assert white == near((255, 255, 255), 4)


def test_srgb_is_left_as_it_is():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    thumb = thumb_of(saved(halves("RGB", *COLOURS), icc_profile=profile), size=(20, 20))
    assert sides_of(thumb) == [near(colour, 0) for colour in COLOURS]
    assert "icc_profile" not in thumb.info


@pytest.mark.parametrize(
    ("mode", "profile"),
    [
        ("RGB", b"no profile at all"),
        ("RGB", b"\0" * 200),
        ("RGB", WIDE[:150]),
        ("RGB", LINEAR_GREY),
        ("RGB", cmyk_profile()),
        ("CMYK", WIDE),
    ],
    ids=["text", "zeros", "truncated", "grey on colour", "cmyk on colour", "colour on cmyk"],
)
def test_a_profile_that_cannot_be_used_is_warned_of_and_ignored(mode, profile, caplog):
    colour = {"RGB": (200, 30, 60), "CMYK": (0, 255, 255, 0)}[mode]
    plain = Image.new(mode, SIZE, colour)
    with caplog.at_level(logging.WARNING, "athumb_storage"):
        thumb = thumb_of(saved(plain, "TIFF", icc_profile=profile), size=(20, 20))
    assert at(thumb, 0.5, 0.5) == near(plain.convert("RGB").getpixel((0, 0)), 2)
    assert [(record.name, record.levelname) for record in caplog.records] == [("athumb_storage", "WARNING")]
    assert "ICC profile" in caplog.text


LINEAR = {f"{name}TRC": gamma(1.0) for name in "rgb"}
SRGB_PRIMARIES = ((0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141))
"""In XYZ under D50 (IEC 61966-2-1, annex F.8, after Bradford's adaptation)."""


def named_srgb(primaries, curves):
    """A profile that is called sRGB, whatever it is."""
    colours = {f"{name}XYZ": xyz(*primary) for name, primary in zip("rgb", primaries, strict=True)}
    return icc("mntr", "RGB ", "XYZ ", {**colours, **curves, "desc": text_description("sRGB IEC61966-2.1, or so")})


def test_a_profile_is_judged_by_its_numbers_and_not_by_its_name():
    linear = saved(halves("RGB", (128, 60, 20), (55, 128, 200)), icc_profile=named_srgb(SRGB_PRIMARIES, LINEAR))
    expected = [tuple(encoded_srgb(band / 255) for band in colour) for colour in ((128, 60, 20), (55, 128, 200))]
    assert sides_of(thumb_of(linear, size=(20, 20))) == [near(colour, 2) for colour in expected]
    wide = saved(
        halves("RGB", *COLOURS), icc_profile=named_srgb(P3_PRIMARIES, {f"{name}TRC": gamma(2.2) for name in "rgb"})
    )
    assert sides_of(thumb_of(wide, size=(20, 20))) == [near(wide_in_srgb(colour), 4) for colour in COLOURS]


@pytest.mark.parametrize("original", ["JPEG", "PNG"])
def test_the_profile_of_colours_counts_for_a_grey_image_too(original):
    """Chromium shows 32, 64, 128 and 200 as 99, 137, 188 and 229."""
    image = halves("L", 64, 200)
    data = saved(image, original, icc_profile=named_srgb(SRGB_PRIMARIES, LINEAR))
    assert sides_of(thumb_of(data, size=(20, 20))) == [near((137,) * 3, 2), near((229,) * 3, 2)]


GREYS = (16, 64, 96, 128, 160, 192, 240)
PURE = ((255, 0, 0), (200, 60, 60), (60, 60, 200))
CHROMIUM = {
    "BT.709": (
        [(b"cICP", bytes([1, 1, 0, 1]))],
        (4, 54, 87, 121, 155, 189, 239),
        (255, 0, 0),
        (197, 49, 49),
        (49, 49, 197),
    ),
    "sRGB": ([(b"cICP", bytes([1, 13, 0, 1]))], GREYS, *PURE),
    "unspecified": ([(b"cICP", bytes([1, 2, 0, 1]))], GREYS, *PURE),
    "linear": (
        [(b"cICP", bytes([1, 8, 0, 1]))],
        (71, 137, 165, 188, 208, 225, 248),
        (255, 0, 0),
        (229, 133, 133),
        (133, 133, 229),
    ),
    "gamma 2.2": (
        [(b"cICP", bytes([1, 4, 0, 1]))],
        (7, 62, 96, 129, 161, 193, 240),
        (255, 0, 0),
        (201, 57, 57),
        (57, 57, 201),
    ),
    "gamma 2.8": (
        [(b"cICP", bytes([1, 5, 0, 1]))],
        (1, 40, 72, 106, 142, 179, 237),
        (255, 0, 0),
        (189, 36, 36),
        (36, 36, 189),
    ),
    "P3": ([(b"cICP", bytes([12, 13, 0, 1]))], GREYS, (255, 0, 0), (217, 42, 52), (60, 60, 208)),
    "DCI": ([(b"cICP", bytes([11, 13, 0, 1]))], GREYS, (255, 0, 0), (212, 42, 53), (59, 59, 208)),
    "BT.2020": ([(b"cICP", bytes([9, 13, 0, 1]))], GREYS, (255, 0, 0), (247, 0, 53), (19, 57, 209)),
    "PQ": ([(b"cICP", bytes([1, 16, 0, 1]))], (1, 30, 70, 132, 213, 255, 255)),
    "HLG": ([(b"cICP", bytes([9, 18, 0, 1]))], (3, 43, 71, 99, 135, 189, 243)),
    "gAMA 1": (
        [(b"gAMA", struct.pack(">I", 100_000))],
        (71, 137, 165, 188, 208, 225, 248),
        (255, 0, 0),
        (229, 133, 133),
        (133, 133, 229),
    ),
    "gAMA 1/1.8": (
        [(b"gAMA", struct.pack(">I", 55_556))],
        (20, 81, 115, 146, 176, 203, 243),
        (255, 0, 0),
        (210, 77, 77),
        (77, 77, 210),
    ),
    "gAMA 1/2.2": ([(b"gAMA", struct.pack(">I", 45_455))], GREYS, *PURE),
    "gAMA and cHRM of P3": (
        [
            (b"gAMA", struct.pack(">I", 45_455)),
            (b"cHRM", struct.pack(">8I", 31_270, 32_900, 68_000, 32_000, 26_500, 69_000, 15_000, 6_000)),
        ],
        (7, 62, 96, 129, 161, 193, 240),
        (255, 0, 0),
        (219, 37, 49),
        (57, 57, 209),
    ),
    "cHRM alone": (
        [(b"cHRM", struct.pack(">8I", 31_270, 32_900, 68_000, 32_000, 26_500, 69_000, 15_000, 6_000))],
        GREYS,
        *PURE,
    ),
    "cICP before all": (
        [
            (b"cICP", bytes([1, 13, 0, 1])),
            (b"gAMA", struct.pack(">I", 100_000)),
            (b"iCCP", b"p\0\0" + zlib.compress(WIDE)),
        ],
        GREYS,
        *PURE,
    ),
    "sRGB before gAMA": ([(b"sRGB", b"\0"), (b"gAMA", struct.pack(">I", 100_000))], GREYS, *PURE),
}
"""Chunks of a PNG, and what Chromium 156 shows on an sRGB screen of some greys and colours."""


@pytest.mark.parametrize("case", CHROMIUM)
def test_colours_of_a_png_are_what_a_browser_shows(case):
    chunks, greys, *colours = CHROMIUM[case]
    wanted = [(grey,) * 3 for grey in greys] + colours
    stored = [(grey,) * 3 for grey in GREYS] + list(PURE)[: len(colours)]
    row = b"".join(bytes(colour) * 4 for colour in stored)
    data = png_of((4 * len(stored), 4), 8, 2, [row] * 4, *chunks)
    thumb = thumb_of(data, size=(4 * len(stored), 4))
    found = [thumb.convert("RGB").getpixel((4 * number + 1, 2)) for number in range(len(stored))]
    assert found == [near(colour, 1) for colour in wanted]


@pytest.mark.parametrize("colour_type", [2, 6, 0], ids=["rgb", "rgba", "grey"])
@pytest.mark.parametrize("told", ["gAMA", "cICP", "iCCP"])
def test_sixteen_bits_are_converted_before_they_are_cut_to_eight(colour_type, told):
    """Linear light of a dark ramp: cut to eight bits first, 40 shades of it would be but two."""
    profile = LINEAR_GREY if colour_type == 0 else named_srgb(SRGB_PRIMARIES, LINEAR)
    chunk = {
        "gAMA": (b"gAMA", struct.pack(">I", 100_000)),
        "cICP": (b"cICP", bytes([1, 8, 0, 1])),
        "iCCP": (b"iCCP", b"p\0\0" + zlib.compress(profile)),
    }[told]
    shades = [16 * number for number in range(40)]
    pixel = {0: (1, 0), 2: (3, 0), 6: (3, 1)}[colour_type]
    row = b"".join((struct.pack(">H", shade) * pixel[0] + b"\xff\xff" * pixel[1]) * 4 for shade in shades)
    thumb = thumb_of(png_of((160, 4), 16, colour_type, [row] * 4, chunk), size=(160, 4)).convert("RGB")
    found = [thumb.getpixel((4 * number + 2, 2)) for number in range(len(shades))]
    assert found == [near((encoded_srgb(shade / 65535),) * 3, 1) for shade in shades]
    assert len(set(found)) > 15


@pytest.mark.parametrize(
    ("profile", "expected"),
    [(WIDE, wide_in_srgb(COLOURS[0])), (b"no profile at all", COLOURS[0]), (WIDE[:150], COLOURS[0])],
    ids=["as steep as sRGB", "text", "truncated"],
)
def test_sixteen_bits_with_another_profile(profile, expected):
    left = tuple(257 * band for band in COLOURS[0])
    data = deep_png(2, left, left, (b"iCCP", b"p\0\0" + zlib.compress(profile)))
    assert at(thumb_of(data, size=(20, 20)), 0.5, 0.5) == near(expected, 4)


@pytest.mark.parametrize("numbers", [(0,) * 8, (31_270, 32_900) * 4, (2**31 - 1, 1) * 4])
@pytest.mark.parametrize("gamma_", [45_455, 1, 2**31 - 1])
def test_chromaticities_that_make_no_colours_are_ignored(numbers, gamma_):
    chunks = [(b"gAMA", struct.pack(">I", gamma_)), (b"cHRM", struct.pack(">8I", *numbers))]
    data = png_of((4, 4), 8, 2, [bytes(COLOURS[0]) * 4] * 4, *chunks)
    assert thumb_of(data, size=(4, 4)).size == (4, 4)


# Colour keys (PNG specification, section 11.3.1.1): the pixels of just that value, before anything is done to them.


def packed(values, depth):
    bits = "".join(f"{value:0{depth}b}" for value in values)
    return int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")


@pytest.mark.parametrize(
    ("colours", "depth", "key", "others"),
    [
        (1, 1, 1, [0]),
        (1, 2, 2, [0, 1, 3]),
        (1, 4, 9, [8, 10, 0, 15]),
        (1, 8, 77, [76, 78, 9]),
        (1, 16, 0x1234, [0x1233, 0x1235, 0x1200, 0x3412]),
        (3, 8, 77, [76, 78, 9]),
        (3, 16, 0x1234, [0x1233, 0x1235, 0x1200, 0x3412]),
    ],
)
def test_just_the_pixels_of_the_key_are_transparent(colours, depth, key, others):
    values = [key, *others]
    row = packed([value for value in values for _ in range(4 * colours)], depth)
    keys = struct.pack(">H", key) * colours
    data = png_of((4 * len(values), 4), depth, {1: 0, 3: 2}[colours], [row] * 4, (b"tRNS", keys))
    thumb = thumb_of(data, size=(4 * len(values), 4)).convert("RGBA")
    alphas = [thumb.getpixel((4 * number + 2, 2))[3] for number in range(len(values))]
    assert alphas == [0] + [255] * len(others)
    most = (1 << depth) - 1
    expected = [near((round(value * 255 / most),) * 3, 1) for value in others]
    assert [thumb.getpixel((4 * number + 2, 2))[:3] for number in range(1, len(values))] == expected


# TIFF files of which Pillow makes something else


def tiff_image(bits, pixels, *, photometric=1, samples=1, planes=1, kind=1, colour_map=(), size=(8, 8)):
    """A TIFF file put together by hand; `pixels` are those of each plane, one after the other."""
    body = b"".join(pixels) + struct.pack(f"<{len(colour_map)}H", *colour_map)
    at = 8 + len(body)
    starts = [8 + sum(map(len, pixels[:number])) for number in range(len(pixels))]
    extra = struct.pack(f"<{samples}H", *[bits] * samples) + struct.pack(f"<{samples}H", *[kind] * samples)
    offsets = struct.pack(f"<{len(pixels)}I", *starts) + struct.pack(f"<{len(pixels)}I", *map(len, pixels))
    entries = [
        (256, 4, 1, size[0]), (257, 4, 1, size[1]), (259, 3, 1, 1), (262, 3, 1, photometric), (277, 3, 1, samples),
        (258, 3, samples, at if samples > 2 else bits), (278, 4, 1, size[1]), (284, 3, 1, planes),
        (339, 3, samples, at + 2 * samples if samples > 2 else kind),
        (273, 4, len(pixels), at + 4 * samples if len(pixels) > 1 else 8),
        (279, 4, len(pixels), at + 4 * samples + 4 * len(pixels) if len(pixels) > 1 else len(pixels[0])),
    ]  # fmt: skip
    if colour_map:
        entries.append((320, 3, len(colour_map), 8 + len(b"".join(pixels))))
    start = at + len(extra) + len(offsets)
    return struct.pack("<2sHI", b"II", 42, start) + body + extra + offsets + ifd(entries)


def test_a_tiff_whose_colour_map_has_eight_bits():
    colours = [0] * 768
    for number, colour in ((1, (200, 30, 60)), (2, (0, 90, 250))):
        for band in range(3):
            colours[256 * band + number] = colour[band]
    data = tiff_image(8, [bytes([1, 1, 1, 1, 2, 2, 2, 2]) * 8], photometric=3, colour_map=colours)
    assert sides_of(thumb_of(data, size=(8, 8))) == [near((200, 30, 60), 2), near((0, 90, 250), 2)]


def test_a_tiff_of_16_bits_where_zero_is_white():
    data = tiff_image(16, [struct.pack("<8H", *[0] * 4, *[40000] * 4) * 8], photometric=0)
    assert sides_of(thumb_of(data, size=(8, 8))) == [near((255,) * 3, 1), near((99,) * 3, 1)]


@pytest.mark.parametrize(("values", "expected"), [((0.25, 1.0), (64, 255)), ((64.0, 200.0), (64, 200))])
def test_a_tiff_of_floats(values, expected):
    data = tiff_image(32, [struct.pack("<8f", *[values[0]] * 4, *[values[1]] * 4) * 8], kind=3)
    assert sides_of(thumb_of(data, size=(8, 8))) == [near((value,) * 3, 1) for value in expected]


@pytest.mark.parametrize("kind", [1, 2], ids=["unsigned", "signed"])
def test_a_tiff_of_whole_numbers_of_32_bits_is_refused(kind):
    data = tiff_image(32, [struct.pack("<8I", *[3 << 29] * 8) * 8], kind=kind)
    with pytest.raises(UploadedImageIsUnreadableError, match=r"32 bits|cannot be read"):
        thumb_of(data, size=(8, 8))


def test_a_tiff_of_16_bits_in_planes_is_refused():
    planes = [struct.pack("<64H", *[value] * 64) for value in (51400, 7710, 15420)]
    data = tiff_image(16, planes, photometric=2, samples=3, planes=2)
    with pytest.raises(UploadedImageIsUnreadableError, match="stored apart"):
        thumb_of(data, size=(8, 8))


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "GIF", "WEBP", "AVIF"])
def test_thumbs_carry_nothing_but_pixels(format_):
    exif = Image.Exif()
    exif[0x010E] = "a secret description"
    exif[0x0112] = 6
    data = saved(
        halves("RGB", *COLOURS), "JPEG", icc_profile=WIDE, exif=exif, comment=b"a secret comment", dpi=(300, 300)
    )
    result = rendered(data, {"thumb": Thumb(size=(20, 20))}, format_)["thumb"]
    image = Image.open(io.BytesIO(result.data))
    assert not {"icc_profile", "exif", "comment", "xmp", "photoshop"} & set(image.info)
    assert not dict(image.getexif())
    assert b"secret" not in result.data


def test_the_text_of_a_png_is_left_behind():
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("Comment", "a secret comment")
    result = rendered(saved(halves("RGB", *COLOURS), pnginfo=info), {"thumb": Thumb(size=(20, 20))}, "PNG")["thumb"]
    assert b"secret" not in result.data
