"""Saves through a proxy that breaks requests, each in a bucket of its own, and what has to hold afterwards."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pytest
from django.core.files.base import ContentFile
from PIL import Image

from athumb_storage import AthumbError, Thumb
from athumb_storage.storages import InMemoryThumbnailStorage, S3ThumbnailStorage
from tests.conftest import content_of, draw, stored, upload
from tests.proxy import (
    ERROR_AFTER,
    FORBIDDEN,
    QUICK_FAULTS,
    RESET,
    RESET_AFTER,
    SLOW_DOWN,
    TRUNCATED_BODY,
    TRUNCATED_STATUS,
    Fault,
    Proxy,
    When,
)

NAME = "photos/cat.jpg"
THUMBS = {
    "small": {"size": (30, 30)},
    "square": {"size": (20, 20), "crop": True},
    "web": Thumb(size=(40, 40), format="WEBP"),
}
SIZES = {"small": (30, 20), "square": (20, 20), "web": (40, 27)}

CLAIMS = {
    "conditional": {"conditional_writes": True},
    "random": {"unique_names": True},
    "asking": {"conditional_writes": False},
}


class Retries(dict):
    """Botocore's retries, with a label for the names of the tests."""

    def __init__(self, label: str, **retries: Any) -> None:
        super().__init__(retries)
        self.label = label

    def __str__(self) -> str:
        return self.label


ONCE = Retries("once", total_max_attempts=1)
AGAIN = Retries("again", total_max_attempts=3)
PATIENCE = 1.2
"""Seconds for which a client waits for an answer where it waits in vain."""
LANES = 6
"""How many saves run side by side in the tests of time-outs, each in a bucket of its own."""

Snapshot = dict[str, tuple[str, int, Any]]


@cache
def _earlier_files() -> dict[str, bytes]:
    """What was there before: an original of the same name with its thumbs, and somebody else's file."""
    memory = InMemoryThumbnailStorage(thumbs=THUMBS)
    memory.save(NAME, upload(color="red"))
    memory.save("photos/notes.txt", ContentFile(b"earlier notes"))
    return {key: content_of(memory, key) for key in stored(memory)}


@dataclass
class Lane:
    """A bucket that holds a few files, through a proxy that breaks requests and beside it."""

    proxy: Proxy
    bucket: str
    direct: S3ThumbnailStorage
    earlier: Snapshot = field(default_factory=dict)
    counts: dict[Any, int] = field(default_factory=dict)

    def fill(self) -> None:
        for key, data in _earlier_files().items():
            self.direct.client.put_object(Bucket=self.bucket, Key=key, Body=data)
        self.earlier = self.snapshot()

    def snapshot(self) -> Snapshot:
        """Each key with what tells whether its object was written again: the digest, the size and the time."""
        listed = self.direct.client.list_objects_v2(Bucket=self.bucket).get("Contents", ())
        return {entry["Key"]: (entry["ETag"], entry["Size"], entry["LastModified"]) for entry in listed}

    def changed(self) -> set[str]:
        """The keys of what is there now and was not before, or is gone, or is another."""
        now = self.snapshot()
        return {key for key in now | self.earlier if now.get(key) != self.earlier.get(key)}

    def restore(self) -> None:
        """Make it as it was before the last save, or what else the test did."""
        self.proxy.script(self.bucket)
        changed = [{"Key": key} for key in self.changed()]
        if changed:
            self.direct.client.delete_objects(Bucket=self.bucket, Delete={"Objects": changed})
        if self.changed():
            self.fill()

    def content(self, key: str) -> bytes:
        return self.direct.client.get_object(Bucket=self.bucket, Key=key)["Body"].read()


# What happens, and what has to hold afterwards


def outcome(action: Callable[..., Any], *args: Any) -> Any:
    """What it returns, or the exception it raises."""
    try:
        return action(*args)
    except Exception as error:  # noqa: BLE001, the tests look at it
        return error


def assert_complete(lane: Lane, name: str) -> None:
    """The blue image that is stored as `name` is there with all its thumbs, and nothing else changed."""
    keys = {thumb: f"{name}.thumbs/{thumb}.{_extension(thumb)}" for thumb in SIZES}
    assert lane.changed() == {name, *keys.values()}
    assert lane.content(name) == BLUE
    for thumb, key in keys.items():
        image = Image.open(io.BytesIO(lane.content(key))).convert("RGB")
        assert image.size == SIZES[thumb]
        assert image.getpixel((5, 5))[2] > 200 > 50 > image.getpixel((5, 5))[0]


def _extension(thumb: str) -> str:
    return "webp" if thumb == "web" else "jpg"


BLUE = draw(color="blue")


def save(storage: S3ThumbnailStorage) -> str:
    return storage.save(NAME, ContentFile(BLUE))


def requests_of(lane: Lane, storage: S3ThumbnailStorage, action: Callable[..., Any] = save) -> int:
    """How many requests it takes when none breaks."""
    if (storage, action) not in lane.counts:
        script = lane.proxy.script(lane.bucket)
        action(storage)
        lane.restore()
        lane.counts[storage, action] = len(script.requests)
    return lane.counts[storage, action]


def save_with(lane: Lane, storage: S3ThumbnailStorage, fault: Fault, when: When) -> Any:
    """What a save comes to when these requests break; at least one of them is sent."""
    script = lane.proxy.script(lane.bucket, fault, when)
    result = outcome(save, storage)
    assert script.broken
    return result


def assert_all_or_nothing(lane: Lane, result: Any) -> None:
    if isinstance(result, str):
        assert_complete(lane, result)
    else:
        assert isinstance(result, AthumbError), repr(result)
        assert lane.changed() == set(), repr(result)
        assert result.left_behind == ()


def errors_in(caplog: Any) -> list[str]:
    return [
        record.getMessage()
        for record in caplog.records
        if record.name == "athumb_storage" and record.levelname == "ERROR"
    ]


def assert_all_or_told(lane: Lane, result: Any, caplog: Any) -> None:
    """As above, but what could not be removed is named, and is nothing that was there before."""
    if isinstance(result, str):
        assert_complete(lane, result)
        return
    assert isinstance(result, AthumbError), repr(result)
    assert lane.changed() <= set(result.left_behind)
    assert not lane.changed() & set(lane.earlier)
    for key in result.left_behind:
        assert any(key in message for message in errors_in(caplog)), key


def save_notes(storage: S3ThumbnailStorage) -> str:
    return storage.save("photos/notes.txt", ContentFile(b"new notes"))


SOME_FAULTS = (RESET, RESET_AFTER, ERROR_AFTER, SLOW_DOWN, FORBIDDEN, TRUNCATED_STATUS, TRUNCATED_BODY)


def _one_fault(claim: str, retries: Retries, fault: Fault) -> Any:
    always = (claim, retries) == ("conditional", ONCE) or fault is RESET_AFTER
    marks = () if always else (pytest.mark.slow,)
    return pytest.param(claim, retries, fault, marks=marks, id=f"{claim}-{retries}-{fault}")


# All faults for the claim that most depends on the answers, and one of each kind for the others.
every_fault = pytest.mark.parametrize(
    ("claim", "retries", "fault"),
    [
        *(_one_fault("conditional", retries, fault) for retries in (ONCE, AGAIN) for fault in QUICK_FAULTS),
        *(_one_fault(claim, ONCE, fault) for claim in ("random", "asking") for fault in SOME_FAULTS),
        *(_one_fault(claim, AGAIN, fault) for claim in ("random", "asking") for fault in (RESET_AFTER, ERROR_AFTER)),
    ],
)
