"""Which thumbs a storage has: those of a field that it is bound to, or its own and what its fields tell of theirs."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any, Final, Protocol

from athumb_storage import conf
from athumb_storage.exceptions import AmbiguousThumb, UnknownThumb
from athumb_storage.specs import Thumb, ThumbSet, Variant
from athumb_storage.storages.options import StorageOptions


class Storage(Protocol):
    """What is asked of a storage."""

    options: StorageOptions


class FieldWithThumbs(Protocol):
    """What a field tells the storages."""

    label: str
    """`app.Model.field`"""
    thumbs: ThumbSet

    def unbound_storage(self) -> Any:
        """The storage it was given; None if that cannot make thumbs."""
        ...


_fields: Final[weakref.WeakSet[Any]] = weakref.WeakSet()


def register_field(field: FieldWithThumbs) -> None:
    """Let the storage of this field know of its thumbs, without touching the storage, which may not be set up yet."""
    _fields.add(field)
    conf.thumbs_changed()


def thumb_sets_of_fields(storage: object) -> dict[str, ThumbSet]:
    """The thumbs that fields define on this storage: label -> thumb set."""
    fields: list[FieldWithThumbs] = sorted(_fields, key=lambda field: field.label)
    return {field.label: field.thumbs for field in fields if field.unbound_storage() is storage}


class OwnThumbs:
    """The thumbs of a storage that is bound to no field."""

    images_only = False
    """Whether to refuse what is not an image."""
    on_error: str | None = None
    """What becomes of an image whose thumbs fail; None is what the storage's option says."""

    def __init__(self, storage: Storage) -> None:
        self.options = storage.options
        self._storage = weakref.ref(storage)
        self._variants: dict[str | Thumb, tuple[str, Thumb, dict[str, Variant]]] = {}
        self._generation = -1

    @property
    def thumbs(self) -> ThumbSet:
        """The thumbs that every original gets."""
        own = self.options.thumbs
        return conf.project_thumbs() if own is None else own

    def resolve_thumb(self, thumb: str | Thumb) -> tuple[str, Thumb]:
        """The thumb name and the Thumb that the storage and its fields agree on.

        Raises:
            UnknownThumb: none of them has it.
            AmbiguousThumb: they have it, but not the same.
        """
        sets = {"the storage itself": self.thumbs, **thumb_sets_of_fields(self._storage())}
        found = {}
        for label, thumbs in sets.items():
            with suppress(UnknownThumb):
                name = thumbs.name_of(thumb)
                found[label] = name, thumbs[name]
        if not found:
            raise UnknownThumb(thumb, dict.fromkeys(name for thumbs in sets.values() for name in thumbs))
        if len(set(found.values())) > 1:
            raise AmbiguousThumb(f"Thumb {thumb!r} is not the same in {', '.join(found)}: ask the field's own storage.")
        return next(iter(found.values()))

    def known_thumbs(self) -> Iterator[tuple[str, Thumb]]:
        """Every thumb that an original may have, with its thumb name."""
        for thumbs in (self.thumbs, *thumb_sets_of_fields(self._storage()).values()):
            yield from thumbs.items()

    def variant(self, name: str, thumb: str | Thumb) -> Variant:
        """The variant that `thumb` has for an original called `name`; remembered until thumbs are defined anew.

        Raises:
            UnknownThumb, AmbiguousThumb: as `resolve_thumb`.
        """
        if self._generation != conf.generation:
            self._generation, self._variants = conf.generation, {}
        try:
            thumb_name, spec, by_format = self._variants[thumb]
        except (KeyError, TypeError):  # not looked up yet, or nothing that can be a thumb
            thumb_name, spec, by_format = self._variants[thumb] = *self.resolve_thumb(thumb), {}
        image_format = spec.format_for(name, self.options.fallback_format)
        try:
            return by_format[image_format]
        except KeyError:
            return by_format.setdefault(image_format, Variant.of(thumb_name, spec, image_format))

    def variants(self, name: str, thumbs: Iterable[tuple[str, Thumb]]) -> list[Variant]:
        """What is stored of these thumbs for an original called `name`."""
        fallback = self.options.fallback_format
        return [Variant.of(thumb_name, thumb, thumb.format_for(name, fallback)) for thumb_name, thumb in thumbs]

    def keys(self, name: str, thumbs: Iterable[tuple[str, Thumb]]) -> list[str]:
        """Where these thumbs of an original called `name` are stored."""
        return list(dict.fromkeys(self.options.naming.key(name, variant) for variant in self.variants(name, thumbs)))


class FieldThumbs(OwnThumbs):
    """The thumbs of a storage that is bound to a field: its own, overlaid with the field's.

    Args:
        storage: the storage as the project made it.
        thumbs: those of the field.
        images_only, on_error: see `OwnThumbs`.
    """

    def __init__(self, storage: Storage, thumbs: ThumbSet, *, images_only: bool, on_error: str | None) -> None:
        super().__init__(storage)
        self.storage: Any = storage
        self.field_thumbs = thumbs
        self.images_only = images_only
        self.on_error = on_error
        self._overlaid = ThumbSet(), thumbs

    @property
    def thumbs(self) -> ThumbSet:
        own = super().thumbs
        if self._overlaid[0] is not own:
            self._overlaid = own, own.overlaid_with(self.field_thumbs)
        return self._overlaid[1]

    def resolve_thumb(self, thumb: str | Thumb) -> tuple[str, Thumb]:
        thumbs = self.thumbs
        name = thumbs.name_of(thumb)
        return name, thumbs[name]

    def known_thumbs(self) -> Iterator[tuple[str, Thumb]]:
        yield from self.thumbs.items()
