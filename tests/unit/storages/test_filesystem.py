"""What is special to the file system."""

from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import django
import pytest
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile, File
from django.core.files.uploadedfile import TemporaryUploadedFile

from athumb_storage import UploadedImageIsUnreadableError, UploadFailed
from athumb_storage.storages import FileSystemThumbnailStorage
from tests.conftest import KEYS, THUMBS, content_of, draw, image_in, noise, stored, upload


@pytest.fixture
def storage(tmp_path):
    return FileSystemThumbnailStorage(location=tmp_path, thumbs=THUMBS)


def test_the_settings_of_django_are_read(settings, tmp_path):
    settings.MEDIA_ROOT, settings.MEDIA_URL = str(tmp_path), "/files/"
    storage = FileSystemThumbnailStorage(thumbs=THUMBS)
    storage.save("a/cat.jpg", upload())
    assert (tmp_path / "a" / "cat.jpg.thumbs" / "web.webp").is_file()
    assert storage.url_for_thumb("a/cat.jpg", "web") == "/files/a/cat.jpg.thumbs/web.webp"


def test_force_ssl_and_cache_buster(tmp_path, settings):
    settings.MEDIA_CACHE_BUSTER = "7"
    storage = FileSystemThumbnailStorage(tmp_path, "http://media.example.com/", thumbs=THUMBS)
    assert storage.url_for_thumb("cat.jpg", "small", force_ssl=True) == (
        "https://media.example.com/cat.jpg.thumbs/small.jpg?cbust=7"
    )


def test_permissions_are_those_the_project_sets(tmp_path):
    storage = FileSystemThumbnailStorage(
        tmp_path, thumbs=THUMBS, file_permissions_mode=0o640, directory_permissions_mode=0o750
    )
    storage.save("cat.jpg", upload())
    for key in KEYS:
        assert (tmp_path / key).stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "cat.jpg.thumbs").stat().st_mode & 0o777 == 0o750


def test_nothing_but_the_files_is_left(storage, tmp_path):
    storage.save("cat.jpg", upload())
    storage.generate_thumbs("cat.jpg")
    assert stored(storage) == KEYS
    storage.delete("cat.jpg")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_thumbs_that_holds_something_else_is_kept(storage, tmp_path):
    storage.save("cat.jpg", upload())
    (tmp_path / "cat.jpg.thumbs" / "more").mkdir()
    (tmp_path / "cat.jpg.thumbs" / "more" / "mine.txt").write_text("mine")
    storage.delete("cat.jpg")
    assert stored(storage) == ["cat.jpg.thumbs/more/mine.txt"]


def test_a_thumb_is_replaced_as_a_whole(storage, tmp_path):
    """Who has the old thumb open goes on reading it, because the new one is another file."""
    storage.save("cat.jpg", upload())
    old = content_of(storage, KEYS[1])
    with (tmp_path / KEYS[1]).open("rb") as file:
        storage.with_thumbs({"small": {"size": (10, 10)}}).generate_thumbs("cat.jpg", only=["small"])
        assert file.read() == old
    assert image_in(storage, KEYS[1]).size == (10, 7)
    assert stored(storage) == KEYS


def test_a_file_on_disk_stays_where_it_is(storage, tmp_path):
    upload_path = tmp_path.parent / f"{tmp_path.name}-upload.jpg"
    upload_path.write_bytes(draw())
    with upload_path.open("rb") as file:
        storage.save("cat.jpg", File(file))
    assert upload_path.read_bytes() == content_of(storage, "cat.jpg")


def test_uploads_of_one_name_at_the_same_moment_each_get_their_own(storage):
    barrier = threading.Barrier(6)

    def save(number):
        barrier.wait()
        return number, storage.save("cat.png", upload(format="PNG", color=(number * 40, 0, 0)))

    with ThreadPoolExecutor(6) as pool:
        names = dict(pool.map(save, range(6)))
    assert len(set(names.values())) == 6
    for number, name in names.items():
        assert image_in(storage, storage.thumb_key(name, "small")).convert("RGB").getpixel((5, 5)) == (
            number * 40,
            0,
            0,
        )


def test_a_thumb_whose_folder_is_a_file_fails_the_upload(tmp_path):
    class InOneFolder:
        def key(self, name, variant):
            return f"thumbs/{name}" if variant.thumb_name == "web" else f"{name}.{variant.thumb_name}"

        def prefix(self, name):
            return None

        def original(self, key):
            return None

    storage = FileSystemThumbnailStorage(tmp_path, thumbs=THUMBS, naming=InOneFolder())
    (tmp_path / "thumbs").write_text("a file, no folder")
    with pytest.raises(UploadFailed, match=r"cat\.jpg"):
        storage.save("cat.jpg", upload())
    assert stored(storage) == ["thumbs"]


@pytest.mark.skipif(django.VERSION < (5, 1), reason="Django 5.1 added allow_overwrite")
def test_overwriting_replaces_original_and_thumbs_but_not_by_what_is_refused(tmp_path):
    storage = FileSystemThumbnailStorage(tmp_path, thumbs=THUMBS, allow_overwrite=True)
    storage.save("cat.jpg", upload(color="red"))
    assert storage.save("cat.jpg", upload(color="blue")) == "cat.jpg"
    assert stored(storage) == KEYS
    data = noise()
    with pytest.raises(UploadedImageIsUnreadableError):
        storage.save("cat.jpg", ContentFile(data[: len(data) // 2]))
    for key in KEYS:
        assert image_in(storage, key).convert("RGB").getpixel((5, 5))[2] > 200


def test_a_full_disk_leaves_no_half_of_a_thumb(storage, tmp_path):
    """A limit on the size of files is met as a full disk is: in the middle of writing."""
    resource = pytest.importorskip("resource")
    storage.save("cat.jpg", upload(data=noise((1000, 800))))
    before = {key: content_of(storage, key) for key in KEYS}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
        with pytest.raises(OSError, match="too large"):
            storage.with_thumbs({"small": {"size": (900, 900)}}).generate_thumbs("cat.jpg", only=["small"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    assert {key: content_of(storage, key) for key in stored(storage)} == before


def test_a_full_disk_leaves_no_half_of_an_original(storage):
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    content = upload(data=noise((1000, 800)))
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
        with pytest.raises(UploadFailed, match="too large"):
            storage.save("cat.jpg", content)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    assert stored(storage) == []


def test_thumbs_stay_within_the_location(storage, tmp_path):
    with pytest.raises(SuspiciousFileOperation):
        storage.delete_thumbs("../cat.jpg")


def test_a_file_system_without_hard_links_will_do(tmp_path, monkeypatch):
    def refuse(*paths):
        raise PermissionError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    storage = FileSystemThumbnailStorage(location=tmp_path, thumbs={"small": {"size": (15, 15)}})
    first, second = (storage.save("cat.jpg", upload()) for _ in range(2))
    assert first == "cat.jpg" != second
    keys = [storage.thumb_key(name, "small") for name in (first, second)]
    assert stored(storage) == sorted([first, second, *keys])


@pytest.fixture
def large_upload(settings, tmp_path):
    settings.FILE_UPLOAD_TEMP_DIR = tmp_path
    with TemporaryUploadedFile("cat.jpg", "image/jpeg", 0, None) as file:
        file.write(draw())
        file.seek(0)
        yield file


def test_an_upload_on_disk_can_be_stored_a_second_time(tmp_path, large_upload):
    storage = FileSystemThumbnailStorage(location=tmp_path / "media", thumbs={"big": {"size": (9, 9)}}, naming="athumb")
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / "cat_big.jpg").write_bytes(b"taken")
    name = storage.save("cat.jpg", large_upload)
    assert stored(storage) == sorted(["cat_big.jpg", name, storage.thumb_key(name, "big")])


def test_an_upload_on_disk_is_kept_without_its_thumbs(tmp_path, large_upload):
    class Full(FileSystemThumbnailStorage):
        def _write_thumb(self, *args, **options):
            raise OSError("no space left")

    options = {"thumbs": {"big": {"size": (9, 9)}}, "on_error": "skip", "placeholder_url": "/none.png"}
    storage = Full(location=tmp_path / "media", **options)
    assert storage.save("cat.jpg", large_upload) == "cat.nothumbs.jpg"
    assert stored(storage) == ["cat.nothumbs.jpg"]


def test_a_thumb_takes_no_place_that_was_taken_a_moment_ago(tmp_path, monkeypatch):
    storage = FileSystemThumbnailStorage(location=tmp_path, thumbs={"big": {"size": (9, 9)}}, naming="athumb")
    monkeypatch.setattr(storage.__class__, "exists", lambda self, name: False)  # as it was a moment ago
    (tmp_path / "cat_big.jpg").write_bytes(b"somebody's")
    name = storage.save("cat.jpg", upload())
    assert name != "cat.jpg"
    assert (tmp_path / "cat_big.jpg").read_bytes() == b"somebody's"
