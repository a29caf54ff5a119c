"""Checkpoints: the file is whole at any moment."""

from __future__ import annotations

import errno
import os

import pytest
from django.core.management import CommandError

from athumb_storage.management.records import Checkpoint, Report
from athumb_storage.regeneration import Outcome, Result
from athumb_storage.rows import PrimaryKey
from tests.shop.models import Product


def test_what_ends_the_process_while_it_is_written_leaves_the_one_before(tmp_path, monkeypatch):
    path = tmp_path / "checkpoint.json"
    Checkpoint(str(path), {}).note("shop.Product.image", PrimaryKey(Product), Result(1, "a.jpg", Outcome.GENERATED))
    before = path.read_text()

    def ended(descriptor):
        raise SystemExit

    monkeypatch.setattr(os, "fsync", ended)
    with pytest.raises(SystemExit):
        Checkpoint(str(path), {}).note("shop.Product.image", PrimaryKey(Product), Result(2, "b.jpg", Outcome.GENERATED))
    assert path.read_text() == before


def test_rows_of_which_nothing_would_be_lost_are_written_seldom(tmp_path):
    path = tmp_path / "checkpoint.json"
    checkpoint = Checkpoint(str(path), {})
    for pk in range(999):
        checkpoint.note("shop.Product.image", PrimaryKey(Product), Result(pk, "", Outcome.EMPTY))
    assert not Checkpoint(str(path), {}).counts
    checkpoint.note("shop.Product.image", PrimaryKey(Product), Result(999, "", Outcome.EMPTY))
    assert Checkpoint(str(path), {}).counts == {Outcome.EMPTY: 1000}


def test_a_failure_that_does_not_reach_the_disk_is_told(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", full)
    with Report(str(tmp_path / "report.jsonl")) as report:
        report.write("shop.Product.image", PrimaryKey(Product), Result(1, "a.jpg", Outcome.GENERATED))
        with pytest.raises(CommandError, match=r"The report cannot be written: .*Input/output error"):
            report.write("shop.Product.image", PrimaryKey(Product), Result(2, "b.jpg", Outcome.FAILED))
