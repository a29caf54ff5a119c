"""How the name of an original is settled."""

from __future__ import annotations

from itertools import islice

import pytest
from botocore.exceptions import ClientError
from django.core.exceptions import SuspiciousFileOperation

from athumb_storage.storages.claims import AskFirst, ConditionalWrite, Overwrite, RandomToken, another_name, candidates


def numbered():
    numbers = iter(range(100))
    return lambda root, extension: f"{root}_{next(numbers)}{extension}"


def refusal(status):
    return ClientError({"Error": {"Code": "x"}, "ResponseMetadata": {"HTTPStatusCode": status}}, "PutObject")


class Bucket:
    """Refuses the first writes, with these statuses."""

    def __init__(self, *refusals):
        self.refusals = list(refusals)
        self.asked = []

    def put(self, name, **conditions):
        self.asked.append((name, conditions))
        if self.refusals:
            raise refusal(self.refusals.pop(0))


@pytest.mark.parametrize("refusals", [(), (412,), (409,), (412, 409, 412)])
def test_a_conditional_write_takes_the_first_name_that_is_free(refusals):
    bucket = Bucket(*refusals)
    name = ConditionalWrite().store(candidates("a/cat.jpg", None, numbered()), bucket.put)
    expected = ["a/cat.jpg", "a/cat_0.jpg", "a/cat_1.jpg", "a/cat_2.jpg"][: len(refusals) + 1]
    assert bucket.asked == [(each, {"IfNoneMatch": "*"}) for each in expected]
    assert name == expected[-1]


@pytest.mark.parametrize("status", [400, 403, 404, 500, 501, 503])
def test_another_refusal_is_an_error(status):
    bucket = Bucket(status)
    with pytest.raises(ClientError):
        ConditionalWrite().store(candidates("cat.jpg", None, numbered()), bucket.put)
    assert len(bucket.asked) == 1


@pytest.mark.parametrize("claim", [Overwrite(), AskFirst(), RandomToken(numbered())])
def test_the_other_claims_store_under_the_first_name_without_a_condition(claim):
    bucket = Bucket()
    assert claim.store(candidates("cat.jpg", None, numbered()), bucket.put) == "cat.jpg"
    assert bucket.asked == [("cat.jpg", {})]


def test_the_name_to_begin_with():
    assert Overwrite().available_name("cat.jpg", None) == "cat.jpg"
    assert ConditionalWrite().available_name("long-cat.jpg", 8) == "long.jpg"
    assert AskFirst().available_name("cat.jpg", None) is None
    assert RandomToken(numbered()).available_name("a/cat.jpg", 20) == "a/cat_0.jpg"


def test_candidates_never_end():
    names = list(islice(candidates("a.b/cat", 9, numbered()), 20))
    assert names[:3] == ["a.b/cat", "a.b/cat_0", "a.b/cat_1"]
    assert len(set(names)) == 20
    assert all(len(name) <= 9 for name in names)


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
