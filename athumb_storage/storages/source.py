"""The bytes of one upload, whatever it came as, readable more than once and from several threads."""

from __future__ import annotations

import io
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, cast
from weakref import WeakSet

from django.conf import settings
from django.core.files.base import File
from django.core.files.utils import FileProxyMixin

from athumb_storage.exceptions import UploadFailed
from athumb_storage.formats import HEAD_SIZE
from athumb_storage.rendering import Limits
from athumb_storage.uploads import upload_info


class Source:
    """An upload's bytes; each `open()` is a reader of its own, at the beginning.

    A file on disk is opened again by its path, bytes in memory are shared. Everything else (a stream that cannot go
    back, a wrapper that decrypts) is copied once, to memory while it is small and to a temporary file above
    `FILE_UPLOAD_MAX_MEMORY_SIZE`, when it is first opened. The content itself stays open, so that Django can go on.

    Args:
        content: the upload.
        pieces: its bytes, where they are not those of `content` any more.

    Raises:
        ValueError: the content is closed and cannot be opened again.
        UploadFailed: it is a stream that was read before.
    """

    def __init__(self, content: File[Any], pieces: Iterator[bytes] | None = None) -> None:
        self._closing = ExitStack()
        self._lock = threading.RLock()
        self._data: bytes | None = None
        self._path: Path | None = None
        self._peeked = b""
        self.info = upload_info(content)
        """What is told to the field that it is for."""
        self._content = _rewound(content)
        if pieces is not None:
            self._keep(pieces)
            self._content = self._copy()
            return
        _refuse_used_up(content)
        self._data = _bytes_in_memory(content)
        if self._data is None:
            self._path = _path_on_disk(content)

    def __enter__(self) -> Source:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.close()

    def replaced(self, pieces: Iterator[bytes]) -> Source:
        """What is to be stored instead, of these bytes; what is told of it is told to the same field."""
        other = Source(self.content, pieces)
        other.info = self.info
        return other

    @property
    def content(self) -> File[Any]:
        """The upload, or a copy of it, at its beginning, as another storage may read it."""
        if self._peeked:
            self._fetch()
        return self._content

    def open(self) -> BinaryIO:
        """A new reader, at the beginning; whoever opens it closes it."""
        self._fetch()
        return io.BytesIO(self._data or b"") if self._path is None else self._path.open("rb")

    def head(self) -> bytes:
        """The first bytes, as many as it takes to tell what they are. No more are read of a stream."""
        with self._lock:
            if not self._is_kept and not self._peeked:
                head = _read(self._content, HEAD_SIZE)
                if not _goes_back(self._content):
                    self._peeked = head
                    return head
                self._content.seek(0)
                return head
            if self._peeked:
                return self._peeked
        with self.open() as reader:
            return reader.read(HEAD_SIZE)

    def refuse_more_than(self, limits: Limits) -> None:
        """Refuse what has more bytes than the limits allow, before more than that is copied.

        Raises:
            ImageLimitExceeded: it has.
        """
        limits.check_bytes(vars(self._content).get("size") or 0)  # nobody is asked who may not know
        self._fetch(limits)
        limits.check_bytes(self.size)

    @property
    def size(self) -> int:
        """How many bytes there are."""
        with self.open() as reader:
            return reader.seek(0, os.SEEK_END)

    @property
    def _is_kept(self) -> bool:
        return self._data is not None or self._path is not None

    def _fetch(self, limits: Limits | None = None) -> None:
        with self._lock:
            if self._is_kept:
                return
            self._keep(_chunks(self._content, self._peeked, limits))
            self._content = _rewound(self._content) if _goes_back(self._content) else self._copy()
            self._peeked = b""

    def _keep(self, chunks: Iterator[bytes]) -> None:
        """Keep what can be read only once, or by one reader at a time."""
        start = io.BytesIO()
        for chunk in chunks:
            start.write(chunk)
            if start.tell() > settings.FILE_UPLOAD_MAX_MEMORY_SIZE:
                break
        else:
            self._data = start.getvalue()
            return
        try:
            folder = settings.FILE_UPLOAD_TEMP_DIR
            file = self._closing.enter_context(tempfile.NamedTemporaryFile(dir=folder))  # noqa: SIM115, closed by close()
            file.write(start.getbuffer())
            file.writelines(chunks)
            file.flush()
        except BaseException:
            self._closing.close()
            raise
        self._path = Path(file.name)

    def _copy(self) -> File[Any]:
        """The copy, as another storage may read it."""
        return File(self._closing.enter_context(self.open()), name=self._content.name)


_used_up: Final[WeakSet[Any]] = WeakSet()


def _refuse_used_up(content: File[Any]) -> None:
    """A stream that cannot go back would be empty the second time, and be stored like that."""
    stream = _innermost(content)
    if _goes_back(content):
        return
    with suppress(TypeError):  # it has no hash, or cannot be referred to weakly
        if stream in _used_up:
            raise UploadFailed(content.name or "", "it is a stream that was read before, and cannot go back")
        _used_up.add(stream)


def _rewound(content: File[Any]) -> File[Any]:
    if getattr(content, "closed", False):
        content.open()
    if _goes_back(content):
        content.seek(0)
    return content


def _goes_back(content: Any) -> bool:
    # Files made before io.IOBase.seekable() have none; they could all seek.
    return not hasattr(content, "seekable") or bool(content.seekable())


def _innermost(content: Any) -> Any:
    """What a Django `File` wraps, through all layers that read exactly what they wrap."""
    while getattr(type(content), "read", None) is FileProxyMixin.read:
        content = content.file
    return content


def _bytes_in_memory(content: Any) -> bytes | None:
    inner = _innermost(content)
    # getvalue() of a BytesIO that nobody writes to shares its bytes; it copies nothing.
    return inner.getvalue() if type(inner) is io.BytesIO else None


def _path_on_disk(content: Any) -> Path | None:
    if hasattr(content, "temporary_file_path"):
        return Path(content.temporary_file_path())
    inner = _innermost(content)
    if not isinstance(inner, io.BufferedReader | io.BufferedRandom) or not isinstance(inner.raw, io.FileIO):
        return None
    path = Path(os.fsdecode(inner.name)) if isinstance(inner.name, str | bytes) else None
    # By now the path may lead to nothing, or to another file.
    same = path and path.is_file() and os.path.samestat(path.stat(), os.fstat(inner.fileno()))
    return path if same else None


def _chunks(content: File[Any], peeked: bytes, limits: Limits | None) -> Iterator[bytes]:
    # The first as long as what is kept in memory, and one byte more to see whether it is longer.
    size = 0
    chunk = peeked + _read(content, settings.FILE_UPLOAD_MAX_MEMORY_SIZE + 1 - len(peeked))
    while chunk:
        yield chunk
        size += len(chunk)
        if limits:
            limits.check_bytes(size)
        chunk = _read(content, File.DEFAULT_CHUNK_SIZE)


def _read(content: File[Any], size: int) -> bytes:
    """Up to `size` bytes, fewer only at the end; text is taken as UTF-8, as django-storages does."""
    parts = []
    while size > 0 and (part := content.read(size)):
        data = cast(bytes, part.encode() if isinstance(part, str) else part)
        parts.append(data)
        size -= len(data)
    return b"".join(parts)
