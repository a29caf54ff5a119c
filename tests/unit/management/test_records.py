"""Checkpoints: primary keys of every kind come back as they were, and the file is whole at any moment."""

from __future__ import annotations

import datetime
import os
import uuid

import django
import pytest
from django.db import connection, models
from django.test.utils import isolate_apps

from athumb_storage.fields import FileWithThumbsField
from athumb_storage.management.records import Checkpoint
from athumb_storage.regeneration import Outcome, Result, regenerate
from athumb_storage.storages import InMemoryThumbnailStorage
from tests.conftest import upload

KEYS = {
    "int": ({"id": models.BigAutoField(primary_key=True)}, [1, 2, 3]),
    "uuid": ({"id": models.UUIDField(primary_key=True)}, sorted((uuid.UUID(int=n * 7**40) for n in range(3)), key=str)),
    "text": ({"id": models.CharField(max_length=20, primary_key=True)}, ["", 'a"\n', "b%"]),
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


def test_primary_keys_of_every_kind(model_and_keys, tmp_path):
    model, keys = model_and_keys
    name = STORAGE.save("cat.jpg", upload())
    model.objects.bulk_create(model(pk=key, file=name) for key in keys)
    field = model._meta.get_field("file")
    path = str(tmp_path / "checkpoint.json")
    first = next(regenerate(model.objects.all(), field))
    Checkpoint(path, {}).note("shop.Keyed.file", first)
    last = Checkpoint(path, {}).last_pk("shop.Keyed.file", model)
    assert last == first.pk == keys[0]
    assert [result.pk for result in regenerate(model.objects.filter(pk__gt=last), field)] == keys[1:]
    due = [(keys[2], ["small"]), (keys[1], ["small"])]
    assert [result.pk for result in regenerate(model.objects.all(), field, due=due)] == [keys[2], keys[1]]


def test_what_ends_the_process_while_it_is_written_leaves_the_one_before(tmp_path, monkeypatch):
    path = tmp_path / "checkpoint.json"
    Checkpoint(str(path), {}).note("shop.Product.image", Result(1, "a.jpg", Outcome.GENERATED))
    before = path.read_text()

    def ended(descriptor):
        raise SystemExit

    monkeypatch.setattr(os, "fsync", ended)
    with pytest.raises(SystemExit):
        Checkpoint(str(path), {}).note("shop.Product.image", Result(2, "b.jpg", Outcome.GENERATED))
    assert path.read_text() == before


def test_rows_of_which_nothing_would_be_lost_are_written_seldom(tmp_path):
    path = tmp_path / "checkpoint.json"
    checkpoint = Checkpoint(str(path), {})
    for pk in range(999):
        checkpoint.note("shop.Product.image", Result(pk, "", Outcome.EMPTY))
    assert not path.exists()
    checkpoint.note("shop.Product.image", Result(999, "", Outcome.EMPTY))
    assert Checkpoint(str(path), {}).counts == {Outcome.EMPTY: 1000}
