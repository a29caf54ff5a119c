"""`strip_original`: what is stored of an image tells nothing but what it shows."""

from __future__ import annotations

import io

import pytest
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import InMemoryUploadedFile, TemporaryUploadedFile
from PIL import Image, ImageCms, PngImagePlugin

from athumb_storage import ImageLimitExceeded, UploadedImageIsUnreadableError, rendering
from tests.conftest import content_of, draw, image_in, stored
from tests.hostile import heic
from tests.hostile.builder import jpeg_segment, png_chunk

ONE = {"small": {"size": (30, 30)}}
SECRET = b"Secret Street 7"
GPS = (1.0625, 2.125, 3.1875)
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF>' + SECRET + b"</rdf:RDF></x:xmpmeta>"
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def exif(orientation=6):
    data = Image.Exif()
    data[0x0112] = orientation
    data[0x010E] = SECRET.decode()
    data[0x013B] = SECRET.decode()
    position = data.get_ifd(0x8825)
    position[1], position[2], position[3], position[4] = "N", GPS, "E", GPS
    position[29] = SECRET.decode()
    data.get_ifd(0x8769)[0x9286] = b"ASCII\0\0\0" + SECRET
    return data


def picture(mode="RGB", size=(90, 60)):
    """Red on its left, blue on its right."""
    image = Image.new("RGB", size, "red")
    image.paste("blue", (size[0] // 2, 0, *size))
    return image.convert(mode)


def saved(image, image_format, **options):
    output = io.BytesIO()
    image.save(output, image_format, **options)
    return output.getvalue()


def jpeg(**options):
    comment_at_its_end = jpeg_segment(0xFE, SECRET)
    image_resources = jpeg_segment(0xED, b"Photoshop 3.0\0" + SECRET)
    data = saved(picture(), "JPEG", exif=exif(), xmp=XMP, comment=SECRET, icc_profile=PROFILE, **options)
    return data[:2] + image_resources + data[2:-2] + comment_at_its_end + data[-2:] + SECRET


def png(mode="RGB"):
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Comment", SECRET.decode())
    texts.add_itxt("XML:com.adobe.xmp", XMP.decode())
    data = saved(picture(mode), "PNG", exif=exif(), pnginfo=texts, icc_profile=PROFILE)
    more = png_chunk(b"tIME", b"\x07\xe8\1\1\1\1\1") + png_chunk(b"seCr", SECRET) + png_chunk(b"tEXt", b"A\0" + SECRET)
    return data[:-12] + more + data[-12:] + SECRET


def webp(**options):
    return saved(picture(), "WEBP", exif=exif(), xmp=XMP, icc_profile=PROFILE, **options)


def gif():
    frames = [picture("P"), picture("P").rotate(180)]
    data = saved(frames[0], "GIF", comment=SECRET, save_all=True, append_images=frames[1:], duration=70, loop=3)
    xmp = b"\x21\xff\x0bXMP DataXMP" + bytes([len(SECRET)]) + SECRET + b"\0"
    assert data.endswith(b";")
    return data[:-1] + xmp + b";" + SECRET


KINDS = {
    "jpeg": jpeg,
    "progressive jpeg": lambda: jpeg(progressive=True),
    "png": png,
    "png of a palette": lambda: png("P"),
    "webp": webp,
    "webp without loss": lambda: webp(lossless=True),
    "gif": gif,
}
every_kind = pytest.mark.parametrize("make", KINDS.values(), ids=KINDS)


def tells(data):
    """What can still be read of what nobody is to know."""
    found = [SECRET] if SECRET in data else []
    image = Image.open(io.BytesIO(data))
    image.load()
    seen = image.getexif()
    found += [tag for tag in seen if tag != 0x0112]
    found += [*seen.get_ifd(0x8825), *seen.get_ifd(0x8769)]
    kept = {"jfif", "jfif_version", "jfif_unit", "jfif_density", "dpi", "icc_profile", "exif", "loop", "duration"}
    kept |= {"progressive", "progression", "version", "background", "extension", "timestamp", "transparency", "gamma"}
    return found + sorted(set(image.info) - kept)


def frames(data):
    """Every frame as it is decoded, with how long it is shown."""
    image = Image.open(io.BytesIO(data))
    for number in range(getattr(image, "n_frames", 1)):
        image.seek(number)
        yield image.size, image.mode, image.info.get("duration"), image.convert("RGBA").tobytes()


@every_kind
def test_what_is_taken_out_was_in_there(make):
    assert tells(make())


def small(data, name):
    return InMemoryUploadedFile(io.BytesIO(data), "image", name, "image/jpeg", len(data), None)


def large(data, name):
    file = TemporaryUploadedFile(name, "image/jpeg", len(data), None)
    file.write(data)
    return file


@every_kind
@pytest.mark.parametrize("upload", [small, large])
def test_the_original_tells_nothing_and_shows_the_same(make_storage, settings, make, upload):
    settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 2_500_000 if upload is small else 100
    data = make()
    storage = make_storage(thumbs=ONE, strip_original=True)
    with upload(data, "cat.jpg") as file:
        name = storage.save("cat.jpg", file)
    assert stored(storage) == ["cat.jpg", "cat.jpg.thumbs/small.jpg"]
    kept = content_of(storage, name)
    assert tells(kept) == []
    assert len(kept) < len(data)
    assert list(frames(kept)) == list(frames(data))
    before, after = (Image.open(io.BytesIO(content)) for content in (data, kept))
    assert after.info.get("icc_profile") == before.info.get("icc_profile")
    assert after.getexif().get(0x0112) == before.getexif().get(0x0112)
    assert tells(content_of(storage, "cat.jpg.thumbs/small.jpg")) == []


def test_a_stripped_original_is_turned_as_before(make_storage):
    for image_format, make in (("JPEG", jpeg), ("PNG", png), ("WEBP", webp)):
        storage = make_storage(thumbs=ONE, strip_original=True)
        name = storage.save(f"cat.{image_format}", ContentFile(make()))
        thumb = image_in(storage, storage.thumb_key(name, "small")).convert("RGB")
        assert thumb.size == (20, 30)
        top, bottom = thumb.getpixel((10, 4)), thumb.getpixel((10, 26))
        assert top[0] > 200 > 60 > top[2]  # red
        assert bottom[2] > 200 > 60 > bottom[0]  # blue
        assert image_in(storage, name).getexif()[0x0112] == 6


@pytest.mark.parametrize("orientation", [1, 0, 9])
def test_an_orientation_that_says_nothing_goes(make_storage, orientation):
    storage = make_storage(thumbs=ONE, strip_original=True)
    storage.save("cat.jpg", ContentFile(saved(picture(), "JPEG", exif=exif(orientation))))
    assert dict(image_in(storage, "cat.jpg").getexif()) == {}


@pytest.mark.parametrize(
    "bind",
    [
        lambda storage: storage,
        lambda storage: storage.with_thumbs({}),
        lambda storage: storage.with_thumbs({}, images_only=True),
    ],
    ids=["unbound", "bound", "images only"],
)
def test_a_storage_without_thumbs_strips(make_storage, bind):
    storage = bind(make_storage(thumbs={}, strip_original=True))
    for name, make in KINDS.items():
        data = make()
        kept = content_of(storage, storage.save(name, ContentFile(data)))
        assert tells(kept) == []
        assert list(frames(kept)) == list(frames(data))


def test_originals_are_not_stripped_unless_it_is_said(make_storage):
    storage = make_storage(thumbs=ONE)
    storage.save("cat.jpg", ContentFile(jpeg()))
    assert content_of(storage, "cat.jpg") == jpeg()


def noted():
    """EXIF data."""
    exif = Image.Exif()
    exif[0x010E] = SECRET.decode()
    return exif.tobytes()


@pytest.mark.parametrize("image_format", ["TIFF", "AVIF"])
@pytest.mark.parametrize("on_error", ["raise", "skip"])
@pytest.mark.parametrize("thumbs", [ONE, {}], ids=["thumbs", "no thumbs"])
def test_what_cannot_be_stripped_is_refused(make_storage, image_format, on_error, thumbs):
    storage = make_storage(thumbs=thumbs, strip_original=True, on_error=on_error)
    with pytest.raises(UploadedImageIsUnreadableError, match=rf"'photos/cat\.jpg'.*{image_format}"):
        storage.save("photos/cat.jpg", ContentFile(draw(format=image_format, exif=noted())))
    assert stored(storage) == []


@pytest.mark.parametrize("options", [{}, {"exif": noted()}, {"xmp": SECRET}], ids=["bare", "exif", "xmp"])
def test_an_avif_is_kept_as_it_is_or_refused(make_storage, options):
    storage = make_storage(thumbs=ONE, strip_original=True)
    data = draw(format="AVIF", **options)
    if options:
        assert SECRET in data
        with pytest.raises(UploadedImageIsUnreadableError, match=r"'cat\.avif'.*AVIF.*without loss"):
            storage.save("cat.avif", ContentFile(data))
        assert stored(storage) == []
    else:
        assert content_of(storage, storage.save("cat.avif", ContentFile(data))) == data


@pytest.mark.parametrize(
    "more", [b"\0\0\0\x0cuuid\1\2\3\4", b"\0\0\0\x0cfree\1\2\3\4", b"\0\0\0\x10udta\0\0\0\x08name", b"\1"]
)
def test_an_avif_with_something_behind_it_is_refused(make_storage, more):
    storage = make_storage(thumbs=ONE, strip_original=True)
    with pytest.raises(UploadedImageIsUnreadableError, match="AVIF"):
        storage.save("cat.avif", ContentFile(draw(format="AVIF") + more))
    assert stored(storage) == []


MALFORMED = {
    "jpeg without pixels": b"\xff\xd8\xff\xe0\x00\x10JFIF",
    "jpeg cut off": jpeg()[:200],
    "png cut off": png()[:100],
    "png of chunks too large": png()[:33] + b"\x7f\xff\xff\xffIDAT" + bytes(50),
    "webp cut off": webp()[:40],
    "gif cut off": gif()[:30],
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
@pytest.mark.parametrize("on_error", ["raise", "skip"])
def test_what_is_malformed_is_refused_by_its_name(make_storage, data, on_error):
    """Also where it would be kept otherwise: nobody knows what is in it."""
    storage = make_storage(thumbs=ONE, strip_original=True, on_error=on_error)
    with pytest.raises(UploadedImageIsUnreadableError, match=r"'photos/cat\.jpg': "):
        storage.save("photos/cat.jpg", ContentFile(data))
    assert stored(storage) == []


@pytest.mark.parametrize("data", [b"", b"plain text " + SECRET, b"%PDF-1.7 " + SECRET], ids=["empty", "text", "pdf"])
def test_what_is_no_image_is_left_as_it_is(make_storage, data):
    storage = make_storage(strip_original=True)
    assert content_of(storage, storage.save("note.txt", ContentFile(data))) == data


def test_an_image_that_may_not_be_opened_is_refused_because_it_cannot_be_stripped(make_storage):
    storage = make_storage(strip_original=True, allowed_formats=["JPEG"])
    with pytest.raises(UploadedImageIsUnreadableError, match=r"cat\.tif"):
        storage.save("cat.tif", ContentFile(draw(format="TIFF")))
    assert stored(storage) == []


HEIC_WITH_EXIF = heic.heic(heic.picture(), (b"Exif", bytes(4) + SECRET, []), references=[(b"cdsc", 2, 1)])
JPEG_XL = (b"\xff\x0a" + SECRET, b"\0\0\0\x0cJXL \r\n\x87\n\0\0\0\x14ftypjxl \0\0\0\0jxl " + SECRET)


@pytest.mark.parametrize("data", [HEIC_WITH_EXIF, *JPEG_XL], ids=["heic", "jpeg xl", "jpeg xl in boxes"])
@pytest.mark.parametrize("options", [{}, {"allowed_formats": ["JPEG"]}, {"thumbs": ONE, "on_error": "skip"}], ids=str)
def test_an_image_is_refused_that_no_decoder_is_installed_for(make_storage, monkeypatch, data, options):
    for there_is_one in (True, False):
        monkeypatch.setattr(rendering.heic, "can_read_heic", lambda there_is_one=there_is_one: there_is_one)
        storage = make_storage(strip_original=True, **options)
        with pytest.raises(UploadedImageIsUnreadableError, match=r"cat\.bin"):
            storage.save("cat.bin", ContentFile(data))
        assert stored(storage) == []


def test_a_heic_is_a_plain_file_where_it_is_not_allowed(make_storage):
    storage = make_storage(thumbs=ONE, allowed_formats=["JPEG"])
    name = storage.save("cat.heic", ContentFile(HEIC_WITH_EXIF))
    assert (stored(storage), content_of(storage, name)) == ([name], HEIC_WITH_EXIF)
    with pytest.raises(UploadedImageIsUnreadableError, match="is not an image of a format"):
        storage.with_thumbs(ONE, images_only=True).save("dog.heic", ContentFile(HEIC_WITH_EXIF))


def test_a_file_over_the_limit_is_not_even_stripped(make_storage):
    with pytest.raises(ImageLimitExceeded, match=r"cat\.jpg.*max_bytes"):
        make_storage(strip_original=True, max_bytes=100).save("cat.jpg", ContentFile(jpeg()))


def test_an_image_that_is_kept_without_thumbs_is_stripped(make_storage):
    storage = make_storage(thumbs=ONE, strip_original=True, on_error="skip", max_pixels=10)
    name = storage.save("cat.jpg", ContentFile(jpeg()))
    assert tells(content_of(storage, name)) == []
    assert stored(storage) == [name]


def test_the_upload_itself_stays_as_it_was_and_open(make_storage):
    data = jpeg()
    for upload in (small(data, "cat.jpg"), large(data, "cat.jpg")):
        with upload:
            make_storage(thumbs=ONE, strip_original=True).save("cat.jpg", upload)
            upload.seek(0)
            assert upload.read() == data


def test_the_temporary_copy_is_removed(make_storage, settings, tmp_path_factory):
    folder = tmp_path_factory.mktemp("uploads")
    settings.FILE_UPLOAD_TEMP_DIR = str(folder)
    settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 100
    storage = make_storage(thumbs=ONE, strip_original=True)
    storage.save("cat.jpg", ContentFile(jpeg()))
    with pytest.raises(UploadedImageIsUnreadableError):
        storage.save("dog.jpg", ContentFile(jpeg()[:300]))
    assert list(folder.iterdir()) == []


def test_a_heic_that_is_bounded_becomes_what_a_browser_shows(make_storage):
    pytest.importorskip("pi_heif", reason="there is no wheel of pi-heif for this Python")
    storage = make_storage(thumbs=ONE, original={"size": (2000, 2000)})
    assert storage.save("photos/cat.HEIC", ContentFile(HEIC_WITH_EXIF)) == "photos/cat.jpg"
    assert stored(storage) == ["photos/cat.jpg", "photos/cat.jpg.thumbs/small.jpg"]
    image = image_in(storage, "photos/cat.jpg")
    assert (image.format, image.size) == ("JPEG", (64, 64))
    assert SECRET not in content_of(storage, "photos/cat.jpg")


def test_without_the_decoder_of_heic_the_error_names_the_extra(make_storage, monkeypatch):
    monkeypatch.setattr("athumb_storage.rendering.heic.can_read_heic", lambda: False)
    storage = make_storage(thumbs=ONE).with_thumbs({}, images_only=True)
    content = ContentFile(HEIC_WITH_EXIF, name="cat.heic")
    named = r"cat\.heic' is not an image of a format that is accepted.*athumb-storage\[heif\]"
    for refuse in (lambda: storage.save("cat.heic", content), lambda: storage.check_image(content)):
        with pytest.raises(UploadedImageIsUnreadableError, match=named):
            refuse()
    storage.unbound.save("cat.heic", content)  # which takes any file
    with pytest.raises(UploadedImageIsUnreadableError, match=named):
        storage.generate_thumbs("cat.heic")
    with pytest.raises(UploadedImageIsUnreadableError) as caught:
        storage.save("notes.txt", ContentFile(b"text"))
    assert "heif" not in str(caught.value)
