"""What becomes of thumbs that are generated again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from django.core.files.base import ContentFile

from athumb_storage import Thumb, UnknownThumb, UploadedImageIsUnreadableError
from athumb_storage.contrib.testing.base import KEYS, THUMBS, Contract, MakeStorage
from athumb_storage.contrib.testing.files import content_of, image_in, noise, upload


class GeneratingContract(Contract):
    """Thumbs are generated again where they were."""

    def test_generate_thumbs_stores_them_at_the_same_keys(self, make_storage: MakeStorage) -> None:
        storage = make_storage(thumbs=THUMBS)
        storage.save("cat.jpg", upload())
        before = {key: content_of(storage, key) for key in KEYS}
        storage.delete("cat.jpg.thumbs/small.jpg")
        assert storage.generate_thumbs("cat.jpg") == dict(zip(THUMBS, KEYS[1:], strict=True))
        assert {key: content_of(storage, key) for key in self.stored(storage)} == before

    def test_generate_thumbs_after_the_thumbs_have_changed(self, make_storage: MakeStorage) -> None:
        storage = make_storage(thumbs={"small": {"size": (30, 30)}})
        later = make_storage(thumbs={"small": {"size": (15, 15)}, "big": {"size": (60, 60)}})
        storage.save("cat.jpg", upload())
        later.generate_thumbs("cat.jpg")
        assert self.stored(storage) == ["cat.jpg", "cat.jpg.thumbs/big.jpg", "cat.jpg.thumbs/small.jpg"]
        assert image_in(storage, "cat.jpg.thumbs/small.jpg").size == (15, 10)
        assert image_in(storage, "cat.jpg.thumbs/big.jpg").size == (60, 40)

    @pytest.mark.parametrize("only", ["square", Thumb(**THUMBS["square"])], ids=["name", "Thumb"])
    @pytest.mark.parametrize("kind", [list, iter])
    def test_generate_only_some_thumbs(
        self, make_storage: MakeStorage, only: str | Thumb, kind: Callable[[list[Any]], Iterable[Any]]
    ) -> None:
        storage = make_storage(thumbs=THUMBS)
        storage.save("cat.jpg", upload())
        storage.delete_thumbs("cat.jpg")
        assert storage.generate_thumbs("cat.jpg", only=kind([only])) == {"square": KEYS[2]}
        assert self.stored(storage) == ["cat.jpg", KEYS[2]]

    def test_generate_no_thumbs(self, make_storage: MakeStorage) -> None:
        storage = make_storage(thumbs=THUMBS)
        storage.save("cat.jpg", upload())
        storage.delete_thumbs("cat.jpg")
        assert storage.generate_thumbs("cat.jpg", only=[]) == {}
        assert self.stored(storage) == ["cat.jpg"]

    def test_generate_an_unknown_thumb(self, make_storage: MakeStorage) -> None:
        storage = make_storage(thumbs=THUMBS)
        storage.save("cat.jpg", upload())
        with pytest.raises(UnknownThumb, match=r"'huge'.*'small', 'square', 'web'"):
            storage.generate_thumbs("cat.jpg", only=["small", "huge"])

    def test_generate_for_an_original_that_is_missing(self, make_storage: MakeStorage) -> None:
        storage = make_storage(thumbs=THUMBS)
        with pytest.raises(FileNotFoundError):
            storage.generate_thumbs("absent.jpg")
        assert self.stored(storage) == []

    def test_generate_for_what_is_no_image(self, make_storage: MakeStorage) -> None:
        storage = make_storage(thumbs=THUMBS)
        storage.save("notes.txt", ContentFile(b"some text"))
        assert storage.generate_thumbs("notes.txt") == {}
        with pytest.raises(UploadedImageIsUnreadableError, match=r"notes\.txt"):
            storage.with_thumbs({}, images_only=True).generate_thumbs("notes.txt")
        assert self.stored(storage) == ["notes.txt"]

    def test_generate_for_an_image_that_cannot_be_decoded(self, make_storage: MakeStorage) -> None:
        storage = make_storage(thumbs={})
        data = noise()
        storage.save("cat.jpg", ContentFile(data[: len(data) // 2]))
        with pytest.raises(UploadedImageIsUnreadableError, match=r"cat\.jpg"):
            storage.with_thumbs(THUMBS).generate_thumbs("cat.jpg")
        assert self.stored(storage) == ["cat.jpg"]
