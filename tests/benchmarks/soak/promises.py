"""The rules that a run is held to; each yields what broke it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from statistics import median
from typing import Final

from athumb_storage.concurrency import available_cores
from athumb_storage.storages.s3.client import POOL_SIZE
from tests.benchmarks.soak import servers
from tests.benchmarks.soak.clients import REFUSED, STORED, Answer
from tests.benchmarks.soak.run import Run
from tests.benchmarks.soak.watch import Usage

GROWTH: Final = 0.25
"""How much more memory may be held at rest after the load than after the warm-up. A quarter is some 50 MiB: the heaps
of many threads are never twice as full of holes in the same way."""

EXAMPLES: Final = 5


def broken(run: Run) -> list[str]:
    """What does not hold, in words; nothing, if all does."""
    rules = (_answers, _workers, _threads, _growth, _rest, _aftermath)
    return [fault for rule in rules for fault in rule(run)]


def excused(run: Run, answer: Answer) -> bool:
    """Whether a good file was refused because the S3 server was away while it was uploaded."""
    if run.outage is None or answer.outcome != REFUSED:
        return False
    went, came_back = run.outage
    return answer.began < came_back and answer.began + answer.seconds > went


def unexpected(run: Run) -> list[Answer]:
    return [answer for answer in run.answers if not answer.expected and not excused(run, answer)]


def workers(run: Run) -> list[Usage]:
    """The processes that answer requests, as they were before; others, such as Python's own helpers, are smaller."""
    return sorted(run.fresh[1:], key=lambda usage: usage.memory)[-servers.WORKERS :]


def thread_limit(run: Run, fresh: Usage) -> int:
    """What a busy process may have: what it began with, those for requests, and both pools of the library."""
    return fresh.threads + servers.busy_threads(run.plan.server, run.plan.clients) + POOL_SIZE + available_cores()


def of_worker(usages: Sequence[Usage], pid: int, measure: Callable[[Usage], float]) -> float:
    return median([measure(usage) for usage in usages if usage.pid == pid] or [0])


def together(usages: Sequence[Usage], measure: Callable[[Usage], float]) -> float:
    """The sum over all processes."""
    return sum(of_worker(usages, pid, measure) for pid in {usage.pid for usage in usages})


def _answers(run: Run) -> Iterator[str]:
    found = Counter(f"{answer.upload.kind}: {answer.outcome}" for answer in unexpected(run))
    for words, number in found.most_common(EXAMPLES):
        yield f"{number} x {words}"
    outcomes = {answer.outcome for answer in run.answers}
    if not {STORED, REFUSED} <= outcomes:
        yield "not both good and bad files were answered"
    if run.outage and not any(answer.began > run.outage[1] for answer in run.answers):
        yield "the load was over before the S3 server came back"


def _workers(run: Run) -> Iterator[str]:
    before, after = ({usage.pid for usage in usages} for usages in (run.fresh, run.rest))
    if before != after or len(before) < 1 + servers.WORKERS:
        yield f"the processes {sorted(before)} became {sorted(after)}"


def _threads(run: Run) -> Iterator[str]:
    for fresh in run.fresh:
        highest = max((usage.threads for usage in run.samples if usage.pid == fresh.pid), default=0)
        if highest > thread_limit(run, fresh):
            yield f"process {fresh.pid} had {highest} threads, more than {thread_limit(run, fresh)}"


def _growth(run: Run) -> Iterator[str]:
    """Of all processes together: which of them takes how many requests is chance."""
    before, after = (together(usages, lambda usage: usage.memory) for usages in (run.warm, run.rest))
    if after > before * (1 + GROWTH):
        yield f"memory grew from {before:.0f} to {after:.0f} MiB"


def _rest(run: Run) -> Iterator[str]:
    """Without work, a process holds what it began with, its request threads, the pools, and connections to S3."""
    fresh = {usage.pid: usage for usage in run.fresh}
    for usage in run.rest:
        before = fresh.get(usage.pid, usage)
        threads = before.threads + servers.kept_threads(run.plan.server) + POOL_SIZE + available_cores()
        if usage.files > before.files + POOL_SIZE:
            yield f"process {usage.pid} keeps {usage.files} descriptors, it began with {before.files}"
        if usage.threads > threads:
            yield f"process {usage.pid} keeps {usage.threads} threads, more than {threads}"


def _aftermath(run: Run) -> Iterator[str]:
    found = run.aftermath
    # What an outage keeps from being removed has to be in the log; otherwise nothing may be left at all.
    left = found.silent if run.outage else found.leftovers
    for words, faults in {
        "incomplete": found.incomplete,
        "rows and answers differ": found.miscounted,
        "left behind": left,
    }.items():
        if faults:
            yield f"{words}: {len(faults)}, such as {'; '.join(faults[:EXAMPLES])}"
