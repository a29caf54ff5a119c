"""`manage.py athumb_regen_field app.Model field`"""

from __future__ import annotations

import io

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command

from athumb_storage.management.commands import athumb_regen_field
from tests.conftest import draw, upload
from tests.shop.models import Book, Plain, Product, SaleProduct

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def empty_storage(settings):
    """A default storage of the test's own: to set the setting again makes a new one."""
    settings.STORAGES = {**settings.STORAGES}


@pytest.fixture(autouse=True)
def no_progress(monkeypatch):
    """A busy machine would have a line of it now and then."""
    monkeypatch.setattr(athumb_regen_field, "PROGRESS_EVERY", 1000)


@pytest.fixture
def without_thumbs():
    """Makes a row whose original is stored, and whose thumbs are gone."""

    def make(name="cat.jpg", model=Product, database="default"):
        row = model(image=upload(name))
        row.save(using=database)
        default_storage.delete_thumbs(row.image.name)
        return row

    return make


class Run:
    """What the command wrote; `error` is the CommandError it ended with."""

    def __init__(self, *arguments, **options):
        stdout, stderr = io.StringIO(), io.StringIO()
        self.error = None
        try:
            call_command("athumb_regen_field", *arguments, stdout=stdout, stderr=stderr, **options)
        except CommandError as error:
            self.error = error
        self.lines, self.failures = stdout.getvalue().splitlines(), stderr.getvalue().splitlines()


def thumbs_of(name):
    try:
        return sorted(default_storage.listdir(f"{name}.thumbs")[1])
    except FileNotFoundError:
        return []


ALL = ["50x50_cropped.jpg", "60x60.jpg", "large.webp"]


def test_makes_the_thumbs_of_every_row(without_thumbs):
    names = [without_thumbs(name).image.name for name in ("a.jpg", "b.jpg")]
    run = Run("shop.Product", "image")
    assert run.error is None
    assert [thumbs_of(name) for name in names] == [ALL, ALL]
    assert run.lines == ["2 rows: 2 generated, 0 not an image, 0 without a file, 0 repeated, 0 failed."]
    assert run.failures == []


def test_the_model_is_found_whatever_its_case(without_thumbs):
    name = without_thumbs().image.name
    Run("shop.product", "image")
    assert thumbs_of(name) == ALL


def test_summary_failures_and_exit_status(without_thumbs):
    name = without_thumbs("good.jpg").image.name
    default_storage.save("products/cut.jpg", ContentFile(draw()[:300]))
    cut = Product.objects.create(image="products/cut.jpg")
    gone = Product.objects.create(image="products/gone.jpg")
    for value in (name, "", None):
        Product.objects.create(image=value)
    run = Run("shop.Product", "image")
    assert run.lines == ["6 rows: 1 generated, 0 not an image, 2 without a file, 1 repeated, 2 failed."]
    assert thumbs_of(name) == ALL
    assert str(run.error) == "2 of 6 rows failed."
    assert run.error.returncode != 0
    unreadable, missing = run.failures
    assert unreadable.startswith(f"Failed: 'products/cut.jpg' (row {cut.pk}): UploadedImageIsUnreadableError: ")
    assert missing.startswith(f"Failed: 'products/gone.jpg' (row {gone.pk}): FileNotFoundError: ")


def test_one_row_is_one_row(monkeypatch):
    monkeypatch.setattr(athumb_regen_field, "PROGRESS_EVERY", 0)
    Product.objects.create(image="products/gone.jpg")
    run = Run("shop.Product", "image")
    assert run.lines == [
        "1/1 row, at 'products/gone.jpg'",
        "1 row: 0 generated, 0 not an image, 0 without a file, 0 repeated, 1 failed.",
    ]
    assert str(run.error) == "1 of 1 row failed."


def test_no_rows():
    assert Run("shop.Product", "image").lines == [
        "0 rows: 0 generated, 0 not an image, 0 without a file, 0 repeated, 0 failed."
    ]


class TestProgress:
    @pytest.fixture(autouse=True)
    def always(self, monkeypatch):
        monkeypatch.setattr(athumb_regen_field, "PROGRESS_EVERY", 0)

    def test_tells_how_far_it_is(self, without_thumbs):
        for name in ("a.jpg", "b.jpg"):
            without_thumbs(name)
        run = Run("shop.Product", "image")
        assert run.lines[:2] == ["1/2 rows, at 'products/a.jpg'", "2/2 rows, at 'products/b.jpg'"]

    def test_not_when_told_to_be_quiet(self, without_thumbs):
        without_thumbs()
        assert Run("shop.Product", "image", verbosity=0).lines == [
            "1 row: 1 generated, 0 not an image, 0 without a file, 0 repeated, 0 failed."
        ]


def test_not_more_often_than_it_can_be_read(without_thumbs):
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        without_thumbs(name)
    assert len(Run("shop.Product", "image", dry_run=True).lines) == 1


def test_verbosely_every_row_is_named(without_thumbs):
    row = without_thumbs()
    empty = Product.objects.create()
    assert set(Run("shop.Product", "image", verbosity=2).lines[:-1]) == {
        f"generated: 'products/cat.jpg' (row {row.pk})",
        f"without a file: '' (row {empty.pk})",
    }


class TestThumbOption:
    def test_one(self, without_thumbs):
        name = without_thumbs().image.name
        Run("shop.Product", "image", "--thumb", "large")
        assert thumbs_of(name) == ["large.webp"]

    def test_several(self, without_thumbs):
        name = without_thumbs().image.name
        Run("shop.Product", "image", "--thumb", "large", "--thumb=60x60")
        assert thumbs_of(name) == ["60x60.jpg", "large.webp"]

    def test_unknown(self, without_thumbs):
        name = without_thumbs().image.name
        run = Run("shop.Product", "image", "--thumb", "60x60", "--thumb", "huge")
        assert str(run.error) == "Unknown thumb 'huge'. Known thumbs: '50x50_cropped', '60x60', 'large'."
        assert thumbs_of(name) == []


def test_dry_run(without_thumbs):
    name = without_thumbs().image.name
    run = Run("shop.Product", "image", "--dry-run")
    assert thumbs_of(name) == []
    assert run.lines == [
        "Dry run, nothing stored: 1 row: 1 generated, 0 not an image, 0 without a file, 0 repeated, 0 failed."
    ]


class TestDerivedModels:
    def test_proxy(self, without_thumbs):
        name = without_thumbs(model=SaleProduct).image.name
        assert Run("shop.SaleProduct", "image").error is None
        assert thumbs_of(name) == ALL

    def test_multi_table_inheritance(self, without_thumbs):
        book = without_thumbs("book.jpg", model=Book).image.name
        other = without_thumbs("other.jpg").image.name
        run = Run("shop.Book", "image")
        assert run.lines == ["1 row: 1 generated, 0 not an image, 0 without a file, 0 repeated, 0 failed."]
        assert (thumbs_of(book), thumbs_of(other)) == (ALL, [])

    def test_the_parent_has_the_rows_of_its_children(self, without_thumbs):
        name = without_thumbs(model=Book).image.name
        Run("shop.Product", "image")
        assert thumbs_of(name) == ALL


@pytest.mark.django_db(databases=["default", "other"])
def test_database(without_thumbs):
    here = without_thumbs("here.jpg").image.name
    there = without_thumbs("there.jpg", database="other").image.name
    run = Run("shop.Product", "image", "--database", "other")
    assert run.lines == ["1 row: 1 generated, 0 not an image, 0 without a file, 0 repeated, 0 failed."]
    assert (thumbs_of(here), thumbs_of(there)) == ([], ALL)


def test_two_queries_however_many_rows(django_assert_num_queries):
    Product.objects.bulk_create(Product(image=f"{number}.jpg") for number in range(5000))
    with django_assert_num_queries(2):
        run = Run("shop.Product", "image", "--dry-run")
    assert run.lines[-1].endswith("5000 rows: 5000 generated, 0 not an image, 0 without a file, 0 repeated, 0 failed.")


def test_a_plain_field_on_a_storage_with_thumbs():
    plain = Plain.objects.create(file=upload())
    storage = plain.file.storage
    storage.delete_thumbs(plain.file.name)
    assert Run("shop.Plain", "file").error is None
    assert storage.exists(storage.thumb_key(plain.file.name, "cover"))


@pytest.mark.parametrize(
    ("model", "field", "message"),
    [
        ("product", "image", "There is no model 'product': write app_label.Model, such as store.Product."),
        (
            "a.shop.Product",
            "image",
            "There is no model 'a.shop.Product': write app_label.Model, such as store.Product.",
        ),
        ("nowhere.Product", "image", "There is no model 'nowhere.Product'"),
        ("shop.Nothing", "image", "There is no model 'shop.Nothing'"),
        ("shop.Product", "picture", "Product has no field named 'picture'"),
        ("shop.Product", "name", "shop.Product.name is no file field on a storage that makes thumbs."),
        ("shop.Product", "book", "shop.Product.book is no file field on a storage that makes thumbs."),
    ],
)
def test_wrong_model_or_field(model, field, message):
    assert message in str(Run(model, field).error)


def test_a_storage_that_makes_no_thumbs(settings):
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    }
    error = Run("shop.Product", "image").error
    assert str(error) == "shop.Product.image is no file field on a storage that makes thumbs."


def test_a_field_without_thumbs(monkeypatch):
    storage = type(Plain._meta.get_field("file").storage)()
    monkeypatch.setattr(Plain._meta.get_field("file"), "storage", storage)
    assert str(Run("shop.Plain", "file").error) == "shop.Plain.file has no thumbs."
