"""A file without thumbs is stored as Django's own storages, or django-storages', store it."""

from __future__ import annotations

import io
import os
import re
from urllib.parse import unquote, urlsplit

import pytest
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, InMemoryStorage
from django.core.files.uploadedfile import SimpleUploadedFile
from storages.backends.s3 import S3Storage

from athumb_storage.storages import FileSystemThumbnailStorage, InMemoryThumbnailStorage
from tests.conftest import THUMBS, content_of, stored


@pytest.fixture(params=["file", "memory", "s3"])
def twins(request, tmp_path):
    """Makes Django's or django-storages' storage, and ours with the same options, each without files yet."""

    def make(**options):
        thumbs = {"thumbs": THUMBS}
        if request.param == "file":
            return (
                FileSystemStorage(location=tmp_path / "theirs", **options),
                FileSystemThumbnailStorage(location=tmp_path / "ours", **options, **thumbs),
            )
        if request.param == "memory":
            return InMemoryStorage(**options), InMemoryThumbnailStorage(**options, **thumbs)
        server = request.getfixturevalue("s3_server")
        make_s3 = request.getfixturevalue("make_s3")
        server.create_bucket(f"{make_s3().bucket_name}-theirs")
        own = {
            "bucket_name": f"{make_s3().bucket_name}-theirs",
            "endpoint_url": server.endpoint_url,
            "access_key": server.access_key,
            "secret_key": server.secret_key,
            "region_name": server.region,
            "file_overwrite": False,
        }
        return S3Storage(**{**own, **options}), make_s3(**options, **thumbs)

    return make


def outcome(action):
    """What an action gives, or the kind of its error, without what chance has a part in."""
    try:
        result = action()
    except Exception as error:  # noqa: BLE001, it is compared
        return type(error)
    return _without_chance(result)


def _without_chance(result):
    if isinstance(result, list):
        return [_without_chance(each) for each in result]
    return re.sub(r"_\w{7}(?=\.|$)", "_RANDOM", result) if isinstance(result, str) else result


def same(twins, action):
    theirs, ours = (outcome(lambda storage=storage: action(storage)) for storage in twins)
    assert ours == theirs
    return ours


PLAIN_NAMES = ["notes.txt", "a/b/notes.txt", "no extension", "Füße.txt", "style.css", "archive.tar.gz", "50% #1?.bin"]


@pytest.mark.parametrize("name", PLAIN_NAMES)
def test_a_plain_file_is_stored_as_ever(twins, name):
    pair = twins()
    assert same(pair, lambda storage: storage.save(name, ContentFile(b"some bytes"))) == name
    assert same(pair, lambda storage: storage.exists(name)) is True
    assert same(pair, lambda storage: storage.size(name)) == 10
    assert same(pair, lambda storage: content_of(storage, name)) == b"some bytes"
    assert same(pair, stored) == [name]
    assert same(pair, lambda storage: type(storage.get_modified_time(name)).__name__) == "datetime"
    assert same(pair, lambda storage: storage.get_modified_time(name).tzinfo is not None) is True
    assert (
        same(pair, lambda storage: unquote(urlsplit(storage.url(name)).path).rpartition("/")[2]) == name.split("/")[-1]
    )
    assert same(pair, lambda storage: storage.delete(name)) is None
    assert same(pair, lambda storage: storage.exists(name)) is False
    assert same(pair, stored) == []


def test_a_taken_name_of_a_plain_file_is_changed_as_ever(twins):
    pair = twins()
    same(pair, lambda storage: storage.save("a/notes.txt", ContentFile(b"one")))
    assert same(pair, lambda storage: storage.save("a/notes.txt", ContentFile(b"two"))) == "a/notes_RANDOM.txt"
    assert same(pair, lambda storage: sorted(content_of(storage, name) for name in stored(storage))) == [b"one", b"two"]
    assert same(pair, lambda storage: storage.listdir("a")[0]) == []


@pytest.mark.parametrize("name", ["../up.txt", "/etc/passwd", "a/../../b.txt", "", "a/..", "."])
def test_a_dangerous_name_is_refused_as_ever(twins, name):
    refused = same(twins(), lambda storage: storage.save(name, ContentFile(b"x")))
    assert isinstance(refused, type)


@pytest.mark.parametrize("name", ["a\\b.txt", "a//b.txt", "./b.txt", "a/./b.txt", "b .txt", "-_b.txt"])
def test_an_untidy_name_is_stored_as_ever(twins, name):
    pair = twins()
    same(pair, lambda storage: storage.save(name, ContentFile(b"x")))
    assert same(pair, stored)


def test_what_is_not_there_is_missing_as_ever(twins):
    pair = twins()
    assert same(pair, lambda storage: storage.exists("absent.txt")) is False
    assert same(pair, lambda storage: storage.size("absent.txt")) is FileNotFoundError
    assert same(pair, lambda storage: storage.open("absent.txt")) is FileNotFoundError
    assert same(pair, lambda storage: storage.delete("absent.txt")) is None
    assert isinstance(same(pair, lambda storage: storage.get_modified_time("absent.txt")), type)


def test_a_file_is_written_by_open_as_ever(twins):
    def write(storage):
        storage.save("first.txt", ContentFile(b"makes the folder"))
        with storage.open("written.txt", "wb") as file:
            file.write(b"one ")
            file.write(b"two")
        return content_of(storage, "written.txt")

    assert same(twins(), write) == b"one two"


def test_max_length_is_kept_as_ever(twins):
    pair = twins()
    assert same(pair, lambda storage: len(storage.save("a" * 40 + ".txt", ContentFile(b"x"), max_length=20))) == 20
    assert same(pair, lambda storage: len(storage.save("a" * 40 + ".txt", ContentFile(b"x"), max_length=20))) == 20
    assert same(pair, lambda storage: len(stored(storage))) == 2
    assert same(pair, lambda storage: storage.save("b.txt", ContentFile(b"x"), max_length=3)) is SuspiciousFileOperation


def test_text_and_uploads_are_stored_as_ever(twins):
    pair = twins()
    assert same(pair, lambda storage: storage.save("t.txt", ContentFile("some text"))) == "t.txt"
    assert same(pair, lambda storage: content_of(storage, "t.txt")) == b"some text"
    assert same(pair, lambda storage: storage.save(None, SimpleUploadedFile("up.txt", b"up"))) == "up.txt"
    assert same(pair, lambda storage: storage.save("raw.txt", io.BytesIO(b"no File"))) == "raw.txt"


def test_a_file_of_several_chunks_is_stored_as_ever(twins):
    data = os.urandom(300_000)
    pair = twins()
    same(pair, lambda storage: storage.save("chunks.bin", ContentFile(data)))
    assert same(pair, lambda storage: content_of(storage, "chunks.bin")) == data
