"""The audit itself: what is listed is reconciled with what rows name and what thumb sets expect."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from athumb_storage.audit.ledger import Ledger, decoded, encoded, microseconds, time_of
from athumb_storage.audit.scope import Home, Keys, Root, Scope
from athumb_storage.exceptions import AuditError
from athumb_storage.storages.listing import StoredFile

KINDS: Final = (
    "missing_originals",
    "missing_thumbs",
    "stale_thumbs",
    "surplus_thumbs",
    "orphaned_thumbs",
    "orphaned_originals",
)

STALE: Final = """
    FROM expected e
    CROSS JOIN listed t ON t.place = e.place AND t.key = e.key
    CROSS JOIN used u ON u.id = e.original
    CROSS JOIN listed o ON o.place = u.place AND o.key = u.key
    WHERE e.is_required AND e.slack IS NOT NULL AND (t.modified + e.slack < o.modified OR t.modified < ?)
"""
"""Thumbs that are older than their original, or than a time. CROSS JOIN keeps the order of the tables."""

_MISSING_ORIGINALS: Final = """
    INSERT INTO found SELECT DISTINCT 'missing_originals', place, key, 0, NULL, NULL FROM used u
    WHERE is_audited AND NOT EXISTS (SELECT 1 FROM listed l WHERE l.place = u.place AND l.key = u.key)
    ORDER BY place, key
"""

_MISSING_THUMBS: Final = """
    INSERT INTO found SELECT DISTINCT 'missing_thumbs', a.place, a.key, 0, NULL, NULL FROM absent a
    CROSS JOIN used u ON u.id = a.original
    WHERE a.is_required AND u.is_audited
    AND EXISTS (SELECT 1 FROM listed l WHERE l.place = u.place AND l.key = u.key)
    ORDER BY a.place, a.key
"""

_STALE_THUMBS: Final = f"""
    INSERT INTO found SELECT DISTINCT 'stale_thumbs', t.place, t.key, t.size, t.modified, NULL {STALE}
    AND u.is_audited ORDER BY t.place, t.key
"""

_OLDER_THUMBS: Final = """
    INSERT INTO found SELECT CASE WHEN EXISTS (
        SELECT 1 FROM used u JOIN absent a ON a.original = u.id AND a.thumb = o.thumb
        WHERE u.place = o.place AND u.key = o.original AND a.is_required
    ) THEN 'stale_thumbs' ELSE 'surplus_thumbs' END, place, key, size, NULL, NULL FROM older o ORDER BY place, key
"""


_FOUND_KEY: Final = "CREATE INDEX found_key ON found (kind, place, key)"

_SOME: Final = "SELECT place, key FROM found WHERE kind = ? AND (place, key) > (?, ?) ORDER BY place, key LIMIT ?"

_NOT_MISSING: Final = "DELETE FROM found WHERE kind = ? AND place = ? AND key = ?"

_MISSING_THUMBS_OF: Final = """
    INSERT INTO found SELECT DISTINCT 'missing_thumbs', a.place, a.key, 0, NULL, NULL FROM used u
    CROSS JOIN absent a ON a.original = u.id
    WHERE u.place = ? AND u.key = ? AND u.is_audited AND a.is_required
"""

MOST_LOOKED_AT: Final = 100_000
"""How many missing originals, and thumbs, are looked at again at the most."""

_BATCH: Final = 1000
"""How many at a time. Where none of these is there after all, the others are not looked at."""


@dataclass(frozen=True)
class Total:
    """How many of a kind there are, and how many bytes are stored in them."""

    count: int = 0
    bytes: int = 0


@dataclass(frozen=True)
class Finding:
    """One key that is not as it should be."""

    kind: str
    """One of `KINDS`."""
    home: Home
    key: str
    """Absolute in its home."""
    size: int
    """In bytes; 0 for what is missing."""
    file: StoredFile | None
    """What was listed of an orphan, under its key; None for the others."""

    @property
    def root(self) -> Root:
        """Where it was looked for."""
        return self.home.root_of(self.key)

    @property
    def address(self) -> str:
        """Where it is, as `ATHUMB_PRUNE_PREFIXES` would say; its key where there is no such thing."""
        return self.root.place.address_of(self.key) or self.key


Listing = Callable[[Root], Iterator[StoredFile]]
"""Gives what is stored at a root, under names relative to it."""


class Audit:
    """What was found.

    Attributes:
        listed: how many files, and bytes.
    """

    def __init__(self, scope: Scope, ledger: Ledger) -> None:
        self.scope = scope
        self._ledger = ledger
        self.listed = Total()

    def totals(self) -> dict[str, Total]:
        """Of each kind."""
        rows = self._ledger.query("SELECT kind, count(*), sum(size) FROM found GROUP BY kind")
        counted = {kind: Total(count, size) for kind, count, size in rows}
        return {kind: counted.get(kind, Total()) for kind in KINDS}

    def findings(self, kind: str) -> Iterator[Finding]:
        """All of a kind, by their keys."""
        query = "SELECT place, key, size, modified, etag FROM found WHERE kind = ? ORDER BY place, key"
        is_orphan = kind.startswith("orphaned")
        for number, key, size, modified, etag in self._ledger.query(query, [kind]):
            name = decoded(key)
            file = StoredFile(name, size, time_of(modified), etag) if is_orphan else None
            yield Finding(kind, self.scope.homes[number], name, size, file)

    # How it is found

    def fill(self, listing: Listing) -> None:
        """Read everything.

        Files come first: one that is stored meanwhile, with its row, is then no orphan.
        """
        for home in self.scope.homes:
            for root in home.roots:
                try:
                    self._ledger.list_files(home.number, root.place.prefix, listing(root))
                except NotImplementedError as error:
                    raise AuditError(f"{type(root.storage).__name__} cannot list what it has: {error}") from error
        ((count, size),) = self._ledger.query("SELECT count(*), coalesce(sum(size), 0) FROM listed")
        self.listed = Total(count, size)
        for home in self.scope.homes:
            for column in home.columns:
                is_audited = self.scope.is_audited(column)
                for name in column.names():
                    self._note(home, home.keys_of(column, name), is_audited=is_audited)
                for name in column.defaults:
                    self._note(home, home.keys_of(column, name), is_audited=False)
            for keys in home.used_without_a_field():
                self._note(home, keys, is_audited=False)
        self._ledger.sort()

    def _note(self, home: Home, keys: Keys, *, is_audited: bool) -> None:
        note = self._ledger.use(home.number, keys.key, is_audited=is_audited)
        for thumb, of_thumb in keys.thumbs.items():
            for key in of_thumb:
                self._ledger.expect(home.number, key, note, thumb, required=keys.required, slack=keys.slack)

    def compare(self, since: datetime | None) -> None:
        """Note what is not as it should be."""
        self._ledger.run(_MISSING_ORIGINALS)
        self._ledger.run(_MISSING_THUMBS)
        self._ledger.run(_STALE_THUMBS, [microseconds(since) if since else 0])
        previous = None
        for number, key, size, modified, etag in self._ledger.unexpected():
            if (number, key) != previous:  # a listing may repeat itself at the end of a page
                self._judge(self.scope.homes[number], decoded(key), size, modified, etag)
            previous = number, key
        self._ledger.run(_OLDER_THUMBS)
        self._ledger.run(_FOUND_KEY)
        for number, key in self._found_after_all("missing_originals"):
            self._ledger.run(_MISSING_THUMBS_OF, [number, key])
        for _ in self._found_after_all("missing_thumbs"):
            pass

    def _found_after_all(self, kind: str) -> Iterator[tuple[int, bytes]]:
        """Drop what is not missing: it was stored while the files were listed, or after the inventory."""
        last = (-1, b"")
        for _ in range(0, MOST_LOOKED_AT, _BATCH):
            missing: list[tuple[int, bytes]] = list(self._ledger.query(_SOME, [kind, *last, _BATCH]))
            found: list[tuple[int, bytes]] = []
            for home in self.scope.homes:
                for root in home.roots:
                    keys = [key for number, key in missing if number == home.number and root.place.holds(decoded(key))]
                    files = root.storage.stat_each([decoded(key)[len(root.place.prefix) :] for key in keys])
                    found += [(home.number, key) for key, file in zip(keys, files, strict=True) if file is not None]
            for number, key in found:
                self._ledger.run(_NOT_MISSING, [kind, number, key])
            yield from found
            if not found:
                return
            last = missing[-1]

    def _judge(self, home: Home, key: str, size: int, modified: int, etag: str | None) -> None:
        """Note what a stored file is that nobody names and no thumb set expects."""
        uses = []
        for original, naming, name in home.originals_of(key):
            is_audited = self._ledger.use_of(home.number, original)
            thumb = getattr(naming, "thumb_name", lambda _: None)(name)
            if is_audited and thumb is not None:
                self._ledger.note_older(home.number, original, thumb, encoded(key), size)
                return
            uses.append(is_audited)
        if True in uses:
            kind = "surplus_thumbs"
        elif False in uses or not home.is_a_fields(key):
            return  # it is the business of a field that is not asked about, or of a storage that no field has
        else:
            kind = "orphaned_thumbs" if uses else "orphaned_originals"
        self._ledger.find(kind, home.number, encoded(key), size, modified, etag)


def stored_at(root: Root) -> Iterator[StoredFile]:
    """The listing of a root by its storage."""
    return iter(root.storage.list_files())


@contextmanager
def audited(scope: Scope, *, since: datetime | None = None, listing: Listing = stored_at) -> Iterator[Audit]:
    """Carry out an audit. Memory stays bounded; a temporary file holds what is sorted, and is gone afterwards.

    Args:
        scope: what is audited.
        since: thumbs that were stored before are stale; None judges by the time of the original alone.
        listing: what gives the files.

    Raises:
        AuditError: something could not be read.
    """
    with Ledger() as ledger:
        audit = Audit(scope, ledger)
        audit.fill(listing)
        audit.compare(since)
        yield audit
