"""What is deleted with an original."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from django.core.files.base import ContentFile

from athumb_storage.contrib.testing.base import KEYS, THUMBS, Contract, MakeStorage
from athumb_storage.contrib.testing.files import upload


class DeletingContract(Contract):
    """An original goes with all its thumbs, and with nothing else."""

    def test_delete_removes_the_original_and_all_its_thumbs(self, make_storage: MakeStorage) -> None:
        storage = make_storage(thumbs=THUMBS)
        storage.save("photos/cat.jpg", upload())
        storage.save("photos/cat.jpg2.jpg", upload())
        storage.save("photos/dog.jpg", upload())
        storage.delete("photos/cat.jpg")
        assert self.stored(storage) == [
            *(
                f"photos/cat.jpg2.jpg{end}"
                for end in ("", ".thumbs/small.jpg", ".thumbs/square.jpg", ".thumbs/web.webp")
            ),
            *(f"photos/dog.jpg{end}" for end in ("", ".thumbs/small.jpg", ".thumbs/square.jpg", ".thumbs/web.webp")),
        ]

    @pytest.mark.parametrize("after", [{"small": {"size": (30, 30)}}, {"new": {"size": (5, 5)}}, {}])
    def test_delete_removes_thumbs_that_are_configured_no_more(
        self, make_storage: MakeStorage, after: dict[str, Any]
    ) -> None:
        storage, later = make_storage(thumbs=THUMBS), make_storage(thumbs=after)
        storage.save("cat.jpg", upload())
        later.delete("cat.jpg")
        unknown = [key for thumb, key in zip(THUMBS, KEYS[1:], strict=True) if thumb not in after]
        assert self.stored(storage) == ([] if self.can_list(storage) else unknown)

    def test_delete_leaves_what_others_stored_nearby(self, make_storage: MakeStorage) -> None:
        storage = make_storage(thumbs=THUMBS)
        storage.save("cat.jpg.thumbs/photos/dog.jpg", upload())
        before = self.stored(storage)
        storage.save("cat.jpg", upload())
        storage.delete("cat.jpg")
        assert self.stored(storage) == before

    def test_the_original_and_its_thumbs_exist_until_they_are_deleted(self, make_storage: MakeStorage) -> None:
        storage = make_storage(thumbs=THUMBS)
        assert [key for key in KEYS if storage.exists(key)] == []
        storage.save("cat.jpg", upload())
        assert [key for key in KEYS if storage.exists(key)] == KEYS
        storage.delete("cat.jpg")
        assert [key for key in KEYS if storage.exists(key)] == []

    def test_delete_of_nothing_is_no_error(self, make_storage: MakeStorage) -> None:
        storage = make_storage(thumbs=THUMBS)
        storage.save("cat.jpg", upload())
        storage.delete("absent.jpg")
        storage.delete_thumbs("absent.jpg")
        assert self.stored(storage) == KEYS

    def test_delete_thumbs_leaves_the_original(self, make_storage: MakeStorage) -> None:
        storage = make_storage(thumbs=THUMBS)
        storage.save("cat.jpg", upload())
        storage.delete_thumbs("cat.jpg")
        assert self.stored(storage) == ["cat.jpg"]

    def test_delete_with_the_naming_of_athumb_removes_what_is_configured(self, make_storage: MakeStorage) -> None:
        storage = make_storage(thumbs=THUMBS, naming="athumb")
        storage.save("cat.jpg", upload())
        storage.save("cat_small2.txt", ContentFile(b"another original"))
        storage.delete("cat.jpg")
        assert self.stored(storage) == ["cat_small2.txt"]

    @pytest.mark.parametrize("name", ["", None])
    def test_delete_without_a_name_deletes_nothing(self, make_storage: MakeStorage, name: Any) -> None:
        storage = make_storage(thumbs=THUMBS)
        storage.save("cat.jpg", upload())
        with contextlib.suppress(Exception):  # most storages say that there is no name
            storage.delete(name)
        assert self.stored(storage) == KEYS
