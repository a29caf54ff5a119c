"""The contract of storages can fail: it finds what is wrong with storages that each break one of its promises."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.files.base import File
from django.core.files.storage import InMemoryStorage

import athumb_storage
from athumb_storage import UnknownThumb, UploadedImageIsUnreadableError, UploadFailed
from athumb_storage.contrib.testing import StorageContract
from athumb_storage.storages import InMemoryThumbnailStorage
from tests.conftest import content_of, stored

ROOT = Path(athumb_storage.__file__).resolve().parents[1]


class LeavesThumbs(InMemoryThumbnailStorage):
    def delete(self, name):
        self._remove([name])


class DeletesNeighbours(InMemoryThumbnailStorage):
    def delete(self, name):
        self._remove([each for each in stored(self) if each.startswith(name)])


class DeletesThumbsWithTheirOriginal(InMemoryThumbnailStorage):
    def delete_thumbs(self, name):
        self.delete(name)


class Overwrites(InMemoryThumbnailStorage):
    def get_available_name(self, name, max_length=None):
        return name


class TakesNamesOfThumbs(InMemoryThumbnailStorage):
    def get_available_name(self, name, max_length=None):
        return InMemoryStorage.get_available_name(self, name, max_length)


class KeepsNamesOfWhatIsDeleted(InMemoryThumbnailStorage):
    """It says that a file exists which has been deleted."""

    _deleted = ()

    def delete(self, name):
        super().delete(name)
        self._deleted = (*self._deleted, name)

    def exists(self, name):
        return name in self._deleted or super().exists(name)


class DeniesThumbs(InMemoryThumbnailStorage):
    def exists(self, name):
        return ".thumbs/" not in name and super().exists(name)


class StoresWhatItChecks(InMemoryThumbnailStorage):
    def check_image(self, content):
        image = super().check_image(content)
        self.save(content.name, content)
        content.seek(0)
        return image


class ChecksNothing(InMemoryThumbnailStorage):
    def check_image(self, content):
        return None


class CutsOff(InMemoryThumbnailStorage):
    def _open(self, name, mode="rb"):
        return File(io.BytesIO(super()._open(name, mode).read()[:-1]), name=name)


class MixesThumbsUp(InMemoryThumbnailStorage):
    _first = None

    def _write_thumb(self, key, data, content_type, **options):
        self._first = self._first or data
        return super()._write_thumb(key, self._first, content_type, **options)


class LeavesOneThumbOut(InMemoryThumbnailStorage):
    def _write_thumb(self, key, data, content_type, **options):
        return key if "square" in key else super()._write_thumb(key, data, content_type, **options)


class NamesOtherKeys(InMemoryThumbnailStorage):
    def thumb_key(self, name, thumb):
        return f"{super().thumb_key(name, thumb)}.new"


class LinksToTheOriginal(InMemoryThumbnailStorage):
    def _thumb_url(self, key, *args):
        return super()._thumb_url(key.partition(".thumbs/")[0], *args)


class QuotesNothing(InMemoryThumbnailStorage):
    def url(self, name):
        return f"/media/{name}"


class LinksToUnknownThumbs(InMemoryThumbnailStorage):
    def url_for_thumb(self, name, thumb, **options):
        try:
            return super().url_for_thumb(name, thumb, **options)
        except UnknownThumb:
            return self.url(name)


class GeneratesElsewhere(InMemoryThumbnailStorage):
    def generate_thumbs(self, name, only=None):
        keys = super().generate_thumbs(name, only)
        for key in keys.values():
            self._write_thumb(f"{key}.new", content_of(self, key), "", replace=True)
            self._remove([key])
        return keys


class GeneratesAll(InMemoryThumbnailStorage):
    def generate_thumbs(self, name, only=None):
        return super().generate_thumbs(name)


class KeepsTheOriginalOfAFailedSave(InMemoryThumbnailStorage):
    def _save(self, name, content):
        try:
            return super()._save(name, content)
        except UploadFailed:
            InMemoryStorage._save(self, name, content)
            raise


class HidesFailures(InMemoryThumbnailStorage):
    def _save(self, name, content):
        try:
            return super()._save(name, content)
        except UploadFailed:
            return name


class KeepsBrokenImages(InMemoryThumbnailStorage):
    def _save(self, name, content):
        try:
            return super()._save(name, content)
        except UploadedImageIsUnreadableError:
            return InMemoryStorage._save(self, name, content)


class SaysNothingIsLeftBehind(InMemoryThumbnailStorage):
    def _save(self, name, content):
        try:
            return super()._save(name, content)
        except UploadFailed as error:
            raise UploadFailed(name, "something failed") from error


class ForgetsItsOptions(InMemoryThumbnailStorage):
    def __init__(self, **options):
        options.pop("naming", None)
        super().__init__(**options)


class ForgetsTheThumbsOfFields(InMemoryThumbnailStorage):
    def with_thumbs(self, thumbs, **options):
        return super().with_thumbs({}, **options)


# A broken storage, the test that finds it, and the arguments of a test that has some.
BROKEN = [
    (LeavesThumbs, "test_delete_removes_the_original_and_all_its_thumbs", {}),
    (DeletesNeighbours, "test_delete_removes_the_original_and_all_its_thumbs", {}),
    (DeletesThumbsWithTheirOriginal, "test_delete_thumbs_leaves_the_original", {}),
    (Overwrites, "test_a_taken_name_gets_another_and_the_thumbs_follow_it", {}),
    (TakesNamesOfThumbs, "test_a_name_like_that_of_a_thumb_is_refused", {"name": "a.jpg.thumbs/b", "data": b"text"}),
    (KeepsNamesOfWhatIsDeleted, "test_the_original_and_its_thumbs_exist_until_they_are_deleted", {}),
    (DeniesThumbs, "test_the_original_and_its_thumbs_exist_until_they_are_deleted", {}),
    (StoresWhatItChecks, "test_an_image_is_checked_without_being_stored", {}),
    (ChecksNothing, "test_a_check_refuses_what_a_save_would_refuse", {"fmt": "PNG"}),
    (CutsOff, "test_what_is_no_image_is_stored_as_it_is", {"data": b"some text"}),
    (MixesThumbsUp, "test_a_save_stores_the_original_and_each_thumb_at_its_key", {}),
    (LeavesOneThumbOut, "test_a_save_stores_the_original_and_each_thumb_at_its_key", {}),
    (NamesOtherKeys, "test_a_thumb_is_named_or_given", {}),
    (LinksToTheOriginal, "test_a_thumb_is_named_or_given", {}),
    (QuotesNothing, "test_odd_names_keep_their_thumbs_and_have_urls", {"name": "50% off?.jpg"}),
    (LinksToUnknownThumbs, "test_an_unknown_thumb_is_an_error_that_lists_those_that_are_known", {"thumb": "huge"}),
    (GeneratesElsewhere, "test_generate_thumbs_stores_them_at_the_same_keys", {}),
    (GeneratesAll, "test_generate_only_some_thumbs", {"only": "square", "kind": list}),
    (KeepsTheOriginalOfAFailedSave, "test_a_thumb_that_cannot_be_stored_leaves_nothing_behind", {}),
    (HidesFailures, "test_a_failed_save_leaves_its_namesake_alone", {}),
    (
        KeepsBrokenImages,
        "test_an_image_that_cannot_be_decoded_is_refused_and_nothing_is_stored",
        {"images_only": False, "fmt": "PNG"},
    ),
    (SaysNothingIsLeftBehind, "test_what_could_not_be_removed_again_is_told_and_logged", {"caplog": None}),
    (ForgetsItsOptions, "test_a_naming_of_the_projects_own", {}),
    (ForgetsTheThumbsOfFields, "test_a_storages_thumbs_are_overlaid_with_those_of_a_field", {}),
]


@pytest.mark.parametrize(("broken", "test", "arguments"), BROKEN, ids=[broken.__name__ for broken, *_ in BROKEN])
def test_what_is_broken_is_found(broken, test, arguments, caplog):
    arguments = {name: caplog if name == "caplog" else value for name, value in arguments.items()}
    getattr(StorageContract(), test)(InMemoryThumbnailStorage, **arguments)
    caplog.clear()
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        getattr(StorageContract(), test)(broken, **arguments)


def test_no_theme_of_the_contract_hides_a_test_of_another():
    names = [name for theme in StorageContract.__mro__ for name in vars(theme) if name.startswith("test_")]
    assert names
    assert len(names) == len(set(names))


MODULE = """
import pytest
from django.conf import settings

settings.configure()

from athumb_storage.contrib.testing import StorageContract
from athumb_storage.storages import InMemoryThumbnailStorage

class LeavesThumbs(InMemoryThumbnailStorage):
    def delete(self, name):
        self._remove([name])

class TestBroken(StorageContract):
    @pytest.fixture
    def make_storage(self):
        return LeavesThumbs

class TestForgotten(StorageContract):
    pass
"""


def test_a_run_of_pytest_says_what_is_wrong(tmp_path):
    module = tmp_path / "test_storage.py"
    module.write_text(MODULE)
    # Nothing of this project's own settings and plugins is needed.
    options = ["-p", "no:randomly", "-p", "no:django", "-k", "test_delete_thumbs or test_delete_removes_the"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, module],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert re.search("1 failed, 1 passed, .*2 errors", done.stdout), done.stdout + done.stderr
    assert "At index 0 diff: 'photos/cat.jpg.thumbs/small.jpg' != 'photos/cat.jpg2.jpg'" in done.stdout
    assert "TestForgotten needs a fixture `make_storage`." in done.stdout
