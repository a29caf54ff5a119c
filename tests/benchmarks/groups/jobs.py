"""The processor time that each job takes of this process, for an image with six thumbs."""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.db import models
from django.test.utils import override_settings

from tests.benchmarks import ours
from tests.benchmarks.context import Context
from tests.benchmarks.filling import fill
from tests.benchmarks.peers.tables import create_table
from tests.benchmarks.project import set_up, upload
from tests.benchmarks.report import Row, absent, shown
from tests.benchmarks.sets import SEED

PHOTOS = 12
IMAGES = 2000
"""How many there are to be audited; half of them are orphans then."""


def measure(context: Context) -> list[Row]:
    set_up(context)
    try:
        model = _model(context)
    except ours.Unavailable as error:
        return [absent(context.group, "the jobs", error)]
    save = ours.saver(ours.storage(context, SEED), SEED)
    times = {
        "upload": min(_each(PHOTOS, lambda: _uploaded(context, save)) for _ in range(3)),
        "regenerate": min(_each(PHOTOS, _command_after(lambda: _stored(context, model))) for _ in range(3)),
        **_audited(context, model),
    }
    return [shown(context.group, f"processor time: {job}", spent, "ms", ours=True) for job, spent in times.items()]


def _model(context: Context) -> Any:
    from athumb_storage.fields import ImageWithThumbsField

    storage = ours.storage(context, SEED, location="jobs")
    meta = type("Meta", (), {"app_label": "benchmarks"})
    attributes = {"image": ImageWithThumbsField(storage=storage, max_length=200), "Meta": meta, "__module__": __name__}
    model = type("JobPhoto", (models.Model,), attributes)
    create_table(model)
    return model


def _each(count: int, job: Callable[[], None]) -> float:
    """Milliseconds of processor time for each of so many."""
    start = time.process_time()
    job()
    return 1000 * (time.process_time() - start) / count


def _uploaded(context: Context, save: Callable[[Any], object]) -> None:
    for _ in range(PHOTOS):
        with upload(Path(context.photo_12mp)) as content:
            save(content)


def _stored(context: Context, model: Any) -> None:
    """Rows of which the originals alone are stored."""
    storage = model._meta.get_field("image").storage.unbound
    with upload(Path(context.photo_12mp)) as content:
        names = [storage.save(ours.fresh_name("regenerate"), content) for _ in range(PHOTOS)]
    model.objects.all().delete()
    model.objects.bulk_create(model(image=name) for name in names)


def _command_after(prepare: Callable[[], None]) -> Callable[[], None]:
    prepare()
    return lambda: _command("athumb_regen_field", "benchmarks.JobPhoto", "image")


def _audited(context: Context, model: Any) -> dict[str, float]:
    storage = model._meta.get_field("image").storage
    for file in [*storage.list_files()]:
        default_storage.delete(f"jobs/{file.name}")
    names = [f"audit/{number:08}.jpg" for number in range(IMAGES)]
    keys = [key for name in names for key in (name, *(storage.thumb_key(name, thumb) for thumb in storage.thumbs))]
    fill(context, [f"jobs/{key}" for key in keys])
    model.objects.all().delete()
    model.objects.bulk_create(model(image=name) for name in names)
    audit = min(_each(IMAGES, lambda: _command("athumb_audit")) for _ in range(3))
    model.objects.filter(image__in=names[::2]).delete()
    prune = ["athumb_audit", "--prune", "--originals", "--min-age=0", "--noinput"]
    with override_settings(ATHUMB_PRUNE_PREFIXES=[f"s3://{context.bucket}/jobs/"]):
        both = _each(1, lambda: _command(*prune))
    left = sum(1 for _ in storage.list_files())
    if left != len(keys) // 2:
        raise RuntimeError(f"{left} of {len(keys)} keys are left")
    return {"audit": audit, "prune, of an orphan": (both - audit * IMAGES) / (IMAGES / 2)}


def _command(*arguments: str) -> None:
    with contextlib.suppress(CommandError):  # how an audit ends that finds something; what is left is looked at
        call_command(*arguments, stdout=io.StringIO(), stderr=io.StringIO())
