"""`override_storage` and its fixtures: thumbs at once or none, in memory, with the same URLs."""

from __future__ import annotations

import subprocess
import sys

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage, storages
from django.test import TestCase

from athumb_storage import UploadedImageIsUnreadableError
from athumb_storage.contrib.testing import override_storage
from athumb_storage.rendering import engine
from athumb_storage.storages import S3ThumbnailStorage
from tests.conftest import content_of, draw, image_in, stored, upload
from tests.shop.models import Plain, Product, Story

pytest_plugins = ["athumb_storage.contrib.testing.fixtures"]

S3 = S3ThumbnailStorage(
    bucket_name="absent",
    access_key="a",
    secret_key="b",
    custom_domain="cdn.example.com",
    endpoint_url="http://127.0.0.1:9",
)


@pytest.fixture
def on_s3():
    """A field whose storage leads to a server that there is not."""
    field = Story._meta.get_field("image")
    given = field._given
    field.storage = S3
    yield field
    field.storage = given


@pytest.fixture
def no_decoding(monkeypatch):
    monkeypatch.setattr(engine, "decode", None)


@pytest.mark.django_db
@pytest.mark.usefixtures("on_s3", "no_decoding", "instant_thumbs")
class TestInstantThumbs:
    def test_a_save_stores_thumbs_of_the_right_size_and_format(self):
        story = Story.objects.create(image=upload(size=(400, 300)))
        storage, name = story.image.storage, story.image.name
        assert len(stored(storage, f"{name}.thumbs/")) == 3 * 2 + 2 + 2 + 2
        for thumb, image_format in (("hero-80", "WEBP"), ("hero-80", "JPEG"), ("fit", "PNG"), ("whole-90", None)):
            image = image_in(storage, storage.thumb_key(name, thumb, image_format))
            assert image.size == story.image.thumb_size(thumb)
            assert image.format == (image_format or "JPEG")
        assert (story.width, story.height) == (400, 300)

    def test_urls_are_the_same(self):
        story = Story.objects.create(image=upload(size=(400, 300)))
        expected = f"https://cdn.example.com/{story.image.name}"
        assert story.image.url == expected
        assert story.image.url_for_thumb("fit") == f"{expected}.thumbs/fit.png"
        assert story.image.srcset("hero").count("https://cdn.example.com/") == 3

    def test_what_is_broken_is_refused(self):
        with pytest.raises(UploadedImageIsUnreadableError):
            Story.objects.create(image=ContentFile(draw()[:20], name="cat.jpg"))

    def test_other_files_are_stored(self):
        row = Plain.objects.create(file=ContentFile(b"text", name="a.txt"))
        assert content_of(row.file.storage, row.file.name) == b"text"

    def test_the_default_storage_is_replaced(self):
        default_storage.save("loose.jpg", upload())
        assert storages["default"].exists("loose.jpg")
        assert Product(image="loose.jpg").image.storage.exists("loose.jpg")


@pytest.mark.django_db
@pytest.mark.usefixtures("on_s3", "no_decoding", "no_thumbs")
def test_no_thumbs():
    story = Story.objects.create(image=upload(size=(400, 300)))
    assert stored(story.image.storage) == [story.image.name]
    assert (story.width, story.height) == (400, 300)
    assert story.image.url_for_thumb("fit").endswith("/fit.png")
    assert story.image.has_thumbs


def test_afterwards_all_is_as_before():
    before = [Story._meta.get_field("image")._given, Plain._meta.get_field("file").storage, storages["default"]]
    assert not default_storage.exists("cat.jpg")  # it is set up on first use
    wrapped = default_storage._wrapped
    with override_storage():
        assert Plain._meta.get_field("file").storage is not before[1]
        default_storage.save("cat.jpg", upload())
        assert default_storage.exists("cat.jpg")
    after = [Story._meta.get_field("image")._given, Plain._meta.get_field("file").storage, storages["default"]]
    assert all(one is other for one, other in zip(before, after, strict=True))
    assert default_storage._wrapped is wrapped
    assert not default_storage.exists("cat.jpg")


def test_an_error_gives_them_back_as_well():
    with pytest.raises(ZeroDivisionError), override_storage():
        raise ZeroDivisionError
    assert type(default_storage._wrapped).__name__ == "InMemoryThumbnailStorage"


@override_storage()
def test_as_a_decorator():
    assert type(default_storage._wrapped).__name__ == "StandInStorage"


@override_storage(thumbs=False)
class TestDecorated(TestCase):
    def test_it(self):
        product = Product.objects.create(image=upload())
        assert stored(product.image.storage) == [product.image.name]


def test_it_needs_no_pytest():
    script = "import sys; sys.modules['pytest'] = None; import django; from django.conf import settings; "
    script += "settings.configure(INSTALLED_APPS=['athumb_storage']); django.setup(); "
    script += "from athumb_storage.contrib.testing import override_storage; override_storage().enable()"
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
