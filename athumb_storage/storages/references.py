"""Storages travel to migrations, pickles and tasks by their alias in `STORAGES`."""

from __future__ import annotations

from typing import Any, Final

from django.core.files.storage import Storage, storages


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
