"""Runs are started, stopped and taken up again."""

from __future__ import annotations

import pytest
from django.db import connection, transaction
from django.db.models import Sum

from athumb_storage import ThumbSet
from athumb_storage.distributed import runs
from athumb_storage.distributed.errors import RunError
from athumb_storage.distributed.models import Failure, Range, Run
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


class TestBrokerIsOutOfReach:
    def test_the_run_is_kept_and_its_error_names_the_way_on(self, start, queue, closed_broker, committed):
        products(3)
        closed_broker(times=1)
        with pytest.raises(RunError) as raised:
            start()
        run = Run.objects.get()
        assert str(raised.value) == (
            f"Run {run} has 0 of its 2 tasks, for the task engine takes none (ConnectionError: no broker is there)."
            f" When it does: manage.py athumb_runs --resume {run.pk}"
        )
        assert (run.state, run.ranges.count()) == ("underway", 2)
        committed(runs.resume, run.pk)
        assert len(queue.tasks) == 2

    def test_in_the_middle(self, start, queue, closed_broker):
        products(5)
        closed_broker(after=2)
        with pytest.raises(RunError, match="has 2 of its 3 tasks"):
            start()
        assert len(queue.tasks) == 2

    def test_when_a_run_is_taken_up_again(self, start, closed_broker, committed):
        products(1)
        run = start()
        runs.cancel(run.pk)
        closed_broker()
        with pytest.raises(RunError, match=f"has 0 of its 1 tasks.*--resume {run.pk}"):
            committed(runs.resume, run.pk)


@pytest.mark.django_db(transaction=True)
class TestListed:
    """What is due is told by a listing of a bucket, which takes long."""

    def test_nobody_waits_for_it(self):
        (product,) = products(1)
        writes = []

        def listed():
            writes.append(connection.in_atomic_block)
            yield product.pk, ["large"]

        run = runs.start(Product.objects.all(), IMAGE, listed=listed())
        assert writes == [False], "nothing is written before the first row is known"
        assert run.ranges.get().listed == [str(product.pk)]

    @pytest.mark.usefixtures("of_two_rows")
    @pytest.mark.parametrize("count", [0, 3])
    def test_where_it_fails_nothing_is_left(self, queue, count):
        def listed():
            yield from ((product.pk, None) for product in products(count))
            raise OSError

        with pytest.raises(OSError):
            runs.start(Product.objects.all(), IMAGE, listed=listed())
        assert not Run.objects.exists()
        assert not Range.objects.exists()
        assert queue.tasks == []


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

    def test_not_one_whose_backend_is_gone(self, start, committed):
        run = start()
        runs.cancel(run.pk)
        Run.objects.update(backend="gone")
        with pytest.raises(RunError, match="no task backend 'gone'"):
            committed(runs.resume, run.pk)
        run.refresh_from_db()
        assert run.state == "cancelled"

    def test_not_one_for_other_thumbs(self, start, committed, monkeypatch):
        run = start()
        runs.cancel(run.pk)
        monkeypatch.setattr(IMAGE, "thumbs", ThumbSet({"other": {"size": (9, 9)}}))
        monkeypatch.setattr(IMAGE, "_bound", None)
        with pytest.raises(RunError, match="for other thumbs than the code here has: start a new one"):
            committed(runs.resume, run.pk)
        run.refresh_from_db()
        assert run.state == "cancelled"


class TestFailures:
    """Rows that failed are done again."""

    @pytest.fixture
    def work(self, committed):
        def worked(run, times=4):
            from athumb_storage.distributed.tasks import work

            for _ in range(times):
                committed(work.func, run.pk, "default", "default")
            run.refresh_from_db()
            return run.ranges.aggregate(*(Sum(name) for name in ("rows", "done", "generated", "failed"))).values()

        return worked

    def test_exactly_those(self, without_thumbs, start, work, failing, monkeypatch, committed, queue):
        rows = without_thumbs(5)
        run = start()
        failing(PermissionError("403"), rows[0], rows[3])
        assert [*work(run)] == [5, 5, 3, 2]
        assert run.state == "finished"
        monkeypatch.undo()
        for row in rows:
            IMAGE.storage.delete_thumbs(row.image.name)
        queue.clear()
        assert committed(runs.resume, run.pk).state == "underway"
        assert len(queue.tasks) == 1
        assert not run.failures.exists()
        assert [*work(run)] == [5, 5, 5, 0]
        assert run.state == "finished"
        assert [has_thumbs(row) for row in rows] == [True, False, False, True, False]
        with pytest.raises(RunError, match="is finished, and no row failed"):
            committed(runs.resume, run.pk)

    def test_what_fails_again_is_noted_again(self, without_thumbs, start, work, failing, committed):
        without_thumbs(2)
        run = start()
        failing(PermissionError("403"))
        work(run)
        committed(runs.resume, run.pk)
        assert [*work(run)] == [2, 2, 0, 2]
        assert run.failures.count() == 2

    def test_with_the_thumbs_that_were_wanted_of_them(self, without_thumbs, start, work, failing, committed):
        first, second = without_thumbs(2)
        run = start(None, IMAGE, listed=[(first.pk, ["large"]), (second.pk, ["60x60"])])
        failing(PermissionError("403"))
        work(run)
        committed(runs.resume, run.pk)
        left = run.ranges.filter(finished=False).order_by("pk").values_list("listed", "only", "rows")
        assert [*left] == [([str(first.pk)], ["large"], 1), ([str(second.pk)], ["60x60"], 1)]

    def test_of_a_run_that_was_cancelled(self, without_thumbs, start, work, failing, committed, monkeypatch):
        rows = without_thumbs(4)
        run = start()
        failing(PermissionError("403"))
        work(run, times=1)
        runs.cancel(run.pk)
        monkeypatch.undo()
        committed(runs.resume, run.pk)
        assert [*work(run)] == [4, 4, 4, 0]
        assert all(map(has_thumbs, rows))

    def test_more_rows_than_there_were(self, without_thumbs, start, work, failing, committed):
        """Some were added between two primary keys of the range."""
        first, *_, last = products(4)
        Product.objects.exclude(pk__in=[first.pk, last.pk]).delete()
        run = start()
        for pk in range(first.pk + 1, last.pk):
            Product.objects.create(pk=pk, image="x.jpg")
        failing(PermissionError("403"))
        assert [*work(run)] == [2, 4, 0, 1], "they share a file"
        Range.objects.update(done=4, failed=4)
        part = run.ranges.get()
        run.failures.all().delete()
        Failure.objects.bulk_create(
            Failure(run=run, part=part, row=str(pk), name="x.jpg") for pk in range(first.pk, last.pk + 1)
        )
        committed(runs.resume, run.pk)
        part.refresh_from_db()
        assert (part.rows, part.done, part.failed) == (0, 0, 0)

    def test_those_that_are_not_kept_stay_counted(self, without_thumbs, start, work, failing, committed, monkeypatch):
        without_thumbs(2)
        monkeypatch.setattr(Failure, "MAX_KEPT", 1)
        run = start()
        failing(PermissionError("403"))
        work(run)
        committed(runs.resume, run.pk)
        assert [*run.ranges.order_by("pk").values_list("rows", "done", "failed")] == [(1, 1, 1), (1, 0, 0)]


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
