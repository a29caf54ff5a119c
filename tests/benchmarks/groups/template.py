"""A page with a hundred thumbs, by the template tag."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.benchmarks import ours
from tests.benchmarks.context import Context
from tests.benchmarks.counting import counted
from tests.benchmarks.project import set_up
from tests.benchmarks.report import Row, absent, limit
from tests.benchmarks.sets import SEED
from tests.benchmarks.timing import interleaved, timed

PAGE = """{% load athumb %}{% for photo in photos %}<img src="{% thumbnail photo.image 'large' %}">
{% endfor %}"""
LABEL = "template with 100 thumbs"


def measure(context: Context) -> list[Row]:
    set_up(context)
    from django.core.exceptions import FieldDoesNotExist
    from django.template import TemplateDoesNotExist, TemplateSyntaxError

    try:
        render = _page(context)
        html = render()
    except (ImportError, ours.Unavailable, FieldDoesNotExist, TemplateSyntaxError, TemplateDoesNotExist) as error:
        return [absent(context.group, LABEL, error, "<= 1.5 ms")]
    if html.count("large.jpg") != 100:
        return [absent(context.group, LABEL, "the page does not show 100 thumbs: " + html[:80], "<= 1.5 ms")]
    times = interleaved({"ours": lambda: 1000 * timed(render)}, 10 * context.runs, warm_up=5)
    with counted() as counts:
        render()
    return [
        limit(context.group, LABEL, times["ours"], "ms", 1.5),
        limit(context.group, f"{LABEL}: queries", counts.queries, "", 0),
        limit(context.group, f"{LABEL}: cache calls", counts.cache_calls, "", 0),
        limit(context.group, f"{LABEL}: S3 requests", counts.requests, "", 0),
    ]


def _page(context: Context) -> Callable[[], str]:
    from django.db import models
    from django.template import engines

    from athumb_storage.fields import ImageWithThumbsField

    class Photo(models.Model):
        image = ImageWithThumbsField(storage=ours.storage(context, SEED), thumbs=SEED.as_thumbs())

        class Meta:
            app_label = "benchmarks"

    photos = [Photo(pk=number, image=f"photos/photo-{number}.jpg") for number in range(100)]
    template: Any = engines["django"].from_string(PAGE)
    return lambda: str(template.render({"photos": photos}))
