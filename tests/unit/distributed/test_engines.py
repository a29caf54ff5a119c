"""The API for tasks, as far as a run needs it."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import django
import pytest
from django.core.management import call_command

from athumb_storage.distributed import engines
from athumb_storage.distributed.errors import RunError
from tests.unit.distributed.conftest import API, DUMMY, IMMEDIATE

OURS = f"{__name__}.OurImmediateBackend"


class OurTask(import_module(f"{API}.base").Task):
    made = []

    def __post_init__(self):
        self.made.append(self.module_path)
        super().__post_init__()


class OurImmediateBackend(import_module(f"{API}.backends.immediate").ImmediateBackend):
    task_class = OurTask


class TestWithoutTasks:
    def test_the_error_names_what_to_install(self, monkeypatch):
        with monkeypatch.context() as patch:  # which ends before the settings are set back
            patch.setitem(sys.modules, API, None)
            with pytest.raises(RunError, match=r'pip install "athumb-storage\[tasks\]", which is django-tasks'):
                engines.api()

    @pytest.mark.skipif(django.VERSION >= (6, 0), reason="Django has tasks of its own")
    def test_nothing_else_asks_for_them(self):
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", WITHOUT], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        assert "pip install" in done.stdout


WITHOUT = """
import sys
sys.modules["django_tasks"] = None
import django
from django.conf import settings
settings.configure(
    INSTALLED_APPS=["athumb_storage", "athumb_storage.distributed"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
)
django.setup()
from django.core.management import call_command
call_command("check")
call_command("migrate", verbosity=0)
call_command("athumb_runs")
from athumb_storage.distributed import engines
from athumb_storage.distributed.errors import RunError
try:
    engines.api()
except RunError as error:
    print(error)
"""


class TestBackends:
    @pytest.mark.parametrize(
        ("tasks", "alias"),
        [
            ({"default": {"BACKEND": DUMMY}, "b": {"BACKEND": DUMMY}}, "default"),
            ({"b": {"BACKEND": DUMMY}, "c": {"BACKEND": DUMMY}}, "b"),
        ],
    )
    def test_the_one_that_is_taken(self, settings, tasks, alias):
        settings.TASKS = tasks
        assert engines.default_alias() == alias

    @pytest.mark.parametrize(
        ("queues", "queue"), [(["b", "default"], "default"), (["b", "a"], "a"), ([], "default"), (None, "default")]
    )
    def test_the_queue_that_is_taken(self, settings, queues, queue):
        settings.TASKS = {"default": {"BACKEND": DUMMY, **({} if queues is None else {"QUEUES": queues})}}
        assert engines.queue_of("default") == queue

    def test_a_backend_that_takes_any_queue(self, settings):
        settings.TASKS = {"default": {"BACKEND": DUMMY, "QUEUES": []}}
        assert engines.queue_of("default", "whatever") == "whatever"

    def test_which_of_them_run_at_once(self, settings):
        settings.TASKS = {"default": {"BACKEND": DUMMY}, "now": {"BACKEND": IMMEDIATE}, "ours": {"BACKEND": OURS}}
        assert [engines.is_immediate(alias) for alias in ("default", "now", "ours")] == [False, True, True]


class TestTask:
    def test_workers_find_it_by_its_name(self, settings):
        from athumb_storage.distributed.tasks import work

        backend = engines.backend_of("default")
        assert isinstance(work, backend.task_class)
        assert work.module_path == "athumb_storage.distributed.tasks.work"

    def test_each_backend_has_its_own_class_of_it(self, settings):
        settings.TASKS = {"default": {"BACKEND": DUMMY}, "ours": {"BACKEND": OURS}}
        from athumb_storage.distributed import tasks

        OurTask.made.clear()  # the first import makes some, too
        task = engines.task(tasks.work.func)
        assert not isinstance(task, OurTask)
        assert OurTask.made == ["athumb_storage.distributed.tasks.work"]

    def test_where_no_backend_has_the_queue_default(self, settings):
        settings.TASKS = {"default": {"BACKEND": DUMMY, "QUEUES": ["thumbs"]}}
        from athumb_storage.distributed import tasks

        assert engines.task(tasks.work.func).queue_name == "thumbs"


@pytest.mark.django_db
def test_no_migration_is_missing():
    call_command("makemigrations", "athumb_storage_distributed", check=True, dry_run=True, verbosity=0)
