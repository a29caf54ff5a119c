"""One run: a web server under load, with what was answered, held and left behind."""

from __future__ import annotations

import contextlib
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from testproject.seaweedfs import SeaweedFS
from tests.benchmarks.soak import aftermath, clients, servers, watch
from tests.benchmarks.soak.aftermath import Aftermath
from tests.benchmarks.soak.clients import STORED, Answer
from tests.benchmarks.soak.files import Upload
from tests.benchmarks.soak.servers import Site
from tests.benchmarks.soak.watch import Usage

WARM_UP = 10.0
"""Seconds until pools are full and caches are warm; a shorter run has a third of its time for that."""

OUTAGE = 5.0
"""Seconds for which the S3 server is stopped."""

_BEFORE_OUTAGE = 2.0
"""Seconds of load before that."""

_REST = 3.0
"""Seconds from the last answer until what is still held is looked at."""


@dataclass(frozen=True)
class Plan:
    """What is to be run; `outage` says whether the S3 server is stopped in the middle of it."""

    server: str
    seconds: float
    clients: int
    outage: bool = False

    @property
    def warm_up(self) -> float:
        return min(WARM_UP, self.seconds / 3)


@dataclass(frozen=True)
class Run:
    """What happened. Times are by the clock of `time.monotonic`; `outage` is from the stop to the server's return.

    `fresh` is what each process held before the first upload, `warm` after the warm-up, when all was answered, and
    `rest` after the load; `samples` are from all that time. The load began at `began` and was over at `ended`.
    """

    plan: Plan
    began: float
    ended: float
    answers: Sequence[Answer]
    fresh: Sequence[Usage]
    warm: Sequence[Usage]
    rest: Sequence[Usage]
    samples: Sequence[Usage]
    aftermath: Aftermath
    outage: tuple[float, float] | None
    log: str

    @property
    def loaded(self) -> list[Answer]:
        """The answers after the warm-up."""
        return [answer for answer in self.answers if answer.began >= self.began]


def run(plan: Plan, s3: SeaweedFS, uploads: Sequence[Upload]) -> Run:
    """Serve, warm up, load, watch, stop, and look at what is there then.

    In the warm-up all clients send large photos: the most memory that chance could make the mix take at any moment.
    """
    bucket = f"soak-{plan.server}"
    s3.create_bucket(bucket)
    large = [upload for upload in uploads if upload.large]
    with tempfile.TemporaryDirectory(prefix="soak-") as folder, contextlib.closing(s3.client()) as client:
        with servers.serving(plan.server, s3, bucket, Path(folder)) as site, watch.watching(site.pid) as samples:
            fresh = watch.usages(site.pid)
            answers = clients.load(site.port, large, plan.clients, plan.warm_up, "warm-up")
            warm = _at_rest(site)
            began = time.monotonic()
            with _outage(plan, s3) as outage:
                answers += clients.load(site.port, uploads, plan.clients, plan.seconds - plan.warm_up, "load")
            ended = time.monotonic()
            rest = _at_rest(site)
        stored = [answer for answer in answers if answer.outcome == STORED]
        found = aftermath.examine(client, bucket, site.database, site.log, stored)
        log = site.log.read_text(errors="replace")
    span = (outage[0], outage[1]) if outage else None
    return Run(plan, began, ended, answers, fresh, warm, rest, samples, found, span, log)


def _at_rest(site: Site) -> list[Usage]:
    time.sleep(_REST)
    return watch.usages(site.pid)


@contextlib.contextmanager
def _outage(plan: Plan, s3: SeaweedFS) -> Iterator[list[float]]:
    """Stops the S3 server for a while; the list gets the moments at which it went and came back."""
    moments: list[float] = []

    def stop_and_start() -> None:
        time.sleep(_BEFORE_OUTAGE)
        moments.append(time.monotonic())
        s3.stop()
        time.sleep(OUTAGE)
        s3.start()
        moments.append(time.monotonic())

    thread = threading.Thread(target=stop_and_start if plan.outage else lambda: None)
    thread.start()
    try:
        yield moments
    finally:
        thread.join()
