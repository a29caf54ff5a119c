"""Pruning: orphans are looked at again, one batch after the other, and then removed."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain, islice
from pathlib import Path
from typing import Final

from athumb_storage import conf
from athumb_storage.audit.places import Place, canonical
from athumb_storage.audit.reconciling import Audit, Finding
from athumb_storage.audit.scope import Home, Keys, Root, Scope, outermost
from athumb_storage.exceptions import AuditError
from athumb_storage.storages.listing import StoredFile

BATCH: Final = 1000
"""How many files are looked at again and then removed at once."""

REMOVED: Final = "removed"
OUTSIDE: Final = "outside of ATHUMB_PRUNE_PREFIXES"
YOUNG: Final = "too young"
IN_USE: Final = "in use by now"
CHANGED: Final = "changed since they were listed"
GONE: Final = "gone already"
ODD: Final = "of a name by which the storage finds another file"

logger = logging.getLogger("athumb_storage")


class Pruning:
    """Removes orphans of an audit.

    Args:
        audit: the audit, of which everything could be read.
        kinds: "orphaned_thumbs", "orphaned_originals" or both.
        min_age: how long ago a file has to be stored.
    """

    def __init__(self, audit: Audit, kinds: Collection[str], min_age: timedelta) -> None:
        self._audit = audit
        self._kinds = kinds
        self._before = datetime.now(UTC) - min_age
        self._prefixes = _prefixes()

    def candidates(self) -> Iterator[Finding]:
        """What is going to be looked at again."""
        return (finding for finding, reason in self._judged() if reason is None)

    def passed_over(self) -> Counter[str]:
        """How many are not, by the reason."""
        return Counter(reason for _, reason in self._judged() if reason is not None)

    def run(self) -> Counter[str]:
        """Remove them: how many were removed, and how many were skipped, by the reason. Each skip is logged.

        Raises:
            AuditError: something could not be read any more; what was removed before stays so.
            Exception: a storage failed.
        """
        outcomes: Counter[str] = Counter()
        findings = self.candidates()
        try:
            while batch := list(islice(findings, BATCH)):
                for place, root in {finding.root.place: finding.root for finding in batch}.items():
                    self._prune(root, [finding for finding in batch if finding.root.place == place], outcomes)
        except BaseException:
            logger.exception("Pruning ended before its end; at least %d files were removed.", outcomes[REMOVED])
            raise
        for finding, reason in self._judged():
            if reason is not None:
                self._skip(outcomes, [finding], reason)
        return outcomes

    def _judged(self) -> Iterator[tuple[Finding, str | None]]:
        """Every orphan, and why it is passed over; None if it is not."""
        for kind in self._kinds:
            for finding in self._audit.findings(kind):
                place = finding.root.place
                address = place.address_of(finding.key)
                if address is None or not address.startswith(self._prefixes):
                    yield finding, OUTSIDE
                elif not place.holds(finding.key):
                    yield finding, ODD
                elif finding.file is None or finding.file.modified > self._before:
                    yield finding, YOUNG
                else:
                    yield finding, None

    def _prune(self, root: Root, batch: list[Finding], outcomes: Counter[str]) -> None:
        """Look at these again, and remove those that are still as they were and still nobody's."""
        used = in_use(batch[0].home, {finding.key for finding in batch})
        self._skip(outcomes, [finding for finding in batch if finding.key in used], IN_USE)
        left = [finding for finding in batch if finding.key not in used]
        names = [finding.key[len(root.place.prefix) :] for finding in left]
        doomed = []
        for finding, name, now in zip(left, names, root.storage.stat_each(names), strict=True):
            if now is None:
                self._skip(outcomes, [finding], GONE)
            elif finding.file is None or not _is_same(finding.file, now):
                self._skip(outcomes, [finding], CHANGED)
            else:
                doomed.append(name)
        if doomed:
            root.storage.remove_files(doomed)
            outcomes[REMOVED] += len(doomed)

    def _skip(self, outcomes: Counter[str], findings: Collection[Finding], reason: str) -> None:
        for finding in findings:
            outcomes[reason] += 1
            logger.info("Not removed, %s: %r", reason, finding.address)


def refuse_to_prune(scope: Scope) -> None:
    """Refuse where it is plain, before anything is listed, that nothing may be removed.

    Raises:
        AuditError: no prefix is declared, or none lies where this project has its files; or not all rows can be read;
            or a file has two names.
    """
    _refuse_without_prefixes(scope)
    if scope.unread:
        where = "A router's db_for_read() says in which database a table is."
        raise AuditError(f"Nothing is pruned: the table of {scope.unread[0]} cannot be read. {where}")
    if scope.broken:
        alias, error = next(iter(scope.broken.items()))
        raise AuditError(f"Nothing is pruned: the storage {alias!r} of STORAGES cannot be set up: {error}")
    _refuse_links(scope)
    for column in scope.elsewhere:
        logger.warning(
            "Nobody knows where the %s of %s stores. Should that be where something is pruned, "
            "ATHUMB_FILES_IN_USE has to name what it has.",
            type(column.storage).__name__,
            column,
        )


def _refuse_without_prefixes(scope: Scope) -> None:
    prefixes = _prefixes()
    addresses = [root.place.address for root in scope.roots]
    if not prefixes:
        likely = ", ".join(repr(address) for address in addresses if address) or "none of them can be pruned"
        raise AuditError(
            "Nothing is pruned, because ATHUMB_PRUNE_PREFIXES does not say what is this project's alone. "
            f"These locations were to be looked at: {likely}."
        )
    if not any(
        address and (address.startswith(prefix) or prefix.startswith(address))
        for address in addresses
        for prefix in prefixes
    ):
        listed = ", ".join(map(repr, prefixes))
        raise AuditError(
            f"Nothing is pruned: ATHUMB_PRUNE_PREFIXES has {listed}, and files are in "
            f"{', '.join(repr(address) for address in addresses)}."
        )


def _refuse_links(scope: Scope) -> None:
    """Refuse where there is a symbolic link, so that a file may have two names, of which a row has only one."""
    for home in scope.homes:
        for root in outermost([column for column in home.columns if column.place.is_on_disk]):
            for path in _links(root.place):
                raise AuditError(f"Nothing is pruned: {str(path)!r} is a symbolic link, so a file has two names.")
        roots = tuple(root.place.prefix for root in home.roots)
        for path in (path for _, place in home.configured if place.is_on_disk for path in _links(place)):
            if f"{path.resolve()}/".startswith(roots):
                raise AuditError(f"Nothing is pruned: {str(path)!r} leads there, so a file has two names.")


def _links(place: Place) -> Iterator[Path]:
    for folder, folders, files in os.walk(place.prefix):
        yield from (path for name in (*folders, *files) if (path := Path(folder, name)).is_symlink())


def _prefixes() -> tuple[str, ...]:
    return tuple(map(canonical, conf.prune_prefixes()))


def in_use(home: Home, keys: Collection[str]) -> set[str]:
    """Those of these keys that something uses now: a row or a callable names it, or the original that it belongs to.

    Raises:
        AuditError: a table cannot be read.
    """
    belonging: dict[str, set[str]] = {key: {key} for key in keys}
    for key in keys:
        for original, _, _ in home.originals_of(key):
            belonging.setdefault(original, set()).add(key)
    used: set[str] = set()
    for told in chain(_told_by_rows(home, belonging), home.used_without_a_field()):
        used |= belonging.get(told.key, set())
        used.update(key for of_thumb in told.thumbs.values() for key in of_thumb if key in belonging)
    return used & set(keys)


def _told_by_rows(home: Home, keys: Collection[str]) -> Iterator[Keys]:
    """What the rows name that name one of these keys. Where a thumb does not tell its original, all rows are read."""
    for column in home.columns:
        every = () if home.can_tell_back else column.names()
        names = (name for key in keys for name in column.place.names(key))
        for name in chain(every, column.named(names), column.defaults):
            yield home.keys_of(column, name)


def _is_same(listed: StoredFile, now: StoredFile) -> bool:
    """Whether a file is the one that was listed. S3 tells the time of an object to the second only when it is asked."""
    apart = timedelta(seconds=1) if now.etag else timedelta(microseconds=1)
    is_same_tag = listed.etag is None or listed.etag == now.etag
    return is_same_tag and listed.size == now.size and abs(listed.modified - now.modified) < apart
