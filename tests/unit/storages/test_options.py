"""The limits and the allow list as options of a storage."""

from __future__ import annotations

from typing import get_args

import pytest
from botocore.config import Config
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile
from PIL import Image

from athumb_storage import ImageLimitExceeded, Thumb
from athumb_storage.formats import MIME_TYPES
from athumb_storage.naming import NAMINGS
from athumb_storage.rendering import heic, readable_formats
from athumb_storage.storages import InMemoryThumbnailStorage, S3ThumbnailStorage
from athumb_storage.storages.options import ON_ERROR, OPTIONS, NamingWord, OnError, StorageOptions, StorageOptionsDict
from athumb_storage.storages.s3.options import S3OptionsDict
from tests.conftest import draw, stored, upload

ONE = {"small": {"size": (9, 9)}}
IMAGE = draw((30, 20))


@pytest.mark.parametrize("option", ["max_pixels", "max_frames", "max_bytes", "time_budget"])
def test_a_wrong_limit_is_told_with_its_storage(make_storage, option):
    for value in (0, -1, "7", True, [], float("nan"), float("inf")):
        with pytest.raises(ImproperlyConfigured, match=rf"^\w+ThumbnailStorage: .*{option}"):
            make_storage(**{option: value})


@pytest.mark.parametrize("option", ["max_pixels", "max_frames", "max_bytes"])
def test_what_is_counted_is_whole(make_storage, option):
    with pytest.raises(ImproperlyConfigured, match=option):
        make_storage(**{option: 7.5})


AT_THE_LIMIT = {
    "max_pixels": (IMAGE, 600, 599),
    "max_bytes": (IMAGE, len(IMAGE), len(IMAGE) - 1),
    "time_budget": (IMAGE, 60, 1e-9),
}


@pytest.mark.parametrize("thumbs", [ONE, {}], ids=["thumbs", "no thumbs"])
@pytest.mark.parametrize(("option", "case"), AT_THE_LIMIT.items(), ids=AT_THE_LIMIT)
def test_a_limit_holds_for_whatever_is_saved(make_storage, thumbs, option, case):
    data, enough, too_little = case
    make_storage(**{option: enough}).with_thumbs(thumbs, images_only=True).save("cat.jpg", ContentFile(data))
    make_storage(**{option: None}).with_thumbs(thumbs, images_only=True).save("cat.jpg", ContentFile(data))
    storage = make_storage(**{option: too_little}).with_thumbs(thumbs, images_only=True)
    before = stored(storage)
    with pytest.raises(ImageLimitExceeded, match=rf"'dog\.jpg'.*\({option}\)"):
        storage.save("dog.jpg", ContentFile(data))
    with pytest.raises(ImageLimitExceeded, match=option):
        storage.check_image(upload(data=data))
    assert stored(storage) == before


@pytest.mark.parametrize(("option", "case"), AT_THE_LIMIT.items(), ids=AT_THE_LIMIT)
def test_a_limit_holds_when_thumbs_are_generated_again(make_storage, option, case):
    data, enough, too_little = case
    storage = make_storage()
    storage.save("cat.jpg", ContentFile(data))
    for value in (enough, too_little):
        storage.options = StorageOptions(**{option: value})
        bound = storage.with_thumbs(ONE)
        if value == enough:
            assert bound.generate_thumbs("cat.jpg") == {"small": "cat.jpg.thumbs/small.jpg"}
            continue
        with pytest.raises(ImageLimitExceeded, match=rf"'cat\.jpg'.*\({option}\)"):
            bound.generate_thumbs("cat.jpg")


def test_a_plain_file_has_no_limit(make_storage):
    storage = make_storage(thumbs=ONE, max_bytes=5)
    assert storage.save("note.txt", ContentFile(b"a long text")) == "note.txt"


def test_pillows_own_limit_is_as_it_was(make_storage):
    before = Image.MAX_IMAGE_PIXELS
    for limit in (10, 10**9, None):
        storage = make_storage(thumbs=ONE, max_pixels=limit, on_error="skip")
        storage.save("cat.jpg", ContentFile(IMAGE))
        assert before == Image.MAX_IMAGE_PIXELS


def test_all_the_formats_are_allowed_unless_it_is_said(make_storage):
    assert make_storage().options.allowed_formats == readable_formats()


def test_heic_is_allowed_where_it_can_be_read(make_storage, monkeypatch):
    monkeypatch.setattr(heic, "can_read_heic", lambda: True)
    assert make_storage().options.allowed_formats == set(MIME_TYPES)
    assert make_storage(allowed_formats=["heic"]).options.allowed_formats == {"HEIC"}
    monkeypatch.setattr(heic, "can_read_heic", lambda: False)
    assert make_storage().options.allowed_formats == set(MIME_TYPES) - {"HEIC"}
    with pytest.raises(ImproperlyConfigured, match=r"'allowed_formats': .*pip install \"athumb-storage\[heif\]\""):
        make_storage(allowed_formats=["JPEG", "HEIC"])


def test_no_thumb_is_written_as_heic(make_storage):
    with pytest.raises(ImproperlyConfigured, match="'fallback_format': 'HEIC' is none of"):
        make_storage(fallback_format="HEIC")
    with pytest.raises(ValueError, match="HEIC"):
        Thumb(size=(9, 9), format="HEIC")


@pytest.mark.parametrize("spelling", [["jpeg"], ["JPG"], ("Jpeg",), {"jpg", "JPEG"}])
def test_a_format_may_be_spelled_as_one_likes(spelling):
    assert InMemoryThumbnailStorage(allowed_formats=spelling).options.allowed_formats == {"JPEG"}


def test_no_format_may_be_allowed(make_storage):
    storage = make_storage(thumbs=ONE, allowed_formats=[])
    storage.save("cat.jpg", ContentFile(IMAGE))
    assert stored(storage) == ["cat.jpg"]


@pytest.mark.parametrize("formats", [["EPS"], ["JPEG", "psd"], "JPEG", ["svg"], [""]], ids=str)
def test_a_format_that_is_not_known_is_told(make_storage, formats):
    with pytest.raises(ImproperlyConfigured, match=r"^\w+ThumbnailStorage: option 'allowed_formats': "):
        make_storage(allowed_formats=formats)


def test_there_is_one_client_for_whatever_settings(make_s3):
    """botocore fills in what a Config leaves out when a client is made of it."""
    retries = {"total_max_attempts": 7}  # nobody else asks for so many
    storage = make_s3(client_config=Config(retries=retries))
    assert storage.client is storage.client
    assert make_s3(client_config=Config(retries={"total_max_attempts": 7})).client is storage.client
    assert retries == {"total_max_attempts": 7}


# What type checkers are told


def test_the_types_name_the_options_there_are():
    assert tuple(StorageOptionsDict.__annotations__) == OPTIONS
    of_django_storages = S3ThumbnailStorage(bucket_name="media").get_default_settings()
    assert {*S3OptionsDict.__annotations__} == {*OPTIONS, *of_django_storages, "cloudfront_signer"}


def test_the_types_name_the_words_there_are():
    assert get_args(OnError) == ON_ERROR
    assert {*get_args(NamingWord)} == {*NAMINGS}
