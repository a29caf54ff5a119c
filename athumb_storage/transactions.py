"""Uploads that are deleted again when the database transaction they were made in is rolled back."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeVar, overload

from django.db import DEFAULT_DB_ALIAS, IntegrityError, transaction

from athumb_storage.storages.upload import Saved, saved_names

logger = logging.getLogger("athumb_storage")


class _Saved(Saved):
    """What was saved within one block."""

    def __init__(self, alias: str) -> None:
        super().__init__()
        self.alias = alias
        self.enclosing = saved_names.get()
        self.is_committed = False

    @property
    def around(self) -> _Saved | None:
        """The block around this one that is a transaction of the same database."""
        block = self.enclosing
        while isinstance(block, _Saved):
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
    saved = _Saved(using or DEFAULT_DB_ALIAS)
    token = saved_names.set(saved)
    rolled_back = True
    try:
        with transaction.atomic(using=using, durable=saved.around is None):
            transaction.on_commit(saved.commit, using=using)  # before all others, one of which may fail
            yield
            rolled_back = transaction.get_rollback(using)
    except BaseException as error:
        # A constraint that is checked at the end refuses the commit; after other errors it may have been done.
        rolled_back = (rolled_back or isinstance(error, IntegrityError)) and not saved.is_committed
        if not rolled_back and not saved.is_committed:
            _report(saved)
        raise
    finally:
        saved_names.reset(token)
        if rolled_back:
            _delete(saved)
        elif saved.around is not None:
            saved.around.extend(saved)


def _delete(saved: _Saved) -> None:
    for storage, keys in saved:
        try:
            storage._remove(keys)
        except Exception:
            logger.exception("Left behind by a transaction that was rolled back: %s", ", ".join(keys))


def _report(saved: _Saved) -> None:
    for _, keys in saved:
        logger.error("May be left behind by a transaction whose commit got no answer: %s", ", ".join(keys))
