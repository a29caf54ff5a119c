"""Counts of what an action really does: queries, cache calls, S3 requests."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from botocore.httpsession import URLLib3Session
from django.core.cache.backends.locmem import LocMemCache


@dataclass
class Counts:
    """How often each was asked."""

    queries: int = 0
    cache_calls: int = 0
    requests: int = 0


class CountingCache(LocMemCache):
    """Django's in-memory cache; it adds to every `Counts` in `counters`."""

    counters: list[Counts] = []

    def __init__(self, name: str = "", params: dict[str, Any] | None = None) -> None:
        super().__init__(name, params or {})

    def get(self, *args: Any, **kwargs: Any) -> Any:
        self._count()
        return super().get(*args, **kwargs)

    def set(self, *args: Any, **kwargs: Any) -> None:
        self._count()
        super().set(*args, **kwargs)

    def add(self, *args: Any, **kwargs: Any) -> bool:
        self._count()
        return super().add(*args, **kwargs)

    def has_key(self, *args: Any, **kwargs: Any) -> bool:
        self._count()
        return super().has_key(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> bool:
        self._count()
        return super().delete(*args, **kwargs)

    def _count(self) -> None:
        for counts in self.counters:
            counts.cache_calls += 1


@contextlib.contextmanager
def counted() -> Iterator[Counts]:
    """Count what happens inside, in whichever thread; requests of whichever S3 client."""
    from django.db import connection

    counts = Counts()
    CountingCache.counters.append(counts)
    try:
        with connection.execute_wrapper(_query_counter(counts)), _counted_requests(counts):
            yield counts
    finally:
        CountingCache.counters.remove(counts)


def _query_counter(counts: Counts) -> Callable[..., Any]:
    def count(execute: Callable[..., Any], *args: Any) -> Any:
        counts.queries += 1
        return execute(*args)

    return count


@contextlib.contextmanager
def _counted_requests(counts: Counts) -> Iterator[None]:
    # Clients may be made before or meanwhile and copy their event handlers, so the one way out is watched instead.
    send = URLLib3Session.send

    def count(self: URLLib3Session, request: Any) -> Any:
        counts.requests += 1
        return send(self, request)

    URLLib3Session.send = count
    try:
        yield
    finally:
        URLLib3Session.send = send
