"""What a save stores."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.test import override_settings
from PIL import Image

from athumb_storage.contrib.testing.base import KEYS, THUMBS, Contract, MakeStorage
from athumb_storage.contrib.testing.files import colour_at, content_of, draw, image_in, noise, upload
from athumb_storage.contrib.testing.uploads import (
    KINDS,
    Kind,
    from_a_form,
    in_memory,
    in_several_reads,
    non_seekable,
    on_disk,
    temporary,
)


class SavingContract(Contract):
    """An original and its thumbs are stored together, whatever the upload comes as."""

    def test_a_save_stores_the_original_and_each_thumb_at_its_key(self, make_storage: MakeStorage) -> None:
        storage = make_storage(thumbs=THUMBS)
        data = draw((300, 200), color=(200, 30, 40))
        assert storage.save("cat.jpg", upload(data=data)) == "cat.jpg"
        assert self.stored(storage) == KEYS
        assert content_of(storage, "cat.jpg") == data
        found = {key: image_in(storage, key) for key in KEYS[1:]}
        assert [(image.size, image.format) for image in found.values()] == [
            ((30, 20), "JPEG"),
            ((20, 20), "JPEG"),
            ((40, 27), "WEBP"),
        ]
        for image in found.values():
            assert all(abs(a - b) < 8 for a, b in zip(colour_at(image, 9, 9), (200, 30, 40), strict=True))

    def test_a_crop_shows_the_part_it_names(self, make_storage: MakeStorage) -> None:
        image = Image.new("RGB", (200, 100), "red")
        image.paste("blue", (100, 0, 200, 100))
        output = io.BytesIO()
        image.save(output, "PNG")
        thumbs = {"l": {"size": (10, 10), "crop": "left"}, "r": {"size": (10, 10), "crop": "100% 0%"}}
        storage = make_storage(thumbs=thumbs)
        storage.save("two.png", ContentFile(output.getvalue()))
        assert colour_at(image_in(storage, "two.png.thumbs/l.png"), 1, 5) == (255, 0, 0)
        assert colour_at(image_in(storage, "two.png.thumbs/r.png"), 8, 5) == (0, 0, 255)

    def test_the_thumbs_lie_upright(self, make_storage: MakeStorage) -> None:
        exif = Image.Exif()
        exif[0x0112] = 6
        storage = make_storage(thumbs=THUMBS)
        storage.save("cat.jpg", upload(size=(300, 200), exif=exif))
        assert image_in(storage, "cat.jpg.thumbs/small.jpg").size == (20, 30)

    @pytest.fixture
    def folder(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """Where uploads lie that are files."""
        return tmp_path_factory.mktemp("uploads")

    @pytest.mark.parametrize("kind", KINDS)
    def test_content_of_every_kind(self, make_storage: MakeStorage, folder: Path, kind: Kind) -> None:
        data = draw((300, 200))
        storage = make_storage(thumbs=THUMBS)
        content = kind(data, folder)
        assert storage.save("cat.jpg", content) == "cat.jpg"
        content.close()
        assert self.stored(storage) == KEYS
        assert content_of(storage, "cat.jpg") == data
        assert image_in(storage, "cat.jpg.thumbs/small.jpg").size == (30, 20)

    @pytest.mark.parametrize("kind", [temporary, non_seekable, on_disk, in_several_reads])
    def test_content_larger_than_what_is_kept_in_memory(
        self, make_storage: MakeStorage, folder: Path, kind: Kind
    ) -> None:
        data = noise()
        storage = make_storage(thumbs=THUMBS)
        with override_settings(FILE_UPLOAD_MAX_MEMORY_SIZE=1000):
            content = kind(data, folder)
            storage.save("cat.jpg", content)
        content.close()
        assert self.stored(storage) == KEYS
        assert content_of(storage, "cat.jpg") == data

    @pytest.mark.parametrize("kind", [in_memory, from_a_form, on_disk])
    def test_content_that_can_be_read_again_stays_open(
        self, make_storage: MakeStorage, folder: Path, kind: Kind
    ) -> None:
        data = draw()
        content = kind(data, folder)
        make_storage(thumbs=THUMBS).save("cat.jpg", content)
        content.seek(0)
        assert content.read() == data
        content.close()

    @pytest.mark.parametrize("text", ["some text, Füße", ""])
    def test_text_is_stored_as_utf_8(self, make_storage: MakeStorage, text: str) -> None:
        storage = make_storage(thumbs=THUMBS)
        assert storage.save("notes.txt", ContentFile(text)) == "notes.txt"
        assert self.stored(storage) == ["notes.txt"]
        assert content_of(storage, "notes.txt") == text.encode()

    @pytest.mark.parametrize("name", ["nothing.jpg", "nothing"])
    def test_an_empty_file_is_stored_without_thumbs(self, make_storage: MakeStorage, name: str) -> None:
        storage = make_storage(thumbs=THUMBS)
        name = storage.save(name, ContentFile(b""))
        assert self.stored(storage) == [name]
        assert not storage.has_thumbs(name)
        assert content_of(storage, name) == b""
        with contextlib.suppress(NotImplementedError):  # not every storage tells sizes
            assert storage.size(name) == 0

    @pytest.mark.parametrize(
        "data", [b"%PDF-1.7 ...", b"BM is how this text begins", b"<svg/>", b"\xff", b"RIFF1234WAVE"]
    )
    def test_what_is_no_image_is_stored_as_it_is(self, make_storage: MakeStorage, data: bytes) -> None:
        storage = make_storage(thumbs=THUMBS)
        assert storage.save("named.pdf", ContentFile(data)) == "named.pdf"
        assert self.stored(storage) == ["named.pdf"]
        assert content_of(storage, "named.pdf") == data
        assert not storage.has_thumbs("named.pdf")

    def test_a_name_tells_whether_there_are_thumbs(self, make_storage: MakeStorage) -> None:
        storage = make_storage(thumbs=THUMBS)
        assert storage.save("text.jpg", ContentFile(b"text")) == "text.nothumbs.jpg"
        assert storage.save("text", ContentFile(b"text")) == "text"
        assert storage.save("image", upload(format="PNG")) == "image.png"
        assert storage.save("image.pdf", upload()) == "image.pdf.jpg"
        names = ["text.nothumbs.jpg", "text", "image.png", "image.pdf.jpg"]
        assert [storage.has_thumbs(name) for name in names] == [False, False, True, True]
        with_thumbs = [key for name in names[2:] for key in (name, *(storage.thumb_key(name, each) for each in THUMBS))]
        assert self.stored(storage) == sorted([*names[:2], *with_thumbs])

    @pytest.mark.parametrize("fmt", ["JPEG", "PNG", "GIF", "WEBP", "AVIF", "BMP", "TIFF"])
    def test_an_image_is_told_by_its_bytes_and_a_thumbs_format_by_the_name(
        self, make_storage: MakeStorage, fmt: str
    ) -> None:
        storage = make_storage(thumbs={"small": {"size": (30, 30)}})
        storage.save("cat.png", upload(format=fmt))
        assert self.stored(storage) == ["cat.png", "cat.png.thumbs/small.png"]
        assert image_in(storage, "cat.png.thumbs/small.png").format == "PNG"

    def test_a_taken_name_gets_another_and_the_thumbs_follow_it(self, make_storage: MakeStorage) -> None:
        storage = make_storage(thumbs={"small": {"size": (30, 30)}})
        first = storage.save("photos/cat.jpg", upload(color="red"))
        second = storage.save("photos/cat.jpg", upload(color="blue"))
        assert first == "photos/cat.jpg"
        assert re.fullmatch(r"photos/cat_\w{7}\.jpg", second)
        assert self.stored(storage) == sorted(
            [first, f"{first}.thumbs/small.jpg", second, f"{second}.thumbs/small.jpg"]
        )
        red, blue = (colour_at(image_in(storage, f"{name}.thumbs/small.jpg"), 5, 5) for name in (first, second))
        assert red[0] > 200 > 50 > red[2]
        assert blue[2] > 200 > 50 > blue[0]

    def test_a_shortened_name_has_its_thumbs(self, make_storage: MakeStorage) -> None:
        storage = make_storage(thumbs={"small": {"size": (30, 30)}})
        name = storage.save("photos/" + "c" * 50 + ".jpg", upload(), max_length=30)
        assert len(name) <= 30
        assert self.stored(storage) == [name, f"{name}.thumbs/small.jpg"]
        other = storage.save(name, upload(), max_length=30)
        assert len(other) <= 30
        assert other != name
        assert storage.exists(f"{other}.thumbs/small.jpg")
