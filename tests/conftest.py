"""What every test has at hand: images, storages, and a real S3 server."""

from __future__ import annotations

import contextlib
import functools
import json
import uuid
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import botocore.session
import django
import pytest
import seaweedfs
from botocore.exceptions import ClientError
from botocore.httpsession import URLLib3Session
from django.conf import UserSettingsHolder
from seaweedfs import SeaweedFS

from athumb_storage.contrib.testing import KEYS, THUMBS, content_of, draw, image_in, noise, stored, upload
from athumb_storage.storages import FileSystemThumbnailStorage, InMemoryThumbnailStorage, S3ThumbnailStorage

if django.VERSION < (5, 1):
    # There, overriding STORAGES also sets DEFAULT_FILE_STORAGE, and then the storages' OPTIONS are passed over.
    _is_overridden = UserSettingsHolder.is_overridden

    def _is_overridden_by_itself(holder, setting):
        derived = setting in ("DEFAULT_FILE_STORAGE", "STATICFILES_STORAGE") and "STORAGES" in vars(holder)
        return not derived and _is_overridden(holder, setting)

    UserSettingsHolder.is_overridden = _is_overridden_by_itself

# What the contract of storages works with, for all other tests as well.
__all__ = ["KEYS", "THUMBS", "content_of", "draw", "image_in", "noise", "stored", "upload"]

# Each session reads botocore's files on S3 anew, and a storage has a session: 150 ms of CPU, again and again.
botocore.session.create_loader = functools.cache(botocore.session.create_loader)

PHOTOS = Path(__file__).resolve().parents[2] / "shared" / "photos"


def some_slow(values, always):
    """The values as parameters, of which all but those in `always` are slow."""
    return [value if value in always else pytest.param(value, marks=pytest.mark.slow) for value in values]


WRITER = {"access_key": "writer-access-key", "secret_key": "writer-secret-key"}
"""Who may read, write and delete on the server, but not list."""


@pytest.fixture(scope="session")
def s3_server():
    new_folder = seaweedfs._new_folder

    def with_writer(*credentials):
        folder = new_folder(*credentials)
        file = folder / "identities.json"
        content = json.loads(file.read_text())
        keys = {"accessKey": WRITER["access_key"], "secretKey": WRITER["secret_key"]}
        content["identities"].append({"name": "writer", "credentials": [keys], "actions": ["Read", "Write"]})
        file.write_text(json.dumps(content))
        return folder

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(seaweedfs, "_new_folder", with_writer)
        server = SeaweedFS()
        server.start()
    with server:
        yield server


@pytest.fixture
def no_list_identity():
    """Options of a storage whose project may not list."""
    return dict(WRITER)


@pytest.fixture
def new_bucket(s3_server):
    """A bucket that nobody has had, for a test after which the server may still be busy with it."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    s3_server.create_bucket(name)
    return name


@pytest.fixture(scope="session")
def emptied_buckets(s3_server):
    """Buckets that tests have done with, and a client to empty them."""
    with contextlib.closing(s3_server.client()) as client:
        yield client, []


@pytest.fixture
def bucket(request, emptied_buckets):
    """A bucket of its own, empty. It is passed from test to test, because the first object of a new one takes long."""
    client, names = emptied_buckets
    name = names.pop() if names else request.getfixturevalue("new_bucket")
    yield name
    beside = [made for made in client.list_buckets()["Buckets"] if made["Name"].startswith(f"{name}-")]
    if not beside and not has_policy(client, name) and is_emptied(client, name):
        names.append(name)


def has_policy(client, bucket):
    """Whether a test has said who may do what in a bucket."""
    try:
        client.get_bucket_policy(Bucket=bucket)
    except ClientError as error:
        return error.response["Error"]["Code"] != "NoSuchBucketPolicy"
    return True


def is_emptied(client, bucket):
    """Remove what a bucket holds, with the folders that SeaweedFS keeps; whether really nothing is left."""
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    keys = {entry["Key"] for page in pages for entry in page.get("Contents", ())}
    folders = {f"{folder}/" for key in keys for folder in PurePosixPath(key).parents if folder.name}
    doomed = [{"Key": key} for key in [*keys, *sorted(folders, key=len, reverse=True)]]
    for start in range(0, len(doomed), 1000):
        client.delete_objects(Bucket=bucket, Delete={"Objects": doomed[start : start + 1000]})
    left = client.list_objects_v2(Bucket=bucket, Delimiter="/"), client.list_multipart_uploads(Bucket=bucket)
    return not any({"Contents", "CommonPrefixes", "Uploads"} & answer.keys() for answer in left)


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


@pytest.fixture(scope="session")
def moto_server():
    """Another S3 server, which shows what one alone hides; its address."""
    reason = "moto is in the extra `servers`, which .ci/run installs"
    server = pytest.importorskip("moto.server", reason=reason).ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def make_on_moto(moto_server):
    """Makes a storage on a bucket of moto's."""
    bucket = f"test-{uuid.uuid4().hex[:12]}"
    options = {"bucket_name": bucket, "endpoint_url": moto_server, "access_key": "key", "secret_key": "secret"}

    def make(**more):
        return S3ThumbnailStorage(**{**options, "region_name": "us-east-1", "conditional_writes": True, **more})

    make().client.create_bucket(Bucket=bucket)
    return make


@pytest.fixture
def make_on_disk(tmp_path):
    """Makes a storage on the test's folder."""
    return functools.partial(FileSystemThumbnailStorage, location=tmp_path)


@pytest.fixture
def make_in_memory():
    """Makes a storage on the test's memory: where one has files, the next finds them."""
    root = InMemoryThumbnailStorage()._root

    def make(**options):
        storage = InMemoryThumbnailStorage(**options)
        storage._root = root
        return storage

    return make


@pytest.fixture(params=["file", "memory", "s3"])
def make_storage(request):
    """Makes a storage of each kind, for tests of what all of them do."""
    makers = {"file": "make_on_disk", "memory": "make_in_memory", "s3": "make_s3"}
    return request.getfixturevalue(makers[request.param])


@pytest.fixture
def exchanges(monkeypatch):
    """Every request that is sent to S3 during the test by whatever client, as botocore prepared it."""
    sent = []
    send = URLLib3Session.send

    def watched(session, request):
        sent.append(request)
        return send(session, request)

    monkeypatch.setattr(URLLib3Session, "send", watched)
    return sent


class _Requests(Sequence):
    """The same, as (method, path and query)."""

    def __init__(self, exchanges):
        self._exchanges = exchanges

    def __getitem__(self, index):
        return self._all()[index]

    def __len__(self):
        return len(self._exchanges)

    def __eq__(self, other):
        return self._all() == other

    def __repr__(self):
        return repr(self._all())

    def _all(self):
        return [(request.method, request.url.split("/", 3)[3]) for request in self._exchanges]

    def clear(self):
        self._exchanges.clear()


@pytest.fixture
def requests_sent(exchanges):
    """Every request that is sent to S3 during the test: (method, path and query)."""
    return _Requests(exchanges)
