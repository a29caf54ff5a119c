"""Rows of results, as a table and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Row:
    """One measure: ours, what it is compared with, and whether the bar is met (None: there is no bar)."""

    group: str
    measure: str
    bar: str = ""
    ours: float | None = None
    other: float | None = None
    unit: str = ""
    ratio: float | None = None
    met: bool | None = None
    note: str = ""


def at_most(group: str, measure: str, ours: float, other: float, unit: str, times: float | None, note: str = "") -> Row:
    """Ours may cost at most `times` as much as the other; without `times` it is only shown."""
    ratio = ours / other
    bar = "" if times is None else f"<= {times:g} x"
    return Row(group, measure, bar, ours, other, unit, ratio, None if times is None else ratio <= times, note)


def faster(group: str, measure: str, ours: float, other: float, unit: str, times: float | None, note: str = "") -> Row:
    """The other has to cost at least `times` as much as ours; the ratio says how many times it does."""
    ratio = other / ours
    bar = "" if times is None else f">= {times:g} x faster"
    return Row(group, measure, bar, ours, other, unit, ratio, None if times is None else ratio >= times, note)


def gain(group: str, measure: str, ours: float, other: float, unit: str, times: float | None) -> Row:
    """Ours, a throughput, has to be at least `times` the other; without `times` it is only shown."""
    ratio = ours / other
    bar = "" if times is None else f">= {times:g} x"
    return Row(group, measure, bar, ours, other, unit, ratio, None if times is None else ratio >= times)


def limit(group: str, measure: str, ours: float, unit: str, most: float, note: str = "") -> Row:
    """Ours may be at most `most`."""
    return Row(group, measure, f"<= {most:g} {unit}".rstrip(), ours, None, unit, None, ours <= most, note)


def shown(group: str, measure: str, value: float, unit: str, note: str = "", *, ours: bool = False) -> Row:
    """A number without a bar: another library's, or ours."""
    return Row(group, measure, ours=value if ours else None, other=None if ours else value, unit=unit, note=note)


def absent(group: str, measure: str, reason: object, bar: str = "") -> Row:
    """A measure that could not be taken."""
    words = " ".join(str(reason).split())
    return Row(group, measure, bar, note=f"n/a: {words[:160]}")


HEADERS = ("measure", "bar", "ours", "other", "ratio", "met", "note")


def table(rows: Sequence[Row]) -> str:
    """The rows as aligned text, a line of headers first."""
    cells = [HEADERS, *map(_cells, rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEADERS))]
    lines = ["  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    return "\n".join([lines[0], "-" * min(160, len(lines[0]) + 20), *lines[1:]])


def _cells(row: Row) -> tuple[str, ...]:
    met = {True: "yes", False: "NO", None: ""}[row.met]
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
    measure = f"{row.group}: {row.measure}"
    return measure, row.bar, _number(row.ours, row.unit), _number(row.other, row.unit), ratio, met, row.note


def _number(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    digits = 0 if value >= 100 or value == int(value) else 1 if value >= 10 else 2
    return f"{value:.{digits}f} {unit}".rstrip()


def to_json(rows: Sequence[Row], machine: dict[str, Any]) -> str:
    return json.dumps({"machine": machine, "results": [asdict(row) for row in rows]}, indent=2) + "\n"


def from_json(text: str) -> list[Row]:
    return [Row(**values) for values in json.loads(text)]


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
