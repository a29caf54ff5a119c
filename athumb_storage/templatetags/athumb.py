"""The tags that show thumbs: thin doors to `athumb_storage.markup`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from django import template
from django.template.base import FilterExpression, Parser, Token
from django.template.context import Context
from django.utils.html import conditional_escape

from athumb_storage import markup
from athumb_storage.exceptions import AthumbError

register = template.Library()

# Such a thumb name needs no quotes.
_SIZE: Final = re.compile(r"\d+x\d+")

_OPTION: Final = re.compile(r"([\w:.@-]+)=(.+)", re.DOTALL)

Options = Mapping[str, FilterExpression]


class ThumbNode(template.Node):
    """Writes something of a file and a thumb, or keeps it in a variable."""

    def __init__(
        self,
        tag: str,
        write: Callable[..., str],
        file: FilterExpression,
        thumb: FilterExpression,
        options: Options,
        variable: str | None,
    ) -> None:
        self.tag = tag
        self.spelled = f"{{% {tag} {file} {thumb} %}}"
        self.write = write
        self.file = file
        self.thumb = thumb
        self.options = options
        self.variable = variable

    def render(self, context: Context) -> str:
        try:
            written = self._written(context)
        except AthumbError:
            written = markup.nothing(self.spelled)
        if self.variable is not None:
            context[self.variable] = written
            return ""
        return conditional_escape(written) if context.autoescape else written

    def _written(self, context: Context) -> str:
        file = self.file.resolve(context, ignore_failures=True)
        if not file:
            return ""
        options: dict[str, Any] = {}
        for name, value in self.options.items():
            options[name] = value.resolve(context, ignore_failures=True)
        if self.write is not markup.thumb_size:
            options["force_ssl"] = bool(options.get("force_ssl")) or _is_secure(context)
        return self.write(file, self._thumb_name(context), **options)

    def _thumb_name(self, context: Context) -> Any:
        thumb = self.thumb.resolve(context, ignore_failures=True)
        if isinstance(thumb, str):
            thumb = thumb.strip()
        if thumb is None or thumb == "":
            quoted = f"{{% {self.tag} {self.file} '{self.thumb}' %}}"
            raise AthumbError(
                f"The thumb name {self.thumb} is empty, or there is no such variable. "
                f"A name itself needs quotes: {quoted}."
            )
        return thumb


def _is_secure(context: Context) -> bool:
    request = context.get("request")
    return request is not None and request.is_secure()


def _compiled(parser: Parser, token: Token, write: Callable[..., str], known: tuple[str, ...] | None) -> ThumbNode:
    """The node of a tag.

    Args:
        parser, token: Django's.
        write: what the tag writes.
        known: the options it has; None is any.
    """
    tag, *words = token.split_contents()
    variable = None
    if len(words) >= 2 and words[-2] == "as":
        variable = words[-1].strip("'\"")
        words = words[:-2]
    if len(words) < 2:
        raise template.TemplateSyntaxError(f"{tag!r} wants a file and a thumb name.")
    file, thumb, *rest = words
    if _SIZE.fullmatch(thumb):
        thumb = f"'{thumb}'"
    options = {}
    for word in rest:
        option = _OPTION.fullmatch(word)
        if not option or (known is not None and option[1] not in known):
            which = "any attribute" if known is None else ", ".join(known) or "nothing"
            raise template.TemplateSyntaxError(f"{tag!r} does not know {word!r}; it takes {which}, as name=value.")
        options[option[1]] = parser.compile_filter(option[2])
    return ThumbNode(tag, write, parser.compile_filter(file), parser.compile_filter(thumb), options, variable)


@register.tag
def thumbnail(parser: Parser, token: Token) -> ThumbNode:
    """The URL of a thumb, which is never looked up.

    {% thumbnail product.image '60x60' %}
    {% thumbnail product.image 60x60 force_ssl=True %}
    {% thumbnail product.image thumb_name as thumb %} <img src="{{ thumb }}">
    """
    return _compiled(parser, token, markup.thumbnail, ("force_ssl",))


@register.tag
def thumb_img(parser: Parser, token: Token) -> ThumbNode:
    """An `<img>` of a thumb, or of a responsive set.

    {% thumb_img product.image 'large' alt=product.name class="cover" data-id=product.pk %}
    """
    return _compiled(parser, token, markup.thumb_img, None)


@register.tag
def picture(parser: Parser, token: Token) -> ThumbNode:
    """A `<picture>` with all formats of a thumb, or of a responsive set.

    {% picture product.image 'hero' sizes="(min-width: 60em) 50vw, 100vw" alt=product.name %}
    """
    return _compiled(parser, token, markup.picture, None)


@register.tag
def srcset(parser: Parser, token: Token) -> ThumbNode:
    """The widths of a responsive set, or the densities of a thumb, with their URLs.

    <img srcset="{% srcset product.image 'hero' format='WEBP' %}" sizes="100vw">
    """
    return _compiled(parser, token, markup.srcset, ("format", "force_ssl"))


@register.tag
def thumb_size(parser: Parser, token: Token) -> ThumbNode:
    """Width and height of a thumb as attributes; nothing where they are not known.

    <img src="{% thumbnail product.image 'large' %}" {% thumb_size product.image 'large' %}>
    """
    return _compiled(parser, token, markup.thumb_size, ())
