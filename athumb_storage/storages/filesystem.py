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
from athumb_storage.storages.upload import KeyTaken

_LONGEST_NAME: Final = 255
"""How many bytes a file's or a folder's name may have: NAME_MAX of nearly all file systems."""

_LONGEST_PATH: Final = 4095
"""How many bytes a path may have: PATH_MAX of Linux without the zero at its end."""


class FileSystemThumbnailStorage(ThumbnailStorageMixin, FileSystemStorage):
    """Django's `FileSystemStorage` with thumbs.

    Images and thumbs are written beside their place and then moved there: nobody is ever served half of one, and a full
    disk leaves none behind. Other files are stored by Django.
    """

    def _refuse_long(self, name: str) -> None:
        keys = self._all_keys(name)
        refuse_long((part for key in keys for part in key.split("/")), _LONGEST_NAME)
        refuse_long(map(self.path, keys), _LONGEST_PATH)

    def _store_original(self, name: str, source: Source, content_type: str) -> str:
        name = os.path.relpath(self.path(name), self.location).replace("\\", "/")  # as Django does
        # Django would move an upload's file away, which may be needed again.
        with source.open() as reader, self._written_beside(name, File(reader)) as written:
            if self._replaces():
                written.replace(self.path(name))
                return name
            while True:
                try:
                    self._take(name, written)
                except FileExistsError:
                    name = self.get_available_name(name, max_length_of_save.get())
                else:
                    return name

    def _take(self, name: str, written: Path) -> None:
        """Put a file that is written in its place, which has to be free.

        Raises:
            FileExistsError: it is not.
        """
        path = self.path(name)
        try:
            os.link(written, path)
        except FileExistsError:
            raise
        except OSError:  # a file system without hard links
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            written.replace(path)

    def _store_thumb(self, key: str, data: bytes, content_type: str) -> None:
        with self._written_beside(key, ContentFile(data)) as written:
            written.replace(self.path(key))

    def _claim_thumb(self, key: str, data: bytes, content_type: str) -> None:
        with self._written_beside(key, ContentFile(data)) as written:
            try:
                self._take(key, written)
            except FileExistsError as error:
                raise KeyTaken(key) from error

    @contextmanager
    def _written_beside(self, name: str, content: File[Any]) -> Iterator[Path]:
        temporary = posixpath.join(posixpath.dirname(name), f"{get_random_string(22)}.new")
        path = Path(self.path(temporary))
        try:
            self._save_plain(temporary, content)
            yield path
        finally:
            path.unlink(missing_ok=True)

    def _remove_folder(self, folder: str) -> None:
        with suppress(OSError):  # somebody put a file of his own there
            Path(self.path(folder)).rmdir()
