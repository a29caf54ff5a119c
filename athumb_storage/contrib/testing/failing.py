"""What is refused, and what is left of a save that fails."""

from __future__ import annotations

import pytest
from django.core.exceptions import SuspiciousFileOperation, SuspiciousOperation
from django.core.files.base import ContentFile

from athumb_storage import RenderingError, UploadedImageIsUnreadableError, UploadFailed
from athumb_storage.contrib.testing.base import KEYS, THUMBS, Contract, MakeStorage
from athumb_storage.contrib.testing.files import colour_at, content_of, draw, image_in, noise, upload
from athumb_storage.specs import Variant


class Outside:
    """A naming that puts one thumb outside of the storage."""

    def key(self, name: str, variant: Variant) -> str:
        folder = "../outside" if variant.thumb_name == "web" else f"{name}.thumbs"
        return f"{folder}/{variant.thumb_name}.{variant.extension}"

    def prefix(self, name: str) -> str:
        return f"{name}.thumbs/"

    def original(self, key: str) -> None:
        return None


class FailingContract(Contract):
    """A save that is refused, or fails, leaves the storage as it was."""

    @pytest.mark.parametrize("data", [b"%PDF-1.7 ...", b""])
    def test_what_is_no_image_is_refused_where_only_images_are_wanted(
        self, make_storage: MakeStorage, data: bytes
    ) -> None:
        storage = make_storage().with_thumbs(THUMBS, images_only=True)
        with pytest.raises(UploadedImageIsUnreadableError, match=r"photos/cat\.jpg"):
            storage.save("photos/cat.jpg", ContentFile(data))
        assert self.stored(storage) == []

    def test_what_is_no_image_is_refused_even_where_there_are_no_thumbs(self, make_storage: MakeStorage) -> None:
        storage = make_storage().with_thumbs({}, images_only=True)
        with pytest.raises(UploadedImageIsUnreadableError):
            storage.save("cat.jpg", ContentFile(b"no image"))
        assert self.stored(storage) == []
        storage.save("cat.jpg", upload())
        assert self.stored(storage) == ["cat.jpg"]

    @pytest.mark.parametrize("images_only", [True, False])
    @pytest.mark.parametrize("fmt", ["JPEG", "PNG", "WEBP"])
    def test_an_image_that_cannot_be_decoded_is_refused_and_nothing_is_stored(
        self, make_storage: MakeStorage, images_only: bool, fmt: str
    ) -> None:
        storage = make_storage().with_thumbs(THUMBS, images_only=images_only)
        data = noise(fmt=fmt)
        with pytest.raises(UploadedImageIsUnreadableError, match=r"photos/cat\.jpg"):
            storage.save("photos/cat.jpg", ContentFile(data[: len(data) // 2]))
        assert self.stored(storage) == []

    def test_an_image_is_checked_without_being_stored(self, make_storage: MakeStorage) -> None:
        storage = make_storage(thumbs=THUMBS)
        data = draw((300, 200))
        content = upload(data=data)
        content.seek(7)
        assert storage.check_image(content).size == (300, 200)
        assert content.tell() == 0
        assert content.read() == data
        assert self.stored(storage) == []

    @pytest.mark.parametrize("fmt", [None, "JPEG", "PNG", "WEBP"])
    def test_a_check_refuses_what_a_save_would_refuse(self, make_storage: MakeStorage, fmt: str | None) -> None:
        data = noise(fmt=fmt) if fmt else b"text, and not much of it"
        storage = make_storage(thumbs=THUMBS)
        with pytest.raises(UploadedImageIsUnreadableError):
            storage.check_image(upload(data=data[: len(data) // 2]))
        assert self.stored(storage) == []

    def test_a_refused_image_leaves_its_namesake_alone(self, make_storage: MakeStorage) -> None:
        storage = make_storage(thumbs=THUMBS)
        data = noise()
        storage.save("cat.jpg", ContentFile(data))
        with pytest.raises(UploadedImageIsUnreadableError):
            storage.save("cat.jpg", ContentFile(data[: len(data) // 2]))
        assert self.stored(storage) == KEYS
        assert content_of(storage, "cat.jpg") == data

    def test_a_name_that_cannot_be_made_short_enough_is_refused(self, make_storage: MakeStorage) -> None:
        storage = make_storage(thumbs=THUMBS)
        storage.save("cat.jpg", upload())
        with pytest.raises(SuspiciousFileOperation):
            storage.save("cat.jpg", upload(), max_length=7)
        assert self.stored(storage) == KEYS

    def test_a_thumb_that_cannot_be_stored_leaves_nothing_behind(self, make_storage: MakeStorage) -> None:
        storage = make_storage(thumbs=THUMBS)
        storage.save("other.txt", ContentFile(b"other"))
        with (
            self.thumbs_cannot_be_written(storage, "the disk is full", "web.webp"),
            pytest.raises(UploadFailed, match=r"photos/cat\.jpg.*the disk is full") as caught,
        ):
            storage.save("photos/cat.jpg", upload())
        assert caught.value.name == "photos/cat.jpg"
        assert caught.value.left_behind == ()
        assert isinstance(caught.value.__cause__, OSError)
        assert self.stored(storage) == ["other.txt"]
        assert storage.save("photos/cat.jpg", upload()) == "photos/cat.jpg"

    def test_a_failed_save_leaves_its_namesake_alone(self, make_storage: MakeStorage) -> None:
        storage = make_storage(thumbs=THUMBS)
        storage.save("cat.jpg", upload())
        with self.thumbs_cannot_be_written(storage, "the disk is full"), pytest.raises(UploadFailed):
            storage.save("cat.jpg", upload(color="blue"))
        assert self.stored(storage) == KEYS
        assert colour_at(image_in(storage, "cat.jpg"), 5, 5)[0] > 200

    def test_a_key_outside_of_the_storage_is_refused_and_nothing_is_left_behind(
        self, make_storage: MakeStorage
    ) -> None:
        if self.options_with_an_outside is None:
            pytest.skip("this storage has no outside")
        storage = make_storage(thumbs=THUMBS, naming=Outside(), **self.options_with_an_outside)
        with pytest.raises(SuspiciousOperation):
            storage.save("cat.jpg", upload())
        assert self.stored(storage) == []

    def test_a_thumb_that_cannot_be_written_in_its_format_leaves_nothing_behind(
        self, make_storage: MakeStorage
    ) -> None:
        storage = make_storage(thumbs=THUMBS)
        with (
            self.format_cannot_be_written("WEBP"),
            pytest.raises(RenderingError, match=r"cat\.jpg.*web.*WEBP"),
        ):
            storage.save("cat.jpg", upload())
        assert self.stored(storage) == []

    def test_what_could_not_be_removed_again_is_told_and_logged(
        self, make_storage: MakeStorage, caplog: pytest.LogCaptureFixture
    ) -> None:
        storage = make_storage(thumbs={"small": {"size": (30, 30)}})
        with (
            self.thumbs_cannot_be_written(storage, "the disk is gone"),
            self.nothing_can_be_removed(storage, "the disk is gone"),
            pytest.raises(UploadFailed, match=r"left behind: .*cat\.jpg") as caught,
        ):
            storage.save("cat.jpg", upload())
        assert "cat.jpg" in caught.value.left_behind
        records = [record for record in caplog.records if record.name == "athumb_storage"]
        assert {record.levelname for record in records} == {"ERROR"}
        assert any(record.getMessage().endswith(" cat.jpg") for record in records)

    @pytest.mark.parametrize(
        "name",
        [
            "cat.jpg.thumbs/large.jpg",
            "photos/cat.jpg.thumbs/nobody",
            "photos\\cat.jpg.thumbs\\large.jpg",
            "cat.jpg.thumbs/./large.jpg",
            "cat.jpg.thumbs//large.jpg",
            "./cat.jpg.thumbs/large.jpg",
        ],
    )
    @pytest.mark.parametrize("data", [b"text", draw()], ids=["text", "image"])
    def test_a_name_like_that_of_a_thumb_is_refused(self, make_storage: MakeStorage, name: str, data: bytes) -> None:
        storage = make_storage(thumbs=THUMBS)
        with pytest.raises(SuspiciousFileOperation, match="thumb"):
            storage.save(name, ContentFile(data))
        assert self.stored(storage) == []
