"""Thumbs of photos that are stored already: our command, against those of the peers that have one."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.core.files.storage import default_storage
from django.core.management import call_command
from django.db import models

from tests.benchmarks import ours
from tests.benchmarks.context import Context
from tests.benchmarks.peers.tables import create_table
from tests.benchmarks.project import set_up, upload
from tests.benchmarks.report import Row, absent, gain, limit, shown
from tests.benchmarks.sets import SEED
from tests.benchmarks.timing import interleaved

LABEL = "12 MP photos a second, six thumbs each"
OURS = "ours"
ONE_WORKER = "ours, one worker"
PHOTOS = {OURS: 48, ONE_WORKER: 12}
"""How many photos a turn takes; of a peer, which takes most of a second for each, four."""


def measure(context: Context) -> list[Row]:
    set_up(context, peers=True)
    try:
        model = _model(context)
    except ours.Unavailable as error:
        return [absent(context.group, LABEL, error, ">= 16 x")]
    spent: list[float] = []
    turns = {
        OURS: _turn(context, OURS, model, lambda: _regenerated(), spent),
        ONE_WORKER: _turn(context, ONE_WORKER, model, lambda: _regenerated(workers=1)),
        **_peers(context),
    }
    rates = interleaved(turns, max(3, context.runs // 3))
    peers = {name: rate for name, rate in rates.items() if name not in PHOTOS}
    best = max(peers, key=lambda name: peers[name])
    group = context.group
    return [
        *(shown(group, f"{LABEL}: {name}", rate, "/s", ours=name in PHOTOS) for name, rate in rates.items()),
        gain(group, f"{LABEL}: against {best}", rates[OURS], peers[best], "/s", 16),
        limit(group, "processor time of a photo", min(spent), "ms", 42, "the least of all turns"),
    ]


def _model(context: Context) -> Any:
    from athumb_storage.fields import ImageWithThumbsField

    storage = ours.storage(context, SEED)
    fields = {"image": ImageWithThumbsField(storage=storage, max_length=200)}
    meta = type("Meta", (), {"app_label": "benchmarks"})
    model = type("OurPhoto", (models.Model,), {**fields, "Meta": meta, "__module__": __name__})
    create_table(model)
    return model


def _regenerated(**options: Any) -> None:
    call_command("athumb_regen_field", "benchmarks.OurPhoto", "image", stdout=io.StringIO(), **options)


def _peers(context: Context) -> dict[str, Callable[[], float]]:
    from versatileimagefield.image_warmer import VersatileImageFieldWarmer

    from tests.benchmarks.peers import imagekit, versatile

    seed = imagekit.MODELS[SEED.name]
    sizes = [(thumb.name, f"{'crop' if thumb.crop else 'thumbnail'}__{thumb.geometry}") for thumb in SEED.thumbs]

    def warmed() -> None:
        _, failed = VersatileImageFieldWarmer(versatile.VersatilePhoto.objects.all(), sizes, "image").warm()
        assert not failed, failed

    def generated() -> None:
        output = io.StringIO()
        call_command("generateimages", f"benchmarks:{seed._meta.model_name}", stdout=output)
        assert "Failed" not in output.getvalue(), output.getvalue()

    return {
        "django-imagekit's generateimages": _turn(context, "imagekit", seed, generated),
        "django-versatileimagefield's warmer": _turn(context, "versatile", versatile.VersatilePhoto, warmed),
    }


def _turn(
    context: Context, name: str, model: Any, make: Callable[[], None], spent: list[float] | None = None
) -> Callable[[], float]:
    """Photos a second, of photos whose originals alone are stored; milliseconds of processor time are noted, too."""
    count = PHOTOS.get(name, 4)

    def once() -> float:
        with upload(Path(context.photo_12mp)) as content:
            names = [default_storage.save(ours.fresh_name("regenerate"), content) for _ in range(count)]
        model.objects.all().delete()
        model.objects.bulk_create(model(image=name) for name in names)
        start, processor = time.perf_counter(), time.process_time()
        make()
        seconds = time.perf_counter() - start
        if spent is not None:
            spent.append(1000 * (time.process_time() - processor) / count)
        return count / seconds

    return once
