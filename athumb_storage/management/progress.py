"""How far a long command is: a bar on a terminal, lines anywhere else."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

LINE_EVERY = 10.0
"""Seconds between two lines."""


class Progress:
    """Tells how many rows are done, how many a second, and how long the others are going to take.

    A context manager, which takes the bar away at its end. The bar is tqdm's, of the extra `progress`; without it there
    are lines on a terminal as well.

    Args:
        stdout: the command's output.
        most: how many rows are done at most; None is all.
        is_wanted: whether to tell anything.
    """

    def __init__(self, stdout: Any, most: int | None, *, is_wanted: bool = True) -> None:
        self._stdout = stdout
        self._most = most
        self._total: int | None = None
        self._is_wanted = is_wanted
        self._done = 0
        self._began = self._told = time.monotonic()
        self._bar: Any = None

    def __enter__(self) -> Progress:
        if self._is_wanted and self._stdout.isatty():
            try:
                from tqdm import tqdm
            except ImportError:
                return self
            self._bar = tqdm(unit=" rows", file=self._stdout, leave=False, dynamic_ncols=True)
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def expect(self, total: int) -> None:
        """So many rows there are."""
        self._total = total if self._most is None else min(total, self._most)
        if self._bar is not None:
            self._bar.reset(self._total)

    def step(self, name: str) -> None:
        """One more row is done, that of the original `name`."""
        self._done += 1
        if self._bar is not None:
            self._bar.update()
            return
        now = time.monotonic()
        if self._is_wanted and now - self._told >= LINE_EVERY:
            self._told = now
            self.write(self._stdout, f"{self._line(now)}, at {name!r}")

    def write(self, stream: Any, line: str) -> None:
        """Write a line, above the bar if there is one. What its encoding does not have is escaped."""
        if self._bar is not None:
            self._bar.clear()
        try:
            stream.write(line)
        except UnicodeEncodeError as error:
            stream.write(line.encode(error.encoding, "backslashreplace").decode(error.encoding))

    def _line(self, now: float) -> str:
        rate = self._done / max(now - self._began, 1e-9)
        if self._total is None:
            return f"{counted(self._done)}, {rate:.1f}/s"
        left = timedelta(seconds=round(max(self._total - self._done, 0) / rate))
        return f"{self._done}/{counted(self._total)}, {rate:.1f}/s, {left} left"


def counted(count: int) -> str:
    """So many rows, in words."""
    return f"{count} row{'' if count == 1 else 's'}"
