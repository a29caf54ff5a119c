"""Thumbs in memory: for a project's own tests."""

from __future__ import annotations

from django.core.files.storage import InMemoryStorage

from athumb_storage.storages.base import ThumbnailStorageMixin


class InMemoryThumbnailStorage(ThumbnailStorageMixin, InMemoryStorage):
    """Django's `InMemoryStorage` with thumbs."""

    def _remove_folder(self, folder: str) -> None:
        if self.exists(folder) and self.listdir(folder) == ([], []):
            self._remove([folder])
