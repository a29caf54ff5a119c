"""Whether a file has thumbs is string work on its name, since what is saved is named so that it tells."""

from __future__ import annotations

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage

from athumb_storage.fields import FileWithThumbsField
from athumb_storage.formats import MIME_TYPES
from athumb_storage.storages import FileSystemThumbnailStorage, InMemoryThumbnailStorage
from tests.conftest import content_of, stored, upload
from tests.shop.models import Document, Product, Story

ONE = {"small": {"size": (9, 9)}}


def number_of_thumbs(storage, name):
    return len([each for each in stored(storage) if each != name])


@pytest.mark.parametrize("fmt", ["JPEG", "PNG", "GIF", "WEBP", "AVIF", "BMP", "TIFF"])
@pytest.mark.parametrize("name", ["cat", "cat.pdf", "cat.jpg", "CAT.PNG", "cat.jfif", "cat.txt", "a.jpg/cat", ".jpg"])
def test_an_image_has_the_extension_of_one(name, fmt):
    storage = InMemoryThumbnailStorage(thumbs=ONE)
    kept = storage.save(name, upload(format=fmt))
    assert storage.has_thumbs(kept)
    assert number_of_thumbs(storage, kept) == 1
    assert kept == name or kept.startswith(f"{name}.")


@pytest.mark.parametrize("extension", ["jpg", "JPEG", "jpe", "png", "webp", "avif", "tif", "bmp", "dib", "gif"])
@pytest.mark.parametrize("data", [b"%PDF-1.7", b"", b"<svg/>", b"\xff\x0a a JPEG XL"])
def test_what_is_no_image_has_the_mark(extension, data):
    storage = InMemoryThumbnailStorage(thumbs=ONE)
    kept = storage.save(f"files/cat.{extension}", ContentFile(data))
    assert kept == f"files/cat.nothumbs.{extension}"
    assert not storage.has_thumbs(kept)
    assert stored(storage, "files/") == [kept]


@pytest.mark.parametrize("name", ["a.pdf", "a", "a.svg", "a.jpgx", "a.jxl", "jpg", "a.jpg.zip"])
def test_what_is_no_image_and_not_called_one_keeps_its_name(name):
    storage = InMemoryThumbnailStorage(thumbs=ONE)
    assert storage.save(name, ContentFile(b"text")) == name
    assert not storage.has_thumbs(name)


def test_only_allowed_formats_count():
    storage = InMemoryThumbnailStorage(thumbs=ONE, allowed_formats=["JPEG", "PNG"])
    kept = [
        storage.save("a.tif", upload(format="TIFF")),
        storage.save("b.jpg", upload(format="TIFF")),
        storage.save("c.tif", upload(format="PNG")),
    ]
    assert kept == ["a.tif", "b.nothumbs.jpg", "c.png"]
    assert [storage.has_thumbs(name) for name in kept] == [False, False, True]


@pytest.mark.parametrize("naming", ["athumb", "fingerprint"])
def test_with_any_naming(naming):
    storage = InMemoryThumbnailStorage(thumbs=ONE, naming=naming)
    assert storage.save("cat", upload(format="PNG")) == "cat.png"
    assert storage.save("dog.png", ContentFile(b"text")) == "dog.nothumbs.png"


@pytest.mark.parametrize("unique_names", [True, False])
def test_on_s3(make_s3, unique_names):
    storage = make_s3(thumbs=ONE, unique_names=unique_names)
    image, text = storage.save("cat.pdf", upload()), storage.save("cat.jpg", ContentFile(b"text"))
    assert (storage.has_thumbs(image), storage.has_thumbs(text)) == (True, False)
    assert content_of(storage, text) == b"text"
    assert len(stored(storage)) == 3
    assert unique_names or (image, text) == ("cat.pdf.jpg", "cat.nothumbs.jpg")


def test_a_storage_that_replaces_keeps_names(tmp_path, make_s3):
    """Somebody relies on them."""
    storages = [make_s3(thumbs=ONE, file_overwrite=True), FileSystemThumbnailStorage(tmp_path / "files", thumbs=ONE)]
    storages[1]._allow_overwrite = True
    for storage in storages:
        assert storage.save("cat.jpg", ContentFile(b"text")) == "cat.jpg"
        assert storage.save("cat.pdf", upload()) == "cat.pdf"


def test_a_storage_without_thumbs_has_none():
    storage = InMemoryThumbnailStorage(thumbs={})
    assert storage.save("cat.jpg", ContentFile(b"text")) == "cat.jpg"
    assert storage.save("cat", upload()) == "cat"
    assert not storage.has_thumbs("cat.jpg")


def test_a_field_of_images_keeps_names():
    storage = InMemoryThumbnailStorage().with_thumbs(ONE, images_only=True)
    assert storage.save("cat", upload()) == "cat"
    assert storage.has_thumbs("cat")
    assert not storage.has_thumbs("cat.nothumbs.jpg")


@pytest.mark.parametrize("name", ["", None])
def test_no_name(name):
    assert not InMemoryThumbnailStorage(thumbs=ONE).has_thumbs(name)


def test_a_name_that_is_taken():
    storage = InMemoryThumbnailStorage(thumbs=ONE)
    names = [storage.save("cat.jpg", ContentFile(b"text")) for _ in range(2)]
    names += [storage.save("cat", upload()) for _ in range(2)]
    assert [storage.has_thumbs(name) for name in names] == [False, False, True, True]
    assert len({*names}) == 4


@pytest.mark.parametrize("length", [40, 22, 18])
def test_a_name_that_is_long(length):
    storage = InMemoryThumbnailStorage(thumbs=ONE)
    kept = storage.save("a" * 30 + ".jpg", ContentFile(b"text"), max_length=length)
    assert len(kept) <= length
    assert not storage.has_thumbs(kept)
    kept = storage.save("a" * length, upload(), max_length=length)
    assert len(kept) <= length
    assert storage.has_thumbs(kept)


def test_every_format_that_is_read_has_extensions():
    storage = InMemoryThumbnailStorage(thumbs=ONE)
    for fmt in storage.options.allowed_formats:
        assert storage.has_thumbs(f"cat.{MIME_TYPES[fmt].partition('/')[2]}")


class TestFiles:
    def test_of_a_field(self):
        assert Product(image="a").image.has_thumbs
        assert not Product(image="a.nothumbs.jpg").image.has_thumbs
        assert Document(manual="a.jpg").manual.has_thumbs
        assert not Document(manual="a.pdf").manual.has_thumbs
        assert not Story().image.has_thumbs

    def test_of_a_storage_that_makes_none(self, monkeypatch):
        monkeypatch.setattr(Document._meta.get_field("manual"), "_given", FileSystemStorage())
        assert not Document(manual="a.jpg").manual.has_thumbs

    @pytest.mark.django_db
    def test_after_a_save(self):
        row = Document.objects.create(manual=ContentFile(b"%PDF-1.7", name="scan.jpg"))
        assert row.manual.name.startswith("manuals/scan.nothumbs")
        assert not Document.objects.get().manual.has_thumbs

    def test_the_field_is_a_field_with_thumbs(self):
        assert isinstance(Document._meta.get_field("manual"), FileWithThumbsField)
