"""What commands are told: rows that lookups find, each once, whatever tables they join."""

from __future__ import annotations

import django
import pytest
from django.core.management import CommandError
from django.db import connection, models
from django.test.utils import isolate_apps

from athumb_storage.fields import FileWithThumbsField
from athumb_storage.management.arguments import fields_with_thumbs, named_rows
from athumb_storage.rows import by_pk
from athumb_storage.storages import InMemoryThumbnailStorage
from tests.shop.models import Label, Product

STORAGE = InMemoryThumbnailStorage(thumbs={"small": {"size": (10, 10)}})


@pytest.fixture
def models_of_a_test(transactional_db):
    """A shelf has a picture, a number of books, and a house."""
    with isolate_apps("tests.shop"):

        class House(models.Model):
            name = models.CharField(max_length=9)

            class Meta:
                app_label = "shop"

        class Shelf(models.Model):
            if django.VERSION >= (5, 2):
                pk = models.CompositePrimaryKey("house", "number")
            house = models.ForeignKey(House, models.CASCADE)
            number = models.IntegerField()
            file = FileWithThumbsField(storage=STORAGE)

            class Meta:
                app_label = "shop"

        class Volume(models.Model):
            title = models.CharField(max_length=9)
            file = FileWithThumbsField(storage=STORAGE)
            house = models.ForeignKey(House, models.CASCADE, related_name="volumes")

            class Meta:
                app_label = "shop"

        class Page(models.Model):
            volume = models.ForeignKey(Volume, models.CASCADE, related_name="pages")
            number = models.IntegerField()

            class Meta:
                app_label = "shop"

        made = [House, Shelf, Volume, Page]
        with connection.schema_editor() as editor:
            for model in made:
                editor.create_model(model)
        try:
            yield made
        finally:
            with connection.schema_editor() as editor:
                for model in reversed(made):
                    editor.delete_model(model)


def found(rows):
    return [pk for pk, _ in by_pk(rows, "file", page=2)]


def test_a_row_that_a_lookup_finds_several_times_is_there_once(models_of_a_test):
    house, _, volume, page = models_of_a_test
    there = house.objects.create()
    pks = [volume.objects.create(title="ab"[number % 2], file="x", house=there).pk for number in range(5)]
    for pk in pks[1:]:
        page.objects.bulk_create(page(volume_id=pk, number=number) for number in range(3))
    assert found(named_rows(volume, None, filters=["pages__number__lte=1"])) == pks[1:]
    assert found(named_rows(volume, None, filters=["pages__number__lte=1", "pages__number=2", "title=a"])) == pks[2::2]
    assert found(named_rows(volume, None, filters=["pages__isnull=true"])) == pks[:1]


def test_a_lookup_in_one_table_asks_no_other(models_of_a_test):
    volume = models_of_a_test[2]
    assert str(named_rows(volume, None, filters=["title=a", "house_id=1"]).query).count("SELECT") == 1


def test_primary_keys_of_several_columns(models_of_a_test):
    house, shelf, *_ = models_of_a_test
    houses = [house.objects.create(name=name) for name in "ab"]
    pks = [shelf.objects.create(house=houses[number % 2], number=number, file="x").pk for number in range(5)]
    assert found(named_rows(shelf, None, filters=["number__gte=1"])) == sorted(pks[1:])
    assert found(named_rows(shelf, None, filters=["house__name=b", "number__gte=2"])) == pks[3:4]


class ElsewhereRouter:
    """Labels are written to another database, and read from a replica that lags behind."""

    def db_for_write(self, model, **hints):
        return "other" if model is Label else None

    def db_for_read(self, model, **hints):
        return "replica" if model is Label else None


@pytest.mark.django_db(databases=["default", "other"])
class TestDatabases:
    @pytest.fixture(autouse=True)
    def elsewhere(self, settings):
        settings.DATABASE_ROUTERS = [f"{__name__}.ElsewhereRouter"]

    def test_rows_are_those_of_the_database_that_is_written_to(self):
        Label.objects.using("other").create(code="a", image="x")
        rows = named_rows(Label, None)
        assert (rows.db, rows.count()) == ("other", 1)
        assert named_rows(Label, "default").count() == 0
        assert named_rows(Product, None).db == "default"

    def test_a_field_is_there_once(self):
        fields = [(model, field.name) for model, field in fields_with_thumbs(None)]
        assert len(fields) == len({*fields})
        assert {(Label, "image"), (Product, "image")} < {*fields}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"pks": ["9" * 30]}, "--pk: "),
        ({"filters": [f"pk__in={'9' * 30}"]}, f"--filter pk__in={'9' * 30}: "),
        ({"filters": ["name__regex=["]}, "--filter name__regex=[: "),
        ({"filters": ["name__range=a"]}, "--filter name__range=a: write LOOKUP=FIRST,LAST"),
        ({"filters": ["name__isnull=perhaps", "pk=1"]}, "--filter name__isnull=perhaps: "),
    ],
)
def test_what_a_database_cannot_look_for(given, message):
    Product.objects.create(name="x")
    with pytest.raises(CommandError) as raised:
        named_rows(Product, None, **given)
    assert str(raised.value).startswith(message)


@pytest.mark.django_db
@pytest.mark.skipif(django.VERSION < (5, 0), reason="SQLite is asked, and refuses the number")
@pytest.mark.parametrize("given", [{"start_pk": "9" * 30}, {"filters": [f"id__gt={'9' * 30}"]}])
def test_beyond_the_largest_number_there_is_no_row(given):
    Product.objects.create()
    assert list(named_rows(Product, None, **given)) == []


@pytest.mark.django_db
def test_a_range():
    pks = [Product.objects.create(name=name).pk for name in "abcd"]
    rows = named_rows(Product, None, filters=["name__range=b,c"])
    assert sorted(rows.values_list("pk", flat=True)) == pks[1:3]
