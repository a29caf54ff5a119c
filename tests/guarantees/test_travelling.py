"""A storage of STORAGES travels by its alias: whoever gets it has the same storage, and no secret was sent."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
import textwrap

import pytest
from django.core.files.storage import InvalidStorageError, Storage, storages
from django.db import models
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.serializer import serializer_factory
from django.db.migrations.state import ModelState, ProjectState
from django.test.utils import isolate_apps
from django.utils.module_loading import import_string

from athumb_storage.fields import ImageWithThumbsField
from athumb_storage.storages import InMemoryThumbnailStorage, configured
from tests.conftest import stored, upload

THUMBS = {"small": {"size": (30, 30)}}


@pytest.fixture
def private(settings, s3_options):
    """A storage with its keys in `OPTIONS`, as it is in `STORAGES`."""
    backend = "athumb_storage.storages.S3ThumbnailStorage"
    options = {**s3_options, "thumbs": THUMBS, "naming": "athumb", "location": "private", "max_pixels": 1_000_000}
    settings.STORAGES = {**settings.STORAGES, "private": {"BACKEND": backend, "OPTIONS": options}}
    return storages["private"]


@pytest.fixture
def photo_of(private):
    """A field on that storage."""
    with isolate_apps("tests.shop"):

        class Photo(models.Model):
            file = ImageWithThumbsField(storage=private, thumbs={"large": {"size": (60, 60)}})

            class Meta:
                app_label = "shop"

        yield Photo._meta.get_field("file")


def by_pickle(storage):
    data = pickle.dumps(storage)
    for word in (storage.access_key, storage.secret_key, storage.bucket_name, "private/"):
        assert word.encode() not in data
    return pickle.loads(data)


def by_deconstruct(storage):
    path, args, kwargs = storage.deconstruct()
    assert (path, args, kwargs) == ("athumb_storage.storages.configured", ("private",), {})
    return import_string(path)(*args, **kwargs)


def by_migration(storage):
    text, imports = serializer_factory(storage).serialize()
    scope = {}
    exec("\n".join(imports), scope)
    return eval(text, scope)


WAYS = pytest.mark.parametrize("travel", [by_pickle, by_deconstruct, by_migration])


@WAYS
def test_who_gets_it_stores_and_deletes_as_the_storage_itself(private, travel):
    there = travel(private)
    name = there.save("cat.jpg", upload())
    assert stored(private) == [name, private.thumb_key(name, "small")] == ["cat.jpg", "cat_small.jpg"]
    assert there.url(name).startswith("http")
    assert there.options == private.options
    there.delete(name)
    assert stored(private) == []


@WAYS
def test_a_task_deletes_all_that_a_field_stored(private, photo_of, travel):
    name = photo_of.storage.save("cat.jpg", upload())
    assert len(stored(private)) == 3
    travel(photo_of.storage).delete(name)
    assert stored(private) == []


def test_a_bound_storage_stays_bound_in_a_pickle(photo_of):
    there = pickle.loads(pickle.dumps(photo_of.storage))
    assert list(there.thumbs) == ["small", "large"]
    assert there.unbound is storages["private"]


def test_a_copy_is_a_storage_of_its_own(private):
    for again in (copy.copy(private), copy.deepcopy(private)):
        assert type(again) is type(private)
        again.location = "elsewhere"
        assert again.secret_key == private.secret_key
    assert private.location == "private"


def test_an_overridden_setting_is_seen(private, settings):
    there = configured("private")
    assert there.unbound is private
    backend = {"BACKEND": "athumb_storage.storages.InMemoryThumbnailStorage"}
    settings.STORAGES = {**settings.STORAGES, "private": backend}
    assert isinstance(there.unbound, InMemoryThumbnailStorage)


def test_a_reference_is_lazy_and_equal_to_its_like():
    gone = configured("gone")
    assert gone == configured("gone") != configured("default")
    assert hash(gone) == hash(configured("gone"))
    assert isinstance(gone, Storage)
    assert pickle.loads(pickle.dumps(gone)) == copy.deepcopy(gone) == gone
    assert repr(gone) == "configured('gone')"
    field = models.FileField(storage=gone)
    bound = ImageWithThumbsField(storage=gone, thumbs=THUMBS)
    with isolate_apps("tests.shop"):
        type(
            "Thing",
            (models.Model,),
            {"__module__": __name__, "file": field, "image": bound, "Meta": type("Meta", (), {"app_label": "shop"})},
        )
        for each in (field, bound):
            assert each.deconstruct()[3]["storage"] is gone
            with pytest.raises(InvalidStorageError, match="gone"):
                each.storage.save("cat.jpg", upload())


@pytest.mark.parametrize("alias", ["private", "gone"])
@pytest.mark.parametrize("cls", [models.FileField, ImageWithThumbsField])
def test_a_reference_makes_no_migration(private, alias, cls):
    def state(storage):
        found = ProjectState()
        found.add_model(ModelState("shop", "Thing", [("id", models.AutoField(primary_key=True)), ("file", storage)]))
        return found

    before, after = (state(cls(storage=configured(alias))) for _ in range(2))
    assert MigrationAutodetector(before, after)._detect_changes() == {}
    if alias == "private":
        assert MigrationAutodetector(before, state(cls(storage=private)))._detect_changes() == {}


# In a project

MODELS = """
    from django.core.files.storage import storages
    from django.db import models
    from athumb_storage.fields import ImageWithThumbsField
    from athumb_storage.storages import S3ThumbnailStorage, configured

    class Photo(models.Model):
        by_alias = ImageWithThumbsField(storage=configured("private"), thumbs={"a": {"size": (9, 9)}})
        itself = ImageWithThumbsField(storage=SOURCE)
        plain = models.FileField(storage=configured("private"))
        other = models.FileField(storage=S3ThumbnailStorage(bucket_name="b", secret_key="SECRET", naming="athumb"))
"""
SETTINGS = """
    SECRET_KEY = "only for tests"
    INSTALLED_APPS = ["gallery"]
    DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
    DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
    S3 = "athumb_storage.storages.S3ThumbnailStorage"
    FILES = {"BACKEND": "athumb_storage.storages.FileSystemThumbnailStorage"}
    STORAGES = {"default": FILES, ALIAS: {"BACKEND": S3, "OPTIONS": {"bucket_name": "b", "secret_key": "SECRET"}}}
"""


def test_migrations_hold_the_alias_and_load_without_it(tmp_path):
    def write(alias, source):
        (tmp_path / "gallery_settings.py").write_text(textwrap.dedent(SETTINGS).replace("ALIAS", repr(alias)))
        (tmp_path / "gallery" / "models.py").write_text(textwrap.dedent(MODELS).replace("SOURCE", source))

    def manage(*command):
        environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "gallery_settings", "PYTHONPATH": str(tmp_path)}
        return subprocess.run(
            [sys.executable, "-m", "django", *command], env=environment, capture_output=True, text=True, check=False
        )

    (tmp_path / "gallery").mkdir()
    (tmp_path / "gallery" / "__init__.py").touch()
    write("private", 'storages["private"]')
    assert manage("makemigrations", "gallery").returncode == 0
    written = (tmp_path / "gallery" / "migrations" / "0001_initial.py").read_text()
    assert written.count("athumb_storage.storages.configured('private')") == 3
    assert "S3ThumbnailStorage(bucket_name='b', naming='athumb')" in written
    assert "SECRET" not in written
    checked = manage("makemigrations", "--check", "--dry-run")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    write("gone now", 'configured("private")')
    for command in (["makemigrations", "--check", "--dry-run"], ["migrate"], ["sqlmigrate", "gallery", "0001"]):
        done = manage(*command)
        assert done.returncode == 0, done.stdout + done.stderr
