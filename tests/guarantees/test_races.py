"""Many uploads of one name at once: nobody's image is lost or half there."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from athumb_storage.storages import S3ThumbnailStorage
from tests.buckets import image_at, keys_in
from tests.conftest import upload

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
