"""What a task does with a run: one range, whoever dies at it, and then the next task."""

from __future__ import annotations

import time
from contextlib import suppress
from itertools import count

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import InterfaceError, OperationalError, connection, connections, models, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from athumb_storage import ThumbSet
from athumb_storage.distributed import engines, leases, runs, working
from athumb_storage.distributed.models import Range, Run
from athumb_storage.regeneration import Outcome, Result, fingerprint
from tests.conftest import upload
from tests.shop.models import Book, Label, Plain, Product, SaleProduct, Scan
from tests.unit.distributed.conftest import IMAGE, IMMEDIATE, has_thumbs, let_leases_end

pytestmark = pytest.mark.django_db


@pytest.fixture
def work(committed):
    """Does what a worker does with one task."""

    def worked(run):
        from athumb_storage.distributed.tasks import work

        committed(work.func, run.pk, "default", "default")

    return worked


@pytest.fixture
def deaths(monkeypatch):
    """The rows at which a worker dies, as if by kill -9: nothing of it is heard any more."""
    deadly, tried = set(), []
    regenerate = working.regenerate

    def dying(rows, *arguments, **options):
        for result in regenerate(rows, *arguments, **options):
            tried.append((result.pk, options.get("workers")))
            if result.pk in deadly:
                raise Killed
            yield result

    class Killed(BaseException):
        pass

    def not_heard(part):
        pass

    monkeypatch.setattr(working, "regenerate", dying)
    monkeypatch.setattr(leases, "give_back", not_heard)
    dying.deadly, dying.tried, dying.Killed = deadly, tried, Killed
    return dying


def work_until_finished(run, work, deaths=None, most=50):
    """How many workers died."""
    died = 0
    for _ in range(most):
        try:
            work(run)
        except BaseException as error:
            if deaths is None or not isinstance(error, deaths.Killed):
                raise
            died += 1
            let_leases_end()
        run.refresh_from_db()
        if run.state == Run.State.FINISHED:
            return died
    raise AssertionError("it comes to no end")


class TestOneTask:
    def test_does_one_range_and_hands_on(self, without_thumbs, start, work, queue):
        products = without_thumbs(3)
        run = start(tasks=1)
        queue.clear()
        work(run)
        assert [has_thumbs(product) for product in products] == [True, True, False]
        assert [list(args) for args in queue.args] == [[run.pk, "default", "default"]]
        (task,) = queue.tasks
        assert task.task.run_after is None

    def test_the_last_one_ends_the_run(self, without_thumbs, start, work, queue):
        products = without_thumbs(3)
        run = start(tasks=1)
        work(run)
        queue.clear()
        work(run)
        assert all(map(has_thumbs, products))
        run.refresh_from_db()
        assert run.state == "finished"
        assert queue.tasks == []
        work(run)
        assert queue.tasks == []

    def test_where_all_is_taken_it_comes_back_when_the_first_lease_ends(
        self, without_thumbs, start, work, queue, settings
    ):
        settings.ATHUMB_LEASE_SECONDS = 50
        without_thumbs(1)
        run = start(tasks=1)
        leases.claim(run)
        queue.clear()
        work(run)
        (task,) = queue.tasks
        assert 40 < (task.task.run_after - timezone.now()).total_seconds() <= 50

    def test_a_run_that_is_gone(self, work, queue):
        work(Run(pk=17))
        assert queue.tasks == []

    def test_results_are_counted(self, start, work):
        default_storage.save("products/text.jpg", ContentFile(b"no image at all"))
        Product.objects.create(image="products/text.jpg")
        Product.objects.create()
        Product.objects.create(image=upload("good.jpg"))
        run = start()
        work_until_finished(run, work)
        counts = list(run.ranges.order_by("pk").values_list("done", "generated", "failed"))
        assert counts == [(2, 0, 1), (1, 1, 0)]
        failure = run.failures.get()
        assert failure.name == "products/text.jpg"
        assert "UploadedImageIsUnreadableError" in failure.reason

    def test_only_the_thumbs_asked_for(self, without_thumbs, start, work):
        (product,) = without_thumbs()
        work(start(None, IMAGE, ["large"]))
        assert default_storage.listdir(f"{product.image.name}.thumbs")[1] == ["large.webp"]

    def test_of_rows_that_are_listed_those_listed(self, without_thumbs, start, work):
        products = without_thumbs(3)
        listed = [(products[0].pk, ["large"]), (products[2].pk, None)]
        work_until_finished(start(None, IMAGE, ["60x60"], listed=listed), work)
        stored = [default_storage.listdir(f"{product.image.name}.thumbs")[1] for product in (products[0], products[2])]
        assert stored == [["large.webp"], ["60x60.jpg"]]
        with pytest.raises(FileNotFoundError):
            default_storage.listdir(f"{products[1].image.name}.thumbs")

    def test_of_rows_that_are_chosen_those(self, without_thumbs, start, work):
        (wanted,), (other,) = without_thumbs(name="yes"), without_thumbs(name="no")
        work_until_finished(start(Product.objects.filter(name="yes")), work)
        assert (has_thumbs(wanted), has_thumbs(other)) == (True, False)

    @pytest.mark.parametrize("model", [Label, Scan, Book, SaleProduct])
    def test_every_kind_of_model(self, start, work, model):
        codes = [{"code": code} for code in ("a\nb", "%", "ä'\"")] if model is Label else [{}, {}, {}]
        rows = [model.objects.create(image=upload(f"{number}.jpg"), **code) for number, code in enumerate(codes)]
        for row in rows:
            default_storage.delete_thumbs(row.image.name)
        work_until_finished(start(model.objects.all(), model._meta.get_field("image")), work)
        assert all(map(has_thumbs, rows))

    def test_a_plain_field_on_a_storage_with_thumbs(self, start, work):
        plain = Plain.objects.create(file=upload())
        plain.file.storage.delete_thumbs(plain.file.name)
        work(start(Plain.objects.all(), Plain._meta.get_field("file")))
        assert plain.file.storage.exists(plain.file.storage.thumb_key(plain.file.name, "cover"))

    def test_rows_that_are_deleted_or_added_meanwhile(self, without_thumbs, start, work):
        products = without_thumbs(4)
        run = start()
        products[0].delete()
        products[1].delete()
        products[3].delete()
        Product.objects.create(image="products/new.jpg")
        work_until_finished(run, work)
        assert has_thumbs(products[2])
        assert list(run.ranges.order_by("pk").values_list("done", flat=True)) == [0, 1]

    def test_no_rows(self, start, work):
        run = start()
        work(run)
        run.refresh_from_db()
        assert run.state == "finished"


class TestLeaseIsLost:
    def test_to_another_worker(self, without_thumbs, start, work, monkeypatch):
        products = without_thumbs(2)
        run = start()
        regenerate, closed = working.regenerate, []

        def slow(*arguments, **options):
            try:
                for result in regenerate(*arguments, **options):
                    Range.objects.update(owner="somebody else")
                    yield result
            finally:
                closed.append(True)

        monkeypatch.setattr(working, "regenerate", slow)
        work(run)
        assert [has_thumbs(product) for product in products] == [True, False]
        assert closed == [True]
        part = run.ranges.get()
        assert (part.cursor, part.done, part.owner, part.finished) == (None, 0, "somebody else", False)

    def test_to_who_cancels_the_run(self, without_thumbs, start, work, monkeypatch, queue):
        products = without_thumbs(2)
        run = start()
        queue.clear()
        regenerate = working.regenerate

        def cancelled(*arguments, **options):
            for result in regenerate(*arguments, **options):
                yield result
                runs.cancel(run.pk)

        monkeypatch.setattr(working, "regenerate", cancelled)
        work(run)
        monkeypatch.undo()
        work(run)
        assert [has_thumbs(product) for product in products] == [True, True], "the second was under way"
        assert [(part.done, part.owner, part.lease) for part in run.ranges.all()] == [(1, "", None)]
        run.refresh_from_db()
        assert run.state == "cancelled"


class TestWorkersThatDie:
    def test_somebody_else_goes_on_where_it_was(self, without_thumbs, start, work, deaths):
        first, second = without_thumbs(2)
        run = start()
        deaths.deadly.add(second.pk)
        with pytest.raises(deaths.Killed):
            work(run)
        deaths.deadly.clear()
        let_leases_end()
        work(run)
        assert [pk for pk, _ in deaths.tried] == [first.pk, second.pk, second.pk]
        part = run.ranges.get()
        assert (part.done, part.generated, part.finished) == (2, 2, True)

    def test_a_row_that_ends_each_worker_is_passed_over(self, without_thumbs, start, work, deaths, caplog):
        products = without_thumbs(4)
        run = start()
        deaths.deadly.add(products[1].pk)
        assert work_until_finished(run, work, deaths) == 1 + working.TRIES + working.TRIES_ALONE
        failure = run.failures.get()
        assert (failure.row, failure.name) == (str(products[1].pk), products[1].image.name)
        assert failure.reason == "ended its worker 2 times when it was alone"
        assert list(run.ranges.order_by("pk").values_list("done", "failed")) == [(2, 1), (2, 0)]
        assert [record.levelname for record in caplog.records if "Passed over" in record.message] == ["ERROR"]
        alone = [pk for pk, workers in deaths.tried if workers == 1]
        assert {workers for _, workers in deaths.tried} == {1, working.WORKERS}
        assert alone == [products[1].pk] * 2

    def test_one_after_the_other(self, without_thumbs, start, work, deaths):
        products = without_thumbs(2)
        run = start()
        deaths.deadly |= {product.pk for product in products}
        work_until_finished(run, work, deaths)
        assert [failure.row for failure in run.failures.order_by("pk")] == [str(product.pk) for product in products]

    def test_what_is_alone_stays_so_up_to_the_one_that_is_looked_for(self, without_thumbs, start, work, deaths):
        """Who overlaps rows dies of one further on, before the cursor has moved."""
        first, second = without_thumbs(2)
        run = start()
        Range.objects.update(attempts=working.TRIES)
        deaths.deadly.add(second.pk)
        assert work_until_finished(run, work, deaths) == working.TRIES_ALONE
        assert deaths.tried == [(first.pk, 1), (second.pk, 1), (second.pk, 1)]

    def test_a_row_that_is_deleted_before_it_is_passed_over(self, without_thumbs, start, work):
        (product,) = without_thumbs()
        run = start()
        Range.objects.update(attempts=working.TRIES + working.TRIES_ALONE)
        product.delete()
        work(run)
        assert not run.failures.exists()
        run.refresh_from_db()
        assert run.state == "finished"


class TestErrors:
    def break_it(self, monkeypatch, error):
        def broken(*arguments, **options):
            raise error
            yield

        monkeypatch.setattr(working, "regenerate", broken)

    def test_an_error_is_seen_and_the_range_tried_again_when_its_lease_ends(
        self, without_thumbs, start, work, monkeypatch, queue
    ):
        without_thumbs()
        run = start()
        queue.clear()
        self.break_it(monkeypatch, TypeError("not about an image"))
        with pytest.raises(TypeError):
            work(run)
        (task,) = queue.tasks
        assert 60 < (task.task.run_after - timezone.now()).total_seconds() <= 120
        part = run.ranges.get()
        assert (part.attempts, part.lease is None) == (1, False)

    def test_who_is_told_to_stop_leaves_the_range_to_others(self, without_thumbs, start, work, monkeypatch, queue):
        without_thumbs()
        run = start()
        queue.clear()
        self.break_it(monkeypatch, SystemExit(1))
        with pytest.raises(SystemExit):
            work(run)
        assert len(queue.tasks) == 1
        part = run.ranges.get()
        assert (part.attempts, part.lease) == (0, None)

    def test_what_a_row_raises_when_it_is_alone_is_its_failure(
        self, without_thumbs, start, work, failing, queue, caplog
    ):
        first, second, third = without_thumbs(3)
        run = start()
        Range.objects.update(attempts=working.TRIES)
        failing(ZeroDivisionError("in a processor"), first, second)
        work_until_finished(run, work)
        assert has_thumbs(third)
        assert [(failure.row, failure.reason) for failure in run.failures.order_by("pk")] == [
            (str(row.pk), "ZeroDivisionError: in a processor") for row in (first, second)
        ]
        assert "Traceback" in caplog.text

    @pytest.mark.parametrize("error", [OperationalError, InterfaceError])
    def test_a_database_that_is_out_of_reach_is_no_fault_of_a_row(self, without_thumbs, start, work, failing, error):
        without_thumbs()
        run = start()
        Range.objects.update(attempts=working.TRIES)
        failing(error("the connection is closed"))
        with pytest.raises(error):
            work(run)
        part = run.ranges.get()
        assert (part.done, part.finished) == (0, False)
        assert not run.failures.exists()


@pytest.mark.django_db(transaction=True)
class TestDatabaseIsOutOfReach:
    """A task that fails by it is not the last one."""

    @pytest.mark.parametrize("alone", [False, True])
    def test_from_whichever_query_on(self, without_thumbs, queue, alone):
        from athumb_storage.distributed.tasks import work

        for queries in count():
            Run.objects.all().delete()
            Product.objects.all().delete()
            without_thumbs()
            run = runs.start(Product.objects.all(), IMAGE)
            Range.objects.update(attempts=working.TRIES if alone else 0)
            queue.clear()
            outage = Outage(queries)
            with connection.execute_wrapper(outage), suppress(OperationalError):
                work.func(run.pk, "default", "default")
            if not outage.has_come:
                break
            (task,) = queue.tasks
            assert [*task.args] == [run.pk, "default", "default"]
            assert 60 < (task.task.run_after - timezone.now()).total_seconds() <= 120
        assert queries > 10
        assert queue.tasks == [], "all is done"

    def test_in_a_transaction_that_is_rolled_back(self, without_thumbs, queue, failing):
        """As by an engine that wraps its tasks: what is sent at the commit is never sent."""
        from athumb_storage.distributed.tasks import work

        without_thumbs()
        run = runs.start(Product.objects.all(), IMAGE)
        queue.clear()
        failing(TypeError("not about an image"))
        with pytest.raises(TypeError), transaction.atomic():
            work.func(run.pk, "default", "default")
        assert len(queue.tasks) == 1

    def test_in_a_transaction_that_is_committed(self, without_thumbs, queue):
        from athumb_storage.distributed.tasks import work

        without_thumbs(2)
        run = runs.start(Product.objects.all(), IMAGE)
        leases.claim(run)
        queue.clear()
        with transaction.atomic():
            work.func(run.pk, "default", "default")
            assert queue.tasks == []
        assert len(queue.tasks) == 1

    def test_who_is_told_to_stop_hears_of_nothing_else(self, without_thumbs, queue, monkeypatch):
        from athumb_storage.distributed.tasks import work

        without_thumbs()
        run = runs.start(Product.objects.all(), IMAGE)
        queue.clear()

        TestErrors().break_it(monkeypatch, SystemExit(1))
        monkeypatch.setattr(leases, "give_back", lambda part: Outage(0)())
        with pytest.raises(SystemExit):
            work.func(run.pk, "default", "default")
        assert len(queue.tasks) == 1


class Outage:
    """The database does so many queries, and then no more."""

    def __init__(self, queries):
        self.left = queries
        self.has_come = False

    def __call__(self, execute=None, *arguments):
        if self.left == 0:
            self.has_come = True
            raise OperationalError("server closed the connection unexpectedly")
        self.left -= 1
        return execute(*arguments)


class TestBrokerIsOutOfReach:
    @pytest.fixture(autouse=True)
    def slept(self, monkeypatch):
        slept = []
        monkeypatch.setattr(engines.time, "sleep", slept.append)
        return slept

    def test_for_seconds(self, without_thumbs, start, work, queue, closed_broker, slept):
        without_thumbs(3)
        run = start()
        queue.clear()
        closed_broker(times=3)
        work(run)
        assert len(queue.tasks) == 1
        assert slept == [1, 2, 4]

    def test_for_longer(self, without_thumbs, start, work, queue, closed_broker, slept, caplog):
        without_thumbs(3)
        run = start()
        queue.clear()
        closed_broker()
        with pytest.raises(ConnectionError):
            work(run)
        assert (queue.tasks, slept) == ([], [1, 2, 4, 8])
        (record,) = (record for record in caplog.records if record.levelname == "ERROR")
        assert f"Run {run.pk} has lost a task" in record.message
        assert f"manage.py athumb_runs --resume {run.pk}" in record.message

    def test_while_something_else_is_broken(self, without_thumbs, start, work, queue, closed_broker, failing, caplog):
        without_thumbs()
        run = start()
        failing(TypeError("not about an image"))
        closed_broker()
        with pytest.raises(TypeError, match="not about an image"):
            work(run)
        assert f"manage.py athumb_runs --resume {run.pk}" in caplog.text


@pytest.mark.parametrize("attempts", [0, working.TRIES])
def test_rows_that_a_manager_hides(without_thumbs, start, work, monkeypatch, attempts):
    (hidden,), (shown,) = without_thumbs(name="hidden"), without_thumbs(name="shown")
    run = start()
    Range.objects.update(attempts=attempts)
    manager = Shown()
    manager.model = Product
    monkeypatch.setitem(Product._meta.__dict__, "base_manager", manager)
    assert [*Product._base_manager.all()] == [shown]
    work(run)
    assert has_thumbs(shown)
    assert has_thumbs(hidden)


class Shown(models.Manager):
    def get_queryset(self):
        return super().get_queryset().filter(name="shown")


class TestOtherCode:
    @pytest.fixture(autouse=True)
    def nobody_was_warned(self, monkeypatch):
        monkeypatch.setattr(working, "_left_alone", set())

    def test_one_warning_is_enough(self, start, work, caplog):
        run = start()
        Run.objects.update(fingerprint="another")
        work(run)
        work(run)
        assert [record.levelname for record in caplog.records].count("WARNING") == 1

    def test_is_left_alone_and_asked_for_again_in_a_minute(
        self, without_thumbs, start, work, queue, monkeypatch, caplog
    ):
        (product,) = without_thumbs()
        run = start()
        queue.clear()
        monkeypatch.setattr(IMAGE, "thumbs", ThumbSet({"other": {"size": (9, 9)}}))
        monkeypatch.setattr(IMAGE, "_bound", None)
        work(run)
        (task,) = queue.tasks
        assert 50 < (task.task.run_after - timezone.now()).total_seconds() <= 60
        assert "is for other thumbs" in caplog.text
        monkeypatch.undo()
        assert not has_thumbs(product)
        assert run.ranges.get().attempts == 0

    @pytest.mark.parametrize(
        ("model", "field"), [("shop.Gone", "image"), ("shop.Product", "gone"), ("shop.Product", "name")]
    )
    def test_without_the_field(self, start, work, queue, model, field):
        run = start()
        Run.objects.update(model=model, field=field)
        queue.clear()
        work(run)
        assert len(queue.tasks) == 1


class TestAtOnce:
    @pytest.mark.usefixtures("at_once")
    def test_everything_is_done_before_it_returns(self, without_thumbs, start, monkeypatch):
        products = without_thumbs(7)
        entered = []
        work_on = working.work_on
        monkeypatch.setattr(working, "work_on", lambda run, *place: [entered.append(run), work_on(run, *place)])
        run = start(tasks=3)
        assert all(map(has_thumbs, products))
        run.refresh_from_db()
        assert run.state == "finished"
        assert entered == [run.pk], "neither does it call itself, nor is it called in vain"

    @pytest.mark.usefixtures("at_once")
    def test_it_waits_for_others(self, without_thumbs, start, committed, monkeypatch, settings):
        settings.ATHUMB_LEASE_SECONDS = 0.3
        monkeypatch.setattr(engines, "SLEEP", 0.05)
        settings.TASKS = {"default": {"BACKEND": IMMEDIATE}}
        (product,) = without_thumbs()
        run = Run.objects.create(
            model="shop.Product",
            field="image",
            database="default",
            fingerprint=fingerprint(IMAGE),
            backend="default",
            queue="default",
        )
        Range.objects.create(run=run, end=str(product.pk), rows=1)
        leases.claim(run)
        committed(runs.resume, run.pk)
        assert has_thumbs(product)

    @pytest.mark.usefixtures("at_once")
    def test_errors_are_seen(self, without_thumbs, start, monkeypatch):
        without_thumbs()
        TestErrors().break_it(monkeypatch, TypeError("not about an image"))
        with pytest.raises(runs.RunError, match=r"(?s)its task failed.*TypeError: not about an image"):
            start()


class TestBackendThatCannotDefer:
    def test_the_task_waits_a_little_and_lets_others_have_their_turn(
        self, without_thumbs, start, work, queue, monkeypatch
    ):
        backend = type(engines.backend_of("default"))
        monkeypatch.setattr(backend, "supports_defer", False)
        slept = []
        monkeypatch.setattr(engines.time, "sleep", slept.append)
        without_thumbs()
        run = start(tasks=1)
        leases.claim(run)
        queue.clear()
        work(run)
        (task,) = queue.tasks
        assert task.task.run_after is None
        assert slept == [engines.SLEEP]

    def test_nor_does_it_fail_again_at_once(self, without_thumbs, start, work, queue, monkeypatch, failing):
        monkeypatch.setattr(type(engines.backend_of("default")), "supports_defer", False)
        slept = []
        monkeypatch.setattr(engines.time, "sleep", slept.append)
        without_thumbs()
        run = start()
        queue.clear()
        failing(TypeError("not about an image"))
        with pytest.raises(TypeError):
            work(run)
        assert len(queue.tasks) == 1
        assert slept == [engines.SLEEP]


@pytest.mark.django_db(transaction=True)
class TestRowsThatTakeLong:
    """The lease ends in a moment, and is moved on by a thread."""

    @pytest.fixture(autouse=True)
    def soon(self, settings, monkeypatch):
        settings.ATHUMB_LEASE_SECONDS = 1

        def closed():
            for each in connections.all(initialized_only=True):
                BaseDatabaseWrapper.close(each)  # Django leaves what leads to a database in memory open

        monkeypatch.setattr(leases.connections, "close_all", closed)

    def slow(self, monkeypatch, run):
        """A row takes longer than the lease; what somebody else could have had of the run by then."""
        regenerate, taken = working.regenerate, []

        def slow(*arguments, **options):
            time.sleep(2.5)
            taken.append(leases.claim(run))
            yield from regenerate(*arguments, **options)

        monkeypatch.setattr(working, "regenerate", slow)
        return taken

    def test_the_lease_lasts_as_long_as_the_worker(self, without_thumbs, start, work, monkeypatch):
        without_thumbs()
        run = start()
        taken = self.slow(monkeypatch, run)
        work(run)
        assert taken == [None]
        assert run.ranges.get().finished

    def test_but_not_for_ever(self, without_thumbs, start, work, monkeypatch):
        monkeypatch.setattr(leases, "LONGEST", 1)
        without_thumbs()
        run = start()
        taken = self.slow(monkeypatch, run)
        work(run)
        part = run.ranges.get()
        assert taken == [part]
        assert not part.finished


def test_results_of_rows_are_taken_one_by_one(without_thumbs, start, work, monkeypatch):
    """Of those that are ready already, none is taken before the cursor has moved to the one before."""
    products = without_thumbs(2)
    run = start()

    def both(*arguments, **options):
        for product in products:
            yield Result(product.pk, product.image.name, Outcome.GENERATED)
            cursors.append(run.ranges.get().cursor)

    cursors = []
    monkeypatch.setattr(working, "regenerate", both)
    work(run)
    assert cursors == [str(product.pk) for product in products]
