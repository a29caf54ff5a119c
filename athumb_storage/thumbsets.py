"""`ThumbSet`: the thumbs of a field or a storage; `Responsive`: many of them in one line. No Django, no Pillow."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Final

from athumb_storage.exceptions import InvalidThumb, UnknownThumb
from athumb_storage.formats import FormatName
from athumb_storage.geometry import MAX_SIDE, CropAmount, CropSubject, CropWord
from athumb_storage.specs import Thumb, ThumbOptions

_DENSITY_MARK: Final = re.compile(r"@\d+(\.\d+)?x$")
"""How the label of a variant ends that has more pixels."""


@dataclass(frozen=True, kw_only=True)
class Responsive:
    """Stands for one `Thumb` a width, `hero-320`, `hero-640` and so on, for pages to choose from.

    An original narrower than a width is stored for it as large as it is.

    Raises:
        InvalidThumb: an option is wrong; the message names it.
    """

    widths: Sequence[int]
    """In pixels."""
    formats: FormatName | Sequence[FormatName] | None = None
    """As `Thumb.format`: several are best first, the last is the plain one."""
    ratio: tuple[int, int] | None = None
    """Width to height, such as (16, 9); None leaves each original its own."""
    crop: CropWord | CropSubject | CropAmount | bool = True
    """What is kept of an original of another ratio, as `Thumb.crop`."""
    quality: int | Mapping[FormatName, int] | None = None
    encoder: Mapping[str, Any] | None = None
    upscale: bool = False
    animated: bool = False
    processors: Sequence[str | tuple[str, Mapping[str, Any]]] = ()
    """These five are those of a `Thumb`."""

    def __post_init__(self) -> None:
        if isinstance(self.widths, str) or not isinstance(self.widths, Sequence) or not self.widths:
            raise InvalidThumb(f"option 'widths': {self.widths!r} are not several numbers of pixels")
        if len({*self.widths}) < len(self.widths):
            raise InvalidThumb(f"option 'widths': {self.widths!r} has a width twice")
        match self.ratio:
            case None | (int() | float(), int() | float()) if not self.ratio or min(self.ratio) > 0:
                pass
            case _:
                raise InvalidThumb(f"option 'ratio': {self.ratio!r} is not width and height such as (16, 9)")
        if not self.crop:
            raise InvalidThumb("option 'crop': a place is wanted; without a ratio nothing is cut off")
        self.by_width  # noqa: B018, it checks the rest

    @cached_property
    def by_width(self) -> Mapping[int, Thumb]:
        """The Thumb of each width, the narrowest first."""
        return {width: self._thumb(width) for width in sorted(self.widths)}

    def _thumb(self, width: int) -> Thumb:
        return _OfOneWidth(
            size=(width, self._height(width)),
            crop=self.crop if self.ratio else None,
            upscale=self.upscale,
            format=self.formats,
            quality=self.quality,
            encoder=self.encoder,
            animated=self.animated,
            processors=self.processors,
        )

    def _height(self, width: int) -> int | None:
        if self.ratio is None or type(width) is not int:  # which the Thumb refuses
            return None
        return min(max(1, int(width * self.ratio[1] / self.ratio[0] + 0.5)), MAX_SIDE)


class _OfOneWidth(Thumb):
    keeps_ratio: ClassVar[bool] = True


Spec = Thumb | ThumbOptions | Responsive
"""What is written for a thumb name."""

Thumbs = Mapping[str, Spec] | Sequence[tuple[str, Spec]]
"""What makes a `ThumbSet`. An iterator does so as well, but beside it mypy does not look into a dict."""

ThumbsOrNone = Mapping[str, Spec] | Sequence[tuple[str, Spec]] | None
"""The same, or None. It is spelled out because mypy does not look into pairs where it sees `Thumbs | None`."""


class ThumbSet(Mapping[str, Thumb]):
    """The thumbs of a field or a storage: a read-only, ordered mapping of thumb name to `Thumb`.

    Built from a mapping, or from pairs of thumb name and options; each value is a `Thumb` or a mapping of its options.

    Raises:
        InvalidThumb: a thumb name or an option is wrong; the message names both.
    """

    __slots__ = ("_sets", "_thumbs")

    def __init__(self, thumbs: ThumbsOrNone = None) -> None:
        pairs = thumbs.items() if isinstance(thumbs, Mapping) else _checked_pairs(thumbs or ())
        self._thumbs: dict[str, Thumb] = {}
        self._sets: dict[str, tuple[str, ...]] = dict(thumbs.sets) if isinstance(thumbs, ThumbSet) else {}
        for name, options in pairs:
            self._add(_checked_name(name), options)

    @classmethod
    def _of(cls, thumbs: Mapping[str, Thumb], sets: Mapping[str, tuple[str, ...]]) -> ThumbSet:
        made = cls()
        made._thumbs, made._sets = dict(thumbs), dict(sets)
        return made

    def _add(self, name: str, options: Any) -> None:
        thumbs = {name: options}
        if isinstance(options, Responsive):
            thumbs = {f"{name}-{width}": thumb for width, thumb in options.by_width.items()}
        for each in dict.fromkeys([name, *thumbs]):
            if each in self._thumbs or each in self._sets:
                raise InvalidThumb(f"thumb {each!r} is there twice")
        for each, written in thumbs.items():
            try:
                self._thumbs[each] = Thumb.parse(written)
            except InvalidThumb as error:
                raise InvalidThumb(f"thumb {each!r}: {error}") from None
        if isinstance(options, Responsive):
            self._sets[name] = tuple(thumbs)

    def __getitem__(self, name: str) -> Thumb:
        return self._thumbs[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._thumbs)

    def __len__(self) -> int:
        return len(self._thumbs)

    def __hash__(self) -> int:
        return hash(tuple(self._thumbs.items()))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ThumbSet) and self._sets == other._sets and [*self.items()] == [*other.items()]

    def __repr__(self) -> str:
        return f"ThumbSet({self._thumbs!r})"

    @property
    def sets(self) -> Mapping[str, tuple[str, ...]]:
        """The names of responsive sets, each with the names of its thumbs, the narrowest first."""
        return self._sets

    def name_of(self, thumb: str | Thumb) -> str:
        """The thumb name of `thumb`: a name already, a Thumb of this set, or a responsive set, which stands for its
        widest.

        Raises:
            UnknownThumb: it is not in this set.
        """
        if isinstance(thumb, str):
            if thumb in self._thumbs:
                return thumb
            if thumb in self._sets:
                return self._sets[thumb][-1]
        for name, known in self._thumbs.items():
            if known == thumb:
                return name
        raise UnknownThumb.among([*self._thumbs, *self._sets], thumb)

    def names_of(self, thumb: str | Thumb) -> tuple[str, ...]:
        """The thumb names that `thumb` stands for: all of a responsive set, else one.

        Raises:
            UnknownThumb: it is not in this set.
        """
        members = self._sets.get(thumb) if isinstance(thumb, str) else None
        return members or (self.name_of(thumb),)

    def overlaid_with(self, other: ThumbSet) -> ThumbSet:
        """This set with the thumbs of `other` added; where both have a name, `other` counts."""
        replaced = {name: each for name, each in self._sets.items() if name in other._sets or name in other}
        gone = {thumb for members in replaced.values() for thumb in members}
        kept = {name: thumb for name, thumb in self.items() if name not in gone and name not in other._sets}
        sets = {name: members for name, members in self._sets.items() if name not in replaced}
        return self._of({**kept, **other}, {**sets, **other._sets})

    def with_format(self, format: str | tuple[str, ...] | None) -> ThumbSet:  # noqa: A002, it is the option's name
        """This set, where every thumb that names no format of its own gets `format`."""
        thumbs = {name: replace(thumb, format=thumb.format or format) for name, thumb in self.items()}
        return self._of(thumbs, self._sets)


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
    if _DENSITY_MARK.search(name):
        raise InvalidThumb(f"thumb name {name!r} ends like that of a density; the option for these is 'densities'")
    return name
