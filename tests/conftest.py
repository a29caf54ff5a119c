"""What every test has at hand: images, storages, and a real S3 server."""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Sequence
from pathlib import Path

import django
import pytest
import seaweedfs
from botocore.httpsession import URLLib3Session
from django.conf import UserSettingsHolder
from django.core.files.base import ContentFile
from PIL import Image
from seaweedfs import SeaweedFS

from athumb_storage.storages import FileSystemThumbnailStorage, InMemoryThumbnailStorage, S3ThumbnailStorage

if django.VERSION < (5, 1):
    # There, overriding STORAGES also sets DEFAULT_FILE_STORAGE, and then the storages' OPTIONS are passed over.
    _is_overridden = UserSettingsHolder.is_overridden

    def _is_overridden_by_itself(holder, setting):
        derived = setting in ("DEFAULT_FILE_STORAGE", "STATICFILES_STORAGE") and "STORAGES" in vars(holder)
        return not derived and _is_overridden(holder, setting)

    UserSettingsHolder.is_overridden = _is_overridden_by_itself

PHOTOS = Path(__file__).resolve().parents[2] / "shared" / "photos"


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes long, and is one of a family of which others always run")


def some_slow(values, always):
    """The values as parameters, of which all but those in `always` are slow."""
    return [value if value in always else pytest.param(value, marks=pytest.mark.slow) for value in values]


def draw(size=(300, 200), mode="RGB", color="red", **options):
    """The bytes of an image of one colour; `options` are Pillow's `save` options, with a `format`."""
    options.setdefault("format", "JPEG")
    output = io.BytesIO()
    Image.new(mode, size, color).save(output, **options)
    return output.getvalue()


def upload(name="cat.jpg", data=None, **options):
    """What a form hands to a field: named content in memory."""
    return ContentFile(draw(**options) if data is None else data, name=name)


def content_of(storage, name):
    """The bytes of a file."""
    with storage.open(name, "rb") as file:
        return file.read()


def image_in(storage, key):
    """The image that is stored at `key`, decoded."""
    with storage.open(key, "rb") as file:
        image = Image.open(io.BytesIO(file.read()))
        image.load()
        return image


def stored(storage, folder=""):
    """The names of all files in a storage."""
    folders, files = storage.listdir(folder)
    return sorted(
        [folder + file for file in files] + [name for sub in folders for name in stored(storage, f"{folder}{sub}/")]
    )


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
