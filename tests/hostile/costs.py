"""What each bomb costs: `python -m tests.hostile.costs` writes one line of JSON for each.

A process of its own, warmed up, forks for each bomb, so that no bomb profits from the memory that another one left.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import resource
import signal
import sys
import time
import traceback
import warnings
from pathlib import Path

from tests.hostile.bombs import bombs
from tests.hostile.samples import samples

MIB = 1 << 20
SECONDS_OF_CPU = 15
MOST_MEMORY = 3 << 30


def status(name: str) -> int:
    """A line of /proc/self/status, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def spent() -> float:
    """Seconds of CPU that this process has used, in all its threads."""
    return time.process_time()


def measured(file_name: str, data: bytes) -> dict[str, object]:
    """What became of it, how many seconds of CPU it cost, and how many MiB at the peak."""
    from django.core.files.base import ContentFile

    from athumb_storage.storages import InMemoryThumbnailStorage
    from tests.hostile.promise import THUMBS, outcome

    outcome(InMemoryThumbnailStorage(thumbs=THUMBS), "small.jpg", ContentFile(samples()["jpeg"][1]))
    storage, content = InMemoryThumbnailStorage(thumbs=THUMBS), ContentFile(data)
    gc.collect()
    memory, started = status("VmRSS"), spent()
    Path("/proc/self/clear_refs").write_text("5")
    try:
        found = outcome(storage, file_name, content)
    except Exception:  # noqa: BLE001, whatever it is, it is the result
        found = traceback.format_exc(limit=-4)
    return {"outcome": found, "seconds": spent() - started, "mib": (status("VmHWM") - memory) / MIB}


def in_child(file_name: str, data: bytes) -> dict[str, object]:
    """The same in a forked process, which is ended if it goes on for too long."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        signal.alarm(4 * SECONDS_OF_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS_OF_CPU, SECONDS_OF_CPU))
        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
        os.write(writing, json.dumps(measured(file_name, data)).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as results:
        result = results.read()
    _, ended = os.waitpid(child, 0)
    return json.loads(result) if result else {"outcome": f"ended by {ended}", "seconds": SECONDS_OF_CPU, "mib": 0}


def main(only: list[str]) -> None:
    import django

    django.setup()
    warnings.simplefilter("ignore")
    # Imported, and the samples made, before the first fork, so that no child has to do it again.
    importlib.import_module("tests.hostile.promise")
    samples()

    for bomb in bombs():
        if not only or any(word in bomb.label for word in only):
            print(json.dumps({"label": bomb.label, **in_child(bomb.file_name, bomb.make())}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
