"""Which rows are due, and what it costs to know."""

from __future__ import annotations

import os
import tempfile
import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import django
import pytest
from django.core.files.base import ContentFile
from django.db import connection, models
from django.test.utils import isolate_apps

from athumb_storage import Thumb
from athumb_storage.audit import due
from athumb_storage.fields import ImageWithThumbsField
from tests.conftest import upload
from tests.shop.models import Story
from tests.stock.models import Framed, Labelled, Numbered, Photo, Poster, Scan
from tests.stock.places import field_of, put, stored_in

pytestmark = pytest.mark.django_db(databases=["default", "other"])

IMAGE = field_of(Photo)


@pytest.fixture
def photos(make_storage):
    """A storage of photos, once of each kind."""
    with stored_in(make_storage(), IMAGE) as storage:
        yield storage


@pytest.fixture
def on_disk(make_on_disk):
    with stored_in(make_on_disk(), IMAGE) as storage:
        yield storage


def store(storage, *keys):
    for key in keys:
        storage._write_thumb(key, b"x", "image/jpeg", replace=True)


def thumbs_of(name):
    return [f"{name}.thumbs/small.jpg", f"{name}.thumbs/large.webp"]


def missing(field=IMAGE, **options):
    return list(due(field, missing=True, **options))


class TestMissing:
    def test_rows_that_lack_thumbs_by_their_keys(self, photos):
        pks = [Photo.objects.create(image=name).pk for name in ("d.jpg", "b.jpg", "a.jpg", "c.jpg")]
        store(photos, "a.jpg", "b.jpg", "c.jpg", "d.jpg", *thumbs_of("b.jpg"), thumbs_of("c.jpg")[0])
        assert missing() == [(pks[0], ["small", "large"]), (pks[2], ["small", "large"]), (pks[3], ["large"])]

    def test_of_the_rows_that_share_a_file_the_last(self, photos):
        pks = [Photo.objects.create(image=name).pk for name in ("a.jpg", "b.jpg", "a.jpg", "b.jpg", "./a.jpg")]
        store(photos, "a.jpg", "b.jpg")
        assert [pk for pk, _ in missing()] == [pks[3], pks[4]]

    def test_each_row_that_does_not_have_what_it_is_to_keep(self, make_in_memory):
        field = Story._meta.get_field("image")
        with stored_in(make_in_memory(), field):
            rows = [Story.objects.create(image=upload("a.jpg")) for _ in range(3)]
            name = rows[0].image.name
            Story.objects.update(image=name)
            assert missing(field) == []
            Story.objects.exclude(pk=rows[1].pk).update(width=None)
            assert missing(field) == [(rows[0].pk, []), (rows[2].pk, [])]
            field.storage.remove_files(list(field.storage.thumb_keys(name)["square"]))
            assert missing(field) == [(rows[0].pk, []), (rows[2].pk, ["square"])]
            counts = []
            assert len(missing(field, counted=counts.append)) == counts[0] == 2

    def test_only_some_thumbs(self, photos):
        pk = Photo.objects.create(image="a.jpg").pk
        store(photos, "a.jpg")
        assert missing(only=["large"]) == [(pk, ["large"])]
        store(photos, thumbs_of("a.jpg")[1])
        assert missing(only=["large"]) == []

    def test_only_some_rows(self, photos):
        rows = [Photo.objects.create(image=name) for name in ("a.jpg", "b.jpg")]
        store(photos, "a.jpg", "b.jpg")
        assert missing(rows=Photo.objects.filter(image="b.jpg")) == [(rows[1].pk, ["small", "large"])]
        assert missing(rows=Photo.objects.none()) == []

    def test_another_database(self, photos):
        store(photos, "a.jpg")
        pk = Photo.objects.using("other").create(image="a.jpg").pk
        assert missing(database="other") == [(pk, ["small", "large"])]
        assert missing(database="default") == missing() == []

    def test_one_of_several_files_of_a_thumb(self, make_storage):
        with stored_in(make_storage(), field_of(Poster)) as storage:
            pk = Poster.objects.create(image="a.jpg").pk
            store(storage, *(key for keys in field_of(Poster).storage.thumb_keys("a.jpg").values() for key in keys))
            storage.remove_files(["a.jpg.thumbs/wide@2x.webp"])
            assert missing(field_of(Poster)) == [(pk, ["wide"])]

    def test_names_without_thumbs_are_not_due(self, make_storage):
        with stored_in(make_storage(), field_of(Poster)):
            Poster.objects.create(image="a.pdf")
            assert missing(field_of(Poster)) == []

    def test_an_original_that_is_gone_lacks_all(self, photos):
        pk = Photo.objects.create(image="a.jpg").pk
        store(photos, *thumbs_of("a.jpg"))
        assert missing() == []
        photos.remove_files(thumbs_of("a.jpg"))
        assert missing() == [(pk, ["small", "large"])]

    def test_keys_that_cannot_be_told_back(self, make_storage):
        with stored_in(make_storage(naming="athumb"), field_of(Scan)) as storage:
            pks = [Scan.objects.create(image=name).pk for name in ("a.jpg", "b.jpg")]
            store(storage, "a.jpg", "b.jpg", "a_small.jpg")
            assert missing(field_of(Scan)) == [(pks[1], ["small"])]
            assert missing(field_of(Scan), rows=Scan.objects.filter(image="a.jpg")) == []

    def test_a_folder_that_there_cannot_be(self, on_disk):
        pk = Photo.objects.create(image="a\0/b.jpg").pk
        assert missing() == [(pk, ["small", "large"])]

    def test_hostile_names(self, photos):
        names = ["n\nl.jpg", "q'\"%00.jpg", "ü/日本.jpg", "../out.jpg", "a//b.jpg"]
        pks = [Photo.objects.create(image=name).pk for name in names]
        store(photos, *(key for name in [*names[:3], "a/b.jpg"] for key in [name, *thumbs_of(name)]))
        assert [pk for pk, _ in missing()] == [pks[3]]


class TestStale:
    def test_older_than_the_original(self, on_disk, tmp_path):
        pks = [Photo.objects.create(image=name).pk for name in ("a.jpg", "b.jpg")]
        for name in ("a.jpg", "b.jpg"):
            store(on_disk, name, *thumbs_of(name))
        os.utime(tmp_path / thumbs_of("b.jpg")[1], (1, 1))
        assert list(due(IMAGE, stale=True)) == [(pks[1], ["large"])]
        assert missing() == []
        on_disk.remove_files([thumbs_of("a.jpg")[0]])
        assert list(due(IMAGE, stale=True, missing=True)) == [(pks[0], ["small"]), (pks[1], ["large"])]

    def test_older_than_a_time(self, on_disk, tmp_path):
        pk = Photo.objects.create(image="a.jpg").pk
        store(on_disk, "a.jpg", *thumbs_of("a.jpg"))
        now = datetime.now(UTC)
        assert list(due(IMAGE, stale=True, since=now - timedelta(hours=1))) == []
        assert list(due(IMAGE, stale=True, since=now + timedelta(hours=1))) == [(pk, ["small", "large"])]
        assert list(due(IMAGE, stale=True, since=now + timedelta(hours=1), only=["small"])) == [(pk, ["small"])]

    def test_of_an_older_fingerprint(self, make_storage):
        fingerprint = Thumb(size=(20, 20)).fingerprint
        with stored_in(make_storage(naming="fingerprint"), IMAGE) as storage:
            pks = [Photo.objects.create(image=name).pk for name in ("a.jpg", "b.jpg", "c.jpg")]
            store(storage, *(f"{name}.thumbs/small.00000000.jpg" for name in ("a.jpg", "b.jpg")))
            store(storage, "a.jpg", "b.jpg", "c.jpg", f"b.jpg.thumbs/small.{fingerprint}.jpg")
            assert list(due(IMAGE, stale=True, since=datetime.now(UTC) + timedelta(hours=1))) == [(pks[0], ["small"])]

    def test_thumbs_that_did_not_wait_for_their_original(self, make_on_disk, tmp_path):
        class Unique(type(make_on_disk())):
            unique_names = True

        with stored_in(Unique(location=tmp_path), IMAGE) as storage:
            pk = Photo.objects.create(image="a.jpg").pk
            store(storage, "a.jpg", *thumbs_of("a.jpg"))
            small, large = (tmp_path / key for key in thumbs_of("a.jpg"))
            os.utime(small, (time.time() - 600,) * 2)
            os.utime(large, (time.time() - 7200,) * 2)
            assert list(due(IMAGE, stale=True)) == [(pk, ["large"])]


class TestPrimaryKeys:
    def test_uuids(self, make_in_memory):
        with stored_in(make_in_memory(), field_of(Numbered)):
            pks = sorted((Numbered.objects.create(image=f"{number}.jpg").pk for number in range(5)), key=str)
            assert [pk for pk, _ in missing(field_of(Numbered))] == pks
            assert isinstance(pks[0], uuid.UUID)

    def test_texts_in_the_order_of_the_database(self, make_in_memory, monkeypatch):
        monkeypatch.setattr("athumb_storage.audit.rows.PAGE", 2)
        codes = ["b", "A", "a2", "Z", "y", "B2", "c\n'"]
        with stored_in(make_in_memory(), field_of(Labelled)):
            for code in codes:
                Labelled.objects.create(code=code, image=f"{codes.index(code)}.jpg")
            assert [pk for pk, _ in missing(field_of(Labelled))] == ["A", "a2", "b", "B2", "c\n'", "y", "Z"]

    def test_derived_models(self, make_in_memory):
        with stored_in(make_in_memory(), IMAGE):
            Photo.objects.create(image="a.jpg")
            pk = Framed.objects.create(image="b.jpg").pk
            assert missing(field_of(Framed), rows=Framed.objects.all()) == [(pk, ["small", "large"])]

    @pytest.mark.skipif(django.VERSION < (5, 2), reason="there are none before Django 5.2")
    @isolate_apps("tests.stock")
    def test_composite_ones(self, make_in_memory, monkeypatch):
        class Page(models.Model):
            pk = models.CompositePrimaryKey("book", "number")
            book = models.CharField(max_length=10)
            number = models.IntegerField()
            image = ImageWithThumbsField(storage=make_in_memory(), thumbs={"small": {"size": (2, 2)}})

            class Meta:
                app_label = "stock"

        monkeypatch.setattr("athumb_storage.audit.rows.PAGE", 2)
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE stock_page (book text, number int, image text, PRIMARY KEY (book, number))")
        pks = [("b", 1), ("a", 2), ("a", 10), ("c", 0), ("a", 1)]
        for book, number in pks:
            Page.objects.create(book=book, number=number, image=f"{book}{number}.jpg")
        assert [pk for pk, _ in missing(field_of(Page))] == sorted(pks)


class TestCosts:
    def test_a_row_costs_a_request(self, make_s3, requests_sent):
        with stored_in(make_s3(), IMAGE) as storage:
            put(storage, ["a/b.jpg", "a/c.jpg", *thumbs_of("a/b.jpg")])
            rows = [Photo.objects.create(image=name) for name in ("a/b.jpg", "a/c.jpg")]
            requests_sent.clear()
            assert missing(rows=Photo.objects.filter(pk=rows[0].pk)) == []
            ((method, path),) = requests_sent
            assert (method, "prefix=a%2Fb.jpg&" in f"{path}&") == ("GET", True)
            requests_sent.clear()
            assert missing() == [(rows[1].pk, ["small", "large"])]
            assert len(requests_sent) == 1

    def test_nothing_is_asked_where_there_is_no_row(self, make_s3, requests_sent):
        with stored_in(make_s3(), IMAGE):
            assert missing() == []
        assert requests_sent == []

    def test_a_query_for_a_page_of_rows(self, photos, django_assert_num_queries):
        Photo.objects.bulk_create(Photo(image=f"{number}.jpg") for number in range(3000))
        with django_assert_num_queries(2):
            assert len(missing(only=["small"])) == 3000

    @pytest.mark.parametrize("is_read", [True, False])
    def test_the_temporary_file_is_gone(self, photos, tmp_path, monkeypatch, is_read):
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        Photo.objects.create(image="a.jpg")
        Photo.objects.create(image="b.jpg")
        found = due(IMAGE, missing=True)
        next(found)
        assert list(tmp_path.glob("athumb-audit-*"))
        list(found) if is_read else found.close()
        assert not list(tmp_path.glob("athumb-audit-*"))

    def test_the_temporary_file_is_gone_after_an_error(self, photos, tmp_path, monkeypatch):
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        Photo.objects.create(image="a.jpg")
        monkeypatch.setattr(type(photos), "list_files", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            missing()
        assert not list(Path(tmp_path).glob("athumb-audit-*"))


def test_as_a_storage_saves_them(photos):
    """What was saved is not due, whatever the storage."""
    row = Photo.objects.create(image=upload("cat.jpg"))
    assert list(due(IMAGE, missing=True, stale=True)) == []
    photos.delete_thumbs(row.image.name)
    photos.save("other.txt", ContentFile(b"text"))
    assert missing() == [(row.pk, ["small", "large"])]
