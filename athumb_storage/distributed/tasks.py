"""The task. Import this late: it is made when it is imported, and needs the settings and a task engine."""

from __future__ import annotations

from athumb_storage.distributed import engines, working


@engines.task
def work(run_id: int) -> None:
    """Work on a run."""
    working.work_on(run_id, work.func)
