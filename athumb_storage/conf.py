"""The settings of this package, read once and again whenever a test overrides them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlencode

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.dispatch import receiver
from django.utils.module_loading import import_string

from athumb_storage.exceptions import InvalidThumb
from athumb_storage.thumbsets import ThumbSet

PIXELS_IN_FLIGHT: Final = 48_000_000
"""Four photos of 12 megapixels, which take up to 9 bytes a pixel."""

LEASE_SECONDS: Final = 120.0
"""Four times what a thumb set may take by its `time_budget`."""

generation = 0
"""Grows whenever thumbs are defined anew, so that what was found before is looked up again."""


def thumbs_changed() -> None:
    """To be called after thumbs were defined: by a field, or by a setting."""
    global generation
    generation += 1


@lru_cache
def project_thumbs() -> ThumbSet:
    """`ATHUMB_THUMBS`: the thumbs of every storage that is given none of its own."""
    try:
        return ThumbSet(getattr(settings, "ATHUMB_THUMBS", None))
    except InvalidThumb as error:
        raise ImproperlyConfigured(f"ATHUMB_THUMBS: {error}") from error


@lru_cache
def pixels_in_flight() -> int | None:
    """`ATHUMB_PIXELS_IN_FLIGHT`: how many pixels a process decodes at once; None is no bound."""
    pixels: Any = getattr(settings, "ATHUMB_PIXELS_IN_FLIGHT", PIXELS_IN_FLIGHT)
    if pixels is not None and (type(pixels) is not int or pixels < 1):
        raise ImproperlyConfigured(f"ATHUMB_PIXELS_IN_FLIGHT is {pixels!r}; a positive whole number or None is wanted")
    return pixels


@lru_cache
def prune_prefixes() -> tuple[str, ...]:
    """`ATHUMB_PRUNE_PREFIXES`: where `athumb_audit --prune` may remove something, such as "s3://media/products/"."""
    prefixes = _strings("ATHUMB_PRUNE_PREFIXES", getattr(settings, "ATHUMB_PRUNE_PREFIXES", ()))
    for prefix in prefixes:
        if not prefix.endswith("/") or not prefix.startswith(("s3://", "/")) or prefix in ("s3://", "/"):
            wanted = '"s3://bucket/folder/" or "/absolute/folder/" is wanted, with a slash at its end'
            raise ImproperlyConfigured(f"ATHUMB_PRUNE_PREFIXES has {prefix!r}; {wanted}")
    return prefixes


@lru_cache
def files_in_use() -> dict[str, Callable[[Any], Iterable[Any]]]:
    """`ATHUMB_FILES_IN_USE`: what names files in a storage that are in use without a field, by its path."""
    try:
        paths = _strings("ATHUMB_FILES_IN_USE", getattr(settings, "ATHUMB_FILES_IN_USE", ()))
        return {path: import_string(path) for path in paths}
    except ImportError as error:
        raise ImproperlyConfigured(f"ATHUMB_FILES_IN_USE: {error}") from error


def _strings(setting: str, values: Any) -> tuple[str, ...]:
    """The values of a setting that is a list of strings."""
    if not isinstance(values, list | tuple) or not all(isinstance(value, str) for value in values):
        raise ImproperlyConfigured(f"{setting} is {values!r}; a list of strings is wanted")
    return tuple(values)


@lru_cache
def lease_seconds() -> float:
    """`ATHUMB_LEASE_SECONDS`: for how long a worker of a run has a range without a row being done."""
    seconds: Any = getattr(settings, "ATHUMB_LEASE_SECONDS", LEASE_SECONDS)
    if type(seconds) not in (int, float) or not 0 < seconds < 1e6:
        raise ImproperlyConfigured(f"ATHUMB_LEASE_SECONDS is {seconds!r}; a positive number is wanted")
    return float(seconds)


@lru_cache
def cache_buster() -> str:
    """`MEDIA_CACHE_BUSTER` as a query string, such as "cbust=42"; "" if there is none."""
    value = getattr(settings, "MEDIA_CACHE_BUSTER", "")
    return urlencode({"cbust": value}) if value else ""


@receiver(setting_changed)
def _read_again(*, setting: str, **_: Any) -> None:
    if setting == "ATHUMB_THUMBS":
        project_thumbs.cache_clear()
        thumbs_changed()
    elif setting == "ATHUMB_PIXELS_IN_FLIGHT":
        pixels_in_flight.cache_clear()
    elif setting == "ATHUMB_LEASE_SECONDS":
        lease_seconds.cache_clear()
    elif setting == "MEDIA_CACHE_BUSTER":
        cache_buster.cache_clear()
    elif setting == "ATHUMB_PRUNE_PREFIXES":
        prune_prefixes.cache_clear()
    elif setting == "ATHUMB_FILES_IN_USE":
        files_in_use.cache_clear()
