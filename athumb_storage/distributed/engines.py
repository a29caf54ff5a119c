"""The project's task engine, through Django's API for tasks: `django.tasks`, and before Django 6 the package for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from importlib import import_module
from typing import Any, Final

import django
from django.db import router, transaction
from django.utils import timezone

from athumb_storage.distributed.errors import RunError
from athumb_storage.distributed.models import Run

Work = Callable[[int], None]
"""What a task does with the number of a run."""

SLEEP: Final = 1.0
"""Seconds that a task waits at a time where it has to wait itself."""


def api() -> Any:
    """The module of the API for tasks, which has the backends of the setting `TASKS`.

    Raises:
        RunError: there is no API for tasks.
    """
    name = "django.tasks" if django.VERSION >= (6, 0) else "django_tasks"
    try:
        return import_module(name)
    except ImportError as error:
        raise RunError(
            f"Django {django.get_version()} has no tasks of its own, and the package for them cannot be imported"
            f' ({error}). Install it: pip install "athumb-storage[tasks]", which is django-tasks.'
        ) from error


def backend_of(alias: str) -> Any:
    """The backend under this alias.

    Raises:
        RunError: there is none.
    """
    handler = api().task_backends
    try:
        return handler[alias]
    except handler.exception_class as error:
        raise RunError(f"There is no task backend {alias!r} in the setting TASKS: {error}") from error


def default_alias() -> str:
    """The alias that is taken if none is named."""
    aliases = list(api().task_backends.settings)
    return "default" if "default" in aliases else aliases[0]


def queue_of(alias: str, queue: str | None = None) -> str:
    """The queue that tasks for this backend go to, the one named or its own first.

    Raises:
        RunError: the backend has no such queue.
    """
    known = sorted(backend_of(alias).queues, key=lambda name: (name != "default", name))
    if queue is None:
        return known[0] if known else "default"
    if known and queue not in known:
        raise RunError(f"The task backend {alias!r} has no queue {queue!r}, but {', '.join(map(repr, known))}.")
    return queue


def is_immediate(alias: str) -> bool:
    """Whether the backend runs a task at once, where it is enqueued."""
    return any(cls.__name__ == "ImmediateBackend" for cls in type(backend_of(alias)).__mro__)


def task_of(work: Work, alias: str) -> Any:
    """The function as a task of a backend, which has a class of its own for them."""
    return api().task(backend=alias, queue_name=queue_of(alias))(work)


def task(work: Work) -> Any:
    """Makes a function a task of every backend, by which some make it known to their workers; gives the default's."""
    tasks = {alias: task_of(work, alias) for alias in api().task_backends.settings}
    return tasks[default_alias()]


def enqueue(run: Run, work: Work, delay: float = 0, count: int = 1) -> None:
    """Have a worker work on the run, as soon as the transaction is committed, if there is one.

    Args:
        run: the run.
        work: the function of the task.
        delay: seconds until then; a backend that cannot defer is given the task at once.
        count: how many tasks.

    Raises:
        RunError: the backend ran it at once, and it failed.
    """
    send = partial(_send, work, run.pk, run.backend, run.queue, delay)
    for _ in range(count):
        transaction.on_commit(send, using=router.db_for_write(Run))


def _send(work: Work, run_id: int, alias: str, queue: str, delay: float) -> None:
    run_after = timezone.now() + timedelta(seconds=delay) if delay and backend_of(alias).supports_defer else None
    result = task_of(work, alias).using(queue_name=queue, run_after=run_after).enqueue(run_id)
    if result.status == "FAILED":
        cause = "".join(error.traceback for error in result.errors[-1:])
        raise RunError(f"Run {run_id} stopped: its task failed.\n{cause}")


def hand_on(run: Run, work: Work, delay: float) -> bool:
    """Enqueue the run again; False if the caller is to go on itself, because nobody else would.

    Args:
        run: the run.
        work: the function of the task.
        delay: seconds until there may be something to do.
    """
    if is_immediate(run.backend):
        time.sleep(min(delay, SLEEP))
        return False
    if not backend_of(run.backend).supports_defer:
        time.sleep(min(delay, SLEEP))  # and not longer: other tasks want their turn
    enqueue(run, work, delay)
    return True
