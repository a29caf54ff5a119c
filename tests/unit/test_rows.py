"""Primary keys of every kind: as text and back, in pages, in a checkpoint, in what is due and in ranges."""

from __future__ import annotations

import datetime
import json
import uuid

import django
import pytest
from django.db import connection, models
from django.test.utils import isolate_apps

from athumb_storage.distributed import rows as distributed_rows
from athumb_storage.distributed.models import Run
from athumb_storage.distributed.rows import cut, cut_listed, rows_left
from athumb_storage.fields import FileWithThumbsField
from athumb_storage.management.records import Checkpoint, Report
from athumb_storage.regeneration import regenerate
from athumb_storage.rows import PrimaryKey, all_rows, by_pk
from athumb_storage.storages import InMemoryThumbnailStorage
from tests.conftest import upload
from tests.shop.models import Book

KEYS = {
    "int": ({"id": models.BigAutoField(primary_key=True)}, [1, 2, 3]),
    "uuid": ({"id": models.UUIDField(primary_key=True)}, sorted((uuid.UUID(int=n * 7**40) for n in range(3)), key=str)),
    "text": ({"id": models.CharField(max_length=20, primary_key=True)}, ["", 'a"\n', "b%"]),
    "binary": ({"id": models.BinaryField(primary_key=True)}, [b"\0\1", b"a", b"\xff"]),
    "date": (
        {"id": models.DateTimeField(primary_key=True)},
        [datetime.datetime(2026, 1, day, tzinfo=datetime.UTC) for day in (1, 2, 3)],
    ),
}
if django.VERSION >= (5, 2):
    parts = {"shop": models.IntegerField(), "code": models.CharField(max_length=9)}
    KEYS["composite"] = {"pk": models.CompositePrimaryKey("shop", "code"), **parts}, [(1, "a"), (1, "b"), (2, "a")]

STORAGE = InMemoryThumbnailStorage(thumbs={"small": {"size": (10, 10)}})


@pytest.fixture(params=KEYS)
def model_and_keys(request, transactional_db):
    columns, keys = KEYS[request.param]
    with isolate_apps("tests.shop"):
        attributes = {name: field.clone() for name, field in columns.items()}
        attributes |= {"file": FileWithThumbsField(storage=STORAGE), "__module__": "tests.shop.models"}
        model = type("Keyed", (models.Model,), attributes)
        with connection.schema_editor() as editor:
            editor.create_model(model)
        try:
            yield model, keys
        finally:
            with connection.schema_editor() as editor:
                editor.delete_model(model)


@pytest.fixture
def rows(model_and_keys):
    model, keys = model_and_keys
    name = STORAGE.save("cat.jpg", upload())
    model.objects.bulk_create(model(pk=key, file=name) for key in keys)
    return model.objects.all()


def test_as_text_and_back(model_and_keys):
    model, keys = model_and_keys
    key = PrimaryKey(model)
    assert [key.from_text(key.to_text(pk)) for pk in keys] == keys
    assert all(isinstance(key.to_text(pk), str) for pk in keys)


def test_in_pages(rows, model_and_keys, django_assert_num_queries):
    with django_assert_num_queries(2):
        assert [pk for pk, _ in by_pk(rows, "file", page=2)] == model_and_keys[1]


def test_regenerated_and_due(rows, model_and_keys, tmp_path):
    model, keys = model_and_keys
    field = model._meta.get_field("file")
    path, key = str(tmp_path / "checkpoint.json"), PrimaryKey(model)
    first = next(regenerate(rows, field))
    Checkpoint(path, {}).note("shop.Keyed.file", key, first)
    last = Checkpoint(path, {}).last_pk("shop.Keyed.file", key)
    assert last == first.pk == keys[0]
    assert [result.pk for result in regenerate(rows.filter(pk__gt=last), field)] == keys[1:]
    due = [(keys[2], ["small"]), (keys[1], ["small"])]
    assert [result.pk for result in regenerate(rows, field, due=due)] == [keys[2], keys[1]]


def test_in_a_report(rows, model_and_keys, tmp_path):
    model, keys = model_and_keys
    path, key = tmp_path / "report.jsonl", PrimaryKey(model)
    with Report(str(path)) as report:
        for result in regenerate(rows, model._meta.get_field("file")):
            report.write("shop.Keyed.file", key, result)
    told = [json.loads(line)["pk"] for line in path.read_text().splitlines()]
    assert [pk if isinstance(pk, int) else key.from_text(pk) for pk in told] == keys
    assert all(isinstance(pk, int) for pk in told) == isinstance(keys[0], int)


def test_all_rows_are_those_that_no_manager_hides(model_and_keys, monkeypatch):
    model, keys = model_and_keys
    model.objects.bulk_create(model(pk=key, file="x") for key in keys)
    with monkeypatch.context() as hiding:
        hiding.setattr(models.Manager, "get_queryset", lambda manager: models.QuerySet(manager.model).none())
        assert not model.objects.exists()
        assert all_rows(model).count() == all_rows(model, "default").count() == len(keys)


def test_in_ranges(rows, model_and_keys, monkeypatch):
    monkeypatch.setattr(distributed_rows, "RANGE_ROWS", 2)
    model, keys = model_and_keys
    for ranges in (cut(rows), cut_listed(((pk, None) for pk in keys), PrimaryKey(model))):
        found = []
        for part in ranges:
            part.run = Run(database="default")
            found.append([pk for (pk,) in rows_left(part, model).values_list("pk")])
        assert found == [keys[:2], keys[2:]]


def test_a_derived_model_has_that_of_its_parent():
    key = PrimaryKey(Book)
    assert key.from_text(key.to_text(17)) == 17
