"""`python -m tests.benchmarks.distributed`: a run of photos by 1, 2 and 4 workers of django-tasks-db, all here."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.benchmarks import environment

BUCKET = "benchmarks"
WORKERS = (1, 2, 4)
RANGE_ROWS = 12
NEAR, FAR = "near", "far"
"""Photos of 12 megapixels on a server next door, where the cores are the limit; small ones on a server that takes 20 ms
for each request, by workers that do one at a time."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.distributed", description=__doc__)
    parser.add_argument("--photos", type=int, default=96, help="how many photos a run has, of each kind")
    parser.add_argument("--runs", type=int, default=3, help="how often each number of workers has its turn")
    options = parser.parse_args()
    environment.enter("tests.benchmarks.distributed")
    from testproject.seaweedfs import SeaweedFS
    from tests.proxy import slow_proxy

    with SeaweedFS() as s3, slow_proxy(s3.endpoint_url) as slow, tempfile.TemporaryDirectory() as folder:
        s3.create_bucket(BUCKET)
        keys = {"access_key": s3.access_key, "secret_key": s3.secret_key}
        storage = {"bucket_name": BUCKET, "endpoint_url": s3.endpoint_url, "region_name": s3.region, **keys}
        name = str(Path(folder) / "db.sqlite3")
        database = {"ENGINE": "django.db.backends.sqlite3", "NAME": name, "OPTIONS": {"timeout": 60}}
        given = {"engine": "db", "database": database, "lease": 120, "storage": {**storage, "conditional_writes": True}}
        os.environ |= {"ATHUMB_ENGINE": json.dumps(given), "DJANGO_SETTINGS_MODULE": "tests.engines.settings"}
        os.environ["PYTHONPATH"] = os.pathsep.join([str(environment.ROOT), str(environment.ROOT / "testproject")])
        sys.path.append(str(environment.ROOT / "testproject"))
        far = json.dumps({**given, "storage": {**given["storage"], "endpoint_url": slow}})
        _measure(options, {NEAR: os.environ["ATHUMB_ENGINE"], FAR: far})


def _measure(options: argparse.Namespace, env: dict[str, str]) -> None:
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    from athumb_storage.distributed import rows
    from tests.shop.models import Product

    rows.RANGE_ROWS = RANGE_ROWS  # type: ignore[misc]
    call_command("migrate", verbosity=0)
    with connection.schema_editor() as editor:
        editor.create_model(Product)
    _upload(options.photos)
    print("| workers | 12 MP next door, a second | small and 20 ms away, a second |\n|---|---|---|")
    for workers in WORKERS:
        rates = [max(_rate(kind, workers, env[kind]) for _ in range(options.runs)) for kind in (NEAR, FAR)]
        print(f"| {workers} | {rates[0]:.1f} | {rates[1]:.1f} |", flush=True)


def _upload(count: int) -> None:
    from tests.benchmarks import photos
    from tests.shop.models import Product

    folder = environment.FOLDER / "photos"
    storage: Any = Product._meta.get_field("image").storage.unbound
    for kind, path in ((NEAR, photos.drawn(folder, photos.SIZE_12MP)), (FAR, photos.small(folder))):
        names = [f"{kind}/{number}.jpg" for number in range(count)]
        for name in names:
            storage.client.put_object(Bucket=BUCKET, Key=name, Body=path.read_bytes(), ContentType="image/jpeg")
        Product.objects.bulk_create(Product(name=kind, image=name) for name in names)


def _rate(kind: str, workers: int, given: str) -> float:
    """Photos a second, from the first claim to the last row, by workers that were ready before."""
    command = [sys.executable, "-W", "ignore", "-m", "django", "db_worker", "--interval=0.1", "--no-startup-delay"]
    environ = {**os.environ, "ATHUMB_ENGINE": given}
    with tempfile.TemporaryFile("r+") as log:
        processes = [
            subprocess.Popen([*command, f"--worker-id={n}"], stdout=log, stderr=subprocess.DEVNULL, env=environ)
            for n in range(workers)
        ]
        try:
            while os.pread(log.fileno(), 10_000, 0).count(b"Starting worker") < workers:
                time.sleep(0.1)
            return _run(kind)
        finally:
            for process in processes:
                process.terminate()
                process.wait()


def _run(kind: str) -> float:
    from django.db.models import Max, Sum

    from athumb_storage.distributed import runs
    from tests.shop.models import Product

    photos = Product.objects.filter(name=kind)
    run = runs.start(photos, Product._meta.get_field("image"), workers=1 if kind == FAR else None)
    while run.state != "finished":
        time.sleep(0.2)
        run.refresh_from_db()
    counts = run.ranges.aggregate(done=Sum("generated"), last=Max("moved"))
    assert counts["done"] == photos.count()
    return counts["done"] / (counts["last"] - run.started).total_seconds()


if __name__ == "__main__":
    main()
