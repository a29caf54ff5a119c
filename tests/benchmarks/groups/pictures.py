"""A responsive set: what its save costs, and a page with a hundred `<picture>`s of it, against django-pictures."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.benchmarks import ours
from tests.benchmarks.context import Context
from tests.benchmarks.counting import counted
from tests.benchmarks.groups.saving import turn
from tests.benchmarks.project import s3_options, set_up
from tests.benchmarks.report import Row, absent, at_most, faster, limit, shown
from tests.benchmarks.timing import interleaved, timed

WIDTHS = (320, 640, 960, 1280, 1920)
FORMATS = ("AVIF", "WEBP", "JPEG")
SIZES = "(min-width: 60em) 50vw, 100vw"
OURS = f"{{% load athumb %}}{{% for photo in photos %}}{{% picture photo.image 'hero' sizes='{SIZES}' %}}{{% endfor %}}"
THEIRS = "{% load pictures %}{% for photo in photos %}{% picture photo.image ratio='16/9' %}{% endfor %}"
SAVE = "save of 3 formats x 5 widths"
PAGE = "page of 100 pictures, 3 formats x 5 widths"


def measure(context: Context) -> list[Row]:
    set_up(context, peers=True)
    try:
        from athumb_storage import Responsive  # noqa: F401, it may not exist yet
    except ImportError as error:
        return [absent(context.group, SAVE, error)]
    theirs = _their_model()
    return [*_save(context, theirs), *_page(context, theirs)]


def _save(context: Context, theirs: Any) -> list[Row]:
    photo = Path(context.photo_12mp)
    subjects = {", ".join(formats): _saver(context, formats) for formats in (FORMATS[2:], FORMATS[1:], FORMATS)}
    subjects["django-pictures"] = lambda content: _saved_by_them(theirs, content)
    turns = {name: turn(save, photo) for name, save in subjects.items()}
    spent: dict[str, list[float]] = {name: [] for name in turns}
    times = interleaved({name: _counting(turns[name], spent[name]) for name in turns}, max(3, context.runs // 3))
    processor = {name: sorted(values)[len(values) // 2] for name, values in spent.items()}
    whole = ", ".join(FORMATS)
    rows = [
        shown(context.group, f"save of 5 widths in {name}", times[name], "ms")
        for name in list(subjects)[: len(FORMATS) - 1]
    ]
    note = "its six widths, its processor run inline"
    return [
        *rows,
        limit(context.group, SAVE, times[whole], "ms", 3000),
        faster(context.group, f"{SAVE}, vs django-pictures", times[whole], times["django-pictures"], "ms", None, note),
        at_most(
            context.group,
            f"{SAVE}, processor time",
            processor[whole],
            processor["django-pictures"],
            "ms",
            None,
            "vs django-pictures",
        ),
    ]


def _counting(take_turn: Callable[[], float], spent: list[float]) -> Callable[[], float]:
    """The turn, whose processor time, in ms and of all threads, is noted."""

    def counted_turn() -> float:
        start = time.process_time()
        milliseconds = take_turn()
        spent.append(1000 * (time.process_time() - start))
        return milliseconds

    return counted_turn


def _page(context: Context, theirs: Any) -> list[Row]:
    model = _model(context, "Page", FORMATS, custom_domain="cdn.example.com")
    page = _rendered(OURS, _photos(model))
    their_page = _rendered(THEIRS, _photos(theirs))
    signed = {
        name: _rendered(OURS, _photos(_model(context, name, FORMATS, querystring_auth=True, **options)))
        for name, options in (("signed", {}), ("signed with a window", {"signed_url_window": 3600}))
    }
    subjects = {"ours": page, "theirs": their_page, **signed}
    times = interleaved({name: _clocked(render) for name, render in subjects.items()}, context.runs, warm_up=2)
    with counted() as counts:
        html = page()
    rows = [
        limit(context.group, PAGE, times["ours"], "ms", 8),
        faster(context.group, f"{PAGE}, vs django-pictures", times["ours"], times["theirs"], "ms", 5, "six widths"),
        limit(context.group, f"{PAGE}: queries", counts.queries, "", 0),
        limit(context.group, f"{PAGE}: cache calls", counts.cache_calls, "", 0),
        limit(context.group, f"{PAGE}: S3 requests", counts.requests, "", 0),
        at_most(context.group, f"{PAGE}: HTML", len(html) / 1024, len(their_page()) / 1024, "KiB", None, "theirs"),
    ]
    return rows + [shown(context.group, f"{PAGE}, {name}", times[name], "ms") for name in signed]


def _clocked(render: Callable[[], str]) -> Callable[[], float]:
    return lambda: 1000 * timed(render)


def _rendered(source: str, photos: list[Any]) -> Callable[[], str]:
    from django.template import engines

    template: Any = engines["django"].from_string(source)
    return lambda: str(template.render({"photos": photos}))


def _photos(model: Any) -> list[Any]:
    return [
        model(pk=number, image=f"photos/photo-{number}.jpg", width=4000 + number, height=3000) for number in range(100)
    ]


def _model(context: Context, name: str, formats: tuple[str, ...], **options: Any) -> Any:
    from django.db import models

    from athumb_storage import Responsive
    from athumb_storage.fields import ImageWithThumbsField
    from athumb_storage.storages import S3ThumbnailStorage

    hero: Any = Responsive(widths=WIDTHS, formats=formats, ratio=(16, 9))  # type: ignore[arg-type]  # plain text
    fields = {
        "width": models.IntegerField(),
        "height": models.IntegerField(),
        "image": ImageWithThumbsField(
            storage=S3ThumbnailStorage(**{**s3_options(context), **options}),
            width_field="width",
            height_field="height",
            thumbs={"hero": hero},
        ),
        "Meta": type("Meta", (), {"app_label": "benchmarks"}),
        "__module__": __name__,
    }
    return type(f"Picture{name.title().replace(' ', '')}", (models.Model,), fields)


def _saver(context: Context, formats: tuple[str, ...]) -> Callable[[Any], list[str]]:
    from athumb_storage import Responsive
    from athumb_storage.storages import S3ThumbnailStorage

    hero: Any = Responsive(widths=WIDTHS, formats=formats, ratio=(16, 9))  # type: ignore[arg-type]  # plain text
    storage: Any = S3ThumbnailStorage(thumbs={"hero": hero}, conditional_writes=True, **s3_options(context))

    def save(content: Any) -> list[str]:
        name = storage.save(ours.fresh_name("pictures"), content)
        return [storage.url_for_thumb(name, "hero")]

    return save


def _their_model() -> Any:
    from django.db import models
    from pictures.models import PictureField

    from tests.benchmarks.peers.tables import create_table

    sides = {side: models.PositiveIntegerField(default=0) for side in ("width", "height")}
    image = PictureField(
        max_length=200,
        container_width=WIDTHS[-1],
        grid_columns=6,
        aspect_ratios=["16/9"],
        file_types=list(FORMATS),
        width_field="width",
        height_field="height",
    )
    meta = type("Meta", (), {"app_label": "benchmarks"})
    fields = {**sides, "image": image, "Meta": meta, "__module__": __name__}
    model = type("TheirPicture", (models.Model,), fields)
    create_table(model)
    return model


def _saved_by_them(model: Any, content: Any) -> list[str]:
    content.name = ours.fresh_name("pictures")
    return [model.objects.create(image=content).image.url]
