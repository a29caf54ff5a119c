"""The S3 server goes away for a while, in the midst of many saves, and comes back."""

from __future__ import annotations

import io
import itertools
import threading
import time
from dataclasses import dataclass, field

import pytest
from botocore.config import Config
from PIL import Image
from seaweedfs import SeaweedFS

from athumb_storage import UploadFailed
from athumb_storage.storages import S3ThumbnailStorage
from tests.conftest import upload

THREADS = 6
AWAY = 5
"""Seconds for which the server is away, and then it still has to start."""
LONGEST = 30
"""Seconds that no save may take, whatever happens."""
BUCKET = "outage"
THUMBS = {"small": {"size": (30, 30)}, "square": {"size": (20, 20), "crop": True}}


@dataclass(frozen=True)
class Saved:
    """One save: when it began and ended, in seconds, the image's colour, and the name it got or why it got none."""

    began: float
    ended: float
    colour: tuple[int, int, int]
    name: str = ""
    error: Exception | None = None


@dataclass
class Load:
    """Threads that save one image after the other, all to the same name, through one storage."""

    storage: S3ThumbnailStorage
    saved: list[Saved] = field(default_factory=list)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)
    _over: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Load:
        self._threads = [threading.Thread(target=self._work) for _ in range(THREADS)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(LONGEST)
        assert not any(thread.is_alive() for thread in self._threads), "a save hangs"

    def wait_for(self, count: int) -> None:
        """Wait until so many more saves that begin from now on have succeeded."""
        now = time.monotonic()
        while sum(not one.error and one.began > now for one in list(self.saved)) < count:
            assert time.monotonic() < now + LONGEST, "nothing can be saved"
            time.sleep(0.05)

    def _work(self) -> None:
        while not self._over.is_set():
            self.saved.append(self._save(next(self._numbers)))
            if self.saved[-1].error:
                self._over.wait(0.1)

    def _save(self, number: int) -> Saved:
        # A colour of its own, so that nobody's thumbs are taken for somebody else's.
        colour = number % 256, number // 256 % 256, 100
        image = upload(size=(90, 60), color=colour, format="PNG")
        began = time.monotonic()
        try:
            name = self.storage.save("photos/cat.png", image)
        except Exception as error:  # noqa: BLE001, the test looks at it
            return Saved(began, time.monotonic(), colour, error=error)
        return Saved(began, time.monotonic(), colour, name)


@pytest.fixture
def server():
    """A server of its own, because others need theirs all the time."""
    with SeaweedFS() as running:
        running.create_bucket(BUCKET)
        yield running


@pytest.fixture
def storage(server):
    return S3ThumbnailStorage(
        bucket_name=BUCKET,
        endpoint_url=server.endpoint_url,
        access_key=server.access_key,
        secret_key=server.secret_key,
        region_name=server.region,
        conditional_writes=True,
        thumbs=THUMBS,
        client_config=Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 2}),
    )


def keys_in(storage: S3ThumbnailStorage) -> set[str]:
    pages = storage.client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    return {entry["Key"] for page in pages for entry in page.get("Contents", ())}


def keys_of(storage: S3ThumbnailStorage, name: str) -> list[str]:
    return [name, *(storage.thumb_key(name, thumb) for thumb in THUMBS)]


def colours_at(storage: S3ThumbnailStorage, key: str) -> set[object]:
    """The colours of an image, each pixel of which is decoded."""
    body = storage.client.get_object(Bucket=BUCKET, Key=key)["Body"]
    return {colour for _, colour in Image.open(io.BytesIO(body.read())).convert("RGB").getcolors()}


@pytest.mark.slow
def test_saves_fail_cleanly_while_the_server_is_away_and_succeed_once_it_is_back(server, storage, caplog):
    with Load(storage) as load:
        load.wait_for(20)
        stopped = time.monotonic()
        server.stop()
        time.sleep(AWAY)
        server.start()
        started = time.monotonic()
        load.wait_for(20)
        recovered = time.monotonic()
        load.wait_for(20)

    succeeded = [one for one in load.saved if not one.error]
    failed = [one for one in load.saved if one.error]
    assert max(one.ended - one.began for one in load.saved) < LONGEST
    assert all(one.ended > stopped and one.began < recovered for one in failed)
    assert sum(stopped < one.began < started for one in failed) >= THREADS
    assert all(isinstance(one.error, UploadFailed) for one in failed), {repr(one.error) for one in failed}
    assert len({one.name for one in succeeded}) == len(succeeded)

    complete = {key: one.colour for one in succeeded for key in keys_of(storage, one.name)}
    assert {key: colours_at(storage, key) for key in complete} == {key: {complete[key]} for key in complete}
    left_behind = {key for one in failed for key in one.error.left_behind}
    assert keys_in(storage) - set(complete) <= left_behind
    errors = " ".join(record.getMessage() for record in caplog.records if record.levelname == "ERROR")
    assert all(key in errors for key in left_behind)
