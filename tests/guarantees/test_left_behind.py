"""What a failed save could not remove is logged, and its error names it."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.files.base import ContentFile

from athumb_storage import UploadedImageIsUnreadableError, UploadFailed
from athumb_storage.concurrency import ThisThread
from athumb_storage.storages import S3ThumbnailStorage
from tests.conftest import noise, some_slow
from tests.lanes import (
    AGAIN,
    CLAIMS,
    LANES,
    NAME,
    ONCE,
    PATIENCE,
    assert_all_or_told,
    assert_complete,
    errors_in,
    outcome,
    requests_of,
    save,
    save_notes,
    save_with,
)
from tests.proxy import (
    CLOSED_AFTER,
    ERROR,
    ERROR_AFTER,
    FORBIDDEN,
    QUICK_FAULTS,
    REMOVED_NOTHING,
    RESET,
    RESET_AFTER,
    SLOW_DOWN_AFTER,
    TIMEOUT,
    TRUNCATED_BODY,
    TRUNCATED_HEAD,
    both,
    every,
    only,
    since,
)

pytestmark = [pytest.mark.usefixtures("no_waiting_between_attempts"), pytest.mark.slow]


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
def test_a_save_of_which_every_second_or_third_request_breaks_tells_what_it_leaves(
    lane, broken_storage, caplog, fault, step, retries
):
    storage = broken_storage(lane, retries, conditional_writes=True)
    assert_all_or_told(lane, save_with(lane, storage, fault, every(step)), caplog)


@pytest.mark.parametrize("retries", [ONCE, AGAIN], ids=str)
def test_saves_of_which_requests_break_at_random_tell_what_they_leave(lane, broken_storage, caplog, retries):
    storage = broken_storage(lane, retries, conditional_writes=True)
    chance = random.Random(20)
    # The head of an object that ends too early is one without metadata; nothing tells it from somebody else's object.
    faults = [fault for fault in QUICK_FAULTS if fault is not TRUNCATED_HEAD]
    for _ in range(25):
        caplog.clear()
        lane.proxy.scripted(lane.bucket, lambda request: chance.choice(faults) if chance.random() < 0.3 else None)
        assert_all_or_told(lane, outcome(save, storage), caplog)
        lane.restore()


@pytest.mark.slow
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
