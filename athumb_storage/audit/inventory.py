"""S3 Inventory: the list of a bucket that S3 writes once a day or week, in place of a listing.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory-location.html
"""

from __future__ import annotations

import csv
import gzip
import json
import zlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote_plus

from athumb_storage.audit.reconciling import Listing
from athumb_storage.audit.scope import Root
from athumb_storage.exceptions import AuditError, shown
from athumb_storage.storages.listing import StoredFile

_WANTED: Final = ("Bucket", "Key", "Size", "LastModifiedDate")
"""The columns that are needed."""


class Inventory:
    """An inventory in CSV, whose files lie beside its manifest, by their own names or by their keys.

    Args:
        manifest: the path of its `manifest.json`.

    Raises:
        AuditError: it is none that can be read.
    """

    def __init__(self, manifest: Path) -> None:
        self._path = manifest
        try:
            told: Any = json.loads(manifest.read_text("utf-8"))
            self.bucket = str(told["sourceBucket"])
            self._files = [(str(file["key"]), file.get("size")) for file in told["files"]]
            file_format, schema = str(told["fileFormat"]), str(told["fileSchema"])
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            why = f"{type(error).__name__}: {error}"
            raise AuditError(f"{manifest} is no manifest of an S3 Inventory ({why})") from error
        if file_format != "CSV":
            raise AuditError(f"{manifest} is of an inventory in {file_format}; only CSV can be read.")
        self._columns = {name.strip(): index for index, name in enumerate(schema.split(","))}
        lacking = [column for column in _WANTED if column not in self._columns]
        if lacking:
            raise AuditError(f"{manifest}: the inventory has no {', '.join(lacking)}.")

    def listing(self) -> Listing:
        """What is in the inventory, in place of what a storage lists."""
        return self._below

    def _below(self, root: Root) -> Iterator[StoredFile]:
        if root.place.home != f"s3://{self.bucket}":
            where = root.place.address or type(root.storage).__name__
            raise AuditError(f"The inventory is of the bucket {self.bucket!r}, and there are files in {where} as well.")
        for row in self._rows():
            file = self._parsed(row)
            name = file and root.place.name(file.name)
            if file and name and not name.endswith("/"):
                yield StoredFile(name, file.size, file.modified, file.etag)

    def _parsed(self, row: list[str]) -> StoredFile | None:
        """What a line tells, under its key; None for what is not there any more."""

        def value(column: str) -> str | None:
            index = self._columns.get(column)
            return None if index is None else row[index]

        try:
            if value("IsLatest") == "false" or value("IsDeleteMarker") == "true":
                return None
            if value("Bucket") != self.bucket:
                raise AuditError(f"{self._path}: a line is of the bucket {shown(value('Bucket'))}.")
            modified, size = _time(value("LastModifiedDate") or ""), _size(value("Size") or "0")
            etag = value("ETag")
            key = unquote_plus(value("Key") or "", errors="surrogateescape")
            return StoredFile(key, size, modified, f'"{etag}"' if etag else None)
        except (ValueError, IndexError) as error:
            raise AuditError(f"{self._path}: a line cannot be read ({error}): {shown(','.join(row))}") from error

    def _rows(self) -> Iterator[list[str]]:
        for key, size in self._files:
            path = self._found(key)
            if size is not None and path.stat().st_size != size:
                raise AuditError(f"{path} has {path.stat().st_size} bytes, and the manifest says {size}.")
            try:
                with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
                    yield from csv.reader(lines)
            except (OSError, EOFError, zlib.error, csv.Error, UnicodeDecodeError) as error:
                raise AuditError(f"{path} cannot be read: {error}") from error

    def _found(self, key: str) -> Path:
        folder = self._path.parent
        for path in (folder / key, folder / key.rpartition("/")[2]):
            if path.is_file() and ".." not in path.parts[len(folder.parts) :]:
                return path
        raise AuditError(f"The file {shown(key)} of the inventory is not beside {self._path}.")


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError("the time has no zone")
    return time


def _size(text: str) -> int:
    size = int(text)
    if not 0 <= size < 1 << 63:
        raise ValueError("no object has this size")
    return size
