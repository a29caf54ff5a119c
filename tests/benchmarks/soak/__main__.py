"""`python -m tests.benchmarks.soak`: load each web server, print what was measured; 1 is the status if a rule broke."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from testproject.seaweedfs import SeaweedFS
from tests.benchmarks.soak import files, promises, report, servers
from tests.benchmarks.soak.run import Plan, Run, run


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    names = servers.NAMES if options.server == "all" else (options.server,)
    print("Drawing the files ...", file=sys.stderr, flush=True)
    uploads = files.draw_all()
    runs: list[Run] = []
    with SeaweedFS() as s3:
        for name in names:
            print(f"{name} ...", file=sys.stderr, flush=True)
            runs.append(run(Plan(name, options.seconds, options.clients, options.outage), s3, uploads))
    text = f"{report.heading()}\n\n{report.table(runs)}\n"
    print(text)
    if options.markdown:
        options.markdown.write_text(text)
    return _judged(runs)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="how long each server is under load")
    parser.add_argument("--clients", type=int, default=32, help="how many upload at once")
    parser.add_argument("--server", choices=[*servers.NAMES, "all"], default="all")
    parser.add_argument("--outage", action="store_true", help="stop the S3 server for some seconds meanwhile")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table there too")
    return parser.parse_args(arguments)


def _judged(runs: Sequence[Run]) -> int:
    faults = [f"{one.plan.server}: {fault}" for one in runs for fault in promises.broken(one)]
    print(*faults or ["Every promise holds."], sep="\n")
    for one in runs:
        if promises.unexpected(one):
            print(f"\nThe end of the log of {one.plan.server}:\n{one.log[-3000:]}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
