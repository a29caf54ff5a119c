"""Regeneration: rows in, one result a row out, and thumbs at the keys where they were."""

from __future__ import annotations

import tracemalloc

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from athumb_storage.regeneration import Outcome, Result, regenerate
from tests.conftest import draw, image_in, upload
from tests.shop.models import Book, Document, Plain, Product, SaleProduct

pytestmark = pytest.mark.django_db

IMAGE = Product._meta.get_field("image")


@pytest.fixture(autouse=True)
def empty_storage(settings):
    """A default storage of the test's own: to set the setting again makes a new one."""
    settings.STORAGES = {**settings.STORAGES}


@pytest.fixture(params=["FileSystem", "InMemory", "S3"])
def each_storage(request, settings, tmp_path):
    """The default storage, once of each kind.

    Its options are settings, because Django 4.2 forgets those of an overridden `STORAGES`.
    """
    settings.MEDIA_ROOT = tmp_path
    if request.param == "S3":
        options = request.getfixturevalue("s3_options")
        settings.AWS_STORAGE_BUCKET_NAME = options["bucket_name"]
        settings.AWS_S3_ENDPOINT_URL = options["endpoint_url"]
        settings.AWS_S3_ACCESS_KEY_ID = options["access_key"]
        settings.AWS_S3_SECRET_ACCESS_KEY = options["secret_key"]
        settings.AWS_S3_REGION_NAME = options["region_name"]
    backend = f"athumb_storage.storages.{request.param}ThumbnailStorage"
    settings.STORAGES = {**settings.STORAGES, "default": {"BACKEND": backend}}


def regenerated(model=Product, field=IMAGE, only=None, **options):
    return list(regenerate(model._base_manager.all(), field, only, **options))


def thumb_keys(name):
    return [IMAGE.storage.thumb_key(name, thumb) for thumb in IMAGE.storage.thumbs]


def spoil(*keys):
    """Write something that is no image over these files."""
    for key in keys:
        default_storage._write_thumb(key, b"spoilt", "text/plain", replace=True)


def content(key):
    with default_storage.open(key, "rb") as file:
        return file.read()


@pytest.mark.usefixtures("each_storage")
class TestKeys:
    def test_thumbs_are_written_to_the_keys_they_had(self):
        product = Product.objects.create(image=upload("cat.jpg"))
        keys = thumb_keys(product.image.name)
        before = {key: content(key) for key in keys}
        spoil(*keys)
        assert regenerated() == [Result(product.pk, product.image.name, Outcome.GENERATED)]
        assert {key: content(key) for key in keys} == before
        assert sorted(default_storage.listdir("products/cat.jpg.thumbs")[1]) == [
            "50x50_cropped.jpg",
            "60x60.jpg",
            "large.webp",
        ]
        assert default_storage.listdir("products")[1] == ["cat.jpg"]

    def test_missing_thumbs_are_made(self):
        product = Product.objects.create(image=upload("cat.jpg"))
        default_storage.delete_thumbs(product.image.name)
        regenerated()
        sizes = [image_in(default_storage, key).size for key in thumb_keys(product.image.name)]
        assert sizes == [(50, 50), (60, 40), (200, 133)]

    def test_the_original_is_left_as_it_is(self):
        data = draw((300, 200))
        product = Product.objects.create(image=upload("cat.jpg", data))
        regenerated()
        assert content(product.image.name) == data

    def test_only_the_thumbs_asked_for(self):
        product = Product.objects.create(image=upload("cat.jpg"))
        cropped, fitted, large = thumb_keys(product.image.name)
        spoil(cropped, fitted, large)
        regenerated(only=["60x60"])
        assert [content(key).startswith(b"spoilt") for key in (cropped, fitted, large)] == [True, False, True]

    def test_dry_run_stores_nothing(self):
        product = Product.objects.create(image=upload("cat.jpg"))
        default_storage.delete_thumbs(product.image.name)
        assert [result.outcome for result in regenerated(dry_run=True)] == [Outcome.GENERATED]
        assert not any(default_storage.exists(key) for key in thumb_keys(product.image.name))


class TestOutcomes:
    def test_rows_without_a_file(self):
        pks = {Product.objects.create(image=value).pk for value in ("", None)}
        results = regenerated()
        assert {result.pk for result in results} == pks
        assert {(result.name, result.outcome) for result in results} == {("", Outcome.EMPTY)}

    def test_a_name_that_several_rows_have_is_done_once(self):
        names = [Product.objects.create(image=upload(name)).image.name for name in ("b.jpg", "a.jpg")]
        Product.objects.create(image=names[0])
        Product.objects.create(image=names[1])
        Product.objects.create(image=names[0])
        results = regenerated()
        assert [(result.name, result.outcome) for result in results] == [
            ("products/a.jpg", Outcome.GENERATED),
            ("products/a.jpg", Outcome.REPEATED),
            ("products/b.jpg", Outcome.GENERATED),
            ("products/b.jpg", Outcome.REPEATED),
            ("products/b.jpg", Outcome.REPEATED),
        ]

    def test_files_that_fail_do_not_stop_the_others(self):
        default_storage.save("products/b-text.jpg", ContentFile(b"no image at all"))
        default_storage.save("products/c-cut.jpg", ContentFile(draw((300, 200))[:400]))
        good = Product.objects.create(image=upload("d.jpg")).image.name
        default_storage.delete_thumbs(good)
        for name in ("a-gone", "b-text", "c-cut"):
            Product.objects.create(image=f"products/{name}.jpg")
        gone, text, cut, fine = regenerated()
        assert gone.outcome is text.outcome is cut.outcome is Outcome.FAILED
        assert gone.reason.startswith("FileNotFoundError: ")
        assert "a-gone.jpg" in gone.reason
        assert text.reason.startswith("UploadedImageIsUnreadableError: 'products/b-text.jpg'")
        assert cut.reason.startswith("UploadedImageIsUnreadableError: 'products/c-cut.jpg'")
        assert (fine.name, fine.outcome, fine.reason) == (good, Outcome.GENERATED, "")
        assert default_storage.exists("products/d.jpg.thumbs/60x60.jpg")

    def test_a_file_that_is_no_image_has_no_thumbs_where_that_is_allowed(self):
        Document.objects.create(manual=ContentFile(b"%PDF-1.7", name="manual.pdf"))
        (result,) = regenerated(Document, Document._meta.get_field("manual"))
        assert result.outcome is not Outcome.FAILED
        assert default_storage.listdir("manuals") == ([], ["manual.pdf"])

    def test_a_plain_field_on_a_storage_with_thumbs(self):
        plain = Plain.objects.create(file=upload("cat.jpg"))
        plain.file.storage.delete_thumbs(plain.file.name)
        regenerated(Plain, Plain._meta.get_field("file"))
        assert plain.file.storage.exists(plain.file.storage.thumb_key(plain.file.name, "cover"))


class TestRows:
    def test_a_queryset_chooses_the_rows(self):
        Product.objects.create(name="no", image=upload("a.jpg"))
        wanted = Product.objects.create(name="yes", image=upload("b.jpg"))
        rows = Product.objects.filter(name="yes")
        assert [result.pk for result in regenerate(rows, IMAGE)] == [wanted.pk]

    @pytest.mark.parametrize("model", [SaleProduct, Book])
    def test_derived_models(self, model):
        row = model.objects.create(image=upload("a.jpg"))
        default_storage.delete_thumbs(row.image.name)
        (result,) = regenerated(model, model._meta.get_field("image"))
        assert (result.pk, result.outcome) == (row.pk, Outcome.GENERATED)
        assert default_storage.exists("products/a.jpg.thumbs/large.webp")

    def test_a_child_model_leaves_the_other_rows_of_its_parent_alone(self):
        Product.objects.create(image=upload("a.jpg"))
        book = Book.objects.create(image=upload("b.jpg"))
        assert [result.name for result in regenerated(Book)] == [book.image.name]


class TestStreaming:
    def test_one_query_however_many_rows(self, django_assert_num_queries):
        Product.objects.bulk_create(Product(image=f"{number}.jpg") for number in range(5000))
        with django_assert_num_queries(1):
            assert len(regenerated(dry_run=True)) == 5000

    def test_nothing_is_done_before_it_is_asked_for(self):
        for name in ("a.jpg", "b.jpg"):
            default_storage.delete_thumbs(Product.objects.create(image=upload(name)).image.name)
        results = regenerate(Product.objects.all(), IMAGE)
        assert not default_storage.exists("products/a.jpg.thumbs/60x60.jpg")
        next(results)
        assert default_storage.exists("products/a.jpg.thumbs/60x60.jpg")
        assert not default_storage.exists("products/b.jpg.thumbs/60x60.jpg")

    def test_memory_does_not_grow_with_the_rows(self):
        def peak(count):
            Product.objects.bulk_create((Product(image=f"{'x' * 200}{n}.jpg") for n in range(count)), batch_size=5000)
            tracemalloc.start()
            try:
                done = sum(1 for _ in regenerate(Product.objects.all(), IMAGE, dry_run=True))
                memory = tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()
            return done, memory

        _, few = peak(4000)
        rows, many = peak(16_000)
        assert rows == 20_000
        assert many < 1.5 * few
