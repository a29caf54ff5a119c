"""Families of hostile files: damaged, disguised, oversized on paper, or of a format that is none of our business."""

from __future__ import annotations

import io
import random
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from PIL import Image

from tests.hostile.builder import (
    ASCII,
    LONG,
    PNG_MAGIC,
    SHORT,
    UNDEFINED,
    avif_of_size,
    bmp,
    deflated_zeros,
    gif_blocks,
    gif_frame,
    gif_head,
    ifd,
    jpeg_of_size,
    jpeg_segment,
    patched,
    png,
    png_chunk,
    riff,
    riff_chunk,
    tiff,
    tiff_entries,
    webp_canvas,
)
from tests.hostile.samples import (
    EXTENSIONS,
    jpeg_with,
    one_of_each,
    picture,
    samples,
    saved,
    srgb_profile,
)

STORED: Final = "stored with its thumbs"
PLAIN: Final = "stored as it is"
REFUSED: Final = "refused"
NO_IMAGE: Final = frozenset({PLAIN, REFUSED})
"""No image of an accepted format: refused where only images are accepted, else stored as it is."""
BROKEN: Final = frozenset({REFUSED})
GOOD: Final = frozenset({STORED})
EITHER: Final = frozenset({STORED, REFUSED})
ANYTHING: Final = frozenset({STORED, PLAIN, REFUSED})


@dataclass(frozen=True)
class Case:
    """One hostile file, and what may become of it."""

    label: str
    file_name: str
    data: bytes
    expected: frozenset[str] = ANYTHING


Family = Callable[[], Iterator[Case]]


def _file_name(image_format: str) -> str:
    return f"cat.{EXTENSIONS[image_format]}"


# Damaged


def truncated(sample: str) -> Iterator[Case]:
    """The sample, cut off after every hundredth of it."""
    image_format, data = samples()[sample]
    for percent in range(100):
        yield Case(f"{percent} %", _file_name(image_format), data[: len(data) * percent // 100])


def flipped(sample: str) -> Iterator[Case]:
    """The sample with bits flipped: singly in its head, singly anywhere, and several at once."""
    image_format, data = samples()[sample]
    rng = random.Random(sample)
    for number in range(72):
        reach, count = [(96, 1), (len(data), 1), (len(data), 8)][number % 3]
        bits = sorted(rng.sample(range(8 * min(reach, len(data))), count))
        damaged = bytearray(data)
        for bit in bits:
            damaged[bit // 8] ^= 1 << bit % 8
        yield Case(f"bits {bits}", _file_name(image_format), bytes(damaged))


def overwritten(sample: str) -> Iterator[Case]:
    """The sample with a run of its bytes made the smallest, the largest, and doubled."""
    image_format, data = samples()[sample]
    rng = random.Random(sample)
    for number in range(24):
        start = rng.randrange(len(data) if number % 2 else 64)
        end = start + rng.choice((1, 2, 4, 32))
        filling = [bytes(end - start), b"\xff" * (end - start), data[start:end] * 2][number % 3]
        yield Case(f"[{start}:{end}] = {filling[:8]!r}", _file_name(image_format), data[:start] + filling + data[end:])


def tiny() -> Iterator[Case]:
    """Nothing, hardly anything, and no more than a magic number."""
    yield Case("nothing", "cat.jpg", b"", NO_IMAGE)
    for byte in (b"\0", b"\xff", b"G", b"<", b"B"):
        yield Case(f"only {byte!r}", "cat.png", byte, NO_IMAGE)
    for magic in (b"\xff\xd8", b"\x89PNG", b"GIF8", b"RIFF", b"BM", b"II*", b"\0\0\0\x20ftyp"):
        yield Case(f"half a magic number {magic!r}", "cat.gif", magic, NO_IMAGE)
    magics = {
        "JPEG": b"\xff\xd8\xff",
        "PNG": PNG_MAGIC,
        "GIF": b"GIF89a",
        "WEBP": b"RIFF\0\0\0\0WEBP",
        "AVIF": b"\0\0\0\x1cftypavif",
        **({"HEIC": b"\0\0\0\x1cftypheic"} if "HEIC" in EXTENSIONS else {}),
        "BMP": b"BM" + bytes(12) + b"\x28\0\0\0",
        "TIFF": b"II*\0",
    }
    for image_format, magic in magics.items():
        for filling in (b"", b"\0", b"\xff", bytes(64), b"\xff" * 64, bytes(range(256)) * 8):
            label = f"{image_format}: the magic number and {filling[:3]!r} x {len(filling)}"
            yield Case(label, _file_name(image_format), magic + filling, BROKEN)


# Disguised


def wrong_extension() -> Iterator[Case]:
    """Every format under the name of every other, and under names that are no image's."""
    names = [f"cat.{extension}" for extension in EXTENSIONS.values()]
    for image_format, data in one_of_each().items():
        for name in [*names, "cat", "cat.html", "cat.svg", "cat.php.jpg", "cat.jpg.exe", ".jpg", "cat.JPG", "cat.eps"]:
            yield Case(f"{image_format} as {name}", name, data, GOOD)


SCRIPT: Final = b"<html><script>alert(1)</script></html>"


def polyglots() -> Iterator[Case]:
    """An image and something else in one file."""
    jpeg, gif = samples()["jpeg"][1], samples()["gif"][1]
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("evil.html", SCRIPT)
    pixels = saved(Image.new("P", (0x2A2F, 1)), "GIF")  # a width that reads "/*"
    yield Case("GIF and JavaScript", "cat.gif", pixels.removesuffix(b";") + b";*/=1;alert(1)", GOOD)
    comment = b"!\xfe" + gif_blocks(SCRIPT)
    yield Case("GIF and HTML in a comment", "cat.gif", gif_head(1, 1) + comment + gif_frame() + b";", GOOD)
    yield Case("GIF and HTML behind it", "cat.gif", gif + SCRIPT, GOOD)
    yield Case("JPEG and ZIP", "cat.jpg", jpeg + archive.getvalue(), GOOD)
    yield Case("JPEG and HTML in a comment", "cat.jpg", jpeg_with(jpeg_segment(0xFE, SCRIPT)), GOOD)
    yield Case("JPEG and PDF", "cat.jpg", jpeg_with(jpeg_segment(0xFE, b"%PDF-1.4\n")) + b"\n%%EOF", GOOD)
    yield Case("JPEG and PHP in EXIF", "cat.jpg", jpeg_with(jpeg_segment(0xE1, b"Exif\0\0<?php exec(1) ?>")), EITHER)
    yield Case("PNG and HTML in text", "cat.png", png(3, 2, png_chunk(b"tEXt", b"Comment\0" + SCRIPT)), GOOD)
    yield Case("PNG and HTML behind it", "cat.html", png(3, 2) + SCRIPT, GOOD)
    yield Case("WebP and HTML", "cat.webp", samples()["webp-lossless"][1] + SCRIPT, GOOD)
    yield Case("BMP and HTML", "cat.bmp", samples()["bmp"][1] + SCRIPT, GOOD)
    entry = (270, ASCII, len(SCRIPT), 8 + 6)
    yield Case("TIFF and HTML", "cat.tif", tiff([*tiff_entries(3, 2), entry], bytes(6) + SCRIPT), GOOD)
    for image_format, data in one_of_each().items():
        yield Case(f"HTML, then {image_format}", _file_name(image_format), SCRIPT + data, NO_IMAGE)
        yield Case(f"PDF, then {image_format}", _file_name(image_format), b"%PDF-1.4\n" + data, NO_IMAGE)
        yield Case(f"a line feed, then {image_format}", _file_name(image_format), b"\n" + data, NO_IMAGE)
    for image_format, data in one_of_each().items():
        for other, more in one_of_each().items():
            half = data[: len(data) // 2] + more[len(more) // 2 :]
            yield Case(f"half {image_format}, half {other}", _file_name(image_format), half, EITHER)


def foreign() -> Iterator[Case]:
    """Formats that Pillow would open, and documents that a browser would run, under an image's name."""
    rgb = picture()
    for image_format in ("EPS", "PDF", "ICO", "PPM", "ICNS", "JPEG2000", "TGA", "PCX", "SGI", "DDS", "SPIDER"):
        image = rgb.convert("F") if image_format == "SPIDER" else rgb
        image = image.resize((32, 32)) if image_format == "ICNS" else image
        yield Case(image_format, "cat.jpg", saved(image, image_format), NO_IMAGE)
    yield Case("XBM", "cat.png", saved(picture("1"), "XBM"), NO_IMAGE)
    yield Case("DIB", "cat.bmp", saved(rgb, "DIB"), GOOD)
    yield Case("BigTIFF", "cat.tif", saved(rgb, "TIFF", big_tiff=True), GOOD)
    yield Case("MSP", "cat.png", saved(picture("1"), "MSP"), NO_IMAGE)
    by_hand = {
        "PSD": b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 8, 8, 8, 3) + bytes(300),
        "FITS": b"".join(line.ljust(80) for line in (b"SIMPLE  =                    T", b"END")).ljust(2880),
        "XPM": b'/* XPM */\nstatic char *x[] = {\n"1 1 1 1",\n"a c #000000",\n"a"\n};',
        "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n(%pipe%id) (w) file\n%%EOF",
        "DOS EPS": b"\xc5\xd0\xd3\xc6" + bytes(64),
        "WMF": b"\xd7\xcd\xc6\x9a" + bytes(80),
        "EMF": b"\1\0\0\0" + bytes(36) + b" EMF" + bytes(80),
        "CUR": b"\0\0\2\0\1\0" + bytes(64),
        "FLI": bytes(4) + b"\x12\xaf" + bytes(122),
        "DCX": b"\xb1\x68\xde\x3a" + bytes(64),
        "QOI": b"qoif" + struct.pack(">IIBB", 9, 9, 3, 0) + bytes(64),
        "MPEG": b"\0\0\1\xb3" + bytes(64),
        "OLE": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512),
        "SVG": b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
        "bare SVG": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
        "XML bomb": b'<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;">]><svg>&c;</svg>',
        "HTML": b"<!DOCTYPE html>" + SCRIPT,
        "PHP": b"<?php system($_GET[0]); ?>",
        "PDF": b"%PDF-1.7\n1 0 obj<</Type/Catalog/OpenAction<</S/JavaScript/JS(1)>>>>endobj\n%%EOF",
        "text that begins like a BMP": b"BMW drivers of the world, unite!" * 9,
        "WAV": b"RIFF\x24\0\0\0WAVEfmt " + bytes(32),
        "MP4": b"\0\0\0\x18ftypisom" + bytes(64),
        "executable": b"MZ\x90\0" + bytes(128),
        "ZIP": b"PK\3\4" + bytes(64),
    }
    for number, (label, data) in enumerate(by_hand.items()):
        name = "cat." + list(EXTENSIONS.values())[number % len(EXTENSIONS)]
        yield Case(label, name, data, NO_IMAGE)


# Oversized on paper


def _resized_webp(width: int, height: int, kind: str) -> bytes:
    if kind == "VP8X":
        return riff(webp_canvas(width, height), riff_chunk(b"VP8L", b"/" + bytes(20)))
    if kind == "VP8L":
        return riff(riff_chunk(b"VP8L", b"/" + struct.pack("<I", (width - 1) | (height - 1) << 14) + bytes(64)))
    frame = struct.pack("<3s3sHH", b"\x10\0\0", b"\x9d\x01\x2a", width, height)
    return riff(riff_chunk(b"VP8 ", frame + bytes(64)))


def _resized_gif(width: int, height: int, *, frame_only: bool = False) -> bytes:
    head = gif_head(1, 1) if frame_only else gif_head(width, height)
    return head + gif_frame(width, height) + b";"


def _resized_bmp(width: int, height: int) -> bytes:
    return patched(samples()["bmp"][1], 18, struct.pack("<ii", width, height))


def huge_dimensions() -> Iterator[Case]:
    """Small files whose header promises more pixels than any machine has."""
    for size in ((65500, 65500), (65535, 65535), (65535, 1400), (30000, 30000)):
        yield Case(f"JPEG {size}", "cat.jpg", jpeg_of_size(samples()["jpeg"][1], *size), BROKEN)
        yield Case(f"progressive JPEG {size}", "cat.jpg", jpeg_of_size(samples()["jpeg-progressive"][1], *size), BROKEN)
        yield Case(f"GIF {size}", "cat.gif", _resized_gif(*size), BROKEN)
        yield Case(f"GIF frame {size}", "cat.gif", _resized_gif(*size, frame_only=True), BROKEN)
    large = (2**31 - 1, 2**31 - 1), (2**31 - 1, 1), (1, 2**31 - 1), (2**32 - 1, 2**32 - 1), (2**16, 2**16), (0, 0)
    for size in large:
        yield Case(f"PNG {size}", "cat.png", png(*size, pixels=deflated_zeros(99)), BROKEN)
        yield Case(f"PNG of bits {size}", "cat.png", png(*size, depth=1, pixels=deflated_zeros(99)), BROKEN)
        yield Case(f"PNG, deep {size}", "cat.png", png(*size, depth=16, colour=6, pixels=deflated_zeros(99)), BROKEN)
        yield Case(f"AVIF {size}", "cat.avif", avif_of_size(samples()["avif"][1], *size), BROKEN)
        if "HEIC" in EXTENSIONS:
            yield Case(f"HEIC {size}", "cat.heic", avif_of_size(samples()["heic"][1], *size), BROKEN)
        for compression in (1, 5, 7, 8, 32773, 4, 50000):
            entries = tiff_entries(*size, length=99, compression=compression)
            yield Case(f"TIFF {size}, compression {compression}", "cat.tif", tiff(entries, bytes(99)), BROKEN)
    for size in ((2**31 - 1, 2**31 - 1), (-(2**31), -(2**31)), (40000, -40000), (2**31 - 1, 1), (1, -(2**31)), (0, 0)):
        yield Case(f"BMP {size}", "cat.bmp", _resized_bmp(*size), BROKEN)
    for size in ((16383, 16383), (16383, 9000)):
        for kind in ("VP8", "VP8L", "VP8X"):
            yield Case(f"WebP {kind} {size}", "cat.webp", _resized_webp(*size, kind), BROKEN)
    yield Case("WebP VP8X, the largest", "cat.webp", _resized_webp(2**24, 2**24, "VP8X"), BROKEN)


def narrow() -> Iterator[Case]:
    """Images that are all length: valid, and a thumb of them has to have a width."""
    for size in ((1, 1), (1, 20000), (20000, 1), (3, 20000)):
        for image_format in ("PNG", "JPEG", "GIF", "BMP", "TIFF"):
            data = saved(Image.new("RGB", size, "red"), image_format)
            yield Case(f"{image_format} {size}", _file_name(image_format), data, GOOD)
    for image_format in ("WEBP", "AVIF"):
        options = {"speed": 10} if image_format == "AVIF" else {}
        data = saved(Image.new("RGB", (1, 9000), "red"), image_format, **options)
        yield Case(f"{image_format} (1, 9000)", _file_name(image_format), data, GOOD)


# Lies and oddities within a format


def png_oddities() -> Iterator[Case]:
    pixels = zlib.compress(bytes(12))
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 3, 2, 8, 0, 0, 0, 0))
    end = png_chunk(b"IEND")
    data = png_chunk(b"IDAT", pixels)
    yield Case("no pixels", "cat.png", PNG_MAGIC + header + end, BROKEN)
    yield Case("no header", "cat.png", PNG_MAGIC + data + end, BROKEN)
    yield Case("two headers", "cat.png", PNG_MAGIC + header + header + data + end)
    yield Case("no end", "cat.png", PNG_MAGIC + header + data)
    yield Case("a chunk as long as can be", "cat.png", PNG_MAGIC + struct.pack(">I", 2**31 - 1) + b"IHDR" + bytes(9))
    yield Case(
        "a chunk of negative length", "cat.png", PNG_MAGIC + header + b"\xff\xff\xff\xffIDAT" + bytes(99), BROKEN
    )
    yield Case("a chunk without a name", "cat.png", PNG_MAGIC + header + png_chunk(b"\0\0\0\0") + data + end)
    for depth in (0, 3, 32, 255):
        yield Case(f"depth {depth}", "cat.png", png(3, 2, depth=depth), BROKEN)
    for colour in (1, 5, 7, 255):
        yield Case(f"colour type {colour}", "cat.png", png(3, 2, colour=colour), BROKEN)
    yield Case("a palette image without palette", "cat.png", png(3, 2, colour=3))
    for size in (0, 1, 3, 767, 769, 99999):
        yield Case(f"a palette of {size}", "cat.png", png(3, 2, png_chunk(b"PLTE", bytes(size)), colour=3))
    for kind in (
        b"tRNS",
        b"gAMA",
        b"cHRM",
        b"sRGB",
        b"pHYs",
        b"iCCP",
        b"zTXt",
        b"iTXt",
        b"tEXt",
        b"eXIf",
        b"acTL",
        b"fcTL",
        b"fdAT",
    ):
        for filling in (b"", b"\0", b"\xff" * 99, b"a\0\0\0\0\0"):
            yield Case(f"{kind!r} of {filling[:9]!r}", "cat.png", png(3, 2, png_chunk(kind, filling)))
            yield Case(f"{kind!r} of {filling[:9]!r} behind", "cat.png", png(3, 2, after=[png_chunk(kind, filling)]))
    yield Case("too few pixels", "cat.png", png(3, 2, pixels=zlib.compress(b"\0")), EITHER)
    yield Case("too many pixels", "cat.png", png(3, 2, pixels=deflated_zeros(10**6)), EITHER)
    yield Case("no zlib stream", "cat.png", png(3, 2, pixels=b"no zlib stream"), BROKEN)
    yield Case("an unknown filter", "cat.png", png(3, 2, pixels=zlib.compress(b"\xff" * 8)), EITHER)
    for count in (0, 1, 2**31, 2**32 - 1):
        control = png_chunk(b"acTL", struct.pack(">II", count, 0))
        yield Case(f"APNG that promises {count} frames", "cat.png", png(3, 2, control), EITHER)


def jpeg_oddities() -> Iterator[Case]:
    data = samples()["jpeg"][1]
    scan = data.index(b"\xff\xda")
    frame = data.index(b"\xff\xc0")
    yield Case("no frame", "cat.jpg", data[:frame] + data[scan:], BROKEN)
    yield Case("no scan", "cat.jpg", data[:scan] + b"\xff\xd9", BROKEN)
    yield Case("a scan without tables", "cat.jpg", data[:2] + data[scan:], BROKEN)
    yield Case("two frames", "cat.jpg", data[:scan] + data[frame:scan] + data[scan:])
    yield Case("JPEG in JPEG", "cat.jpg", jpeg_with(jpeg_segment(0xE0, data)), GOOD)
    for markers in range(0xC0, 0x100):
        yield Case(f"an empty {markers:02x}", "cat.jpg", jpeg_with(bytes([0xFF, markers, 0, 2])))
        yield Case(f"a lying {markers:02x}", "cat.jpg", jpeg_with(bytes([0xFF, markers, 0, 0])))
        yield Case(f"an odd {markers:02x}", "cat.jpg", jpeg_with(jpeg_segment(markers, b"\xff" * 40)))
    for precision, layers in ((8, 0), (8, 2), (8, 5), (8, 255), (12, 3), (16, 3), (0, 3)):
        damaged = patched(patched(data, frame + 4, bytes([precision])), frame + 9, bytes([layers]))
        yield Case(f"{layers} layers of {precision} bits", "cat.jpg", damaged)
    for word in (
        b"Exif\0\0",
        b"ICC_PROFILE\0",
        b"MPF\0",
        b"Photoshop 3.0\x008BIM",
        b"Adobe\0",
        b"JFIF\0",
        b"http://ns.adobe.com/xap/1.0/\0",
    ):
        for marker in (0xE0, 0xE1, 0xE2, 0xED, 0xEE):
            for filling in (
                b"",
                b"\0" * 3,
                b"\xff" * 20,
                b"MM\0*" + b"\xff" * 20,
                b"II*\0\x08\0\0\0\xff\xff" + bytes(99),
            ):
                yield Case(
                    f"{marker:02x} {word!r} {filling[:12]!r}",
                    "cat.jpg",
                    jpeg_with(jpeg_segment(marker, word + filling)),
                )


def exif_oddities() -> Iterator[Case]:
    """EXIF data that loops, overlaps and lies, in each format that carries it."""
    loops = ifd([(0x8769, LONG, 1, 8), (0xA005, LONG, 1, 8), (0x8825, LONG, 1, 8)], 8)
    blocks = {
        "a directory that holds itself": loops,
        "an orientation that is text": ifd([(0x0112, ASCII, 4, 0x41414141)]),
        "an orientation that is a list": ifd([(0x0112, SHORT, 2, 0x00060003)]),
        "an orientation out of range": ifd([(0x0112, SHORT, 1, 99)]),
        "an orientation out of the file": ifd([(0x0112, SHORT, 99, 2**31)]),
        "an orientation of no type": ifd([(0x0112, 99, 1, 6)]),
        "an orientation that divides by zero": ifd([(0x0112, 5, 1, 22)]) + bytes(16),
        "an orientation that is empty": ifd([(0x0112, SHORT, 0, 6)]),
        "entries without end": struct.pack("<H", 65535) + bytes(40),
        "overlapping entries": ifd([(tag, UNDEFINED, 200, 0) for tag in range(1, 200)]),
        "text that is no text": ifd([(0x010E, ASCII, 40, 0), (0x9286, UNDEFINED, 40, 0)]),
    }
    for label, block in blocks.items():
        exif = b"II*\0\x08\0\0\0" + block
        yield Case(f"JPEG: {label}", "cat.jpg", jpeg_with(jpeg_segment(0xE1, b"Exif\0\0" + exif)), EITHER)
        yield Case(f"PNG: {label}", "cat.png", png(3, 2, png_chunk(b"eXIf", exif)), EITHER)
        pixels = samples()["webp-lossless"][1][12:]
        yield Case(
            f"WebP: {label}", "cat.webp", riff(webp_canvas(48, 36, 8), pixels, riff_chunk(b"EXIF", exif)), EITHER
        )
        avif = samples()["avif"][1]
        at = avif.index(b"II*\0") if b"II*\0" in avif else avif.index(b"MM\0*")
        yield Case(f"AVIF: {label}", "cat.avif", patched(avif, at, exif), EITHER)


TIFF_CHANGES: Final = {
    "nothing special": {},
    "a strip longer than the file": {"lengths": (279, LONG, 1, 2**31)},
    "a strip of no bytes": {"lengths": (279, LONG, 1, 0)},
    "a strip behind the end": {"offsets": (273, LONG, 1, 2**31)},
    "a strip at the end": {"offsets": (273, LONG, 1, 8 + 255)},
    "a strip over the header": {"offsets": (273, LONG, 1, 0)},
    "many strips that are one": {
        "offsets": (273, LONG, 50, 8),
        "lengths": (279, LONG, 50, 8),
        "rows": (278, LONG, 1, 1),
    },
    "strips without lengths": {"lengths": None},
    "no strips": {"offsets": None},
    "strips of no rows": {"rows": (278, LONG, 1, 0)},
    "strips of too many rows": {"rows": (278, LONG, 1, 2**32 - 1)},
    "no width": {"width": None},
    "a width that is text": {"width": (256, ASCII, 4, 0x41414141)},
    "no samples": {"samples": (277, SHORT, 1, 0)},
    "too many samples": {"samples": (277, SHORT, 1, 65535)},
    "too many bits": {"bits": (258, SHORT, 1, 65535)},
    "a list of bits": {"bits": (258, SHORT, 100, 8)},
    "a list of bits behind the end": {"bits": (258, SHORT, 2**30, 8)},
    "an unknown photometric": {"photometric": (262, SHORT, 1, 9999)},
    "a palette without colours": {"photometric": (262, SHORT, 1, 3)},
    "YCbCr of one sample": {"photometric": (262, SHORT, 1, 6)},
    "a planar configuration": {"planar": (284, SHORT, 1, 2)},
    "an ICC profile of anything": {"icc": (34675, UNDEFINED, 200, 8)},
    "an XMP of anything": {"xmp": (700, UNDEFINED, 200, 8)},
    "an orientation out of range": {"turn": (274, SHORT, 1, 99)},
    "two orientations": {"turn": (274, SHORT, 2, 0x00060003)},
    "a resolution by zero": {"x": (282, 5, 1, 8), "unit": (296, SHORT, 1, 2)},
    "tiles and strips": {"tile": (322, LONG, 1, 16), "tall": (323, LONG, 1, 16), "at": (324, LONG, 1, 8)},
}


def tiff_oddities() -> Iterator[Case]:
    data = bytes(range(256))
    usual = {"length": 100, "strip": 8}
    for compression in (1, 2, 3, 4, 5, 6, 7, 8, 32771, 32773, 32809, 32946, 34676, 34712, 34925, 50000, 50001, 65535):
        for label, entries in TIFF_CHANGES.items():
            file = tiff(tiff_entries(10, 10, **usual, compression=compression, **entries), data)
            yield Case(f"{label}, compression {compression}", "cat.tif", file)
    plain = tiff_entries(10, 10)
    yield Case("a directory that is its own next", "cat.tif", tiff(plain, data, 8 + 256), EITHER)
    yield Case("a next directory over the header", "cat.tif", tiff(plain, data, 2), EITHER)
    yield Case("a next directory behind the end", "cat.tif", tiff(plain, data, 2**32 - 1), EITHER)
    yield Case("a next directory of anything", "cat.tif", tiff(plain, data, 100), EITHER)
    yield Case("a directory of nothing", "cat.tif", tiff([], data), BROKEN)
    yield Case("no directory", "cat.tif", b"II*\0\0\0\0\0", BROKEN)
    yield Case("a directory behind the end", "cat.tif", b"MM\0*\xff\xff\xff\xff", BROKEN)
    yield Case("a directory over the header", "cat.tif", b"II*\0\0\0\0\0" + bytes(99), BROKEN)
    exif = [*plain, (0x8769, LONG, 1, 8 + 256), (330, LONG, 1, 8 + 256)]
    yield Case("a directory that holds itself", "cat.tif", tiff(exif, data), EITHER)


def profile_oddities() -> Iterator[Case]:
    """ICC profiles that are damaged, foreign, or no profiles."""
    profile = srgb_profile()
    rng = random.Random(5)
    rgb = picture()
    for number in range(40):
        damaged = bytearray(profile)
        for at in rng.sample(range(128 if number % 2 else len(profile)), 3):
            damaged[at] = rng.randrange(256)
        yield Case(f"bytes {number}", "cat.png", saved(rgb, "PNG", icc_profile=bytes(damaged)), GOOD)
    for space in (b"GRAY", b"CMYK", b"Lab ", b"XYZ ", b"nope"):
        damaged = patched(profile, 16, space)
        for mode in ("RGB", "L", "CMYK"):
            yield Case(f"{space!r} on {mode}", "cat.jpg", saved(picture(mode), "JPEG", icc_profile=damaged), GOOD)
    for filling in (b"\0", b"acsp", b"\xff" * 200, profile[:130], profile[:-50]):
        yield Case(f"{filling[:9]!r} x {len(filling)}", "cat.webp", saved(rgb, "WEBP", icc_profile=filling), GOOD)


def gif_oddities() -> Iterator[Case]:
    frame, end = gif_frame(), b";"
    yield Case("no frame", "cat.gif", gif_head(1, 1) + end, BROKEN)
    yield Case("no end", "cat.gif", gif_head(1, 1) + frame, EITHER)
    yield Case("no palette", "cat.gif", gif_head(1, 1, palette=False) + frame + end, EITHER)
    yield Case("no screen", "cat.gif", gif_head(0, 0) + frame + end, EITHER)
    yield Case("a frame of no size", "cat.gif", gif_head(9, 9) + gif_frame(0, 0) + end, EITHER)
    yield Case("a frame outside", "cat.gif", gif_head(9, 9) + gif_frame(left=65535, top=65535) + end, BROKEN)
    for size in range(0, 256, 5):
        pixels = bytes([size, 2, 0x4C, 1, 0])
        yield Case(f"LZW codes of {size} bits", "cat.gif", gif_head(1, 1) + gif_frame(pixels=pixels) + end, EITHER)
    for kind in range(0, 256, 17):
        for block in (b"\0", b"\1a\0", b"\4\xff\xff\xff\xff\0", gif_blocks(b"NETSCAPE2.0\1"), b"\xff"):
            data = gif_head(1, 1) + b"!" + bytes([kind]) + block + frame + end
            yield Case(f"extension {kind:02x} {block[:9]!r}", "cat.gif", data, EITHER)
    for filling in (b"\xff" * 300, bytes(300), b"\x11\x22\x33" * 100):
        data = gif_head(20, 20) + gif_frame(20, 20, b"\x08" + gif_blocks(filling)) + end
        yield Case(f"pixels {filling[:3]!r}", "cat.gif", data, EITHER)


def webp_oddities() -> Iterator[Case]:
    pixels = samples()["webp-lossless"][1][12:]
    yield Case("no chunks", "cat.webp", riff(), BROKEN)
    yield Case("an unknown chunk", "cat.webp", riff(riff_chunk(b"ABCD", bytes(99))), BROKEN)
    yield Case("two images", "cat.webp", riff(pixels, pixels), EITHER)
    yield Case("an image within", "cat.webp", riff(riff(pixels)), BROKEN)
    for flags in range(0, 64, 2):
        yield Case(f"flags {flags:02x}", "cat.webp", riff(webp_canvas(48, 36, flags), pixels), EITHER)
    yield Case("another canvas", "cat.webp", riff(webp_canvas(49, 35), pixels), EITHER)
    for kind in (b"EXIF", b"XMP ", b"ICCP"):
        for filling in (b"", b"\0", b"\xff" * 300, b"II*\0\xff\xff\xff\xff"):
            data = riff(webp_canvas(48, 36, 0x2C), riff_chunk(kind, filling), pixels, riff_chunk(kind, filling))
            yield Case(f"{kind!r} of {filling[:8]!r}", "cat.webp", data, EITHER)
    sizes = (0, 1, 4, 2**31 - 1, 2**32 - 1)
    for size in sizes:
        data = patched(samples()["webp"][1], 4, struct.pack("<I", size))
        yield Case(f"a file that says it is {size}", "cat.webp", data, EITHER)
        yield Case(
            f"pixels that say they are {size}", "cat.webp", patched(riff(pixels), 16, struct.pack("<I", size)), EITHER
        )


def box_oddities() -> Iterator[Case]:
    """Each box of an AVIF or HEIC made too small, too large, unknown and left out."""
    for sample in ("avif", "avif-animated", "heic", "heic-grid"):
        if sample not in samples():
            continue
        image_format, data = samples()[sample]
        file_name = _file_name(image_format)
        for kind in (
            b"meta",
            b"iloc",
            b"iinf",
            b"iprp",
            b"ipco",
            b"ispe",
            b"av1C",
            b"hvcC",
            b"pixi",
            b"ipma",
            b"iref",
            b"dimg",
            b"auxl",
            b"auxC",
            b"irot",
            b"infe",
            b"idat",
            b"mdat",
            b"moov",
            b"stsz",
            b"stts",
        ):
            at = data.find(kind)
            if at < 0:
                continue
            for size in (0, 1, 7, 2**31, 2**32 - 1):
                yield Case(f"{sample}: {kind!r} of {size}", file_name, patched(data, at - 4, struct.pack(">I", size)))
            yield Case(f"{sample}: no {kind!r}", file_name, patched(data, at, b"free"))
            yield Case(f"{sample}: {kind!r} all ones", file_name, patched(data, at + 8, b"\xff" * 8))
    yield Case("only a file type", "cat.avif", b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf", BROKEN)


def bmp_oddities() -> Iterator[Case]:
    data = samples()["bmp-palette"][1]
    for at, name in (
        (10, "offset"),
        (14, "header size"),
        (28, "bits"),
        (30, "compression"),
        (34, "size"),
        (46, "colours"),
    ):
        for value in (0, 1, 2, 3, 4, 5, 12, 16, 32, 52, 56, 64, 108, 124, 300, 65535, 2**31 - 1, 2**32 - 1):
            new = struct.pack("<I", value)[: 2 if at == 28 else 4]
            yield Case(f"{name} {value}", "cat.bmp", patched(data, at, new))
    for compression in (1, 2):
        for pixels in (bytes(50), b"\xff" * 50, b"\0\2\xff\xff" * 50, b"\0\xff" * 9, b"\0\1"):
            bits = 4 * (3 - compression)
            file = bmp(9, 9, bits, compression, pixels, colours=16, palette=bytes(64))
            yield Case(f"run lengths {compression} {pixels[:4]!r}", "cat.bmp", file)


def families() -> dict[str, Family]:
    """Every family by its name."""
    whole = (
        tiny,
        wrong_extension,
        polyglots,
        foreign,
        huge_dimensions,
        narrow,
        png_oddities,
        jpeg_oddities,
        exif_oddities,
        tiff_oddities,
        profile_oddities,
        gif_oddities,
        webp_oddities,
        box_oddities,
        bmp_oddities,
    )
    found: dict[str, Family] = {family.__name__: family for family in whole}
    for damage in (truncated, flipped, overwritten):
        for sample in samples():
            found[f"{damage.__name__} {sample}"] = lambda damage=damage, sample=sample: damage(sample)
    return found


def intact() -> Iterator[Case]:
    """The samples themselves, which have to be stored."""
    for sample, (image_format, data) in samples().items():
        yield Case(sample, _file_name(image_format), data, GOOD)
