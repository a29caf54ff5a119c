"""Savers that are killed: no row is without its files, and what they leave behind can be found."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from django.core.files.base import ContentFile
from PIL import Image

from athumb_storage.storages import S3ThumbnailStorage
from tests.buckets import image_at, keys_in
from tests.conftest import draw

SAVES = 200
SAVERS = 50
"""How many processes save one row after the other, until each is killed."""
AT_ONCE = 2


@pytest.fixture
def bucket(new_bucket):
    """Nobody else's afterwards: the server may still carry out a request of the dead."""
    return new_bucket


@pytest.fixture
def rows(s3_options, tmp_path):
    """What is in the database that the killed savers leave: id -> name of the original."""
    database = tmp_path / "shop.sqlite3"
    work = json.dumps({"database": str(database), "options": s3_options})
    command = [sys.executable, "-W", "ignore", "-m", "tests.guarantees.test_killed", work]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    with contextlib.closing(sqlite3.connect(database)) as connection:
        return dict(connection.execute("select id, image from shop_product"))


def settled(storage: S3ThumbnailStorage) -> set[str]:
    """What is stored once the server has done with the requests of the dead."""
    before, now = None, keys_in(storage)
    while before != now:
        time.sleep(0.5)
        before, now = now, keys_in(storage)
    return now


KILLED_BEFORE_MOVING = """
import os, sys
import django
from django.conf import settings

settings.configure()
django.setup()

from athumb_storage.storages import FileSystemThumbnailStorage
from athumb_storage.contrib.testing import upload

storage = FileSystemThumbnailStorage(location=sys.argv[1], thumbs={"small": {"size": (30, 30)}})
storage.save("first.jpg", upload())
os.replace = os.rename = os.link = lambda *args, **options: os._exit(9)
storage.generate_thumbs("first.jpg") if sys.argv[2] == "again" else storage.save("second.jpg", upload())
"""


@pytest.mark.parametrize(("deed", "folder"), [("saved", "."), ("again", "first.jpg.thumbs")])
def test_what_is_half_written_on_the_file_system_is_found_by_its_ending(tmp_path, deed, folder):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", KILLED_BEFORE_MOVING, str(tmp_path), deed]
    assert subprocess.run(command, env=environment, check=False).returncode == 9
    (half_written,) = tmp_path.rglob("?" * 22 + ".new")
    assert half_written.parent == tmp_path / folder
    half_written.unlink()
    files = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    assert files == ["first.jpg", "first.jpg.thumbs/small.jpg"]
    for file in files:
        Image.open(tmp_path / file).load()


@pytest.mark.slow
def test_a_killed_save_leaves_no_row_without_its_files_and_nothing_that_cannot_be_found(make_s3, rows):
    from tests.shop.models import Product

    storage = make_s3(thumbs=dict(Product._meta.get_field("image").storage.thumbs))
    keys = settled(storage)
    complete = {key for name in rows.values() for key in (name, *thumb_keys(storage, name))}
    assert complete <= keys
    with ThreadPoolExecutor() as threads:  # to decode an image proves that it is whole
        list(threads.map(partial(image_at, storage), complete))
    orphans = {storage.naming.original(key) or key for key in keys} - set(rows.values())
    assert len(rows) > SAVES / 4
    assert len(orphans) > SAVERS / 10
    for name in orphans:
        storage.delete(name)
    assert keys_in(storage) == complete


def thumb_keys(storage: S3ThumbnailStorage, name: str) -> list[str]:
    return [storage.thumb_key(name, thumb) for thumb in storage.thumbs]


def main(database: str, options: dict[str, Any]) -> None:
    """What the process does whose children save, and which kills them."""
    import django
    from django.conf import settings

    settings.DATABASES["default"] |= {"NAME": database, "OPTIONS": {"timeout": 30}}
    backend = {"BACKEND": "athumb_storage.storages.S3ThumbnailStorage", "OPTIONS": options}
    settings.STORAGES = settings.STORAGES | {"default": backend}
    django.setup()
    from django.db import connection, connections

    from tests.shop.models import Product

    with connection.schema_editor() as editor:
        editor.create_model(Product)
    duration = min(_seconds_to_save(Product) for _ in range(4))  # the first one warms everything up
    connections.close_all()
    chance = random.Random(5)
    longest = 2 * AT_ONCE * duration * SAVES / SAVERS
    for _ in range(SAVERS // AT_ONCE):
        _kill_some(Product, [chance.uniform(0, longest) for _ in range(AT_ONCE)])


def _save_product(model: Any) -> None:
    model(image=ContentFile(draw(size=(400, 300)), name="cat.jpg")).save()


def _seconds_to_save(model: Any) -> float:
    start = time.perf_counter()
    _save_product(model)
    return time.perf_counter() - start


def _kill_some(model: Any, moments: list[float]) -> None:
    """Fork a saver for each of the moments, in seconds from when all begin, and kill it then."""
    ready, gate = os.pipe(), os.pipe()
    savers = [_forked(model, ready[1], gate) for _ in moments]
    os.close(gate[0])
    for _ in savers:
        os.read(ready[0], 1)
    os.close(gate[1])
    start = time.monotonic()
    for moment, saver in zip(sorted(moments), savers, strict=True):
        time.sleep(max(0.0, start + moment - time.monotonic()))
        os.kill(saver, signal.SIGKILL)
        assert os.waitstatus_to_exitcode(os.waitpid(saver, 0)[1]) == -signal.SIGKILL
    os.close(ready[0])
    os.close(ready[1])


def _forked(model: Any, ready: int, gate: tuple[int, int]) -> int:
    """The process id of a child that tells when it is ready, and saves from when the gate is closed until it dies."""
    saver = os.fork()
    if saver:
        return saver
    try:
        os.close(gate[1])
        assert model._meta.get_field("image").storage.client  # to make one takes longer than a save
        os.write(ready, b"!")
        os.read(gate[0], 1)
        while True:
            _save_product(model)
    finally:
        traceback.print_exc()
        os._exit(1)


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
