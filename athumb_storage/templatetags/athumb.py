"""`{% thumbnail file "large" %}`: the URL of a thumb."""

from __future__ import annotations

import logging
import re
from typing import Any, Final

from django import template
from django.conf import settings
from django.template.base import FilterExpression, Parser, Token
from django.template.context import Context
from django.utils.html import conditional_escape

from athumb_storage.exceptions import AthumbError
from athumb_storage.fields import ThumbsFieldFile

logger = logging.getLogger("athumb_storage")

register = template.Library()

# Such a thumb name needs no quotes.
_SIZE: Final = re.compile(r"\d+x\d+")


class ThumbnailNode(template.Node):
    def __init__(
        self, file: FilterExpression, thumb: FilterExpression, force_ssl: FilterExpression | None, variable: str | None
    ) -> None:
        self.file = file
        self.thumb = thumb
        self.force_ssl = force_ssl
        self.variable = variable

    def render(self, context: Context) -> str:
        url = self._url(context)
        if self.variable is not None:
            context[self.variable] = url
            return ""
        return conditional_escape(url) if context.autoescape else url

    def _url(self, context: Context) -> str:
        file = self.file.resolve(context, ignore_failures=True)
        if not file:
            return ""
        try:
            return _thumb_url(file, self._thumb_name(context), self._wants_ssl(context))
        except AthumbError:
            # A page that lacks a thumb is better than no page; who develops it wants to know at once.
            if settings.DEBUG:
                raise
            logger.exception("{%% thumbnail %s %s %%} has no URL.", self.file, self.thumb)
            return ""

    def _thumb_name(self, context: Context) -> Any:
        thumb = self.thumb.resolve(context, ignore_failures=True)
        if isinstance(thumb, str):
            thumb = thumb.strip()
        if thumb is None or thumb == "":
            raise AthumbError(
                f"The thumb name {self.thumb} is empty, or there is no such variable. A name itself needs quotes: "
                f"{{% thumbnail {self.file} '{self.thumb}' %}}."
            )
        return thumb

    def _wants_ssl(self, context: Context) -> bool:
        if self.force_ssl is not None and self.force_ssl.resolve(context):
            return True
        request = context.get("request")
        return request is not None and request.is_secure()


def _thumb_url(file: Any, thumb: Any, force_ssl: bool) -> str:
    storage: Any = getattr(file, "storage", None)
    if not hasattr(storage, "url_for_thumb"):
        raise AthumbError(f"{file!r} has no thumbs: it is not the file of a storage that makes them.")
    # Of a plain field, whose storage would look among the thumbs of other fields as well.
    storage.thumbs.name_of(thumb)
    if isinstance(file, ThumbsFieldFile):  # which knows the focal point
        return file.url_for_thumb(thumb, force_ssl=force_ssl)
    return str(storage.url_for_thumb(file.name, thumb, force_ssl=force_ssl))


@register.tag
def thumbnail(parser: Parser, token: Token) -> ThumbnailNode:
    """The URL of a thumb, which is never looked up.

    {% thumbnail product.image '60x60' %}
    {% thumbnail product.image 60x60 force_ssl=True %}
    {% thumbnail product.image thumb_name as thumb %} <img src="{{ thumb }}">
    """
    tag, *words = token.split_contents()
    variable = None
    if len(words) >= 2 and words[-2] == "as":
        variable = words[-1].strip("'\"")
        words = words[:-2]
    if len(words) < 2:
        raise template.TemplateSyntaxError(f"{tag!r} wants a file and a thumb name.")
    file, thumb, *options = words
    if _SIZE.fullmatch(thumb):
        thumb = f"'{thumb}'"
    return ThumbnailNode(
        parser.compile_filter(file), parser.compile_filter(thumb), _force_ssl(parser, tag, options), variable
    )


def _force_ssl(parser: Parser, tag: str, options: list[str]) -> FilterExpression | None:
    force_ssl = None
    for option in options:
        name, _, value = option.partition("=")
        if name != "force_ssl" or not value:
            raise template.TemplateSyntaxError(f"{tag!r} does not know {option!r}; its only option is force_ssl=True.")
        force_ssl = parser.compile_filter(value)
    return force_ssl
