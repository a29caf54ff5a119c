"""Claims, steps and ends of leases."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest
from django.db import connection

from athumb_storage.distributed import leases, runs
from athumb_storage.distributed.models import Failure, Range, Run
from athumb_storage.regeneration import Outcome, Result
from tests.unit.distributed.conftest import let_leases_end

pytestmark = pytest.mark.django_db

DONE = Result(1, "a.jpg", Outcome.GENERATED)


@pytest.fixture
def run(without_thumbs, start):
    without_thumbs(4)
    return start()


class TestClaim:
    def test_each_range_once(self, run):
        first, second = leases.claim(run), leases.claim(run)
        assert first.pk < second.pk
        assert leases.claim(run) is None
        assert first.owner != second.owner
        assert len(first.owner) == 32

    def test_again_when_the_lease_has_ended(self, run):
        first = leases.claim(run)
        leases.claim(run)
        let_leases_end()
        again = leases.claim(run)
        assert (again.pk, again.attempts) == (first.pk, 2)
        assert again.owner != first.owner

    def test_not_before_the_lease_has_ended(self, run, settings):
        settings.ATHUMB_LEASE_SECONDS = 0.001
        first = leases.claim(run)
        time.sleep(0.05)
        settings.ATHUMB_LEASE_SECONDS = 1000
        again = leases.claim(run)
        assert again.pk == first.pk, "one of a millisecond has ended"
        assert leases.claim(run).pk != first.pk, "one of a thousand seconds has not"

    def test_what_is_finished_is_nobodys_any_more(self, run):
        leases.finish(leases.claim(run))
        leases.finish(leases.claim(run))
        let_leases_end()
        assert leases.claim(run) is None

    def test_those_of_another_run_are_left_alone(self, run):
        other = Run.objects.create(model="shop.Product", field="image")
        assert leases.claim(other) is None

    def test_nothing_of_a_run_that_is_cancelled_meanwhile(self, run):
        """The run was looked at before it was cancelled."""
        runs.cancel(run.pk)
        assert leases.claim(run) is None
        assert set(run.ranges.values_list("owner", "lease", "attempts")) == {("", None, 0)}

    def test_the_first_one_starts_the_clock(self, run):
        assert run.started is None
        leases.claim(run)
        run.refresh_from_db()
        started = run.started
        leases.claim(run)
        run.refresh_from_db()
        assert run.started == started is not None

    def test_several_processes_have_each_range_once(self, tmp_path):
        script = [sys.executable, "-W", "ignore", "-m", "tests.unit.distributed.claimers", str(tmp_path / "db.sqlite3")]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run(script, env=environment, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        claimed = [json.loads(line) for line in done.stdout.splitlines()]
        assert len(claimed) == 4
        assert sorted(pk for pks in claimed for pk in pks) == list(range(1, 201))
        assert sum(bool(pks) for pks in claimed) > 1, "they were not at it together"


class TestMove:
    def test_cursor_lease_and_counts(self, run):
        part = leases.claim(run)
        let_leases_end()
        Range.objects.update(attempts=4)
        assert leases.move(part, "17", DONE)
        part.refresh_from_db()
        assert (part.cursor, part.done, part.generated, part.failed, part.attempts) == ("17", 1, 1, 0, 0)
        assert part.moved is not None
        assert part.lease > part.moved
        assert leases.claim(run).pk != part.pk, "the lease has moved on"

    def test_not_what_somebody_else_has(self, run):
        part = leases.claim(run)
        let_leases_end()
        other = leases.claim(run)
        assert other.pk == part.pk
        assert not leases.move(part, "17", Result(17, "a.jpg", Outcome.FAILED, "gone"))
        other.refresh_from_db()
        assert (other.cursor, other.done, other.failed) == (None, 0, 0)
        assert not Failure.objects.exists()
        leases.finish(part)
        other.refresh_from_db()
        assert not other.finished

    def test_failures_are_kept_with_their_reason(self, run):
        part = leases.claim(run)
        assert leases.move(part, "17", Result(17, "a\0\ud800.jpg", Outcome.FAILED, "x" * 5000))
        failure = run.failures.get()
        assert (failure.row, failure.name, failure.reason) == ("17", "a\\x00\\ud800.jpg", "x" * 1000)
        part.refresh_from_db()
        assert (part.done, part.generated, part.failed) == (1, 0, 1)

    def test_no_more_failures_than_are_useful(self, run, monkeypatch):
        monkeypatch.setattr(Failure, "MAX_KEPT", 2)
        part = leases.claim(run)
        for number in range(5):
            assert leases.move(part, str(number), Result(number, "a.jpg", Outcome.FAILED, "gone"))
        part.refresh_from_db()
        assert part.failed == 5
        assert run.failures.count() == 2


class TestSecondsLeft:
    def test_none_while_a_range_is_free(self, run):
        assert leases.seconds_left(run) == 0
        leases.claim(run)
        assert leases.seconds_left(run) == 0

    def test_until_the_earliest_lease_ends(self, run, settings):
        settings.ATHUMB_LEASE_SECONDS = 1000
        leases.claim(run)
        settings.ATHUMB_LEASE_SECONDS = 50
        leases.claim(run)
        assert 45 < leases.seconds_left(run) <= 50

    def test_never_below_none(self, run):
        leases.claim(run)
        leases.claim(run)
        let_leases_end()
        assert leases.seconds_left(run) == 0

    def test_when_all_is_done_the_run_is_finished(self, run):
        leases.finish(leases.claim(run))
        leases.finish(leases.claim(run))
        assert leases.seconds_left(run) is None
        run.refresh_from_db()
        assert run.state == "finished"

    def test_a_run_that_is_taken_up_again_meanwhile_is_not_finished(self, run):
        Range.objects.update(finished=True)

        def taken_up(execute, sql, *arguments):
            if sql.startswith("UPDATE"):  # what waits for who has locked the run
                Range.objects.bulk_create([Range(run=run, rows=1)])
            return execute(sql, *arguments)

        with connection.execute_wrapper(taken_up):
            assert leases.seconds_left(run) == 0
        run.refresh_from_db()
        assert run.state == "underway"

    def test_a_cancelled_run_stays_cancelled(self, run):
        Range.objects.update(finished=True)
        Run.objects.update(state="cancelled")
        assert leases.seconds_left(run) is None
        run.refresh_from_db()
        assert run.state == "cancelled"


@pytest.mark.parametrize("moves", [0, 1])
def test_who_is_told_to_stop_gives_the_range_back(run, moves):
    part = leases.claim(run)
    for _ in range(moves):
        leases.move(part, "1", DONE)
    leases.give_back(part)
    again = leases.claim(run)
    assert (again.pk, again.attempts) == (part.pk, 1)
