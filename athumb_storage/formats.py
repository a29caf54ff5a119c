"""Image formats: their names, extensions, MIME types and magic numbers. Pure: no Django, no Pillow."""

from __future__ import annotations

import struct
from typing import Final, Literal

EXTENSIONS: Final = {
    "JPEG": "jpg",
    "PNG": "png",
    "GIF": "gif",
    "WEBP": "webp",
    "AVIF": "avif",
    "BMP": "bmp",
    "TIFF": "tiff",
}
"""The formats a thumb can be written in, with the extension of its key."""

WEB_FORMATS: Final = frozenset({"JPEG", "PNG", "GIF", "WEBP", "AVIF"})
"""Those of them that browsers show: an original's name alone asks for no other."""

FormatName = Literal[
    "JPEG", "JPG", "PNG", "GIF", "WEBP", "AVIF", "BMP", "TIFF", "TIF",
    "jpeg", "jpg", "png", "gif", "webp", "avif", "bmp", "tiff", "tif",
]  # fmt: skip
"""How they are written for type checkers; any mixture of capitals will do."""

# In capitals, and as nearly all files spell it, which saves each URL a conversion.
_CANONICAL: Final = {
    spelling: name
    for name, extension in [*EXTENSIONS.items(), ("JPEG", "jpeg"), ("TIFF", "tif")]
    for spelling in (name, extension, extension.upper())
}

MIME_TYPES: Final = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "GIF": "image/gif",
    "WEBP": "image/webp",
    "AVIF": "image/avif",
    "BMP": "image/bmp",
    "TIFF": "image/tiff",
    "HEIC": "image/heic",
}
"""The formats an original is read in, with the content type it is stored with. HEIC takes the extra `heif`."""

UPLOAD_EXTENSIONS: Final = {
    "JPEG": ("jpg", "jpeg", "jpe", "jfif"),
    "PNG": ("png", "apng"),
    "GIF": ("gif",),
    "WEBP": ("webp",),
    "AVIF": ("avif", "avifs"),
    "BMP": ("bmp", "dib"),
    "TIFF": ("tif", "tiff"),
    "HEIC": ("heic", "heif", "hif"),
}
"""The extensions of the same formats that a form takes."""

_UPLOADED: Final = {extension: name for name, extensions in UPLOAD_EXTENSIONS.items() for extension in extensions}

READ_ONLY_EXTENSIONS: Final = frozenset(
    extension for name, extensions in UPLOAD_EXTENSIONS.items() if name not in EXTENSIONS for extension in extensions
)
"""Those of formats that no thumb can be written in."""

_OTHER_TYPES: Final = (
    (b"%PDF-", "application/pdf"),
    (b"ID3", "audio/mpeg"),
    (b"OggS\x00", "application/ogg"),
    (b"fLaC", "audio/flac"),
    (b"\x1a\x45\xdf\xa3", "video/webm"),
    (b"PK\x03\x04", "application/zip"),
    (b"\x1f\x8b\x08", "application/gzip"),
)
"""How files begin that are no images, and that a browser runs no script of.

From the WHATWG MIME Sniffing Standard, sections 6.2 and 6.4, and of FLAC from RFC 9639, section 8.
"""

INERT_TYPES: Final = frozenset({*MIME_TYPES.values(), "video/mp4", "audio/wav", *dict(_OTHER_TYPES).values()})
"""All content types that bytes can tell; a browser that is told one of them runs nothing."""

HEAD_SIZE: Final = 64
"""How many bytes of a file `sniff` wants to see."""

# The sizes that a BMP's second header can have, one for each version of it.
_OLDEST_BMP_HEADER: Final = 12
_BMP_HEADER_SIZES: Final = frozenset({_OLDEST_BMP_HEADER, 40, 52, 56, 64, 108, 124})

_AVIF_BRANDS: Final = frozenset({b"avif", b"avis"})
_HEIC_BRANDS: Final = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})

_NEVER_READ: Final = (b"\xff\x0a", b"\x00\x00\x00\x0cJXL \r\n\x87\n")
"""How an image begins that is known and never read: JPEG XL (ISO/IEC 18181-2, sections 5 and 9.1)."""


def canonical(name: str) -> str | None:
    """`name` as this package spells the format ("jpg" -> "JPEG"), or None if it is none we know."""
    return _CANONICAL.get(name) or _CANONICAL.get(name.upper())


def format_of_name(name: str) -> str | None:
    """The format that the extension of `name` stands for, or None."""
    _, dot, extension = name.rpartition(".")
    return canonical(extension) if dot else None  # after a dot in a folder's name stands a slash, so no format


def format_of_upload(name: str) -> str | None:
    """The format of originals that the extension of `name` stands for, or None if it is that of no image."""
    _, dot, extension = name.rpartition(".")
    return _UPLOADED.get(extension.lower()) if dot else None


def sniff(head: bytes) -> str | None:
    """The image format of a file that begins with `head`, or None if it is not an image we read.

    Only magic numbers are looked at: a file name or a client's content type proves nothing. The numbers are those of
    the WHATWG MIME Sniffing Standard, section 6.1, of TIFF 6.0, section 2, of BigTIFF, of AVIF 1.1, section 6, and of
    HEIF (ISO/IEC 23008-12, section 10 and annex B.4).
    """
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "WEBP"
    brands = _brands(head)
    if not _AVIF_BRANDS.isdisjoint(brands):
        return "AVIF"
    if not _HEIC_BRANDS.isdisjoint(brands):
        return "HEIC"
    if head.startswith((b"II*\x00", b"MM\x00*", b"II+\x00\x08\x00\x00\x00", b"MM\x00+\x00\x08\x00\x00")):
        return "TIFF"
    return "BMP" if _is_bmp(head) else None


def is_image(head: bytes) -> bool:
    """Whether a file that begins with `head` is an image, be it one that is never read."""
    return sniff(head) is not None or head.startswith(_NEVER_READ)


def content_type_of(head: bytes) -> str | None:
    """The content type of a file that begins with `head`, or None if its bytes do not tell.

    Nothing that a browser would run as a page is ever told: no HTML, no SVG, no XML.
    """
    image_format = sniff(head)
    if image_format:
        return MIME_TYPES[image_format]
    if any(brand.startswith(b"mp4") for brand in _brands(head)):
        return "video/mp4"  # a brand says so; others begin in the same way
    if head.startswith(b"RIFF") and head[8:12] == b"WAVE":
        return "audio/wav"
    return next((content_type for start, content_type in _OTHER_TYPES if head.startswith(start)), None)


def _brands(head: bytes) -> list[bytes]:
    """What a file of the ISO base media format says it is, best first (ISO/IEC 14496-12, section 4.3)."""
    if head[4:8] != b"ftyp":
        return []
    end = min(int.from_bytes(head[:4], "big"), len(head))
    return [head[8:12], *(head[start : start + 4] for start in range(16, end - 3, 4))]


def _is_bmp(head: bytes) -> bool:
    """Whether it is a BMP file, or a DIB, which lacks the first of a BMP's two headers."""
    is_bmp = head.startswith(b"BM")
    second = head[14:] if is_bmp else head
    if len(second) < 4 or int.from_bytes(second[:4], "little") not in _BMP_HEADER_SIZES:
        return False
    # "BM" alone also begins ordinary text, so either the four reserved bytes or the number of bits has to be sound.
    planes, bits = struct.unpack_from("<HH", second.ljust(16, b"\0"), 8 if second[0] == _OLDEST_BMP_HEADER else 12)
    return (is_bmp and head[6:10] == bytes(4)) or (planes == 1 and bits in (1, 4, 8, 16, 24, 32))
