"""The settings, and that an override reaches them."""

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from athumb_storage import Thumb, ThumbSet, conf
from athumb_storage.storages import InMemoryThumbnailStorage
from athumb_storage.storages.options import StorageOptions
from tests.conftest import stored, upload


def test_without_a_setting_there_are_no_thumbs():
    assert conf.project_thumbs() == ThumbSet()


def test_an_override_reaches_the_thumbs_and_ends():
    assert conf.project_thumbs() == ThumbSet()
    with override_settings(ATHUMB_THUMBS={"admin": {"size": (80, 80), "crop": True}}):
        assert conf.project_thumbs() == ThumbSet({"admin": Thumb(size=(80, 80), crop=True)})
        with override_settings(ATHUMB_THUMBS=(("other", {"size": (9, 9)}),)):
            assert list(conf.project_thumbs()) == ["other"]
        assert list(conf.project_thumbs()) == ["admin"]
    assert conf.project_thumbs() == ThumbSet()


def test_they_are_for_every_image_of_a_storage_that_is_given_none_of_its_own():
    """Also for those that another library saves; a storage that says it has none stays without."""
    with override_settings(ATHUMB_THUMBS={"admin": {"size": (8, 8)}}):
        plain, without = InMemoryThumbnailStorage(), InMemoryThumbnailStorage(thumbs={})
        plain.save("avatars/cat.jpg", upload())
        without.save("avatars/cat.jpg", upload())
    assert stored(plain) == ["avatars/cat.jpg", "avatars/cat.jpg.thumbs/admin.jpg"]
    assert stored(without) == ["avatars/cat.jpg"]


def test_the_thumbs_are_read_once():
    with override_settings(ATHUMB_THUMBS={"admin": {"size": (80, 80)}}):
        assert conf.project_thumbs() is conf.project_thumbs()


def test_a_wrong_setting_is_named_with_thumb_and_option():
    with (
        override_settings(ATHUMB_THUMBS={"admin": {"size": (0, 80)}}),
        pytest.raises(ImproperlyConfigured, match=r"^ATHUMB_THUMBS: thumb 'admin': option 'size'"),
    ):
        conf.project_thumbs()


@pytest.mark.parametrize(
    ("value", "query"), [(42, "cbust=42"), ("v1", "cbust=v1"), ("a b&c", "cbust=a+b%26c"), ("", ""), (None, "")]
)
def test_the_cache_buster(value, query):
    with override_settings(MEDIA_CACHE_BUSTER=value):
        assert conf.cache_buster() == query
    assert conf.cache_buster() == ""


def test_other_settings_leave_them_alone():
    with override_settings(ATHUMB_THUMBS={"admin": {"size": (80, 80)}}):
        before = conf.project_thumbs()
        with override_settings(MEDIA_URL="/elsewhere/"):
            assert conf.project_thumbs() is before


@pytest.mark.parametrize("value", [1, 10**9, None])
def test_pixels_in_flight_are_those_of_the_setting(settings, value):
    assert StorageOptions().limits.pixels_in_flight == 48_000_000
    settings.ATHUMB_PIXELS_IN_FLIGHT = value
    assert StorageOptions().limits.pixels_in_flight == value


@pytest.mark.parametrize("value", [0, -5, "many", 2.5, True])
def test_a_wrong_number_of_pixels_in_flight_is_named(settings, value):
    settings.ATHUMB_PIXELS_IN_FLIGHT = value
    with pytest.raises(ImproperlyConfigured, match=r"^ATHUMB_PIXELS_IN_FLIGHT is .*a positive whole number or None"):
        StorageOptions()
