"""A server that hangs, or a large file, holds up no save to another place."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.config import Config
from django.core.files.base import ContentFile

from athumb_storage import UploadFailed
from athumb_storage.storages.s3.client import POOL_SIZE
from tests.conftest import stored, upload
from tests.proxy import TIMEOUT, Proxy

ONE = {"small": {"size": (30, 30)}}
PATIENCE = 60


@pytest.fixture
def slow_server(s3_server, bucket):
    """The same server behind a proxy, which may fall silent."""
    with Proxy(s3_server.endpoint_url) as proxy:
        yield proxy


@pytest.fixture
def on_slow_server(make_s3, slow_server):
    config = Config(retries={"total_max_attempts": 1}, read_timeout=PATIENCE)
    return make_s3(thumbs=ONE, endpoint_url=slow_server.url, client_config=config)


def wait_for(condition):
    deadline = time.monotonic() + PATIENCE / 2
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_server_that_hangs_stops_no_save_to_another(make_s3, on_slow_server, slow_server, bucket):
    script = slow_server.script(bucket, TIMEOUT)
    with ThreadPoolExecutor(POOL_SIZE) as workers:
        hanging = [workers.submit(on_slow_server.save, f"{n}.jpg", upload()) for n in range(POOL_SIZE)]
        wait_for(lambda: len(script.broken) == POOL_SIZE)
        healthy = make_s3(thumbs=ONE)
        assert healthy.save("cat.jpg", upload()) == "cat.jpg"
        assert not any(save.done() for save in hanging)
        slow_server.__exit__()
        for save in hanging:
            assert isinstance(save.exception(), UploadFailed)
    assert len(stored(healthy)) == 2


def test_a_large_file_goes_up_beside_an_image_and_not_before_it(on_slow_server, slow_server, bucket):
    part = 5 << 20
    on_slow_server.transfer_config.multipart_threshold = part
    script = slow_server.scripted(bucket, lambda request: TIMEOUT if "partNumber" in request.path else None)
    with ThreadPoolExecutor(4) as workers:
        large = [workers.submit(on_slow_server.save, f"{n}.bin", ContentFile(bytes(part + 1))) for n in range(4)]
        wait_for(lambda: len(script.broken) >= 4)
        assert on_slow_server.save("cat.jpg", upload()) == "cat.jpg"
        assert not any(save.done() for save in large)
        slow_server.__exit__()
        for save in large:
            assert isinstance(save.exception(), UploadFailed)
