"""What an image is told by, and what formats are called."""

import io

import pytest
from PIL import Image

from athumb_storage.formats import (
    EXTENSIONS,
    HEAD_SIZE,
    MIME_TYPES,
    WEB_FORMATS,
    canonical,
    content_type_of,
    format_of_name,
    is_image,
    sniff,
)
from tests.hostile.heic import REAL


def saved(format_, mode="RGB", **options):
    output = io.BytesIO()
    Image.new(mode, (16, 12)).save(output, format_, **options)
    return output.getvalue()


NOT_IN_JPEG = {"P", "RGBA"}
KINDS = [
    (format_, mode)
    for format_ in sorted(EXTENSIONS)
    for mode in ("RGB", "L", "P", "1", "RGBA")
    if format_ != "JPEG" or mode not in NOT_IN_JPEG
]


@pytest.mark.parametrize(("format_", "mode"), KINDS)
def test_real_files_are_told_by_their_head(format_, mode):
    assert sniff(saved(format_, mode)[:HEAD_SIZE]) == format_


HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (saved("PNG", exif=Image.Exif()), "PNG"),
        (saved("TIFF", big_tiff=False), "TIFF"),
        (b"MM\x00*\x00\x00\x00\x08", "TIFF"),
        (b"GIF87a\x01\x00\x01\x00", "GIF"),
        (b"\x00\x00\x00\x1cftypavis\x00\x00\x00\x00", "AVIF"),
        (REAL, "HEIC"),
        *((b"\x00\x00\x00\x14ftyp%s\x00\x00\x00\x00mif1" % brand, "HEIC") for brand in HEIC_BRANDS),
        (b"\x00\x00\x00\x18ftypmsf1\x00\x00\x00\x00hevciso8", "HEIC"),
        (b"\x00\x00\x00\x1cftypmif1\x00\x00\x00\x00mif1heicavif", "AVIF"),
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1avif", "AVIF"),
        (b"\xff\xd8\xff\xdb", "JPEG"),
        (b"\xff\xd8\xff\xe1\x00\x10Exif", "JPEG"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8L", "WEBP"),
    ],
)
def test_kinds_of_heads(data, expected):
    assert sniff(data[:HEAD_SIZE]) == expected


JPEG_XL = (b"\xff\x0a\xff\x0a", b"\x00\x00\x00\x0cJXL \r\n\x87\n\x00\x00\x00\x14ftypjxl ")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"B",
        b"BM",
        b"BMW is a maker of cars and motorcycles.",
        b"BM\x00\x00\x00\x00\x00\x00\x00\x00" + b"\x00" * 22,
        b"BMW and" + b" " * 7 + b"\x28\x00\x00\x00" + b"\x00" * 14,
        b"BM" + b"\x00" * 12 + b"\x29\x00\x00\x00" + b"\x00" * 14,
        b"<!DOCTYPE html><title>cat.jpg</title>",
        b'<svg xmlns="http://www.w3.org/2000/svg"/>',
        b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>',
        b"%PDF-1.7\n%\xe2\xe3\xcf\xd3",
        b"PK\x03\x04",
        b"RIFF\x24\x00\x00\x00WAVEfmt ",
        b"RIFF",
        b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00",
        b"\x00\x00\x00\x14ftypmp42\x00\x00\x00\x00mp41heic",
        b"ftypavif",
        b"ftypheic",
        *JPEG_XL,
        b" \xff\xd8\xff\xe0",
        b"\xff\xd8",
        b"\x89PNG\n\x1a\n",
        b"GIF88a",
        b"II+\x00",
        b"\x00" * 32,
        b"\x00\x00\x01\x00\x01\x00\x10\x10",
    ],
)
def test_what_is_no_image_we_read(data):
    assert sniff(data) is None


@pytest.mark.parametrize("data", [saved("PNG"), saved("BMP"), REAL, *JPEG_XL])
def test_images_are_known_that_are_never_read(data):
    assert is_image(data[:HEAD_SIZE])


@pytest.mark.parametrize("data", [b"", b"\xff", b"%PDF-1.7", b"JXL \r\n\x87\n", b"\x00\x00\x00\x18ftypmp42"])
def test_what_is_no_image(data):
    assert not is_image(data)


def test_a_file_name_says_nothing_of_the_content():
    assert sniff(b"cat.jpg") is None
    assert sniff(saved("GIF")[:HEAD_SIZE]) == "GIF"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("JPEG", "JPEG"),
        ("jpg", "JPEG"),
        ("Png", "PNG"),
        ("gif", "GIF"),
        ("webp", "WEBP"),
        ("AVIF", "AVIF"),
        ("tif", "TIFF"),
        ("Tiff", "TIFF"),
        ("BMP", "BMP"),
        ("svg", None),
        ("heic", None),
        ("", None),
        ("image/png", None),
    ],
)
def test_names_of_formats(name, expected):
    assert canonical(name) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cat.jpg", "JPEG"),
        ("photos/cat.JPEG", "JPEG"),
        ("cat.final.png", "PNG"),
        (".gif", "GIF"),
        ("cat", None),
        ("jpg", None),
        ("cat.", None),
        ("photos.jpg/cat", None),
        ("cat.jpg ", None),
        ("cat.tif", "TIFF"),
        ("cat.heic", None),
        ("", None),
    ],
)
def test_formats_of_names(name, expected):
    assert format_of_name(name) == expected


def test_every_format_of_a_thumb_has_a_content_type():
    assert set(EXTENSIONS) > WEB_FORMATS
    assert set(EXTENSIONS) == set(MIME_TYPES) - {"HEIC"}
    assert all(canonical(extension) == format_ for format_, extension in EXTENSIONS.items())


@pytest.mark.parametrize("format_", sorted(EXTENSIONS))
def test_the_content_type_of_an_image(format_):
    assert content_type_of(saved(format_)[:HEAD_SIZE]) == MIME_TYPES[format_]


def test_the_content_type_of_a_heic():
    assert content_type_of(REAL[:HEAD_SIZE]) == "image/heic"


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3", "application/pdf"),
        (b"PK\x03\x04\x14\x00", "application/zip"),
        (b"\x1f\x8b\x08\x00", "application/gzip"),
        (b"ID3\x04\x00", "audio/mpeg"),
        (b"OggS\x00\x02", "application/ogg"),
        (b"fLaC\x00\x00\x00\x22", "audio/flac"),
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", "audio/wav"),
        (b"\x1a\x45\xdf\xa3\x01", "video/webm"),
        (b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom", "video/mp4"),
        (b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2avc1mp41", "video/mp4"),
    ],
)
def test_the_content_type_of_other_files(head, expected):
    assert content_type_of(head) == expected


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"<!DOCTYPE html>",
        b"<svg xmlns=",
        b"<?xml version=",
        b"\xef\xbb\xbf<html>",
        b"\xff\xfe<\x00s\x00v\x00g\x00",
        b"alert(1)",
        b" %PDF-1.7",
        b"%PDF",
        b"PK\x05\x06",
        b"OggS",
        b"RIFF\x24\x00\x00\x00AVI LIST",
        b"GIF88a",
        b"ftypmp42",
        b"\x00\x00\x00\x18ftypM4A \x00\x00\x00\x00",
        b"\x00\x00\x00\x14ftypqt  \x00\x00\x00\x00qt  ",
    ],
)
def test_what_is_not_told_by_its_bytes(head):
    assert content_type_of(head[:HEAD_SIZE]) is None
