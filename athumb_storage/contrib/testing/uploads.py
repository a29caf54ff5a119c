"""All that an upload may come as. Each kind is a function of the bytes and of a folder outside of the storage."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from django.core.files.base import ContentFile, File
from django.core.files.uploadedfile import InMemoryUploadedFile, TemporaryUploadedFile

Kind = Callable[[bytes, Path], "File[Any]"]


class NonSeekable(io.RawIOBase):
    """A stream that cannot go back."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._data.readinto(buffer)


class Trickle(NonSeekable):
    """A stream that gives less than it is asked for."""

    def readinto(self, buffer: Any) -> int:
        return super().readinto(memoryview(buffer)[:1000])


def in_memory(data: bytes, folder: Path) -> File[Any]:
    return ContentFile(data, name="cat.jpg")


def from_a_form(data: bytes, folder: Path) -> File[Any]:
    return InMemoryUploadedFile(io.BytesIO(data), "image", "cat.jpg", "image/jpeg", len(data), None)


def temporary(data: bytes, folder: Path) -> File[Any]:
    file = TemporaryUploadedFile("cat.jpg", "image/jpeg", len(data), None)
    file.write(data)
    return file


def temporary_at_its_end(data: bytes, folder: Path) -> File[Any]:
    file = temporary(data, folder)
    file.seek(0, os.SEEK_END)
    return file


def not_at_its_beginning(data: bytes, folder: Path) -> File[Any]:
    file = ContentFile(data)
    file.seek(77)
    return file


def on_disk(data: bytes, folder: Path) -> File[Any]:
    path = folder / "upload.jpg"
    path.write_bytes(data)
    return File(path.open("rb"), name="upload.jpg")


def closed_once(data: bytes, folder: Path) -> File[Any]:
    file = on_disk(data, folder)
    file.name = str(folder / "upload.jpg")
    file.read(10)
    file.close()
    return file


def moved_away(data: bytes, folder: Path) -> File[Any]:
    file = on_disk(data, folder)
    (folder / "upload.jpg").unlink()
    return file


def replaced_on_disk(data: bytes, folder: Path) -> File[Any]:
    file = on_disk(data, folder)
    (folder / "upload.jpg").unlink()
    (folder / "upload.jpg").write_bytes(b"another file by now")
    return file


def non_seekable(data: bytes, folder: Path) -> File[Any]:
    stream: Any = NonSeekable(data)
    return File(stream, name="cat.jpg")


def without_a_name_of_its_own(data: bytes, folder: Path) -> File[Any]:
    file = tempfile.TemporaryFile()  # noqa: SIM115, the test closes it
    file.write(data)
    return File(file, name="cat.jpg")


def in_several_reads(data: bytes, folder: Path) -> File[Any]:
    stream: Any = Trickle(data)
    return File(stream, name="cat.jpg")


KINDS: Final[list[Kind]] = [
    in_memory,
    from_a_form,
    temporary,
    temporary_at_its_end,
    not_at_its_beginning,
    on_disk,
    closed_once,
    moved_away,
    replaced_on_disk,
    non_seekable,
    without_a_name_of_its_own,
    in_several_reads,
]
