"""The tags as functions of Jinja2: `{{ picture(product.image, "hero", sizes="100vw") }}`.

Put `athumb_storage.contrib.jinja2.ThumbsExtension` into the `extensions` of the backend.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from jinja2 import Environment, pass_context
from jinja2.ext import Extension
from jinja2.runtime import Context

from athumb_storage import markup
from athumb_storage.exceptions import AthumbError


class ThumbsExtension(Extension):
    """Adds `thumbnail`, `thumb_img`, `picture`, `srcset` and `thumb_size` to the functions of an environment."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        for write in (markup.thumbnail, markup.thumb_img, markup.picture, markup.srcset, markup.thumb_size):
            environment.globals[write.__name__] = _as_function(write)


def _as_function(write: Callable[..., str]) -> Callable[..., str]:
    @pass_context
    @wraps(write)
    def written(context: Context, file: Any, thumb: Any, *args: Any, **options: Any) -> str:
        request = context.get("request")
        if request is not None and request.is_secure() and write is not markup.thumb_size:
            options["force_ssl"] = True
        try:
            return write(file, thumb, *args, **options)
        except AthumbError:
            return markup.nothing(f"{write.__name__}({file!r}, {thumb!r})")

    return written
