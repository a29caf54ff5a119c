"""Valid images, small and varied, and the few bricks that images are built of by hand."""

from __future__ import annotations

import io
import random
import struct
import zlib
from functools import lru_cache

from PIL import Image, ImageCms

SIZE = (48, 36)

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"

EXTENSIONS = {"JPEG": "jpg", "PNG": "png", "GIF": "gif", "WEBP": "webp", "AVIF": "avif", "BMP": "bmp", "TIFF": "tif"}
"""Every format that an original is read in, with an extension for it."""


def picture(mode="RGB", size=SIZE, seed=1):
    """A soft gradient under noise, so that no format can make nothing of it."""
    rng = random.Random(seed)
    bands = []
    for turn in (0, 90, 180):
        noise = Image.frombytes("L", size, rng.randbytes(size[0] * size[1]))
        bands.append(Image.blend(Image.linear_gradient("L").rotate(turn).resize(size), noise, 0.2))
    whole = Image.merge("RGB", bands)
    if mode.endswith("A"):
        whole.putalpha(bands[0])
    if mode == "I;16":
        return Image.frombytes("I;16", size, rng.randbytes(2 * size[0] * size[1]))
    return whole.convert(mode)


def saved(image, image_format, **options):
    output = io.BytesIO()
    # A copy, because Pillow leaves what one encoder was told on the image, where the next one stumbles over it.
    image.copy().save(output, image_format, **options)
    return output.getvalue()


def _exif(orientation=6):
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010E] = "a camera's word"
    return exif


def srgb_profile():
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def _frames(mode="RGB"):
    first, *more = (picture(mode, seed=seed) for seed in (1, 2, 3))
    return first, {"save_all": True, "append_images": more}


def _animated(image_format, **options):
    first, more = _frames()
    return saved(first, image_format, **more, **options)


@lru_cache
def samples():
    """Name -> (format, bytes) of each valid image."""
    rgb, rgba, grey = picture(), picture("RGBA"), picture("L")
    palette = rgb.quantize(16)
    moving_palette, more_palettes = _frames("P")
    return {
        "jpeg": ("JPEG", saved(rgb, "JPEG")),
        "jpeg-progressive": ("JPEG", saved(rgb, "JPEG", progressive=True, exif=_exif(), comment="hello")),
        "jpeg-cmyk": ("JPEG", saved(picture("CMYK"), "JPEG")),
        "jpeg-grey-icc": ("JPEG", saved(rgb, "JPEG", icc_profile=srgb_profile(), restart_marker_rows=1)),
        "mpo": ("JPEG", _animated("MPO")),
        "png": ("PNG", saved(rgba, "PNG", icc_profile=srgb_profile(), exif=_exif(8))),
        "png-palette": ("PNG", saved(palette, "PNG", transparency=3)),
        "png-deep": ("PNG", saved(picture("I;16"), "PNG")),
        "png-bits": ("PNG", saved(grey.convert("1"), "PNG")),
        "apng": ("PNG", _animated("PNG")),
        "gif": ("GIF", saved(palette, "GIF", transparency=2, comment=b"hello")),
        "gif-animated": ("GIF", saved(moving_palette, "GIF", **more_palettes, loop=0, duration=40, disposal=2)),
        "webp": ("WEBP", saved(rgba, "WEBP", exif=_exif(), xmp=b"<x:xmpmeta/>")),
        "webp-lossless": ("WEBP", saved(rgb, "WEBP", lossless=True)),
        "webp-animated": ("WEBP", _animated("WEBP")),
        "avif": ("AVIF", saved(rgba, "AVIF", speed=10, exif=_exif(3))),
        "avif-animated": ("AVIF", _animated("AVIF", speed=10)),
        "bmp": ("BMP", saved(rgb, "BMP")),
        "bmp-palette": ("BMP", saved(palette, "BMP")),
        "tiff": ("TIFF", saved(rgb, "TIFF", exif=_exif(5))),
        "tiff-pages": ("TIFF", _animated("TIFF", compression="tiff_lzw")),
        "tiff-deflate": ("TIFF", saved(rgba, "TIFF", compression="tiff_adobe_deflate")),
        "tiff-jpeg": ("TIFF", saved(rgb, "TIFF", compression="jpeg")),
        "tiff-packbits": ("TIFF", saved(grey, "TIFF", compression="packbits")),
        "tiff-fax": ("TIFF", saved(grey.convert("1"), "TIFF", compression="group4")),
    }


def one_of_each():
    """Format -> the bytes of a valid image in it."""
    return {image_format: samples()[image_format.lower()][1] for image_format in EXTENSIONS}


# Bricks


def png_chunk(kind, data=b""):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, *chunks, depth=8, colour=0, pixels=None, after=()):
    """A PNG, by default grey and all black; `chunks` come before its pixels, `after` behind them."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    if pixels is None:
        pixels = zlib.compress(bytes((width + 1) * height))
    parts = [png_chunk(b"IHDR", header), *chunks, png_chunk(b"IDAT", pixels), *after, png_chunk(b"IEND")]
    return PNG_MAGIC + b"".join(parts)


def deflated_zeros(count):
    """A zlib stream of `count` zeros, in hardly any time: all but its end is one block over and over."""
    size = 1 << 20
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(size)) + packer.flush(zlib.Z_FULL_FLUSH)
    rest = zlib.compressobj(9, zlib.DEFLATED, -15)
    end = rest.compress(bytes(count % size)) + rest.flush()
    # Adler-32 of n zeros is n in its upper and one in its lower half (RFC 1950, section 9).
    return b"\x78\xda" + block * (count // size) + end + struct.pack(">HH", count % 65521, 1)


def jpeg_segment(marker, data):
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def jpeg_with(*segments, image=None):
    """A valid JPEG with these segments right behind its first marker."""
    data = image or samples()["jpeg"][1]
    return data[:2] + b"".join(segments) + data[2:]


def gif_head(width, height, palette=True):
    return (
        b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80 if palette else 0, 0, 0) + palette * b"\0\0\0\xff\xff\xff"
    )


def gif_frame(width=1, height=1, pixels=b"\x02\x02\x4c\x01\x00", left=0, top=0):
    """One frame; by default its pixels are those of a single black one."""
    return b"," + struct.pack("<HHHHB", left, top, width, height, 0) + pixels


def gif_blocks(data):
    return b"".join(bytes([len(data[at : at + 255])]) + data[at : at + 255] for at in range(0, len(data), 255)) + b"\0"


def gif_zeros():
    """(LZW bytes, pixels): one round of the LZW code whose table only ever grows by zeros, a whole number of bytes.

    Each code says one zero more than the code before it. A round begins with its clear code, so rounds can be strung
    together: a hundred bytes of them are more than a hundred thousand pixels.
    """
    codes, width, bits, pixels = [], 3, 0, 0
    emitted = [(4, 3), (0, 3)]  # clear, then the first zero
    pixels = 1
    for code in range(6, 4096):
        emitted.append((code, max(3, code.bit_length())))
        pixels += code - 4
    for code, width in emitted:
        codes.append(code << bits)
        bits += width
    while bits % 8:  # the last code again and again: the table is full, so its width stays
        codes.append(4095 << bits)
        bits += 12
        pixels += 4095 - 4
    return sum(codes).to_bytes(bits // 8, "little"), pixels


def riff(*chunks):
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def riff_chunk(kind, data):
    return kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def webp_canvas(width, height, flags=0):
    """A VP8X chunk: the extended header."""
    sides = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    return riff_chunk(b"VP8X", bytes([flags, 0, 0, 0]) + sides)


def webp_frame(pixels, width=1, height=1):
    sides = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    return riff_chunk(b"ANMF", bytes(6) + sides + b"\x0a\0\0\0" + pixels)


SHORT, LONG, RATIONAL, UNDEFINED, ASCII = 3, 4, 5, 7, 2


def ifd(entries, following=0):
    """A TIFF directory; each entry is (tag, type, count, value or offset)."""
    packed = b"".join(struct.pack("<HHII", *entry) for entry in sorted(entries))
    return struct.pack("<H", len(entries)) + packed + struct.pack("<I", following)


def tiff_entries(width, height, /, *, strip=8, length=None, compression=1, **more):
    """The entries that a grey TIFF of one strip, lying at `strip`, needs; `more` replaces some."""
    entries = {
        "width": (256, LONG, 1, width),
        "height": (257, LONG, 1, height),
        "bits": (258, SHORT, 1, 8),
        "compression": (259, SHORT, 1, compression),
        "photometric": (262, SHORT, 1, 1),
        "offsets": (273, LONG, 1, strip),
        "samples": (277, SHORT, 1, 1),
        "rows": (278, LONG, 1, height),
        "lengths": (279, LONG, 1, width * height if length is None else length),
    }
    return [entry for entry in {**entries, **more}.values() if entry]


def tiff(entries, payload=b"", following=0):
    """A TIFF of one directory; its `payload` lies at 8, so that entries can point into it."""
    payload += b"\0" * (len(payload) % 2)
    return struct.pack("<2sHI", b"II", 42, 8 + len(payload)) + payload + ifd(entries, following)
