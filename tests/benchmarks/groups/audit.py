"""An audit of 100,000 keys: how long it takes, of that the listing, and the peak of the whole process's memory."""

from __future__ import annotations

import time
from typing import Any

from tests.benchmarks.context import Context
from tests.benchmarks.filling import fill
from tests.benchmarks.groups.memory import MIB, status
from tests.benchmarks.project import s3_options, set_up
from tests.benchmarks.report import Row, absent, limit, shown

KEYS = 100_000
MOST_SECONDS = 10
MOST_MIB = 100
LOCATION = "audit"
THUMBS = {"small": {"size": (60, 60)}, "medium": {"size": (200, 200)}, "large": {"size": (800, 800)}}


def measure(context: Context) -> list[Row]:
    """In one process the bucket is filled, in another it is audited."""
    rows = (200 if context.quick else KEYS) // (1 + len(THUMBS))
    names = [f"products/{number % 100}/photo-{number:08}.jpg" for number in range(rows)]
    if context.subject == "fill":
        keys = [key for name in names for key in (name, *(f"{name}.thumbs/{thumb}.jpg" for thumb in THUMBS))]
        start = time.perf_counter()
        fill(context, [f"{LOCATION}/{key}" for key in keys])
        return [shown(context.group, "keys stored in a second", len(keys) / (time.perf_counter() - start), "")]
    set_up(context)
    try:
        return _audited(context, names)
    except ImportError as error:
        return [absent(context.group, "an audit", error)]


def _audited(context: Context, names: list[str]) -> list[Row]:
    from athumb_storage.audit import Scope, audited

    field = _field(context, names)
    start = time.perf_counter()
    count = sum(1 for _ in field.storage.list_files())
    listing = time.perf_counter() - start
    start = time.perf_counter()
    with audited(Scope([field])) as audit:
        found = sum(total.count for total in audit.totals().values())
    seconds = time.perf_counter() - start
    if (count, found) != (len(names) * (1 + len(THUMBS)), 0):
        return [absent(context.group, "an audit", f"{count} keys, {found} findings")]
    peak = status("VmHWM") / MIB  # ru_maxrss is that of the process that started this one, if that was larger
    label = f"audit of {count} keys"
    return [
        limit(context.group, label, seconds, "s", MOST_SECONDS),
        shown(context.group, f"{label}: the listing alone", listing, "s", ours=True),
        limit(context.group, f"{label}: peak of the process", peak, "MiB", MOST_MIB),
    ]


def _field(context: Context, names: list[str]) -> Any:
    from django.db import connection, models

    from athumb_storage.fields import ImageWithThumbsField
    from athumb_storage.storages import S3ThumbnailStorage

    class Audited(models.Model):
        image = ImageWithThumbsField(
            storage=S3ThumbnailStorage(**s3_options(context), location=LOCATION), thumbs=THUMBS
        )

        class Meta:
            app_label = "benchmarks"

    with connection.schema_editor() as editor:
        editor.create_model(Audited)
    for start in range(0, len(names), 1000):  # all at once they would count for the peak
        Audited.objects.bulk_create(Audited(image=name) for name in names[start : start + 1000])
    return Audited._meta.get_field("image")
