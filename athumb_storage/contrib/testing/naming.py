"""How thumbs are called, where they are stored, and their URLs."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from django.core.exceptions import SuspiciousFileOperation

from athumb_storage import Thumb, UnknownThumb
from athumb_storage.contrib.testing.base import KEYS, THUMBS, Contract, MakeStorage
from athumb_storage.contrib.testing.files import colour_at, content_of, image_in, upload
from athumb_storage.specs import Variant


def keeping_names(storage: Any) -> Any:
    """The same, as a field of images has it: a name tells nothing of what the file is."""
    return storage.with_thumbs({}, images_only=True)


class Elsewhere:
    """A project's own naming: all thumbs in one folder."""

    def key(self, name: str, variant: Variant) -> str:
        return f"thumbs/{variant.thumb.size[0]}/{name}/{variant.thumb_name}.{variant.extension}"

    def prefix(self, name: str) -> None:
        return None

    def original(self, key: str) -> str | None:
        parts = key.split("/")
        return "/".join(parts[2:-1]) if parts[0] == "thumbs" and len(parts) > 3 else None


class NamingContract(Contract):
    """Key, format and URL of a thumb follow from the original's name, and each file is where they say."""

    def test_a_thumb_is_named_or_given(self, make_storage: MakeStorage) -> None:
        storage = make_storage(thumbs=THUMBS)
        for thumb, key in [
            ("small", KEYS[1]),
            (Thumb(size=(20, 20), crop="center"), KEYS[2]),
            (THUMBS["web"], KEYS[3]),
        ]:
            assert storage.thumb_key("cat.jpg", thumb) == key
            assert unquote(urlsplit(storage.url_for_thumb("cat.jpg", thumb)).path).endswith(key)

    @pytest.mark.parametrize("thumb", ["huge", "", "Small", Thumb(size=(31, 30))], ids=str)
    def test_an_unknown_thumb_is_an_error_that_lists_those_that_are_known(
        self, make_storage: MakeStorage, thumb: str | Thumb
    ) -> None:
        storage = make_storage(thumbs=THUMBS)
        for ask in (storage.thumb_key, storage.url_for_thumb):
            with pytest.raises(UnknownThumb, match="Known thumbs: 'small', 'square', 'web'") as caught:
                ask("cat.jpg", thumb)
            assert isinstance(caught.value, LookupError)

    def test_without_thumbs_every_thumb_is_unknown(self, make_storage: MakeStorage) -> None:
        with pytest.raises(UnknownThumb, match="Known thumbs: none"):
            make_storage().url_for_thumb("cat.jpg", "small")

    @pytest.mark.parametrize("name", ["", None])
    def test_no_original_no_thumbs(self, make_storage: MakeStorage, name: Any) -> None:
        storage = make_storage(thumbs=THUMBS)
        for ask in (storage.url_for_thumb, storage.thumb_key):
            with pytest.raises(ValueError, match="no original"):
                ask(name, "small")
        for act in (storage.generate_thumbs, storage.delete_thumbs):
            with pytest.raises(ValueError, match="no original"):
                act(name)

    @pytest.mark.parametrize(
        "name",
        [
            "a b+c&d=e.jpg",
            "50% off?.jpg",
            "#1;2,3:4@5!$'()*~.jpg",
            'quotes"and<tags>.jpg',
            "Füße/写真 🐈.jpg",
            "e\u0301 combining.jpg",
            "no extension",
            ".hidden",
            "dots...jpg",
            "%41.jpg",
            "trailing/dot./cat.jpg",
            "[brackets]{braces}|^`.jpg",
        ],
    )
    def test_odd_names_keep_their_thumbs_and_have_urls(self, make_storage: MakeStorage, name: str) -> None:
        storage = keeping_names(make_storage(thumbs={"small": {"size": (30, 30)}}))
        assert storage.save(name, upload()) == name
        key = storage.thumb_key(name, "small")
        assert self.stored(storage) == [name, key]
        url = storage.url_for_thumb(name, "small")
        assert url.isascii()
        assert not re.search(r"[\s\"<>]", url)
        assert unquote(urlsplit(url).path).endswith("/" + key)
        assert image_in(storage, key).size == (30, 20)
        storage.delete(name)
        assert self.stored(storage) == []

    @pytest.mark.parametrize(
        ("name", "extension", "fmt"),
        [
            ("cat.jpg", "jpg", "JPEG"),
            ("cat.JPEG", "jpg", "JPEG"),
            ("cat.Png", "png", "PNG"),
            ("cat.gif", "gif", "GIF"),
            ("cat.webp", "webp", "WEBP"),
            ("cat.avif", "avif", "AVIF"),
            ("cat.bmp", "png", "PNG"),
            ("cat.tiff", "png", "PNG"),
            ("cat", "png", "PNG"),
            ("jpg", "png", "PNG"),
            ("a.jpg/cat", "png", "PNG"),
        ],
    )
    def test_the_format_follows_from_the_name_else_it_is_the_fallback(
        self, make_storage: MakeStorage, name: str, extension: str, fmt: str
    ) -> None:
        storage = keeping_names(make_storage(thumbs={"small": {"size": (30, 30)}}, fallback_format="png"))
        storage.save(name, upload(format="WEBP"))
        assert self.stored(storage) == [name, f"{name}.thumbs/small.{extension}"]
        assert image_in(storage, f"{name}.thumbs/small.{extension}").format == fmt

    def test_the_fallback_is_jpeg_unless_it_is_set(self, make_storage: MakeStorage) -> None:
        storage = keeping_names(make_storage(thumbs={"small": {"size": (30, 30)}}))
        storage.save("cat", upload(format="PNG", mode="RGBA"))
        assert image_in(storage, "cat.thumbs/small.jpg").format == "JPEG"

    @pytest.mark.parametrize(
        ("name", "thumb", "key"),
        [
            ("photos/cat.jpg", {"size": (30, 30)}, "photos/cat_small.jpg"),
            ("photos/cat.JPG", {"size": (30, 30)}, "photos/cat_small.JPG"),
            ("photos/cat.jpeg", {"size": (30, 30)}, "photos/cat_small.jpeg"),
            ("a.b/cat", {"size": (30, 30)}, "a.b/cat_small.jpg"),
            ("cat.jpg", {"size": (30, 30), "format": "png"}, "cat_small.png"),
            ("cat.tar.gz", {"size": (30, 30)}, "cat.tar_small.gz"),
            ("cat.HEIC", {"size": (30, 30)}, "cat_small.jpg"),
            ("photos/cat.heif", {"size": (30, 30), "format": "webp"}, "photos/cat_small.webp"),
        ],
    )
    def test_the_naming_of_athumb(self, make_storage: MakeStorage, name: str, thumb: dict[str, Any], key: str) -> None:
        storage = keeping_names(make_storage(thumbs={"small": thumb}, naming="athumb"))
        storage.save(name, upload())
        assert self.stored(storage) == sorted([name, key])
        assert unquote(urlsplit(storage.url_for_thumb(name, "small")).path).endswith("/" + key)
        assert storage.generate_thumbs(name) == {"small": key}
        assert image_in(storage, key).size == (30, 20)
        storage.delete(name)
        assert self.stored(storage) == []

    @pytest.mark.parametrize(
        ("name", "key", "fmt", "magic"),
        [
            ("cat.bmp", "cat_small.bmp", "BMP", b"BM"),
            ("cat.BMP", "cat_small.BMP", "BMP", b"BM"),
            ("cat.tif", "cat_small.tif", "TIFF", b"II*\0"),
            ("cat.tiff", "cat_small.tiff", "TIFF", b"II*\0"),
            ("cat.gif", "cat_small.gif", "GIF", b"GIF8"),
            ("cat.tar.gz", "cat.tar_small.gz", "PNG", b"\x89PNG"),
            ("cat", "cat_small.png", "PNG", b"\x89PNG"),
        ],
    )
    def test_the_naming_of_athumb_keeps_the_extension_and_its_format(
        self, make_storage: MakeStorage, name: str, key: str, fmt: str, magic: bytes
    ) -> None:
        storage = keeping_names(
            make_storage(thumbs={"small": {"size": (30, 30)}}, naming="athumb", fallback_format="png")
        )
        storage.save(name, upload(format="BMP"))
        assert self.stored(storage) == sorted([name, key])
        assert storage.generate_thumbs(name) == {"small": key}
        assert content_of(storage, key).startswith(magic)
        image = image_in(storage, key)
        assert (image.format, image.size) == (fmt, (30, 20))
        assert colour_at(image, 5, 5) == (255, 0, 0)

    @pytest.mark.parametrize(
        ("fmt", "magic"), [("bmp", b"BM"), ("tiff", b"II*\0"), ("webp", b"RIFF"), ("gif", b"GIF8")]
    )
    @pytest.mark.parametrize("naming", ["folder", "athumb"])
    def test_a_thumb_is_of_the_format_that_it_names(
        self, make_storage: MakeStorage, naming: str, fmt: str, magic: bytes
    ) -> None:
        storage = make_storage(naming=naming, thumbs={"small": {"size": (30, 30), "format": fmt}})
        storage.save("cat.jpg", upload())
        key = storage.thumb_key("cat.jpg", "small")
        assert key.endswith(f".{fmt}")
        assert content_of(storage, key).startswith(magic)

    def test_a_naming_of_the_projects_own(self, make_storage: MakeStorage) -> None:
        storage = make_storage(thumbs=THUMBS, naming=Elsewhere())
        storage.save("photos/cat.jpg", upload())
        keys = ["photos/cat.jpg"]
        keys += [f"thumbs/{n}/photos/cat.jpg/{t}" for n, t in [(20, "square.jpg"), (30, "small.jpg"), (40, "web.webp")]]
        assert self.stored(storage) == keys
        assert "/thumbs/30/photos/cat.jpg/small.jpg" in storage.url_for_thumb("photos/cat.jpg", "small")
        with pytest.raises(SuspiciousFileOperation):
            storage.save("thumbs/30/photos/cat.jpg/small.jpg", upload())
        storage.save("photos/dog.jpg", upload())
        storage.delete("photos/dog.jpg")
        assert self.stored(storage) == keys
        storage.delete("photos/cat.jpg")
        assert self.stored(storage) == []
