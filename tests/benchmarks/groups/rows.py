"""Regeneration of many small images: memory and speed over a thousand, ten thousand and a hundred thousand rows."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.core.management import call_command
from django.db import models

from tests.benchmarks import ours
from tests.benchmarks.context import Context
from tests.benchmarks.groups.memory import peak_added
from tests.benchmarks.peers.tables import create_table
from tests.benchmarks.project import set_up
from tests.benchmarks.report import Row, absent, limit, shown
from tests.benchmarks.sets import Wanted, WantedSet
from tests.benchmarks.timing import timed

ONE_THUMB = WantedSet("one", "JPEG", (Wanted("small", 40, 40),))
MOST = 24
"""MiB that a run may add, however many rows there are."""


def measure(context: Context) -> list[Row]:
    set_up(context)
    try:
        model = _model(context)
    except ours.Unavailable as error:
        return [absent(context.group, "regeneration", error)]
    rows: list[Row] = []
    _run(model, 200)  # so that everything is loaded, and each thread has what it keeps
    for count in (1000, 10_000) if context.quick else (1000, 10_000, 100_000):
        seconds: list[float] = []
        _fill(model, count)
        added = peak_added(lambda seconds=seconds: seconds.append(timed(_regenerated)))
        label = f"{count:,} rows, one thumb of 60 x 40 pixels"
        rows.append(limit(context.group, f"{label}: peak memory added", added, "MiB", MOST))
        rows.append(shown(context.group, label, count / seconds[0], "rows/s", ours=True))
    return rows


def _model(context: Context) -> Any:
    from athumb_storage.fields import ImageWithThumbsField

    storage = ours.storage(context, ONE_THUMB)
    meta = type("Meta", (), {"app_label": "benchmarks"})
    attributes = {"image": ImageWithThumbsField(storage=storage, max_length=200), "Meta": meta, "__module__": __name__}
    model = type("SmallPhoto", (models.Model,), attributes)
    create_table(model)
    return model


def _run(model: Any, count: int) -> None:
    _fill(model, count)
    _regenerated()


def _fill(model: Any, count: int) -> None:
    """Rows of which the originals alone are stored."""
    from PIL import Image

    storage = model._meta.get_field("image").storage
    output = io.BytesIO()
    Image.new("RGB", (60, 40), "teal").save(output, "JPEG")
    model.objects.all().delete()
    names = [ours.fresh_name(f"rows/{number // 1000}") for number in range(count)]
    with ThreadPoolExecutor(8) as threads:
        for _ in threads.map(lambda name: _put(storage, name, output.getvalue()), names):
            pass
    model.objects.bulk_create((model(image=name) for name in names), batch_size=500)


def _put(storage: Any, name: str, data: bytes) -> None:
    storage.client.put_object(Bucket=storage.bucket_name, Key=name, Body=data, ContentType="image/jpeg")


def _regenerated() -> None:
    call_command("athumb_regen_field", "benchmarks.SmallPhoto", "image", stdout=io.StringIO())
