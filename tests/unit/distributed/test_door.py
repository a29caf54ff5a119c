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
    return {"workers": WORKERS, **vars(parser.parse_args(arguments))}


def test_options_are_those_of_the_run(queue, committed):
    Product.objects.create(image="x.jpg")
    given = options("--enqueue", "--tasks", "3", "--queue", "slow", "--backend", "thumbs")
    told = committed(door.enqueue, Product.objects.all(), IMAGE, ["large"], given)
    run = Run.objects.get()
    assert told == f"Run {run.pk} is started: `manage.py athumb_runs {run.pk}` shows how far it is."
    assert (run.backend, run.queue, run.only) == ("thumbs", "slow", ["large"])


def test_without_them_it_has_its_own(committed):
    committed(door.enqueue, Product.objects.all(), IMAGE, None, options())
    run = Run.objects.get()
    assert (run.queue, run.workers) == ("default", None), "each machine knows its cores"


def test_workers(committed):
    committed(door.enqueue, Product.objects.all(), IMAGE, None, {**options(), "workers": 1})
    assert Run.objects.get().workers == 1


@pytest.mark.parametrize("name", door.NOT_HERE)
def test_options_that_a_run_has_no_use_for(name):
    with pytest.raises(CommandError, match=f"--{name.replace('_', '-')} does not go with --enqueue"):
        door.enqueue(Product.objects.all(), IMAGE, None, {**options(), name: 1})


def test_rows_that_are_listed(committed):
    pks = [Product.objects.create(image="x.jpg").pk for _ in range(2)]
    committed(door.enqueue, Product.objects.all(), IMAGE, None, options(), [(pks[1], ["large"])])
    part = Run.objects.get().ranges.get()
    assert (part.listed, part.only) == ([str(pks[1])], ["large"])


def test_where_the_app_is_not_installed(monkeypatch):
    monkeypatch.setattr(apps, "is_installed", lambda name: name != "athumb_storage.distributed")
    with pytest.raises(CommandError, match=r'"athumb_storage\.distributed" in INSTALLED_APPS'):
        door.enqueue(Product.objects.all(), IMAGE, None, options())


def test_what_cannot_be_started():
    with pytest.raises(CommandError, match="no task backend 'elsewhere'"):
        door.enqueue(Product.objects.all(), IMAGE, None, options("--backend", "elsewhere"))


@pytest.mark.parametrize("text", ["0", "-1", "", "many", "1.5"])
def test_numbers(text):
    with pytest.raises(ArgumentTypeError):
        door.positive(text)
    assert door.positive("12") == 12


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
        assert lines == [f"Run {run.pk} is started: `manage.py athumb_runs {run.pk}` shows how far it is."]
        assert (run.model, run.field, run.only, run.workers) == ("shop.Product", "image", ["large"], 3)
        assert len(queue.tasks) == 2
        assert not has_thumbs(product)

    @pytest.mark.usefixtures("at_once")
    def test_where_tasks_are_run_at_once_it_is_all_done(self, told, without_thumbs):
        yes, no = without_thumbs(2)
        told("shop.Product", "image", "--enqueue", "--pk", str(yes.pk))
        assert (has_thumbs(yes), has_thumbs(no)) == (True, False)

    def test_a_run_for_each_field(self, told, monkeypatch):
        fields = [(model, model._meta.get_field(name)) for model, name in ((Product, "image"), (Plain, "file"))]
        monkeypatch.setattr(athumb_regen_field, "fields_with_thumbs", lambda database: fields)
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
