"""What bombs cost: `python -m tests.hostile.costs` reads their labels, one a line, and writes a line of JSON for each.

A process of its own, warmed up, forks for each bomb and each door, so that no bomb profits from the memory that another
one left.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import io
import json
import os
import resource
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from tests.hostile.bombs import ACCEPTED, bombs, within_the_limits
from tests.hostile.samples import samples

MIB = 1 << 20
SECONDS_OF_CPU = 15
MOST_MEMORY = 3 << 30

Measured = dict[str, object]
Result = TypeVar("Result")


def status(name: str) -> int:
    """A line of /proc/self/status, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def spent() -> float:
    """Seconds of CPU that this process has used, in all its threads."""
    return time.process_time()


def saved(file_name: str, data: bytes, thumbs: str = "THUMBS") -> Measured:
    """What becomes of it when it is saved with its thumbs."""
    from django.core.files.base import ContentFile

    from athumb_storage.storages import InMemoryThumbnailStorage
    from tests.hostile import promise
    from tests.hostile.promise import outcome, save, what_became

    storage = InMemoryThumbnailStorage(thumbs=getattr(promise, thumbs))
    outcome(storage, "small.gif", ContentFile(samples()["gif-animated"][1]))
    storage, content = InMemoryThumbnailStorage(thumbs=getattr(promise, thumbs)), ContentFile(data)
    return measured(
        lambda: save(storage, file_name, content), lambda stored_name: what_became(storage, stored_name, content)
    )


def checked(file_name: str, data: bytes) -> Measured:
    """What becomes of it when it is only looked at, as forms do."""
    from athumb_storage import UploadedImageIsUnreadableError
    from athumb_storage.formats import HEAD_SIZE, sniff
    from athumb_storage.rendering import verify_decodable

    def check() -> str:
        try:
            verify_decodable(reader, image_format)
        except UploadedImageIsUnreadableError as error:
            return type(error).__name__
        return ACCEPTED

    verify_decodable(io.BytesIO(samples()["jpeg"][1]), "JPEG")
    reader, image_format = io.BytesIO(data), sniff(data[:HEAD_SIZE])
    return measured(check)


DOORS = {"save": saved, "move": partial(saved, thumbs="MOVING"), "check": checked}


def _give_back_memory() -> None:
    """Let the C library keep nothing of what was freed: it would be used again, and so not be seen to be used."""
    getattr(ctypes.CDLL(None), "malloc_trim", lambda pad: None)(0)  # glibc's own


def measured(act: Callable[[], Result], told: Callable[[Result], str] = str) -> Measured:
    """What became of it, as `told` by what it results in, what seconds of CPU it cost, and what MiB at the peak."""
    gc.collect()
    _give_back_memory()
    memory, started = status("VmRSS"), spent()
    Path("/proc/self/clear_refs").write_text("5")
    costs = {}
    try:
        result = act()
        costs = {"seconds": spent() - started, "mib": (status("VmHWM") - memory) / MIB}
        return {**costs, "outcome": told(result)}
    except Exception:  # noqa: BLE001, whatever it is, it is the result
        return {"seconds": SECONDS_OF_CPU, "mib": 0, **costs, "outcome": traceback.format_exc(limit=-4)}


def in_child(measure: Callable[[str, bytes], Measured], file_name: str, data: bytes) -> Measured:
    """A measurement in a forked process, which is ended if it goes on for too long."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        signal.alarm(4 * SECONDS_OF_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS_OF_CPU, SECONDS_OF_CPU))
        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
        os.write(writing, json.dumps(measure(file_name, data)).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as results:
        result = results.read()
    _, ended = os.waitpid(child, 0)
    return json.loads(result) if result else {"outcome": f"ended by {ended}", "seconds": SECONDS_OF_CPU, "mib": 0}


def main() -> None:
    import django

    django.setup()
    warnings.simplefilter("ignore")
    # Imported, and the samples made, before the first fork, so that no child has to do it again.
    importlib.import_module("tests.hostile.promise")
    samples()

    known = {bomb.label: bomb for bomb in (*bombs(), within_the_limits())}
    for line in sys.stdin:
        bomb = known[line.rstrip("\n")]
        data = bomb.make()
        costs = {door: in_child(measure, bomb.file_name, data) for door, measure in DOORS.items()}
        costs["size"] = len(data) / MIB
        print(json.dumps(costs), flush=True)


if __name__ == "__main__":
    main()
