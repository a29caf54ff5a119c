"""Real task engines with two workers, of which one is killed: every thumb is made, and none is wrong."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter

import pytest

from tests.engines.driver import ROWS

pytestmark = pytest.mark.engines

LEASE = 3


@pytest.fixture
def drive(new_bucket, s3_options):
    """Has the driver do something in a project of its own; what it reports."""

    def drive(scenario, **given):
        settings = {"storage": {**s3_options, "bucket_name": new_bucket}, "lease": LEASE, **given}
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "DJANGO_SETTINGS_MODULE": "tests.engines.settings",
            "ATHUMB_ENGINE": json.dumps(settings),
        }
        command = [sys.executable, "-W", "ignore", "-m", "tests.engines.driver", scenario]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
        print(done.stdout, done.stderr)
        return {**json.loads(done.stdout), "log": done.stderr}

    return drive


@pytest.fixture
def sqlite(tmp_path):
    return {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "db.sqlite3"), "OPTIONS": {"timeout": 60}}


def assert_all_is_done(report):
    assert (report["done"], report["generated"], report["failed"]) == (ROWS, ROWS, 0)
    assert report["wrong"] == []


def test_django_tasks_db_on_postgresql(drive, postgresql):
    pytest.importorskip("django_tasks_db", reason="it is in the extra `engines`, which .ci/run installs")
    report = drive("killed", engine="db", database=postgresql.database)
    assert_all_is_done(report)
    assert report["taken over"] == 1


def test_celery_over_redis(drive, redis_url, sqlite):
    report = drive("killed", engine="celery", broker=redis_url, database=sqlite)
    assert_all_is_done(report)
    assert report["taken over"] == 1


def test_celery_and_a_database_that_is_gone_for_seconds(drive, redis_url, postgresql):
    """The queue is elsewhere: a task that cannot work is sent again, and none is lost."""
    report = drive("outage", engine="celery", broker=redis_url, **server_of(postgresql))
    assert_all_is_done(report)
    assert "OperationalError" in report["log"]
    assert "has lost a task" not in report["log"]


def test_django_tasks_db_and_a_database_that_is_gone_for_seconds(drive, postgresql):
    """The queue is there as well: the next task is sent when it is back."""
    pytest.importorskip("django_tasks_db", reason="it is in the extra `engines`, which .ci/run installs")
    report = drive("outage", engine="db", **server_of(postgresql))
    assert_all_is_done(report)
    assert "is sent again in 1 s" in report["log"]
    assert "has lost a task" not in report["log"]


def server_of(postgresql):
    return {
        "database": postgresql.database,
        "server": [str(postgresql.programs), postgresql.folder],
        "delay": 0.05,
    }


def test_celery_gives_the_task_of_a_killed_worker_to_another(drive, redis_url, sqlite):
    """With the settings that the docs name, nobody has to take the run up again."""
    report = drive("alone", engine="celery", broker=redis_url, database=sqlite)
    assert_all_is_done(report)


def test_a_picture_that_kills_is_passed_over(drive, redis_url, sqlite):
    """Celery gives the task back whenever it has killed its process: by itself that would have no end."""
    report = drive("deadly", engine="celery", broker=redis_url, database=sqlite, lease=1)
    assert (report["done"], report["generated"], report["failed"]) == (ROWS, ROWS - 1, 1)
    assert report["failures"] == [[report["deadly"], "ended its worker 2 times when it was alone"]]
    assert len(report["wrong"]) == 1


def test_a_visibility_timeout_that_is_shorter_than_a_task(drive, redis_url, sqlite):
    """The broker hands out what is still being done: no row is done twice, and the run comes to its end."""
    report = drive("hasty", engine="celery", broker=redis_url, database=sqlite, visibility=1, delay=0.2)
    received = Counter(re.findall(r"\[(\w+)\] received", report["log"]))
    assert max(received.values()) > 1
    assert_all_is_done(report)
