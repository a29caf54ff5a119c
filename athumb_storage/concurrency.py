"""Where work is done: in a pool of threads that survives a fork and never grows past its bound, or here and now."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class Threads(Protocol):
    """Does what is submitted to it."""

    @property
    def overlap(self) -> bool:
        """Whether it is done while the thread that submitted it goes on."""
        ...

    def submit(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]: ...


class ThisThread:
    """Does at once what is submitted, in the thread that submits it."""

    overlap = False

    def submit(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        done: Future[R] = Future()
        try:
            done.set_result(function(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001, whoever asks for the result gets it
            done.set_exception(error)
        try:
            return done
        finally:
            del done  # an error has this frame in its traceback, and would keep itself alive by it


class SharedPool:
    """A pool of at most `size` threads for the whole process, started when it is first used.

    What is submitted sees the context variables of the thread that submits it. It may not wait for something else in
    the same pool: with all threads waiting, nothing would move.
    """

    overlap = True

    def __init__(self, size: int, name: str) -> None:
        self.size = size
        self._name = name
        self._forget()
        # A forked child has none of its parent's threads; it starts its own on first use.
        os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._executor: ThreadPoolExecutor | None = None

    def submit(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        with self._lock:
            if self._executor is None:
                self._executor = ThreadPoolExecutor(self.size, thread_name_prefix=self._name)
            return self._executor.submit(copy_context().run, partial(function, *args, **kwargs))


def available_cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
