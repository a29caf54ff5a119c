"""Checkpoints: the file is whole at any moment."""

from __future__ import annotations

import os

import pytest

from athumb_storage.management.records import Checkpoint
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
    assert not path.exists()
    checkpoint.note("shop.Product.image", PrimaryKey(Product), Result(999, "", Outcome.EMPTY))
    assert Checkpoint(str(path), {}).counts == {Outcome.EMPTY: 1000}
