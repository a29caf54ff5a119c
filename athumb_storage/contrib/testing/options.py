"""The options of a storage, the project's settings, and what a field adds."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from athumb_storage import UnknownThumb
from athumb_storage.contrib.testing.base import Contract, MakeStorage
from athumb_storage.contrib.testing.files import image_in, upload


class OptionsContract(Contract):
    """Thumbs come from the storage, the project and the field; a wrong option is named."""

    def test_the_projects_thumbs_are_those_of_a_storage_that_is_given_none(self, make_storage: MakeStorage) -> None:
        storage, own, none = make_storage(), make_storage(thumbs={"own": {"size": (9, 9)}}), make_storage(thumbs=())
        assert list(storage.thumbs) == []
        with override_settings(ATHUMB_THUMBS={"all": {"size": (30, 30)}}):
            assert [list(each.thumbs) for each in (storage, own, none)] == [["all"], ["own"], []]
            bound = storage.with_thumbs({"more": {"size": (8, 8)}})
            storage.save("cat.jpg", upload())
            bound.save("dog.jpg", upload())
            assert self.stored(storage) == [
                "cat.jpg",
                "cat.jpg.thumbs/all.jpg",
                "dog.jpg",
                "dog.jpg.thumbs/all.jpg",
                "dog.jpg.thumbs/more.jpg",
            ]
        with override_settings(ATHUMB_THUMBS=(("other", {"size": (30, 30)}),)):
            assert list(storage.thumbs) == ["other"]
            assert list(bound.thumbs) == ["other", "more"]
            assert "other.jpg" in bound.url_for_thumb("cat.jpg", "other")
            with pytest.raises(UnknownThumb):
                storage.url_for_thumb("cat.jpg", "all")
        with override_settings(ATHUMB_THUMBS=None):
            assert list(bound.thumbs) == ["more"]

    def test_wrong_thumbs_of_the_project_are_told_with_their_setting(self, make_storage: MakeStorage) -> None:
        wrong = {"all": {"size": (0, 30)}}
        with (
            override_settings(ATHUMB_THUMBS=wrong),
            pytest.raises(ImproperlyConfigured, match=r"ATHUMB_THUMBS.*'all'.*'size'"),
        ):
            make_storage().save("cat.jpg", upload())

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"thumbs": {"small": {"size": 30}}}, ["'thumbs'", "'small'", "'size'"]),
            ({"thumbs": {"small": {"size": (30, 30), "corp": True}}}, ["'thumbs'", "'small'", "'corp'"]),
            ({"thumbs": "small"}, ["'thumbs'", "'small'"]),
            ({"thumbs": 3}, ["'thumbs'", "3"]),
            ({"thumbs": {"a/b": {"size": (30, 30)}}}, ["'thumbs'", "'a/b'"]),
            ({"naming": "thumbor"}, ["'naming'", "'thumbor'", "folder, athumb"]),
            ({"naming": object()}, ["'naming'", "key, prefix and original"]),
            ({"fallback_format": "tga"}, ["'fallback_format'", "'tga'", "JPEG"]),
        ],
    )
    def test_a_wrong_option_is_named(
        self, make_storage: MakeStorage, options: dict[str, Any], words: list[str]
    ) -> None:
        with pytest.raises(ImproperlyConfigured) as caught:
            make_storage(**options)
        for word in words:
            assert word in str(caught.value)

    def test_an_option_that_does_not_exist_is_refused_as_before(self, make_storage: MakeStorage) -> None:
        with pytest.raises((TypeError, ImproperlyConfigured), match="no_such_option"):
            make_storage(no_such_option=1)

    def test_a_storages_thumbs_are_overlaid_with_those_of_a_field(self, make_storage: MakeStorage) -> None:
        storage = make_storage(thumbs={"small": {"size": (30, 30)}, "big": {"size": (90, 90)}})
        bound = storage.with_thumbs({"small": {"size": (10, 10)}, "new": {"size": (8, 8)}})
        assert list(bound.thumbs) == ["small", "big", "new"]
        bound.save("cat.jpg", upload())
        assert image_in(storage, "cat.jpg.thumbs/small.jpg").size == (10, 7)
        assert image_in(storage, "cat.jpg.thumbs/big.jpg").size == (90, 60)
        assert storage.thumbs["small"].size == (30, 30)
        assert bound.unbound is storage
        assert storage.unbound is storage
        again = bound.with_thumbs({"other": {"size": (7, 7)}})
        assert list(again.thumbs) == ["small", "big", "other"]
        assert again.unbound is storage
