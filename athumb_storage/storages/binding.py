"""How a storage is bound to the thumbs of a field, and what a storage that is not knows of its fields."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol
from weakref import WeakSet

from athumb_storage import conf
from athumb_storage.exceptions import AmbiguousThumb, UnknownThumb
from athumb_storage.specs import Thumb, ThumbSet

if TYPE_CHECKING:
    from athumb_storage.storages.base import ThumbnailStorageMixin


@dataclass(frozen=True)
class Binding:
    """What a storage bound to a field knows beyond the storage itself."""

    storage: Any
    """The storage as the project made it."""
    thumbs: ThumbSet
    images_only: bool
    on_error: str | None
    """What becomes of an image whose thumbs fail; None is what the storage does."""


class FieldWithThumbs(Protocol):
    """What a field tells the storages."""

    label: str
    """`app.Model.field`"""
    thumbs: ThumbSet

    def unbound_storage(self) -> Any:
        """The storage it was given; None if that cannot make thumbs."""
        ...


_fields: Final[WeakSet[Any]] = WeakSet()


def announce(field: FieldWithThumbs) -> None:
    """Let the storage of this field know of its thumbs, without touching the storage, which may not be set up yet."""
    _fields.add(field)
    conf.thumbs_changed()


def thumb_sets_of_fields(storage: ThumbnailStorageMixin) -> dict[str, ThumbSet]:
    """The thumbs that fields define on this storage: label -> thumb set."""
    fields: list[FieldWithThumbs] = sorted(_fields, key=lambda field: field.label)
    return {field.label: field.thumbs for field in fields if field.unbound_storage() is storage}


def find_thumb(storage: ThumbnailStorageMixin, thumb: str | Thumb) -> tuple[str, Thumb]:
    """The thumb name and the Thumb that a storage bound to no field and its fields agree on.

    Raises:
        UnknownThumb: none of them has it.
        AmbiguousThumb: they have it, but not the same.
    """
    sets = {"the storage itself": storage.thumbs, **thumb_sets_of_fields(storage)}
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


def all_thumbs(storage: ThumbnailStorageMixin) -> Iterator[tuple[str, Thumb]]:
    """Every thumb, of the storage itself and of its fields."""
    for thumbs in (storage.thumbs, *thumb_sets_of_fields(storage).values()):
        yield from thumbs.items()
