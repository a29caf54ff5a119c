"""The task. Import this late: it is made when it is imported, and needs the settings and a task engine."""

from __future__ import annotations

from athumb_storage.distributed import engines, working


@engines.task
def work(run_id: int, backend: str, queue: str) -> None:
    """Work on a run; the task is told where the next one goes, for the run may be out of reach."""
    working.work_on(run_id, backend, queue)
