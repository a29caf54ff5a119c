"""What is stored of an original that is bounded."""

from __future__ import annotations

from typing import Any, cast

import pytest
from django.core.exceptions import ImproperlyConfigured
from PIL import Image

from athumb_storage import ImageLimitExceeded, Thumb, UploadedImageIsUnreadableError
from athumb_storage.contrib.testing.base import Contract, MakeStorage
from athumb_storage.contrib.testing.files import colour_at, content_of, draw, image_in, upload
from athumb_storage.contrib.testing.variants import animation

BOUND: dict[str, Any] = {"size": (120, 120)}
THUMBS: dict[str, Any] = {"small": {"size": (30, 30)}}


def exif(orientation: int) -> Image.Exif:
    """What a camera notes: that it was turned, and where it was."""
    data = Image.Exif()
    data[0x0112] = orientation
    data.get_ifd(0x8825)[1] = "N"
    return data


class OriginalsContract(Contract):
    """With `original=`, no more is stored than it says, and nothing of where and by whom a photo was taken."""

    def test_a_large_original_is_stored_smaller_upright_and_clean(self, make_storage: MakeStorage) -> None:
        storage = make_storage(thumbs=THUMBS, original=BOUND)
        assert storage.save("cat.jpg", upload(size=(300, 200), exif=exif(6))) == "cat.jpg"
        assert self.stored(storage) == ["cat.jpg", "cat.jpg.thumbs/small.jpg"]
        image = image_in(storage, "cat.jpg")
        assert (image.format, image.size, dict(image.getexif())) == ("JPEG", (80, 120), {})
        assert image_in(storage, "cat.jpg.thumbs/small.jpg").size == (20, 30)

    def test_a_small_and_clean_original_is_stored_byte_for_byte(self, make_storage: MakeStorage) -> None:
        storage = make_storage(thumbs=THUMBS, original=BOUND)
        for fmt in ("JPEG", "PNG", "GIF", "WEBP", "BMP", "AVIF"):
            name, data = f"cat.{fmt.lower()}", draw((120, 90), format=fmt)
            assert storage.save(name, upload(data=data)) == name
            assert content_of(storage, name) == data

    def test_a_small_original_loses_its_metadata_and_no_pixel(self, make_storage: MakeStorage) -> None:
        storage = make_storage(thumbs=THUMBS, original=BOUND)
        data = draw((90, 60), exif=exif(6))
        storage.save("cat.jpg", upload(data=data))
        image = image_in(storage, "cat.jpg")
        assert dict(image.getexif()) == {0x0112: 6}
        assert content_of(storage, "cat.jpg")[-200:] == data[-200:]
        assert image_in(storage, "cat.jpg.thumbs/small.jpg").size == (20, 30)

    @pytest.mark.parametrize("fmt", ["TIFF", "AVIF"])
    def test_what_cannot_be_stripped_is_written_anew(self, make_storage: MakeStorage, fmt: str) -> None:
        storage = make_storage(thumbs=THUMBS, original=BOUND)
        name = f"cat.{fmt.lower()}"
        storage.save(name, upload(size=(90, 60), format=fmt, exif=exif(1)))
        image = image_in(storage, name)
        assert (image.format, image.size, "exif" in image.info) == (fmt, (90, 60), False)
        assert 0x8825 not in image.getexif()

    @pytest.mark.parametrize(
        ("name", "fmt", "original", "stored_name", "stored_fmt"),
        [
            ("cat.png", "PNG", {"format": "WEBP"}, "cat.webp", "WEBP"),
            ("cat.jpg", "PNG", {}, "cat.png", "PNG"),
            ("photos/cat", "JPEG", {}, "photos/cat.jpg", "JPEG"),
            ("cat.v2", "JPEG", {}, "cat.v2.jpg", "JPEG"),
            ("cat.JPEG", "JPEG", {}, "cat.JPEG", "JPEG"),
            ("cat.jfif", "JPEG", {"format": "jpg"}, "cat.jfif", "JPEG"),
            ("cat.png", "JPEG", {"format": "JPEG", "quality": 50}, "cat.jpg", "JPEG"),
        ],
    )
    @pytest.mark.parametrize("size", [(90, 60), (300, 200)])
    def test_the_stored_name_has_the_extension_of_its_bytes(
        self,
        make_storage: MakeStorage,
        name: str,
        fmt: str,
        original: dict[str, Any],
        stored_name: str,
        stored_fmt: str,
        size: tuple[int, int],
    ) -> None:
        storage = make_storage(thumbs=THUMBS, original={**BOUND, **original})
        assert storage.save(name, upload(size=size, format=fmt)) == stored_name
        extension = "webp" if stored_fmt == "WEBP" else stored_fmt.lower().replace("jpeg", "jpg")
        assert self.stored(storage) == [stored_name, f"{stored_name}.thumbs/small.{extension}"]
        assert image_in(storage, stored_name).format == stored_fmt
        assert max(image_in(storage, stored_name).size) == min(size[0], 120)

    def test_a_name_that_is_taken_with_its_new_extension_gets_another(self, make_storage: MakeStorage) -> None:
        storage = make_storage(thumbs=THUMBS, original={**BOUND, "format": "WEBP"})
        first = storage.save("cat.jpg", upload(color="red"))
        second = storage.save("cat.png", upload(color="blue"))
        third = storage.save("c.jpg", upload(), max_length=6)
        assert first == "cat.webp"
        assert second.startswith("cat_")
        assert second.endswith(".webp")
        assert third == "c.webp"
        red, blue = (colour_at(image_in(storage, name), 5, 5) for name in (first, second))
        assert red[0] > 200 > 50 > red[2]
        assert blue[2] > 200 > 50 > blue[0]

    def test_the_thumbs_are_the_same_when_they_are_generated_again(self, make_storage: MakeStorage) -> None:
        storage = make_storage(thumbs=THUMBS, original={**BOUND, "quality": 30})
        storage.save("cat.jpg", upload(size=(300, 200), exif=exif(8)))
        before = content_of(storage, "cat.jpg.thumbs/small.jpg")
        storage.generate_thumbs("cat.jpg")
        assert content_of(storage, "cat.jpg.thumbs/small.jpg") == before

    def test_an_animation_keeps_moving_or_is_refused(self, make_storage: MakeStorage) -> None:
        storage = make_storage(thumbs=THUMBS, original=BOUND)
        storage.save("cat.gif", upload(data=animation((300, 200))))
        image = cast(Any, image_in(storage, "cat.gif"))
        assert (image.format, image.size, image.n_frames) == ("GIF", (120, 80), 3)
        small = animation((90, 60))
        storage.save("small.gif", upload(data=small))
        assert content_of(storage, "small.gif") == small
        storage = make_storage(thumbs=THUMBS, original=BOUND, max_animation_pixels=1000)
        with pytest.raises(ImageLimitExceeded, match=r"dog\.gif.*max_animation_pixels"):
            storage.save("dog.gif", upload(data=animation((300, 200))))

    def test_a_storage_without_thumbs_bounds_as_well(self, make_storage: MakeStorage) -> None:
        storage = make_storage(thumbs={}, original=BOUND)
        storage.save("cat.jpg", upload(size=(300, 200)))
        assert image_in(storage, "cat.jpg").size == (120, 80)
        assert self.stored(storage) == ["cat.jpg"]

    def test_a_view_bounds_in_its_own_way(self, make_storage: MakeStorage) -> None:
        storage = make_storage(original=BOUND)
        storage.with_thumbs(THUMBS, original={"size": (None, 20)}).save("cat.jpg", upload(size=(300, 200)))
        storage.with_thumbs(THUMBS).save("dog.jpg", upload(size=(300, 200)))
        assert image_in(storage, "cat.jpg").size == (30, 20)
        assert image_in(storage, "dog.jpg").size == (120, 80)

    def test_an_original_that_cannot_be_decoded_is_refused(self, make_storage: MakeStorage) -> None:
        storage = make_storage(thumbs=THUMBS, original=BOUND, on_error="skip")
        with pytest.raises(UploadedImageIsUnreadableError, match=r"cat\.jpg"):
            storage.save("cat.jpg", upload(data=draw((300, 200), exif=exif(1))[:400]))
        assert self.stored(storage) == []

    @pytest.mark.parametrize(
        ("original", "words"),
        [
            ({"format": "JPEG"}, "'size' is missing"),
            ({"size": (9, 9), "crop": True}, "'crop' is unknown; the options are size, format, quality, encoder"),
            ({"size": (9, 0)}, "'size'"),
            ({"size": (9, 9), "format": ("WEBP", "JPEG")}, "'format'.*not WEBP, JPEG"),
            ({"size": (9, 9), "quality": 0}, "'quality'"),
            ((9, 9), "mapping of options"),
            (Thumb(size=(9, 9)), "mapping of options"),
        ],
    )
    def test_a_wrong_bound_is_named(self, make_storage: MakeStorage, original: Any, words: str) -> None:
        with pytest.raises(ImproperlyConfigured, match=f"option 'original': .*{words}"):
            make_storage(original=original)
