"""`python -m tests.benchmarks`: set up the environment, start the server, measure each group in its own process."""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from tests.benchmarks import environment, report
from tests.benchmarks.context import GROUPS, Context
from tests.benchmarks.report import Row

BUCKET = "benchmarks"


def main() -> int:
    options = _options()
    environment.enter()
    # Only from here on are the harness's own dependencies there.
    with _context(options) as context:
        if options.profile:
            return _run_module("tests.benchmarks.stages", context.to_json())
        rows: list[Row] = []
        for group in options.only or GROUPS:
            rows += _group_rows(replace(context, group=group))
    machine = environment.machine()
    print(_heading(machine))
    print(report.table(rows))
    report.write(options.json, report.to_json(rows, machine))
    print(f"\nWritten to {options.json}")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description=__doc__,
        epilog="`python -m tests.benchmarks.soak` puts real web servers under load instead.",
    )
    parser.add_argument("photos", nargs="?", default=os.environ.get("PHOTOS"), help="a folder of JPEG photos to add")
    parser.add_argument("--only", action="append", choices=GROUPS, metavar="GROUP", help=", ".join(GROUPS))
    parser.add_argument("--runs", type=int, help="how often each subject has its turn (15; with --quick 3)")
    parser.add_argument("--quick", action="store_true", help="few runs, for a first impression")
    parser.add_argument("--json", type=Path, default=environment.FOLDER / "results.json", metavar="FILE")
    parser.add_argument("--profile", action="store_true", help="show where the time of a save goes, and nothing else")
    options = parser.parse_args()
    options.runs = options.runs or (3 if options.quick else 15)
    return options


@contextlib.contextmanager
def _context(options: argparse.Namespace) -> Iterator[Context]:
    """The server, the proxy and the photos, for as long as the measurements take."""
    from testproject.seaweedfs import SeaweedFS
    from tests.benchmarks import photos
    from tests.proxy import slow_proxy

    folder = environment.FOLDER / "photos"
    drawn = [str(photos.drawn(folder, size)) for size in (photos.SIZE_12MP, photos.SIZE_48MP)]
    photos.small(folder)
    with SeaweedFS() as s3, slow_proxy(s3.endpoint_url) as slow:
        s3.create_bucket(BUCKET)
        yield Context(
            group="",
            endpoint_url=s3.endpoint_url,
            slow_endpoint_url=slow,
            access_key=s3.access_key,
            secret_key=s3.secret_key,
            bucket=BUCKET,
            runs=options.runs,
            quick=options.quick,
            photo_12mp=drawn[0],
            photo_48mp=drawn[1],
            real_photos=tuple(map(str, photos.real(options.photos))),
            heic_photo="".join(map(str, photos.below(options.photos, "*.heic")[-1:])),
        )


def _group_rows(context: Context) -> list[Row]:
    print(f"{context.group} ...", file=sys.stderr, flush=True)
    rows: list[Row] = []
    for part in context.parts():
        rows += _part_rows(part)
    return rows


def _part_rows(context: Context) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "rows.json"
        status = _run_module("tests.benchmarks.worker", context.to_json(), str(output))
        if status or not output.exists():
            return [report.absent(context.group, context.subject or context.group, f"its process ended with {status}")]
        return report.from_json(output.read_text())


def _run_module(module: str, *arguments: str) -> int:
    return subprocess.run([sys.executable, "-m", module, *arguments], cwd=environment.ROOT, check=False).returncode


def _heading(machine: dict[str, object]) -> str:
    libraries = machine["libraries"]
    assert isinstance(libraries, dict)
    versions = ", ".join(f"{name} {version}" for name, version in libraries.items())
    words = [machine["date"], f"{machine['cores']} cores", machine["processor"], f"Python {machine['python']}"]
    return f"\n{', '.join(map(str, words))}\n{versions}\n"


if __name__ == "__main__":
    sys.exit(main())
