"""What each format's encoder can be told: the quality, and the options that are passed on to Pillow. Pure data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, Generic, TypeVar

from athumb_storage.exceptions import InvalidThumb
from athumb_storage.formats import EXTENSIONS, canonical

V = TypeVar("V")

DEFAULT_QUALITY: Final = {"JPEG": 85, "WEBP": 85, "AVIF": 65}
"""The formats that have a quality, each with that of the same looks, as `python -m tests.benchmarks.looks` measures."""

Choices = type[bool] | range | tuple[object, ...]

_OPTIONS: Final[Mapping[str, Mapping[str, Choices]]] = {
    "JPEG": {
        "optimize": bool,
        "progressive": bool,
        "subsampling": ("4:4:4", "4:2:2", "4:2:0", "4:1:1"),
        "smooth": range(101),
        "restart_marker_blocks": range(65536),
        "restart_marker_rows": range(65536),
    },
    "PNG": {"optimize": bool, "compress_level": range(10), "compress_type": range(5)},
    "GIF": {"optimize": bool, "interlace": bool},
    "WEBP": {"lossless": bool, "method": range(7), "alpha_quality": range(101), "exact": bool},
    "AVIF": {
        "speed": range(11),
        "subsampling": ("4:4:4", "4:2:2", "4:2:0", "4:0:0"),
        "range": ("full", "limited"),
        "max_threads": range(1, 65),
        "tile_rows": range(7),
        "tile_cols": range(7),
        "autotiling": bool,
        "alpha_premultiplied": bool,
    },
    "BMP": {},
    "TIFF": {"compression": ("raw", "tiff_lzw", "tiff_deflate", "tiff_adobe_deflate", "packbits")},
}
"""Those of Pillow's `save` that change how pixels are written; none that would write anything else into a thumb."""


class Frozen(Mapping[str, V], Generic[V]):
    """A mapping that cannot be changed and has a hash, so that a Thumb has one."""

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[str, V]) -> None:
        self._items = dict(sorted(items.items()))

    def __getitem__(self, key: str) -> V:
        return self._items[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        return hash(tuple(self._items.items()))

    def __repr__(self) -> str:
        return repr(self._items)


def checked_quality(quality: object) -> int | Frozen[int] | None:
    """The option `quality`: None, a number, or numbers by format.

    Raises:
        InvalidThumb: it is something else.
    """
    if not isinstance(quality, Mapping):
        return None if quality is None else _checked_number(quality)
    by_format = _by_format(quality, "quality")
    for name in by_format:
        if name not in DEFAULT_QUALITY:
            raise InvalidThumb(f"option 'quality': {name} has none; {', '.join(DEFAULT_QUALITY)} have")
    return Frozen({name: _checked_number(value) for name, value in by_format.items()})


def checked_encoder(encoder: object, image_format: str | None) -> Frozen[Any] | None:
    """The option `encoder`: None, options for `image_format`, or options by format; by format in any case.

    Raises:
        InvalidThumb: it is something else, or no encoder knows an option or its value.
    """
    if encoder is None:
        return None
    if not isinstance(encoder, Mapping):
        raise InvalidThumb(f"option 'encoder': {encoder!r} is no mapping of options")
    if not all(isinstance(value, Mapping) for value in encoder.values()):
        if image_format is None:
            raise InvalidThumb("option 'encoder': options by format are wanted of a thumb that names no 'format'")
        encoder = {image_format: encoder}
    by_format = _by_format(encoder, "encoder")
    return Frozen({name: _checked_options(name, options) for name, options in by_format.items()})


def _by_format(values: Mapping[Any, V], option: str) -> dict[str, V]:
    found = {}
    for name, value in values.items():
        known = canonical(name) if isinstance(name, str) else None
        if known is None:
            raise InvalidThumb(f"option {option!r}: {name!r} is none of {', '.join(EXTENSIONS)}")
        found[known] = value
    return found


def _checked_number(quality: object) -> int:
    if type(quality) is not int or not 1 <= quality <= 100:
        raise InvalidThumb(f"option 'quality': {quality!r} is not a whole number from 1 to 100")
    return quality


def _checked_options(image_format: str, options: Mapping[Any, Any]) -> Frozen[Any]:
    known = _OPTIONS[image_format]
    for name, value in options.items():
        if name not in known:
            which = f"it knows {', '.join(known)}" if known else "it knows none"
            raise InvalidThumb(f"option 'encoder': that of {image_format} knows no {name!r}; {which}")
        if not _is_one_of(value, known[name]):
            raise InvalidThumb(
                f"option 'encoder': {name!r} of {image_format} cannot be {value!r}; {_told(known[name])}"
            )
    return Frozen(options)


def _is_one_of(value: object, choices: Choices) -> bool:
    if choices is bool:
        return isinstance(value, bool)
    return not isinstance(value, bool) and isinstance(choices, range | tuple) and value in choices


def _told(choices: Choices) -> str:
    if isinstance(choices, range):
        return f"a whole number is wanted, from {choices.start} to {choices.stop - 1}"
    return f"one of these is wanted: {', '.join(map(repr, choices if isinstance(choices, tuple) else (True, False)))}"
