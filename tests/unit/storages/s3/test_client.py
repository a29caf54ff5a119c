"""Clients and their threads: who shares one, and how long it lives."""

from __future__ import annotations

import base64
import copy
import gc
import hashlib
import os
import subprocess
import sys
import textwrap
import threading
import time
import weakref
from pathlib import Path

import boto3
import pytest

from athumb_storage import AthumbError, UploadFailed
from athumb_storage.storages import S3ThumbnailStorage
from athumb_storage.storages.s3.client import MOST_IDLE
from tests.conftest import stored, upload
from tests.proxy import EMPTY_200, ERROR_IN_200, PAGE_200, Fault, Proxy, refusal

ONE = {"small": {"size": (30, 30)}}


def signer(request):
    """The access key that a request is signed with."""
    return request.headers["Authorization"].decode().split("Credential=")[1].split("/")[0]


class SessionOf(S3ThumbnailStorage):
    key = ""

    def _create_session(self):
        return boto3.Session(aws_access_key_id=self.key, aws_secret_access_key="secret")


class First(SessionOf):
    key = "FIRST"


class Second(SessionOf):
    key = "SECOND"


def test_who_makes_a_session_of_its_own_signs_as_itself(make_s3, exchanges):
    storages = [make_s3(First), make_s3(Second), make_s3(First)]
    storages[2].key = "THIRD"
    for storage in storages:
        with pytest.raises(Exception, match="403"):
            storage.exists("cat.jpg")
    assert [signer(request) for request in exchanges] == ["FIRST", "SECOND", "THIRD"]


@pytest.mark.parametrize("used", [True, False])
def test_a_copy_signs_as_itself_too(make_s3, exchanges, used):
    storage = make_s3(First)
    if used:
        storage.client  # noqa: B018, it makes one
    other = copy.copy(storage)
    other.key = "FOURTH"
    for each in (storage, other):
        with pytest.raises(Exception, match="403"):
            each.exists("cat.jpg")
    assert [signer(request) for request in exchanges] == ["FIRST", "FOURTH"]


def test_storages_with_sessions_of_their_own_end(make_s3):
    storages, clients = weakref.WeakSet(), weakref.WeakSet()
    for _ in range(2 * MOST_IDLE):
        storage = make_s3(First)
        storages.add(storage)
        clients.add(storage.client)
        assert len(clients) == len(set(map(id, clients)))
    del storage
    gc.collect()
    assert len(storages) == 0
    assert len(clients) <= MOST_IDLE


def threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("athumb-s3")]


def test_clients_and_threads_end_with_the_storages_that_use_them(make_s3):
    clients = weakref.WeakSet()
    begun = set()
    before = threads()
    for number in range(3 * MOST_IDLE):
        storage = make_s3(thumbs=ONE, security_token=f"token {number}")
        with pytest.raises(UploadFailed):
            storage.save("cat.jpg", upload())
        clients.add(storage.client)
        begun.update(threads())
    del storage
    gc.collect()
    assert len(clients) <= MOST_IDLE
    begun -= set(before)
    deadline = time.monotonic() + 20
    while sum(thread.is_alive() for thread in begun) > 2 * MOST_IDLE:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert len(begun) >= 3 * MOST_IDLE


def test_a_client_lives_as_long_as_a_storage_that_uses_it(make_s3):
    kept = make_s3(security_token="kept")
    clients = weakref.WeakSet([kept.client])
    for number in range(2 * MOST_IDLE):
        make_s3(security_token=f"another {number}").client  # noqa: B018, it makes one
    gc.collect()
    assert list(clients) == [kept.client]


def test_a_storage_for_each_request_makes_one_client(make_s3):
    clients = set()
    for _ in range(5):
        storage = make_s3()
        clients.add(id(storage.client))
        storage.client.kept = True
        del storage
        gc.collect()
    assert len(clients) == 1


def test_djangos_and_upstreams_ways_use_the_same_client(make_s3, exchanges):
    storage = make_s3(thumbs=ONE)
    storage.save("cat.jpg", upload())
    assert storage.bucket.meta.client is storage.connection.meta.client is storage.client
    with storage.open("cat.jpg") as file:
        assert file.read(2) == b"\xff\xd8"
    assert storage.size("cat.jpg") > 0
    assert storage.listdir("")[1] == ["cat.jpg"]


# Deleting


def test_a_batch_is_deleted_with_a_checksum_that_every_server_knows(make_s3, exchanges):
    storage = make_s3(thumbs=ONE)
    name = storage.save("cat.jpg", upload())
    exchanges.clear()
    storage.delete(name)
    assert stored(storage) == []
    (batch,) = (request for request in exchanges if request.method == "POST")
    # RFC 1864
    assert batch.headers["Content-MD5"] == base64.b64encode(hashlib.md5(batch.body).digest())
    assert not [name for name in batch.headers if name.lower().startswith(("x-amz-checksum", "x-amz-sdk-checksum"))]


def refusing(status, code):
    return Fault(code, EMPTY_200.ending, acts=False, answering=refusal(status, code))


@pytest.mark.parametrize(
    "answer",
    [
        refusing("400 Bad Request", "MissingContentMD5"),
        refusing("501 Not Implemented", "NotImplemented"),
        refusing("405 Method Not Allowed", "MethodNotAllowed"),
        EMPTY_200,
        PAGE_200,
        ERROR_IN_200,
    ],
    ids=str,
)
def test_where_no_batch_is_deleted_each_file_is(make_s3, s3_server, bucket, answer):
    with Proxy(s3_server.endpoint_url) as proxy:
        storage = make_s3(thumbs=ONE, endpoint_url=proxy.url)
        name = storage.save("cat.jpg", upload())
        proxy.scripted(bucket, lambda request: answer if request.method == "POST" else None)
        storage.delete(name)
    assert stored(make_s3()) == []


@pytest.mark.parametrize("name", ["cat\x01.jpg", "cat\uffff.jpg"], ids=ascii)
def test_a_name_that_fits_into_no_xml_can_be_deleted(make_s3, bucket, name):
    storage = make_s3(thumbs=ONE)
    for key in (name, storage.thumb_key(name, "small"), "other.jpg"):
        storage.client.put_object(Bucket=bucket, Key=key, Body=b"of an earlier version")
    storage.delete(name)
    assert not storage.exists(name)
    assert not storage.exists(storage.thumb_key(name, "small"))
    assert storage.exists("other.jpg")


@pytest.mark.parametrize("answer", [EMPTY_200, PAGE_200, ERROR_IN_200], ids=str)
def test_an_answer_that_is_not_s3s_deletes_nothing(make_s3, s3_server, bucket, answer):
    with Proxy(s3_server.endpoint_url) as proxy:
        storage = make_s3(thumbs=ONE, endpoint_url=proxy.url)
        name = storage.save("cat.jpg", upload())
        proxy.scripted(bucket, lambda request: answer if request.removes else None)
        with pytest.raises((AthumbError, *storage.storage_errors)):
            storage.delete(name)


# At the end of the process

AFTER_THE_END = """
    import sys, threading

    import django
    from django.conf import settings

    settings.configure(FILE_UPLOAD_MAX_MEMORY_SIZE=1 << 20)
    django.setup()

    from django.core.files.base import ContentFile
    from athumb_storage.storages import S3ThumbnailStorage
    from athumb_storage.contrib.testing import upload
    from boto3.s3.transfer import TransferConfig

    storage = S3ThumbnailStorage(
        bucket_name={bucket!r}, endpoint_url={endpoint_url!r}, access_key={access_key!r}, secret_key={secret_key!r},
        region_name={region_name!r}, conditional_writes=True, thumbs={{"small": {{"size": (300, 300)}}}},
        transfer_config=TransferConfig(multipart_threshold=5 << 20),
    )

    def outlive():
        threading.main_thread().join()
        print(storage.save("cat.jpg", upload(size=(900, 900))))
        print(storage.save("notes.txt", ContentFile(b"notes")))
        print(storage.save("large.bin", ContentFile(bytes(6 << 20))))
        sys.stdout.flush()

    threading.Thread(target=outlive).start()
"""


def test_a_thread_that_outlives_the_main_one_stores(make_s3, s3_options):
    options = {**s3_options, "bucket": s3_options["bucket_name"]}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(AFTER_THE_END).format(**options)],
        cwd=Path(__file__).resolve().parents[4],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": ""},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout.split() == ["cat.jpg", "notes.txt", "large.bin"], done.stderr
    storage = make_s3()
    assert storage.size("large.bin") == 6 << 20
    assert len(stored(storage)) == 4
