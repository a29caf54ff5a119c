"""Uploads that are deleted again when the database transaction they were made in is rolled back."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeVar, overload

from django.db import DEFAULT_DB_ALIAS, IntegrityError, transaction

from athumb_storage.storages.journal import KeptJournals, kept_journals

logger = logging.getLogger("athumb_storage")


class _Block(KeptJournals):
    """The journals of what was saved within one block."""

    def __init__(self, alias: str) -> None:
        super().__init__()
        self.alias = alias
        self.enclosing = kept_journals.get()
        self.is_committed = False

    @property
    def around(self) -> _Block | None:
        """The block around this one that is a transaction of the same database."""
        block = self.enclosing
        while isinstance(block, _Block):
            if block.alias == self.alias:
                return block
            block = block.enclosing
        return None

    def commit(self) -> None:
        self.is_committed = True


Function = TypeVar("Function", bound=Callable[..., Any])


@overload
def atomic(using: Function) -> Function: ...
@overload
def atomic(using: str | None = None) -> AbstractContextManager[None]: ...
def atomic(using: Any = None) -> Any:
    """Like `transaction.atomic(durable=True)`; if it is rolled back, what was saved within it is deleted again.

    It has to be the outermost block, because nobody is told when a transaction around it is rolled back; only another
    one of these may be around it, and then it is a savepoint. An upload that replaced a file is not deleted. If the
    database gives no answer to the commit, nothing is, because nobody knows whether the rows are there; it is logged.

    Args:
        using: the alias of the database; or the function that this decorates.

    Raises:
        RuntimeError: it is within a transaction that was begun in another way.
    """
    return _block(None)(using) if callable(using) else _block(using)


@contextmanager
def _block(using: str | None) -> Iterator[None]:
    block = _Block(using or DEFAULT_DB_ALIAS)
    token = kept_journals.set(block)
    rolled_back = True
    try:
        with transaction.atomic(using=using, durable=block.around is None):
            transaction.on_commit(block.commit, using=using)  # before all others, one of which may fail
            yield
            rolled_back = transaction.get_rollback(using)
    except BaseException as error:
        # A constraint that is checked at the end refuses the commit; after other errors it may have been done.
        rolled_back = (rolled_back or isinstance(error, IntegrityError)) and not block.is_committed
        if not rolled_back and not block.is_committed:
            _report(block)
        raise
    finally:
        kept_journals.reset(token)
        if rolled_back:
            for journal in block:
                journal.undo()
        elif block.around is not None:
            block.around.extend(block)


def _report(block: _Block) -> None:
    for journal in block:
        keys = ", ".join(journal.wait())
        logger.error("May be left behind by a transaction whose commit got no answer: %s", keys)
