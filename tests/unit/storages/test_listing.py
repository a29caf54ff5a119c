"""What is stored: listed, looked at again, removed as it was listed; by each storage in its own way."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

import pytest
from django.core.exceptions import SuspiciousOperation
from django.core.files.base import ContentFile
from django.core.files.storage import InMemoryStorage
from django.utils import timezone

from athumb_storage.storages import InMemoryThumbnailStorage, ThumbnailStorageMixin
from tests.conftest import upload

THUMBS = {"small": {"size": (20, 20)}}

NAMES = ["a-b.txt", "a/b.txt", "a/c/d.txt", "ab.txt", "a/ä \"%+'.txt"]


@pytest.fixture
def filled(make_storage):
    storage = make_storage()
    for name in NAMES:
        storage._write_thumb(name, name.encode(), "text/plain", replace=False)
    return storage


class TestListing:
    def test_every_file_with_its_size_and_time(self, filled):
        listed = {file.name: file for file in filled.list_files()}
        assert sorted(listed) == sorted(NAMES)
        now = datetime.now(UTC)
        for name, file in listed.items():
            assert file.size == len(name.encode())
            assert timezone.is_aware(file.modified)
            assert abs(now - file.modified) < timedelta(minutes=5)

    @pytest.mark.parametrize("prefix", ["a", "a/", "a/c", "a/c/", "a/c/d.txt", "ab", 'a/ä "%', "none", "a/none/"])
    def test_what_begins_with_a_prefix(self, filled, prefix):
        listed = [file.name for file in filled.list_files(prefix)]
        assert sorted(listed) == sorted(name for name in NAMES if name.startswith(prefix))

    def test_originals_and_thumbs_alike(self, make_storage):
        storage = make_storage(thumbs=THUMBS)
        name = storage.save("cat.jpg", upload("cat.jpg"))
        assert sorted(file.name for file in storage.list_files()) == [name, "cat.jpg.thumbs/small.jpg"]

    def test_where_nothing_was_ever_stored(self, make_storage, tmp_path):
        assert list(make_storage().list_files()) == list(make_storage().list_files("none/")) == []

    def test_a_storage_that_cannot_list(self):
        class Blind(InMemoryThumbnailStorage):
            def listdir(self, path):
                raise NotImplementedError("no")

        with pytest.raises(NotImplementedError):
            list(Blind().list_files())

    def test_any_other_storage_and_naive_times(self, settings):
        settings.USE_TZ = False

        class Other(ThumbnailStorageMixin, InMemoryStorage):
            pass

        storage = Other()
        storage.save("a/b.txt", ContentFile(b"text"))
        (file,) = storage.list_files()
        assert (file.name, file.size, timezone.is_aware(file.modified)) == ("a/b.txt", 4, True)


class TestLookingAgain:
    def test_it_tells_what_the_listing_told(self, filled):
        listed = {file.name: file for file in filled.list_files()}
        for name in NAMES:
            again = filled.stat(name)
            assert abs(again.modified - listed[name].modified) < timedelta(seconds=1)
            assert (again.name, again.size, again.etag) == (name, listed[name].size, listed[name].etag)

    @pytest.mark.parametrize("name", ["none.txt", "a/none.txt", "a-b.txt/below.txt", "x" * 2000, "a"])
    def test_what_is_not_there(self, filled, name):
        assert filled.stat(name) is None

    def test_many(self, filled):
        found = filled.stat_each(["ab.txt", "none", "a/b.txt"])
        assert [file and file.name for file in found] == ["ab.txt", None, "a/b.txt"]

    def test_no_name_leads_out(self, make_storage):
        storage = make_storage()
        storage.location = storage.location or "media"  # at the root of a bucket there is nothing outside
        with pytest.raises(SuspiciousOperation):
            storage.stat("../../etc/passwd")


class TestRemoving:
    def test_exactly_these(self, make_storage):
        storage = make_storage(thumbs=THUMBS)
        for name in ("cat.jpg", "dog.jpg"):
            storage.save(name, upload(name))
        storage.remove_files(["cat.jpg", "dog.jpg.thumbs/small.jpg"])
        assert sorted(file.name for file in storage.list_files()) == ["cat.jpg.thumbs/small.jpg", "dog.jpg"]


class TestOnDisk:
    def test_links_are_followed_and_circles_are_not(self, make_on_disk, tmp_path):
        storage = make_on_disk()
        storage.save("real/a.txt", ContentFile(b"text"))
        (tmp_path / "linked").symlink_to(tmp_path / "real")
        (tmp_path / "real/circle").symlink_to(tmp_path)
        (tmp_path / "nowhere").symlink_to(tmp_path / "none")
        assert {file.name for file in storage.list_files()} >= {"real/a.txt", "linked/a.txt"}
        assert not any("circle" in file.name for file in storage.list_files("real/"))

    def test_names_that_are_not_utf_8(self, make_on_disk, tmp_path):
        (tmp_path / os.fsdecode(b"\xff.txt")).write_bytes(b"text")
        (file,) = make_on_disk().list_files()
        assert os.fsencode(file.name) == b"\xff.txt"

    def test_no_prefix_leads_out(self, make_on_disk):
        with pytest.raises(SuspiciousOperation):
            list(make_on_disk().list_files("../"))


class TestOnS3:
    def test_a_request_for_a_thousand_keys(self, make_s3, requests_sent):
        storage = make_s3()
        storage._write_thumb("a.txt", b"1", "text/plain", replace=False)
        requests_sent.clear()
        assert len(list(storage.list_files("a"))) == 1
        ((method, path),) = requests_sent
        assert (method, "list-type=2" in path, "prefix=a&" in f"{path}&") == ("GET", True, True)

    def test_what_stands_for_a_folder_is_no_file(self, make_s3):
        storage = make_s3(location="media")
        for key in ("media/", "media/folder/", "media/folder/a.txt"):
            storage.client.put_object(Bucket=storage.bucket_name, Key=key, Body=b"")
        assert [file.name for file in storage.list_files()] == ["folder/a.txt"]

    def test_nothing_outside_of_the_location(self, make_s3):
        outer, inner = make_s3(), make_s3(location="in")
        for name in ("in.txt", "in/in.txt", "inner/in.txt"):
            outer._write_thumb(name, b"1", "text/plain", replace=False)
        assert [file.name for file in inner.list_files()] == ["in.txt"]

    def test_a_server_that_lists_what_was_not_asked_for(self, make_s3):
        storage = make_s3()
        storage._write_thumb("other.txt", b"1", "text/plain", replace=False)
        events = storage.client.meta.events

        def ask_for_all(params, **_):
            params["Prefix"] = ""

        events.register("before-parameter-build.s3.ListObjectsV2", ask_for_all, unique_id="all")
        try:
            assert list(storage.list_files("wanted")) == []
        finally:
            events.unregister("before-parameter-build.s3.ListObjectsV2", unique_id="all")

    def test_removed_in_one_request(self, make_s3, requests_sent):
        storage = make_s3()
        names = [f"{number}.txt" for number in range(3)]
        for name in names:
            storage._write_thumb(name, b"1", "text/plain", replace=False)
        requests_sent.clear()
        storage.remove_files(names[:2])
        assert [method for method, _ in requests_sent] == ["POST"]
        assert [file.name for file in storage.list_files()] == names[2:]
