"""Runs are started, stopped and taken up again."""

from __future__ import annotations

import pytest
from django.db import transaction

from athumb_storage import ThumbSet
from athumb_storage.distributed import runs
from athumb_storage.distributed.errors import RunError
from athumb_storage.distributed.models import Range, Run
from tests.conftest import upload
from tests.shop.models import Product
from tests.unit.distributed.conftest import IMAGE, has_thumbs

pytestmark = pytest.mark.django_db


def products(count):
    return [Product.objects.create(image="x.jpg") for _ in range(count)]


class TestStart:
    def test_what_is_written_down(self, start):
        pks = [product.pk for product in products(3)]
        run = Run.objects.get(pk=start(None, IMAGE, ["large"]).pk)
        assert (run.model, run.field, run.database, run.only) == ("shop.Product", "image", "default", ["large"])
        assert (run.backend, run.queue, run.state) == ("default", "default", "underway")
        assert list(run.ranges.order_by("pk").values_list("cursor", "end", "rows")) == [
            (None, str(pks[1]), 2),
            (str(pks[1]), str(pks[2]), 1),
        ]

    def test_as_many_tasks_as_ranges(self, start, queue):
        products(5)
        run = start()
        assert [list(args) for args in queue.args] == [[run.pk, "default", "default"]] * 3

    def test_at_most_sixteen(self, start, queue):
        products(40)
        start()
        assert len(queue.tasks) == 16

    def test_as_many_as_one_says(self, start, queue):
        products(3)
        start(tasks=7)
        assert len(queue.tasks) == 7

    def test_backend_and_queue(self, start):
        run = start(backend="thumbs")
        assert (run.backend, run.queue) == ("thumbs", "quick"), "there is no queue `default`"
        assert start(backend="thumbs", queue="slow").queue == "slow"

    def test_an_unknown_backend(self, start):
        with pytest.raises(RunError, match="no task backend 'elsewhere'"):
            start(backend="elsewhere")
        assert not Run.objects.exists()

    def test_an_unknown_queue(self, start):
        with pytest.raises(RunError, match=r"'thumbs' has no queue 'fast', but 'quick', 'slow'\."):
            start(backend="thumbs", queue="fast")
        assert not Run.objects.exists()

    def test_nothing_is_enqueued_before_the_commit(self, queue, django_capture_on_commit_callbacks):
        products(1)
        with django_capture_on_commit_callbacks() as callbacks:
            runs.start(Product.objects.all(), IMAGE)
        assert queue.tasks == []
        for callback in callbacks:
            callback()
        assert len(queue.tasks) == 1


@pytest.mark.django_db(transaction=True)
class TestTransactions:
    def test_of_one_that_is_rolled_back_nothing_is_enqueued(self, queue):
        products(1)
        with transaction.atomic():
            runs.start(Product.objects.all(), IMAGE)
            assert queue.tasks == []
            transaction.set_rollback(True)
        assert queue.tasks == []
        assert not Run.objects.exists()

    def test_without_one_the_tasks_find_the_run(self, queue):
        products(1)
        run = runs.start(Product.objects.all(), IMAGE)
        assert [list(args) for args in queue.args] == [[run.pk, "default", "default"]]

    @pytest.mark.usefixtures("at_once")
    def test_at_once_means_after_the_commit(self):
        product = Product.objects.create(image=upload())
        IMAGE.storage.delete_thumbs(product.image.name)
        with transaction.atomic():
            runs.start(Product.objects.all(), IMAGE)
            assert not has_thumbs(product)
        assert has_thumbs(product)


class TestCancel:
    def test_leases_end(self, start):
        products(3)
        run = start()
        Range.objects.update(owner="somebody", lease="2100-01-01T00:00Z")
        assert runs.cancel(run.pk).state == "cancelled"
        assert set(run.ranges.values_list("owner", "lease")) == {("", None)}

    def test_a_finished_run_stays_so(self, start):
        run = start()
        Run.objects.update(state="finished")
        assert runs.cancel(run.pk).state == "finished"

    def test_no_such_run(self):
        with pytest.raises(RunError, match=r"There is no run 17\."):
            runs.cancel(17)


class TestResume:
    def test_its_tasks_are_enqueued_again(self, start, queue, committed):
        products(5)
        run = start()
        Range.objects.filter(pk=run.ranges.first().pk).update(finished=True)
        queue.clear()
        committed(runs.resume, run.pk)
        assert len(queue.tasks) == 2
        committed(runs.resume, run.pk, 5)
        assert len(queue.tasks) == 7

    def test_one_that_was_cancelled(self, start, queue, committed):
        products(1)
        run = start()
        runs.cancel(run.pk)
        queue.clear()
        assert committed(runs.resume, run.pk).state == "underway"
        assert len(queue.tasks) == 1

    def test_not_one_that_is_finished(self, start, committed):
        run = start()
        Run.objects.update(state="finished")
        with pytest.raises(RunError, match="is finished"):
            committed(runs.resume, run.pk)

    def test_not_one_for_other_thumbs(self, start, committed, monkeypatch):
        run = start()
        runs.cancel(run.pk)
        monkeypatch.setattr(IMAGE, "thumbs", ThumbSet({"other": {"size": (9, 9)}}))
        monkeypatch.setattr(IMAGE, "_bound", None)
        with pytest.raises(RunError, match="for other thumbs than the code here has: start a new one"):
            committed(runs.resume, run.pk)
        run.refresh_from_db()
        assert run.state == "cancelled"


class TestDatabases:
    @pytest.mark.django_db(databases=["default", "other"])
    @pytest.mark.usefixtures("at_once")
    def test_rows_in_another_one_than_the_run(self, start):
        here, there = Product(image=upload("here.jpg")), Product(image=upload("there.jpg"))
        here.save()
        there.save(using="other")
        for product in (here, there):
            IMAGE.storage.delete_thumbs(product.image.name)
        run = start(Product.objects.using("other"))
        assert (has_thumbs(here), has_thumbs(there)) == (False, True)
        run.refresh_from_db()
        assert (run.database, run.state, run._state.db) == ("other", "finished", "default")

    @pytest.mark.django_db(databases=["default", "other"])
    @pytest.mark.usefixtures("of_two_rows")
    def test_the_run_where_a_router_puts_it(self, settings, queue, django_capture_on_commit_callbacks):
        settings.DATABASE_ROUTERS = [f"{__name__}.Router"]
        products(5)
        with django_capture_on_commit_callbacks(using="other", execute=True):
            run = runs.start(Product.objects.using("default"), IMAGE)
        assert run._state.db == "other"
        assert (Run.objects.using("other").count(), Run.objects.using("default").count()) == (1, 0)
        assert Range.objects.using("other").count() == len(queue.tasks) == 3

    @pytest.mark.django_db(databases=["default", "other"])
    def test_rows_where_they_can_be_written(self, settings, committed):
        settings.DATABASE_ROUTERS = [f"{__name__}.Replica"]
        products(1)
        assert committed(runs.start, Product.objects.all(), IMAGE).database == "default"


class Replica:
    """`other` is a copy, which comes late."""

    def db_for_write(self, model, **hints):
        return "default"

    def db_for_read(self, model, **hints):
        return "other"


class Router:
    """Runs are written to `other`; what is read from `default` would be late."""

    def db_for_write(self, model, **hints):
        return "other" if model._meta.app_label == "athumb_storage_distributed" else "default"

    def db_for_read(self, model, **hints):
        return "default"
