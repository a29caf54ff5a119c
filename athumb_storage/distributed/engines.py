"""The project's task engine, through Django's API for tasks: `django.tasks`, and before Django 6 the package for it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from importlib import import_module
from typing import Any, Final

import django
from django.db import close_old_connections, connections, router, transaction
from django.utils import timezone
from django.utils.module_loading import import_string

from athumb_storage.distributed.errors import RunError
from athumb_storage.distributed.models import Run

logger = logging.getLogger("athumb_storage")

TASK: Final = "athumb_storage.distributed.tasks.work"
"""The task by its name, as a queue has it; its module needs this one."""

SLEEP: Final = 5.0
"""Seconds that a task waits at a time where it has to wait itself, and not longer: other tasks want their turn."""

PAUSES: Final = (1, 2, 4, 8)
"""Seconds between the tries to send a task: by then a database or a broker has been started again."""


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


def place(alias: str | None, queue: str | None) -> tuple[str, str]:
    """The backend and the queue that tasks go to, those named or the first ones.

    Raises:
        RunError: there is no such backend, or it has no such queue.
    """
    alias = default_alias() if alias is None else alias
    return alias, queue_of(alias, queue)


def task_of(work: Callable[..., None], alias: str) -> Any:
    """The function as a task of a backend, which has a class of its own for them."""
    return api().task(backend=alias, queue_name=queue_of(alias))(work)


def task(work: Callable[..., None]) -> Any:
    """Makes a function a task of every backend, by which some make it known to their workers; gives the default's."""
    tasks = {alias: task_of(work, alias) for alias in api().task_backends.settings}
    return tasks[default_alias()]


def enqueue(run: Run, count: int) -> None:
    """Send the first tasks of a run, as soon as the transaction is committed, if there is one.

    Raises:
        RunError: a task could not be sent, or the backend ran it at once, and it failed.
    """
    _when_committed(partial(_send_first, run, count))


def _send_first(run: Run, count: int) -> None:
    for sent in range(count):
        try:
            _send(run.pk, run.backend, run.queue)
        except RunError:
            raise
        except Exception as error:
            raise RunError(
                f"Run {run} has {sent} of its {count} tasks, for the task engine takes none"
                f" ({type(error).__name__}: {error}). When it does: manage.py athumb_runs --resume {run.pk}"
            ) from error


def hand_on(run_id: int, alias: str, queue: str, delay: float) -> bool:
    """Send the next task of a run; False if the caller is to go on itself, because nobody else would.

    Args:
        run_id: the number of the run.
        alias: that of its backend.
        queue: its queue.
        delay: seconds until there may be something to do.

    Raises:
        Exception: what the backend raises if it takes no task, see `deliver`.
    """
    if is_immediate(alias):
        time.sleep(min(delay, SLEEP))
        return False
    _when_committed(partial(deliver, run_id, alias, queue, delay))
    return True


def deliver(run_id: int, alias: str, queue: str, delay: float) -> None:
    """Send the next task of a run now, whatever transaction there is, and try for a while: without it the run stops.

    Args:
        run_id: the number of the run.
        alias: that of its backend. One that cannot defer a task is given it after a few seconds.
        queue: its queue.
        delay: seconds until it is to be done.

    Raises:
        Exception: what the backend raised the last time, which is logged.
    """
    if not backend_of(alias).supports_defer:
        time.sleep(min(delay, SLEEP))
    for pause in (*PAUSES, None):
        try:
            _send(run_id, alias, queue, delay)
        except Exception as error:
            if pause is None:
                logger.exception(
                    "Run %s has lost a task, for it could not be sent. When the task engine takes tasks again:"
                    " manage.py athumb_runs --resume %s",
                    run_id,
                    run_id,
                )
                raise
            logger.warning("A task of run %s is sent again in %d s: %s", run_id, pause, error)
            time.sleep(pause)
            close_old_connections()  # the queue may be in a database
        else:
            return


def _when_committed(send: Callable[[], None]) -> None:
    database = router.db_for_write(Run)
    if connections[database].in_atomic_block:
        transaction.on_commit(send, using=database)
    else:
        send()  # `on_commit` would ask the database for it, which may be out of reach


def _send(run_id: int, alias: str, queue: str, delay: float = 0) -> None:
    run_after = timezone.now() + timedelta(seconds=delay) if delay and backend_of(alias).supports_defer else None
    task = task_of(import_string(TASK).func, alias).using(queue_name=queue, run_after=run_after)
    result = task.enqueue(run_id, alias, queue)
    if result.status == "FAILED":
        cause = "".join(error.traceback for error in result.errors[-1:])
        way_on = f"When that is mended: manage.py athumb_runs --resume {run_id}"
        raise RunError(f"Run {run_id} stopped: its task failed. {way_on}\n{cause}")
