"""What every test has at hand: images, storages, and a real S3 server."""

from __future__ import annotations

import io
import uuid
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from PIL import Image
from seaweedfs import SeaweedFS

from athumb_storage.storages import FileSystemThumbnailStorage, InMemoryThumbnailStorage, S3ThumbnailStorage

PHOTOS = Path(__file__).resolve().parents[2] / "shared" / "photos"


def draw(size=(300, 200), mode="RGB", color="red", **options):
    """The bytes of an image of one colour; `options` are Pillow's `save` options, with a `format`."""
    options.setdefault("format", "JPEG")
    output = io.BytesIO()
    Image.new(mode, size, color).save(output, **options)
    return output.getvalue()


def upload(name="cat.jpg", data=None, **options):
    """What a form hands to a field: named content in memory."""
    return ContentFile(draw(**options) if data is None else data, name=name)


def image_in(storage, key):
    """The image that is stored at `key`, decoded."""
    with storage.open(key, "rb") as file:
        image = Image.open(io.BytesIO(file.read()))
        image.load()
        return image


@pytest.fixture(scope="session")
def s3_server():
    with SeaweedFS() as server:
        yield server


@pytest.fixture
def bucket(s3_server):
    """A bucket of its own, empty."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    s3_server.create_bucket(name)
    return name


@pytest.fixture
def s3_options(s3_server, bucket):
    return {
        "bucket_name": bucket,
        "endpoint_url": s3_server.endpoint_url,
        "access_key": s3_server.access_key,
        "secret_key": s3_server.secret_key,
        "region_name": s3_server.region,
        "conditional_writes": True,
    }


@pytest.fixture
def make_s3(s3_options):
    """Makes a storage on the test's bucket; its arguments go on top of the options for that."""

    def make(cls=S3ThumbnailStorage, **options):
        return cls(**{**s3_options, **options})

    return make


@pytest.fixture(params=["file", "memory", "s3"])
def make_storage(request, tmp_path):
    """Makes a storage of each kind, for tests of what all of them do."""
    if request.param == "s3":
        return request.getfixturevalue("make_s3")
    if request.param == "memory":
        return InMemoryThumbnailStorage
    return lambda **options: FileSystemThumbnailStorage(location=tmp_path, **options)


@pytest.fixture
def requests_sent(monkeypatch):
    """Every request that boto3 sends during the test: (method, path and query)."""
    sent = []

    def record(request, **_):
        sent.append((request.method, request.url.split("/", 3)[3]))

    from athumb_storage.storages import client

    make = client.shared_client

    def watched(storage):
        shared = make(storage)
        shared.meta.events.register("before-send.s3", record, unique_id="requests-sent")
        return shared

    monkeypatch.setattr("athumb_storage.storages.s3.shared_client", watched)
    return sent
