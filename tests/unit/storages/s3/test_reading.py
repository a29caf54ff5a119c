"""Thumbs generated again: no more of an object is read than it takes to see that it is refused, or no image."""

from __future__ import annotations

import gzip
import tracemalloc

import pytest
from botocore.response import StreamingBody

from athumb_storage import AthumbError, ImageLimitExceeded, UploadedImageIsUnreadableError
from athumb_storage.formats import HEAD_SIZE
from athumb_storage.regeneration import Outcome, regenerate
from tests.conftest import draw, image_in, stored
from tests.shop.models import Product

MIB = 1 << 20
ONE = {"small": {"size": (30, 30)}}


@pytest.fixture
def temporary(settings, tmp_path):
    """Where large uploads are kept for a while, and which is looked at to see that none was."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    settings.FILE_UPLOAD_TEMP_DIR = str(folder)
    return folder


@pytest.fixture
def written(monkeypatch):
    """How many temporary files were begun."""
    from athumb_storage.storages import source

    begun, make = [], source.tempfile.NamedTemporaryFile

    def counting(**options):
        begun.append(options)
        return make(**options)

    monkeypatch.setattr(source.tempfile, "NamedTemporaryFile", counting)
    return begun


@pytest.fixture
def bytes_read(monkeypatch):
    """The length of each piece that was read of an answer's body."""
    lengths, read = [], StreamingBody.read

    def counting(body, amount=None):
        data = read(body, amount)
        lengths.append(len(data))
        return data

    monkeypatch.setattr(StreamingBody, "read", counting)
    return lengths


def put(storage, name, data, **parameters):
    storage.client.put_object(Bucket=storage.bucket_name, Key=name, Body=data, **parameters)


def test_an_object_that_unpacks_to_a_gibibyte(make_s3, temporary, bytes_read):
    storage = make_s3(thumbs=ONE, gzip=True)
    zeros = gzip.compress(bytes(4 * MIB), 1)
    bomb = gzip.compress(draw() + bytes(4 * MIB), 1) + 255 * zeros  # members one after the other are one file
    put(storage, "cat.jpg", bomb, ContentEncoding="gzip")
    tracemalloc.start()
    try:
        with pytest.raises(ImageLimitExceeded, match=r"cat\.jpg.*max_bytes"):
            storage.generate_thumbs("cat.jpg")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20 * MIB
    assert sum(bytes_read) < len(bomb) / 8
    assert list(temporary.iterdir()) == []
    assert stored(storage) == ["cat.jpg"]


@pytest.mark.parametrize("gzip", [False, True])
def test_an_object_over_the_limit_is_not_read(make_s3, temporary, written, bytes_read, gzip):
    storage = make_s3(thumbs=ONE, max_bytes=8 * MIB, gzip=gzip)
    put(storage, "cat.jpg", draw() + bytes(8 * MIB))
    with pytest.raises(ImageLimitExceeded, match=r"cat\.jpg.*max_bytes"):
        storage.generate_thumbs("cat.jpg")
    assert sum(bytes_read) <= HEAD_SIZE
    assert written == []
    assert list(temporary.iterdir()) == []


def test_a_large_file_is_seen_to_be_no_image_by_its_first_bytes(make_s3, temporary, written, bytes_read):
    storage = make_s3(thumbs=ONE)
    put(storage, "film.bin", b"no image" + bytes(30 * MIB))
    assert storage.generate_thumbs("film.bin") == {}
    assert sum(bytes_read) <= HEAD_SIZE
    with pytest.raises(UploadedImageIsUnreadableError, match=r"film\.bin"):
        storage.with_thumbs({}, images_only=True).generate_thumbs("film.bin")
    assert sum(bytes_read) <= 2 * HEAD_SIZE
    assert written == []


@pytest.fixture
def on_s3(settings, s3_options):
    """The default storage, on the test's bucket."""
    settings.AWS_STORAGE_BUCKET_NAME = s3_options["bucket_name"]
    settings.AWS_S3_ENDPOINT_URL = s3_options["endpoint_url"]
    settings.AWS_S3_ACCESS_KEY_ID = s3_options["access_key"]
    settings.AWS_S3_SECRET_ACCESS_KEY = s3_options["secret_key"]
    settings.AWS_S3_REGION_NAME = s3_options["region_name"]
    settings.AWS_IS_GZIPPED = True
    backend = {"BACKEND": "athumb_storage.storages.S3ThumbnailStorage"}
    settings.STORAGES = {**settings.STORAGES, "default": backend}
    return Product._meta.get_field("image")


@pytest.mark.django_db
@pytest.mark.parametrize("damage", ["cut off", "changed", "no gzip at all"])
def test_what_cannot_be_unpacked_does_not_stop_a_run(on_s3, damage):
    storage = on_s3.storage
    packed = gzip.compress(draw((300, 200)))
    spoilt = {
        "cut off": packed[: len(packed) // 2],
        "changed": packed[:100] + bytes([packed[100] ^ 255]) * 50 + packed[150:],
        "no gzip at all": draw((300, 200)),
    }[damage]
    put(storage, "a-bad.jpg", spoilt, ContentEncoding="gzip")
    put(storage, "b-good.jpg", packed, ContentEncoding="gzip")
    for name in ("a-bad.jpg", "b-good.jpg"):
        Product.objects.create(image=name)
    with pytest.raises((AthumbError, *storage.storage_errors), match=r"a-bad\.jpg") as caught:
        storage.generate_thumbs("a-bad.jpg")
    assert isinstance(caught.value, AthumbError)
    bad, good = regenerate(Product.objects.all(), on_s3)
    assert (bad.name, bad.outcome) == ("a-bad.jpg", Outcome.FAILED)
    assert "a-bad.jpg" in bad.reason
    assert (good.name, good.outcome) == ("b-good.jpg", Outcome.GENERATED)
    assert image_in(storage, storage.thumb_key("b-good.jpg", "60x60")).size == (60, 40)
