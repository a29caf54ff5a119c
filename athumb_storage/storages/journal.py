"""What one save wrote, is writing or may have written: one object knows, and undoes it when the save fails."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from concurrent.futures import Future
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Final, Protocol

from django.core.exceptions import SuspiciousOperation

from athumb_storage.exceptions import AthumbError, UploadFailed

logger = logging.getLogger("athumb_storage")


class Storage(Protocol):
    """What is asked of a storage."""

    storage_errors: tuple[type[Exception], ...]

    @property
    def unbound(self) -> Any: ...
    @property
    def _replaces(self) -> bool: ...
    def _remove(self, keys: Iterable[str]) -> None: ...


class WriteOutcomeUnknown(OSError):
    """No answer came to the storing of `name`, and nobody could be asked whether it is there."""

    def __init__(self, name: str, reason: BaseException) -> None:
        super().__init__(str(reason))
        self.name = name
        self.reason = reason


def is_of_storing(storage: Storage, error: BaseException) -> bool:
    """Whether it is the upload or the storage that failed, and not somebody who wants this thread to stop."""
    if isinstance(error, TimeoutError) and error.errno is None:  # the operating system gives a number with its own
        return False
    return isinstance(error, (AthumbError, *storage.storage_errors))


class Journal:
    """What one save writes; a context manager that undoes all of it when its block fails.

    The error that leaves the block says what is `left_behind`. It is an `UploadFailed`, if it is one of storing.

    Args:
        storage: where it is written.
        name: what the file was to be called.
    """

    def __init__(self, storage: Storage, name: str) -> None:
        self.storage = storage
        self._name = name
        self._writes: list[tuple[Future[str], str | None]] = []

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._hand_on()
            return
        left_behind = self.undo()
        if isinstance(error, AthumbError):
            error.left_behind = left_behind
        elif is_of_storing(self.storage, error):
            raise UploadFailed(self._name, error, left_behind) from error

    def record(self, write: Future[str], *, ours: str | None = None) -> Future[str]:
        """Note a write that is under way or done; it gives the name of what it stored. The first is the original's.

        Args:
            write: the write.
            ours: a key that nobody else can have written, so that it is removed even if the write failed.
        """
        self._writes.append((write, ours))
        if write.done():
            write.result()  # a failure is raised at once
        return write

    def original(self) -> str | None:
        """The name that the original is stored under, once it is; None if it is not even begun."""
        return self._writes[0][0].result() if self._writes else None

    def wait(self) -> list[str]:
        """Wait until all is written; the names of it. The first failure is raised."""
        return [write.result() for write, _ in self._writes]

    def cancel_and_wait(self) -> None:
        """Cancel what has not begun, and wait for what has."""
        for write, _ in self._writes:
            if not write.cancel():
                write.exception()

    def undo(self, *, keep: str | None = None) -> tuple[str, ...]:
        """Remove again what was written, but for `keep`; what could not be removed, or may be there."""
        self.cancel_and_wait()
        begun, self._writes = [(write, ours) for write, ours in self._writes if not write.cancelled()], []
        keys, unknown_outcomes = [], []
        for write, ours in begun:
            error = write.exception()
            if error is None and write.result() == keep:
                self._writes.append((write, ours))
            elif error is None or ours:
                keys.append(ours or write.result())
            elif isinstance(error, WriteOutcomeUnknown):
                unknown_outcomes.append(error.name)
        for key in unknown_outcomes:
            logger.error("May be left behind by a failed upload of %r, nobody could be asked: %s", self._name, key)
        # The original last: as long as it is there, nobody else can take its name and lose his thumbs.
        return (*self._left_of(keys[::-1]), *unknown_outcomes)

    def _left_of(self, keys: list[str]) -> list[str]:
        """Remove these; those that could not be removed."""
        if not keys:
            return []
        if self.storage._replaces:
            logger.error("A failed upload of %r may have replaced: %s", self._name, ", ".join(keys))
            return keys
        try:
            self.storage._remove(keys)
        except BaseException as error:
            is_stopped = not (is_of_storing(self.storage, error) or isinstance(error, SuspiciousOperation))
            if len(keys) > 1 and not is_stopped:  # one that cannot be removed must not keep the others
                return [left for key in keys for left in self._left_of([key])]
            logger.exception("Left behind by a failed upload of %r: %s", self._name, ", ".join(keys))
            if is_stopped:
                raise
            return keys
        return []

    def _hand_on(self) -> None:
        """Stay with the transaction, if there is one, until its commit. What replaced a file cannot be undone."""
        journals = kept_journals.get()
        if journals is not None and not self.storage._replaces:
            journals.append(self)


class KeptJournals(list[Journal]):
    """The journals of the saves within a transaction."""

    enclosing: KeptJournals | None = None

    def discard(self, storage: Storage, name: str) -> None:
        """Forget the save of an original that was deleted: who stores under its name from now on is somebody else."""
        self[:] = [
            journal for journal in self if journal.storage.unbound is not storage.unbound or journal.original() != name
        ]
        if self.enclosing is not None:
            self.enclosing.discard(storage, name)


kept_journals: Final[ContextVar[KeptJournals | None]] = ContextVar("kept_journals", default=None)
"""Where journals stay until a commit (see `transactions`)."""
