"""Whose files count: which models and databases, and what becomes of a table that cannot be read."""

from __future__ import annotations

import pytest
from django.core.files.storage import FileSystemStorage
from django.db import DatabaseError, connection
from django.test.utils import CaptureQueriesContext, isolate_apps

from athumb_storage.audit import refuse_to_prune
from athumb_storage.audit.rows import file_columns
from athumb_storage.audit.scope import Scope
from athumb_storage.exceptions import AuditError
from athumb_storage.storages import configured
from tests.shop import models as shop
from tests.stock.models import Attachment, Elsewhere, Framed, Photo, Replaced, Shown
from tests.stock.places import field_of, stored_in, take_away

pytestmark = pytest.mark.django_db(databases=["default", "other"])


class OnlyDefault:
    """A router of a project that has one database and a copy of it."""

    def allow_migrate(self, db, app_label, **_):
        return db == "default"


def columns(model):
    return [(column.field.name, column.database) for column in file_columns() if column.model is model]


class TestColumns:
    def test_every_model_in_every_database(self):
        assert columns(Photo) == [("image", "default"), ("image", "other")]
        assert columns(Attachment) == [("file", "default"), ("file", "other")]
        assert [name for name, _ in columns(shop.Plain)] == ["file", "file", "image", "image"]

    def test_a_column_is_read_where_it_is(self):
        assert {name for name, _ in columns(Framed)} == {"certificate"}
        assert columns(Shown) == []

    def test_a_router_says_what_is_where(self, settings):
        settings.DATABASE_ROUTERS = [OnlyDefault()]
        assert columns(Photo) == [("image", "default")]

    def test_a_table_that_nobody_manages(self):
        assert columns(Elsewhere) == []
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE stock_elsewhere (id integer PRIMARY KEY, image text)")
        assert columns(Elsewhere) == [("image", "default")]

    def test_a_model_that_another_takes_the_place_of(self):
        assert columns(Replaced) == []


class TestReading:
    def test_pages_by_the_primary_key(self, monkeypatch):
        monkeypatch.setattr("athumb_storage.audit.rows.PAGE", 3)
        Photo.objects.bulk_create(Photo(image=f"{number % 4}.jpg") for number in range(7))
        (column, _) = (column for column in file_columns() if column.model is Photo)
        with CaptureQueriesContext(connection) as queries:
            names = list(column.names())
        assert names == [f"{number % 4}.jpg" for number in range(7)]
        assert len(queries) == 3
        assert not any("OFFSET" in query["sql"] for query in queries)
        assert all(query["sql"].endswith("ASC LIMIT 3") for query in queries)

    def test_names_that_are_asked_for(self):
        names = [f"{number}.jpg" for number in range(1500)]
        Photo.objects.bulk_create(Photo(image=name) for name in names[::2])
        (column, _) = (column for column in file_columns() if column.model is Photo)
        assert column.named(names) == {*names[::2]}
        assert column.named([]) == set()

    @pytest.mark.parametrize("ask", [lambda column: list(column.names()), lambda column: column.named(["a"])])
    def test_a_table_that_is_not_there(self, ask):
        take_away(Photo)
        (column, _) = (column for column in file_columns() if column.model is Photo)
        with pytest.raises(AuditError, match=r"stock\.Photo\.image in the database 'default'.*'stock_photo'") as info:
            ask(column)
        assert isinstance(info.value.__cause__, DatabaseError)


class TestScope:
    def test_without_fields_all_that_have_thumbs(self, make_in_memory):
        scope = Scope()
        audited = {str(column.field) for home in scope.homes for column in home.columns if scope.is_audited(column)}
        assert {"stock.Photo.image", "shop.Product.image", "shop.Plain.file"} <= audited
        assert "stock.Attachment.file" not in audited

    def test_each_place_is_listed_once(self, make_on_disk, tmp_path):
        places = {field_of(Photo): "a", field_of(shop.Product): "a/b", field_of(shop.Sized): "ab"}
        for field, folder in places.items():
            stack = stored_in(make_on_disk(location=tmp_path / folder), field)
            stack.__enter__()
            places[field] = stack
        try:
            scope = Scope([*places])
            assert [root.place.address for root in scope.roots] == [f"{tmp_path}/a/", f"{tmp_path}/ab/"]
        finally:
            for stack in places.values():
                stack.__exit__(None, None, None)

    def test_files_elsewhere_are_left_alone(self, make_on_disk, tmp_path):
        plain = FileSystemStorage(location=tmp_path / "in")
        with stored_in(make_on_disk(), field_of(Photo)), stored_in(plain, field_of(Attachment, "file")):
            (home,) = Scope([field_of(Photo)]).homes
            models = {column.model for column in home.columns}
        assert models == {Photo, Attachment}

    def test_a_storage_that_is_there_no_more(self):
        gone = stored_in(configured("gone"), field_of(Attachment, "file"))
        with gone, pytest.raises(AuditError, match=r"stock\.Attachment\.file.*'gone'"):
            Scope([field_of(Photo)])

    def test_a_field_that_no_database_has(self):
        with pytest.raises(AuditError, match=r"No database has stock\.Elsewhere\.image\."):
            Scope([field_of(Elsewhere)])

    def test_a_storage_of_the_settings_that_cannot_be_set_up(self, settings, caplog, make_on_disk, tmp_path):
        broken = {"BACKEND": "not.there.Storage"}
        unset = {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"}
        settings.STATIC_ROOT = None
        settings.STORAGES = settings.STORAGES | {"staticfiles": unset}
        assert not Scope([field_of(Photo)]).broken, "Django lets static files be"
        settings.STORAGES = settings.STORAGES | {"news": broken}
        scope = Scope([field_of(Photo)])
        assert [*scope.broken] == ["news"]
        assert "'news' of STORAGES is left out, it cannot be set up" in caplog.text
        settings.ATHUMB_PRUNE_PREFIXES = [f"{tmp_path}/"]
        with (
            stored_in(make_on_disk(location=tmp_path), field_of(Photo)),
            pytest.raises(AuditError, match=r"'news' of STORAGES cannot be set up"),
        ):
            refuse_to_prune(Scope([field_of(Photo)]))

    @isolate_apps("tests.stock")
    def test_nothing_to_be_audited(self):
        with pytest.raises(AuditError, match="No field"):
            Scope([])
