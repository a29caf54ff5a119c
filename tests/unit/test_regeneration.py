"""Regeneration: rows in, one result a row out, and thumbs at the keys where they were."""

from __future__ import annotations

import gc
import re
import threading
import time
import tracemalloc
from collections import Counter
from concurrent.futures import Future
from functools import partial
from itertools import islice

import pytest
from botocore.config import Config
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import models

from athumb_storage import regeneration
from athumb_storage.regeneration import PAGE, LeftUnderWay, Outcome, Result, fingerprint, regenerate
from athumb_storage.storages import FileSystemThumbnailStorage, InMemoryThumbnailStorage, S3ThumbnailStorage
from tests.conftest import draw, image_in, noise, upload
from tests.proxy import ERROR, FORBIDDEN, RESET, SLOW_DOWN, Proxy
from tests.shop.models import Book, Document, Plain, Product, SaleProduct, Story

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


@pytest.fixture
def on_disk(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    backend = {"BACKEND": "athumb_storage.storages.FileSystemThumbnailStorage"}
    settings.STORAGES = {**settings.STORAGES, "default": backend}


def fail_to_open(monkeypatch, wanted, error):
    """Opening one file on disk ends in this error; how often it was tried."""
    asked = []
    opening = FileSystemThumbnailStorage._open_original

    def opened(storage, name):
        if name != wanted:
            return opening(storage, name)
        asked.append(name)
        raise error

    monkeypatch.setattr(FileSystemThumbnailStorage, "_open_original", opened)
    return asked


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
        assert [result.outcome for result in regenerated(dry_run=True)] == [Outcome.DUE]
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
            ("products/b.jpg", Outcome.GENERATED),
            ("products/a.jpg", Outcome.GENERATED),
            ("products/b.jpg", Outcome.REPEATED),
            ("products/a.jpg", Outcome.REPEATED),
            ("products/b.jpg", Outcome.REPEATED),
        ]

    def test_files_that_fail_do_not_stop_the_others(self):
        default_storage.save("products/b-text.jpg", ContentFile(b"no image at all"))
        default_storage.save("products/c-cut.jpg", ContentFile(draw((300, 200))[:400]))
        good = Product.objects.create(image=upload("d.jpg")).image.name
        default_storage.delete_thumbs(good)
        for name in ("a-gone", "b-text", "c-cut"):
            Product.objects.create(image=f"products/{name}.jpg")
        fine, gone, text, cut = regenerated()
        assert gone.outcome is text.outcome is cut.outcome is Outcome.FAILED
        assert gone.reason.startswith("FileNotFoundError: ")
        assert "a-gone.jpg" in gone.reason
        assert text.reason.startswith("UploadedImageIsUnreadableError: 'products/b-text.jpg'")
        assert cut.reason.startswith("UploadedImageIsUnreadableError: 'products/c-cut.jpg'")
        assert (fine.name, fine.outcome, fine.reason) == (good, Outcome.GENERATED, "")
        assert default_storage.exists("products/d.jpg.thumbs/60x60.jpg")

    @pytest.mark.parametrize("workers", [1, 2])
    @pytest.mark.parametrize("error", [MemoryError(), TimeoutError(110, "Connection timed out")])
    def test_what_the_system_runs_out_of_is_about_one_file(self, on_disk, monkeypatch, workers, error):
        first, _ = (Product.objects.create(image=upload(name)).image.name for name in ("a.jpg", "b.jpg"))
        monkeypatch.setattr(regeneration, "_LONGEST_PAUSE", 0)
        asked = fail_to_open(monkeypatch, first, error)
        failed, fine = regenerated(workers=workers)
        assert (failed.outcome, fine.outcome) == (Outcome.FAILED, Outcome.GENERATED)
        assert failed.reason == {MemoryError: "MemoryError"}.get(type(error), f"TimeoutError: {error}")
        assert asked == [first] * (regeneration.ATTEMPTS if isinstance(error, TimeoutError) else 1)

    def test_a_timeout_without_a_number_in_a_thread_of_ours_is_that_of_the_storage(self, on_disk, monkeypatch):
        first, _ = (Product.objects.create(image=upload(name)).image.name for name in ("a.jpg", "b.jpg"))
        monkeypatch.setattr(regeneration, "_LONGEST_PAUSE", 0)
        asked = fail_to_open(monkeypatch, first, TimeoutError("timed out"))
        assert [result.outcome for result in regenerated(workers=2)] == [Outcome.FAILED, Outcome.GENERATED]
        assert len(asked) == regeneration.ATTEMPTS

    def test_elsewhere_it_is_somebody_who_wants_this_thread_to_stop(self, on_disk, monkeypatch):
        name = Product.objects.create(image=upload("a.jpg")).image.name
        asked = fail_to_open(monkeypatch, name, TimeoutError("enough"))
        with pytest.raises(TimeoutError, match="enough"):
            regenerated(workers=1)
        assert asked == [name]

    def test_a_name_that_no_file_can_have(self, on_disk):
        Product.objects.create(image="products/a\0b.jpg")
        Product.objects.create(image=upload("b.jpg"))
        failed, fine = regenerated()
        assert (failed.outcome, fine.outcome) == (Outcome.FAILED, Outcome.GENERATED)
        assert failed.reason == r"SuspiciousFileOperation: 'products/a\x00b.jpg': embedded null byte"

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


class TestPages:
    def test_a_query_for_each_page(self, django_assert_num_queries):
        Product.objects.bulk_create(Product(image=f"{number}.jpg") for number in range(2 * PAGE + 1))
        with django_assert_num_queries(3) as queries:
            results = regenerated(dry_run=True)
        assert [result.pk for result in results] == sorted(Product.objects.values_list("pk", flat=True))
        for query in queries.captured_queries:  # by primary key, and no more than a page
            assert re.search(r'ORDER BY (1|"shop_product"."id") ASC LIMIT 500$', query["sql"]), query["sql"]

    def test_nothing_is_done_before_it_is_asked_for(self):
        for name in ("a.jpg", "b.jpg"):
            default_storage.delete_thumbs(Product.objects.create(image=upload(name)).image.name)
        results = regenerate(Product.objects.all(), IMAGE)
        assert not default_storage.exists("products/a.jpg.thumbs/60x60.jpg")
        next(results)
        assert default_storage.exists("products/a.jpg.thumbs/60x60.jpg")
        assert not default_storage.exists("products/b.jpg.thumbs/60x60.jpg")

    def test_not_more_rows_than_are_wanted(self):
        for name in ("a.jpg", "b.jpg", "c.jpg"):
            default_storage.delete_thumbs(Product.objects.create(image=upload(name)).image.name)
        assert [result.name for result in regenerated(limit=2)] == ["products/a.jpg", "products/b.jpg"]
        assert not default_storage.exists("products/c.jpg.thumbs/60x60.jpg")

    def test_rows_that_are_due_with_their_thumbs(self):
        rows = [Product.objects.create(image=upload(name)) for name in ("a.jpg", "b.jpg", "c.jpg")]
        for row in rows:
            default_storage.delete_thumbs(row.image.name)
        due = [(rows[2].pk, ["large"]), (rows[0].pk, ["60x60", "large"]), (99, ["large"])]
        assert [result.pk for result in regenerated(due=iter(due))] == [rows[2].pk, rows[0].pk]
        there = [[key for key in thumb_keys(row.image.name) if default_storage.exists(key)] for row in rows]
        assert there == [thumb_keys("products/a.jpg")[1:], [], thumb_keys("products/c.jpg")[2:]]

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

        _, few = peak(11_000)  # as many names as are remembered
        rows, many = peak(19_000)
        assert rows == 30_000
        assert many < 1.2 * few


class TestOverlap:
    @pytest.fixture
    def rows(self, on_disk):
        rows = [Product.objects.create(image=upload(f"{number}.jpg")) for number in range(12)]
        for row in rows:
            default_storage.delete_thumbs(row.image.name)
        return rows

    def test_several_are_worked_on_at_once(self, monkeypatch, rows):
        met = threading.Barrier(4, timeout=20)
        opening = FileSystemThumbnailStorage._open_original
        monkeypatch.setattr(
            FileSystemThumbnailStorage, "_open_original", lambda storage, name: (met.wait(), opening(storage, name))[1]
        )
        assert {result.outcome for result in regenerated(workers=4)} == {Outcome.GENERATED}
        assert all(default_storage.exists(key) for row in rows for key in thumb_keys(row.image.name))

    def test_results_come_in_the_order_of_primary_keys(self, monkeypatch, rows):
        is_last = threading.Event()
        opening = FileSystemThumbnailStorage._open_original

        def opened(storage, name):
            if name == "products/0.jpg":
                assert is_last.wait(20)
            elif name == "products/3.jpg":
                is_last.set()
            return opening(storage, name)

        monkeypatch.setattr(FileSystemThumbnailStorage, "_open_original", opened)
        assert [result.pk for result in regenerated(workers=2)] == [row.pk for row in rows]

    def test_to_close_it_is_to_stop(self, monkeypatch, rows):
        begun = []
        opening = FileSystemThumbnailStorage._open_original
        monkeypatch.setattr(
            FileSystemThumbnailStorage,
            "_open_original",
            lambda storage, name: (begun.append(name), time.sleep(0.02), opening(storage, name))[2],
        )
        results = regenerate(Product.objects.all(), IMAGE, workers=2)
        next(results)
        results.close()
        count = len(begun)
        assert 1 <= count < 12
        time.sleep(0.1)
        assert len(begun) == count
        done = [row for row in rows if default_storage.exists(thumb_keys(row.image.name)[-1])]
        assert len(done) == count  # what had begun was ended

    @pytest.mark.parametrize("limit", [2, None])
    def test_all_that_is_under_way_is_waited_for_when_it_is_interrupted(self, monkeypatch, rows, limit):
        """Also the one whose result was to come."""
        begun, released, told = threading.Barrier(3, timeout=20), threading.Event(), []
        opening, result = FileSystemThumbnailStorage._open_original, Future.result

        def opened(storage, name):
            begun.wait()
            assert released.wait(20)
            return opening(storage, name)

        def interrupted(future):
            if threading.current_thread() is not threading.main_thread():
                return result(future)
            begun.wait()
            raise KeyboardInterrupt

        def stopping(count):
            told.append(count)
            released.set()

        monkeypatch.setattr(FileSystemThumbnailStorage, "_open_original", opened)
        monkeypatch.setattr(Future, "result", interrupted)
        with pytest.raises(KeyboardInterrupt) as raised:
            list(regenerate(Product.objects.all(), IMAGE, limit=limit, workers=2, stopping=stopping))
        assert told == [2]
        assert raised.type is KeyboardInterrupt
        assert [bool(default_storage.exists(thumb_keys(row.image.name)[-1])) for row in rows[:3]] == [True, True, False]

    def test_a_second_interrupt_leaves_what_is_under_way(self, monkeypatch, rows):
        begun, released = threading.Event(), threading.Event()
        opening = FileSystemThumbnailStorage._open_original

        def opened(storage, name):
            if name != "products/0.jpg":
                begun.set()
                assert released.wait(20)
                raise FileNotFoundError(name)  # the test is over by then, and so is its folder
            assert begun.wait(20)
            return opening(storage, name)

        def interrupt(count):
            raise KeyboardInterrupt

        monkeypatch.setattr(FileSystemThumbnailStorage, "_open_original", opened)
        results = regenerate(Product.objects.all(), IMAGE, workers=3, stopping=interrupt)
        try:
            next(results)
            with pytest.raises(LeftUnderWay):
                results.close()
        finally:
            released.set()

    def test_nothing_is_said_where_nothing_is_under_way(self, rows):
        told = []
        list(regenerate(Product.objects.all(), IMAGE, workers=2, stopping=told.append))
        regenerate(Product.objects.all(), IMAGE, workers=2, stopping=told.append).close()
        assert told == []

    def test_what_is_no_failure_of_storing_stops_it(self, monkeypatch, rows):
        monkeypatch.setattr(FileSystemThumbnailStorage, "_open_original", lambda storage, name: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            regenerated(workers=3)

    def test_one_in_memory_is_left_to_one_thread(self, monkeypatch):
        for name in ("a.jpg", "b.jpg", "c.jpg"):
            Product.objects.create(image=upload(name))
        threads = set()
        opening = InMemoryThumbnailStorage._open_original
        monkeypatch.setattr(
            InMemoryThumbnailStorage,
            "_open_original",
            lambda storage, name: (threads.add(threading.current_thread()), opening(storage, name))[1],
        )
        assert len(regenerated(workers=4)) == 3
        assert threads == {threading.current_thread()}


class TestKept:
    def test_what_a_row_does_not_have_is_filled_in(self, django_assert_num_queries):
        rows = [Story.objects.create(image=upload(name)) for name in ("a.jpg", "b.jpg")]
        kept = list(Story.objects.order_by("pk").values("width", "height", "placeholder"))
        assert all(all(values.values()) for values in kept)
        Story.objects.filter(pk=rows[0].pk).update(width=None, height=None, placeholder="")
        Story.objects.filter(pk=rows[1].pk).update(width=1, placeholder="")
        with django_assert_num_queries(3):
            regenerated(Story, Story._meta.get_field("image"))
        assert list(Story.objects.order_by("pk").values("width", "height", "placeholder")) == [
            kept[0],
            {**kept[1], "width": 1},
        ]

    @pytest.mark.parametrize("first", [{}, {"placeholder": "", "width": None}, {"width": None}])
    def test_of_all_rows_that_share_a_file(self, first):
        """Whatever the first of them lacks itself."""
        rows = [Story.objects.create(image=upload("a.jpg")) for _ in range(3)]
        kept = Story.objects.values("width", "height", "placeholder")[0]
        Story.objects.update(image=rows[0].image.name)
        Story.objects.exclude(pk=rows[0].pk).update(width=None, height=None, placeholder="")
        Story.objects.filter(pk=rows[0].pk).update(**first)
        results = regenerated(Story, Story._meta.get_field("image"))
        assert list(Story.objects.values("width", "height", "placeholder")) == [kept] * 3
        assert results[-1].outcome is Outcome.REPEATED

    def test_of_a_row_that_is_listed_beside_the_one_for_thumbs(self):
        rows = [Story.objects.create(image=upload("a.jpg")) for _ in range(2)]
        name = rows[0].image.name
        Story.objects.update(image=name, width=None)
        storage = rows[0].image.storage
        storage.delete_thumbs(name)
        due = [(rows[0].pk, []), (rows[1].pk, ["square"])]
        regenerated(Story, Story._meta.get_field("image"), due=due)
        assert list(Story.objects.values_list("width", flat=True)) == [300, 300]
        assert storage.exists(storage.thumb_key(name, "square"))

    def test_of_a_row_that_a_manager_hides(self, monkeypatch):
        class Hiding(models.Manager):
            def get_queryset(self):
                return super().get_queryset().none()

        manager = Hiding()
        manager.model, manager.name = Story, "hiding"
        Story.objects.create(image=upload("a.jpg"))
        Story.objects.update(width=None)
        rows = Story.objects.all()
        monkeypatch.setitem(vars(Story._meta), "base_manager", manager)
        list(regenerate(rows, Story._meta.get_field("image")))
        assert Story.objects.get().width == 300

    def test_of_a_plain_image_field(self, monkeypatch):
        field = models.ImageField(width_field="width", height_field="height", storage=Story.image.field.storage)
        field.set_attributes_from_name("image")
        Story.objects.create(image=upload("a.jpg"))
        Story.objects.update(width=None, placeholder="")
        regenerated(Story, field)
        assert Story.objects.values_list("width", "placeholder").get() == (300, "")

    def test_not_of_a_row_that_has_another_file_by_now(self, monkeypatch):
        row = Story.objects.create(image=upload("a.jpg"))
        Story.objects.update(width=None)
        opening = InMemoryThumbnailStorage._open_original

        def opened(storage, name):
            Story.objects.update(image="stories/other.jpg")
            return opening(storage, name)

        monkeypatch.setattr(InMemoryThumbnailStorage, "_open_original", opened)
        regenerated(Story, Story._meta.get_field("image"))
        row.refresh_from_db()
        assert (row.width, row.image.name) == (None, "stories/other.jpg")

    def test_not_in_a_dry_run(self):
        Story.objects.create(image=upload("a.jpg"))
        Story.objects.update(width=None)
        regenerated(Story, Story._meta.get_field("image"), dry_run=True)
        assert Story.objects.get().width is None


def test_a_row_that_is_deleted_meanwhile_has_not_failed(monkeypatch):
    row = Product.objects.create(image=upload("a.jpg"))

    def gone(storage, name):
        Product.objects.all().delete()
        raise FileNotFoundError(name)

    monkeypatch.setattr(InMemoryThumbnailStorage, "_open_original", gone)
    assert regenerated() == [Result(row.pk, "products/a.jpg", Outcome.CHANGED)]


def test_a_row_that_misses_a_file_has_failed_where_another_one_is_changed_meanwhile(monkeypatch):
    rows = [Product.objects.create(image="products/gone.jpg") for _ in range(3)]
    opening = InMemoryThumbnailStorage._open_original

    def changed(storage, name):
        Product.objects.filter(pk=rows[0].pk).update(image="")
        return opening(storage, name)

    monkeypatch.setattr(InMemoryThumbnailStorage, "_open_original", changed)
    results = regenerated()
    assert [result.outcome for result in results] == [Outcome.CHANGED, Outcome.FAILED, Outcome.REPEATED]
    assert results[1].reason.startswith("FileNotFoundError: ")


def test_nothing_is_kept_of_images_that_fail(make_s3, monkeypatch):
    storage = make_s3(thumbs=dict(IMAGE.storage.thumbs))
    data = noise((700, 500))[:-1000]
    for number in range(24):
        storage.client.put_object(Bucket=storage.bucket_name, Key=f"{number}.jpg", Body=data)
        Product.objects.create(image=f"{number}.jpg")
    monkeypatch.setattr(IMAGE, "_given", storage)
    monkeypatch.setattr(IMAGE, "_bound", None)
    next(regenerate(Product.objects.all(), IMAGE))  # everything is loaded now
    tracemalloc.start()
    try:
        results = regenerate(Product.objects.all(), IMAGE, workers=2)
        assert {result.outcome for result in islice(results, 23)} == {Outcome.FAILED}
        gc.collect()
        kept = tracemalloc.get_traced_memory()[0]
        assert next(results).outcome is Outcome.FAILED
    finally:
        tracemalloc.stop()
    assert kept < 4 * len(data)


class TestRequests:
    """What is asked of S3, as the proxy sees it."""

    @pytest.fixture
    def script(self, s3_server, monkeypatch, s3_options):
        rows = [Product.objects.create(image=upload(f"{number}.jpg")) for number in range(3)]
        with Proxy(s3_server.endpoint_url) as proxy:
            # botocore itself asks only once, so that what is left to us comes soon.
            config = Config(retries={"total_max_attempts": 1})
            options = {**s3_options, "endpoint_url": proxy.url, "client_config": config}
            storage = S3ThumbnailStorage(**options, thumbs=dict(IMAGE.storage.thumbs))
            for row in rows:
                with default_storage.open(row.image.name) as original:
                    storage.save(row.image.name, original)
            monkeypatch.setattr(IMAGE, "_given", storage)
            monkeypatch.setattr(regeneration, "_LONGEST_PAUSE", 0.05)
            yield partial(proxy.scripted, storage.bucket_name)

    @pytest.mark.parametrize("workers", [1, 3])
    def test_one_get_and_a_put_for_each_thumb(self, script, workers):
        requests = script(lambda request: None).requests
        assert [result.outcome for result in regenerated(workers=workers)] == [Outcome.GENERATED] * 3
        assert Counter(request.method for request in requests) == {"GET": 3, "PUT": 9}

    @pytest.mark.parametrize("fault", [SLOW_DOWN, ERROR, RESET], ids=str)
    def test_it_waits_where_s3_wants_to_be_asked_less(self, script, fault):
        done = script(lambda request: fault if request.number in (0, 2, 3, 7) else None)
        assert [result.outcome for result in regenerated(workers=2)] == [Outcome.GENERATED] * 3
        assert len(done.broken) == 4

    def test_but_not_for_ever(self, script, monkeypatch):
        monkeypatch.setattr(regeneration, "ATTEMPTS", 3)
        done = script(lambda request: SLOW_DOWN if request.path.endswith("/0.jpg") else None)
        first, *others = regenerated(workers=2)
        assert (first.outcome, [result.outcome for result in others]) == (Outcome.FAILED, [Outcome.GENERATED] * 2)
        assert "SlowDown" in first.reason
        assert len(done.broken) == 3

    def test_what_is_forbidden_is_not_tried_again(self, script):
        done = script(lambda request: FORBIDDEN if request.number == 0 else None)
        assert [result.outcome for result in regenerated()] == [Outcome.FAILED, *[Outcome.GENERATED] * 2]
        assert len(done.broken) == 1

    def test_to_stop_is_not_to_wait(self, script, monkeypatch):
        monkeypatch.setattr(regeneration, "_LONGEST_PAUSE", 1000.0)
        monkeypatch.setattr(regeneration.random, "uniform", lambda least, most: 1000.0)
        done = script(lambda request: SLOW_DOWN if request.path.endswith("/1.jpg") else None)
        results = regenerate(Product.objects.all(), IMAGE, workers=3)
        next(results)
        while not done.broken:
            time.sleep(0.01)
        results.close()  # if it waited, this test would take longer than any may


def test_a_fingerprint_is_that_of_thumbs_and_naming():
    def of(**options):
        field = Plain._meta.get_field("image").clone()
        field.storage = InMemoryThumbnailStorage(**options)
        return fingerprint(field)

    thumbs = {"a": {"size": (9, 9)}, "b": {"size": (8, 8)}}
    same = of(thumbs=thumbs)
    assert of(thumbs=dict(thumbs), location="elsewhere") == same
    others = [
        of(thumbs={"a": {"size": (9, 9)}}),
        of(thumbs={"a": {"size": (9, 9)}, "c": {"size": (8, 8)}}),
        of(thumbs={**thumbs, "b": {"size": (8, 7)}}),
        of(thumbs=thumbs, naming="athumb"),
    ]
    assert len({same, *others}) == 5
