"""The journal of a save: what it wrote, is writing or may have written."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event

import pytest
from django.core.exceptions import SuspiciousFileOperation

from athumb_storage import RenderingError, UploadFailed
from athumb_storage.storages.journal import Journal, WriteOutcomeUnknown


class Place:
    """Notes what is removed from it."""

    storage_errors = (OSError,)

    def __init__(self, *, cannot_remove=(), replaces=False):
        self.cannot_remove = cannot_remove
        self._replaces = replaces
        self.removed = []

    @property
    def unbound(self):
        return self

    def _remove(self, keys):
        for key in keys:
            if key in self.cannot_remove:
                raise PermissionError(key)
        self.removed += keys


def done(key):
    write = Future()
    write.set_result(key)
    return write


def failed(error):
    write = Future()
    write.set_exception(error)
    return write


def record_quietly(journal, write, **options):
    with pytest.raises(type(write.exception())):
        journal.record(write, **options)


def test_all_that_was_written_is_removed_the_original_last():
    place = Place()
    with (
        pytest.raises(UploadFailed, match=r"'cat\.jpg'.*the disk is full") as caught,
        Journal(place, "cat.jpg") as journal,
    ):
        for key in ("cat.jpg", "small", "large"):
            journal.record(done(key))
        raise OSError("the disk is full")
    assert place.removed == ["large", "small", "cat.jpg"]
    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.left_behind == ()


def test_a_save_that_succeeds_keeps_what_it_wrote():
    place = Place()
    with Journal(place, "cat.jpg") as journal:
        journal.record(done("cat.jpg"))
        journal.record(done("small"))
        assert journal.original() == "cat.jpg"
        assert journal.wait() == ["cat.jpg", "small"]
    assert place.removed == []


@pytest.mark.parametrize(
    "error", [RenderingError("small"), SuspiciousFileOperation(".."), KeyboardInterrupt()], ids=repr
)
def test_an_error_of_its_own_word_comes_through(error):
    place = Place()
    with pytest.raises(type(error)) as caught, Journal(place, "cat.jpg") as journal:
        journal.record(done("cat.jpg"))
        raise error
    assert caught.value is error
    assert place.removed == ["cat.jpg"]


def test_a_failed_write_is_raised_when_it_is_recorded_and_removed_if_the_key_is_ours():
    place = Place()
    with pytest.raises(UploadFailed), Journal(place, "cat.jpg") as journal:
        journal.record(done("cat.jpg"))
        record_quietly(journal, failed(OSError()), ours="small")
        record_quietly(journal, failed(OSError()))
        journal.wait()
    assert place.removed == ["small", "cat.jpg"]


def test_a_write_of_which_nobody_knows_is_told_unless_the_key_is_ours(caplog):
    place = Place()
    with pytest.raises(UploadFailed) as caught, Journal(place, "cat.jpg") as journal:
        record_quietly(journal, failed(WriteOutcomeUnknown("cat.jpg", OSError("no answer"))))
        record_quietly(journal, failed(WriteOutcomeUnknown("small", OSError("no answer"))), ours="small")
        journal.wait()
    assert caught.value.left_behind == ("cat.jpg",)
    assert place.removed == ["small"]
    assert [record.getMessage().endswith(" cat.jpg") for record in caplog.records] == [True]


def test_what_cannot_be_removed_keeps_nothing_else_and_is_told(caplog):
    place = Place(cannot_remove=["small"])
    with pytest.raises(RenderingError) as caught, Journal(place, "cat.jpg") as journal:
        for key in ("cat.jpg", "small", "large"):
            journal.record(done(key))
        raise RenderingError
    assert caught.value.left_behind == ("small",)
    assert place.removed == ["large", "cat.jpg"]
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_what_replaced_a_file_stays_and_is_told(caplog):
    place = Place(replaces=True)
    with pytest.raises(RenderingError) as caught, Journal(place, "cat.jpg") as journal:
        journal.record(done("cat.jpg"))
        raise RenderingError
    assert caught.value.left_behind == ("cat.jpg",)
    assert place.removed == []
    assert "may have replaced: cat.jpg" in caplog.text


def test_what_has_not_begun_is_cancelled_and_what_has_is_waited_for():
    place, may_end, began = Place(), Event(), Event()

    def slow():
        began.set()
        may_end.wait(10)
        return "cat.jpg"

    with ThreadPoolExecutor(1) as pool:
        with pytest.raises(RenderingError), Journal(place, "cat.jpg") as journal:
            journal.record(pool.submit(slow))
            waiting = journal.record(pool.submit(str, "small"), ours="small")
            began.wait(10)
            pool.submit(may_end.set)
            may_end.set()
            raise RenderingError
        assert place.removed in (["cat.jpg"], ["small", "cat.jpg"])
        assert waiting.cancelled() == (place.removed == ["cat.jpg"])


def test_one_write_may_be_kept():
    place = Place()
    with Journal(place, "cat.jpg") as journal:
        journal.record(done("cat.jpg"))
        journal.record(done("small"))
        assert journal.undo(keep="cat.jpg") == ()
        assert journal.wait() == ["cat.jpg"]
    assert place.removed == ["small"]


def test_nothing_is_written_before_it_is():
    assert Journal(Place(), "cat.jpg").original() is None
