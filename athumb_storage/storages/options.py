"""The options that every storage with thumbs has, as one value that checks itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any, Final, Literal, TypedDict, get_args

from athumb_storage import conf
from athumb_storage.formats import EXTENSIONS, MIME_TYPES, FormatName, canonical
from athumb_storage.naming import NAMINGS, Naming
from athumb_storage.rendering import HEIC_NEEDED, Limits, readable_formats
from athumb_storage.specs import OriginalOptions, Thumb, Variant, parse_original
from athumb_storage.thumbsets import ThumbSet, ThumbsOrNone

OnError = Literal["raise", "skip"]
"""What becomes of an image whose thumbs cannot be made."""

ON_ERROR: Final[tuple[OnError, ...]] = get_args(OnError)

NamingWord = Literal["folder", "athumb", "fingerprint"]
"""The namings that have words."""


class StorageOptionsDict(TypedDict, total=False):
    """The options of every storage, as a project writes them: what `StorageOptions` makes of them is narrower.

    A storage of your own passes them on: `def __init__(self, **options: Unpack[StorageOptionsDict]) -> None`.
    """

    thumbs: ThumbsOrNone
    naming: NamingWord | Naming
    fallback_format: FormatName
    allowed_formats: Iterable[str]
    max_pixels: int | None
    max_frames: int | None
    max_animation_pixels: int | None
    max_bytes: int | None
    time_budget: float | None
    strip_original: bool
    original: OriginalOptions | None
    on_error: OnError
    placeholder_url: str | None


@dataclass(frozen=True, kw_only=True)
class StorageOptions:
    """What a project may say of a storage with thumbs.

    Raises:
        ValueError: an option is wrong; the message names it.
    """

    thumbs: ThumbSet | None = None
    """The storage's own thumbs, or what makes a ThumbSet; None takes those of the setting `ATHUMB_THUMBS`."""
    naming: Naming = NAMINGS["folder"]
    """"folder", "athumb", "fingerprint", or an object with the methods of `naming.Naming`."""
    fallback_format: str = "JPEG"
    """The format of a thumb where neither its Thumb nor the original's name tells one."""
    allowed_formats: frozenset[str] = field(default_factory=readable_formats)
    """The formats of originals that are opened, by default all that can be; to others no thumbs are made."""
    max_pixels: int | None = Limits.max_pixels
    max_frames: int | None = Limits.max_frames
    max_animation_pixels: int | None = Limits.max_animation_pixels
    max_bytes: int | None = Limits.max_bytes
    time_budget: float | None = Limits.time_budget
    """These five are the limits of an image, see `rendering.Limits`."""
    strip_original: bool = False
    """Whether originals are stored without their metadata; the pixels stay as they are, byte for byte."""
    original: Thumb | None = None
    """What an original is bounded to, as `specs.OriginalOptions`; its metadata are left out as well."""
    on_error: OnError = "raise"
    """"raise" refuses an image whose thumbs cannot be made; "skip" stores it without them."""
    placeholder_url: str | None = None
    """What `url_for_thumb` gives for an original that was stored without thumbs."""

    def __post_init__(self) -> None:
        for option, parse in _PARSERS.items():
            try:
                object.__setattr__(self, option, parse(getattr(self, option)))
            except ValueError as error:
                raise ValueError(f"option {option!r}: {error}") from error
        self.limits  # noqa: B018, it checks the five

    @cached_property
    def keeps_extension(self) -> bool:
        """Whether the key of a thumb that names no format has the extension of its original."""
        return bool(getattr(self.naming, "keeps_extension", False))

    def is_immutable(self, variant: Variant) -> bool:
        """Whether what is stored for this variant stays as it is, as long as its original does."""
        return bool(getattr(self.naming, "has_fingerprints", False)) and variant.thumb.crop != "focal"

    @property
    def limits(self) -> Limits:
        """The limits of an image, with what the whole process may decode at once."""
        return Limits(
            max_pixels=self.max_pixels,
            max_frames=self.max_frames,
            max_animation_pixels=self.max_animation_pixels,
            max_bytes=self.max_bytes,
            time_budget=self.time_budget,
            pixels_in_flight=conf.pixels_in_flight(),
        )


def parse_on_error(on_error: OnError) -> OnError:
    """
    Raises:
        ValueError: it is no way to go on after an error.
    """
    if on_error not in ON_ERROR:
        raise ValueError(f"{on_error!r} is none of {', '.join(ON_ERROR)}")
    return on_error


def _parse_thumbs(thumbs: Any) -> ThumbSet | None:
    return None if thumbs is None else ThumbSet(thumbs)


def _parse_naming(naming: str | Naming) -> Naming:
    if isinstance(naming, str):
        if naming not in NAMINGS:
            raise ValueError(f"{naming!r} is none of {', '.join(NAMINGS)}")
        return NAMINGS[naming]
    if not isinstance(naming, Naming):
        raise ValueError(f"{naming!r} lacks one of the methods key, prefix and original")  # noqa: TRY004
    return naming


def _parse_fallback(fallback: str) -> str:
    known = canonical(fallback)
    if known is None:
        raise ValueError(f"{fallback!r} is none of {', '.join(EXTENSIONS)}")
    return known


def _parse_formats(formats: Iterable[str]) -> frozenset[str]:
    if isinstance(formats, str):
        raise ValueError(f"a list of formats is wanted, not {formats!r}")  # noqa: TRY004
    parsed = set()
    for name in formats:
        known = canonical(name) or name.upper()
        if known not in MIME_TYPES:
            raise ValueError(f"{name!r} is none of {', '.join(MIME_TYPES)}")
        if known not in readable_formats():
            raise ValueError(HEIC_NEEDED)
        parsed.add(known)
    return frozenset(parsed)


_PARSERS: Final[Mapping[str, Callable[[Any], object]]] = {
    "thumbs": _parse_thumbs,
    "naming": _parse_naming,
    "fallback_format": _parse_fallback,
    "allowed_formats": _parse_formats,
    "original": parse_original,
    "on_error": parse_on_error,
}
"""What an option is made of, and how."""

OPTIONS: Final = tuple(field.name for field in fields(StorageOptions))
"""The names of all of them."""
