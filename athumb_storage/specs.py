"""`Thumb`: what a thumb is to look like, checked when it is written down. No Django, no Pillow."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any, ClassVar, Required, TypedDict

from athumb_storage.checking import (
    checked_colour,
    checked_crop,
    checked_densities,
    checked_format,
    checked_processors,
    checked_size,
)
from athumb_storage.encoders import DEFAULT_QUALITY, checked_encoder, checked_quality
from athumb_storage.exceptions import InvalidThumb
from athumb_storage.formats import EXTENSIONS, WEB_FORMATS, FormatName, canonical, format_of_name
from athumb_storage.geometry import BoxSize, CropAmount, CropSubject, CropWord

if TYPE_CHECKING:
    from typing import Unpack


class ThumbOptions(TypedDict, total=False):
    """The options of a `Thumb`, as a project writes them: what a Thumb makes of them is narrower."""

    size: Required[BoxSize]
    crop: CropWord | CropSubject | CropAmount | bool | None
    pad: str | None
    upscale: bool
    format: FormatName | Sequence[FormatName] | None
    quality: int | Mapping[FormatName, int] | None
    encoder: Mapping[str, Any] | None
    densities: Sequence[int]
    animated: bool
    processors: Sequence[str | tuple[str, Mapping[str, Any]]]


@dataclass(frozen=True, kw_only=True)
class Thumb:
    """How one thumb is derived from its original.

    Raises:
        InvalidThumb: an option is wrong; the message names it.
    """

    size: BoxSize
    """The box in pixels, (width, height); where a side is None, only the other counts."""
    crop: str | None = None
    """None fits the original into the box. `True` or a place ("top", "left top", "50% 20%", "10px 0px") fills it;
    "smart" with what draws the eye, "focal" with what is around a point that was chosen."""
    pad: str | None = None
    """A colour, or "transparent": what fills the box beside the whole original. None leaves nothing beside it."""
    upscale: bool = True
    """Whether an original smaller than the box is enlarged."""
    format: str | tuple[str, ...] | None = None
    """JPEG, PNG, GIF, WEBP or AVIF; or several, best first, of which the last is the plain one. None takes that of the
    original's name."""
    quality: int | Mapping[str, int] | None = None
    """1 to 100, for the formats that have a quality, or numbers by format; None takes the format's own default."""
    encoder: Mapping[str, Mapping[str, Any]] | None = None
    """Options for Pillow's `save`, for the thumb's format or by format."""
    densities: tuple[int, ...] = (1,)
    """How many pixels a side are stored for each of the box, 1 among them. More than 1 never enlarges the original."""
    animated: bool = False
    """Whether an original that moves keeps moving, in GIF, WEBP, AVIF and PNG. Otherwise its first frame is taken."""
    processors: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    """Callables by dotted name, each with its options, that take and return a Pillow image of the thumb's size."""
    keeps_ratio: ClassVar[bool] = False
    """Whether a crop that is not to enlarge keeps the ratio of the box, where the original is smaller."""

    if TYPE_CHECKING:

        def __init__(self, **options: Unpack[ThumbOptions]) -> None: ...

    def __post_init__(self) -> None:
        object.__setattr__(self, "densities", checked_densities(self.densities))
        object.__setattr__(self, "size", checked_size(self.size, self.densities[-1]))
        object.__setattr__(self, "crop", checked_crop(self.crop))
        object.__setattr__(self, "pad", checked_colour(self.pad))
        self._check_sides()
        for option in ("upscale", "animated"):
            if not isinstance(getattr(self, option), bool):
                raise InvalidThumb(f"option {option!r}: {getattr(self, option)!r} is neither True nor False")
        object.__setattr__(self, "format", checked_format(self.format))
        object.__setattr__(self, "quality", checked_quality(self.quality))
        image_format = canonical(self.format) if isinstance(self.format, str) else None
        object.__setattr__(self, "encoder", checked_encoder(self.encoder, image_format))
        object.__setattr__(self, "processors", checked_processors(self.processors))

    def _check_sides(self) -> None:
        for option in ("crop", "pad"):
            if getattr(self, option) and None in self.size:
                raise InvalidThumb(f"option {option!r}: both sides of the size are wanted, not {self.size!r}")
        if self.crop and self.pad:
            raise InvalidThumb("option 'pad': a crop leaves nothing to be filled")

    @classmethod
    def parse(cls, options: Thumb | Mapping[str, Any]) -> Thumb:
        """A Thumb from a mapping of its options; a Thumb is taken as it is."""
        if isinstance(options, Thumb):
            return options
        if not isinstance(options, Mapping):
            raise InvalidThumb(f"a Thumb or a mapping of options is wanted, not {options!r}")
        known = [each.name for each in fields(cls)]
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
        """The plain format this thumb has for an original called `name`: its own, else the name's, else `fallback`.

        Args:
            name: the original's name.
            fallback: the format where nothing else tells one.
            keeps_extension: whether the thumb's key has the extension of the name, so that what it says is the format,
                even if no thumb would be in it otherwise.
        """
        if self.format:
            return self._formats[-1]
        told = format_of_name(name)
        return told if told and (keeps_extension or told in WEB_FORMATS) else fallback

    def formats_for(self, name: str, fallback: str, keeps_extension: bool = False) -> tuple[str, ...]:
        """All formats this thumb has for that original, the plain one last."""
        return self._formats or (self.format_for(name, fallback, keeps_extension),)

    @property
    def spellings(self) -> tuple[str, ...]:
        """Its own formats, spelled as the project did."""
        return (self.format,) if isinstance(self.format, str) else self.format or ()

    @cached_property
    def fingerprint(self) -> str:
        """Eight digits that are others when the project writes another Thumb.

        They cover what it wrote and nothing else: an option that has its default counts as not written, so that one
        which a later release knows moves no key.
        """
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        written = {each.name: values[each.name] for each in fields(self) if values[each.name] != each.default}
        if self.keeps_ratio:
            written["keeps_ratio"] = True
        spelled = json.dumps(written, sort_keys=True, separators=(",", ":"), default=dict)
        return sha256(spelled.encode()).hexdigest()[:8]

    @cached_property
    def _formats(self) -> tuple[str, ...]:
        return tuple(canonical(spelling) or spelling for spelling in self.spellings)


class OriginalOptions(TypedDict, total=False):
    """The option `original`, as a project writes it."""

    size: Required[BoxSize]
    format: FormatName | None
    quality: int | Mapping[FormatName, int] | None
    encoder: Mapping[str, Any] | None


def parse_original(options: OriginalOptions | None) -> Thumb | None:
    """What an original is made into before it is stored: a fit that never enlarges and keeps moving, in one format.

    Raises:
        InvalidThumb: an option is wrong; the message names it.
    """
    if options is None:
        return None
    if not isinstance(options, Mapping):
        raise InvalidThumb(f"a mapping of options is wanted, not {options!r}")
    known = OriginalOptions.__annotations__
    for option in options:
        if option not in known:
            raise InvalidThumb(f"option {option!r} is unknown; the options are {', '.join(known)}")
    thumb = replace(Thumb.parse(options), upscale=False, animated=True)
    if len(thumb.spellings) > 1:
        raise InvalidThumb(f"option 'format': an original has one, not {', '.join(thumb.spellings)}")
    return thumb


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
    label: str = field(init=False, repr=False, compare=False)
    """The thumb name with the density: `large`, `large@2x`."""

    def __post_init__(self) -> None:
        label = self.thumb_name if self.density == 1 else f"{self.thumb_name}@{self.density}x"
        object.__setattr__(self, "label", label)

    @classmethod
    def of(cls, thumb_name: str, thumb: Thumb, image_format: str, density: int = 1) -> Variant:
        """The variant of a thumb in a format."""
        extension = EXTENSIONS[image_format]
        return cls(thumb_name=thumb_name, thumb=thumb, format=image_format, extension=extension, density=density)
