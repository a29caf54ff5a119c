"""Bombs: files that are small, or at least allowed, and would cost out of all proportion."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from PIL import Image

from tests.hostile import heic
from tests.hostile.builder import (
    GIF_CONTROL,
    LONG,
    PAGE_SIZE,
    RATIONAL,
    SHORT,
    UNDEFINED,
    after_soi,
    avif_of_size,
    bmp,
    deflated_zeros,
    exif_segments,
    gif,
    gif_blocks,
    gif_frame,
    gif_head,
    gif_zeros,
    ifd,
    jpeg_of_size,
    jpeg_segment,
    overlapping,
    packed_chunk,
    patched,
    png,
    png_chunk,
    riff,
    riff_chunk,
    tiff,
    tiff_entries,
    tiff_of,
    tiff_page,
    webp_canvas,
    webp_frame,
    with_scans,
)
from tests.hostile.families import BROKEN, EITHER, GOOD
from tests.hostile.samples import (
    EXTENSIONS,
    jpeg_with,
    picture,
    samples,
    saved,
    srgb_profile,
)

MIB = 1 << 20
ACCEPTED = "accepted"
SMALL = after_soi(saved(Image.new("RGB", (64, 64), "red"), "JPEG"), jfif=False)
WEBP = saved(Image.new("RGB", (64, 64), "red"), "WEBP", lossless=True)
AVIF = saved(Image.new("RGB", (64, 64), "red"), "AVIF")


@dataclass(frozen=True)
class Bomb:
    """A bomb that is made when it is needed, and what may become of it."""

    label: str
    file_name: str
    make: Callable[[], bytes]
    expected: frozenset[str] = EITHER
    """What may become of a save."""
    errors: frozenset[str] = frozenset({ACCEPTED, "ImageLimitExceeded", "UploadedImageIsUnreadableError"})
    """What the check of an upload may end in."""


# PNG


def _png_of_zeros(side: int, depth: int, colour: int) -> bytes:
    samples_per_pixel = {0: 1, 2: 3, 3: 1, 6: 4}[colour]
    row = (side * depth * samples_per_pixel + 7) // 8 + 1
    palette = [png_chunk(b"PLTE", bytes(768))] if colour == 3 else []
    return png(side, side, *palette, depth=depth, colour=colour, pixels=deflated_zeros(row * side))


def _many_chunks(kind: bytes, count: int, *, behind: bool = False) -> bytes:
    chunks = [png_chunk(kind) * count]
    return png(3, 2, after=chunks) if behind else png(3, 2, *chunks)


def _inflating_text(kind: bytes, count: int, packed: bytes) -> bytes:
    head = b"\0\0" if kind == b"zTXt" else b"\0\1\0\0\0"
    return png(3, 2, *[png_chunk(kind, b"k%d" % number + head + packed) for number in range(count)])


def _apng_frames(count: int, side: int = 1, promised: int | None = None) -> bytes:
    pixels = zlib.compress(bytes((side + 1) * side))
    frames = []
    for number in range(1, count):
        control = struct.pack(">IIIIIHHBB", 2 * number - 1, side, side, 0, 0, 1, 10, 0, 0)
        frames.append(png_chunk(b"fcTL", control) + png_chunk(b"fdAT", struct.pack(">I", 2 * number) + pixels))
    promise = png_chunk(b"acTL", struct.pack(">II", promised or count, 0))
    return png(side, side, promise, pixels=pixels, after=frames)


def _with_huge_frame(apng: bytes) -> bytes:
    return patched(apng, apng.rindex(b"fcTL") + 8, struct.pack(">II", 30_000, 30_000))


def png_bombs() -> Iterator[Bomb]:
    for side, depth, colour in ((30_000, 8, 0), (100_000, 1, 0), (30_000, 8, 3), (20_000, 16, 6)):
        make = partial(_png_of_zeros, side, depth, colour)
        yield Bomb(f"PNG of {side} x {side}, depth {depth}, colour type {colour}", "cat.png", make, BROKEN)
    yield Bomb("PNG whose pixels never end", "cat.png", lambda: png(9, 9, pixels=deflated_zeros(1000 * MIB)))
    for kind in (b"aaAa", b"tEXt", b"IDAT"):
        yield Bomb(f"PNG of a million chunks {kind!r}", "cat.png", partial(_many_chunks, kind, 10**6))
        yield Bomb(
            f"PNG of a million chunks {kind!r} behind", "cat.png", partial(_many_chunks, kind, 10**6, behind=True)
        )
    full = deflated_zeros(MIB - 1)
    # One letter that needs four bytes makes Python keep all of them in four.
    wide = zlib.compress(bytes(MIB - 8) + "\N{PILE OF POO}".encode())
    yield Bomb(
        "PNG with 1 GiB in one text", "cat.png", partial(_inflating_text, b"zTXt", 1, deflated_zeros(1000 * MIB))
    )
    yield Bomb("PNG with 63 texts", "cat.png", partial(_inflating_text, b"zTXt", 63, full))
    yield Bomb("PNG with 1000 texts", "cat.png", partial(_inflating_text, b"zTXt", 1000, full))
    yield Bomb("PNG with 63 wide texts", "cat.png", partial(_inflating_text, b"iTXt", 63, wide))
    yield Bomb("PNG with 1000 wide texts", "cat.png", partial(_inflating_text, b"iTXt", 1000, wide))
    profile = png_chunk(b"iCCP", b"p\0\0" + deflated_zeros(1000 * MIB))
    yield Bomb("PNG with 1 GiB of profile", "cat.png", lambda: png(3, 2, profile))
    yield Bomb(
        "PNG with many profiles",
        "cat.png",
        lambda: png(3, 2, *[png_chunk(b"iCCP", b"p\0\0" + deflated_zeros(MIB - 1))] * 2000),
    )
    yield Bomb("PNG with 20 MiB that nobody knows", "cat.png", lambda: png(3, 2, png_chunk(b"aaAa", bytes(20 * MIB))))
    yield Bomb(
        "PNG with 20 MiB of EXIF",
        "cat.png",
        lambda: png(3, 2, png_chunk(b"eXIf", b"II*\0\x08\0\0\0" + bytes(20 * MIB))),
    )
    yield Bomb(
        "PNG with EXIF of overlapping entries", "cat.png", lambda: png(3, 2, png_chunk(b"eXIf", overlapping_exif(MIB)))
    )
    yield Bomb(
        "PNG with XMP of 20 MiB",
        "cat.png",
        lambda: png(3, 2, png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + b"<" * 20 * MIB)),
    )
    yield Bomb("APNG of 100,000 frames", "cat.png", partial(_apng_frames, 100_000), BROKEN)
    yield Bomb("APNG of 900 large frames", "cat.png", partial(_apng_frames, 900, 1000), GOOD)
    promised = png_chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0))
    yield Bomb("APNG that promises 2^31 frames", "cat.png", lambda: png(3, 2, promised))
    for promise in (1, 2, 2**31 - 1):
        make = partial(_apng_frames, 900, 1000, promise)
        yield Bomb(f"APNG of 900 large frames that promises {promise}", "cat.png", make, GOOD)
    yield Bomb("APNG whose second frame is huge", "cat.png", lambda: _with_huge_frame(_apng_frames(3)), GOOD)


def overlapping_exif(size: int) -> bytes:
    """EXIF data of as many entries as there can be, each of which claims all of it."""
    count = min(65535, (size - 14) // 12)
    entries = ifd([(tag, UNDEFINED, size - 8, 0) for tag in range(1, count + 1)])
    return (b"II*\0\x08\0\0\0" + entries).ljust(size, b"\0")


# GIF


def _gif_of_zeros(side: int) -> bytes:
    codes, pixels = gif_zeros()
    return (
        gif_head(side, side) + gif_frame(side, side, b"\x02" + gif_blocks(codes * (side * side // pixels + 1))) + b";"
    )


def gif_bombs() -> Iterator[Bomb]:
    head, end = gif_head(1, 1), gif_frame() + b";"
    yield Bomb("GIF of 40,000 x 40,000", "cat.gif", partial(_gif_of_zeros, 40_000), BROKEN)
    yield Bomb("GIF of 65,535 x 65,535", "cat.gif", partial(_gif_of_zeros, 65_535), BROKEN)
    yield Bomb("GIF of 100,000 frames", "cat.gif", lambda: head + gif_frame() * 100_000 + b";", GOOD)
    yield Bomb("GIF of 100,000 frames without end", "cat.gif", lambda: head + gif_frame() * 100_000, GOOD)
    yield Bomb("GIF of 1000 frames", "cat.gif", lambda: head + gif_frame() * 1000 + b";", GOOD)
    large = gif_frame(1000, 1000)
    yield Bomb("GIF of 900 large frames", "cat.gif", lambda: gif_head(1000, 1000) + large * 900 + b";", BROKEN)
    yield Bomb(
        "GIF of 900 small frames on a large screen",
        "cat.gif",
        lambda: gif_head(1000, 1000) + gif_frame() * 900 + b";",
        GOOD,
    )
    yield Bomb(
        "GIF whose second frame is huge", "cat.gif", lambda: head + gif_frame() + gif_frame(65535, 65535) + b";", GOOD
    )
    yield Bomb(
        "GIF of 1000 small frames on a huge screen",
        "cat.gif",
        lambda: gif_head(2000, 2000) + gif_frame() * 1000 + b";",
        GOOD,
    )
    yield Bomb(
        "GIF of 1000 small frames out of the screen",
        "cat.gif",
        lambda: head + gif_frame() + gif_frame(left=60_000, top=60_000) * 999 + b";",
        GOOD,
    )
    zeros, pixels = gif_zeros()
    huge = gif_frame(8000, 8000, b"\x02" + gif_blocks(zeros * (8000 * 8000 // pixels + 1)))
    yield Bomb("GIF of 900 huge frames on a small screen", "cat.gif", lambda: head + gif_frame() + huge * 900, GOOD)
    comment = b"!\xfe" + gif_blocks(b"c" * 20 * MIB)
    yield Bomb("GIF with 20 MiB of comment", "cat.gif", lambda: head + comment + end)
    yield Bomb("GIF with a million comments", "cat.gif", lambda: head + b"!\xfe\1c\0" * 10**6 + end)
    yield Bomb(
        "GIF with 10,000 comments over frames",
        "cat.gif",
        lambda: head + (b"!\xfe" + gif_blocks(b"c" * 1000) + gif_frame()) * 900 + b";",
    )
    yield Bomb("GIF with a million extensions", "cat.gif", lambda: head + b"!\xf9\4\0\0\0\0\0" * 10**6 + end)
    yield Bomb("GIF with five million empty extensions", "cat.gif", lambda: head + b"!\xff\0" * (5 * 10**6) + end)
    yield Bomb("GIF with 20 MiB of junk", "cat.gif", lambda: head + b"j" * 20 * MIB + end)
    yield Bomb("GIF with 20 MiB of zeros", "cat.gif", lambda: head + bytes(20 * MIB) + end)
    tiny_blocks = b"\x02" + b"\1\0" * 5 * MIB + b"\0"
    yield Bomb("GIF with five million blocks of pixels", "cat.gif", lambda: head + gif_frame(pixels=tiny_blocks) + b";")


# JPEG


def _scans(count: int, side: int = 2000) -> bytes:
    """A progressive JPEG whose scans come again and again."""
    data = saved(picture().resize((side, side)), "JPEG", progressive=True)
    start = data.index(b"\xff\xda")
    scans = data[start : data.rindex(b"\xff\xd9")]
    return data[:start] + scans * count + b"\xff\xd9"


def _blank_scans(count: int, side: int, grey: int = 0) -> bytes:
    """Scans of nothing, so that each is a few bytes and costs a walk over all blocks."""
    return with_scans(saved(Image.new("L", (side, side), grey), "JPEG", progressive=True), count)


def jpeg_bombs() -> Iterator[Bomb]:
    profile = srgb_profile().ljust(255 * 65519, b"\0")
    parts = [profile[at : at + 65519] for at in range(0, len(profile), 65519)]
    icc = [jpeg_segment(0xE2, b"ICC_PROFILE\0" + bytes([n + 1, len(parts)]) + part) for n, part in enumerate(parts)]
    yield Bomb("progressive JPEG of 1000 scans", "cat.jpg", partial(_scans, 100))
    yield Bomb("progressive JPEG of 1000 blank scans", "cat.jpg", partial(_blank_scans, 1000, 4000))
    yield Bomb("progressive JPEG of 10,000 blank scans", "cat.jpg", partial(_blank_scans, 10_000, 1000))
    yield Bomb("JPEG with a profile of 16 MiB", "cat.jpg", lambda: jpeg_with(*icc))
    yield Bomb(
        "JPEG with 10,000 profiles",
        "cat.jpg",
        lambda: jpeg_with(jpeg_segment(0xE2, b"ICC_PROFILE\0\1\1" + srgb_profile()) * 10_000),
    )
    yield Bomb("JPEG with 200,000 tables", "cat.jpg", lambda: jpeg_with(jpeg_segment(0xDB, bytes(65)) * 200_000))
    exif = jpeg_segment(0xE1, b"Exif\0\0" + overlapping_exif(65000))
    yield Bomb("JPEG with EXIF of overlapping entries", "cat.jpg", lambda: jpeg_with(exif))
    for filling in (b"\xff", b"\0", b"\xff\0", b"\xff\xff\0"):
        yield Bomb(
            f"JPEG with 20 MiB of {filling!r}",
            "cat.jpg",
            lambda f=filling: jpeg_with(jpeg_segment(0xFE, b"") + f * (20 * MIB // len(f))),
        )
    yield Bomb("JPEG with 20 MiB behind", "cat.jpg", lambda: samples()["jpeg"][1] + bytes(20 * MIB), GOOD)
    yield Bomb(
        "MPO that promises 2^32 images",
        "cat.jpg",
        lambda: jpeg_with(
            jpeg_segment(
                0xE2,
                b"MPF\0II*\0\x08\0\0\0"
                + ifd([(0xB001, LONG, 1, 2**32 - 1), (0xB002, UNDEFINED, 65000, 8)]).ljust(65400, b"\0"),
            )
        ),
    )


def segment_bombs() -> Iterator[Bomb]:
    full = b"\0" * 65533
    for marker in (0xE0, 0xE1, 0xE2, 0xED, 0xEE, 0xFE):
        yield Bomb(
            f"JPEG with 300 full segments {marker:02x}",
            "cat.jpg",
            lambda m=marker: jpeg_with(jpeg_segment(m, full) * 300),
        )
        yield Bomb(
            f"JPEG with 500,000 empty segments {marker:02x}",
            "cat.jpg",
            lambda m=marker: jpeg_with(bytes([255, m, 0, 2]) * 500_000),
        )
    for word in (
        b"Exif\0\0",
        b"MPF\0",
        b"http://ns.adobe.com/xap/1.0/\0",
        b"Photoshop 3.0\0" + b"8BIM\4\4\0\0\0\0\0\0" * 5000,
    ):
        segment = jpeg_segment(
            0xED if word.startswith(b"Ph") else 0xE2 if word == b"MPF\0" else 0xE1, word.ljust(65533, b"\1")[:65533]
        )
        yield Bomb(f"JPEG with 300 times {word[:12]!r}", "cat.jpg", lambda segment=segment: jpeg_with(segment * 300))


# WebP and AVIF


def webp_bombs() -> Iterator[Bomb]:
    dot = saved(Image.new("RGB", (1, 1)), "WEBP", lossless=True)[12:]
    control = riff_chunk(b"ANIM", bytes(6))
    lossless = samples()["webp-lossless"][1][12:]

    def animation(count: int, side: int = 1) -> bytes:
        return riff(webp_canvas(side, side, 2), control, webp_frame(dot) * count)

    yield Bomb("WebP of 100,000 frames", "cat.webp", partial(animation, 100_000), BROKEN)
    yield Bomb("WebP of 900 frames on a large canvas", "cat.webp", partial(animation, 900, 1000), GOOD)
    yield Bomb("WebP of 900 frames on a huge canvas", "cat.webp", partial(animation, 900, 2000), GOOD)
    yield Bomb("WebP of one frame on the largest canvas", "cat.webp", partial(animation, 1, 2**14 - 1), BROKEN)
    for kind in (b"EXIF", b"XMP ", b"ICCP", b"ABCD"):
        data = b"II*\0\x08\0\0\0".ljust(20 * MIB, b"\1")
        yield Bomb(
            f"WebP with 20 MiB of {kind!r}",
            "cat.webp",
            lambda k=kind, d=data: riff(webp_canvas(48, 36, 0x2C), riff_chunk(k, d), lossless),
        )
    yield Bomb(
        "WebP with EXIF of overlapping entries",
        "cat.webp",
        lambda: riff(webp_canvas(48, 36, 8), lossless, riff_chunk(b"EXIF", overlapping_exif(MIB))),
    )
    yield Bomb(
        "WebP with a million chunks",
        "cat.webp",
        lambda: riff(webp_canvas(48, 36), lossless, riff_chunk(b"ABCD", b"") * 10**6),
    )


def _promising_avif(box: bytes, at: int) -> bytes:
    data = samples()["avif-animated"][1]
    return patched(data, data.index(box) + at, struct.pack(">I", 2**31 - 1))


def _avif_frames(count: int, side: int) -> bytes:
    frames = [Image.new("L", (side, side), 5 * (number % 50)) for number in range(count)]
    return saved(frames[0], "AVIF", speed=10, save_all=True, append_images=frames[1:])


def avif_bombs() -> Iterator[Bomb]:
    yield Bomb(
        "AVIF of 65,536 x 65,536",
        "cat.avif",
        lambda: avif_of_size(samples()["avif"][1], 65536, 65536),
        BROKEN,
    )
    yield Bomb(
        "AVIF of 12,000 x 12,000",
        "cat.avif",
        lambda: avif_of_size(samples()["avif"][1], 12000, 12000),
        BROKEN,
    )
    for box, at in ((b"stsz", 8), (b"stts", 4), (b"stts", 8), (b"stco", 4), (b"stss", 4)):
        yield Bomb(
            f"AVIF that promises 2^31 entries in {box!r} at {at}",
            "cat.avif",
            partial(_promising_avif, box, at),
        )
    yield Bomb("AVIF of 1100 frames", "cat.avif", partial(_avif_frames, 1100, 16), GOOD)
    yield Bomb(
        "AVIF with 20 MiB behind",
        "cat.avif",
        lambda: samples()["avif"][1] + struct.pack(">I", 20 * MIB) + b"free".ljust(20 * MIB, b"\0"),
    )


# HEIC


def _heic_of(size: tuple[int, int], *, told: tuple[int, int]) -> bytes:
    return heic.heic(heic.picture(size=told, record=heic.record_of_size(heic.RECORD, *size)))


def _deep_box(depth: int) -> bytes:
    content = b""
    for _ in range(depth):
        content = heic.box(b"moov", content)
    return content


def _endless_film() -> bytes:
    tables = heic.box(b"stsz", struct.pack(">II", 0, 2**31 - 1), 0) + heic.box(b"stco", struct.pack(">I", 2**31 - 1), 0)
    for kind in (b"stbl", b"minf", b"mdia", b"trak", b"moov"):
        tables = heic.box(kind, tables)
    return tables


def _every_picture(count: int, *properties: bytes) -> list[tuple[bytes, bytes, list[bytes]]]:
    return [heic.picture(*properties) for _ in range(count)]


HEIC_BOMBS: dict[str, tuple[Callable[[], bytes], frozenset[str]]] = {
    "of 8192 x 8192 that says otherwise": (lambda: _heic_of((8192, 8192), told=(100, 100)), BROKEN),
    "of 8192 x 8192 among its pixels": (
        lambda: heic.heic(heic.picture(coded=heic.unit_of_size(8192, 8192) + heic.CODED)),
        BROKEN,
    ),
    "that says it has 8192 x 8192": (lambda: _heic_of((64, 64), told=(8192, 8192)), BROKEN),
    "with 500 transparencies, each of another": (
        lambda: heic.heic(
            heic.picture(),
            *[heic.alpha() for _ in range(500)],
            references=[(b"auxl", number + 1, number) for number in range(1, 501)],
        ),
        GOOD,
    ),
    "with 10 MiB of EXIF for each of 300 pictures": (
        lambda: heic.heic(
            heic.picture(),
            (b"Exif", bytes(10 * MIB), []),
            *_every_picture(300),
            references=[(b"cdsc", 2, 1, *range(3, 303))],
        ),
        GOOD,
    ),
    "with a profile of 900 KB for each of 500 pictures": (
        lambda: heic.heic(*_every_picture(500, heic.box(b"colr", b"prof" + bytes(900_000)))),
        GOOD,
    ),
    "with metadata that are 200 MiB unpacked": (
        lambda: heic.heic(
            heic.picture(),
            (b"mime\0application/rdf+xml\0compress_zlib", deflated_zeros(200 * MIB), []),
            references=[(b"cdsc", 2, 1)],
        ),
        GOOD,
    ),
    "of 10,000 boxes in boxes": (lambda: heic.heic(heic.picture(), rest=_deep_box(10_000)), GOOD),
    "of 10,000 boxes in boxes in its description": (
        lambda: heic.heic(heic.picture(), in_meta=_deep_box(10_000)),
        GOOD,
    ),
    "with a film of 2^31 frames": (lambda: heic.heic(heic.picture(), rest=_endless_film()), GOOD),
    "with 20 MiB behind": (lambda: heic.REAL + heic.box(b"free", bytes(20 * MIB)), GOOD),
    "with extents that do not end": (
        lambda: heic.heic(heic.picture(), places={1: [(0, 0)]}, rest=heic.box(b"free", bytes(20 * MIB))),
        BROKEN,
    ),
}


def heic_bombs() -> Iterator[Bomb]:
    for label, (make, expected) in HEIC_BOMBS.items():
        yield Bomb(f"HEIC {label}", "cat.heic", make, expected)


# TIFF and BMP


def _chained(count: int, *, loops_to: int | None = None) -> bytes:
    """Directories that each lead to the next; the last to none, or back to directory `loops_to`."""
    entries = tiff_entries(1, 1)
    size = len(ifd(entries))
    starts = [10 + size * number for number in range(count)]
    following = [*starts[1:], 0 if loops_to is None else starts[loops_to]]
    page = ifd(entries)[:-4]
    return struct.pack("<2sHIH", b"II", 42, 10, 0) + b"".join(page + struct.pack("<I", at) for at in following)


def _listed(tag: int, kind: int, size: int, unit: int) -> bytes:
    """A TIFF one of whose entries is a list of `size` bytes."""
    entries = [entry for entry in tiff_entries(10, 10) if entry[0] != tag]
    return tiff([*entries, (tag, kind, size // unit, 8)], b"\1" * size)


def _tiled(width: int, height: int, compression: int) -> bytes:
    pixels = deflated_zeros(1000 * MIB) if compression == 8 else bytes(1000)
    tiles = {
        "wide": (322, LONG, 1, width),
        "tall": (323, LONG, 1, height),
        "at": (324, LONG, 1, 8),
        "long": (325, LONG, 1, len(pixels)),
        "offsets": None,
        "rows": None,
        "lengths": None,
    }
    return tiff(tiff_entries(10, 10, compression=compression, **tiles), pixels)


def _strip(compression: int, pixels: bytes, side: int = 10) -> bytes:
    return tiff(tiff_entries(side, side, length=len(pixels), compression=compression), pixels)


def tiff_bombs() -> Iterator[Bomb]:
    yield Bomb("TIFF of 100,000 pages", "cat.tif", partial(_chained, 100_000), GOOD)
    yield Bomb("TIFF of 5000 pages", "cat.tif", partial(_chained, 5000), GOOD)
    yield Bomb("TIFF of 900 pages", "cat.tif", partial(_chained, 900), GOOD)
    yield Bomb("TIFF that leads back to its first page", "cat.tif", partial(_chained, 900, loops_to=0))
    yield Bomb("TIFF that leads back to its last page", "cat.tif", partial(_chained, 900, loops_to=899))
    yield Bomb("TIFF that leads back from afar", "cat.tif", partial(_chained, 50_000, loops_to=500), GOOD)
    everything = [(tag, UNDEFINED, MIB, 8) for tag in range(400, 65535) if tag not in (700, 34675)]
    yield Bomb(
        "TIFF of 65,000 overlapping entries", "cat.tif", lambda: tiff([*tiff_entries(10, 10), *everything], bytes(MIB))
    )
    for tag, name in (
        (273, "offsets"),
        (279, "lengths"),
        (258, "bits"),
        (282, "resolution"),
        (274, "turn"),
        (320, "colours"),
        (34675, "profile"),
        (700, "XMP"),
        (270, "text"),
        (330, "children"),
    ):
        for kind, unit in ((LONG, 4), (SHORT, 2), (RATIONAL, 8)):
            yield Bomb(
                f"TIFF with 16 MiB of {name}, type {kind}", "cat.tif", partial(_listed, tag, kind, 16 * MIB, unit)
            )
    for compression in (1, 5, 8):
        yield Bomb(
            f"TIFF of one huge tile, compression {compression}", "cat.tif", partial(_tiled, 60_000, 60_000, compression)
        )
        yield Bomb(
            f"TIFF of one long tile, compression {compression}", "cat.tif", partial(_tiled, 16, 2**24, compression)
        )
        yield Bomb(
            f"TIFF of one wide tile, compression {compression}", "cat.tif", partial(_tiled, 2**24, 16, compression)
        )
    yield Bomb("TIFF of 30,000 x 30,000", "cat.tif", lambda: _strip(8, deflated_zeros(30_000**2), 30_000), BROKEN)
    yield Bomb("TIFF whose strip never ends", "cat.tif", lambda: _strip(8, deflated_zeros(1000 * MIB)))
    yield Bomb(
        "TIFF of a JPEG of another size", "cat.tif", lambda: _strip(7, saved(Image.new("L", (9000, 9000)), "JPEG"))
    )
    many = [(330, LONG, 4 * MIB, 8)]
    yield Bomb(
        "TIFF with four million children", "cat.tif", lambda: tiff([*tiff_entries(10, 10), *many], bytes(16 * MIB))
    )


def bmp_bombs() -> Iterator[Bomb]:
    yield Bomb(
        "BMP of 30,000 x 30,000 run lengths",
        "cat.bmp",
        lambda: bmp(30_000, 30_000, 8, 1, b"\xff\0" * 10_000, colours=2),
        BROKEN,
    )
    yield Bomb("BMP of 10 MiB of end of line", "cat.bmp", lambda: bmp(10, 10, 8, 1, bytes(10 * MIB), colours=2))
    yield Bomb(
        "BMP of 10 MiB of moves", "cat.bmp", lambda: bmp(10, 10, 8, 1, b"\0\2\xff\xff" * (10 * MIB // 4), colours=2)
    )


# Of each format: what is refused for its size, what for how it is made, and what is not refused


def _lying_avif() -> bytes:
    """An AVIF whose header tells of 64 x 64 pixels, but whose picture is allowed to have 65,536 x 65,536."""
    at = AVIF.index(b"mdat") + 4
    assert AVIF[at : at + 3] == b"\x12\x00\x0a"
    # A sequence header of the short form: profile 0, still picture, level 0, 16 bits for each side.
    bits = f"000{1}{1}00000{15:04b}{15:04b}{65535:016b}{65535:016b}".ljust(64, "0")
    header = int(bits, 2).to_bytes(8, "big")
    size = AVIF[at + 3]
    return AVIF[: at + 3] + bytes([len(header)]) + header + AVIF[at + 4 + size :]


def _long_avif() -> bytes:
    """An animation whose table says that its one chunk has 20 million frames of the same size."""
    data = _avif_frames(3, 32)
    return patched(data, data.index(b"stsc") + 16, struct.pack(">I", 20_000_000))


OVER_A_LIMIT: dict[str, Callable[[], bytes]] = {
    "jpeg of 65535 x 65535": lambda: jpeg_of_size(SMALL, 65535, 65535),
    "png of 65535 x 65535": lambda: png(65535, 65535, pixels=b""),
    "png of 2^31 x 2^31": lambda: png(2**31 - 1, 2**31 - 1, pixels=b""),
    "png of zeros, 20,000 x 20,000": lambda: png(20_000, 20_000, pixels=deflated_zeros(20_000 * 20_001)),
    "gif of 65535 x 65535": lambda: gif(65535, 65535, gif_frame()),
    "gif with a frame of 65535 x 65535": lambda: gif(1, 1, GIF_CONTROL, gif_frame(width=65535, height=65535)),
    "tiff of 2^32 x 2^32": lambda: tiff_of(tiff_page(2**32 - 1, 2**32 - 1)),
    "bmp of 65535 x 65535": lambda: bmp(65535, 65535),
    "bmp of 65535 x 65535 from top to bottom": lambda: bmp(65535, -65535),
    "webp of 16383 x 16383": lambda: riff(
        webp_canvas(16383, 16383, 2), riff_chunk(b"ANIM", bytes(6)), webp_frame(WEBP[12:], 64, 64)
    ),
    "webp without loss of 16384 x 16384": lambda: WEBP[:21] + struct.pack("<I", (1 << 28) - 1) + WEBP[25:],
    "avif of 65535 x 65535": lambda: avif_of_size(AVIF, 65535, 65535),
    "avif of 16384 x 16384": lambda: avif_of_size(AVIF, 16384, 16384),
    "avif of 65536 x 65536 that says otherwise": _lying_avif,
    "heic of 65535 x 65535": lambda: _heic_of((64, 64), told=(65535, 65535)),
    "heic of 16384 x 16384 that says otherwise": lambda: _heic_of((16384, 16384), told=(100, 100)),
    "heic of 16384 x 16384 among its pixels": lambda: heic.heic(
        heic.picture(coded=heic.unit_of_size(16384, 16384) + heic.CODED)
    ),
    "heic of a grid of 65535 x 65535 that says otherwise": lambda: heic.heic(
        heic.grid(1, 1, (65535, 65535), told=(64, 64)), heic.picture(), references=[(b"dimg", 1, 2)]
    ),
}

ABSURD: dict[str, Callable[[], bytes]] = {
    "jpeg with overlapping tags in many segments and without pixels": lambda: after_soi(
        SMALL[:2], *exif_segments(tiff_of(ifd(overlapping(60_000, 700_000))).ljust(1_000_000, b"\0"))
    ),
    "jpeg with a million segments": lambda: after_soi(SMALL, jpeg_segment(0xE5, b"") * 1_000_000),
    "jpeg with 20 MB of tables": lambda: after_soi(SMALL, jpeg_segment(0xDB, bytes(65_000)) * 300),
    "jpeg with 20 MB of fill bytes": lambda: after_soi(SMALL, b"\xff" * 20_000_000),
    "jpeg with 20 MB of junk": lambda: after_soi(SMALL, b"\xff\0" * 10_000_000),
    "jpeg of 4000 x 4000 and 1000 scans": lambda: _blank_scans(1000, 4000, 9),
    "png with a million chunks": lambda: png(8, 8, png_chunk(b"tIME", bytes(7)) * 1_000_000),
    "png with a million chunks behind its pixels": lambda: png(8, 8, after=[png_chunk(b"abCd", b"") * 1_000_000]),
    "png with a million pieces of pixels": lambda: png(8, 8, png_chunk(b"IDAT", b"") * 1_000_000),
    "gif with a million comments": lambda: gif(1, 1, b"!\xfe\1c\0" * 1_000_000, gif_frame()),
    "gif with 10 million extensions": lambda: gif(1, 1, b"!\xff\1c\0" * 10_000_000, gif_frame()),
    "gif with an extension of crumbs": lambda: gif(1, 1, b"!\xff" + b"\1c" * 20_000_000 + b"\0", gif_frame()),
    "gif with 20 MB of junk": lambda: gif(1, 1, bytes(20_000_000), gif_frame()),
    "tiff with 10 million strips": lambda: tiff_of(tiff_page(99, 99, (273, 4, 10_000_000, 8)), bytes(40_000_000)),
    "tiff with 10 million strips, told in bytes": lambda: tiff_of(
        tiff_page(99, 99, (273, 1, 10_000_000, 8)), bytes(10_000_000)
    ),
    "tiff with a tile that is far too large": lambda: tiff_of(
        tiff_page(9, 9, (259, 3, 1, 8), (322, 4, 1, 16), (323, 4, 1, 1 << 24), (324, 4, 1, 8), (325, 4, 1, 80))
    ),
    "webp with 5 million chunks": lambda: riff(webp_canvas(64, 64, 0), WEBP[12:], b"abcd\0\0\0\0" * 5_000_000),
    "webp of 100,000 frames": lambda: riff(
        webp_canvas(64, 64, 2), riff_chunk(b"ANIM", bytes(6)), webp_frame(WEBP[12:], 64, 64) * 100_000
    ),
    "avif of 20 million frames": _long_avif,
    "heic of a grid of 65,025 times the same": lambda: heic.heic(
        heic.grid(255, 255, (9000, 9000)), heic.picture(), references=[(b"dimg", 1, *[2] * 65025)]
    ),
    "heic of grids of grids of grids": lambda: heic.heic(
        *[heic.grid(2, 2, (64, 64)) for _ in range(30)],
        heic.picture(),
        references=[(b"dimg", number, *[number + 1] * 4) for number in range(1, 31)],
    ),
    "heic of a grid of itself": lambda: heic.heic(heic.grid(1, 1, (64, 64)), references=[(b"dimg", 1, 1)]),
    "heic that is its own transparency": lambda: heic.heic(heic.picture(), references=[(b"auxl", 1, 1)]),
    "heic with a transparency of 9000 x 9000": lambda: heic.heic(
        heic.picture(),
        heic.alpha(size=(9000, 9000), record=heic.record_of_size(heic.ALPHA_RECORD, 9000, 9000)),
        references=[(b"auxl", 2, 1)],
    ),
    "heic of items that all have the same 20 MiB": lambda: heic.heic(
        heic.picture(),
        *[(b"abcd", b"", [])] * 500,
        places={number: [(0, 20 * MIB)] * 2 for number in range(2, 502)},
        rest=heic.box(b"free", bytes(20 * MIB)),
    ),
    "heic of 9000 pictures": lambda: heic.heic(*_every_picture(9000)),
    "heic with a million boxes": lambda: heic.heic(heic.picture(), rest=heic.box(b"abcd") * 1_000_000),
    "heic with a million boxes in its description": lambda: heic.heic(
        heic.picture(), in_meta=heic.box(b"abcd") * 1_000_000
    ),
    "heic with a million units": lambda: heic.heic(heic.picture(coded=b"\0\0\0\2\x4e\1" * 1_000_000 + heic.CODED)),
    "heic with 300,000 sizes among its pixels": lambda: heic.heic(
        heic.picture(coded=heic.unit_of_size(64, 64) * 300_000 + heic.CODED)
    ),
}

NEEDLESS: dict[str, Callable[[], bytes]] = {
    "png of 2^31 frames": lambda: png(8, 8, png_chunk(b"acTL", struct.pack(">II", 2**31, 0))),
    "gif of 100,000 frames": lambda: gif(1, 1, gif_frame() * 100_000),
    "tiff of 200,000 pages": lambda: _chained(200_000),
    "jpeg with overlapping tags": lambda: after_soi(
        SMALL, jpeg_segment(0xE1, b"Exif\0\0" + tiff_of(ifd(overlapping(5000, 5000))))
    ),
    "jpeg with overlapping tags in many segments": lambda: after_soi(
        SMALL, *exif_segments(tiff_of(ifd(overlapping(60_000, 700_000))).ljust(1_000_000, b"\0"))
    ),
    "jpeg with 20 MB of EXIF": lambda: after_soi(SMALL, *exif_segments(bytes(20_000_000))),
    "jpeg with 60 MB of segments": lambda: after_soi(SMALL, jpeg_segment(0xE5, bytes(65_000)) * 900),
    "jpeg with 20 MB of Photoshop's": lambda: after_soi(
        SMALL, jpeg_segment(0xED, b"Photoshop 3.0\0" + b"8BIM\4\0\0\0\0\0\0\0" * 5000) * 300
    ),
    "png with 60 packed texts of 1 MiB": lambda: png(
        8, 8, *(packed_chunk(b"zTXt", number, b"a" * MIB) for number in range(60))
    ),
    "png with 60 packed texts of 1 MiB and a wide letter": lambda: png(
        8, 8, *(packed_chunk(b"iTXt", number, "\U0001f600".encode() + b"a" * (MIB - 4)) for number in range(60))
    ),
    "png with 2000 profiles": lambda: png(8, 8, packed_chunk(b"iCCP", 1, bytes(MIB)) * 2000),
    "png with a profile of 200 MiB": lambda: png(8, 8, packed_chunk(b"iCCP", 1, bytes(200 * MIB))),
    "png with 20 MiB of EXIF": lambda: png(8, 8, png_chunk(b"eXIf", bytes(20 * MIB))),
    "png with 20 MiB of text": lambda: png(8, 8, png_chunk(b"iTXt", b"key\0\0\0\0\0" + b"a" * 20 * MIB)),
    "png with 30 MiB of who knows what": lambda: png(8, 8, png_chunk(b"abCd", bytes(30 * MIB))),
    "gif with 50 MB of comments": lambda: gif(1, 1, b"!\xfe" + (b"\xff" + bytes(255)) * 200_000 + b"\0", gif_frame()),
    "tiff whose pages go round in a circle": lambda: tiff_of(
        tiff_page(1, 1, following=8 + PAGE_SIZE), tiff_page(1, 1, following=8)
    ),
    "tiff that follows itself": lambda: tiff_of(tiff_page(1, 1, following=8)),
    "tiff with overlapping tags": lambda: tiff_of(tiff_page(1, 1, *overlapping(60_000, 1_000_000)), bytes(1_000_000)),
    "tiff with overlapping tags in its EXIF": lambda: tiff_of(
        tiff_page(1, 1, (34665, 4, 1, 134)), ifd(overlapping(60_000, MIB)), bytes(MIB)
    ),
    "tiff with 60,000 directories": lambda: tiff_of(
        tiff_page(1, 1, (34665, 4, 1, 134)),
        ifd([(34665, 4, 1, 134 + 12 * number) for number in range(60_000)]),
        bytes(MIB),
    ),
    "tiff with two million orientations": lambda: tiff_of(tiff_page(9, 9, (274, 5, 2_000_000, 8)), bytes(16_000_000)),
}
"""What no thumb needs: it is passed over, whatever it is."""


def refused_bombs() -> Iterator[Bomb]:
    for error, makers in {"ImageLimitExceeded": OVER_A_LIMIT, "UploadedImageIsUnreadableError": ABSURD}.items():
        for label, make in makers.items():
            yield Bomb(label, f"cat.{label.split()[0]}", make, BROKEN, frozenset({error}))
    for label, make in NEEDLESS.items():
        yield Bomb(label, f"cat.{label.split()[0]}", make, GOOD, frozenset({ACCEPTED}))


def bombs() -> Iterator[Bomb]:
    for kind in (
        png_bombs,
        gif_bombs,
        jpeg_bombs,
        segment_bombs,
        webp_bombs,
        avif_bombs,
        heic_bombs,
        tiff_bombs,
        bmp_bombs,
        refused_bombs,
    ):
        # Where nothing reads HEIC, it is no image.
        yield from (bomb for bomb in kind() if bomb.file_name != "cat.heic" or "HEIC" in EXTENSIONS)


def within_the_limits() -> Bomb:
    """A large image that is no bomb, but costs more than one may."""
    return Bomb("PNG of 9000 x 9000", "cat.png", lambda: png(9000, 9000, pixels=deflated_zeros(9000 * 9001)), GOOD)
