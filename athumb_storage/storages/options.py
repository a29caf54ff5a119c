"""The options of a storage, checked when it is made. Each check raises `ValueError`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from athumb_storage.formats import EXTENSIONS, MIME_TYPES, canonical
from athumb_storage.naming import NAMINGS, Naming

ON_ERROR: Final = ("raise", "skip")


def checked_fallback(fallback: str) -> str:
    known = canonical(fallback)
    if known is None:
        raise ValueError(f"{fallback!r} is none of {', '.join(EXTENSIONS)}")
    return known


def checked_naming(naming: str | Naming) -> Naming:
    if isinstance(naming, str):
        if naming not in NAMINGS:
            raise ValueError(f"{naming!r} is none of {', '.join(NAMINGS)}")
        return NAMINGS[naming]
    if not isinstance(naming, Naming):
        raise ValueError(f"{naming!r} lacks one of the methods key, prefix and original")  # noqa: TRY004
    return naming


def checked_formats(formats: Iterable[str]) -> frozenset[str]:
    if isinstance(formats, str):
        raise ValueError(f"a list of formats is wanted, not {formats!r}")  # noqa: TRY004
    names = {name: canonical(name) or name.upper() for name in formats}
    for name, known in names.items():
        if known not in MIME_TYPES:
            raise ValueError(f"{name!r} is none of {', '.join(MIME_TYPES)}")
    return frozenset(names.values())


def checked_on_error(on_error: str) -> str:
    if on_error not in ON_ERROR:
        raise ValueError(f"{on_error!r} is none of {', '.join(ON_ERROR)}")
    return on_error
