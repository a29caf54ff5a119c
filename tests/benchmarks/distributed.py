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


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.distributed", description=__doc__)
    parser.add_argument("--photos", type=int, default=96, help="how many photos a run has")
    parser.add_argument("--runs", type=int, default=3, help="how often each number of workers has its turn")
    options = parser.parse_args()
    environment.enter("tests.benchmarks.distributed")
    from testproject.seaweedfs import SeaweedFS

    with SeaweedFS() as s3, tempfile.TemporaryDirectory() as folder:
        s3.create_bucket(BUCKET)
        keys = {"access_key": s3.access_key, "secret_key": s3.secret_key}
        storage = {"bucket_name": BUCKET, "endpoint_url": s3.endpoint_url, "region_name": s3.region, **keys}
        name = str(Path(folder) / "db.sqlite3")
        database = {"ENGINE": "django.db.backends.sqlite3", "NAME": name, "OPTIONS": {"timeout": 60}}
        given = {"engine": "db", "database": database, "lease": 120, "storage": {**storage, "conditional_writes": True}}
        os.environ |= {"ATHUMB_ENGINE": json.dumps(given), "DJANGO_SETTINGS_MODULE": "tests.engines.settings"}
        os.environ["PYTHONPATH"] = os.pathsep.join([str(environment.ROOT), str(environment.ROOT / "testproject")])
        sys.path.append(str(environment.ROOT / "testproject"))
        _measure(options)


def _measure(options: argparse.Namespace) -> None:
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
    print("| workers | photos a second, each with `--workers 1` | photos a second |\n|---|---|---|")
    for workers in WORKERS:
        rates = [max(_rate(workers, threads) for _ in range(options.runs)) for threads in (1, None)]
        print(f"| {workers} | {rates[0]:.1f} | {rates[1]:.1f} |", flush=True)


def _upload(count: int) -> None:
    from tests.benchmarks import photos
    from tests.shop.models import Product

    photo = photos.drawn(environment.FOLDER / "photos", photos.SIZE_12MP).read_bytes()
    storage: Any = Product._meta.get_field("image").storage.unbound
    names = [f"products/{number}.jpg" for number in range(count)]
    for name in names:
        storage.client.put_object(Bucket=BUCKET, Key=name, Body=photo, ContentType="image/jpeg")
    Product.objects.bulk_create(Product(image=name) for name in names)


def _rate(workers: int, threads: int | None) -> float:
    """Photos a second, from the first claim to the last row, by workers that were there before."""
    command = [sys.executable, "-W", "ignore", "-m", "django", "db_worker", "--interval=0.1", "--no-startup-delay"]
    processes = [subprocess.Popen([*command, f"--worker-id={n}"], stderr=subprocess.DEVNULL) for n in range(workers)]
    try:
        time.sleep(3)
        return _run(threads)
    finally:
        for process in processes:
            process.terminate()
            process.wait()


def _run(threads: int | None) -> float:
    from django.db.models import Max, Sum

    from athumb_storage.distributed import runs
    from tests.shop.models import Product

    run = runs.start(Product.objects.all(), Product._meta.get_field("image"), workers=threads)
    while run.state != "finished":
        time.sleep(0.2)
        run.refresh_from_db()
    counts = run.ranges.aggregate(done=Sum("generated"), last=Max("moved"))
    assert counts["done"] == Product.objects.count()
    return counts["done"] / (counts["last"] - run.started).total_seconds()


if __name__ == "__main__":
    main()
