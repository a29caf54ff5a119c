"""A save is complete or leaves no trace, whichever of its requests breaks, and however."""

from __future__ import annotations

import io
import random
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from types import SimpleNamespace
from typing import Any

import botocore.endpoint
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.core.files.base import ContentFile
from PIL import Image

from athumb_storage import AthumbError, Thumb, UploadedImageIsUnreadableError, UploadFailed
from athumb_storage.concurrency import ThisThread
from athumb_storage.storages import InMemoryThumbnailStorage, S3ThumbnailStorage
from tests.conftest import content_of, draw, some_slow, stored, upload
from tests.proxy import (
    CLOSED_AFTER,
    ERROR,
    ERROR_AFTER,
    FORBIDDEN,
    QUICK_FAULTS,
    REMOVED_NOTHING,
    RESET,
    RESET_AFTER,
    SLOW_DOWN,
    SLOW_DOWN_AFTER,
    SLOW_FAULTS,
    TIMEOUT,
    TRUNCATED_BODY,
    TRUNCATED_HEAD,
    TRUNCATED_STATUS,
    Fault,
    Proxy,
    Request,
    When,
    both,
    every,
    only,
    since,
)
from tests.unit.storages.test_contract import noise

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
PATIENCE = 0.7
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


@pytest.fixture(scope="module")
def proxy(s3_server):
    with Proxy(s3_server.endpoint_url) as running:
        yield running


@pytest.fixture(scope="module")
def filled_lanes(s3_server, proxy):
    """Buckets for the whole module: the first object of a bucket takes a server long."""
    lanes = []
    for number in range(LANES):
        bucket = f"lane-{number}-{uuid.uuid4().hex[:12]}"
        s3_server.create_bucket(bucket)
        direct = S3ThumbnailStorage(**_options(s3_server, bucket), endpoint_url=s3_server.endpoint_url)
        lanes.append(Lane(proxy, bucket, direct))
        lanes[-1].fill()
    return lanes


@pytest.fixture
def lanes(filled_lanes):
    for lane in filled_lanes:
        lane.restore()
    return filled_lanes


@pytest.fixture
def lane(filled_lanes):
    filled_lanes[0].restore()
    return filled_lanes[0]


@pytest.fixture(scope="module")
def broken_storage(s3_server, proxy):
    """Makes a storage whose requests go through the proxy."""
    made: dict[str, S3ThumbnailStorage] = {}

    def make(lane: Lane, retries: dict[str, Any], *, patience: float = 20, **options: Any) -> S3ThumbnailStorage:
        key = repr((lane.bucket, retries, patience, options))
        if key not in made:
            config = Config(retries=retries, connect_timeout=patience, read_timeout=patience)
            options = {"thumbs": THUMBS, **options, **_options(s3_server, lane.bucket, **options)}
            made[key] = S3ThumbnailStorage(endpoint_url=proxy.url, client_config=config, **options)
        return made[key]

    return make


def _options(server, bucket, **options):
    keys = {"access_key": server.access_key, "secret_key": server.secret_key, "region_name": server.region}
    return {"bucket_name": bucket, **keys, **options}


@pytest.fixture(autouse=True)
def _no_waiting_between_attempts(monkeypatch):
    monkeypatch.setattr(botocore.endpoint, "time", SimpleNamespace(sleep=lambda seconds: None))


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


# One request breaks

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


@every_fault
def test_a_save_with_one_broken_request_is_complete_or_never_was(lane, broken_storage, fault, retries, claim):
    storage = broken_storage(lane, retries, **CLAIMS[claim])
    for position in range(requests_of(lane, storage)):
        result = save_with(lane, storage, fault, only(position))
        assert_all_or_nothing(lane, result)
        lane.restore()


@pytest.mark.parametrize("claim", some_slow(CLAIMS, always=["conditional"]))
@pytest.mark.parametrize("retries", [ONCE, AGAIN], ids=str)
@pytest.mark.parametrize("fault", SLOW_FAULTS, ids=str)
def test_a_save_with_one_unanswered_request_is_complete_or_never_was(lanes, broken_storage, fault, retries, claim):
    storages = [broken_storage(lane, retries, patience=PATIENCE, **CLAIMS[claim]) for lane in lanes]
    count = requests_of(lanes[0], storages[0])
    assert count <= LANES
    with ThreadPoolExecutor(LANES) as side_by_side:
        saves = [
            side_by_side.submit(save_with, lane, storage, fault, only(position))
            for position, (lane, storage) in enumerate(zip(lanes[:count], storages, strict=False))
        ]
    for lane, job in zip(lanes, saves, strict=False):
        assert_all_or_nothing(lane, job.result())


@pytest.mark.parametrize("fault", [ERROR, RESET_AFTER, SLOW_DOWN_AFTER, TRUNCATED_BODY], ids=str)
def test_a_free_name_is_no_different(lane, broken_storage, fault):
    storage = broken_storage(lane, ONCE, conditional_writes=True)
    for position in range(4):
        script = lane.proxy.script(lane.bucket, fault, only(position))
        result = outcome(storage.save, "photos/new.jpg", ContentFile(BLUE))
        assert script.broken
        assert_all_or_nothing(lane, result)
        lane.restore()


@pytest.mark.parametrize("fault", [RESET, RESET_AFTER, ERROR_AFTER], ids=str)
def test_retries_hide_one_broken_request(lane, broken_storage, fault):
    storage = broken_storage(lane, AGAIN, conditional_writes=True)
    for position in range(requests_of(lane, storage)):
        assert isinstance(save_with(lane, storage, fault, only(position)), str)
        lane.restore()


@pytest.mark.parametrize("fault", [RESET_AFTER, ERROR_AFTER, TRUNCATED_BODY], ids=str)
def test_the_standard_retries_are_no_different(lane, broken_storage, fault):
    storage = broken_storage(lane, {"mode": "standard", "total_max_attempts": 2}, conditional_writes=True)
    for position in range(requests_of(lane, storage)):
        assert_all_or_nothing(lane, save_with(lane, storage, fault, only(position)))
        lane.restore()


@pytest.mark.parametrize("fault", QUICK_FAULTS, ids=str)
def test_a_refused_image_leaves_nothing_whichever_request_breaks(lane, broken_storage, fault):
    storage = broken_storage(lane, ONCE, conditional_writes=True)
    data = noise()
    for position in range(3):
        lane.proxy.script(lane.bucket, fault, only(position))
        result = outcome(storage.save, NAME, ContentFile(data[: len(data) // 2]))
        assert isinstance(result, UploadedImageIsUnreadableError | UploadFailed)
        changed = lane.changed()
        assert changed <= set(getattr(result, "left_behind", ()))
        assert position > 1 or not changed
        lane.restore()


# More than one breaks


@pytest.mark.parametrize("claim", some_slow(CLAIMS, always=["conditional"]))
@pytest.mark.parametrize("fault", [RESET, RESET_AFTER, ERROR_AFTER, FORBIDDEN], ids=str)
def test_what_an_outage_leaves_behind_is_told_and_logged(lane, broken_storage, caplog, fault, claim):
    storage = broken_storage(lane, ONCE, **CLAIMS[claim])
    for position in range(requests_of(lane, storage)):
        caplog.clear()
        result = save_with(lane, storage, fault, since(position))
        assert isinstance(result, UploadFailed), repr(result)
        assert_all_or_told(lane, result, caplog)
        lane.restore()


@pytest.mark.parametrize(
    ("claim", "fault"),
    [
        *(("conditional", fault) for fault in (RESET, RESET_AFTER, CLOSED_AFTER, ERROR_AFTER)),
        *((claim, fault) for claim in ("random", "asking") for fault in (RESET, ERROR_AFTER)),
    ],
    ids=str,
)
def test_what_two_broken_requests_leave_behind_is_told_and_logged(lane, broken_storage, caplog, fault, claim):
    storage = broken_storage(lane, ONCE, **CLAIMS[claim])
    for position in range(requests_of(lane, storage)):
        caplog.clear()
        assert_all_or_told(lane, save_with(lane, storage, fault, both(position)), caplog)
        lane.restore()


@pytest.mark.parametrize("retries", [ONCE, AGAIN], ids=str)
@pytest.mark.parametrize("step", [2, 3])
@pytest.mark.parametrize("fault", [RESET_AFTER, SLOW_DOWN_AFTER, TRUNCATED_BODY], ids=str)
def test_every_second_or_third_request_breaks(lane, broken_storage, caplog, fault, step, retries):
    storage = broken_storage(lane, retries, conditional_writes=True)
    assert_all_or_told(lane, save_with(lane, storage, fault, every(step)), caplog)


@pytest.mark.parametrize("retries", [ONCE, AGAIN], ids=str)
def test_requests_break_at_random(lane, broken_storage, caplog, retries):
    storage = broken_storage(lane, retries, conditional_writes=True)
    chance = random.Random(20)
    # The head of an object that ends too early is one without metadata; nothing tells it from somebody else's object.
    faults = [fault for fault in QUICK_FAULTS if fault is not TRUNCATED_HEAD]
    for _ in range(25):
        caplog.clear()
        lane.proxy.scripted(lane.bucket, lambda request: chance.choice(faults) if chance.random() < 0.3 else None)
        assert_all_or_told(lane, outcome(save, storage), caplog)
        lane.restore()


def test_a_server_that_falls_silent_hangs_no_save(lanes, broken_storage, caplog):
    storages = [broken_storage(lane, ONCE, patience=PATIENCE, conditional_writes=True) for lane in lanes]
    count = requests_of(lanes[0], storages[0])
    with ThreadPoolExecutor(LANES) as side_by_side:
        saves = [
            side_by_side.submit(save_with, lane, storage, TIMEOUT, since(position))
            for position, (lane, storage) in enumerate(zip(lanes[:count], storages, strict=False))
        ]
    for lane, job in zip(lanes, saves, strict=False):
        assert isinstance(job.result(), UploadFailed)
        assert_all_or_told(lane, job.result(), caplog)


# The removal breaks


@pytest.mark.parametrize("claim", CLAIMS)
@pytest.mark.parametrize("removal", [ERROR, REMOVED_NOTHING, FORBIDDEN], ids=str)
def test_what_cannot_be_removed_is_told_and_logged(lane, broken_storage, caplog, removal, claim):
    storage = broken_storage(lane, ONCE, **CLAIMS[claim])
    last = requests_of(lane, storage) - 1
    script = lane.proxy.scripted(
        lane.bucket, lambda request: removal if request.removes else ERROR if request.number == last else None
    )
    result = outcome(save, storage)
    assert any(request.removes for request in script.broken)
    left = lane.changed()
    assert len(left) >= 3  # the original, and the thumbs that were stored
    assert left <= set(result.left_behind)
    for key in left:
        assert key in str(result)
        assert any(key in message for message in errors_in(caplog))


class Hasty(ThisThread):
    """The original is stored before anything is rendered."""

    overlap = True


def test_what_a_refused_image_leaves_behind_is_told_and_logged(lane, broken_storage, caplog, monkeypatch):
    storage = broken_storage(lane, ONCE, conditional_writes=True)
    monkeypatch.setattr(S3ThumbnailStorage, "_threads", Hasty())
    lane.proxy.scripted(lane.bucket, lambda request: ERROR if request.removes else None)
    data = noise()
    result = outcome(storage.save, NAME, ContentFile(data[: len(data) // 2]))
    assert isinstance(result, UploadedImageIsUnreadableError)
    left = lane.changed()
    assert left <= set(result.left_behind)
    for key in left:
        assert any(key in message for message in errors_in(caplog))


# Uploads that replace


@pytest.mark.parametrize(
    ("retries", "fault"),
    [*((ONCE, fault) for fault in QUICK_FAULTS), (AGAIN, RESET_AFTER), (AGAIN, FORBIDDEN)],
    ids=str,
)
def test_a_save_that_replaces_is_complete_or_tells_what_it_may_have_replaced(
    lane, broken_storage, caplog, fault, retries
):
    storage = broken_storage(lane, retries, file_overwrite=True)
    for position in range(requests_of(lane, storage)):
        caplog.clear()
        result = save_with(lane, storage, fault, only(position))
        if isinstance(result, str):
            assert result == NAME
            assert_complete(lane, NAME)
        else:
            assert isinstance(result, UploadFailed), repr(result)
            assert lane.changed() <= set(result.left_behind)
            assert all(any(key in message for message in errors_in(caplog)) for key in lane.changed())
        lane.restore()


# Files that are no images


def save_notes(storage: S3ThumbnailStorage) -> str:
    return storage.save("photos/notes.txt", ContentFile(b"new notes"))


@every_fault
def test_a_plain_file_is_stored_or_never_was(lane, broken_storage, fault, retries, claim):
    storage = broken_storage(lane, retries, **CLAIMS[claim])
    for position in range(requests_of(lane, storage, save_notes)):
        script = lane.proxy.script(lane.bucket, fault, only(position))
        result = outcome(save_notes, storage)
        assert script.broken
        if isinstance(result, str):
            assert lane.changed() == {result}
            assert lane.content(result) == b"new notes"
        else:
            assert isinstance(result, UploadFailed), repr(result)
            assert lane.changed() == set(), repr(result)
            assert result.left_behind == ()
        lane.restore()


@pytest.mark.parametrize("claim", some_slow(CLAIMS, always=["conditional"]))
@pytest.mark.parametrize("fault", [RESET_AFTER, ERROR_AFTER, FORBIDDEN], ids=str)
def test_what_a_plain_file_leaves_behind_in_an_outage_is_told_and_logged(lane, broken_storage, caplog, fault, claim):
    storage = broken_storage(lane, ONCE, **CLAIMS[claim])
    for position in range(requests_of(lane, storage, save_notes)):
        caplog.clear()
        lane.proxy.script(lane.bucket, fault, since(position))
        result = outcome(save_notes, storage)
        assert isinstance(result, UploadFailed), repr(result)
        assert lane.changed() <= set(result.left_behind)
        for key in lane.changed():
            assert any(key in message for message in errors_in(caplog))
        lane.restore()


# What works on files that are there already

FAILURES = AthumbError | BotoCoreError | ClientError | OSError


@pytest.mark.parametrize("fault", QUICK_FAULTS, ids=str)
def test_thumbs_are_all_generated_or_it_raises(lane, broken_storage, fault):
    storage = broken_storage(lane, ONCE, conditional_writes=True)
    for position in range(4):
        original = {NAME: lane.earlier[NAME]}
        lane.direct.delete_thumbs(NAME)
        script = lane.proxy.script(lane.bucket, fault, only(position))
        result = outcome(storage.generate_thumbs, NAME)
        assert script.broken
        keys = {f"{NAME}.thumbs/{thumb}.{_extension(thumb)}" for thumb in THUMBS}
        there = {key for key in lane.snapshot() if key.startswith(NAME)}
        assert there <= keys | {NAME}
        assert lane.snapshot().items() >= original.items()
        if isinstance(result, dict):
            assert set(result.values()) == keys == there - {NAME}
        else:
            assert isinstance(result, FAILURES), repr(result)
        lane.restore()


@pytest.mark.parametrize(
    ("retries", "fault"),
    [*((ONCE, fault) for fault in [*QUICK_FAULTS, REMOVED_NOTHING]), (AGAIN, RESET_AFTER), (AGAIN, TRUNCATED_HEAD)],
    ids=str,
)
def test_a_deletion_is_complete_or_it_raises(lane, broken_storage, fault, retries):
    storage = broken_storage(lane, retries, conditional_writes=True)
    for position in range(1 if fault is REMOVED_NOTHING else 2):
        notes = {"photos/notes.txt": lane.earlier["photos/notes.txt"]}
        when = _removals if fault is REMOVED_NOTHING else only(position)
        script = lane.proxy.script(lane.bucket, fault, when)
        result = outcome(storage.delete, NAME)
        assert script.broken
        assert lane.snapshot().items() >= notes.items()
        if isinstance(result, Exception):
            assert isinstance(result, FAILURES), repr(result)
            lane.proxy.script(lane.bucket)
            storage.delete(NAME)  # it can be done again
        assert lane.snapshot() == notes
        lane.restore()


def _removals(request: Request) -> bool:
    return request.removes


# The measure that all this is taken by


@pytest.mark.parametrize("fault", [*QUICK_FAULTS, *SLOW_FAULTS], ids=str)
def test_a_fault_does_what_it_says(lane, broken_storage, fault):
    """The server acts or never hears of it, and the client gets no good answer."""
    client = broken_storage(lane, ONCE, patience=PATIENCE).client
    lane.proxy.script(lane.bucket, fault)
    result = outcome(lambda: client.put_object(Bucket=lane.bucket, Key="new", Body=b"new"))
    assert lane.changed() == ({"new"} if fault.acts else set())
    # Where a head ends is where a connection ends, as far as HTTP goes.
    assert isinstance(result, ClientError | BotoCoreError) or fault is TRUNCATED_HEAD


def test_nothing_is_broken_when_no_request_is(lane, broken_storage):
    """A complete set is told from an incomplete one, and what was there before from what replaced it."""
    storage = broken_storage(lane, ONCE, conditional_writes=True)
    name = save(storage)
    assert_complete(lane, name)
    lane.direct.client.delete_object(Bucket=lane.bucket, Key=f"{name}.thumbs/web.webp")
    with pytest.raises(AssertionError):
        assert_complete(lane, name)
    lane.restore()
    assert lane.changed() == set()
    lane.direct.client.put_object(Bucket=lane.bucket, Key=NAME, Body=BLUE)
    assert lane.changed() == {NAME}
