"""A save is complete or leaves no trace, whichever of its requests breaks, and however."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from django.core.files.base import ContentFile

from athumb_storage import AthumbError, UploadedImageIsUnreadableError, UploadFailed
from tests.conftest import noise, some_slow
from tests.lanes import (
    AGAIN,
    BLUE,
    CLAIMS,
    LANES,
    NAME,
    ONCE,
    PATIENCE,
    THUMBS,
    _extension,
    assert_all_or_nothing,
    assert_complete,
    every_fault,
    outcome,
    requests_of,
    save,
    save_notes,
    save_with,
)
from tests.proxy import (
    ERROR,
    ERROR_AFTER,
    QUICK_FAULTS,
    REMOVED_NOTHING,
    RESET,
    RESET_AFTER,
    SLOW_DOWN_AFTER,
    SLOW_FAULTS,
    TRUNCATED_BODY,
    TRUNCATED_HEAD,
    Request,
    only,
)

pytestmark = pytest.mark.usefixtures("no_waiting_between_attempts")

# One request breaks


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
def test_a_save_under_a_free_name_is_complete_or_never_was(lane, broken_storage, fault):
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


@pytest.mark.slow
@pytest.mark.parametrize("fault", [RESET_AFTER, ERROR_AFTER, TRUNCATED_BODY], ids=str)
def test_a_save_with_the_standard_retries_is_complete_or_never_was(lane, broken_storage, fault):
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


# Files that are no images


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
