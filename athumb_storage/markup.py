"""HTML that shows thumbs: `<img>`, `<picture>`, and what they are made of. It is string work: nobody is asked.

Of an empty field, and of a file without thumbs, nothing is written. All raise `AthumbError` where the file never has
thumbs, or not that one. A page that lacks a thumb is better than no page, but who develops it wants to know at once:
`nothing` is for that.
"""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Callable, Mapping
from functools import lru_cache, wraps
from html import escape  # Django's takes twice the time
from typing import Any, Concatenate, Final, ParamSpec, TypeVar, cast

from django.conf import settings
from django.utils.safestring import SafeString

from athumb_storage.exceptions import AthumbError, OriginalSizeUnknown
from athumb_storage.fieldfiles import ThumbsFieldFile, thumbs_file
from athumb_storage.formats import MIME_TYPES, FormatName
from athumb_storage.rendering import placeholder_png
from athumb_storage.specs import Thumb

logger = logging.getLogger("athumb_storage")

_ATTRIBUTE: Final = re.compile(r"[A-Za-z_:@][\w.:@-]*")

P = ParamSpec("P")
R = TypeVar("R", bound=str)


def nothing(what: str) -> SafeString:
    """Written in place of what is an error, which is being handled, and which `what` names in the log.

    Raises:
        AthumbError: DEBUG is on.
    """
    if settings.DEBUG:
        raise
    logger.exception("%s shows nothing.", what)
    return SafeString("")


def _of_any_file(write: Callable[Concatenate[ThumbsFieldFile, Any, P], R]) -> Callable[Concatenate[Any, Any, P], R]:
    """Let it be asked of any file: of none, and of one without thumbs, nothing is written."""

    @wraps(write)
    def written(file: Any, thumb: Any, /, *args: P.args, **options: P.kwargs) -> R:
        known = _checked(file, thumb) if file else None
        return write(known, thumb, *args, **options) if known else cast("R", SafeString(""))

    return written


def _checked(file: Any, thumb: Any) -> ThumbsFieldFile | None:
    """The file, if something is to be shown of it.

    Raises:
        AthumbError: it never has thumbs, or not that one.
    """
    known = thumbs_file(file)
    storage = known.storage
    storage.thumbs.names_of(thumb)
    return known if storage.has_thumbs(known.name) or known.has_placeholder_url else None


@_of_any_file
def thumbnail(file: ThumbsFieldFile, thumb: str | Thumb, /, *, force_ssl: bool = False) -> str:
    """The URL of a thumb."""
    return file.url_for_thumb(thumb, force_ssl=force_ssl)


@_of_any_file
def srcset(
    file: ThumbsFieldFile,
    thumb: str | Thumb,
    /,
    format: FormatName | None = None,  # noqa: A002, it is the option's name
    *,
    force_ssl: bool = False,
) -> str:
    """The widths of a responsive set, or the densities of a thumb, in one of its formats."""
    return "" if file.has_placeholder_url else file.srcset(thumb, format, force_ssl=force_ssl)


@_of_any_file
def thumb_size(file: ThumbsFieldFile, thumb: str | Thumb, /) -> SafeString:
    """Width and height of a thumb as attributes; empty where they are not known."""
    return _attributes({} if file.has_placeholder_url else _size(file, thumb))


@_of_any_file
def thumb_img(
    file: ThumbsFieldFile, thumb: str | Thumb, /, *, force_ssl: bool = False, **attributes: Any
) -> SafeString:
    """An `<img>` of a thumb, or of a responsive set, in the plain format.

    Args:
        file: the file of a field.
        thumb: a thumb name, the name of a responsive set, or a Thumb.
        force_ssl: make URLs https where they would be http.
        attributes: any of the element; `data_id` and `class_` stand for `data-id` and `class`. True is one without a
            value, None is none, also in place of those that are written unasked.
    """
    candidates = "" if file.has_placeholder_url else file.srcset(thumb, force_ssl=force_ssl)
    return _img(file, thumb, force_ssl, attributes, candidates)


@_of_any_file
def picture(file: ThumbsFieldFile, thumb: str | Thumb, /, *, force_ssl: bool = False, **attributes: Any) -> SafeString:
    """A `<picture>` of all formats of a thumb, or of a responsive set, best first; the browser chooses.

    Args:
        file, thumb, force_ssl: as for `thumb_img`.
        attributes: those of the `<img>`; `sizes` says how wide it is shown.
    """
    sources = [] if file.has_placeholder_url else file.srcsets(thumb, force_ssl=force_ssl)
    if len(sources) == 1 and " " not in sources[0][1]:
        sources = []  # there is nothing to choose from
    sizes = f' sizes="{escape(str(attributes.pop("sizes")))}"' if attributes.get("sizes") else ""
    written = [f'<source type="{MIME_TYPES[each]}" srcset="{escape(urls)}"{sizes}>' for each, urls in sources]
    return SafeString(f"<picture>{''.join(written)}{_img(file, thumb, force_ssl, attributes, '')}</picture>")


def _img(
    file: ThumbsFieldFile, thumb: str | Thumb, force_ssl: bool, given: Mapping[str, Any], candidates: str
) -> SafeString:
    """The `<img>`; of a file without thumbs that of the placeholder, whose size nobody knows."""
    written: dict[str, Any] = {"src": file.url_for_thumb(thumb, force_ssl=force_ssl)}
    if candidates:
        written["srcset"] = candidates
    if not file.has_placeholder_url:
        written |= _size(file, thumb)
    written |= {"alt": "", "loading": "lazy", "decoding": "async"}
    written |= {_spelled(name): value for name, value in given.items()}
    if not written.get("srcset"):
        written.pop("sizes", None)  # which HTML allows nowhere else
    if background := _background(file):
        written["style"] = "; ".join(filter(None, [background, written.get("style")]))
    return SafeString(f"<img {_attributes(written)}>")


def _size(file: ThumbsFieldFile, thumb: str | Thumb) -> dict[str, int]:
    try:
        width, height = file.thumb_size(thumb)
    except OriginalSizeUnknown:
        return {}
    return {"width": width, "height": height}


def _background(file: ThumbsFieldFile) -> str:
    """What is shown until the thumb is there."""
    picture = placeholder_png(file.placeholder)
    if not picture:
        return ""
    return f"background: url(data:image/png;base64,{base64.b64encode(picture).decode()}) center / cover"


def _attributes(values: Mapping[str, Any]) -> SafeString:
    written = []
    for name, value in values.items():
        if value is True:
            written.append(name)
        elif value is not None and value is not False:
            written.append(f'{name}="{escape(str(value))}"')
    return SafeString(" ".join(written))


@lru_cache
def _spelled(name: str) -> str:
    """An attribute as HTML has it, of a name that may be one of Python."""
    spelled = name.rstrip("_").replace("_", "-")
    if not _ATTRIBUTE.fullmatch(spelled):
        raise AthumbError(f"{name!r} is no attribute.")
    return spelled
