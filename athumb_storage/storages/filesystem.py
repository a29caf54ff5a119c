"""Thumbs on the file system: for development, and for sites without S3."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from django.core.files.base import ContentFile, File
from django.core.files.storage import FileSystemStorage
from django.utils.crypto import get_random_string

from athumb_storage.storages.base import ThumbnailStorageMixin, max_length_of_save
from athumb_storage.storages.names import refuse_long
from athumb_storage.storages.source import Source

_LONGEST_NAME: Final = 255
"""How many bytes a file's or a folder's name may have: NAME_MAX of nearly all file systems."""

_LONGEST_PATH: Final = 4095
"""How many bytes a path may have: PATH_MAX of Linux without the zero at its end."""


class FileSystemThumbnailStorage(ThumbnailStorageMixin, FileSystemStorage):
    """Django's `FileSystemStorage` with thumbs.

    Originals and thumbs are written beside their place and then moved there: nobody is ever served half of one, and a
    full disk leaves none behind.
    """

    def _refuse_long(self, name: str) -> None:
        keys = self._all_keys(name)
        refuse_long((part for key in keys for part in key.split("/")), _LONGEST_NAME)
        refuse_long(map(self.path, keys), _LONGEST_PATH)

    def _store_original(self, name: str, source: Source, content_type: str) -> str:
        name = os.path.relpath(self.path(name), self.location).replace("\\", "/")  # as Django does
        with self._written_beside(name, source.content) as written:
            if self._replaces():
                written.replace(self.path(name))
                return name
            while True:
                try:
                    os.link(written, self.path(name))  # takes the name only if nobody else has it
                except FileExistsError:
                    name = self.get_available_name(name, max_length_of_save.get())
                except OSError:  # a file system without hard links
                    with written.open("rb") as content:
                        return self._save_plain(name, File(content))
                else:
                    return name

    def _store_thumb(self, key: str, data: bytes, content_type: str) -> None:
        with self._written_beside(key, ContentFile(data)) as written:
            written.replace(self.path(key))

    @contextmanager
    def _written_beside(self, name: str, content: File[Any]) -> Iterator[Path]:
        temporary = posixpath.join(posixpath.dirname(name), f"{get_random_string(22)}.new")
        path = Path(self.path(temporary))
        try:
            self._save_plain(temporary, content)
            yield path
        finally:
            path.unlink(missing_ok=True)

    def _replaces(self) -> bool:
        # Django 5.1 added the option.
        return getattr(self, "_allow_overwrite", False)

    def _remove_folder(self, folder: str) -> None:
        with suppress(OSError):  # somebody put a file of his own there
            Path(self.path(folder)).rmdir()
