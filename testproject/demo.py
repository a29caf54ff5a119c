"""The demo: ``manage.py demo`` with a fresh database, and with an S3 server of its own for ``--storage s3``.

Other options are those of ``manage.py demo``: ``--photos``, ``--port``, ``--no-serve``.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
from contextlib import ExitStack
from pathlib import Path

from django.core.management import execute_from_command_line
from seaweedfs import SeaweedFS

VAR_DIR = Path(__file__).resolve().parent / "var"
BUCKET = "demo"


def main() -> None:
    storage, options = parse_arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the S3 server is stopped then too
    with ExitStack() as stack:
        if storage == "s3":
            print("Starting an S3 server ...", flush=True)
            use_s3(stack.enter_context(SeaweedFS()))
        use_fresh_folder(VAR_DIR / f"demo-{storage}")
        os.environ["DEMO_STORAGE"] = storage
        os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
        execute_from_command_line(["manage.py", "demo", *options])


def parse_arguments() -> tuple[str, list[str]]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--storage", choices=["file", "s3"], default="file", help="where the images are stored")
    known, others = parser.parse_known_args()
    return known.storage, others


def use_s3(server: SeaweedFS) -> None:
    server.create_bucket(BUCKET)
    os.environ["AWS_S3_ENDPOINT_URL"] = server.endpoint_url
    os.environ["AWS_S3_REGION_NAME"] = server.region
    os.environ["AWS_ACCESS_KEY_ID"] = server.access_key
    os.environ["AWS_SECRET_ACCESS_KEY"] = server.secret_key
    os.environ["AWS_STORAGE_BUCKET_NAME"] = BUCKET
    os.environ["AWS_CONDITIONAL_WRITES"] = "1"


def use_fresh_folder(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    os.environ["DEMO_VAR"] = str(folder)


if __name__ == "__main__":
    main()
