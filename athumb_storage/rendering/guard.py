"""What a decoder may ask for: what it reads, how long it takes, and how much is decoded at once."""

from __future__ import annotations

import os
import threading
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from time import thread_time
from typing import BinaryIO, Final, cast
from weakref import WeakSet

from athumb_storage.exceptions import ImageLimitExceeded
from athumb_storage.rendering.bytestream import Piece

_EVERY: Final = 64
"""The clock is looked at once for so many reads: some decoders ask for a byte at a time."""


class ProcessorTime:
    """What one image has cost so far, in seconds of processor time of all threads that worked on it.

    Args:
        budget: how much it may cost; None for no limit.
    """

    def __init__(self, budget: float | None) -> None:
        self._budget = budget
        self._spent = 0.0
        self._lock = threading.Lock()
        self._mine = threading.local()

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count what this thread does meanwhile.

        Raises:
            ImageLimitExceeded: the budget is used up.
        """
        if hasattr(self._mine, "started"):  # it is counted already
            yield
            return
        self._mine.started = thread_time()
        try:
            self.check()
            yield
            self.check()
        finally:
            with self._lock:
                self._spent += thread_time() - self._mine.started
            del self._mine.started

    def check(self) -> None:
        """Raise `ImageLimitExceeded` if the budget is used up."""
        now = thread_time()
        spent = self._spent + now - getattr(self._mine, "started", now)
        if self._budget is not None and spent > self._budget:
            raise ImageLimitExceeded(
                f"The image takes more processor time than the {self._budget} seconds that are allowed (time_budget)"
            )


class _Guarded:
    """Reads pieces as if they were a file."""

    def __init__(self, reader: BinaryIO, pieces: Sequence[Piece], check: Callable[[], None]) -> None:
        self._reader = reader
        self._pieces = pieces
        self._check = check
        self._ends = list(accumulate(len(piece) if isinstance(piece, bytes) else piece[1] for piece in pieces))
        self._at = 0
        self._reads = 0

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._ends[-1] if self._ends else 0}[whence]
        if start + offset < 0:
            raise ValueError(f"There is nothing at {start + offset}")
        self._at = start + offset
        return self._at

    def read(self, size: int = -1) -> bytes:
        self._reads += 1
        if self._reads % _EVERY == 1:
            self._check()
        number = bisect_right(self._ends, self._at)
        found = []
        while number < len(self._pieces) and size != 0:
            left = self._ends[number] - self._at
            part = self._part(number, left if size < 0 else min(size, left), left)
            if not part:
                break  # the file is shorter than it says
            found.append(part)
            self._at += len(part)
            size -= len(part) if size > 0 else 0
            number = bisect_right(self._ends, self._at)
        return found[0] if len(found) == 1 else b"".join(found)

    def _part(self, number: int, size: int, left: int) -> bytes:
        """So many bytes of a piece, of which so many are left."""
        piece = self._pieces[number]
        if isinstance(piece, bytes):
            start = len(piece) - left
            return piece[start : start + size]
        start, length = piece
        self._reader.seek(start + length - left)
        return self._reader.read(size)


def guarded(reader: BinaryIO, pieces: Sequence[Piece], check: Callable[[], None]) -> BinaryIO:
    """A file of these pieces of `reader`, which calls `check` while it is read. Closing is left to others."""
    return cast(BinaryIO, _Guarded(reader, pieces, check))


class PixelsInFlight:
    """Bounds how many pixels are decoded at once by all threads of the process; who comes first is served first."""

    def __init__(self) -> None:
        self.forget()
        _gates.add(self)

    def forget(self) -> None:
        """Begin anew, with nothing decoded."""
        self._changed = threading.Condition()
        self._held = 0
        self._waiting: deque[object] = deque()

    @contextmanager
    def hold(self, pixels: int, most: int | None) -> Iterator[None]:
        """Decode so many pixels, as soon as there are no more than `most` with them, or no others at all.

        A thread that holds some may not ask for more: it might wait for itself.
        """
        with self._changed:
            me = object()
            self._waiting.append(me)
            try:
                self._changed.wait_for(lambda: self._waiting[0] is me and self._fits(pixels, most))
                self._held += pixels
            finally:
                self._waiting.remove(me)
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._held -= pixels
                self._changed.notify_all()

    def _fits(self, pixels: int, most: int | None) -> bool:
        return most is None or self._held <= 0 or self._held + pixels <= most


_gates: WeakSet[PixelsInFlight] = WeakSet()


def _forget_gates() -> None:
    # The threads that hold pixels are not there in a forked child.
    for gate in _gates:
        gate.forget()


os.register_at_fork(after_in_child=_forget_gates)
