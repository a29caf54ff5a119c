"""What is left of an original without its metadata: the same pixels, coded by the same bytes, and no tales."""

import io
import re
import struct

import pytest
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from athumb_storage import UploadedImageIsUnreadableError
from athumb_storage.formats import HEAD_SIZE, sniff
from athumb_storage.rendering import shown_size, stripped
from tests.conftest import PHOTOS
from tests.hostile.builder import (
    GIF_CONTROL,
    after_soi,
    gif,
    gif_frame,
    jpeg_segment,
    png,
    png_chunk,
    riff,
    riff_chunk,
    webp_canvas,
    webp_frame,
)
from tests.unit.rendering import quadrants, saved

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
PICTURE = quadrants((240, 160)).effect_spread(9)
SECOND = PICTURE.transpose(Image.Transpose.ROTATE_180)


def exif(orientation=1):
    data = Image.Exif()
    data[0x010E] = "a secret description"
    data[0x0112] = orientation
    data[0x8825] = {1: "N", 2: (50.0, 6.0, 1.0)}
    return data


def without_metadata(data):
    return b"".join(stripped(io.BytesIO(data), sniff(data[:HEAD_SIZE])))


def opened(data):
    return Image.open(io.BytesIO(data))


def pixels_of(data):
    """All frames, but of a JPEG only the first picture."""
    image = opened(data)
    frames = 1 if image.format in ("JPEG", "MPO") else getattr(image, "n_frames", 1)
    pixels = []
    for number in range(frames):
        image.seek(number)
        pixels.append(image.convert("RGBA").tobytes())
    return pixels


def scans_of(jpeg):
    """The coded pixels of the first picture: from each SOS on to the next marker that is none of a scan."""
    end = jpeg.index(b"\xff\xd9", jpeg.rindex(b"\xff\xda")) if jpeg.count(b"\xff\xd8\xff") == 1 else len(jpeg)
    return re.findall(rb"\xff\xda.*?(?=\xff[\xc4\xd9\xda])", jpeg[: end + 2], re.DOTALL)


def chunks_of(png):
    """(name, data) of each chunk."""
    at, found = 8, []
    while at < len(png):
        (size,) = struct.unpack(">I", png[at : at + 4])
        found.append((png[at + 4 : at + 8], png[at + 8 : at + 8 + size]))
        at += size + 12
    return found


def text():
    info = PngInfo()
    info.add_text("Comment", "a secret text")
    info.add_itxt("XML:com.adobe.xmp", "a secret text", zip=True)
    info.add(b"tIME", b"\x07\xe8\1\1\1\1\1")
    info.add(b"abCd", b"a secret of some program")
    return info


def samples(orientation=1):
    """Files full of metadata, by what they are."""
    jpeg = {
        "exif": exif(orientation),
        "comment": b"a secret comment",
        "xmp": b"a secret <xmp/>",
        "icc_profile": PROFILE,
    }
    frames = {"save_all": True, "append_images": [SECOND]}
    webp = {"exif": exif(orientation), "xmp": b"a secret xmp", "icc_profile": PROFILE}
    return {
        "jpeg": saved(PICTURE, "JPEG", **jpeg),
        "progressive jpeg": saved(PICTURE, "JPEG", progressive=True, **jpeg),
        "jpeg with restarts": saved(PICTURE, "JPEG", restart_marker_blocks=3, **jpeg),
        "grey jpeg": saved(PICTURE.convert("L"), "JPEG", **jpeg),
        "cmyk jpeg": saved(PICTURE.convert("CMYK"), "JPEG", **jpeg),
        "rgb jpeg": saved(PICTURE, "JPEG", keep_rgb=True, **jpeg),
        "several jpegs": saved(PICTURE, "MPO", save_all=True, append_images=[SECOND], **jpeg),
        "png": saved(PICTURE, "PNG", exif=exif(orientation), icc_profile=PROFILE, pnginfo=text(), dpi=(99, 99)),
        "palette png": saved(PICTURE.quantize(9), "PNG", exif=exif(orientation), transparency=1, pnginfo=text()),
        "moving png": saved(PICTURE, "PNG", exif=exif(orientation), pnginfo=text(), **frames),
        "webp": saved(PICTURE, "WEBP", **webp),
        "lossless webp": saved(PICTURE, "WEBP", lossless=True, **webp),
        "transparent webp": saved(Image.new("RGBA", (240, 160), (255, 0, 0, 99)), "WEBP", **webp),
        "moving webp": saved(PICTURE, "WEBP", **frames, **webp),
        "gif": saved(PICTURE, "GIF", comment=b"a secret comment"),
        "moving gif": saved(PICTURE, "GIF", comment=b"a secret comment", loop=3, duration=50, **frames),
    }


NAMES = list(samples())
TURNABLE = [name for name in NAMES if "gif" not in name]


@pytest.mark.parametrize("name", NAMES)
def test_the_pixels_stay_and_the_metadata_go(name):
    data = samples()[name]
    assert b"secret" in data
    left = without_metadata(data)
    assert pixels_of(left) == pixels_of(data)
    assert len(left) < len(data)
    assert b"secret" not in left
    assert not dict(opened(left).getexif())
    assert not {"exif", "xmp", "comment", "XML:com.adobe.xmp", "Comment", "mp", "photoshop"} & set(opened(left).info)


@pytest.mark.parametrize("orientation", range(2, 9))
@pytest.mark.parametrize("name", TURNABLE)
def test_a_turned_image_stays_turned(name, orientation):
    data = samples(orientation)[name]
    left = without_metadata(data)
    assert dict(opened(left).getexif()) == {0x0112: orientation}
    assert pixels_of(left) == pixels_of(data)
    assert shown_size(io.BytesIO(left)) == ((160, 240) if orientation > 4 else (240, 160))
    assert b"secret" not in left


@pytest.mark.parametrize("name", [name for name in TURNABLE if name not in ("palette png", "moving png")])
def test_the_colour_profile_stays(name):
    assert opened(without_metadata(samples()[name])).info["icc_profile"] == PROFILE


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("orientation", [1, 6])
def test_what_is_stripped_has_nothing_left_to_strip(name, orientation):
    left = without_metadata(samples(orientation)[name])
    assert without_metadata(left) == left


@pytest.mark.parametrize("name", NAMES)
def test_what_follows_the_image_is_left_behind(name):
    data = samples()[name]
    assert without_metadata(data + b"a secret film of a telephone \xff\xd8\xff\xd9") == without_metadata(data)


@pytest.mark.parametrize("name", [*NAMES, "bmp"])
def test_a_stripped_image_comes_in_pieces_from_a_reader_that_stays_open(name):
    reader = io.BytesIO({**samples(), "bmp": saved(PICTURE, "BMP")}[name])
    image_format = sniff(reader.read(HEAD_SIZE))
    pieces = list(stripped(reader, image_format))
    assert all(isinstance(piece, bytes) for piece in pieces)
    assert not reader.closed
    assert b"".join(pieces) == without_metadata(reader.getvalue())


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "BMP"])
def test_no_piece_is_large(format_):
    data = saved(Image.effect_noise((1500, 1500), 90), format_, **({"quality": 98} if format_ == "JPEG" else {}))
    assert len(data) > 2**20
    assert max(len(piece) for piece in stripped(io.BytesIO(data), format_)) <= 2**17


@pytest.mark.parametrize("name", [name for name in NAMES if "jpeg" in name])
def test_coded_pixels_of_a_jpeg_are_the_same_bytes(name):
    data = samples()[name]
    left = without_metadata(data)
    scans = scans_of(left)
    assert scans
    assert all(scan in data for scan in scans)
    assert len(scans) == (10 if name == "progressive jpeg" else 1)


@pytest.mark.parametrize("name", [name for name in NAMES if "png" in name])
def test_chunks_of_a_png(name):
    data = samples(6)[name]
    kept = {b"IHDR", b"PLTE", b"tRNS", b"iCCP", b"pHYs", b"acTL", b"fcTL", b"IDAT", b"fdAT", b"IEND"}
    left = chunks_of(without_metadata(data))
    assert [part for part in left if part[0] != b"eXIf"] == [part for part in chunks_of(data) if part[0] in kept]
    assert [part[0] for part in left].count(b"eXIf") == 1


def test_a_png_keeps_what_changes_how_it_looks_and_critical_chunks_it_does_not_know():
    kept = [b"gAMA", b"cHRM", b"sRGB", b"sBIT", b"cICP", b"bKGD", b"pHYs", b"mDCV", b"cLLI", b"ABCD"]
    dropped = [b"hIST", b"sPLT", b"tIME", b"eXIf", b"tEXt", b"zTXt", b"iTXt", b"caBX", b"orNT"]
    data = png(8, 8, *(png_chunk(name, bytes(9)) for name in kept + dropped))
    names = [name for name, _ in chunks_of(without_metadata(data))]
    assert names == [b"IHDR", *kept, b"IDAT", b"IEND"]


def test_the_orientation_of_a_png_behind_its_pixels():
    data = png(8, 4, after=[png_chunk(b"eXIf", exif(8).tobytes()[6:])])
    left = without_metadata(data)
    assert shown_size(io.BytesIO(left)) == shown_size(io.BytesIO(data)) == (4, 8)
    assert [name for name, _ in chunks_of(left)] == [b"IHDR", b"IDAT", b"eXIf", b"IEND"]


def jpeg_with(*segments):
    return after_soi(saved(PICTURE, "JPEG"), *segments, jfif=False)


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow finds fault with the MPF segment
def test_segments_of_a_jpeg():
    preview = b"JFIF\0\1\1\1\0\x48\0\x48" + bytes([1, 1]) + b"\xff\x77\x66"
    jpeg = jpeg_with(
        jpeg_segment(0xE0, preview),
        jpeg_segment(0xE0, b"JFXX\0\x10" + b"a secret preview"),
        *(jpeg_segment(marker, b"a secret segment") for marker in range(0xE1, 0xF0)),
        jpeg_segment(0xE2, b"MPF\0a secret segment"),
        jpeg_segment(0xED, b"Photoshop 3.0\0a secret segment"),
        jpeg_segment(0xEE, b"Adobe\0\x64\0\0\0\0\1"),
        jpeg_segment(0xFE, b"a secret comment"),
    )
    left = without_metadata(jpeg)
    head = jpeg_segment(0xE0, preview[:12] + b"\0\0") + jpeg_segment(0xEE, b"Adobe\0\x64\0\0\0\0\1")
    assert left == jpeg_with(head)
    assert pixels_of(left) == pixels_of(jpeg)


def test_only_the_first_exif_data_of_a_jpeg_count():
    segments = [jpeg_segment(0xE1, exif(number).tobytes()) for number in (6, 3)]
    assert dict(opened(without_metadata(jpeg_with(*segments))).getexif()) == {0x0112: 6}


def test_fill_bytes_and_junk_between_segments():
    segments = [b"\xff" * 9, jpeg_segment(0xFE, b"a secret"), b"a secret", jpeg_segment(0xE1, b"a secret"), b"\0\0"]
    assert without_metadata(jpeg_with(*segments)) == jpeg_with()


@pytest.mark.parametrize("size", [65_535, 65_536, 65_537, 131_071, 131_072])
def test_markers_at_the_edge_of_what_is_read_at_once(size):
    """A marker, or a stuffed FF, may be cut in two by it."""
    jpeg = saved(Image.effect_noise((900, 900), 90), "JPEG", quality=95)
    at = jpeg.index(b"\xff\xda")
    for shift in range(-3, 4):
        comment = jpeg_segment(0xFE, bytes((size - at + shift) % 60_000)) + jpeg_segment(0xFE, b"") * 2
        data = jpeg[:at] + comment + jpeg[at:]
        assert without_metadata(data) == jpeg


def test_extensions_of_a_gif():
    looping = b"!\xff\x0bNETSCAPE2.0\x03\x01\x05\x00\x00"
    other = b"!\xff\x0bANIMEXTS1.0\x03\x01\x05\x00\x00"
    words = b"!\x01\x0c" + bytes(12) + b"\x05words\0"
    xmp = b"!\xff\x0bXMP DataXMP\x08a secret\x00"
    unknown = b"!\x77\x08a secret\x00"
    comment = b"!\xfe\x08a secret\x08a secret\x00"
    kept = [looping, other, GIF_CONTROL, words, gif_frame(), GIF_CONTROL, gif_frame()]
    full = [looping, xmp, other, comment, GIF_CONTROL, words, gif_frame(), unknown, GIF_CONTROL, gif_frame()]
    assert without_metadata(gif(1, 1, *full, comment)) == gif(1, 1, *kept)


def test_a_gif_without_its_end_is_given_one():
    data = gif(1, 1, gif_frame())
    assert without_metadata(data[:-1]) == data


def test_chunks_of_a_webp():
    picture = saved(PICTURE, "WEBP")
    secret = riff_chunk(b"ABCD", b"a secret!")
    frames = [webp_frame(picture[12:] + secret, 240, 160), webp_frame(picture[12:], 240, 160)]
    control = riff_chunk(b"ANIM", bytes(6))
    tail = [riff_chunk(b"EXIF", exif(6).tobytes()[6:]), riff_chunk(b"XMP ", b"a secret"), secret]
    data = riff(webp_canvas(240, 160, 0x02 | 0x08 | 0x04), control, secret, *frames, *tail)
    plain = riff(webp_canvas(240, 160, 0x02), control, webp_frame(picture[12:], 240, 160) * 2)
    left = without_metadata(data)
    assert left[20] == 0x02 | 0x08
    assert left[:20] + b"\x02" + left[21:] == (riff(plain[12:], riff_chunk(b"EXIF", left[-26:])))
    assert dict(opened(left).getexif()) == {0x0112: 6}
    assert pixels_of(left) == pixels_of(data)


def test_a_simple_webp_is_its_picture_alone():
    picture = saved(PICTURE, "WEBP")
    assert picture[12:16] == b"VP8 "
    assert without_metadata(picture) == picture
    assert without_metadata(riff(picture[12:], riff_chunk(b"EXIF", b"a secret"))) == picture


def test_a_webp_whose_last_chunk_lacks_its_padding():
    picture = saved(PICTURE, "WEBP")
    odd = riff(webp_canvas(240, 160), picture[12:], riff_chunk(b"ALPH", b"odd"))
    assert without_metadata(odd[:-1]) == odd


def test_a_bmp_has_nothing_to_strip():
    data = saved(PICTURE, "BMP")
    assert without_metadata(data) == data


@pytest.mark.parametrize("format_", ["TIFF", "AVIF"])
def test_formats_that_cannot_be_stripped(format_):
    with pytest.raises(UploadedImageIsUnreadableError, match=f"{format_} .* cannot be stripped .* without loss"):
        without_metadata(saved(PICTURE, format_, exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0"))


@pytest.mark.parametrize("name", NAMES)
def test_a_truncated_file_is_refused_or_complete(name):
    """A cut may fall behind all that matters; else it is an error, and never one of another kind."""
    data = samples(6)[name]
    complete = without_metadata(data)
    refused = 0
    for cut in {*range(120), *range(120, len(data), max(len(data) // 150, 1))}:
        try:
            left = without_metadata_of(data[:cut], sniff(data[:HEAD_SIZE]))
        except UploadedImageIsUnreadableError:
            refused += 1
        else:
            assert "gif" in name or left == complete or "webp" in name
    assert refused > 100


def without_metadata_of(data, image_format):
    return b"".join(stripped(io.BytesIO(data), image_format))


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "GIF", "WEBP"])
@pytest.mark.parametrize("rest", [b"", b"\0" * 100, b"\xff" * 100, b"!\xfe" * 50, b"hello"])
def test_what_is_no_image_behind_its_head_is_refused(format_, rest):
    head = {"JPEG": b"\xff\xd8\xff\xe0", "PNG": b"\x89PNG\r\n\x1a\n", "GIF": b"GIF89a", "WEBP": b"RIFF\0\0\0\0WEBP"}[
        format_
    ]
    with pytest.raises(UploadedImageIsUnreadableError):
        without_metadata_of(head + rest, format_)


@pytest.mark.parametrize("photo", sorted(PHOTOS.glob("*.jpg")), ids=lambda path: path.name)
def test_sample_photos(photo):
    data = photo.read_bytes()
    left = without_metadata(data)
    assert pixels_of(left) == pixels_of(data)
    assert set(dict(opened(left).getexif())) <= {0x0112}
    assert shown_size(io.BytesIO(left)) == shown_size(io.BytesIO(data))
