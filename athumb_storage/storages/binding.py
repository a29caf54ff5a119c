"""Which thumbs a storage has: those of a field that it is bound to, or its own and what its fields tell of theirs."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, Protocol

from athumb_storage import conf
from athumb_storage.exceptions import AmbiguousThumb, UnknownThumb
from athumb_storage.formats import FormatName, canonical, format_of_name
from athumb_storage.specs import OriginalOptions, Thumb, Variant, parse_original
from athumb_storage.storages.options import OnError, StorageOptions
from athumb_storage.thumbsets import ThumbSet


class FieldWithThumbs(Protocol):
    """What a field tells the storages."""

    label: str
    """`app.Model.field`"""
    thumbs: ThumbSet

    def unbound_storage(self) -> Any:
        """The storage it was given; None if that cannot make thumbs."""
        ...


Wanted = tuple[tuple[str | Thumb, FormatName | None, int], ...]
"""A thumb, a format and a density of each of several variants."""

Found = tuple[str, Thumb, dict[str | tuple[str, str | None, int], Variant]]
"""A thumb name, its Thumb, and the variants that were asked for: the plain one of a format by that alone."""

_fields: Final[weakref.WeakSet[Any]] = weakref.WeakSet()


def register_field(field: FieldWithThumbs) -> None:
    """Let the storage of this field know of its thumbs, without touching the storage, which may not be set up yet."""
    _fields.add(field)
    conf.thumbs_changed()


class ThumbLookup:
    """Looks up the thumbs of a storage, or of one of its views that are bound to a field.

    Args:
        storage: the storage as the project made it.
        options: its options.
        field_thumbs: those of the field, which are laid over the storage's own; None, if it is bound to none.
        images_only: whether to refuse what is not an image.
        on_error: what becomes of an image whose thumbs fail; None is what the storage does.
        original: what an original is bounded to; None is what the storage does.
    """

    def __init__(
        self,
        storage: object,
        options: StorageOptions,
        field_thumbs: ThumbSet | None = None,
        *,
        images_only: bool = False,
        on_error: OnError | None = None,
        original: OriginalOptions | None = None,
    ) -> None:
        self.field_thumbs = field_thumbs
        self.bound_with: dict[str, Any] = {"images_only": images_only, "on_error": on_error, "original": original}
        """What is told of the field besides its thumbs."""
        self.images_only = images_only
        self.on_error: OnError = on_error or options.on_error
        self.original = parse_original(original) or options.original
        # Only a view keeps its storage: a storage that kept itself would have to wait for the garbage collector.
        self.unbound: Any = None if field_thumbs is None else storage
        self._storage = weakref.ref(storage)
        self._options = options
        self._overlaid = ThumbSet(), field_thumbs or ThumbSet()
        self._variants: dict[str | Thumb, Found] = {}
        self._several: dict[tuple[str | None, Wanted], Sequence[Variant]] = {}
        self._generation = -1

    @property
    def thumbs(self) -> ThumbSet:
        """The thumbs that every original gets."""
        own = conf.project_thumbs() if self._options.thumbs is None else self._options.thumbs
        if self.field_thumbs is None:
            return own
        if self._overlaid[0] is not own:
            self._overlaid = own, own.overlaid_with(self.field_thumbs)
        return self._overlaid[1]

    def thumb_sets(self) -> dict[str, ThumbSet]:
        """All thumbs that an original may have, by who says so: a field, or the storage and all its fields."""
        if self.field_thumbs is not None:
            return {"the field": self.thumbs}
        fields: list[FieldWithThumbs] = sorted(_fields, key=lambda field: field.label)
        storage = self._storage()
        theirs = {field.label: field.thumbs for field in fields if field.unbound_storage() is storage}
        return {"the storage itself": self.thumbs, **theirs}

    def resolve_thumb(self, thumb: str | Thumb) -> tuple[str, Thumb]:
        """The thumb name and the Thumb: the own one, else the one that all fields that have it agree on.

        Raises:
            UnknownThumb: nobody has it.
            AmbiguousThumb: fields have it, but not the same.
        """
        sets, found = self.thumb_sets(), {}
        for label, thumbs in sets.items():
            with suppress(UnknownThumb):
                name = thumbs.name_of(thumb)
                found[label] = name, thumbs[name]
                if thumbs is self.thumbs:
                    break
        if not found:
            names = dict.fromkeys(name for thumbs in sets.values() for name in [*thumbs, *thumbs.sets])
            raise UnknownThumb.among(names, thumb)
        if len(set(found.values())) > 1:
            raise AmbiguousThumb(f"Thumb {thumb!r} is not the same in {', '.join(found)}: ask the field's own storage.")
        return next(iter(found.values()))

    def resolve_all(self, thumbs: Iterable[str | Thumb]) -> dict[str, Thumb]:
        """The same for several, by their thumb names; all thumbs of a responsive set, if one is among them.

        Raises:
            UnknownThumb, AmbiguousThumb: as `resolve_thumb`.
        """
        sets = self.thumb_sets().values()
        members = {name: names for each in sets for name, names in each.sets.items()}
        wanted = [
            name for thumb in thumbs for name in (members.get(thumb, ()) if isinstance(thumb, str) else ()) or (thumb,)
        ]
        return dict(self.resolve_thumb(thumb) for thumb in wanted)

    def variant(
        self,
        name: str,
        thumb: str | Thumb,
        format: str | None = None,  # noqa: A002, it is the option's name
        density: int = 1,
    ) -> Variant:
        """The variant that `thumb` has for an original called `name`; remembered until thumbs are defined anew.

        Args:
            name: the original's name.
            thumb: a thumb name or a Thumb.
            format: one of the thumb's formats; None is the plain one.
            density: one of its densities.

        Raises:
            UnknownThumb: there is no such thumb, or not in that format or density.
            AmbiguousThumb: as `resolve_thumb`.
        """
        if self._generation != conf.generation:
            self._forget()
        try:
            thumb_name, spec, found = self._variants[thumb]
        except (KeyError, TypeError):  # not looked up yet, or nothing that can be a thumb
            thumb_name, spec, found = self._remember(thumb)
        own = self._options
        plain = spec.format_for(name, own.fallback_format, own.keeps_extension)
        key = plain if format is None and density == 1 else (plain, format, density)
        try:
            return found[key]
        except KeyError:
            formats = spec.formats_for(name, own.fallback_format, own.keeps_extension)
        wanted = plain if format is None else canonical(format)
        if wanted not in formats:
            raise UnknownThumb.variant(thumb_name, "format", format, formats)
        if density not in spec.densities:
            raise UnknownThumb.variant(thumb_name, "density", density, spec.densities)
        return found.setdefault(key, Variant.of(thumb_name, spec, wanted, density))

    def several(self, name: str, wanted: Wanted) -> Sequence[Variant]:
        """What `variant` gives for each thumb, format and density; remembered, for pages want the same of each file.

        Raises:
            UnknownThumb, AmbiguousThumb: as `resolve_thumb`.
        """
        if self._generation != conf.generation:
            self._forget()
        key = format_of_name(name), wanted  # a name tells no more to any of them
        try:
            return self._several[key]
        except KeyError:
            return self._several.setdefault(key, [self.variant(name, *each) for each in wanted])

    def formats(self, name: str, thumb: str | Thumb) -> tuple[str, ...]:
        """The formats that `thumb` has for an original called `name`, best first.

        Raises:
            UnknownThumb, AmbiguousThumb: as `resolve_thumb`.
        """
        if self._generation != conf.generation:
            self._forget()
        own = self._options
        _, spec, _ = self._variants.get(thumb) or self._remember(thumb)
        return spec.formats_for(name, own.fallback_format, own.keeps_extension)

    def _remember(self, thumb: str | Thumb) -> Found:
        """What `resolve_thumb` gives, with room for the variants that are asked for."""
        found = self._variants[thumb] = *self.resolve_thumb(thumb), {}
        return found

    def _forget(self) -> None:
        self._generation, self._variants, self._several = conf.generation, {}, {}

    def variants(self, name: str, thumbs: Mapping[str, Thumb] | None = None) -> list[Variant]:
        """What is stored of these thumbs, by default of all, for an original called `name`."""
        wanted = self.thumbs if thumbs is None else thumbs
        told = name, self._options.fallback_format, self._options.keeps_extension
        return [
            Variant.of(thumb_name, thumb, image_format, density)
            for thumb_name, thumb in wanted.items()
            for image_format in thumb.formats_for(*told)
            for density in thumb.densities
        ]

    def keys(self, name: str, thumbs: Mapping[str, Thumb] | None = None) -> list[str]:
        """Where these are stored."""
        return [self._options.naming.key(name, variant) for variant in self.variants(name, thumbs)]
