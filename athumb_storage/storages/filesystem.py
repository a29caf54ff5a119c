"""Thumbs on the file system: for development, and for sites without S3."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.utils.crypto import get_random_string

from athumb_storage.storages.base import ThumbnailStorageMixin


class FileSystemThumbnailStorage(ThumbnailStorageMixin, FileSystemStorage):
    """Django's `FileSystemStorage` with thumbs."""

    def _store_thumb(self, key: str, data: bytes, content_type: str) -> None:
        # Written beside its place and moved there, so that nobody is ever served half a thumb.
        written = self._save_plain(f"{key}.{get_random_string(7)}", ContentFile(data))
        Path(self.path(written)).replace(self.path(key))

    def _replaces(self) -> bool:
        # Django 5.1 added the option.
        return getattr(self, "_allow_overwrite", False)

    def _remove_folder(self, folder: str) -> None:
        with suppress(OSError):  # somebody put a file of his own there
            Path(self.path(folder)).rmdir()
