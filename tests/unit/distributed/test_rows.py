"""Primary keys of any type as text, and tables cut into ranges."""

from __future__ import annotations

import uuid

import pytest
from django.db import connection

from athumb_storage.distributed.models import Range, Run
from athumb_storage.distributed.rows import cut, cut_listed, rows_left
from athumb_storage.rows import PrimaryKey
from tests.shop.models import Book, Label, Product, SaleProduct, Scan

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("of_two_rows")]

RUN = Run(database="default")


def pks_of(part, model):
    part.run = RUN
    return list(rows_left(part, model).values_list("pk", flat=True))


CODES = ["", "%", "a\nb", "A", "a", "'\"", "../x", "ä", "日本"]


@pytest.mark.parametrize(
    ("model", "pks"),
    [
        (Product, [-3, 1, 2, 10, 2**62]),
        (SaleProduct, [1, 2, 3]),
        (Label, CODES),
        (Scan, [uuid.uuid4() for _ in range(5)]),
    ],
)
class TestKeys:
    def test_all_rows_are_in_one_range_each(self, model, pks):
        model.objects.bulk_create(model(pk=pk, image="x.jpg") for pk in pks)
        ranges = list(cut(model.objects.all()))
        found = [pks_of(part, model) for part in ranges]
        assert sorted(pk for some in found for pk in some) == sorted(pks)
        assert [len(some) for some in found] == [part.rows for part in ranges]
        assert max(part.rows for part in ranges) == 2

    def test_all_that_are_listed(self, model, pks):
        model.objects.bulk_create(model(pk=pk, image="x.jpg") for pk in pks)
        ranges = list(cut_listed(((pk, None) for pk in pks[1:]), PrimaryKey(model)))
        assert sorted(pk for part in ranges for pk in pks_of(part, model)) == sorted(pks[1:])


def test_a_derived_model():
    books = [Book.objects.create(image="x.jpg") for _ in range(3)]
    Product.objects.create(image="x.jpg")
    assert [pks_of(part, Book) for part in cut(Book.objects.all())] == [
        [books[0].pk, books[1].pk],
        [books[2].pk],
    ]


def test_no_rows():
    assert list(cut(Product.objects.all())) == []


def test_one_query_a_range_and_none_goes_over_what_came_before(django_assert_num_queries):
    Product.objects.bulk_create(Product() for _ in range(5))
    with django_assert_num_queries(3) as queries:
        assert len(list(cut(Product.objects.order_by("name")))) == 3
    assert "OFFSET" not in "".join(query["sql"] for query in queries)


def test_of_a_choice_the_others_are_left_out():
    wanted = [Product.objects.create(name=name) for name in ("yes", "no", "yes", "yes")]
    ranges = list(cut(Product.objects.filter(name="yes")))
    assert [pks_of(part, Product) for part in ranges] == [[wanted[0].pk, wanted[2].pk], [wanted[3].pk]]
    assert [pks_of(part, Product) for part in cut(Product.objects.order_by("-pk")[:1])] == [[wanted[3].pk]]


def test_rows_of_which_the_same_thumbs_are_wanted_are_together():
    pks = [Product.objects.create().pk for _ in range(5)]
    names = [["large"], ["60x60", "large"], ["large"], None, ["large"]]
    ranges = list(cut_listed(zip(pks, names, strict=True), PrimaryKey(Product)))
    found = {(*(part.only or ["all"]),): [] for part in ranges}
    for part in ranges:
        found[(*(part.only or ["all"]),)] += pks_of(part, Product)
    assert found == {("large",): [pks[0], pks[2], pks[4]], ("60x60", "large"): [pks[1]], ("all",): [pks[3]]}


def test_what_is_left_after_the_cursor():
    pks = [Product.objects.create().pk for _ in range(4)]
    assert pks_of(Range(cursor=str(pks[1]), end=str(pks[3])), Product) == pks[2:]
    assert pks_of(Range(cursor=str(pks[1]), listed=[str(pk) for pk in pks[:3]]), Product) == [pks[2]]


def test_the_order_is_that_of_the_database():
    """Which need not be that of Python: here capitals do not count."""
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE shop_label")
        cursor.execute("CREATE TABLE shop_label (code varchar(50) COLLATE NOCASE PRIMARY KEY, image varchar(255))")
    Label.objects.bulk_create(Label(code=code, image="x.jpg") for code in "BaCdEf")
    assert [pks_of(part, Label) for part in cut(Label.objects.all())] == [["a", "B"], ["C", "d"], ["E", "f"]]
