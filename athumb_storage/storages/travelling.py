"""Storages travel to migrations, pickles and tasks: by their alias in `STORAGES`, or by what is public of them."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any, Final

from django.core.files.storage import Storage, storages

from athumb_storage.storages.options import OPTIONS

if TYPE_CHECKING:
    from typing import Self

    from athumb_storage.storages.binding import ThumbLookup


class ConfiguredStorage:
    """Stands for the storage that `STORAGES` has under an alias, which is looked up whenever it is used.

    So a migration loads also when the alias is gone; only to use it is an error then.
    """

    def __init__(self, alias: str) -> None:
        self._alias = alias

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # a protocol is tried out, which is no use yet
            raise AttributeError(name)
        return getattr(storages[self._alias], name)

    @property  # type: ignore[misc]  # nobody sets it
    def __class__(self) -> type:
        return Storage  # which Django wants of what a callable gives to a field

    def deconstruct(self) -> tuple[str, tuple[str], dict[str, Any]]:
        """As a migration writes it down."""
        return REFERENCE, (self._alias,), {}

    def __reduce__(self) -> Any:
        return configured, (self._alias,)

    def __eq__(self, other: object) -> bool:
        return type(other) is ConfiguredStorage and other._alias == self._alias

    def __hash__(self) -> int:
        return hash(self._alias)

    def __repr__(self) -> str:
        return f"configured({self._alias!r})"


REFERENCE: Final = "athumb_storage.storages.configured"
"""What migrations call `configured`."""


def configured(alias: str) -> Any:
    """The storage that `STORAGES` has under this alias."""
    return ConfiguredStorage(alias)


def alias_of(storage: object) -> str | None:
    """The alias of a storage in `STORAGES`; None if it is none of these."""
    known = vars(storages)["_storages"]  # to ask for an alias would make its storage
    return next((alias for alias, each in known.items() if each is storage), None)


class TravellingStorage:
    """How a storage with thumbs is written into migrations and pickles, and how it is copied."""

    __slots__ = ()

    _places: frozenset[str] | None = None
    """The options that decide where files lie; None where nobody can tell them from the others."""

    if TYPE_CHECKING:

        @property
        def unbound(self) -> Self: ...
        @property
        def _lookup(self) -> ThumbLookup: ...
        def with_thumbs(
            self, thumbs: Any, *, images_only: bool = ..., on_error: Any = ..., original: Any = ...
        ) -> Self: ...

    def deconstruct(self) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
        """As a migration writes it down: by its alias in `STORAGES`, or by what decides where files lie."""
        alias = alias_of(self.unbound)
        if alias is not None:
            return REFERENCE, (alias,), {}
        path, args, kwargs = super().deconstruct()  # type: ignore[misc]  # from @deconstructible
        return path, args, {name: value for name, value in kwargs.items() if self._is_about_places(name, value)}

    def _is_about_places(self, option: str, value: Any) -> bool:
        if option == "naming":
            return isinstance(value, str) or hasattr(value, "deconstruct")  # another cannot be written down
        return option not in OPTIONS if self._places is None else option in self._places

    def _public_options(self, options: dict[str, Any]) -> dict[str, Any]:
        """Those that may be in a pickle."""
        return options

    def __reduce_ex__(self, protocol: Any) -> Any:
        lookup = self._lookup
        if lookup.field_thumbs is not None:
            return _bind_again, (lookup.unbound, dict(lookup.field_thumbs), lookup.bound_with)
        alias = alias_of(self)
        if alias is not None:
            return configured, (alias,)
        if "_constructor_args" in vars(self):  # kept by Django's @deconstructible
            args, options = vars(self)["_constructor_args"]
            return _make_again, (type(self), args, self._public_options(options))
        return self._reduced()

    def _reduced(self) -> Any:
        reduced: Any = super().__reduce_ex__(4)
        state = reduced[2]  # with what is in slots, if that is a pair; it is looked up again
        return *reduced[:2], state[0] if isinstance(state, tuple) else state, *reduced[3:]

    def __copy__(self) -> Self:
        lookup = self._lookup
        if lookup.field_thumbs is not None:
            return copy(self.unbound).with_thumbs(lookup.field_thumbs, **lookup.bound_with)
        function, args, state, *_ = self._reduced()
        made: Self = function(*args)
        if hasattr(made, "__setstate__"):
            made.__setstate__(state)
        else:
            made.__dict__.update(state)
        return made

    def __deepcopy__(self, memo: Any) -> Self:
        return copy(self)


def _make_again(cls: type[Any], args: tuple[Any, ...], options: dict[str, Any]) -> Any:
    return cls(*args, **options)


def _bind_again(storage: Any, thumbs: Any, bound_with: dict[str, Any]) -> Any:
    return storage.with_thumbs(thumbs, **bound_with)
