"""What is stored: listed, looked at again, and removed as it was listed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from django.utils import timezone

from athumb_storage.storages.filenames import TooLong

if TYPE_CHECKING:
    from athumb_storage.concurrency import Threads


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One file as a listing tells of it."""

    name: str
    """Relative to the storage's location."""
    size: int
    """In bytes."""
    modified: datetime
    """When it was stored; aware of its time zone."""
    etag: str | None = None
    """S3's, with its quotes; None where there is none."""


class ListingStorage:
    """How a storage with thumbs tells what is there. Every method asks the storage."""

    __slots__ = ()

    if TYPE_CHECKING:
        _threads: Threads

        def exists(self, name: str) -> bool: ...
        def listdir(self, path: str) -> tuple[list[str], list[str]]: ...
        def size(self, name: str) -> int: ...
        def get_modified_time(self, name: str) -> datetime: ...
        def _refuse_long(self, keys: Iterable[str]) -> None: ...
        def _remove(self, keys: Iterable[str]) -> None: ...

    def list_files(self, prefix: str = "") -> Iterator[StoredFile]:
        """All files whose names begin with `prefix`, originals and thumbs alike, in no order.

        Raises:
            NotImplementedError: this storage cannot tell.
        """
        folders = [prefix.rpartition("/")[0]]
        while folders:
            folder = folders.pop()
            try:
                below, files = self.listdir(folder)
            except FileNotFoundError:  # nothing was ever stored there, or somebody has just removed it
                continue
            start = f"{folder}/" if folder else ""
            folders += [name for name in (start + each for each in below) if may_begin(name, prefix)]
            for name in (start + each for each in files):
                if name.startswith(prefix) and (file := self._stat(name)):
                    yield file

    def stat(self, name: str) -> StoredFile | None:
        """The file of exactly this name, as `list_files` would tell of it now; None if there is none."""
        try:
            self._refuse_long([name])
        except TooLong:  # to ask for it would be an error
            return None
        if "\0" in name:  # so would this be
            return None
        return self._stat(name)

    def _stat(self, name: str) -> StoredFile | None:
        try:
            if not self.exists(name):
                return None
            modified = self.get_modified_time(name)
            aware = timezone.make_aware(modified) if timezone.is_naive(modified) else modified
            return StoredFile(name, self.size(name), aware)
        except (FileNotFoundError, FileExistsError, IsADirectoryError):  # the second: what should be a folder is a file
            return None

    def stat_each(self, names: Iterable[str]) -> list[StoredFile | None]:
        """What `stat` gives for each of these, many at a time where the storage can do that."""
        asked = [self._threads.submit(self.stat, name) for name in names]
        return [each.result() for each in asked]

    def _list_folder(self, folder: str) -> list[str] | None:
        """The names of all files in a folder; None if this storage cannot tell."""
        try:
            return [folder + file for file in self.listdir(folder)[1]]
        except FileNotFoundError:
            return []
        except NotImplementedError:
            return None

    def remove_files(self, names: Iterable[str]) -> None:
        """Remove exactly these files. The thumbs of an original stay, and nobody is told."""
        self._remove(names)


def may_begin(name: str, prefix: str) -> bool:
    """Whether this name, or one in a folder of this name, may begin with `prefix`."""
    return name.startswith(prefix) or prefix.startswith(f"{name}/")
