"""Names that somebody else chose."""

from __future__ import annotations

import pytest
from django.core.exceptions import SuspiciousFileOperation

from athumb_storage.storages.filenames import another_name


def numbered():
    """Names the alternatives by their number, where Django takes a random token."""
    numbers = iter(range(100))
    return lambda root, extension: f"{root}_{next(numbers)}{extension}"


@pytest.mark.parametrize(
    ("name", "max_length", "other"),
    [
        ("cat.jpg", None, "cat_0.jpg"),
        ("cat.jpg", 9, "cat_0.jpg"),
        ("cat.jpg", 8, "ca_1.jpg"),
        ("a/b/cat.tar.gz", 15, "a/b/cat.ta_1.gz"),
        (".hidden", None, ".hidden_0"),
    ],
)
def test_another_name(name, max_length, other):
    assert another_name(name, max_length, numbered()) == other


@pytest.mark.parametrize("max_length", [6, 5, 1])
def test_a_name_of_which_nothing_would_be_left_is_refused(max_length):
    with pytest.raises(SuspiciousFileOperation, match=rf"'cat\.jpg'.*{max_length}.*max_length"):
        another_name("cat.jpg", max_length, numbered())
