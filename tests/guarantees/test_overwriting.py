"""Where an original may be replaced, no thumb of the one before stays."""

from __future__ import annotations

import django
import pytest
from django.core.files.base import ContentFile

from athumb_storage import UploadedImageIsUnreadableError
from athumb_storage.signals import thumbs_failed
from athumb_storage.storages import FileSystemThumbnailStorage
from tests.conftest import content_of, draw, image_in, noise, stored

THUMBS = {"small": {"size": (30, 30)}, "web": {"size": (40, 40), "format": "WEBP"}}
RED, BLUE = draw((90, 60), color="red"), draw((80, 80), color="blue")
CUT_OFF = noise()[:30_000]


@pytest.fixture(params=["file", "s3"])
def make(request, tmp_path):
    """Makes a storage that replaces what is there."""
    if request.param == "file":
        if django.VERSION < (5, 1):
            pytest.skip("FileSystemStorage has no allow_overwrite before Django 5.1")
        return lambda **options: FileSystemThumbnailStorage(location=tmp_path, allow_overwrite=True, **options)
    make_s3 = request.getfixturevalue("make_s3")
    return lambda **options: make_s3(file_overwrite=True, **options)


@pytest.fixture
def filled(make):
    """A storage with two originals, one called much like the other."""
    storage = make(thumbs=THUMBS)
    for name in ("cat.jpg", "cat.jpg.jpg"):
        assert storage.save(name, ContentFile(RED)) == name
    assert stored(storage) == sorted([*SET, *NAMESAKE])
    return storage


SET = ["cat.jpg", "cat.jpg.thumbs/small.jpg", "cat.jpg.thumbs/web.webp"]
NAMESAKE = ["cat.jpg.jpg", "cat.jpg.jpg.thumbs/small.jpg", "cat.jpg.jpg.thumbs/web.webp"]


def is_blue(image):
    return image.convert("RGB").getpixel((5, 5))[2] > 200


def test_original_and_thumbs_are_replaced(filled):
    assert filled.save("cat.jpg", ContentFile(BLUE)) == "cat.jpg"
    assert stored(filled) == sorted([*SET, *NAMESAKE])
    assert content_of(filled, "cat.jpg") == BLUE
    assert all(is_blue(image_in(filled, key)) for key in SET)
    assert not any(is_blue(image_in(filled, key)) for key in NAMESAKE)


NOW = {
    "fewer thumbs": ({"web": THUMBS["web"]}, BLUE, ["web.webp"]),
    "another format": (
        {"small": {"size": (9, 9), "format": "PNG"}, "web": {"size": (9, 9)}},
        BLUE,
        ["small.png", "web.jpg"],
    ),
    "no thumbs": ({}, BLUE, []),
    "no image": (THUMBS, b"plain text", []),
    "no image and no thumbs": ({}, b"plain text", []),
    "no bytes": (THUMBS, b"", []),
}


@pytest.mark.parametrize(("thumbs", "data", "expected"), NOW.values(), ids=NOW)
@pytest.mark.parametrize("bound", [True, False])
def test_what_is_of_no_use_any_more_is_removed(make, filled, thumbs, data, expected, bound):
    storage = make().with_thumbs(thumbs) if bound else make(thumbs=thumbs)
    assert storage.save("cat.jpg", ContentFile(data)) == "cat.jpg"
    assert content_of(storage, "cat.jpg") == data
    assert stored(storage) == sorted(["cat.jpg", *NAMESAKE, *(f"cat.jpg.thumbs/{file}" for file in expected)])


@pytest.mark.parametrize("placeholder", [None, "/no-thumb.png"])
@pytest.mark.parametrize("data", [CUT_OFF, BLUE], ids=["bad image", "thumb that cannot be stored"])
def test_thumbs_that_fail_leave_none_of_the_old(make, filled, placeholder, data):
    storage = make(thumbs={"web": THUMBS["web"]}, on_error="skip", placeholder_url=placeholder)

    def fails(*_, **options):
        raise OSError("the disk is full")

    storage.__dict__["_write_thumb"] = fails
    assert storage.save("cat.jpg", ContentFile(data)) == "cat.jpg"
    assert stored(storage) == sorted(["cat.jpg", *NAMESAKE])
    assert content_of(storage, "cat.jpg") == data


@pytest.mark.parametrize("images_only", [True, False])
def test_a_bad_image_replaces_nothing(filled, images_only):
    with pytest.raises(UploadedImageIsUnreadableError):
        filled.with_thumbs({}, images_only=images_only).save("cat.jpg", ContentFile(CUT_OFF))
    if images_only:
        with pytest.raises(UploadedImageIsUnreadableError):
            filled.with_thumbs({}, images_only=True).save("cat.jpg", ContentFile(b"no image"))
    assert stored(filled) == sorted([*SET, *NAMESAKE])
    assert content_of(filled, "cat.jpg") == RED
    assert not any(is_blue(image_in(filled, key)) for key in SET)


def test_a_bad_image_without_thumbs_replaces_nothing(make, filled):
    with pytest.raises(UploadedImageIsUnreadableError):
        make().with_thumbs({}, images_only=True).save("cat.jpg", ContentFile(CUT_OFF))
    assert content_of(filled, "cat.jpg") == RED
    assert stored(filled) == sorted([*SET, *NAMESAKE])


def test_a_listing_that_fails_is_logged_and_fails_nothing(make, filled, caplog):
    storage = make(thumbs={"web": THUMBS["web"]})

    def fails(*_):
        raise OSError("may not list")

    storage.__dict__["_list_folder"] = fails
    for data in (BLUE, b"plain text"):
        caplog.clear()
        assert storage.save("cat.jpg", ContentFile(data)) == "cat.jpg"
        assert content_of(storage, "cat.jpg") == data
        assert [(record.name, record.levelname) for record in caplog.records] == [("athumb_storage", "ERROR")]
        assert "'cat.jpg'" in caplog.text
        assert "may not list" in caplog.text


def test_a_server_that_refuses_to_list(make_s3, no_list_identity, caplog):
    make_s3(thumbs=THUMBS, file_overwrite=True).save("cat.jpg", ContentFile(RED))
    storage = make_s3(thumbs=THUMBS, file_overwrite=True, **no_list_identity)
    assert storage.save("cat.jpg", ContentFile(b"plain text")) == "cat.jpg"
    assert stored(make_s3()) == ["cat.jpg"]  # those that are configured were removed


@pytest.mark.parametrize("data", [b"plain text", CUT_OFF], ids=["no image", "bad image"])
def test_with_the_naming_of_athumb_thumbs_of_the_old_go_and_files_of_others_stay(make, data):
    storage = make(thumbs=THUMBS, naming="athumb", on_error="skip")
    storage.save("cat.jpg", ContentFile(RED))
    storage.save("cat_large.jpg", ContentFile(b"another's"))
    assert stored(storage) == ["cat.jpg", "cat_large.jpg", "cat_small.jpg", "cat_web.webp"]
    assert storage.save("cat.jpg", ContentFile(data)) == "cat.jpg"
    assert stored(storage) == ["cat.jpg", "cat_large.jpg"]
    assert content_of(storage, "cat_large.jpg") == b"another's"


def test_with_the_naming_of_athumb_thumbs_are_replaced(make):
    storage = make(thumbs=THUMBS, naming="athumb")
    for data in (RED, BLUE):
        storage.save("cat.jpg", ContentFile(data))
    assert stored(storage) == ["cat.jpg", "cat_small.jpg", "cat_web.webp"]
    assert all(is_blue(image_in(storage, key)) for key in stored(storage))


def test_a_name_that_is_free_costs_no_more_than_a_listing(make_s3, requests_sent):
    storage = make_s3(thumbs=THUMBS, file_overwrite=True)
    storage.save("cat.jpg", ContentFile(RED))
    assert sorted(method for method, _ in requests_sent) == ["GET", "PUT", "PUT", "PUT"]


def test_the_signal_names_what_was_replaced(make, filled):
    heard = []

    def listen(name, **_):
        heard.append(name)

    thumbs_failed.connect(listen)
    try:
        make(thumbs=THUMBS, on_error="skip").save("cat.jpg", ContentFile(CUT_OFF))
    finally:
        thumbs_failed.disconnect(listen)
    assert heard == ["cat.jpg"]


def test_with_the_naming_of_athumb_a_file_that_is_no_image_takes_nothing_with_it(make):
    storage = make(thumbs=THUMBS, naming="athumb")
    for name in ("notes.txt", "notes_small.txt", "notes.txt"):
        storage.save(name, ContentFile(b"words"))
    assert stored(storage) == ["notes.txt", "notes_small.txt"]
