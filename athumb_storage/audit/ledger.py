"""The ledger: what is stored and what is used, sorted and joined by SQLite in a temporary file.

It sorts on disk, so memory stays bounded, and no order of a listing or collation of a database matters: names are
compared byte by byte.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from athumb_storage.exceptions import AuditError
from athumb_storage.storages.listing import StoredFile

_BATCH: Final = 1000
"""How many rows are inserted at once."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_SETTINGS: Final = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA locking_mode = EXCLUSIVE;
PRAGMA temp_store = FILE;
PRAGMA cache_size = -4096;
"""
"""A file that nobody reads again needs no journal; 4 MiB of it are kept in memory."""

_TABLES: Final = """
CREATE TABLE listed (place INTEGER, key BLOB, size INTEGER, modified INTEGER, etag TEXT);
CREATE TABLE used (id INTEGER PRIMARY KEY, place INTEGER, key BLOB, is_audited INTEGER, pk BLOB);
CREATE TABLE expected (
    place INTEGER, key BLOB, original INTEGER, thumb INTEGER, is_required INTEGER, slack INTEGER);
CREATE TABLE older (place INTEGER, original BLOB, thumb INTEGER, key BLOB, size INTEGER);
CREATE TABLE found (kind TEXT, place INTEGER, key BLOB, size INTEGER, modified INTEGER, etag TEXT);
"""
# listed    what is stored
# used      names of rows: each an original's key
# expected  keys of their thumbs; slack is how much older than the original one may be, in microseconds, and null where
#           its time tells nothing
# older     thumbs with another fingerprint, with the key of their original
# found     what an audit found

_INDEXES: Final = """
CREATE INDEX listed_key ON listed (place, key, modified, size);
CREATE INDEX used_key ON used (place, key, is_audited);
CREATE INDEX expected_key ON expected (place, key, original, thumb, is_required, slack);
"""

_ABSENT: Final = """
CREATE TABLE absent AS
SELECT place, key, original, thumb, is_required FROM expected e
WHERE NOT EXISTS (SELECT 1 FROM listed l WHERE l.place = e.place AND l.key = e.key)
ORDER BY place, key;
CREATE INDEX absent_original ON absent (original, thumb);
"""
"""What is expected and not listed."""

_UNEXPECTED: Final = """
SELECT place, key, size, modified, etag FROM listed l
WHERE NOT EXISTS (SELECT 1 FROM used u WHERE u.place = l.place AND u.key = l.key)
AND NOT EXISTS (SELECT 1 FROM expected e WHERE e.place = l.place AND e.key = l.key)
ORDER BY place, key
"""


def encoded(key: str) -> bytes:
    """The key as it is compared; whatever Python has as a string."""
    return key.encode("utf-8", "surrogatepass")


def decoded(key: bytes) -> str:
    """The same, back."""
    return key.decode("utf-8", "surrogatepass")


def microseconds(time: datetime) -> int:
    """Since 1970."""
    return (time - _EPOCH) // timedelta(microseconds=1)


def time_of(count: int) -> datetime:
    """The same, back."""
    return _EPOCH + timedelta(microseconds=count)


class Ledger:
    """A context manager; the file is gone after it.

    Fill it with `list_files`, `use` and `expect`; `sort` it; then ask.
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="athumb-audit-")
        self._thumbs: dict[str, int] = {}
        self._pending: dict[str, list[tuple[Any, ...]]] = {"used": [], "expected": [], "found": [], "older": []}
        self._last_id = 0
        try:
            self._database = sqlite3.connect(Path(self._folder.name) / "ledger", isolation_level=None)
            self._database.executescript(_SETTINGS + _TABLES)
            self._database.execute("BEGIN")
        except BaseException:
            self._folder.cleanup()
            raise

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()
        self._folder.cleanup()
        if isinstance(error, sqlite3.Error):
            where = "the variable TMPDIR names another place for them"
            raise AuditError(f"the temporary files of the audit failed ({error}); {where}.") from error

    # Filling

    def list_files(self, place: int, prefix: str, files: Iterable[StoredFile]) -> None:
        """Note what is stored.

        Args:
            place: the number of the place.
            prefix: what their names lack to be keys.
            files: the listing.
        """
        rows = (
            (place, encoded(prefix + file.name), file.size, microseconds(file.modified), file.etag) for file in files
        )
        self._database.executemany("INSERT INTO listed VALUES (?, ?, ?, ?, ?)", rows)

    def use(self, place: int, key: str, *, is_audited: bool, pk: bytes | None = None) -> int:
        """Note an original that something names; the number of this note."""
        self._last_id += 1
        self._add("used", (self._last_id, place, encoded(key), is_audited, pk))
        return self._last_id

    def expect(self, place: int, key: str, original: int, thumb: str, *, required: bool, slack: int | None) -> None:
        """Note the key of a thumb of an original that is noted.

        Args:
            place, key: where it is to be.
            original: the number of the original's note.
            thumb: its thumb name.
            required: whether it is missing where it is not there.
            slack: how many microseconds older than the original it may be; None is any.
        """
        self._add("expected", (place, encoded(key), original, self.number_of(thumb), required, slack))

    def find(self, kind: str, place: int, key: bytes, size: int, modified: int, etag: str | None) -> None:
        """Note what was found."""
        self._add("found", (kind, place, key, size, modified, etag))

    def note_older(self, place: int, original: str, thumb: str, key: bytes, size: int) -> None:
        """Note a thumb that has another fingerprint than the one that is expected."""
        self._add("older", (place, encoded(original), self.number_of(thumb), key, size))

    def number_of(self, thumb: str) -> int:
        """The number that stands for a thumb name."""
        return self._thumbs.setdefault(thumb, len(self._thumbs))

    def thumb_name(self, number: int) -> str:
        """The same, back."""
        return next(name for name, each in self._thumbs.items() if each == number)

    def _add(self, table: str, row: tuple[Any, ...]) -> None:
        pending = self._pending[table]
        pending.append(row)
        if len(pending) >= _BATCH:
            self._write(table)

    def _write(self, table: str) -> None:
        pending = self._pending[table]
        if pending:
            marks = ", ".join("?" * len(pending[0]))
            self._database.executemany(f"INSERT INTO {table} VALUES ({marks})", pending)  # noqa: S608, ours alone
            pending.clear()

    def flush(self) -> None:
        """Write what is pending."""
        for table in self._pending:
            self._write(table)

    def sort(self) -> None:
        """Sort what is noted, once all of it is."""
        self.flush()
        self._run(_INDEXES + _ABSENT)

    def _run(self, script: str) -> None:
        for statement in filter(str.strip, script.split(";")):
            self._database.execute(statement)

    # Asking

    def unexpected(self) -> Iterator[tuple[int, bytes, int, int, str | None]]:
        """Place, key, size, time and ETag of all that is stored and that nobody names or expects, in order."""
        yield from self._database.execute(_UNEXPECTED)

    def use_of(self, place: int, key: str) -> bool | None:
        """Whether an audited field names this original; None if nothing does."""
        query = "SELECT max(is_audited) FROM used WHERE place = ? AND key = ?"
        (found,) = self._database.execute(query, (place, encoded(key))).fetchone()
        return None if found is None else bool(found)

    def query(self, query: str, parameters: Iterable[Any] = ()) -> Iterator[tuple[Any, ...]]:
        """The rows that a query gives."""
        self.flush()
        yield from self._database.execute(query, tuple(parameters))

    def run(self, statement: str, parameters: Iterable[Any] = ()) -> None:
        """Carry out a statement."""
        self.flush()
        self._database.execute(statement, tuple(parameters))
