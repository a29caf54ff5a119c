"""Regeneration that is stopped, whatever stops it: what was done is not done again, and nothing is left out."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from athumb_storage.regeneration import _AHEAD
from tests.conftest import noise

ROWS = 90
WORKERS = 3

SITE = """
import signal
import sys
import django
from django.conf import settings

signal.signal(signal.SIGINT, signal.default_int_handler)  # which is ignored where tests run in the background
database, media, *arguments = sys.argv[1:]
settings.DATABASES["default"]["NAME"] = database
settings.MEDIA_ROOT = media
settings.STORAGES = {
    **settings.STORAGES, "default": {"BACKEND": "athumb_storage.storages.FileSystemThumbnailStorage"}
}
django.setup()
from django.core.management import execute_from_command_line
from django.db import connection
from tests.shop.models import Product

if not connection.introspection.table_names():
    with connection.schema_editor() as editor:
        editor.create_model(Product)
execute_from_command_line(["manage.py", *arguments])
"""


class Site:
    """A site of its own, whose commands are processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.media = folder / "media"
        self.report = folder / "report.jsonl"
        self.checkpoint = folder / "checkpoint.json"
        environment = {"PYTHONPATH": os.pathsep.join(sys.path), "DJANGO_SETTINGS_MODULE": "tests.settings"}
        self._environment = {**os.environ, **environment}

    def command(self, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-W", "ignore", "-c", SITE, str(self.folder / "db.sqlite3"), str(self.media)]
        return subprocess.Popen(
            [*command, *arguments], env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def regenerate(self) -> subprocess.Popen[str]:
        files = f"--report={self.report}", f"--checkpoint={self.checkpoint}"
        return self.command("athumb_regen_field", "shop.Product", "image", f"--workers={WORKERS}", *files)

    def fill(self, rows: int = ROWS) -> None:
        """Rows whose originals alone are stored."""
        with self.command("check") as process:
            assert process.wait() == 0
        data = noise((1000, 800))  # so that each takes a while
        (self.media / "products").mkdir(parents=True)
        names = [f"products/{number}.jpg" for number in range(rows)]
        for name in names:
            (self.media / name).write_bytes(data)
        with contextlib.closing(sqlite3.connect(self.folder / "db.sqlite3")) as connection, connection:
            connection.executemany("insert into shop_product (name, image) values ('', ?)", [(name,) for name in names])

    def done(self) -> list[int]:
        """The primary keys in the report."""
        if not self.report.exists():
            return []
        return [json.loads(line)["pk"] for line in self.report.read_text().splitlines()]


@pytest.fixture
def site(tmp_path):
    site = Site(tmp_path)
    site.fill()
    return site


@pytest.mark.skipif(os.name != "posix", reason="there are no named pipes")
def test_who_interrupts_twice_does_not_wait_for_what_does_not_answer(tmp_path):
    site = Site(tmp_path)
    site.fill(2 * WORKERS)
    originals = sorted(site.media.glob("products/*.jpg"))
    for original in originals[WORKERS:]:
        original.unlink()
        os.mkfifo(original)  # to open it takes for ever
    process = site.regenerate()
    while not site.checkpoint.exists() or f'"GENERATED": {WORKERS}' not in site.checkpoint.read_text():
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    told = process.stderr.readline()
    assert re.fullmatch(rf"Waiting for [1-{WORKERS}] originals? under way; Ctrl-C leaves them\.\n", told)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == -signal.SIGINT
    assert errors == f"Stopped after {WORKERS} rows.\n"
    for original in originals[WORKERS:]:
        original.unlink()
        original.write_bytes(originals[0].read_bytes())
    with site.regenerate() as again:
        assert f"{2 * WORKERS} rows: {2 * WORKERS} generated" in again.communicate(timeout=60)[0]
    assert site.done() == [*range(1, 2 * WORKERS + 1)]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM], ids=lambda how: how.name)
def test_it_goes_on_where_it_was_stopped(site, how):
    stops, last = 0, 0
    while True:
        process = site.regenerate()
        while process.poll() is None and len(site.done()) < last + 15:
            time.sleep(0.005)
        last = len(site.done())
        if process.poll() is None and last < ROWS - 10:
            process.send_signal(how)
            stops += 1
        output, errors = process.communicate(timeout=60)
        if process.returncode == 0:
            break
        assert process.returncode == -how, errors
        assert how is not signal.SIGINT or "Stopped after" in errors
    assert stops >= 2
    assert f"{ROWS} rows: {ROWS} generated" in output
    times = Counter(site.done())
    assert len(times) == ROWS
    again = times.total() - ROWS  # the checkpoint comes after the line in the report
    assert again <= stops
    # What is killed while it writes beside a thumb's place leaves that there.
    thumbs = [path for path in site.media.glob("products/*.thumbs/*") if path.suffix != ".new"]
    assert len(thumbs) == 3 * ROWS
    for thumb in thumbs:
        Image.open(thumb).load()


def test_no_more_is_done_again_than_was_under_way(site):
    process = site.regenerate()
    while len(site.done()) < 20:
        time.sleep(0.005)
    process.kill()
    process.communicate()
    made = {path.parent: path.stat().st_mtime_ns for path in site.media.glob("products/*.thumbs/large.webp")}
    with site.regenerate() as again:
        again.communicate()
    changed = [folder for folder, when in made.items() if (folder / "large.webp").stat().st_mtime_ns != when]
    assert len(made) < ROWS
    assert len(changed) <= _AHEAD * WORKERS
