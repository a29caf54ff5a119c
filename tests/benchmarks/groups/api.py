"""A list of a hundred rows through Django REST framework: three thumbs each, against the URL of a plain image field."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.benchmarks import ours
from tests.benchmarks.context import Context
from tests.benchmarks.counting import counted
from tests.benchmarks.project import set_up
from tests.benchmarks.report import Row, absent, at_most, limit
from tests.benchmarks.sets import SEED
from tests.benchmarks.timing import interleaved, timed

LABEL = "list of 100 rows with 3 thumbs"


def measure(context: Context) -> list[Row]:
    set_up(context)
    try:
        lists = _lists(context)
        data = lists["ours"]()
    except (ImportError, ours.Unavailable) as error:
        return [absent(context.group, LABEL, error)]
    if [len(row["image"]) for row in data] != [3] * 100:
        return [absent(context.group, LABEL, f"the list does not have 3 thumbs a row: {data[0]}")]
    batches = {name: _turn(make) for name, make in lists.items()}
    times = interleaved(batches, 10 * context.runs, warm_up=5)
    with counted() as counts:
        lists["ours"]()
    return [
        at_most(context.group, f"{LABEL}: a plain field's URL", times["ours"], times["plain"], "ms", None),
        limit(context.group, f"{LABEL}: queries", counts.queries, "", 0),
        limit(context.group, f"{LABEL}: S3 requests", counts.requests, "", 0),
    ]


def _turn(make: Callable[[], Any]) -> Callable[[], float]:
    return lambda: 1000 * timed(make)


def _lists(context: Context) -> dict[str, Callable[[], Any]]:
    """What gives the data of the list, by who is asked for it."""
    from django.db import models
    from rest_framework import serializers
    from rest_framework.test import APIRequestFactory

    from athumb_storage.contrib.rest_framework import ThumbsField
    from athumb_storage.fields import ImageWithThumbsField

    class Photo(models.Model):
        image = ImageWithThumbsField(
            storage=ours.storage(context, SEED), thumbs=SEED.as_thumbs(), width_field="width", height_field="height"
        )
        width = models.IntegerField()
        height = models.IntegerField()

        class Meta:
            app_label = "benchmarks"

    class Plain(models.Model):
        image = models.ImageField()

        class Meta:
            app_label = "benchmarks"

    class PhotoSerializer(serializers.ModelSerializer[Any]):
        image = ThumbsField(thumbs=[thumb.name for thumb in SEED.thumbs][:3])

        class Meta:
            model = Photo
            fields = ["id", "image"]

    class PlainSerializer(serializers.ModelSerializer[Any]):
        class Meta:
            model = Plain
            fields = ["id", "image"]

    request = APIRequestFactory().get("/photos/")
    names = [f"photos/photo-{number}.jpg" for number in range(100)]
    photos = [Photo(pk=number, image=name, width=4000, height=3000) for number, name in enumerate(names)]
    plains = [Plain(pk=number, image=name) for number, name in enumerate(names)]
    return {
        "ours": lambda: PhotoSerializer(photos, many=True, context={"request": request}).data,
        "plain": lambda: PlainSerializer(plains, many=True, context={"request": request}).data,
    }
