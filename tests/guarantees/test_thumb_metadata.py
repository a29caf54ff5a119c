"""Thumbs carry no metadata, whatever the original is full of: their bytes are looked at, not a decoder's word."""

import io
import struct

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from athumb_storage import Thumb
from tests.conftest import PHOTOS
from tests.hostile.builder import jpeg_segment
from tests.unit.rendering import quadrants, rendered, saved
from tests.unit.rendering.test_colours import WIDE

WRITTEN = ("JPEG", "PNG", "GIF", "WEBP", "AVIF", "BMP", "TIFF")
TRACES = (b"secret", b"Exif", b"eXIf", b"EXIF", b"XMP ", b"xap/1.0", b"ICC_", b"ICCP", b"acsp", b"Photoshop", b"tEXt")
PICTURE = quadrants((300, 200))


def exif():
    data = Image.Exif()
    data[0x010E] = "a secret description"
    data[0x0112] = 6
    data[0x8825] = {1: "N", 2: (50.0, 6.0, 1.0)}
    return data


def originals():
    xmp = b"<x:xmpmeta>secret</x:xmpmeta>"
    info = PngInfo()
    for key in ("Comment", "comment", "exif", "xmp", "dpi", "Raw profile type exif", "XML:com.adobe.xmp"):
        info.add_text(key, "a secret text")
    jpeg = saved(PICTURE, "JPEG", exif=exif(), icc_profile=WIDE, comment=b"a secret comment", xmp=xmp, dpi=(99, 99))
    marked = [jpeg_segment(marker, b"a secret segment") for marker in range(0xE3, 0xF0)]
    iptc = jpeg_segment(0xED, b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x08a secret")
    gif = saved(PICTURE, "GIF", comment=b"a secret comment", loop=0, save_all=True, append_images=[PICTURE.rotate(9)])
    grey = saved(PICTURE.convert("L"), "TIFF", exif=exif(), tiffinfo={270: "a secret", 315: "a secret", 700: xmp})
    return {
        "jpeg": jpeg[:2] + iptc + b"".join(marked) + jpeg[2:],
        "png": saved(PICTURE, "PNG", pnginfo=info, icc_profile=WIDE, dpi=(99, 99)),
        "png with exif": saved(PICTURE, "PNG", exif=exif(), icc_profile=WIDE),
        "palette": saved(PICTURE.quantize(9), "PNG", pnginfo=info, exif=exif(), transparency=1),
        "gif": gif,
        "webp": saved(PICTURE, "WEBP", exif=exif(), xmp=xmp, icc_profile=WIDE),
        "avif": saved(PICTURE, "AVIF", exif=exif(), xmp=xmp, icc_profile=WIDE),
        "tiff": saved(PICTURE, "TIFF", exif=exif(), icc_profile=WIDE, tiffinfo={270: "a secret", 700: xmp}),
        "grey tiff": grey,
    }


def segments_of(jpeg):
    """The markers before its pixels."""
    head = jpeg[: jpeg.index(b"\xff\xda")]
    markers, at = set(), 2
    while at < len(head):
        markers.add(head[at + 1])
        at += 2 + struct.unpack(">H", head[at + 2 : at + 4])[0]
    return markers


@pytest.mark.parametrize("format_", WRITTEN)
@pytest.mark.parametrize("name", list(originals()))
def test_a_thumb_tells_nothing(name, format_):
    data = originals()[name]
    assert any(trace in data for trace in TRACES)
    thumbs = {"small": Thumb(size=(40, 40)), "large": Thumb(size=(400, 400)), "square": Thumb(size=(50, 50), crop=True)}
    for result in rendered(data, thumbs, format_).values():
        assert not [trace for trace in TRACES if trace in result.data]
        image = Image.open(io.BytesIO(result.data))
        assert not {"exif", "xmp", "comment", "icc_profile", "photoshop", "Comment", "mp"} & set(image.info)
        if format_ != "TIFF":  # whose tags say where its pixels are
            assert not dict(image.getexif())


@pytest.mark.parametrize("name", list(originals()))
def test_segments_of_a_jpeg_thumb(name):
    """JFIF, tables and the frame: nothing that a preview, a place or a name could be in."""
    thumb = rendered(originals()[name], {"thumb": Thumb(size=(40, 40))}, "JPEG")["thumb"].data
    assert segments_of(thumb) == {0xE0, 0xDB, 0xC2, 0xC4}
    assert thumb[4:6] == b"\0\x10"  # a JFIF segment without a preview


@pytest.mark.parametrize("name", list(originals()))
def test_chunks_of_a_png_thumb(name):
    thumb = rendered(originals()[name], {"thumb": Thumb(size=(40, 40))}, "PNG")["thumb"].data
    at, names = 8, set()
    while at < len(thumb):
        names.add(thumb[at + 4 : at + 8])
        at += 12 + struct.unpack(">I", thumb[at : at + 4])[0]
    assert names == {b"IHDR", b"IDAT", b"IEND"}


@pytest.mark.parametrize("name", list(originals()))
def test_tags_of_a_tiff_thumb(name):
    """Those that its pixels cannot be read without (TIFF 6.0, section 8), and no second image."""
    thumb = rendered(originals()[name], {"thumb": Thumb(size=(40, 40))}, "TIFF")["thumb"].data
    order = {b"II": "<", b"MM": ">"}[thumb[:2]]
    (at,) = struct.unpack(f"{order}I", thumb[4:8])
    (count,) = struct.unpack_from(f"{order}H", thumb, at)
    tags = {struct.unpack_from(f"{order}H", thumb, at + 2 + 12 * number)[0] for number in range(count)}
    needed = {256, 257, 258, 259, 262, 273, 278, 279}  # size, bits, compression, colours, strips
    assert needed <= tags <= needed | {277, 284, 338}  # samples a pixel and how they lie, transparency
    assert struct.unpack_from(f"{order}I", thumb, at + 2 + 12 * count) == (0,)


@pytest.mark.parametrize("format_", WRITTEN)
@pytest.mark.parametrize("photo", sorted(PHOTOS.glob("*.jpg")), ids=lambda path: path.name)
def test_sample_photos(photo, format_):
    thumb = rendered(photo.read_bytes(), {"thumb": Thumb(size=(80, 80))}, format_)["thumb"].data
    assert not [trace for trace in TRACES if trace in thumb]
