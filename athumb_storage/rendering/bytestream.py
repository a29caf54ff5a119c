"""A reader made quick to walk: small pieces are taken from a buffer, large ones are leapt over."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from typing import BinaryIO, Final, TypeVar

from athumb_storage.exceptions import UploadedImageIsUnreadableError

_BUFFER: Final = 1 << 16

_MANY: Final = 30_000
"""So many pieces there have to be before their size is asked for."""


T = TypeVar("T")

Place = tuple[int, int]
"""Where something begins in a file, and how many bytes it has."""

Piece = bytes | Place
"""Bytes, or where they are in the file."""


class Truncated(EOFError):
    """The bytes end before what was asked for."""


class BufferedReader:
    """Reads forward through `reader`, from where it is."""

    def __init__(self, reader: BinaryIO) -> None:
        self._reader = reader
        self._start = reader.tell()
        self._buffer = b""
        self._at = 0

    def tell(self) -> int:
        """How many bytes of the reader lie behind."""
        return self._start + self._at

    def take(self, size: int) -> bytes:
        """The next `size` bytes.

        Raises:
            Truncated: there are not that many.
        """
        end = self._at + size
        if end > len(self._buffer):
            self._fill(size)
            end = size
        piece = self._buffer[self._at : end]
        if len(piece) < size:
            raise Truncated
        self._at = end
        return piece

    def byte(self) -> int:
        """The next byte, as a number."""
        if self._at == len(self._buffer):
            self._fill(1)
            if not self._buffer:
                raise Truncated
        self._at += 1
        return self._buffer[self._at - 1]

    def skip(self, size: int) -> None:
        """Leap over `size` bytes; that there are not that many shows when the next is taken."""
        self._at += size
        if self._at > len(self._buffer):
            self._start += self._at
            self._reader.seek(self._start)
            self._buffer, self._at = b"", 0

    def pieces(self, size: int) -> Iterator[bytes]:
        """The next `size` bytes, a buffer at a time; raises `Truncated` if there are not that many."""
        while size:
            piece = self.take(min(size, _BUFFER))
            size -= len(piece)
            yield piece

    def blocks(self) -> Iterator[tuple[bytes, int]]:
        """Blocks that have their size in a byte before them, up to the empty one, and how many: first one, then many.

        Raises:
            Truncated: there is no empty one.
        """
        most, size = 1, -1
        while size:
            if self._at + 256 > len(self._buffer):
                self._fill(256)
            buffer, end, count = self._buffer, self._at, 0
            while size and count < most and end < len(buffer) and end + buffer[end] < len(buffer):
                size = buffer[end]
                end, count = end + 1 + size, count + 1
            if not count:
                raise Truncated
            piece, self._at = buffer[self._at : end], end
            yield piece, count
            most = _BUFFER

    def before(self, pattern: re.Pattern[bytes]) -> Iterator[bytes]:
        """The bytes before the next match of `pattern`, which is two bytes long; all that are left if there is none."""
        while not (match := pattern.search(self._buffer, self._at)):
            # The match may begin with the last byte of this buffer and end with the first of the next.
            end = max(self._at, len(self._buffer) - 1)
            yield self._buffer[self._at : end]
            self._at = end
            have = len(self._buffer) - end
            self._fill(have + 1)
            if len(self._buffer) == have:
                yield self.take(have)
                return
        yield self._buffer[self._at : match.start()]
        self._at = match.start()

    def _fill(self, size: int) -> None:
        rest = self._buffer[self._at :]
        self._start += self._at
        self._reader.seek(self._start + len(rest))
        self._buffer, self._at = rest + self._reader.read(max(_BUFFER, size - len(rest))), 0


def refuse_tiny_pieces(pieces: int, size: int, least: int) -> None:
    """Refuse a file that is cut into a great many pieces which are smaller, on average, than `least` bytes.

    Each piece costs time of its own to read, however small it is, and no program writes files like that.

    Raises:
        UploadedImageIsUnreadableError: there are that many, in the `size` bytes that were read so far.
    """
    if pieces > _MANY and size < pieces * least:
        raise UploadedImageIsUnreadableError(f"The image is cut into more than {_MANY} pieces of almost nothing")


def refuse_more_than(things: str, found: int, most: int) -> None:
    """Refuse a file that has more of something than any program would write.

    Raises:
        UploadedImageIsUnreadableError: there are more of these `things` than `most`.
    """
    if found > most:
        raise UploadedImageIsUnreadableError(f"The image has more than {most} {things}, which no program writes")


def until_truncated(parts: Iterator[T]) -> Iterator[T]:
    """The parts of a file up to where it is cut off."""
    try:
        yield from parts
    except Truncated:
        return


def merged(pieces: Iterable[Piece]) -> list[Piece]:
    """The same pieces, those that follow each other in one."""
    whole: list[Piece] = []
    for piece in pieces:
        last = whole[-1] if whole else b""
        if isinstance(piece, bytes) and isinstance(last, bytes):
            whole[-1:] = [last + piece]
        elif isinstance(piece, tuple) and isinstance(last, tuple) and sum(last) == piece[0]:
            whole[-1] = last[0], last[1] + piece[1]
        else:
            whole.append(piece)
    return whole


def byte_length(reader: BinaryIO) -> int:
    """How many bytes there are in `reader`, which is at its beginning afterwards."""
    size = reader.seek(0, io.SEEK_END)
    reader.seek(0)
    return size
