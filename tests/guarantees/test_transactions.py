"""`transactions.atomic`: uploads go when the rows go, and stay when they stay."""

from __future__ import annotations

import threading
from contextlib import contextmanager

import pytest
from django.contrib.auth.models import Permission
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import DatabaseError, IntegrityError, OperationalError, connections, transaction
from django.test import TestCase

from athumb_storage import UploadedImageIsUnreadableError
from athumb_storage.storages import InMemoryThumbnailStorage
from athumb_storage.transactions import atomic
from tests.conftest import content_of, image_in, stored, upload
from tests.shop.models import Product

both = pytest.mark.django_db(transaction=True, databases=["default", "other"])
ONE = {"small": {"size": (9, 9)}}


@pytest.fixture(autouse=True)
def fresh(settings):
    """A default storage of the test's own, in memory."""
    backend = {"BACKEND": "athumb_storage.storages.InMemoryThumbnailStorage"}
    settings.STORAGES = {**settings.STORAGES, "default": backend}


class Expected(Exception):
    """What a test itself raises."""


@contextmanager
def ends_in(error, **options):
    """Within, it comes to this error, which goes no further."""
    with pytest.raises(error, **options):
        yield


def create(name, using="default"):
    return Product.objects.using(using).create(name=name, image=upload(f"{name}.jpg"))


def kept(using="default"):
    """The names of the products in the database. Of each the original and all thumbs are stored, and nothing else."""
    names = sorted(Product.objects.using(using).values_list("name", flat=True))
    files = stored(default_storage)
    assert len(files) == 4 * len(names)
    assert [name for name in files if name.endswith(".jpg") and ".thumbs/" not in name] == [
        f"products/{name}.jpg" for name in names
    ]
    return names


def originals(storage=default_storage):
    return [name for name in stored(storage) if ".thumbs/" not in name]


def break_the_commit(monkeypatch, error):
    """The commit is refused or gets no answer."""

    def fails():
        raise error

    monkeypatch.setattr(connections["default"], "commit", fails)


def refer_to_nothing():
    """A row that the database refuses, but not before the commit."""
    Permission.objects.create(name="x", codename="x", content_type_id=987_654)


# One block


@both
def test_what_was_saved_is_kept_with_its_row():
    with atomic():
        create("cat")
        create("dog")
        assert kept() == ["cat", "dog"]
    assert kept() == ["cat", "dog"]


@both
@pytest.mark.parametrize("error", [Expected, KeyboardInterrupt, SystemExit, IntegrityError])
def test_what_was_saved_goes_with_its_row(error):
    create("before")
    with ends_in(error), atomic():
        create("cat")
        create("dog")
        assert kept() == ["before", "cat", "dog"]
        raise error
    assert kept() == ["before"]
    create("after")
    assert kept() == ["after", "before"]


@both
def test_what_was_rolled_back_is_gone_from_every_storage(make_storage):
    storage = make_storage(thumbs=ONE)
    storage.save("before.jpg", upload())
    before = stored(storage)
    with atomic():
        storage.save("kept.jpg", upload())
    with ends_in(Expected), atomic():
        for name, data in (("cat.jpg", None), ("cat.jpg", None), ("note.txt", b"text"), ("before.jpg", None)):
            storage.save(name, upload(data=data))
        storage.with_thumbs({"large": {"size": (20, 20)}}).save("bound.jpg", upload())
        assert len(originals(storage)) == 7
        raise Expected
    assert stored(storage) == sorted([*before, "kept.jpg", "kept.jpg.thumbs/small.jpg"])


@both
def test_a_rollback_that_is_asked_for():
    with atomic():
        create("cat")
        transaction.set_rollback(True)
    assert kept() == []


@both
def test_an_error_of_the_database_in_between():
    with ends_in(IntegrityError), atomic():
        create("cat")
        Product.objects.create(pk=Product.objects.get().pk)
    assert kept() == []


@both
def test_a_constraint_that_is_checked_at_the_commit():
    with ends_in(IntegrityError), atomic():
        create("cat")
        refer_to_nothing()
        assert kept() == ["cat"]
    assert kept() == []


@both
@pytest.mark.parametrize("error", [IntegrityError, RuntimeError, DatabaseError])
def test_what_is_done_after_the_commit_may_fail(error):
    def fails():
        raise error("after the commit")

    with ends_in(error, match="after the commit"), atomic():
        create("cat")
        transaction.on_commit(fails)
        create("dog")
    assert kept() == ["cat", "dog"]


@both
def test_a_commit_without_an_answer_keeps_the_files_and_tells(monkeypatch, caplog):
    with monkeypatch.context() as patch:
        break_the_commit(patch, OperationalError("server closed the connection"))
        with ends_in(OperationalError), atomic():
            create("cat")
    assert originals() == ["products/cat.jpg"]
    assert [(record.name, record.levelname) for record in caplog.records] == [("athumb_storage", "ERROR")]
    assert "products/cat.jpg" in caplog.text


@both
def test_a_refused_commit_is_told_by_nothing_but_its_error(monkeypatch, caplog):
    with monkeypatch.context() as patch:
        break_the_commit(patch, IntegrityError("no"))
        with ends_in(IntegrityError), atomic():
            create("cat")
    assert kept() == []
    assert caplog.records == []


@both
def test_a_block_has_to_be_the_outermost():
    with transaction.atomic():
        with pytest.raises(RuntimeError, match="durable"), atomic():
            pytest.fail("it was entered")
        create("cat")
    with atomic(), pytest.raises(RuntimeError, match="durable"), transaction.atomic(durable=True):
        pytest.fail("it was entered")
    assert kept() == ["cat"]


@both
def test_another_transaction_may_be_within():
    with atomic(), transaction.atomic():
        create("cat")
    with ends_in(Expected), atomic():
        with transaction.atomic():
            create("dog")
        raise Expected
    assert kept() == ["cat"]


@both
def test_a_deletion_that_fails_is_logged_and_stops_no_other(caplog):
    class Stubborn(InMemoryThumbnailStorage):
        def _remove(self, keys):
            if "cat.jpg" in keys:
                raise OSError("the disk is gone")
            super()._remove(keys)

    storage = Stubborn()
    with ends_in(Expected), atomic():
        for name in ("first.jpg", "cat.jpg", "last.jpg"):
            storage.save(name, upload())
        raise Expected
    assert stored(storage) == ["cat.jpg"]
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("athumb_storage", "ERROR")
    assert record.getMessage().endswith(" cat.jpg")
    assert "the disk is gone" in caplog.text


@both
def test_what_replaced_a_file_is_left(make_s3):
    storage = make_s3(thumbs=ONE, file_overwrite=True)
    storage.save("cat.txt", upload(data=b"before"))
    with ends_in(Expected), atomic():
        storage.save("cat.txt", upload(data=b"after"))
        raise Expected
    assert content_of(storage, "cat.txt") == b"after"


@both
def test_what_was_refused_was_never_there():
    with ends_in(UploadedImageIsUnreadableError), atomic():
        create("cat")
        Product.objects.create(name="dog", image=upload(data=b"no image"))
    assert kept() == []
    with atomic():
        create("cat")
        with pytest.raises(UploadedImageIsUnreadableError):
            default_storage.with_thumbs({}, images_only=True).save("dog.jpg", upload(data=b"no image"))
    assert kept() == ["cat"]


@both
def test_a_model_that_was_not_saved_spoils_the_transaction():
    """Django rolls it back at its end, though nothing is raised there."""
    with atomic():
        create("cat")
        with pytest.raises(UploadedImageIsUnreadableError):
            Product.objects.create(name="dog", image=upload(data=b"no image"))
    assert kept() == []


# Blocks within blocks


@both
def test_the_inner_block_is_rolled_back_alone():
    with atomic():
        create("before")
        with ends_in(Expected), atomic():
            create("inner")
            raise Expected
        assert kept() == ["before"]
        create("after")
    assert kept() == ["after", "before"]


@both
def test_the_inner_block_is_rolled_back_by_request():
    with atomic():
        create("outer")
        with atomic():
            create("inner")
            transaction.set_rollback(True)
        assert kept() == ["outer"]
    assert kept() == ["outer"]


@both
@pytest.mark.parametrize("depth", [1, 2, 5])
def test_the_outer_block_takes_all_with_it(depth):
    def nest(level):
        with atomic():
            create(f"level{level}")
            if level:
                nest(level - 1)

    with ends_in(Expected), atomic():
        nest(depth)
        assert len(kept()) == depth + 1
        raise Expected
    assert kept() == []
    nest(depth)
    assert len(kept()) == depth + 1


@both
def test_the_outer_commit_is_refused():
    with ends_in(IntegrityError), atomic():
        with atomic():
            create("inner")
            refer_to_nothing()
        create("outer")
    assert kept() == []


# Databases


@both
def test_another_database():
    with ends_in(Expected), atomic("other"):
        create("cat", using="other")
        raise Expected
    assert kept("other") == []
    with atomic(using="other"):
        create("dog", using="other")
    assert kept("other") == ["dog"]


@both
def test_two_databases_have_a_transaction_each():
    with ends_in(Expected), atomic():
        with atomic("other"):
            create("committed", using="other")
        create("lost")
        raise Expected
    assert kept("other") == ["committed"]
    assert not Product.objects.exists()
    with atomic():
        create("kept")
        with ends_in(Expected), atomic("other"):
            create("lost", using="other")
            raise Expected
    assert list(Product.objects.values_list("name", flat=True)) == ["kept"]
    assert list(Product.objects.using("other").values_list("name", flat=True)) == ["committed"]
    assert originals() == ["products/committed.jpg", "products/kept.jpg"]


@both
@pytest.mark.parametrize("fails", [True, False])
def test_a_block_of_the_same_database_further_out(fails):
    with ends_in(Expected), atomic():
        create("outer")
        with atomic("other"), atomic():
            create("inner")
        if fails:
            raise Expected
        with atomic("other"), atomic():
            raise Expected
    assert kept() == []


# As a decorator, in tests, and in threads


@both
@pytest.mark.parametrize("decorate", [atomic, atomic(), atomic("other"), atomic(using="other")])
def test_as_a_decorator(decorate):
    @decorate
    def view(name, *, fails=False):
        """What it does."""
        default_storage.save(name, upload())
        if fails:
            raise Expected
        return name

    assert view.__doc__ == "What it does."
    assert [view("cat.jpg"), view(name="dog.jpg")] == ["cat.jpg", "dog.jpg"]
    for name in ("lost.jpg", "lost as well.jpg"):
        with pytest.raises(Expected):
            view(name, fails=True)
    assert originals() == ["cat.jpg", "dog.jpg"]


class InsideATestCase(TestCase):
    databases = ["default", "other"]

    def test_what_was_saved_is_kept(self):
        with atomic():
            create("cat")
        assert kept() == ["cat"]

    def test_what_was_saved_goes(self):
        with ends_in(Expected), atomic():
            create("cat")
            raise Expected
        assert kept() == []

    def test_callbacks_are_run(self):
        called = []
        with self.captureOnCommitCallbacks(execute=True), atomic():
            create("cat")
            transaction.on_commit(lambda: called.append(1))
        assert called == [1]
        assert kept() == ["cat"]


def close_connections():
    """Those of this thread. Django's own `close()` leaves a database in memory open."""
    for connection in connections.all(initialized_only=True):
        if connection.connection is not None:
            connection.connection.close()


@both
def test_what_another_thread_saves_is_its_own():
    storage = InMemoryThumbnailStorage(thumbs=ONE)
    entered, failed = threading.Barrier(2, timeout=20), threading.Event()

    def fails():
        with ends_in(Expected), atomic():
            storage.save("lost.jpg", upload())
            entered.wait()
            raise Expected
        failed.set()
        close_connections()

    def succeeds():
        with atomic():
            storage.save("kept.jpg", upload())
            entered.wait()
            assert failed.wait(20)
            storage.save("kept too.jpg", upload())
        close_connections()

    threads = [threading.Thread(target=target) for target in (fails, succeeds)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert originals(storage) == ["kept too.jpg", "kept.jpg"]


@both
def test_a_thread_that_is_started_within_is_not_part_of_it():
    storage = InMemoryThumbnailStorage()
    with ends_in(Expected), atomic():
        thread = threading.Thread(target=storage.save, args=("kept.jpg", upload()))
        thread.start()
        thread.join(30)
        raise Expected
    assert stored(storage) == ["kept.jpg"]


def test_without_a_block_nothing_is_remembered():
    from athumb_storage.storages.journal import kept_journals

    default_storage.save("cat.jpg", upload())
    assert kept_journals.get() is None


@both
def test_what_is_rolled_back_takes_no_file_with_it_that_looks_like_its_thumb(make_storage):
    storage = make_storage(thumbs=ONE, naming="athumb")
    (thumb_name,) = ONE
    storage.save(f"notes_{thumb_name}.txt", ContentFile(b"somebody's"))
    with ends_in(Expected), atomic():
        storage.save("notes.txt", ContentFile(b"words"))
        raise Expected
    assert stored(storage) == [f"notes_{thumb_name}.txt"]


@both
def test_what_was_deleted_within_is_somebody_elses_from_then_on(make_storage):
    storage = make_storage(thumbs=ONE)
    with ends_in(Expected), atomic():
        with atomic():
            storage.delete(storage.save("cat.jpg", upload()))
        thread = threading.Thread(target=storage.save, args=("cat.jpg", upload(color="blue")))
        thread.start()
        thread.join()
        raise Expected
    assert image_in(storage, "cat.jpg").getpixel((5, 5))[2] > 200
    assert len(stored(storage)) == 2
