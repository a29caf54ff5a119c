"""Image files put together by hand, for what no program writes."""

import struct
import zlib

# JPEG


def segment(marker, payload):
    return bytes([0xFF, marker]) + struct.pack(">H", len(payload) + 2) + payload


def after_soi(jpeg, *segments):
    """The JPEG with these segments before its own, which come without the density that Pillow takes from JFIF."""
    start = 4 + int.from_bytes(jpeg[4:6], "big") if jpeg[3] == 0xE0 else 2
    return jpeg[:2] + b"".join(segments) + jpeg[start:]


# PNG


def chunk(name, data=b""):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(size, *chunks, pixels=None, after=()):
    """A grey PNG of 8 bits, with more chunks before and after its pixels."""
    width, height = size
    pixels = zlib.compress(b"\0" * (height * (width + 1))) if pixels is None else pixels
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    parts = [header, *chunks, chunk(b"IDAT", pixels), *after, chunk(b"IEND")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


# GIF

CONTROL = b"!\xf9\x04\x08\0\0\0\0"


def gif(size, *blocks):
    """A GIF with a palette of black and white."""
    return b"GIF89a" + struct.pack("<HH", *size) + b"\x80\0\0" + b"\0\0\0\xff\xff\xff" + b"".join(blocks) + b";"


def frame(left=0, top=0, width=1, height=1):
    """A frame with the pixels of 1 x 1."""
    return b"," + struct.pack("<4H", left, top, width, height) + b"\0\x02\x02\x44\x01\0"


# TIFF and EXIF


def directory(*entries, following=0, order="<"):
    """A directory of (tag, type, count, value or offset)."""
    parts = [struct.pack(order + "HHI", *entry[:3]) + _value(order, *entry[1:]) for entry in entries]
    return struct.pack(order + "H", len(entries)) + b"".join(parts) + struct.pack(order + "I", following)


def _value(order, kind, count, value):
    return struct.pack(order + "HH", value, 0) if kind == 3 and count == 1 else struct.pack(order + "I", value)


def tiff(*parts, order="<"):
    """A file whose first directory is the first part."""
    return (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8) + b"".join(parts)


def page(size, *entries, following=0):
    """The directory of a grey page, whose pixels are the first bytes of the file."""
    width, height = size
    usual = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 0)]
    usual += [(277, 3, 1, 1), (278, 4, 1, height), (279, 4, 1, min(width * height, 2**32 - 1))]
    wanted = {entry[0]: entry for entry in [*usual, *entries]}
    return directory(*(wanted[tag] for tag in sorted(wanted)), following=following)


# BMP


def bmp(size, bits=24):
    head = struct.pack("<IHHI", 100, 0, 0, 54)
    return b"BM" + head + struct.pack("<IiiHHIIiiII", 40, *size, 1, bits, 0, 0, 0, 0, 0, 0) + b"\0" * 50


# WebP


def riff(*chunks):
    content = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(content)) + content


def riff_chunk(name, data=b""):
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def vp8x(flags, size):
    return riff_chunk(b"VP8X", bytes([flags, 0, 0, 0]) + b"".join((side - 1).to_bytes(3, "little") for side in size))


def anmf(image, size, extra=b""):
    """A frame of an animation; `image` is a WebP file of one chunk."""
    sides = b"".join((side - 1).to_bytes(3, "little") for side in size)
    return riff_chunk(b"ANMF", b"\0" * 6 + sides + b"\0" * 4 + image[12:] + extra)
