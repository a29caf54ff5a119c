"""Where work is done: in a pool of threads that survives a fork and never grows past its bound, or here and now."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import ParamSpec, Protocol, TypeVar
from weakref import WeakSet

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
        wanted: Future[R] = Future()
        _fulfil([wanted], partial(function, *args, **kwargs))
        try:
            return wanted
        finally:
            del wanted  # an error's traceback has this frame, and would keep itself alive by it


class SharedPool:
    """A pool of at most `size` threads, shared by all who have it, started when it is first used.

    What is submitted sees the context variables of the thread that submits it. It may not wait for something else in
    the same pool: with all threads waiting, nothing would move.
    """

    overlap = True

    def __init__(self, size: int, name: str) -> None:
        self.size = size
        self._name = name
        self.forget()
        _pools.add(self)

    def forget(self) -> None:
        """Begin anew, without the threads there are."""
        self._lock = threading.Lock()
        self._executor: ThreadPoolExecutor | None = None

    def submit(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        wanted: Future[R] = Future()
        work = partial(_fulfil, [wanted], partial(copy_context().run, function, *args, **kwargs))
        try:
            with self._lock:
                if self._executor is None:
                    self._executor = ThreadPoolExecutor(self.size, thread_name_prefix=self._name)
                self._executor.submit(work)
        except RuntimeError as error:
            if type(error) is not RuntimeError:  # a signal handler's
                raise
            work()  # no thread is begun any more: there are too many, or the main thread has ended
        try:
            return wanted
        finally:
            del wanted  # as above


def _fulfil(box: list[Future[R]], function: Callable[[], R]) -> None:
    """Do what the future in this box is about, unless somebody else has taken it out to do it.

    A pool that could not begin a thread keeps the work all the same, for a thread that it has.
    """
    try:
        wanted = box.pop()
    except IndexError:
        return
    try:
        if wanted.set_running_or_notify_cancel():
            wanted.set_result(function())
    except BaseException as error:  # noqa: BLE001, whoever asks for the result gets it
        wanted.set_exception(error)
    finally:
        del wanted  # as above


_pools: WeakSet[SharedPool] = WeakSet()


def _forget_pools() -> None:
    # A forked child has none of its parent's threads; it starts its own on first use.
    for pool in _pools:
        pool.forget()


os.register_at_fork(after_in_child=_forget_pools)


def available_cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
