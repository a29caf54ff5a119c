"""What every storage with thumbs does: on the file system, in memory, and on a real S3 server."""

from __future__ import annotations

import contextlib
import io
import os
import re
import tempfile
from urllib.parse import unquote, urlsplit

import pytest
from django.core.exceptions import ImproperlyConfigured, SuspiciousFileOperation, SuspiciousOperation
from django.core.files.base import ContentFile, File
from django.core.files.storage import FileSystemStorage, InMemoryStorage
from django.core.files.uploadedfile import InMemoryUploadedFile, SimpleUploadedFile, TemporaryUploadedFile
from PIL import Image
from storages.backends.s3 import S3Storage

from athumb_storage import RenderingError, Thumb, UnknownThumb, UploadedImageIsUnreadableError, UploadFailed
from athumb_storage.storages import FileSystemThumbnailStorage, InMemoryThumbnailStorage
from tests.conftest import content_of, draw, image_in, stored, upload

THUMBS = {
    "small": {"size": (30, 30)},
    "square": {"size": (20, 20), "crop": True},
    "web": Thumb(size=(40, 40), format="WEBP"),
}
KEYS = ["cat.jpg", "cat.jpg.thumbs/small.jpg", "cat.jpg.thumbs/square.jpg", "cat.jpg.thumbs/web.webp"]


def noise(size=(300, 200), fmt="JPEG"):
    """An image that compresses badly, so that cutting it off cuts off pixels."""
    output = io.BytesIO()
    Image.frombytes("RGB", size, os.urandom(size[0] * size[1] * 3)).save(output, fmt)
    return output.getvalue()


# Saving


def test_a_save_stores_the_original_and_each_thumb_at_its_key(make_storage):
    storage = make_storage(thumbs=THUMBS)
    data = draw((300, 200), color=(200, 30, 40))
    assert storage.save("cat.jpg", upload(data=data)) == "cat.jpg"
    assert stored(storage) == KEYS
    assert content_of(storage, "cat.jpg") == data
    found = {key: image_in(storage, key) for key in KEYS[1:]}
    assert [(image.size, image.format) for image in found.values()] == [
        ((30, 20), "JPEG"),
        ((20, 20), "JPEG"),
        ((40, 27), "WEBP"),
    ]
    for image in found.values():
        assert all(abs(a - b) < 8 for a, b in zip(image.convert("RGB").getpixel((9, 9)), (200, 30, 40), strict=True))


def test_a_crop_shows_the_part_it_names(make_storage):
    image = Image.new("RGB", (200, 100), "red")
    image.paste("blue", (100, 0, 200, 100))
    output = io.BytesIO()
    image.save(output, "PNG")
    thumbs = {"l": {"size": (10, 10), "crop": "left"}, "r": {"size": (10, 10), "crop": "100% 0%"}}
    storage = make_storage(thumbs=thumbs)
    storage.save("two.png", ContentFile(output.getvalue()))
    assert image_in(storage, "two.png.thumbs/l.png").convert("RGB").getpixel((1, 5)) == (255, 0, 0)
    assert image_in(storage, "two.png.thumbs/r.png").convert("RGB").getpixel((8, 5)) == (0, 0, 255)


def test_the_thumbs_lie_upright(make_storage):
    exif = Image.Exif()
    exif[0x0112] = 6
    storage = make_storage(thumbs=THUMBS)
    storage.save("cat.jpg", upload(size=(300, 200), exif=exif))
    assert image_in(storage, "cat.jpg.thumbs/small.jpg").size == (20, 30)


class NonSeekable(io.RawIOBase):
    def __init__(self, data):
        self._data = io.BytesIO(data)

    def readable(self):
        return True

    def readinto(self, buffer):
        return self._data.readinto(buffer)


def in_memory(data, folder):
    return ContentFile(data, name="cat.jpg")


def from_a_form(data, folder):
    return InMemoryUploadedFile(io.BytesIO(data), "image", "cat.jpg", "image/jpeg", len(data), None)


def temporary(data, folder):
    file = TemporaryUploadedFile("cat.jpg", "image/jpeg", len(data), None)
    file.write(data)
    return file


def temporary_at_its_end(data, folder):
    file = temporary(data, folder)
    file.seek(0, os.SEEK_END)
    return file


def not_at_its_beginning(data, folder):
    file = ContentFile(data)
    file.seek(77)
    return file


def on_disk(data, folder):
    path = folder / "upload.jpg"
    path.write_bytes(data)
    return File(path.open("rb"), name="upload.jpg")


def closed_once(data, folder):
    file = on_disk(data, folder)
    file.name = str(folder / "upload.jpg")
    file.read(10)
    file.close()
    return file


def moved_away(data, folder):
    file = on_disk(data, folder)
    (folder / "upload.jpg").unlink()
    return file


def replaced_on_disk(data, folder):
    file = on_disk(data, folder)
    (folder / "upload.jpg").unlink()
    (folder / "upload.jpg").write_bytes(b"another file by now")
    return file


def non_seekable(data, folder):
    return File(NonSeekable(data), name="cat.jpg")


def without_a_name_of_its_own(data, folder):
    file = tempfile.TemporaryFile()  # noqa: SIM115, the test closes it
    file.write(data)
    return File(file, name="cat.jpg")


def in_several_reads(data, folder):
    class Trickle(NonSeekable):
        def readinto(self, buffer):
            return super().readinto(memoryview(buffer)[:1000])

    return File(Trickle(data), name="cat.jpg")


KINDS = [
    in_memory,
    from_a_form,
    temporary,
    temporary_at_its_end,
    not_at_its_beginning,
    on_disk,
    closed_once,
    moved_away,
    replaced_on_disk,
    non_seekable,
    without_a_name_of_its_own,
    in_several_reads,
]


@pytest.fixture
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("uploads")


@pytest.mark.parametrize("kind", KINDS)
def test_content_of_every_kind(make_storage, folder, kind):
    data = draw((300, 200))
    storage = make_storage(thumbs=THUMBS)
    content = kind(data, folder)
    assert storage.save("cat.jpg", content) == "cat.jpg"
    content.close()
    assert stored(storage) == KEYS
    assert content_of(storage, "cat.jpg") == data
    assert image_in(storage, "cat.jpg.thumbs/small.jpg").size == (30, 20)


@pytest.mark.parametrize("kind", [temporary, non_seekable, on_disk, in_several_reads])
def test_content_larger_than_what_is_kept_in_memory(make_storage, settings, folder, kind):
    settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 1000
    data = noise()
    storage = make_storage(thumbs=THUMBS)
    content = kind(data, folder)
    storage.save("cat.jpg", content)
    content.close()
    assert stored(storage) == KEYS
    assert content_of(storage, "cat.jpg") == data


@pytest.mark.parametrize("kind", [in_memory, from_a_form, on_disk])
def test_content_that_can_be_read_again_stays_open(make_storage, folder, kind):
    data = draw()
    content = kind(data, folder)
    make_storage(thumbs=THUMBS).save("cat.jpg", content)
    content.seek(0)
    assert content.read() == data
    content.close()


@pytest.mark.parametrize("text", ["some text, Füße", ""])
def test_text_is_stored_as_utf_8(make_storage, text):
    storage = make_storage(thumbs=THUMBS)
    assert storage.save("notes.txt", ContentFile(text)) == "notes.txt"
    assert stored(storage) == ["notes.txt"]
    assert content_of(storage, "notes.txt") == text.encode()


@pytest.mark.parametrize("name", ["nothing.jpg", "nothing"])
def test_an_empty_file_is_stored_without_thumbs(make_storage, name):
    storage = make_storage(thumbs=THUMBS)
    storage.save(name, ContentFile(b""))
    assert stored(storage) == [name]
    assert storage.size(name) == 0


@pytest.mark.parametrize("data", [b"%PDF-1.7 ...", b"BM is how this text begins", b"<svg/>", b"\xff", b"RIFF1234WAVE"])
def test_what_is_no_image_is_stored_as_it_is(make_storage, data):
    storage = make_storage(thumbs=THUMBS)
    assert storage.save("named.jpg", ContentFile(data)) == "named.jpg"
    assert stored(storage) == ["named.jpg"]
    assert content_of(storage, "named.jpg") == data


@pytest.mark.parametrize("data", [b"%PDF-1.7 ...", b""])
def test_what_is_no_image_is_refused_where_only_images_are_wanted(make_storage, data):
    storage = make_storage().with_thumbs(THUMBS, images_only=True)
    with pytest.raises(UploadedImageIsUnreadableError, match=r"photos/cat\.jpg"):
        storage.save("photos/cat.jpg", ContentFile(data))
    assert stored(storage) == []


def test_what_is_no_image_is_refused_even_where_there_are_no_thumbs(make_storage):
    storage = make_storage().with_thumbs({}, images_only=True)
    with pytest.raises(UploadedImageIsUnreadableError):
        storage.save("cat.jpg", ContentFile(b"no image"))
    assert stored(storage) == []
    storage.save("cat.jpg", upload())
    assert stored(storage) == ["cat.jpg"]


@pytest.mark.parametrize("fmt", ["JPEG", "PNG", "GIF", "WEBP", "AVIF", "BMP", "TIFF"])
def test_an_image_is_told_by_its_bytes_and_a_thumbs_format_by_the_name(make_storage, fmt):
    storage = make_storage(thumbs={"small": {"size": (30, 30)}})
    storage.save("cat.png", upload(format=fmt))
    assert stored(storage) == ["cat.png", "cat.png.thumbs/small.png"]
    assert image_in(storage, "cat.png.thumbs/small.png").format == "PNG"


@pytest.mark.parametrize("images_only", [True, False])
@pytest.mark.parametrize("fmt", ["JPEG", "PNG", "WEBP"])
def test_an_image_that_cannot_be_decoded_is_refused_and_nothing_is_stored(make_storage, images_only, fmt):
    storage = make_storage().with_thumbs(THUMBS, images_only=images_only)
    data = noise(fmt=fmt)
    with pytest.raises(UploadedImageIsUnreadableError, match=r"photos/cat\.jpg"):
        storage.save("photos/cat.jpg", ContentFile(data[: len(data) // 2]))
    assert stored(storage) == []


def test_a_refused_image_leaves_its_namesake_alone(make_storage):
    storage = make_storage(thumbs=THUMBS)
    data = noise()
    storage.save("cat.jpg", ContentFile(data))
    with pytest.raises(UploadedImageIsUnreadableError):
        storage.save("cat.jpg", ContentFile(data[: len(data) // 2]))
    assert stored(storage) == KEYS
    assert content_of(storage, "cat.jpg") == data


def test_a_taken_name_gets_another_and_the_thumbs_follow_it(make_storage):
    storage = make_storage(thumbs={"small": {"size": (30, 30)}})
    first = storage.save("photos/cat.jpg", upload(color="red"))
    second = storage.save("photos/cat.jpg", upload(color="blue"))
    assert first == "photos/cat.jpg"
    assert re.fullmatch(r"photos/cat_\w{7}\.jpg", second)
    assert stored(storage) == sorted([first, f"{first}.thumbs/small.jpg", second, f"{second}.thumbs/small.jpg"])
    red, blue = (image_in(storage, f"{name}.thumbs/small.jpg").getpixel((5, 5)) for name in (first, second))
    assert red[0] > 200 > 50 > red[2]
    assert blue[2] > 200 > 50 > blue[0]


def test_a_shortened_name_has_its_thumbs(make_storage):
    storage = make_storage(thumbs={"small": {"size": (30, 30)}})
    name = storage.save("photos/" + "c" * 50 + ".jpg", upload(), max_length=30)
    assert len(name) <= 30
    assert stored(storage) == [name, f"{name}.thumbs/small.jpg"]
    other = storage.save(name, upload(), max_length=30)
    assert len(other) <= 30
    assert other != name
    assert storage.exists(f"{other}.thumbs/small.jpg")


def test_a_name_that_cannot_be_made_short_enough_is_refused(make_storage):
    storage = make_storage(thumbs=THUMBS)
    storage.save("cat.jpg", upload())
    with pytest.raises(SuspiciousFileOperation):
        storage.save("cat.jpg", upload(), max_length=7)
    assert stored(storage) == KEYS


class Outside:
    """A naming that puts one thumb outside of the storage."""

    def key(self, name, variant):
        folder = "../outside" if variant.thumb_name == "web" else f"{name}.thumbs"
        return f"{folder}/{variant.thumb_name}.{variant.extension}"

    def prefix(self, name):
        return f"{name}.thumbs/"

    def original(self, key):
        return None


def test_a_thumb_that_cannot_be_stored_leaves_nothing_behind(make_storage):
    storage = make_storage(thumbs=THUMBS)
    write = storage._write_thumb

    def fails_once(key, *args, **options):
        if key.endswith("web.webp"):
            raise OSError("the disk is full")
        return write(key, *args, **options)

    storage._write_thumb = fails_once
    storage.save("other.txt", ContentFile(b"other"))
    with pytest.raises(UploadFailed, match=r"photos/cat\.jpg.*the disk is full") as caught:
        storage.save("photos/cat.jpg", upload())
    assert caught.value.name == "photos/cat.jpg"
    assert caught.value.left_behind == ()
    assert isinstance(caught.value.__cause__, OSError)
    assert stored(storage) == ["other.txt"]
    del storage._write_thumb
    assert storage.save("photos/cat.jpg", upload()) == "photos/cat.jpg"


def test_a_failed_save_leaves_its_namesake_alone(make_storage):
    storage = make_storage(thumbs=THUMBS)
    storage.save("cat.jpg", upload())

    def fails(*_, **options):
        raise OSError("the disk is full")

    storage._write_thumb = fails
    with pytest.raises(UploadFailed):
        storage.save("cat.jpg", upload(color="blue"))
    assert stored(storage) == KEYS
    assert image_in(storage, "cat.jpg").getpixel((5, 5))[0] > 200


def test_a_key_outside_of_the_storage_is_refused_and_nothing_is_left_behind(make_storage):
    location = {"location": "media"} if isinstance(make_storage(), S3Storage) else {}
    storage = make_storage(thumbs=THUMBS, naming=Outside(), **location)
    with pytest.raises(SuspiciousOperation):
        storage.save("cat.jpg", upload())
    assert stored(storage) == []


def test_a_thumb_that_cannot_be_written_in_its_format_leaves_nothing_behind(make_storage, monkeypatch):
    from athumb_storage.rendering import engine

    monkeypatch.setattr(engine, "can_write", lambda fmt: fmt != "WEBP")
    storage = make_storage(thumbs=THUMBS)
    with pytest.raises(RenderingError, match=r"cat\.jpg.*web.*WEBP"):
        storage.save("cat.jpg", upload())
    assert stored(storage) == []


def test_what_could_not_be_removed_again_is_told_and_logged(make_storage, caplog):
    storage = make_storage(thumbs={"small": {"size": (30, 30)}})

    def fails(*_, **options):
        raise OSError("the disk is gone")

    storage._write_thumb = storage._remove = fails
    with pytest.raises(UploadFailed, match=r"left behind: .*cat\.jpg") as caught:
        storage.save("cat.jpg", upload())
    assert "cat.jpg" in caught.value.left_behind
    records = [record for record in caplog.records if record.name == "athumb_storage"]
    assert {record.levelname for record in records} == {"ERROR"}
    assert any(record.getMessage().endswith(" cat.jpg") for record in records)


@pytest.mark.parametrize(
    "name",
    [
        "cat.jpg.thumbs/large.jpg",
        "photos/cat.jpg.thumbs/nobody",
        "photos\\cat.jpg.thumbs\\large.jpg",
        "cat.jpg.thumbs/./large.jpg",
        "cat.jpg.thumbs//large.jpg",
        "./cat.jpg.thumbs/large.jpg",
    ],
)
@pytest.mark.parametrize("data", [b"text", draw()], ids=["text", "image"])
def test_a_name_like_that_of_a_thumb_is_refused(make_storage, name, data):
    storage = make_storage(thumbs=THUMBS)
    with pytest.raises(SuspiciousFileOperation, match="thumb"):
        storage.save(name, ContentFile(data))
    assert stored(storage) == []


# Deleting


def test_delete_removes_the_original_and_all_its_thumbs(make_storage):
    storage = make_storage(thumbs=THUMBS)
    storage.save("photos/cat.jpg", upload())
    storage.save("photos/cat.jpg2", upload())
    storage.save("photos/dog.jpg", upload())
    storage.delete("photos/cat.jpg")
    assert stored(storage) == [
        *(f"photos/cat.jpg2{end}" for end in ("", ".thumbs/small.jpg", ".thumbs/square.jpg", ".thumbs/web.webp")),
        *(f"photos/dog.jpg{end}" for end in ("", ".thumbs/small.jpg", ".thumbs/square.jpg", ".thumbs/web.webp")),
    ]


@pytest.fixture
def changed_storage(make_storage):
    """Makes a storage twice over the same files: with these thumbs, and with those of later."""

    def make(before, after, **options):
        storage = make_storage(thumbs=before, **options)
        later = make_storage(thumbs=after, **options)
        if isinstance(storage, InMemoryStorage):
            later._root = storage._root
        return storage, later

    return make


@pytest.mark.parametrize("after", [{"small": {"size": (30, 30)}}, {"new": {"size": (5, 5)}}, {}])
def test_delete_removes_thumbs_that_are_configured_no_more(changed_storage, after):
    storage, later = changed_storage(THUMBS, after)
    storage.save("cat.jpg", upload())
    later.delete("cat.jpg")
    assert stored(storage) == []


def test_delete_leaves_what_others_stored_nearby(make_storage):
    storage = make_storage(thumbs=THUMBS)
    storage.save("cat.thumbs/photos/dog.jpg", upload())
    before = stored(storage)
    storage.save("cat", upload())
    storage.delete("cat")
    assert stored(storage) == before


def test_delete_of_nothing_is_no_error(make_storage):
    storage = make_storage(thumbs=THUMBS)
    storage.save("cat.jpg", upload())
    storage.delete("absent.jpg")
    storage.delete_thumbs("absent.jpg")
    assert stored(storage) == KEYS


def test_delete_thumbs_leaves_the_original(make_storage):
    storage = make_storage(thumbs=THUMBS)
    storage.save("cat.jpg", upload())
    storage.delete_thumbs("cat.jpg")
    assert stored(storage) == ["cat.jpg"]


def test_delete_with_the_naming_of_athumb_removes_what_is_configured(make_storage):
    storage = make_storage(thumbs=THUMBS, naming="athumb")
    storage.save("cat.jpg", upload())
    storage.save("cat_small2.jpg", ContentFile(b"another original"))
    storage.delete("cat.jpg")
    assert stored(storage) == ["cat_small2.jpg"]


@pytest.mark.parametrize("name", ["", None])
def test_delete_without_a_name_deletes_nothing(make_storage, name):
    storage = make_storage(thumbs=THUMBS)
    storage.save("cat.jpg", upload())
    with contextlib.suppress(Exception):  # most storages say that there is no name
        storage.delete(name)
    assert stored(storage) == KEYS


# Generating again


def test_generate_thumbs_stores_them_at_the_same_keys(make_storage):
    storage = make_storage(thumbs=THUMBS)
    storage.save("cat.jpg", upload())
    before = {key: content_of(storage, key) for key in KEYS}
    storage.delete("cat.jpg.thumbs/small.jpg")
    assert storage.generate_thumbs("cat.jpg") == dict(zip(THUMBS, KEYS[1:], strict=True))
    assert {key: content_of(storage, key) for key in stored(storage)} == before


def test_generate_thumbs_after_the_thumbs_have_changed(changed_storage):
    storage, later = changed_storage(
        {"small": {"size": (30, 30)}}, {"small": {"size": (15, 15)}, "big": {"size": (60, 60)}}
    )
    storage.save("cat.jpg", upload())
    later.generate_thumbs("cat.jpg")
    assert stored(storage) == ["cat.jpg", "cat.jpg.thumbs/big.jpg", "cat.jpg.thumbs/small.jpg"]
    assert image_in(storage, "cat.jpg.thumbs/small.jpg").size == (15, 10)
    assert image_in(storage, "cat.jpg.thumbs/big.jpg").size == (60, 40)


@pytest.mark.parametrize("only", ["square", Thumb(size=(20, 20), crop=True)], ids=["name", "Thumb"])
@pytest.mark.parametrize("kind", [list, iter])
def test_generate_only_some_thumbs(make_storage, only, kind):
    storage = make_storage(thumbs=THUMBS)
    storage.save("cat.jpg", upload())
    storage.delete_thumbs("cat.jpg")
    assert storage.generate_thumbs("cat.jpg", only=kind([only])) == {"square": KEYS[2]}
    assert stored(storage) == ["cat.jpg", KEYS[2]]


def test_generate_no_thumbs(make_storage):
    storage = make_storage(thumbs=THUMBS)
    storage.save("cat.jpg", upload())
    storage.delete_thumbs("cat.jpg")
    assert storage.generate_thumbs("cat.jpg", only=[]) == {}
    assert stored(storage) == ["cat.jpg"]


def test_generate_an_unknown_thumb(make_storage):
    storage = make_storage(thumbs=THUMBS)
    storage.save("cat.jpg", upload())
    with pytest.raises(UnknownThumb, match=r"'huge'.*'small', 'square', 'web'"):
        storage.generate_thumbs("cat.jpg", only=["small", "huge"])


def test_generate_for_an_original_that_is_missing(make_storage):
    storage = make_storage(thumbs=THUMBS)
    with pytest.raises(FileNotFoundError):
        storage.generate_thumbs("absent.jpg")
    assert stored(storage) == []


def test_generate_for_what_is_no_image(make_storage):
    storage = make_storage(thumbs=THUMBS)
    storage.save("notes.txt", ContentFile(b"some text"))
    assert storage.generate_thumbs("notes.txt") == {}
    with pytest.raises(UploadedImageIsUnreadableError, match=r"notes\.txt"):
        storage.with_thumbs({}, images_only=True).generate_thumbs("notes.txt")
    assert stored(storage) == ["notes.txt"]


def test_generate_for_an_image_that_cannot_be_decoded(make_storage):
    storage = make_storage(thumbs={})
    data = noise()
    storage.save("cat.jpg", ContentFile(data[: len(data) // 2]))
    with pytest.raises(UploadedImageIsUnreadableError, match=r"cat\.jpg"):
        storage.with_thumbs(THUMBS).generate_thumbs("cat.jpg")
    assert stored(storage) == ["cat.jpg"]


# Thumbs and their names


def test_a_thumb_is_named_or_given(make_storage):
    storage = make_storage(thumbs=THUMBS)
    for thumb, key in [("small", KEYS[1]), (Thumb(size=(20, 20), crop="center"), KEYS[2]), (THUMBS["web"], KEYS[3])]:
        assert storage.thumb_key("cat.jpg", thumb) == key
        assert unquote(urlsplit(storage.url_for_thumb("cat.jpg", thumb)).path).endswith(key)


@pytest.mark.parametrize("thumb", ["huge", "", "Small", Thumb(size=(31, 30))], ids=str)
def test_an_unknown_thumb_is_an_error_that_lists_those_that_are_known(make_storage, thumb):
    storage = make_storage(thumbs=THUMBS)
    for ask in (storage.thumb_key, storage.url_for_thumb):
        with pytest.raises(UnknownThumb, match="Known thumbs: 'small', 'square', 'web'") as caught:
            ask("cat.jpg", thumb)
        assert isinstance(caught.value, LookupError)


def test_without_thumbs_every_thumb_is_unknown(make_storage):
    with pytest.raises(UnknownThumb, match="Known thumbs: none"):
        make_storage().url_for_thumb("cat.jpg", "small")


@pytest.mark.parametrize("name", ["", None])
def test_no_original_no_url(make_storage, name):
    with pytest.raises(ValueError, match="no original"):
        make_storage(thumbs=THUMBS).url_for_thumb(name, "small")


@pytest.mark.parametrize(
    "name",
    [
        "a b+c&d=e.jpg",
        "50% off?.jpg",
        "#1;2,3:4@5!$'()*~.jpg",
        'quotes"and<tags>.jpg',
        "Füße/写真 🐈.jpg",
        "e\u0301 combining.jpg",
        "no extension",
        ".hidden",
        "dots...jpg",
        "%41.jpg",
        "trailing/dot./cat.jpg",
        "[brackets]{braces}|^`.jpg",
    ],
)
def test_odd_names_keep_their_thumbs_and_have_urls(make_storage, name):
    storage = make_storage(thumbs={"small": {"size": (30, 30)}})
    assert storage.save(name, upload()) == name
    key = storage.thumb_key(name, "small")
    assert stored(storage) == [name, key]
    url = storage.url_for_thumb(name, "small")
    assert url.isascii()
    assert not re.search(r"[\s\"<>]", url)
    assert unquote(urlsplit(url).path).endswith("/" + key)
    assert image_in(storage, key).size == (30, 20)
    storage.delete(name)
    assert stored(storage) == []


@pytest.mark.parametrize(
    ("name", "extension", "fmt"),
    [
        ("cat.jpg", "jpg", "JPEG"),
        ("cat.JPEG", "jpg", "JPEG"),
        ("cat.Png", "png", "PNG"),
        ("cat.gif", "gif", "GIF"),
        ("cat.webp", "webp", "WEBP"),
        ("cat.avif", "avif", "AVIF"),
        ("cat.bmp", "png", "PNG"),
        ("cat.tiff", "png", "PNG"),
        ("cat", "png", "PNG"),
        ("jpg", "png", "PNG"),
        ("a.jpg/cat", "png", "PNG"),
    ],
)
def test_the_format_follows_from_the_name_else_it_is_the_fallback(make_storage, name, extension, fmt):
    storage = make_storage(thumbs={"small": {"size": (30, 30)}}, fallback_format="png")
    storage.save(name, upload(format="WEBP"))
    assert stored(storage) == [name, f"{name}.thumbs/small.{extension}"]
    assert image_in(storage, f"{name}.thumbs/small.{extension}").format == fmt


def test_the_fallback_is_jpeg_unless_it_is_set(make_storage):
    storage = make_storage(thumbs={"small": {"size": (30, 30)}})
    storage.save("cat", upload(format="PNG", mode="RGBA"))
    assert image_in(storage, "cat.thumbs/small.jpg").format == "JPEG"


@pytest.mark.parametrize(
    ("name", "thumb", "key"),
    [
        ("photos/cat.jpg", {"size": (30, 30)}, "photos/cat_small.jpg"),
        ("photos/cat.JPG", {"size": (30, 30)}, "photos/cat_small.JPG"),
        ("photos/cat.jpeg", {"size": (30, 30)}, "photos/cat_small.jpeg"),
        ("a.b/cat", {"size": (30, 30)}, "a.b/cat_small.jpg"),
        ("cat.jpg", {"size": (30, 30), "format": "png"}, "cat_small.png"),
        ("cat.tar.gz", {"size": (30, 30)}, "cat.tar_small.gz"),
    ],
)
def test_the_naming_of_athumb(make_storage, name, thumb, key):
    storage = make_storage(thumbs={"small": thumb}, naming="athumb")
    storage.save(name, upload())
    assert stored(storage) == sorted([name, key])
    assert unquote(urlsplit(storage.url_for_thumb(name, "small")).path).endswith("/" + key)
    assert storage.generate_thumbs(name) == {"small": key}
    assert image_in(storage, key).size == (30, 20)
    storage.delete(name)
    assert stored(storage) == []


class Elsewhere:
    """A project's own naming: all thumbs in one folder."""

    def key(self, name, variant):
        return f"thumbs/{variant.thumb.size[0]}/{name}/{variant.thumb_name}.{variant.extension}"

    def prefix(self, name):
        return None

    def original(self, key):
        parts = key.split("/")
        return "/".join(parts[2:-1]) if parts[0] == "thumbs" and len(parts) > 3 else None


def test_a_naming_of_the_projects_own(make_storage):
    storage = make_storage(thumbs=THUMBS, naming=Elsewhere())
    storage.save("photos/cat.jpg", upload())
    keys = ["photos/cat.jpg"]
    keys += [f"thumbs/{n}/photos/cat.jpg/{t}" for n, t in [(20, "square.jpg"), (30, "small.jpg"), (40, "web.webp")]]
    assert stored(storage) == keys
    assert "/thumbs/30/photos/cat.jpg/small.jpg" in storage.url_for_thumb("photos/cat.jpg", "small")
    with pytest.raises(SuspiciousFileOperation):
        storage.save("thumbs/30/photos/cat.jpg/small.jpg", upload())
    storage.save("photos/dog.jpg", upload())
    storage.delete("photos/dog.jpg")
    assert stored(storage) == keys
    storage.delete("photos/cat.jpg")
    assert stored(storage) == []


# Options and settings


def test_the_projects_thumbs_are_those_of_a_storage_that_is_given_none(make_storage, settings):
    storage, own, none = make_storage(), make_storage(thumbs={"own": {"size": (9, 9)}}), make_storage(thumbs=())
    assert list(storage.thumbs) == []
    settings.ATHUMB_THUMBS = {"all": {"size": (30, 30)}}
    assert [list(each.thumbs) for each in (storage, own, none)] == [["all"], ["own"], []]
    bound = storage.with_thumbs({"more": {"size": (8, 8)}})
    storage.save("cat.jpg", upload())
    bound.save("dog.jpg", upload())
    assert stored(storage) == [
        "cat.jpg",
        "cat.jpg.thumbs/all.jpg",
        "dog.jpg",
        "dog.jpg.thumbs/all.jpg",
        "dog.jpg.thumbs/more.jpg",
    ]
    settings.ATHUMB_THUMBS = (("other", {"size": (30, 30)}),)
    assert list(storage.thumbs) == ["other"]
    assert list(bound.thumbs) == ["other", "more"]
    assert "other.jpg" in bound.url_for_thumb("cat.jpg", "other")
    with pytest.raises(UnknownThumb):
        storage.url_for_thumb("cat.jpg", "all")
    settings.ATHUMB_THUMBS = None
    assert list(bound.thumbs) == ["more"]


def test_wrong_thumbs_of_the_project_are_told_with_their_setting(make_storage, settings):
    settings.ATHUMB_THUMBS = {"all": {"size": (0, 30)}}
    with pytest.raises(ImproperlyConfigured, match=r"ATHUMB_THUMBS.*'all'.*'size'"):
        make_storage().save("cat.jpg", upload())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"thumbs": {"small": {"size": 30}}}, ["'thumbs'", "'small'", "'size'"]),
        ({"thumbs": {"small": {"size": (30, 30), "corp": True}}}, ["'thumbs'", "'small'", "'corp'"]),
        ({"thumbs": "small"}, ["'thumbs'", "'small'"]),
        ({"thumbs": 3}, ["'thumbs'", "3"]),
        ({"thumbs": {"a/b": {"size": (30, 30)}}}, ["'thumbs'", "'a/b'"]),
        ({"naming": "thumbor"}, ["'naming'", "'thumbor'", "folder, athumb"]),
        ({"naming": object()}, ["'naming'", "key, prefix and original"]),
        ({"fallback_format": "tga"}, ["'fallback_format'", "'tga'", "JPEG"]),
    ],
)
def test_a_wrong_option_is_named(make_storage, options, words):
    with pytest.raises(ImproperlyConfigured) as caught:
        make_storage(**options)
    for word in words:
        assert word in str(caught.value)


def test_an_option_that_does_not_exist_is_refused_as_before(make_storage):
    with pytest.raises((TypeError, ImproperlyConfigured), match="no_such_option"):
        make_storage(no_such_option=1)


def test_a_storages_thumbs_are_overlaid_with_those_of_a_field(make_storage):
    storage = make_storage(thumbs={"small": {"size": (30, 30)}, "big": {"size": (90, 90)}})
    bound = storage.with_thumbs({"small": {"size": (10, 10)}, "new": {"size": (8, 8)}})
    assert list(bound.thumbs) == ["small", "big", "new"]
    bound.save("cat.jpg", upload())
    assert image_in(storage, "cat.jpg.thumbs/small.jpg").size == (10, 7)
    assert image_in(storage, "cat.jpg.thumbs/big.jpg").size == (90, 60)
    assert storage.thumbs["small"].size == (30, 30)
    assert bound.unbound is storage
    assert storage.unbound is storage
    again = bound.with_thumbs({"other": {"size": (7, 7)}})
    assert list(again.thumbs) == ["small", "big", "other"]
    assert again.unbound is storage


# A file without thumbs


@pytest.fixture(params=["file", "memory", "s3"])
def twins(request, tmp_path):
    """Makes Django's or django-storages' storage, and ours with the same options, each without files yet."""

    def make(**options):
        thumbs = {"thumbs": THUMBS}
        if request.param == "file":
            return (
                FileSystemStorage(location=tmp_path / "theirs", **options),
                FileSystemThumbnailStorage(location=tmp_path / "ours", **options, **thumbs),
            )
        if request.param == "memory":
            return InMemoryStorage(**options), InMemoryThumbnailStorage(**options, **thumbs)
        server = request.getfixturevalue("s3_server")
        make_s3 = request.getfixturevalue("make_s3")
        server.create_bucket(f"{make_s3().bucket_name}-theirs")
        own = {
            "bucket_name": f"{make_s3().bucket_name}-theirs",
            "endpoint_url": server.endpoint_url,
            "access_key": server.access_key,
            "secret_key": server.secret_key,
            "region_name": server.region,
            "file_overwrite": False,
        }
        return S3Storage(**{**own, **options}), make_s3(**options, **thumbs)

    make.kind = request.param
    return make


def outcome(action):
    """What an action gives, or the kind of its error, without what chance has a part in."""
    try:
        result = action()
    except Exception as error:  # noqa: BLE001, it is compared
        return type(error)
    return _without_chance(result)


def _without_chance(result):
    if isinstance(result, list):
        return [_without_chance(each) for each in result]
    return re.sub(r"_\w{7}(?=\.|$)", "_RANDOM", result) if isinstance(result, str) else result


def same(twins, action):
    theirs, ours = (outcome(lambda storage=storage: action(storage)) for storage in twins)
    assert ours == theirs
    return ours


PLAIN_NAMES = ["notes.txt", "a/b/notes.txt", "no extension", "Füße.txt", "style.css", "archive.tar.gz", "50% #1?.bin"]


@pytest.mark.parametrize("name", PLAIN_NAMES)
def test_a_plain_file_is_stored_as_ever(twins, name):
    pair = twins()
    assert same(pair, lambda storage: storage.save(name, ContentFile(b"some bytes"))) == name
    assert same(pair, lambda storage: storage.exists(name)) is True
    assert same(pair, lambda storage: storage.size(name)) == 10
    assert same(pair, lambda storage: content_of(storage, name)) == b"some bytes"
    assert same(pair, stored) == [name]
    assert same(pair, lambda storage: type(storage.get_modified_time(name)).__name__) == "datetime"
    assert same(pair, lambda storage: storage.get_modified_time(name).tzinfo is not None) is True
    assert (
        same(pair, lambda storage: unquote(urlsplit(storage.url(name)).path).rpartition("/")[2]) == name.split("/")[-1]
    )
    assert same(pair, lambda storage: storage.delete(name)) is None
    assert same(pair, lambda storage: storage.exists(name)) is False
    assert same(pair, stored) == []


def test_a_taken_name_of_a_plain_file_is_changed_as_ever(twins):
    pair = twins()
    same(pair, lambda storage: storage.save("a/notes.txt", ContentFile(b"one")))
    assert same(pair, lambda storage: storage.save("a/notes.txt", ContentFile(b"two"))) == "a/notes_RANDOM.txt"
    assert same(pair, lambda storage: sorted(content_of(storage, name) for name in stored(storage))) == [b"one", b"two"]
    assert same(pair, lambda storage: storage.listdir("a")[0]) == []


@pytest.mark.parametrize("name", ["../up.txt", "/etc/passwd", "a/../../b.txt", "", "a/..", "."])
def test_a_dangerous_name_is_refused_as_ever(twins, name):
    refused = same(twins(), lambda storage: storage.save(name, ContentFile(b"x")))
    assert isinstance(refused, type)


@pytest.mark.parametrize("name", ["a\\b.txt", "a//b.txt", "./b.txt", "a/./b.txt", "b .txt", "-_b.txt"])
def test_an_untidy_name_is_stored_as_ever(twins, name):
    pair = twins()
    same(pair, lambda storage: storage.save(name, ContentFile(b"x")))
    assert same(pair, stored)


def test_what_is_not_there_is_missing_as_ever(twins):
    pair = twins()
    assert same(pair, lambda storage: storage.exists("absent.txt")) is False
    assert same(pair, lambda storage: storage.size("absent.txt")) is FileNotFoundError
    assert same(pair, lambda storage: storage.open("absent.txt")) is FileNotFoundError
    assert same(pair, lambda storage: storage.delete("absent.txt")) is None
    assert isinstance(same(pair, lambda storage: storage.get_modified_time("absent.txt")), type)


def test_a_file_is_written_by_open_as_ever(twins):
    def write(storage):
        storage.save("first.txt", ContentFile(b"makes the folder"))
        with storage.open("written.txt", "wb") as file:
            file.write(b"one ")
            file.write(b"two")
        return content_of(storage, "written.txt")

    assert same(twins(), write) == b"one two"


def test_max_length_is_kept_as_ever(twins):
    pair = twins()
    assert same(pair, lambda storage: len(storage.save("a" * 40 + ".txt", ContentFile(b"x"), max_length=20))) == 20
    assert same(pair, lambda storage: len(storage.save("a" * 40 + ".txt", ContentFile(b"x"), max_length=20))) == 20
    assert same(pair, lambda storage: len(stored(storage))) == 2
    assert same(pair, lambda storage: storage.save("b.txt", ContentFile(b"x"), max_length=3)) is SuspiciousFileOperation


def test_text_and_uploads_are_stored_as_ever(twins):
    pair = twins()
    assert same(pair, lambda storage: storage.save("t.txt", ContentFile("some text"))) == "t.txt"
    assert same(pair, lambda storage: content_of(storage, "t.txt")) == b"some text"
    assert same(pair, lambda storage: storage.save(None, SimpleUploadedFile("up.txt", b"up"))) == "up.txt"
    assert same(pair, lambda storage: storage.save("raw.txt", io.BytesIO(b"no File"))) == "raw.txt"


def test_a_file_of_several_chunks_is_stored_as_ever(twins):
    data = os.urandom(300_000)
    pair = twins()
    same(pair, lambda storage: storage.save("chunks.bin", ContentFile(data)))
    assert same(pair, lambda storage: content_of(storage, "chunks.bin")) == data
