"""Runs the harness for a while: one line and 0 if all went well, else the file that it stumbled over and 1."""

from __future__ import annotations

import argparse
import importlib.util
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SECONDS_PER_FILE = 20
MIB = 1536


def main(arguments: Sequence[str]) -> int:
    options = parsed(arguments)
    if importlib.util.find_spec("atheris") is None:
        print('atheris is not installed: pip install -e ".[test,fuzz]"', file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="athumb-fuzz-") as name:
        folder = Path(name)
        code, said = fuzzed(options, folder)
        found = kept(folder / "found", options.findings) or options.files
    if code:
        print("\n".join(said.splitlines()[-60:]), file=sys.stderr)
        print(
            f"The promise is broken by {', '.join(map(str, found)) or 'an input that was not written'}.",
            file=sys.stderr,
        )
        return 1
    runs = re.search(r"number_of_executed_units: (\d+)", said)
    print(f"{runs[1] if runs else 0} runs, none of which broke the promise.")
    return 0 if runs and int(runs[1]) else 1


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="how long to go on")
    parser.add_argument("--seed", type=int, default=0, help="of the random numbers; 0 takes a new one each time")
    parser.add_argument(
        "--findings", type=Path, default=Path("fuzz-findings"), help="the folder for inputs that break the promise"
    )
    parser.add_argument("files", nargs="*", type=Path, help="run these files and nothing else, to see them again")
    return parser.parse_args(arguments)


def fuzzed(options: argparse.Namespace, folder: Path) -> tuple[int, str]:
    """Run the harness; how it ended, and what it and the image libraries said."""
    for name in ("corpus", "found"):
        (folder / name).mkdir()
    flags = [
        f"-max_total_time={options.seconds}",
        f"-timeout={SECONDS_PER_FILE}",
        f"-rss_limit_mb={MIB}",
        f"-seed={options.seed}",
        f"-artifact_prefix={folder}/found/",
        "-max_len=20000",
        "-print_final_stats=1",
    ]
    inputs = [str(file.resolve()) for file in options.files] or [str(folder / "corpus")]
    command = [sys.executable, "-m", "tests.fuzz.harness", *flags, *inputs]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return done.returncode, done.stdout.decode(errors="replace")


def kept(found: Path, findings: Path) -> list[Path]:
    """The inputs that broke the promise, where they are still there tomorrow."""
    files = list(found.iterdir())
    if files:
        findings.mkdir(parents=True, exist_ok=True)
    return [Path(shutil.move(file, findings / file.name)) for file in files]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
