"""Image files put together by hand, for what no program writes: the chunks, boxes and segments of each format."""

from __future__ import annotations

import struct
import zlib

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"


def patched(data, at, new):
    """The data with these bytes in place of as many."""
    return data[:at] + new + data[at + len(new) :]


def deflated_zeros(count):
    """A zlib stream of `count` zeros, in hardly any time: all but its end is one block over and over."""
    size = 1 << 20
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(size)) + packer.flush(zlib.Z_FULL_FLUSH)
    rest = zlib.compressobj(9, zlib.DEFLATED, -15)
    end = rest.compress(bytes(count % size)) + rest.flush()
    # Adler-32 of n zeros is n in its upper and one in its lower half (RFC 1950, section 9).
    return b"\x78\xda" + block * (count // size) + end + struct.pack(">HH", count % 65521, 1)


# JPEG


def jpeg_segment(marker, data=b""):
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def after_soi(jpeg, *segments, jfif=True):
    """The JPEG with these segments before its own, which can come without JFIF, where Pillow takes a density from."""
    start = 2 if jfif or jpeg[3] != 0xE0 else 4 + int.from_bytes(jpeg[4:6], "big")
    return jpeg[:2] + b"".join(segments) + jpeg[start:]


def exif_segments(exif):
    """EXIF data in as many segments as they need."""
    return [jpeg_segment(0xE1, b"Exif\0\0" + exif[at : at + 65_000]) for at in range(0, len(exif), 65_000)]


def jpeg_of_size(jpeg, width, height):
    """The JPEG with a header that tells this size."""
    frame = max(jpeg.find(b"\xff\xc0\0\x11"), jpeg.find(b"\xff\xc2\0\x11"))
    return patched(jpeg, frame + 5, struct.pack(">HH", height, width))


def with_scans(jpeg, count):
    """A progressive JPEG with its last scan so many times more."""
    return jpeg[:-2] + jpeg[jpeg.rindex(b"\xff\xda") : -2] * count + jpeg[-2:]


# PNG


def png_chunk(kind, data=b""):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, *chunks, depth=8, colour=0, pixels=None, after=()):
    """A PNG, by default grey and all black; `chunks` come before its pixels, `after` behind them."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    if pixels is None:
        pixels = zlib.compress(bytes((width + 1) * height))
    parts = [png_chunk(b"IHDR", header), *chunks, png_chunk(b"IDAT", pixels), *after, png_chunk(b"IEND")]
    return PNG_MAGIC + b"".join(parts)


def packed_chunk(kind, number, text):
    """A chunk of compressed text or of a compressed profile."""
    head = {b"zTXt": b"key%d\0\0", b"iTXt": b"key%d\0\1\0\0\0", b"iCCP": b"key%d\0\0"}[kind] % number
    return png_chunk(kind, head + zlib.compress(text, 9))


# GIF

GIF_CONTROL = b"!\xf9\x04\x08\0\0\0\0"


def gif(width, height, *blocks):
    return gif_head(width, height) + b"".join(blocks) + b";"


def gif_head(width, height, palette=True):
    """All before the first frame, with a palette of black and white."""
    return (
        b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80 if palette else 0, 0, 0) + palette * b"\0\0\0\xff\xff\xff"
    )


def gif_frame(width=1, height=1, pixels=b"\x02\x02\x44\x01\x00", left=0, top=0):
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


# WebP


def riff(*chunks):
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def riff_chunk(kind, data=b""):
    return kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def webp_canvas(width, height, flags=0):
    """A VP8X chunk: the extended header."""
    return riff_chunk(b"VP8X", bytes([flags, 0, 0, 0]) + _webp_sides(width, height))


def webp_frame(pixels, width=1, height=1):
    """A frame of an animation; `pixels` is the chunk of an image, and what else the frame holds."""
    return riff_chunk(b"ANMF", bytes(6) + _webp_sides(width, height) + b"\x0a\0\0\0" + pixels)


def _webp_sides(*sides):
    return b"".join((side - 1).to_bytes(3, "little") for side in sides)


# AVIF


def avif_of_size(avif, width, height):
    """The AVIF with a header that tells this size."""
    return patched(avif, avif.index(b"ispe") + 8, struct.pack(">II", width, height))


def avif_with_property(avif, prop):
    """The AVIF of one picture with one more property of that picture: the box's name, and its content."""
    box = struct.pack(">I", len(prop) + 4) + prop
    start, end = _box(avif, b"ipco")
    ipma, ipma_end = _box(avif, b"ipma")
    count = _count_of_boxes(avif[start + 8 : end])
    association = avif[ipma:ipma_end] + bytes([0x80 | (count + 1)])
    # Version and flags, the number of items, the item's number, and then how many properties it has.
    association = patched(association, 18, bytes([association[18] + 1]))
    association = struct.pack(">I", len(association)) + association[4:]
    result = avif[:end] + box + avif[end:ipma] + association + avif[ipma_end:]
    for name, added in ((b"ipco", len(box)), (b"iprp", len(box) + 1), (b"meta", len(box) + 1)):
        at = result.index(name) - 4
        result = patched(result, at, struct.pack(">I", int.from_bytes(result[at : at + 4], "big") + added))
    # Where the pixels are, which is the last number but one of iloc.
    at = _box(result, b"iloc")[1] - 8
    return patched(result, at, struct.pack(">I", int.from_bytes(result[at : at + 4], "big") + len(box) + 1))


def _box(data, name):
    """Where a box begins and ends."""
    start = data.index(name) - 4
    return start, start + int.from_bytes(data[start : start + 4], "big")


def _count_of_boxes(data):
    count, at = 0, 0
    while at < len(data):
        at += int.from_bytes(data[at : at + 4], "big")
        count += 1
    return count


# TIFF and EXIF

ASCII, SHORT, LONG, RATIONAL, UNDEFINED = 2, 3, 4, 5, 7


def ifd(entries, following=0, order="<"):
    """A directory; each entry is (tag, type, count, value or offset)."""
    packed = b"".join(
        # A single SHORT lies in the first two of the four bytes, whatever the order.
        struct.pack(order + "HHIHH", *entry, 0) if entry[1:3] == (SHORT, 1) else struct.pack(order + "HHII", *entry)
        for entry in sorted(entries)
    )
    return struct.pack(order + "H", len(entries)) + packed + struct.pack(order + "I", following)


def overlapping(count, size, at=8):
    """Entries that all have the same data."""
    return [(1000 + number, UNDEFINED, size, at) for number in range(count)]


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


def tiff_of(*parts, order="<"):
    """A TIFF, or EXIF data, whose first directory is the first part and lies at 8."""
    return (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8) + b"".join(parts)


def tiff_page(width, height, *entries, following=0):
    """The directory of a grey page, whose pixels are the first bytes of the file; `entries` replace the usual ones."""
    usual = tiff_entries(width, height, strip=0, length=min(width * height, 2**32 - 1))
    return ifd({entry[0]: entry for entry in [*usual, *entries]}.values(), following)


PAGE_SIZE = len(tiff_page(1, 1))


# BMP


def bmp(width, height, bits=24, compression=0, pixels=bytes(50), colours=0, palette=b""):
    head = struct.pack("<2sIHHI", b"BM", 100, 0, 0, 54 + len(palette))
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, 0, 0, 0, colours, 0)
    return head + header + palette + pixels
