"""What a long command leaves on disk: how far it is, and what became of each row."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from django.core.management.base import CommandError
from django.core.serializers.json import DjangoJSONEncoder

from athumb_storage.regeneration import Outcome, Result
from athumb_storage.rows import PrimaryKey


class Checkpoint:
    """How far a command is, in a file that is whole at any moment, whatever ends the process or the machine.

    Args:
        path: the file; None keeps nothing.
        arguments: what the command was told, and for which thumbs. Another command's checkpoint is refused.

    Raises:
        CommandError: the file cannot be read or written, or is another command's.
    """

    def __init__(self, path: str | None, arguments: Mapping[str, Any]) -> None:
        self._path = None if path is None else Path(path)
        self._state: dict[str, Any] = {"arguments": json.loads(_as_json(arguments)), "field": None, "pk": None}
        self.counts: Counter[Outcome] = Counter()
        if self._path and self._path.exists():
            self._load(self._path)
        if not self.is_complete:  # what cannot be written is to be known before anything is done
            self._save()

    def _load(self, path: Path) -> None:
        try:
            state = json.loads(path.read_text())
            arguments, counts = state["arguments"], state["counts"]
            self.counts.update({Outcome[name]: int(count) for name, count in counts.items()})
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            raise CommandError(f"{path} is no checkpoint of this command: {error}") from error
        if arguments != self._state["arguments"]:
            raise CommandError(
                f"{path} is the checkpoint of a command with other arguments, or of other thumbs: {_as_json(arguments)}"
            )
        self._state = state

    @property
    def is_complete(self) -> bool:
        """Whether there is nothing left to do."""
        return bool(self._state.get("complete"))

    @property
    def field(self) -> str | None:
        """The label of the field that is worked on; those before it are done."""
        return self._state["field"]  # type: ignore[no-any-return]

    def last_pk(self, field: str, key: PrimaryKey) -> Any:
        """The primary key up to which the rows of a field are done; None if none is."""
        return key.from_text(self._state["pk"]) if self.field == field and self._state["pk"] is not None else None

    def note(self, field: str, key: PrimaryKey, result: Result) -> None:
        """Note that this row and all before it are done."""
        self.counts[result.outcome] += 1
        self._state.update(field=field, pk=key.to_text(result.pk))
        # To look at a row without a file again takes less time than to write this.
        if result.outcome not in (Outcome.EMPTY, Outcome.REPEATED) or self.counts.total() % 1000 == 0:
            self._save()

    def finish(self) -> None:
        """Note that everything is done."""
        self._state["complete"] = True
        self._save()

    def _save(self) -> None:
        if not self._path:
            return
        self._state["counts"] = {outcome.name: count for outcome, count in self.counts.items()}
        with _written("checkpoint"):
            beside = self._path.with_name(f"{self._path.name}.new")
            with beside.open("w") as file:
                file.write(_as_json(self._state))
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self._path)
            if os.name == "posix":  # elsewhere no folder can be opened
                folder = os.open(self._path.parent, os.O_RDONLY)
                try:
                    os.fsync(folder)
                finally:
                    os.close(folder)


class Report:
    """What became of each row, as JSON lines at the end of a file; a context manager.

    Args:
        path: the file; None writes nothing.
    """

    def __init__(self, path: str | None) -> None:
        with _written("report"):
            self._file: IO[str] | None = None if path is None else open(path, "a", encoding="utf-8")  # noqa: SIM115, PTH123, closed below

    def __enter__(self) -> Report:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            with _written("report"):
                self._file.close()

    def write(self, field: str, key: PrimaryKey, result: Result) -> None:
        """Write a line, before the checkpoint says that its row is done."""
        if not self._file:
            return
        pk = result.pk if isinstance(result.pk, int) else key.to_text(result.pk)
        told = {"field": field, "pk": pk, "name": result.name, "outcome": result.outcome.value}
        if result.reason:
            told["reason"] = result.reason
        with _written("report"):
            self._file.write(_as_json(told) + "\n")
            self._file.flush()
            if result.outcome is Outcome.FAILED:  # which nobody would hear of again
                os.fsync(self._file.fileno())


@contextmanager
def _written(what: str) -> Iterator[None]:
    """
    Raises:
        CommandError: it cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise CommandError(f"The {what} cannot be written: {error}") from error


def _as_json(value: Any) -> str:
    return json.dumps(value, cls=DjangoJSONEncoder)
