"""Animations put together by hand, so that each says just what a test wants, and how often an animation is shown."""

import io
import struct

from PIL import Image

from tests.hostile.builder import PNG_MAGIC, png_chunk, riff, riff_chunk, webp_canvas
from tests.unit.rendering import BLUE, LIME, RED, saved

NOTHING = (0, 0, 0, 0)
COLOURS = (RED, LIME, BLUE)
"""Of the palette of each GIF here; the fourth is nothing."""


def piece(size, colour, hole=None):
    """A picture in one colour, with a hole in it."""
    image = Image.new("RGBA", size, colour)
    if hole:
        image.paste(NOTHING, hole)
    return image


# GIF


def gif_frame(image, corner=(0, 0), delay=10, disposal=None):
    """A frame of the colours above. Without a disposal it has no control block, unless something is transparent."""
    pixels = Image.new("P", image.size)
    pixels.putpalette([band for colour in (*COLOURS, RED) for band in colour])
    indexes = {(*colour, 255): number for number, colour in enumerate(COLOURS)} | {NOTHING: 3}
    pixels.putdata([indexes[colour] for colour in image.get_flattened_data()])
    data = saved(pixels, "GIF", optimize=False, interlace=False)
    picture = data[data.index(b",", 13 + 3 * 4) : -1]
    flags = (disposal or 0) << 2 | (image.getextrema()[3][0] == 0)
    control = struct.pack("<3sBHBB", b"!\xf9\x04", flags, delay, 3, 0) if flags or delay or disposal else b""
    return control + picture[:1] + struct.pack("<HH", *corner) + picture[5:]


def gif(size, *frames, repeats=None, before=b""):
    """Frames on a canvas; without `repeats` it is shown once."""
    palette = bytes(band for colour in (*COLOURS, RED) for band in colour)
    head = b"GIF89a" + struct.pack("<HHBBB", *size, 0x81, 0, 0) + palette
    looping = b"" if repeats is None else b"!\xff\x0bNETSCAPE2.0\x03\x01" + struct.pack("<H", repeats) + b"\0"
    return head + looping + before + b"".join(frames) + b";"


# PNG


def png_frame(image, corner=(0, 0), delay=(100, 1000), disposal=0, blending=0):
    return image, struct.pack(">4I2H2B", *image.size, *corner, *delay, disposal, blending)


def apng(size, *frames, plays=0, promised=None, default=None, before=b""):
    """Frames on a canvas, with or without a picture for those who know no animations."""
    head = png_chunk(b"IHDR", struct.pack(">II5B", *size, 8, 6, 0, 0, 0))
    control = png_chunk(b"acTL", struct.pack(">II", len(frames) if promised is None else promised, plays))
    data = [PNG_MAGIC, head, control, before]
    if default:
        data.append(png_chunk(b"IDAT", _pixels(default)))
    number = 0
    for image, told in frames:
        data.append(png_chunk(b"fcTL", struct.pack(">I", number) + told))
        number += 1
        if len(data) == 5 and not default:
            data.append(png_chunk(b"IDAT", _pixels(image)))
        else:
            data.append(png_chunk(b"fdAT", struct.pack(">I", number) + _pixels(image)))
            number += 1
    return b"".join([*data, png_chunk(b"IEND")])


def _pixels(image):
    data = saved(image, "PNG")
    at = data.index(b"IDAT")
    return data[at + 4 : at + 4 + int.from_bytes(data[at - 4 : at], "big")]


# WebP


def webp_frame(image, corner=(0, 0), duration=100, cleared=False, over=True):
    sides = [*(side // 2 for side in corner), *(side - 1 for side in image.size), duration]
    data = b"".join(side.to_bytes(3, "little") for side in sides) + bytes([2 * (not over) | cleared])
    picture = saved(image, "WEBP", lossless=True, exact=True)[12:]
    return riff_chunk(b"ANMF", data + (picture[18:] if picture.startswith(b"VP8X") else picture))


def webp(size, *frames, plays=0, flags=0, before=b"", after=b""):
    control = riff_chunk(b"ANIM", struct.pack("<IH", 0, plays))
    return riff(webp_canvas(*size, 0x12 | flags), before, control, *frames, after)


# All


def frames_of(data):
    """Each frame as Pillow shows it, in RGBA, and how long, in ms."""
    image = Image.open(io.BytesIO(data))
    found = []
    for number in range(getattr(image, "n_frames", 1)):
        image.seek(number)
        image.load()
        found.append((image.convert("RGBA"), round(image.info.get("duration", 0))))
    return found


def durations_of(data):
    return [duration for _, duration in frames_of(data)]


def plays_of(data):
    """How often it is shown, as its format has it; 0 is for ever."""
    if data.startswith(b"GIF"):
        at = data.find(b"NETSCAPE2.0\x03\x01") + 13
        repeats = int.from_bytes(data[at : at + 2], "little")
        return 1 if at == 12 else repeats + 1 if repeats else 0
    if data.startswith(b"RIFF"):
        at = data.index(b"ANIM") + 12
        return int.from_bytes(data[at : at + 2], "little")
    if data.startswith(PNG_MAGIC):
        at = data.index(b"acTL") + 8
        return int.from_bytes(data[at : at + 4], "big")
    whole, once = data.index(b"tkhd") + 32, data.index(b"elst") + 12
    if data[whole : whole + 8] == b"\xff" * 8:
        return 0
    return int.from_bytes(data[whole : whole + 8], "big") // int.from_bytes(data[once : once + 8], "big")
