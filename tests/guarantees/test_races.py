"""Many uploads of one name at once, and savers that are killed: nobody's image is lost or half there."""

from __future__ import annotations

import contextlib
import io
import json
import multiprocessing
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
import traceback
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from django.core.files.base import ContentFile
from PIL import Image

from athumb_storage.storages import S3ThumbnailStorage
from tests.conftest import draw, upload

# Uploads at the same moment

PROCESSES = 4
THREADS = 8
NAME = "photos/cat.png"
THUMBS = {
    "small": {"size": (30, 30)},
    "square": {"size": (20, 20), "crop": True},
    "page": {"size": (60, 40)},
}
SIZES = {"small": (30, 20), "square": (20, 20), "page": (60, 40)}

Colour = tuple[int, int, int]

_start: Any = None


def colour(number: int) -> Colour:
    """One of 200 colours, no two alike. In a PNG they come back exactly."""
    return number, 255 - number, number * 7 % 256


def _wait_at(barrier: Any) -> None:
    global _start
    _start = barrier


def upload_some(options: dict[str, Any], max_length: int | None, numbers: list[int]) -> dict[int, str]:
    """What one process does: upload an image of each colour by several threads; the names they got."""
    storage = S3ThumbnailStorage(**options, thumbs=THUMBS)

    def save(number: int) -> str:
        image = upload(size=(90, 60), color=colour(number), format="PNG")
        return storage.save(NAME, image, max_length=max_length)

    with ThreadPoolExecutor(THREADS) as threads:
        _start.wait(60)
        return dict(zip(numbers, threads.map(save, numbers), strict=True))


@pytest.fixture(scope="module")
def processes():
    """The processes that upload, each of which waits for all others before it begins."""
    context = multiprocessing.get_context("spawn")  # to fork a process with threads, as pytest's may be, is not safe
    barrier = context.Barrier(PROCESSES)
    with ProcessPoolExecutor(PROCESSES, context, initializer=_wait_at, initargs=(barrier,)) as pool:
        yield pool


def colours_stored(storage: S3ThumbnailStorage, name: str) -> set[Colour]:
    """The colours of an original and its thumbs, each of which has its size."""
    images = {thumb: image_at(storage, storage.thumb_key(name, thumb)) for thumb in THUMBS}
    assert {thumb: image.size for thumb, image in images.items()} == SIZES
    everything = [image_at(storage, name), *images.values()]
    return {value for image in everything for _, value in image.convert("RGB").getcolors()}


def keys_in(storage: S3ThumbnailStorage) -> set[str]:
    """All keys of the bucket."""
    pages = storage.client.get_paginator("list_objects_v2").paginate(Bucket=storage.bucket_name)
    return {entry["Key"] for page in pages for entry in page.get("Contents", ())}


def image_at(storage: S3ThumbnailStorage, key: str) -> Image.Image:
    """The decoded image; one request."""
    image = Image.open(io.BytesIO(storage.client.get_object(Bucket=storage.bucket_name, Key=key)["Body"].read()))
    image.load()
    return image


@pytest.mark.parametrize(
    ("claim", "count", "max_length"),
    [
        ({"conditional_writes": True}, 40, 20),
        pytest.param({"conditional_writes": True}, 200, 20, marks=pytest.mark.slow),
        pytest.param({"unique_names": True}, 40, None, marks=pytest.mark.slow),
    ],
    ids=["conditional", "conditional-200", "random"],
)
def test_uploads_of_one_name_at_once_are_all_there(make_s3, s3_options, processes, claim, count, max_length):
    shares = [list(range(first, count, PROCESSES)) for first in range(PROCESSES)]
    upload_share = partial(upload_some, {**s3_options, **claim}, max_length)
    names = {number: name for part in processes.map(upload_share, shares, timeout=120) for number, name in part.items()}
    assert len(set(names.values())) == len(names) == count
    assert all(len(name) <= (max_length or 100) for name in names.values())
    storage = make_s3(thumbs=THUMBS)
    keys = {name: [name, *(storage.thumb_key(name, thumb) for thumb in THUMBS)] for name in names.values()}
    assert keys_in(storage) == {key for keys_of_one in keys.values() for key in keys_of_one}
    with ThreadPoolExecutor(THREADS) as threads:
        found = threads.map(partial(colours_stored, storage), names.values())
        assert dict(zip(names, found, strict=True)) == {number: {colour(number)} for number in names}


# Savers that are killed

SAVES = 200
SAVERS = 50
"""How many processes save one row after the other, until each is killed."""
AT_ONCE = 2


@pytest.fixture
def rows(s3_options, tmp_path):
    """What is in the database that the killed savers leave: id -> name of the original."""
    database = tmp_path / "shop.sqlite3"
    work = json.dumps({"database": str(database), "options": s3_options})
    command = [sys.executable, "-W", "ignore", "-m", "tests.guarantees.test_races", work]
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


@pytest.mark.slow
def test_a_killed_save_leaves_no_row_without_its_files_and_nothing_that_cannot_be_found(make_s3, rows):
    from tests.shop.models import Product

    storage = make_s3(thumbs=dict(Product._meta.get_field("image").storage.thumbs))
    keys = settled(storage)
    complete = {key for name in rows.values() for key in (name, *thumb_keys(storage, name))}
    assert complete <= keys
    with ThreadPoolExecutor(THREADS) as threads:  # to decode an image proves that it is whole
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
