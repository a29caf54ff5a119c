"""`manage.py athumb_runs`"""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command

from athumb_storage.distributed import leases, showing
from athumb_storage.distributed.models import Failure, Range, Run
from athumb_storage.regeneration import Outcome, Result
from tests.shop.models import Product
from tests.unit.distributed.conftest import has_thumbs

pytestmark = pytest.mark.django_db


def lines_of(*arguments):
    output = io.StringIO()
    call_command("athumb_runs", *map(str, arguments), stdout=output)
    return output.getvalue().splitlines()


@pytest.fixture
def run(start):
    for _ in range(3):
        Product.objects.create(image="x.jpg")
    return start()


def test_none():
    assert lines_of() == []


def test_all_runs(run, start):
    other = start(Product.objects.none())
    Run.objects.filter(pk=other.pk).update(state="finished")
    assert lines_of() == [
        f"Run {run.pk} (shop.Product.image): waiting for a worker, 0 of 3 rows, 0 failed.",
        f"Run {other.pk} (shop.Product.image): finished, 0 of 0 rows, 0 failed.",
    ]


def test_progress_and_rate(run):
    part = leases.claim(run)
    leases.move(part, "1", Result(1, "a.jpg", Outcome.GENERATED))
    leases.move(part, "2", Result(2, "b.jpg", Outcome.FAILED, "gone"))
    began = datetime(2026, 1, 1, tzinfo=UTC)
    Run.objects.update(started=began)
    Range.objects.filter(pk=part.pk).update(moved=began + timedelta(seconds=8))
    assert lines_of() == [f"Run {run.pk} (shop.Product.image): underway, 2 of 3 rows, 0.2 a second, 1 failed."]


def test_one_run_with_its_ranges_and_failures(run):
    first, second = leases.claim(run), leases.claim(run)
    Range.objects.filter(pk=first.pk).update(attempts=3)
    leases.move(second, "a\nb", Result(2, "b\n.jpg", Outcome.FAILED, "gone"))
    assert lines_of(run.pk)[1:] == [
        f"Range {first.pk}: 0 of 2 rows, after the beginning, attempt 3.",
        f"Range {second.pk}: 1 of 1 rows, after 'a\\nb'.",
        "Failed: 'b\\n.jpg' (row 'a\\nb'): gone",
    ]


def test_no_more_failures_than_can_be_read(run, monkeypatch):
    monkeypatch.setattr(showing, "SHOWN", 2)
    part = run.ranges.first()
    Failure.objects.bulk_create(Failure(run=run, part=part, row=str(n), name="x.jpg", reason="gone") for n in range(5))
    assert lines_of(run.pk)[1:] == [
        "Failed: 'x.jpg' (row '0'): gone",
        "Failed: 'x.jpg' (row '1'): gone",
        "... and 3 more, in the table of failures.",
    ]


def test_cancel_and_resume(run, queue, committed):
    assert lines_of("--cancel", run.pk) == [f"Run {run.pk} (shop.Product.image): cancelled, 0 of 3 rows, 0 failed."]
    queue.clear()
    told = committed(lines_of, "--resume", run.pk, "--tasks", 5)
    assert told == [f"Run {run.pk} (shop.Product.image): waiting for a worker, 0 of 3 rows, 0 failed."]
    assert len(queue.tasks) == 5


@pytest.mark.parametrize("name", ["--resume", "--cancel"])
def test_one_thing_at_a_time(run, start, name):
    other = start()
    arguments = [["--resume", run.pk, "--cancel", other.pk], [other.pk, name, run.pk], [run.pk, name, run.pk]]
    for given in arguments:
        with pytest.raises(CommandError, match="One thing at a time"):
            lines_of(*given)
    assert {*Run.objects.values_list("state", flat=True)} == {"underway"}


@pytest.mark.parametrize("arguments", [[], ["1"], ["--cancel", "1"]])
def test_tasks_are_for_a_run_that_is_taken_up_again(arguments):
    with pytest.raises(CommandError, match="--tasks goes with --resume"):
        lines_of(*arguments, "--tasks", "3")


def test_rows_that_are_added_between_others(run):
    part = leases.claim(run)
    for pk in range(4):
        leases.move(part, str(pk), Result(pk, "a.jpg", Outcome.EMPTY))
    Run.objects.update(started=None)
    assert lines_of(run.pk) == [
        f"Run {run.pk} (shop.Product.image): underway, 4 of 4 rows, 0 failed.",
        f"Range {part.pk}: 4 of 4 rows, after '3'.",
    ]


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("at_once")
def test_rows_that_fail_where_tasks_are_run_at_once(without_thumbs, start, failing, monkeypatch):
    (row,) = without_thumbs()
    failing(PermissionError("403"))
    run = start()
    with pytest.raises(CommandError, match=rf"1 of 1 rows failed in run {run.pk} \(shop\.Product\.image\)\."):
        lines_of("--resume", run.pk)
    monkeypatch.undo()
    (told,) = lines_of("--resume", run.pk)
    assert told.endswith(", 0 failed.")
    assert has_thumbs(row)


@pytest.mark.parametrize("arguments", [["17"], ["--resume", "17"], ["--cancel", "17"]])
def test_no_such_run(arguments):
    with pytest.raises(CommandError, match=r"There is no run 17\."):
        lines_of(*arguments)
