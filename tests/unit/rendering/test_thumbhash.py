"""ThumbHashes, against those of the package thumbhash-python 1.0.1."""

from __future__ import annotations

import base64
import io

import pytest
from PIL import Image

from athumb_storage.rendering import placeholder_png
from athumb_storage.rendering.thumbhash import thumbhash

HASHES = [
    ((32, 24), False, "YOgFFYZgZFJ2aGd3lod1l7CaDnwV"),
    ((20, 32), False, "HtgFDAZQQWZ1eUZ4hojWqE8KbA=="),
    ((32, 3), False, "n5kJKYZQd1VkalhqtG+sb50="),
    ((16, 16), True, "HriFDQQXRFCVh5hZaG18/yNZJJlEsFZicw=="),
    ((9, 32), True, "HuiFCQQIQGWlaHjUe0+QZnB2YYpWRUI="),
]

# Some pixels of what thumbhash-python draws for them.
DRAWN = {
    "YOgFFYZgZFJ2aGd3lod1l7CaDnwV": ((10, 7), [(53, 113, 56), (180, 161, 111), (83, 86, 99), (156, 152, 100)]),
    "HtgFDAZQQWZ1eUZ4hojWqE8KbA==": ((6, 10), [(50, 94, 50), (122, 173, 128), (109, 123, 128), (169, 125, 122)]),
    "wwYKVwAI9wiIh4hwj3CI+AiIcH/4AAAA": ((10, 10), [(12, 8, 0), (0, 0, 0), (165, 161, 255), (8, 4, 0)]),
}


def pattern(size, *, is_clear):
    width, height = size
    image = Image.new("RGBA", size)
    for y in range(height):
        for x in range(width):
            colours = x * x * 13 + y * 3, y * y * 7 + x * 5 + 90, x * y * 5 + 40
            alpha = x * 19 + y * y * 5 if is_clear else 255
            image.putpixel((x, y), tuple(part % 256 for part in (*colours, alpha)))
    return image


@pytest.mark.parametrize(("size", "is_clear", "expected"), HASHES)
def test_the_hash(size, is_clear, expected):
    assert thumbhash(pattern(size, is_clear=is_clear)) == expected


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_the_hash_of_one_colour_in_each_mode(mode):
    grey = {"L": 128, "RGB": (128,) * 3, "RGBA": (128, 128, 128, 255)}[mode]
    assert thumbhash(Image.new(mode, (9, 9), grey)) == thumbhash(Image.new("RGB", (9, 9), (128, 128, 128)))


def test_the_hash_of_a_pixel():
    assert placeholder_png(thumbhash(Image.new("RGB", (1, 1), "red"))) is not None


def test_nothing_is_seen_of_an_image_that_is_clear():
    assert placeholder_png(thumbhash(Image.new("RGBA", (9, 9), (255, 0, 0, 0)))) is None


@pytest.mark.parametrize(("text", "drawn"), DRAWN.items())
def test_the_picture_of_a_hash(text, drawn):
    size, colours = drawn
    picture = Image.open(io.BytesIO(placeholder_png(text)))
    assert (picture.format, picture.size) == ("PNG", size)
    width, height = size
    for at, expected in zip((0, width - 1, (width * height + width) // 2, width * height - 1), colours, strict=True):
        pixel = picture.getpixel((at % width, at // width))
        assert all(abs(a - b) <= 1 for a, b in zip(pixel, expected, strict=True))


def test_a_picture_is_small():
    assert len(placeholder_png(HASHES[0][2])) < 300


@pytest.mark.parametrize(
    "text",
    ["", "no hash", "AAAA", "H/gJ", HASHES[0][2][:12], "é", HASHES[3][2]],
)
def test_there_is_no_picture_of_what_is_no_hash_or_clear(text):
    assert placeholder_png(text) is None


def test_any_bytes_give_a_picture_or_none():
    for start in range(256):
        data = bytes((start * 7 + step * 31) % 256 for step in range(30))
        picture = placeholder_png(base64.b64encode(data).decode())
        assert picture is None or picture.startswith(b"\x89PNG")
