"""A project whose thumbs are made again by workers, of which one is killed. Prints what became of it, as JSON.

It runs in a process of its own: its settings are those of a task engine.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from typing import Any

import django

from tests.engines.conftest import PostgreSQL

ROWS = 100
RANGE_ROWS = 25
PATIENCE = 60
"""Seconds for a run."""

OUTAGE = 3
"""Seconds that the database is gone."""

COMMANDS = {
    "celery": [
        "celery",
        "-A",
        "django_tasks_fennel.app",
        "worker",
        "--pool=solo",
        "--without-mingle",
        "--loglevel=INFO",
    ],
    "db": ["django", "db_worker", "--interval=0.2", "--no-startup-delay"],
}


class Worker:
    """A process of the engine's."""

    def __init__(self, engine: str, number: int, *more: str) -> None:
        name = [f"--hostname=worker{number}@here"] if engine == "celery" else [f"--worker-id=worker{number}"]
        command = [sys.executable, "-W", "ignore", "-m", *COMMANDS[engine], *name, *more]
        self.process = subprocess.Popen(command, stdout=sys.stderr)

    def kill(self) -> None:
        self.process.kill()
        assert self.process.wait() == -signal.SIGKILL


def main(scenario: str) -> None:
    engine = json.loads(os.environ["ATHUMB_ENGINE"])["engine"]
    django.setup()
    from django.core.management import call_command
    from django.db import connection

    from athumb_storage.distributed import rows
    from tests.shop.models import Label

    rows.RANGE_ROWS = RANGE_ROWS  # type: ignore[misc]
    call_command("migrate", verbosity=0)
    with connection.schema_editor() as editor:
        editor.create_model(Label)
    before = _uploaded()
    workers: list[Worker] = []
    try:
        report = {"killed": _killed, "alone": _killed_alone, "deadly": _deadly, "hasty": _hasty, "outage": _outage}[
            scenario
        ](engine, workers)
    finally:
        for worker in workers:
            worker.process.kill()
            worker.process.wait()
    after = _stored()
    print(json.dumps({**report, "wrong": [key for key in before if after[key] != before[key]]}))


def _uploaded() -> dict[str, str]:
    """Rows with uploads, whose thumbs are spoilt then; what their thumbs were."""
    from django.core.files.base import ContentFile
    from django.core.files.storage import default_storage

    from tests.conftest import noise
    from tests.shop.models import Label

    codes = [f"{letter}{number % 7}{number}" for number, letter in zip(range(ROWS), "aBÄ-é.Zz" * ROWS, strict=False)]
    for number, code in enumerate(codes):
        # Each has a picture of its own, so that no thumb can be another's.
        Label.objects.create(code=code, image=ContentFile(noise((900, 600 + number)), name=f"{number}.jpg"))
    before = _stored()
    for key in before:
        default_storage._write_thumb(key, b"spoilt", "text/plain", replace=True)  # type: ignore[attr-defined]
    assert len({*before.values()}) == len(before) == ROWS
    assert len({*_stored().values()}) == 1
    return before


def _stored() -> dict[str, str]:
    """The thumbs that there are: key -> a hash of what is there."""
    from django.core.files.storage import default_storage

    from tests.shop.models import Label

    storage: Any = Label._meta.get_field("image").storage
    stored = {}
    for name in Label.objects.values_list("image", flat=True):
        with default_storage.open(storage.thumb_key(name, "small"), "rb") as file:
            stored[file.name] = hashlib.sha256(file.read()).hexdigest()
    return stored


def _started(**options: Any) -> Any:
    from athumb_storage.distributed import runs
    from tests.shop.models import Label

    return runs.start(Label.objects.all(), Label._meta.get_field("image"), workers=1, **options)


def _killed(engine: str, workers: list[Worker]) -> dict[str, Any]:
    """Two workers, of which one is killed while it has a range."""
    workers += [Worker(engine, number) for number in (1, 2)]
    run = _started()
    owners: dict[int, set[str]] = defaultdict(set)
    _until(lambda: len(_in_the_middle(run, owners)) == 2)
    workers.pop().kill()
    had = {pk: owners[pk].copy() for pk in _in_the_middle(run, owners)}
    seconds = _until(lambda: _in_the_middle(run, owners) is not None and _is_finished(run))
    taken_over = [pk for pk in had if owners[pk] != had[pk]]
    return {**_counts(run), "taken over": len(taken_over), "seconds": seconds}


def _killed_alone(engine: str, workers: list[Worker]) -> dict[str, Any]:
    """One task and one worker, which is killed; another comes, and is given the task again."""
    workers.append(Worker(engine, 1))
    run = _started(tasks=1)
    owners: dict[int, set[str]] = defaultdict(set)
    _until(lambda: len(_in_the_middle(run, owners)) == 1)
    workers.pop().kill()
    workers.append(Worker(engine, 2))
    seconds = _until(lambda: _is_finished(run))
    return {**_counts(run), "seconds": seconds}


def _deadly(engine: str, workers: list[Worker]) -> dict[str, Any]:
    """A worker whose processes die of one picture: the engine starts others, and gives them the task again."""
    from tests.shop.models import Label

    deadly = Label.objects.order_by("code")[30]
    run = _started(tasks=2)
    Label.objects.filter(pk=deadly.pk).update(image="labels/deadly.jpg")
    workers.append(Worker(engine, 1, "--pool=prefork", "--concurrency=2"))
    seconds = _until(lambda: _is_finished(run))
    Label.objects.filter(pk=deadly.pk).update(image=deadly.image.name)
    failures = [[failure.row, failure.reason] for failure in run.failures.all()]
    return {**_counts(run), "deadly": deadly.pk, "failures": failures, "seconds": seconds}


def _hasty(engine: str, workers: list[Worker]) -> dict[str, Any]:
    """Two workers of a broker that gives a task to the other one while it is being done."""
    workers += [Worker(engine, number) for number in (1, 2)]
    run = _started()
    seconds = _until(lambda: _is_finished(run))
    return {**_counts(run), "seconds": seconds}


def _outage(engine: str, workers: list[Worker]) -> dict[str, Any]:
    """Two workers, and a database that is gone for seconds. Something starts each worker again that ends by it."""
    from django.db import close_old_connections

    server = PostgreSQL(*json.loads(os.environ["ATHUMB_ENGINE"])["server"])
    workers += [Worker(engine, number) for number in (1, 2)]
    run = _started()
    owners: dict[int, set[str]] = defaultdict(set)
    _until(lambda: len(_in_the_middle(run, owners)) == 2)
    server.stop()
    time.sleep(OUTAGE)
    server.start()
    close_old_connections()

    def is_finished() -> bool:
        for number, worker in enumerate(workers):
            if worker.process.poll() is not None:
                workers[number] = Worker(engine, 10 + number)
        return _is_finished(run)

    seconds = _until(is_finished)
    return {**_counts(run), "seconds": seconds}


def _in_the_middle(run: Any, owners: dict[int, set[str]]) -> list[int]:
    """The ranges that somebody is at; notes who."""
    found = run.ranges.exclude(owner="").filter(finished=False).values_list("pk", "owner", "done", "rows")
    for pk, owner, _, _ in found:
        owners[pk].add(owner)
    return [pk for pk, _, done, rows in found if 0 < done < rows - 2]


def _is_finished(run: Any) -> bool:
    run.refresh_from_db()
    return bool(run.state == "finished")


def _counts(run: Any) -> dict[str, int]:
    from django.db.models import Sum

    return run.ranges.aggregate(done=Sum("done"), generated=Sum("generated"), failed=Sum("failed"))


def _until(condition: Any) -> float:
    """Wait for it; how many seconds that took."""
    start = time.monotonic()
    while not condition():
        if time.monotonic() - start > PATIENCE:
            raise TimeoutError
        time.sleep(0.02)
    return time.monotonic() - start


if __name__ == "__main__":
    main(sys.argv[1])
