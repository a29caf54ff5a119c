"""Places: one address for a file, by whatever storage it is named."""

from __future__ import annotations

from contextlib import suppress

import pytest
from django.core.exceptions import SuspiciousFileOperation, SuspiciousOperation
from django.core.files.storage import FileSystemStorage, InMemoryStorage, Storage, default_storage
from storages.backends.s3 import S3Storage

from athumb_storage.audit.places import Place, place_of
from athumb_storage.storages import FileSystemThumbnailStorage, InMemoryThumbnailStorage, S3ThumbnailStorage

NAMES = [
    *(
        "cat.jpg",
        "a/cat.jpg",
        "a//cat.jpg",
        "./cat.jpg",
        "a/./cat.jpg",
        "a/../cat.jpg",
        "a\\cat.jpg",
        "a/b/../../c.jpg",
    ),
    *("..cat.jpg", "cat..jpg", ".cat", "a/...", "a b%20\n\"'ä.jpg", "..\\b\\c.jpg", "a/..\\b", "/cat.jpg"),
]


class TestKeys:
    @pytest.mark.parametrize("location", ["", "media", "media/", "media/in"])
    @pytest.mark.parametrize("name", [*NAMES, "../cat.jpg"])
    def test_on_s3_they_are_those_of_the_storage(self, location, name):
        storage = S3ThumbnailStorage(bucket_name="bucket", location=location)
        place = place_of(storage)
        assert place.home == "s3://bucket"
        try:
            key = storage._key_on_s3(name)
        except SuspiciousOperation:
            assert not place.holds(place.key(name))
        else:
            assert place.key(name) == key

    @pytest.mark.parametrize("name", NAMES)
    def test_on_disk_they_are_paths(self, tmp_path, name):
        storage = FileSystemStorage(location=tmp_path)
        with suppress(SuspiciousFileOperation):
            assert place_of(storage).key(name) == storage.path(name)

    def test_on_disk_rows_may_have_whole_paths(self, tmp_path):
        (tmp_path / "real").mkdir()
        (tmp_path / "linked").symlink_to(tmp_path / "real")
        place = place_of(FileSystemStorage(location=tmp_path / "linked"))
        key = f"{tmp_path}/real/a.jpg"
        assert {place.key(name) for name in ("a.jpg", f"{tmp_path}/linked/a.jpg", key)} == {key}
        assert {"a.jpg", key} <= {*place.names(key)}

    def test_a_name_that_leads_out_has_no_file(self):
        place = Place("s3://bucket", "media/")
        assert place.key("../secret.jpg") == "media/../secret.jpg"
        assert not place.holds("media/../secret.jpg")

    @pytest.mark.parametrize(
        ("key", "held"), [("m/a.jpg", True), ("m/a//b.jpg", False), ("m/./a.jpg", False), ("a", False)]
    )
    def test_what_a_storage_finds_by_a_name(self, key, held):
        assert Place("s3://bucket", "m/").holds(key) is held


class TestHomes:
    def test_two_locations_of_a_bucket_meet(self):
        outer = place_of(S3ThumbnailStorage(bucket_name="bucket"))
        inner = place_of(S3Storage(bucket_name="bucket", location="in"))
        assert outer.home == inner.home
        assert outer.key("in/a.jpg") == inner.key("a.jpg")
        assert (outer.name("in/a.jpg"), inner.name("in/a.jpg"), inner.name("a.jpg")) == ("in/a.jpg", "a.jpg", None)

    def test_buckets_do_not_meet(self):
        assert place_of(S3Storage(bucket_name="one")).home != place_of(S3Storage(bucket_name="other")).home

    def test_folders_meet_also_by_a_link(self, tmp_path):
        (tmp_path / "real").mkdir()
        (tmp_path / "linked").symlink_to(tmp_path / "real")
        real, linked = (place_of(FileSystemThumbnailStorage(location=tmp_path / name)) for name in ("real", "linked"))
        assert real == linked

    def test_what_stands_for_a_storage_is_where_that_is(self, settings):
        settings.STORAGES = {**settings.STORAGES}
        from django.core.files.storage import storages

        assert place_of(default_storage) == place_of(storages["default"])
        assert place_of(default_storage) == place_of(storages["default"].with_thumbs({"a": {"size": (1, 1)}}))

    @pytest.mark.parametrize("cls", [InMemoryStorage, InMemoryThumbnailStorage, Storage])
    def test_others_are_a_place_of_their_own(self, cls):
        one, other = cls(), cls()
        assert place_of(one) == place_of(one)
        assert place_of(one) != place_of(other)
        assert place_of(one).address is None

    def test_addresses(self, tmp_path):
        assert place_of(S3Storage(bucket_name="bucket", location="in")).address == "s3://bucket/in/"
        assert place_of(FileSystemStorage(location=tmp_path)).address == f"{tmp_path}/"
        assert Place("s3://bucket", "in/").address_of("in/a.jpg") == "s3://bucket/in/a.jpg"
