"""The process of one group: its context comes in as an argument, its rows go out to a file."""

from __future__ import annotations

import importlib
import json
import sys
from dataclasses import asdict
from pathlib import Path

from tests.benchmarks.context import Context


def main(context_json: str, output: str) -> None:
    context = Context.from_json(context_json)
    rows = importlib.import_module(f"tests.benchmarks.groups.{context.group}").measure(context)
    Path(output).write_text(json.dumps([asdict(row) for row in rows]))


if __name__ == "__main__":
    main(*sys.argv[1:])
