"""Where the time of a save goes: `python -m tests.benchmarks --profile`.

The doors every save goes through (Pillow's and botocore's functions) are timed from
outside. What a stage adds up to may exceed the wall time: stages overlap, and a thread that waits for the GIL or a core
still counts.
"""

from __future__ import annotations

import functools
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from tests.benchmarks import ours
from tests.benchmarks.context import Context
from tests.benchmarks.project import set_up, upload
from tests.benchmarks.sets import RESPONSIVE_JPEG, SEED, WantedSet

STAGES = (
    "open and plan",
    "decode",
    "scale",
    "encode",
    "original: request",
    "thumbs: requests",
    "boto3 before requests",
)


@dataclass(frozen=True)
class Span:
    """One call of a stage, in seconds since the save began."""

    stage: str
    thread: int
    begin: float
    end: float


class Recorder:
    """Collects the spans of one save, from all threads."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.start = time.perf_counter()

    def timed(self, stage: str | Callable[..., str], function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, each call of which is a span; `stage` may depend on the arguments."""

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            begin = time.perf_counter() - self.start
            try:
                return function(*args, **kwargs)
            finally:
                name = stage if isinstance(stage, str) else stage(*args)
                self.spans.append(Span(name, threading.get_ident(), begin, time.perf_counter() - self.start))

        return call


@contextmanager
def recorded() -> Iterator[Recorder]:
    """Time the stages of what happens inside."""
    from botocore.client import BaseClient
    from botocore.httpsession import URLLib3Session
    from PIL import Image, ImageFile

    recorder = Recorder()
    doors: tuple[tuple[Any, str, str | Callable[..., str]], ...] = (
        (Image, "open", "open and plan"),
        (ImageFile.ImageFile, "load", "decode"),
        (Image.Image, "resize", "scale"),
        (Image.Image, "reduce", "scale"),
        (Image.Image, "save", "encode"),
        (URLLib3Session, "send", _request_stage),
        (BaseClient, "_make_api_call", "api call"),
    )
    with ExitStack() as stack:
        for owner, name, stage in doors:
            stack.enter_context(mock.patch.object(owner, name, recorder.timed(stage, getattr(owner, name))))
        yield recorder


def _request_stage(_: Any, request: Any) -> str:
    return "thumbs: requests" if ".thumbs/" in request.url else "original: request"


def main(context_json: str) -> None:
    context = Context.from_json(context_json)
    set_up(context)
    for wanted in (SEED, RESPONSIVE_JPEG):
        for unique in (False, True):
            label = f"{wanted.name}{', unique_names' if unique else ''}"
            try:
                print(_profile(context, wanted, label, unique_names=unique))
            except ours.Unavailable as error:
                print(f"{label}: n/a: {error}\n")


def _profile(context: Context, wanted: WantedSet, label: str, **options: Any) -> str:
    save = ours.saver(ours.storage(context, wanted, **options), wanted)
    runs = []
    for number in range(context.runs + 2):
        with upload(Path(context.photo_12mp)) as content, recorded() as recorder:
            save(content)
            wall = time.perf_counter() - recorder.start
        if number >= 2:  # the first ones warm up
            runs.append((wall, recorder.spans))
    return _table(label, runs)


def _table(label: str, runs: list[tuple[float, list[Span]]]) -> str:
    """Medians over the runs: how often, how long altogether, and from when to when."""
    wall = _median([wall for wall, _ in runs])
    lines = [f"{label}: {wall:.1f} ms", f"  {'stage':24}{'calls':>6}{'sum ms':>9}{'from':>8}{'until':>8}"]
    lines += [_line(stage, [_spans_of(stage, spans) for _, spans in runs]) for stage in STAGES]
    waiting = _median([_waiting(wall, spans) for wall, spans in runs])
    lines.append(f"  {'nothing of these under way':30}{waiting:9.1f}\n")
    return "\n".join(lines)


def _spans_of(stage: str, spans: list[Span]) -> list[Span]:
    """The spans of a stage; of those inside another's, such as the check in `resize` that all is loaded, none."""
    if stage == "boto3 before requests":
        return _around(spans)
    doors = [span for span in spans if span.stage != "api call"]
    return [span for span in doors if span.stage == stage and not any(_encloses(other, span) for other in doors)]


def _around(spans: list[Span]) -> list[Span]:
    """What an API call takes before its request is sent: parameters, signing."""
    sends = [span for span in spans if span.stage.endswith(("request", "requests"))]
    return [
        Span("boto3 before requests", call.thread, call.begin, min(inner))
        for call in spans
        if call.stage == "api call"
        if (inner := [send.begin for send in sends if _encloses(call, send)])
    ]


def _encloses(outer: Span, inner: Span) -> bool:
    if outer is inner or outer.thread != inner.thread:
        return False
    return outer.begin <= inner.begin and inner.end <= outer.end


def _line(stage: str, runs: list[list[Span]]) -> str:
    if not any(runs):
        return f"  {stage:24}{0:6}"
    calls = statistics.median(len(spans) for spans in runs)
    total = _median([sum(span.end - span.begin for span in spans) for spans in runs])
    begin = _median([min(span.begin for span in spans) for spans in runs if spans])
    end = _median([max(span.end for span in spans) for spans in runs if spans])
    return f"  {stage:24}{calls:6.0f}{total:9.1f}{begin:8.1f}{end:8.1f}"


def _waiting(wall: float, spans: list[Span]) -> float:
    """The part of the wall time in which no stage is under way."""
    covered, reached = 0.0, 0.0
    for begin, end in sorted((span.begin, span.end) for span in spans if span.stage != "api call"):
        covered += max(0.0, end - max(begin, reached))
        reached = max(reached, end)
    return wall - covered


def _median(seconds: list[float]) -> float:
    """In milliseconds."""
    return 1000 * statistics.median(seconds)


if __name__ == "__main__":
    main(sys.argv[1])
