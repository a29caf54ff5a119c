"""Thumbs on the file system: for development, and for sites without S3."""

from __future__ import annotations

import os
import posixpath
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from django.core.files.base import ContentFile, File
from django.core.files.storage import FileSystemStorage
from django.utils.crypto import get_random_string

from athumb_storage.storages.base import ThumbnailStorageMixin
from athumb_storage.storages.filenames import refuse_long
from athumb_storage.storages.listing import StoredFile, may_begin
from athumb_storage.storages.source import Source

if TYPE_CHECKING:
    from typing import Unpack

    from _typeshed import StrPath

    from athumb_storage.storages.options import StorageOptionsDict

_LONGEST_NAME: Final = 255
"""How many bytes a file's or a folder's name may have: NAME_MAX of nearly all file systems."""

_LONGEST_PATH: Final = 4095
"""How many bytes a path may have: PATH_MAX of Linux without the zero at its end."""


class FileSystemThumbnailStorage(ThumbnailStorageMixin, FileSystemStorage):
    """Django's `FileSystemStorage` with thumbs.

    Images and thumbs are written beside their place and then moved there: nobody is ever served half of one, and a full
    disk leaves none behind. Other files are stored by Django.
    """

    _places = frozenset({"location"})

    if TYPE_CHECKING:

        def __init__(
            self,
            location: StrPath | None = ...,
            base_url: str | None = ...,
            file_permissions_mode: int | None = ...,
            directory_permissions_mode: int | None = ...,
            allow_overwrite: bool = ...,
            **options: Unpack[StorageOptionsDict],
        ) -> None: ...

    def list_files(self, prefix: str = "") -> Iterator[StoredFile]:
        """All files whose names begin with `prefix`, also those that symbolic links lead to.

        Raises:
            OSError: a folder cannot be read.
        """
        start = prefix.rpartition("/")[0]
        return _walked(self.path(start), f"{start}/" if start else "", prefix, ())

    def _stat(self, name: str) -> StoredFile | None:
        try:
            told = Path(self.path(name)).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return _as_stored(name, told) if stat.S_ISREG(told.st_mode) else None

    def _refuse_long(self, keys: Iterable[str]) -> None:
        keys = list(keys)
        refuse_long((part for key in keys for part in key.split("/")), _LONGEST_NAME)
        refuse_long(map(self.path, keys), _LONGEST_PATH)

    def _write_upload(self, name: str, source: Source, image_format: str | None) -> str:
        if image_format is None:
            return self._saved_by_django(name, source.content)
        name = os.path.relpath(self.path(name), self.location).replace("\\", "/")  # as Django does
        # Django would move an upload's file away, which may be needed again.
        with source.open() as reader:
            return self._moved_into_place(name, File(reader), replace=self._replaces)

    def _write_thumb(self, key: str, data: bytes, content_type: str, *, replace: bool, immutable: bool = False) -> str:
        return self._moved_into_place(key, ContentFile(data), replace=replace)

    def _moved_into_place(self, name: str, content: File[Any], *, replace: bool) -> str:
        with self._written_beside(name, content) as written:
            if replace:
                written.replace(self.path(name))
            else:
                _move_if_free(written, Path(self.path(name)))
        return name

    @contextmanager
    def _written_beside(self, name: str, content: File[Any]) -> Iterator[Path]:
        temporary = posixpath.join(posixpath.dirname(name), f"{get_random_string(22)}.new")
        path = Path(self.path(temporary))
        try:
            self._saved_by_django(temporary, content)
            yield path
        finally:
            path.unlink(missing_ok=True)

    def _saved_by_django(self, name: str, content: File[Any]) -> str:
        try:
            return FileSystemStorage._save(self, name, content)  # type: ignore[attr-defined,no-any-return]  # private
        except FileExistsError as error:
            # Django sees to names that are taken, so a file is where a folder is to be; no other name would help.
            raise NotADirectoryError(str(error)) from error

    def _remove_folder(self, folder: str) -> None:
        with suppress(OSError):  # somebody put a file of his own there
            Path(self.path(folder)).rmdir()


def _walked(path: str, start: str, prefix: str, above: tuple[tuple[int, int], ...]) -> Iterator[StoredFile]:
    """The files in this folder and below.

    Args:
        path: the folder's.
        start: what the names of its files begin with.
        prefix: what is wanted of them.
        above: device and inode of each folder on the way to it.
    """
    try:
        folder = os.stat(path)  # noqa: PTH116, of as many as there are
        with os.scandir(path) as entries:
            found = [entry for entry in entries if may_begin(start + entry.name, prefix)]
    # Nothing was ever stored there, or it has just been removed; or its name has a null byte, as no folder's has.
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return
    above = (*above, (folder.st_dev, folder.st_ino))
    for entry in found:
        with suppress(FileNotFoundError):  # removed meanwhile, or a link to nowhere
            told = entry.stat()
            name = start + entry.name
            if entry.is_file() and name.startswith(prefix):
                yield _as_stored(name, told)
            elif entry.is_dir() and (told.st_dev, told.st_ino) not in above:
                yield from _walked(entry.path, f"{name}/", prefix, above)


def _as_stored(name: str, told: os.stat_result) -> StoredFile:
    return StoredFile(name, told.st_size, datetime.fromtimestamp(told.st_mtime, UTC))


def _move_if_free(written: Path, path: Path) -> None:
    """
    Raises:
        FileExistsError: something is at `path`.
    """
    try:
        os.link(written, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        written.replace(path)
