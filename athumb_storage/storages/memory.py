"""Thumbs in memory: for a project's own tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.core.files.storage import InMemoryStorage

from athumb_storage.storages.base import ThumbnailStorageMixin

if TYPE_CHECKING:
    from typing import Unpack

    from _typeshed import StrPath

    from athumb_storage.storages.options import StorageOptionsDict


class InMemoryThumbnailStorage(ThumbnailStorageMixin, InMemoryStorage):
    """Django's `InMemoryStorage` with thumbs."""

    _places = frozenset({"location"})
    is_thread_safe = False  # two that make the same folder lose what is in one of them

    if TYPE_CHECKING:

        def __init__(
            self,
            location: StrPath | None = ...,
            base_url: str | None = ...,
            file_permissions_mode: int | None = ...,
            directory_permissions_mode: int | None = ...,
            **options: Unpack[StorageOptionsDict],
        ) -> None: ...

    def _remove_folder(self, folder: str) -> None:
        if self.exists(folder) and self.listdir(folder) == ([], []):
            self._remove([folder])
