"""What the command that makes thumbs again needs, to start a run instead."""

from __future__ import annotations

import io
from argparse import ArgumentParser, ArgumentTypeError

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command

from athumb_storage.distributed import door
from athumb_storage.distributed.models import Run
from athumb_storage.management.commands import athumb_regen_field
from athumb_storage.regeneration import WORKERS
from tests.conftest import upload
from tests.shop.models import Plain, Product
from tests.unit.distributed.conftest import IMAGE, has_thumbs

pytestmark = pytest.mark.django_db


def options(*arguments):
    parser = ArgumentParser()
    door.add_options(parser)
    others = {"limit": None, "dry_run": False, "fail_fast": False, "report": None, "checkpoint": None}
    return {"workers": None, **others, **vars(parser.parse_args(arguments))}


@pytest.fixture
def enqueue(committed):
    """Starts a run of all products; what is told."""

    def enqueue(*arguments, only=None, **given):
        told = []
        chosen = {**options("--enqueue", *arguments), **given}
        listed = chosen.pop("listed", None)
        committed(door.enqueue, Product.objects.all(), IMAGE, only, chosen, listed=listed, tell=told.append)
        return told

    return enqueue


def test_options_are_those_of_the_run(queue, enqueue):
    Product.objects.create(image="x.jpg")
    told = enqueue("--tasks", "3", "--queue", "slow", "--backend", "thumbs", only=["large"])
    run = Run.objects.get()
    assert told == [f"Run {run} is started: `manage.py athumb_runs {run.pk}` shows how far it is."]
    assert (run.backend, run.queue, run.only) == ("thumbs", "slow", ["large"])


def test_without_them_it_has_its_own(enqueue):
    enqueue()
    run = Run.objects.get()
    assert (run.queue, run.workers) == ("default", None), "each machine knows its cores"


def test_workers(enqueue):
    """Also where it is what this machine would take anyway."""
    enqueue(workers=WORKERS)
    assert Run.objects.get().workers == WORKERS


def test_rows_that_are_listed(enqueue):
    pks = [Product.objects.create(image="x.jpg").pk for _ in range(2)]
    enqueue(listed=[(pks[1], ["large"])])
    part = Run.objects.get().ranges.get()
    assert (part.listed, part.only) == ([str(pks[1])], ["large"])


class TestCheck:
    @pytest.mark.parametrize("name", door.NOT_HERE)
    @pytest.mark.parametrize("value", [0, "1"])
    def test_options_that_a_run_has_no_use_for(self, name, value):
        with pytest.raises(CommandError, match=f"--{name.replace('_', '-')} does not go with --enqueue"):
            door.check({**options("--enqueue"), name: value})
        door.check({**options(), name: value})

    @pytest.mark.parametrize("name", ["tasks", "queue", "backend"])
    def test_options_that_go_with_a_run(self, name):
        with pytest.raises(CommandError, match=f"--{name} goes with --enqueue"):
            door.check(options(f"--{name}", "1"))

    def test_where_the_app_is_not_installed(self, monkeypatch):
        monkeypatch.setattr(apps, "is_installed", lambda name: name != "athumb_storage.distributed")
        door.check(options())
        with pytest.raises(CommandError, match=r'"athumb_storage\.distributed" in INSTALLED_APPS'):
            door.check(options("--enqueue"))

    def test_a_backend_or_a_queue_that_is_not_there(self):
        with pytest.raises(CommandError, match="no task backend 'elsewhere'"):
            door.check(options("--enqueue", "--backend", "elsewhere"))
        with pytest.raises(CommandError, match="'thumbs' has no queue 'fast'"):
            door.check(options("--enqueue", "--backend", "thumbs", "--queue", "fast"))
        door.check(options("--enqueue", "--backend", "thumbs", "--queue", "slow"))


@pytest.mark.parametrize("text", ["0", "-1", "", "many", "1.5"])
def test_numbers(text):
    with pytest.raises(ArgumentTypeError):
        door.positive(text)
    assert door.positive("12") == 12


@pytest.fixture
def two_fields(monkeypatch):
    fields = [(model, model._meta.get_field(name)) for model, name in ((Product, "image"), (Plain, "file"))]
    monkeypatch.setattr(athumb_regen_field, "fields_with_thumbs", lambda database: fields)


class TestCommand:
    """`manage.py athumb_regen_field --enqueue`"""

    @pytest.fixture
    def told(self, committed):
        def told(*arguments):
            output = io.StringIO()
            committed(call_command, "athumb_regen_field", *arguments, stdout=output)
            return output.getvalue().splitlines()

        return told

    def test_it_starts_a_run_and_makes_nothing_itself(self, told, queue, without_thumbs):
        (product,) = without_thumbs()
        lines = told("shop.Product", "image", "--enqueue", "--tasks", "2", "--thumb", "large", "--workers", "3")
        run = Run.objects.get()
        assert lines == [f"Run {run} is started: `manage.py athumb_runs {run.pk}` shows how far it is."]
        assert (run.model, run.field, run.only, run.workers) == ("shop.Product", "image", ["large"], 3)
        assert len(queue.tasks) == 2
        assert not has_thumbs(product)

    @pytest.mark.usefixtures("at_once")
    def test_where_tasks_are_run_at_once_it_is_all_done(self, told, without_thumbs):
        yes, no = without_thumbs(2)
        told("shop.Product", "image", "--enqueue", "--pk", str(yes.pk))
        assert (has_thumbs(yes), has_thumbs(no)) == (True, False)

    @pytest.mark.usefixtures("two_fields")
    def test_a_run_for_each_field(self, told):
        told("--all", "--enqueue")
        assert [(run.model, run.field) for run in Run.objects.order_by("pk")] == [
            ("shop.Product", "image"),
            ("shop.Plain", "file"),
        ]

    def test_rows_that_lack_thumbs(self, told, without_thumbs, settings, tmp_path):
        settings.MEDIA_ROOT = tmp_path
        settings.STORAGES = settings.STORAGES | {
            "default": {"BACKEND": "athumb_storage.storages.FileSystemThumbnailStorage"}
        }
        (lacking,) = without_thumbs()
        Product.objects.create(image=upload("whole.jpg"))
        told("shop.Product", "image", "--enqueue", "--missing", "--thumb", "large")
        part = Run.objects.get().ranges.get()
        assert (part.listed, part.only) == ([str(lacking.pk)], ["large"])

    def test_what_does_not_go_with_it(self, told):
        with pytest.raises(CommandError, match="--dry-run does not go with --enqueue"):
            told("shop.Product", "image", "--enqueue", "--dry-run")
        assert not Run.objects.exists()


@pytest.mark.django_db(transaction=True)
class TestOutsideOfATransaction:
    """The command hears what becomes of the tasks that it sends."""

    @pytest.mark.usefixtures("at_once")
    def test_rows_that_fail_where_tasks_are_run_at_once(self, without_thumbs, failing):
        _, bad = without_thumbs(2)
        failing(PermissionError("403"), bad)
        output = io.StringIO()
        with pytest.raises(CommandError, match=r"1 of 2 rows failed in run \d+ \(shop\.Product\.image\)\.$"):
            call_command("athumb_regen_field", "shop.Product", "image", "--enqueue", stdout=output)
        first, second = output.getvalue().splitlines()
        assert first.endswith(", 1 failed.")
        assert second == f"Failed: {bad.image.name!r} (row '{bad.pk}'): PermissionError: 403"

    @pytest.mark.usefixtures("two_fields")
    def test_what_cannot_be_started_stops_no_other_field(self, queue, closed_broker):
        Product.objects.create(image="x.jpg")
        closed_broker(times=1)
        output = io.StringIO()
        with pytest.raises(CommandError) as raised:
            call_command("athumb_regen_field", "--all", "--enqueue", stdout=output)
        lost, started = Run.objects.order_by("pk")
        assert output.getvalue().startswith(f"Run {started} is started")
        assert str(raised.value).startswith(f"shop.Product.image: Run {lost} has 0 of its 1 tasks")
        assert f"athumb_runs --resume {lost.pk}" in str(raised.value)
        assert len(queue.tasks) == 1
