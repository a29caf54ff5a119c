"""Medians of runs that take turns, so that a slow moment of the machine hits every subject alike."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

T = TypeVar("T")


def timed(action: Callable[[], object]) -> float:
    """Seconds that one call takes."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def interleaved(subjects: Mapping[str, Callable[[], float]], runs: int, *, warm_up: int = 1) -> dict[str, float]:
    """The median of what each subject returns (say, seconds), over `runs` rounds in which each has one turn.

    The subjects take turns in an order that moves on every round, so that none always follows the same other.
    """
    results: dict[str, list[float]] = {name: [] for name in subjects}
    names = list(subjects)
    for number in range(-warm_up, runs):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            gc.collect()
            value = subjects[name]()
            if number >= 0:
                results[name].append(value)
    return {name: statistics.median(values) for name, values in results.items()}


def microseconds_each(calls: Callable[[], int], seconds: float = 0.2) -> float:
    """The time of one call in µs; `calls` makes a batch of them and says how many they were."""
    total, spent = 0, 0.0
    while spent < seconds:
        start = time.perf_counter()
        total += calls()
        spent += time.perf_counter() - start
    return spent / total * 1e6
