"""What each process of a web server holds, sampled from `/proc` every second."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

INTERVAL = 1.0
"""Seconds between two samples."""


@dataclass(frozen=True)
class Usage:
    """One process at one moment. `memory` is the resident set in MiB; `files` counts all descriptors, sockets too."""

    pid: int
    when: float
    memory: float
    threads: int
    sockets: int
    files: int


@contextlib.contextmanager
def watching(pid: int) -> Iterator[list[Usage]]:
    """Sample a process and its descendants until the end of the block, into the list."""
    samples: list[Usage] = []
    over = threading.Event()

    def sample() -> None:
        while not over.wait(INTERVAL):
            samples.extend(usages(pid))

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield samples
    finally:
        over.set()
        thread.join()


def usages(pid: int) -> list[Usage]:
    """What the process and all its descendants hold now."""
    found = [_usage(one) for one in (pid, *_descendants(pid))]
    return [usage for usage in found if usage]


def _usage(pid: int) -> Usage | None:
    """None if the process has ended meanwhile."""
    folder = Path(f"/proc/{pid}")
    try:
        status = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
        targets = [_target(file) for file in (folder / "fd").iterdir()]
    except (FileNotFoundError, ProcessLookupError):
        return None
    if "VmRSS" not in status:  # it has ended, and its parent has not asked how
        return None
    sockets = sum(target.startswith("socket:") for target in targets)
    memory = int(status["VmRSS"].split()[0]) / 1024
    return Usage(pid, time.monotonic(), memory, int(status["Threads"]), sockets, sum(map(bool, targets)))


def _target(file: Path) -> str:
    """What a descriptor stands for; empty if it has been closed meanwhile."""
    with contextlib.suppress(FileNotFoundError):
        return str(file.readlink())
    return ""


def _descendants(pid: int) -> list[int]:
    children: list[int] = []
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            children += map(int, (task / "children").read_text().split())
    return children + [one for child in children for one in _descendants(child)]
