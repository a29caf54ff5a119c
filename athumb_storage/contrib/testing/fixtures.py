"""Fixtures of pytest: `pytest_plugins = ["athumb_storage.contrib.testing.fixtures"]` in a project's conftest.py."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from athumb_storage.contrib.testing.overriding import override_storage


@pytest.fixture
def instant_thumbs() -> Iterator[None]:
    """Files are kept in memory, and thumbs are of one colour."""
    with override_storage():
        yield


@pytest.fixture
def no_thumbs() -> Iterator[None]:
    """Files are kept in memory, and no thumbs are made."""
    with override_storage(thumbs=False):
        yield
