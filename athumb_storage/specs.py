"""`Thumb` and `ThumbSet`: what a thumb is to look like, checked when it is written down. No Django, no Pillow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Final, Required, TypedDict

from athumb_storage.encoders import DEFAULT_QUALITY, checked_encoder, checked_quality
from athumb_storage.exceptions import InvalidThumb, UnknownThumb
from athumb_storage.formats import EXTENSIONS, WEB_FORMATS, FormatName, canonical, format_of_name
from athumb_storage.geometry import CropAmount, CropWord, Size, parse_crop

if TYPE_CHECKING:
    from typing import Unpack

MAX_SIDE: Final = 16_383
"""The longest side of a thumb in pixels: the most that WebP can hold."""


class ThumbOptions(TypedDict, total=False):
    """The options of a `Thumb`, as a project writes them: what a Thumb makes of them is narrower."""

    size: Required[Size]
    crop: CropWord | CropAmount | bool | None
    upscale: bool
    format: FormatName | None
    quality: int | Mapping[FormatName, int] | None
    encoder: Mapping[str, Any] | None


@dataclass(frozen=True, kw_only=True)
class Thumb:
    """How one thumb is derived from its original.

    Raises:
        InvalidThumb: an option is wrong; the message names it.
    """

    size: Size
    """The box in pixels, (width, height)."""
    crop: str | None = None
    """None fits the original into the box. `True` or a place ("top", "left top", "50% 20%", "10px 0px") fills it."""
    upscale: bool = True
    """Whether an original smaller than the box is enlarged."""
    format: str | None = None
    """JPEG, PNG, GIF, WEBP or AVIF; None takes that of the original's name."""
    quality: int | Mapping[str, int] | None = None
    """1 to 100, for the formats that have a quality, or numbers by format; None takes the format's own default."""
    encoder: Mapping[str, Mapping[str, Any]] | None = None
    """Options for Pillow's `save`, for the thumb's format or by format."""

    if TYPE_CHECKING:

        def __init__(self, **options: Unpack[ThumbOptions]) -> None: ...

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", _checked_size(self.size))
        object.__setattr__(self, "crop", _checked_crop(self.crop))
        if not isinstance(self.upscale, bool):
            raise InvalidThumb(f"option 'upscale': {self.upscale!r} is neither True nor False")
        object.__setattr__(self, "format", checked_format(self.format))
        object.__setattr__(self, "quality", checked_quality(self.quality))
        image_format = canonical(self.format) if self.format else None
        object.__setattr__(self, "encoder", checked_encoder(self.encoder, image_format))

    @classmethod
    def parse(cls, options: Thumb | Mapping[str, Any]) -> Thumb:
        """A Thumb from a mapping of its options; a Thumb is taken as it is."""
        if isinstance(options, Thumb):
            return options
        if not isinstance(options, Mapping):
            raise InvalidThumb(f"a Thumb or a mapping of options is wanted, not {options!r}")
        known = [field.name for field in fields(cls)]
        for option in options:
            if option not in known:
                raise InvalidThumb(f"option {option!r} is unknown; the options are {', '.join(known)}")
        if "size" not in options:
            raise InvalidThumb("option 'size' is missing")
        return cls(**options)

    def quality_for(self, image_format: str) -> int | None:
        """The quality in this format; None if it has none."""
        default = DEFAULT_QUALITY.get(image_format)
        if default is None or self.quality is None:
            return default
        return self.quality.get(image_format, default) if isinstance(self.quality, Mapping) else self.quality

    def format_for(self, name: str, fallback: str, keeps_extension: bool = False) -> str:
        """The format this thumb has for an original called `name`: its own, else the name's, else `fallback`.

        Args:
            name: the original's name.
            fallback: the format where nothing else tells one.
            keeps_extension: whether the thumb's key has the extension of the name, so that what it says is the format,
                even if no thumb would be in it otherwise.
        """
        if self.format:
            return canonical(self.format) or fallback
        told = format_of_name(name)
        return told if told and (keeps_extension or told in WEB_FORMATS) else fallback


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """One stored file of a thumb."""

    thumb_name: str
    thumb: Thumb
    format: str
    """What its bytes are, a key of `formats.EXTENSIONS`."""
    extension: str
    """That of its format, without a dot."""
    density: int = 1
    """How many pixels it has, a side, for each pixel of the thumb's box."""

    @classmethod
    def of(cls, thumb_name: str, thumb: Thumb, image_format: str) -> Variant:
        """The variant of a thumb in a format."""
        return cls(thumb_name=thumb_name, thumb=thumb, format=image_format, extension=EXTENSIONS[image_format])


def _checked_size(size: object) -> Size:
    match size:
        case (int(width), int(height)) if all(type(side) is int and 1 <= side <= MAX_SIDE for side in (width, height)):
            return width, height  # True is an int, too, but no size
    raise InvalidThumb(f"option 'size': {size!r} is not two whole numbers of pixels from 1 to {MAX_SIDE}")


def _checked_crop(crop: object) -> str | None:
    if crop is None or crop is False:
        return None
    if crop is True:
        return "center"
    if not isinstance(crop, str):
        raise InvalidThumb(f"option 'crop': {crop!r} is neither True nor a place")
    try:
        parse_crop(crop)
    except ValueError as error:
        raise InvalidThumb(f"option 'crop': {crop!r}: {error}") from None
    return crop


def checked_format(format: object) -> str | None:  # noqa: A002, it is the option's name
    """The format in capitals, as it was spelled (JPG stays JPG: old keys end in `.jpg` or `.jpeg`), or None."""
    if format is None:
        return None
    if not isinstance(format, str) or canonical(format) is None:
        raise InvalidThumb(f"option 'format': {format!r} is none of {', '.join(EXTENSIONS)}")
    return format.upper()


Thumbs = Mapping[str, Thumb | ThumbOptions] | Sequence[tuple[str, Thumb | ThumbOptions]]
"""What makes a `ThumbSet`. An iterator does so as well, but beside it mypy does not look into a dict."""

ThumbsOrNone = Mapping[str, Thumb | ThumbOptions] | Sequence[tuple[str, Thumb | ThumbOptions]] | None
"""The same, or None. It is spelled out because mypy does not look into pairs where it sees `Thumbs | None`."""


class ThumbSet(Mapping[str, Thumb]):
    """The thumbs of a field or a storage: a read-only, ordered mapping of thumb name to `Thumb`.

    Built from a mapping, or from pairs of thumb name and options; each value is a `Thumb` or a mapping of its options.

    Raises:
        InvalidThumb: a thumb name or an option is wrong; the message names both.
    """

    __slots__ = ("_thumbs",)

    def __init__(self, thumbs: ThumbsOrNone = None) -> None:
        pairs = thumbs.items() if isinstance(thumbs, Mapping) else _checked_pairs(thumbs or ())
        self._thumbs: dict[str, Thumb] = {}
        for name, options in pairs:
            self._add(_checked_name(name), options)

    def _add(self, name: str, options: Any) -> None:
        if name in self._thumbs:
            raise InvalidThumb(f"thumb {name!r} is there twice")
        try:
            self._thumbs[name] = Thumb.parse(options)
        except InvalidThumb as error:
            raise InvalidThumb(f"thumb {name!r}: {error}") from None

    def __getitem__(self, name: str) -> Thumb:
        return self._thumbs[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._thumbs)

    def __len__(self) -> int:
        return len(self._thumbs)

    def __hash__(self) -> int:
        return hash(tuple(self._thumbs.items()))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ThumbSet) and list(self.items()) == list(other.items())

    def __repr__(self) -> str:
        return f"ThumbSet({self._thumbs!r})"

    def name_of(self, thumb: str | Thumb) -> str:
        """The thumb name of `thumb`, which is one already or a Thumb of this set.

        Raises:
            UnknownThumb: it is not in this set.
        """
        if isinstance(thumb, str) and thumb in self._thumbs:
            return thumb
        for name, known in self._thumbs.items():
            if known == thumb:
                return name
        raise UnknownThumb(thumb, self._thumbs)

    def overlaid_with(self, other: ThumbSet) -> ThumbSet:
        """This set with the thumbs of `other` added; where both have a name, `other` counts."""
        return ThumbSet({**self, **other})

    def with_format(self, format: str | None) -> ThumbSet:  # noqa: A002, it is the option's name
        """This set, where every thumb that names no format of its own gets `format`."""
        return ThumbSet({name: replace(thumb, format=thumb.format or format) for name, thumb in self.items()})


def _checked_pairs(thumbs: Iterable[Any]) -> Iterator[tuple[str, Any]]:
    if isinstance(thumbs, str) or not isinstance(thumbs, Iterable):
        raise InvalidThumb(f"thumbs are a mapping or pairs of thumb name and options, not {thumbs!r}")
    for pair in thumbs:
        match pair:
            case (str(), _):
                yield tuple(pair)
            case _:
                raise InvalidThumb(f"{pair!r} is not a pair of thumb name and options")


def _checked_name(name: object) -> str:
    # A thumb name becomes a part of a key and of a URL, so it may not leave its folder.
    if not isinstance(name, str) or not name or not name.isprintable() or name[0] == "." or set(name) & set("/\\"):
        raise InvalidThumb(f"thumb name {name!r} is not a printable name without slashes that begins with no dot")
    return name
