"""What is special to memory: a project's own tests."""

from __future__ import annotations

import time

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from athumb_storage.storages import InMemoryThumbnailStorage
from tests.conftest import KEYS, THUMBS, image_in, stored, upload


def test_each_storage_has_files_of_its_own():
    one, two = InMemoryThumbnailStorage(thumbs=THUMBS), InMemoryThumbnailStorage(thumbs=THUMBS)
    one.save("cat.jpg", upload())
    assert stored(one) == KEYS
    assert stored(two) == []


def test_as_the_default_storage_of_a_projects_tests(settings):
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {
            "BACKEND": "athumb_storage.storages.InMemoryThumbnailStorage",
            "OPTIONS": {"thumbs": THUMBS, "base_url": "https://media.example.com/"},
        },
    }
    default_storage.save("cat.jpg", upload())
    assert default_storage.url_for_thumb("cat.jpg", "web") == "https://media.example.com/cat.jpg.thumbs/web.webp"
    assert image_in(default_storage, "cat.jpg.thumbs/web.webp").size == (40, 27)


def test_no_folder_is_left_after_a_delete():
    storage = InMemoryThumbnailStorage(thumbs=THUMBS)
    storage.save("cat.jpg", upload())
    storage.delete("cat.jpg")
    assert storage.listdir("") == ([], [])


def test_a_folder_of_thumbs_that_holds_something_else_is_kept():
    storage = InMemoryThumbnailStorage(thumbs=THUMBS)
    storage.save("cat.jpg", upload())
    storage.save("cat.jpg.thumbs/more/mine.txt", ContentFile(b"mine"))
    storage.delete("cat.jpg")
    assert stored(storage) == ["cat.jpg.thumbs/more/mine.txt"]


@pytest.mark.parametrize("only", [None, ["small"]])
def test_generated_thumbs_are_new_files(only):
    storage = InMemoryThumbnailStorage(thumbs=THUMBS)
    storage.save("cat.jpg", upload())
    before = {key: storage.get_modified_time(key) for key in KEYS}
    time.sleep(0.01)
    storage.generate_thumbs("cat.jpg", only)
    newer = {key for key in KEYS if storage.get_modified_time(key) > before[key]}
    assert newer == set(KEYS[1:] if only is None else KEYS[1:2])
