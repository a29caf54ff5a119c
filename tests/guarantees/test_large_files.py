"""Files above the multipart threshold: claimed, complete and without left-over parts, as small ones are."""

from __future__ import annotations

import os
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs

import botocore.endpoint
import pytest
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from django.core.files.base import ContentFile, File
from django.core.files.uploadedfile import TemporaryUploadedFile

from athumb_storage import UploadFailed
from athumb_storage.storages import S3ThumbnailStorage
from tests.conftest import content_of, image_in, stored, upload
from tests.proxy import (
    ERROR,
    ERROR_AFTER,
    ERROR_IN_200,
    FORBIDDEN,
    RESET_AFTER,
    TRUNCATED_BODY,
    Fault,
    only,
    since,
)

MIB = 1024**2
PART = 5 * MIB
"""The least that a part may have, but for the last one."""
IN_PARTS = TransferConfig(multipart_threshold=PART, multipart_chunksize=PART)
BIG = os.urandom(2 * PART + 3 * MIB)
PARTS = 3

pytestmark = pytest.mark.slow
LESS = BIG[: PART + 1000]
"""Two parts will do where a save is repeated for each of its requests."""
THUMBS = {"small": {"size": (30, 30)}}
CLAIMS = {
    "conditional": {"conditional_writes": True},
    "random": {"unique_names": True},
    "asking": {"conditional_writes": False},
    "replacing": {"file_overwrite": True},
}


@pytest.fixture
def bucket(new_bucket):
    """Nobody else's afterwards: the server may still carry out a request that was broken."""
    return new_bucket


@pytest.fixture
def make_big(make_s3):
    """Makes a storage that sends what is above 5 MiB in parts."""
    return lambda **options: make_s3(thumbs=THUMBS, transfer_config=IN_PARTS, **options)


def parts_left(storage: S3ThumbnailStorage) -> int:
    """How many parts lie about that belong to no object."""
    place = {"Bucket": storage.bucket_name}
    uploads = storage.client.list_multipart_uploads(**place).get("Uploads", ())
    parts = [storage.client.list_parts(**place, Key=each["Key"], UploadId=each["UploadId"]) for each in uploads]
    return sum(len(answer.get("Parts", ())) for answer in parts)


def assert_no_upload_is_open(storage: S3ThumbnailStorage) -> None:
    assert not storage.client.list_multipart_uploads(Bucket=storage.bucket_name).get("Uploads")


def operations(requests: Any) -> dict[str, int]:
    """How often each kind of request was sent."""
    counts: dict[str, int] = {}
    for method, path in requests:
        kind = " ".join([method, *sorted(parse_qs(path.partition("?")[2], keep_blank_values=True))])
        counts[kind] = counts.get(kind, 0) + 1
    return counts


UPLOAD_PART = "PUT partNumber uploadId"
COMPLETE = "POST uploadId"


def in_memory() -> File:
    return ContentFile(BIG)


def on_disk() -> File:
    file = TemporaryUploadedFile("big.bin", "application/octet-stream", len(BIG), None)
    file.write(BIG)
    return file


def as_stream() -> File:
    """It is read once, and cannot go back."""
    reading, writing = os.pipe()

    def write() -> None:
        with os.fdopen(writing, "wb") as sink:
            sink.write(BIG)

    threading.Thread(target=write, daemon=True).start()
    return File(os.fdopen(reading, "rb"))


@pytest.mark.parametrize("content", [in_memory, on_disk, as_stream])
def test_a_large_file_comes_back_byte_for_byte(make_big, requests_sent, content):
    storage = make_big()
    with content() as file:
        assert storage.save("films/big.bin", file) == "films/big.bin"
    sent = operations(requests_sent)
    assert sent[UPLOAD_PART] == PARTS
    assert sent[COMPLETE] == 1
    assert sent["HEAD"] == 1  # to see that what is stored is what was sent
    assert not any(kind.startswith("GET") for kind in sent)
    assert content_of(storage, "films/big.bin") == BIG
    assert stored(storage) == ["films/big.bin"]
    assert_no_upload_is_open(storage)


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_large_file_is_stored_however_its_name_is_settled(make_big, claim):
    storage = make_big(**CLAIMS[claim])
    name = storage.save("big.bin", ContentFile(BIG))
    assert content_of(storage, name) == BIG
    assert stored(storage) == [name]
    assert_no_upload_is_open(storage)


def test_a_large_file_has_the_headers_of_a_small_one(make_big):
    storage = make_big(object_parameters={"CacheControl": "max-age=60", "Metadata": {"by": "me"}})
    storage.save("big.bin", ContentFile(BIG))
    storage.save("small.bin", ContentFile(BIG[:100]))
    big, small = (storage.client.head_object(Bucket=storage.bucket_name, Key=key) for key in ("big.bin", "small.bin"))
    for header in ("ContentType", "CacheControl", "ContentDisposition"):
        assert big.get(header) == small.get(header)
    assert big["Metadata"]["by"] == "me"
    assert big["Metadata"].keys() == small["Metadata"].keys()


@pytest.mark.parametrize("first", [b"small", BIG[::-1]], ids=["small", "large"])
def test_a_taken_name_is_told_from_before_any_part_goes_up(make_big, requests_sent, first):
    storage = make_big()
    storage.save("films/big.bin", ContentFile(first))
    before = storage.client.head_object(Bucket=storage.bucket_name, Key="films/big.bin")["LastModified"]
    requests_sent.clear()
    second = storage.save("films/big.bin", ContentFile(BIG), max_length=19)
    sent = operations(requests_sent)
    assert re.fullmatch(r"films/b_\w{7}\.bin", second)
    assert sent[UPLOAD_PART] == PARTS
    assert sent["HEAD"] == 1
    assert content_of(storage, "films/big.bin") == first
    assert content_of(storage, second) == BIG
    assert storage.client.head_object(Bucket=storage.bucket_name, Key="films/big.bin")["LastModified"] == before
    assert stored(storage) == sorted(["films/big.bin", second])
    assert_no_upload_is_open(storage)


def test_large_and_small_files_and_an_image_of_one_name_at_once_are_all_there(make_big):
    storage = make_big()
    contents = [BIG, BIG[::-1], BIG[1:], b"small", b"smaller"]
    uploads = [*(ContentFile(content) for content in contents), upload(format="PNG")]
    together = threading.Barrier(len(uploads))

    def save(content: File) -> str:
        together.wait(30)
        return storage.save("big.png", content)

    with ThreadPoolExecutor(len(uploads)) as threads:
        names = list(threads.map(save, uploads))
    assert len(set(names)) == len(uploads)
    for name, content in zip(names, contents, strict=False):
        assert content_of(storage, name) == content
    assert image_in(storage, names[-1]).size == (300, 200)
    assert stored(storage) == sorted([*names, storage.thumb_key(names[-1], "small")])
    assert_no_upload_is_open(storage)


# When requests break


@pytest.fixture(autouse=True)
def _no_waiting_between_attempts(monkeypatch):
    monkeypatch.setattr(botocore.endpoint, "time", SimpleNamespace(sleep=lambda seconds: None))


@pytest.fixture
def make_broken(make_big, proxy):
    """Makes the same storage, with its requests through the proxy."""

    def make(attempts: int = 1, **options: Any) -> S3ThumbnailStorage:
        config = Config(retries={"total_max_attempts": attempts}, read_timeout=20)
        return make_big(endpoint_url=proxy.url, client_config=config, **options)

    return make


def outcome(storage: S3ThumbnailStorage) -> Any:
    """The name that a large file was saved as, or the error."""
    try:
        return storage.save("big.bin", ContentFile(LESS))
    except Exception as error:  # noqa: BLE001, the tests look at it
        return error


def _one_fault(claim: str, fault: Fault, attempts: int) -> Any:
    always = (claim, attempts) == ("conditional", 1)
    return pytest.param(claim, fault, attempts, marks=() if always else (pytest.mark.slow,))


@pytest.mark.parametrize(
    ("claim", "fault", "attempts"),
    [
        *(_one_fault(claim, fault, 1) for claim in CLAIMS for fault in (ERROR, RESET_AFTER)),
        *(_one_fault("conditional", fault, 1) for fault in (ERROR_AFTER, FORBIDDEN, TRUNCATED_BODY)),
        *(_one_fault("conditional", fault, 3) for fault in (ERROR_AFTER, RESET_AFTER)),
        _one_fault("asking", RESET_AFTER, 3),
    ],
    ids=str,
)
def test_a_large_file_with_one_broken_request_is_stored_or_never_was(
    make_big, make_broken, proxy, bucket, fault, claim, attempts
):
    storage, direct = make_broken(attempts, **CLAIMS[claim]), make_big()
    direct.save("big.bin", ContentFile(b"earlier"))
    position, script = 0, None
    while script is None or script.broken:
        script = proxy.script(bucket, fault, only(position))
        result = outcome(storage)
        position += 1
        if isinstance(result, str):
            assert content_of(direct, result) == LESS
            _restore(direct, result)
        else:
            assert isinstance(result, UploadFailed), repr(result)
            assert result.left_behind == ()
        assert stored(direct) == ["big.bin"]
        assert content_of(direct, "big.bin") == b"earlier"
        assert parts_left(direct) == 0
    assert isinstance(result, str)
    assert position > 4  # one to begin, two parts, one to end, and the last try, of which none broke


def _restore(storage: S3ThumbnailStorage, name: str) -> None:
    storage.delete(name)
    if name == "big.bin":
        storage.save(name, ContentFile(b"earlier"))


def test_an_error_in_a_good_answer_is_an_error(make_big, make_broken, proxy, bucket):
    """S3 begins to answer 200 before it has put the parts together."""
    proxy.scripted(
        bucket, lambda request: ERROR_IN_200 if request.method == "POST" and "uploadId" in request.path else None
    )
    result = outcome(make_broken())
    assert isinstance(result, UploadFailed)
    assert stored(make_big()) == []
    assert_no_upload_is_open(make_big())


@pytest.mark.parametrize("fault", [RESET_AFTER, FORBIDDEN], ids=str)
def test_what_a_large_file_leaves_behind_in_an_outage_is_told_and_logged(
    make_big, make_broken, proxy, bucket, caplog, fault
):
    storage, direct = make_broken(), make_big()
    for position in range(5):
        caplog.clear()
        proxy.script(bucket, fault, since(position))
        result = outcome(storage)
        assert isinstance(result, UploadFailed), repr(result)
        logged = " ".join(record.getMessage() for record in caplog.records if record.levelname == "ERROR")
        assert set(stored(direct)) <= set(result.left_behind)
        assert all(key in logged for key in stored(direct))
        assert not parts_left(direct) or "upload" in logged
        _clear(direct)


def _clear(storage: S3ThumbnailStorage) -> None:
    place = {"Bucket": storage.bucket_name}
    for each in storage.client.list_multipart_uploads(**place).get("Uploads", ()):
        storage.client.abort_multipart_upload(**place, Key=each["Key"], UploadId=each["UploadId"])
    for key in stored(storage):
        storage.client.delete_object(**place, Key=key)
