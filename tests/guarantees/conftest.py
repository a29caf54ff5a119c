"""Lanes: buckets with a few files in them, before a proxy that breaks requests."""

from __future__ import annotations

import uuid
from types import SimpleNamespace
from typing import Any

import botocore.endpoint
import pytest
from botocore.config import Config

from athumb_storage.storages import S3ThumbnailStorage
from tests.lanes import (
    LANES,
    THUMBS,
    Lane,
)
from tests.proxy import (
    Proxy,
)


@pytest.fixture(scope="module")
def proxy(s3_server):
    with Proxy(s3_server.endpoint_url) as running:
        yield running


@pytest.fixture(scope="module")
def filled_lanes(s3_server, proxy):
    """Buckets for the whole module: the first object of a bucket takes a server long."""
    lanes = []
    for number in range(LANES):
        bucket = f"lane-{number}-{uuid.uuid4().hex[:12]}"
        s3_server.create_bucket(bucket)
        direct = S3ThumbnailStorage(**_options(s3_server, bucket), endpoint_url=s3_server.endpoint_url)
        lanes.append(Lane(proxy, bucket, direct))
        lanes[-1].fill()
    return lanes


@pytest.fixture
def lanes(filled_lanes):
    for lane in filled_lanes:
        lane.restore()
    return filled_lanes


@pytest.fixture
def lane(filled_lanes):
    filled_lanes[0].restore()
    return filled_lanes[0]


@pytest.fixture(scope="module")
def broken_storage(s3_server, proxy):
    """Makes a storage whose requests go through the proxy."""
    made: dict[str, S3ThumbnailStorage] = {}

    def make(lane: Lane, retries: dict[str, Any], *, patience: float = 20, **options: Any) -> S3ThumbnailStorage:
        key = repr((lane.bucket, retries, patience, options))
        if key not in made:
            config = Config(retries=retries, connect_timeout=patience, read_timeout=patience)
            options = {"thumbs": THUMBS, **options, **_options(s3_server, lane.bucket, **options)}
            made[key] = S3ThumbnailStorage(endpoint_url=proxy.url, client_config=config, **options)
        return made[key]

    return make


def _options(server, bucket, **options):
    keys = {"access_key": server.access_key, "secret_key": server.secret_key, "region_name": server.region}
    return {"bucket_name": bucket, **keys, **options}


@pytest.fixture
def no_waiting_between_attempts(monkeypatch):
    monkeypatch.setattr(botocore.endpoint, "time", SimpleNamespace(sleep=lambda seconds: None))
