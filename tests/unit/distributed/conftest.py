"""Runs of a few rows, and task backends: one that keeps the tasks, one that runs them at once."""

from __future__ import annotations

from itertools import count

import django
import pytest
from django.core.files.storage import default_storage

from athumb_storage.distributed import engines, rows, runs
from athumb_storage.distributed.models import Range
from tests.conftest import upload
from tests.shop.models import Product

API = "django.tasks" if django.VERSION >= (6, 0) else "django_tasks"
DUMMY = f"{API}.backends.dummy.DummyBackend"
IMMEDIATE = f"{API}.backends.immediate.ImmediateBackend"
IMAGE = Product._meta.get_field("image")


@pytest.fixture(autouse=True)
def empty_storage(settings):
    """A default storage of the test's own: to set the setting again makes a new one."""
    settings.STORAGES = {**settings.STORAGES}


@pytest.fixture(autouse=True)
def queue(settings):
    """Tasks are kept here, and nobody does them."""
    settings.TASKS = {"default": {"BACKEND": DUMMY}, "thumbs": {"BACKEND": DUMMY, "QUEUES": ["slow", "quick"]}}
    return Queue()


class Queue:
    """The tasks that were enqueued, oldest first."""

    def __init__(self, alias="default"):
        self.alias = alias

    @property
    def tasks(self):
        return engines.backend_of(self.alias).results

    @property
    def args(self):
        return [task.args for task in self.tasks]

    def clear(self):
        engines.backend_of(self.alias).clear()


@pytest.fixture
def at_once(settings):
    """Tasks are run where they are enqueued."""
    settings.TASKS = {"default": {"BACKEND": IMMEDIATE}}


@pytest.fixture
def of_two_rows(monkeypatch):
    """Ranges have two rows."""
    monkeypatch.setattr(rows, "RANGE_ROWS", 2)


@pytest.fixture
def committed(django_capture_on_commit_callbacks):
    """Calls something as if it were not within the transaction of the test."""

    def call(function, *arguments, **options):
        with django_capture_on_commit_callbacks(execute=True):
            return function(*arguments, **options)

    return call


@pytest.fixture
def start(committed, of_two_rows):
    """Starts a run of all products."""

    def start(chosen=None, field=IMAGE, *arguments, **options):
        return committed(runs.start, Product.objects.all() if chosen is None else chosen, field, *arguments, **options)

    return start


@pytest.fixture
def without_thumbs():
    """Makes so many rows whose originals are stored, and whose thumbs are gone."""

    def make(count=1, model=Product, **values):
        made = []
        for number in range(count):
            row = model.objects.create(image=upload(f"{number}.jpg"), **values)
            default_storage.delete_thumbs(row.image.name)
            made.append(row)
        return made

    return make


@pytest.fixture
def closed_broker(queue, monkeypatch):
    """Makes the backend take some tasks and then, so many times, none."""

    def close(after=0, times=10**6):
        cls, calls = type(engines.backend_of(queue.alias)), count()
        enqueue = cls.enqueue

        def refused(*arguments, **options):
            if after <= next(calls) < after + times:
                raise ConnectionError("no broker is there")
            return enqueue(*arguments, **options)

        monkeypatch.setattr(cls, "enqueue", refused)

    return close


@pytest.fixture
def failing(monkeypatch):
    """Makes the thumbs of these rows, or of all, fail by this error."""

    def fail(error, *rows):
        names = {row.image.name for row in rows}
        cls = type(IMAGE.storage)
        generate = cls.generate_thumbs

        def failed(self, name, *arguments, **options):
            if not names or name in names:
                raise error
            return generate(self, name, *arguments, **options)

        monkeypatch.setattr(cls, "generate_thumbs", failed)

    return fail


def has_thumbs(row):
    storage = type(row)._meta.get_field("image").storage
    keys = [storage.thumb_key(row.image.name, name) for name in storage.thumbs]
    return all(default_storage.exists(key) for key in keys)


def let_leases_end():
    """As if the time for them had gone by."""
    from datetime import timedelta

    from django.db.models.functions import Now

    Range.objects.exclude(lease=None).update(lease=Now() - timedelta(seconds=1))
