"""Thumbs that are stored as several files, and what is done to their pixels."""

from __future__ import annotations

import io
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import Storage
from PIL import Image, ImageChops

from athumb_storage import AthumbError, ImageLimitExceeded, UnknownThumb
from athumb_storage.contrib.testing.base import Contract, MakeStorage
from athumb_storage.contrib.testing.files import colour_at, image_in, upload
from athumb_storage.specs import Variant
from athumb_storage.uploads import upload_info

FORMATS = ("AVIF", "WEBP", "JPEG")
BOTH: dict[str, Any] = {"large": {"size": (60, 60), "format": FORMATS, "densities": (1, 2)}}


def inverted(image: Image.Image) -> Image.Image:
    """A processor."""
    return ImageChops.invert(image.convert("RGB"))


def halved(image: Image.Image) -> Image.Image:
    """A processor that does what it may not."""
    return image.reduce(2)


COLOURS: Final = ["red", "lime", "blue"]
"""Those of an animation's frames."""


def animation(size: tuple[int, int], fmt: str = "GIF") -> bytes:
    """Three frames, each of one colour."""
    first, *others = (Image.new("RGB", size, colour) for colour in COLOURS)
    output = io.BytesIO()
    first.save(output, fmt, save_all=True, append_images=others, duration=100, loop=0)
    return output.getvalue()


class ByName:
    """A naming of somebody who thinks of one file a thumb."""

    def key(self, name: str, variant: Variant) -> str:
        return f"thumbs/{name}/{variant.thumb_name}.{variant.extension}"

    def prefix(self, name: str) -> str | None:
        return f"thumbs/{name}/"

    def original(self, key: str) -> str | None:
        return None


class VariantsContract(Contract):
    """Each variant that can be named is stored by the save, deleted and generated with the others."""

    @pytest.mark.parametrize("naming", ["folder", "athumb", "fingerprint"])
    def test_every_format_and_density_is_stored_and_has_a_url(self, make_storage: MakeStorage, naming: str) -> None:
        storage = make_storage(thumbs=BOTH, naming=naming)
        storage.save("cat.jpg", upload(size=(300, 200)))
        keys = {(f, d): storage.thumb_key("cat.jpg", "large", f, d) for f in FORMATS for d in (1, 2)}  # type: ignore[arg-type]
        assert self.stored(storage) == sorted(["cat.jpg", *keys.values()])
        assert len(self.stored(storage)) == 7
        for (fmt, density), key in keys.items():
            image = image_in(storage, key)
            assert (image.format, image.size) == (fmt, (60 * density, 40 * density))
            url = storage.url_for_thumb("cat.jpg", "large", format=fmt, density=density)  # type: ignore[arg-type]
            assert unquote(urlsplit(url).path).endswith("/" + key)
        assert storage.thumb_key("cat.jpg", "large") == keys["JPEG", 1]
        assert storage.thumb_key("cat.jpg", "large", density=2) == keys["JPEG", 2]
        storage.delete_thumbs("cat.jpg")
        assert self.stored(storage) == ["cat.jpg"]
        assert storage.generate_thumbs("cat.jpg") == {"large": keys["JPEG", 1]}
        assert self.stored(storage) == sorted(["cat.jpg", *keys.values()])
        storage.delete("cat.jpg")
        assert self.stored(storage) == []

    def test_the_keys_of_formats_and_densities(self, make_storage: MakeStorage) -> None:
        storage = make_storage(thumbs=BOTH)
        assert storage.thumb_key("cat.png", "large", "webp") == "cat.png.thumbs/large.webp"
        assert storage.thumb_key("cat.png", "large", "AVIF", 2) == "cat.png.thumbs/large@2x.avif"
        storage = make_storage(thumbs={"large": {"size": (60, 60), "format": ("webp", "jpeg")}}, naming="athumb")
        assert storage.thumb_key("cat.png", "large", "WEBP") == "cat_large.webp"
        assert storage.thumb_key("cat.png", "large") == "cat_large.jpeg"

    @pytest.mark.parametrize(
        ("wanted", "words"),
        [
            ({"format": "PNG"}, "'large' has no format 'PNG'; it has 'AVIF', 'WEBP', 'JPEG'"),
            ({"format": "tga"}, "'large' has no format 'tga'"),
            ({"format": ""}, "'large' has no format ''"),
            ({"density": 3}, "'large' has no density 3; it has 1, 2"),
            ({"density": 0}, "'large' has no density 0"),
            ({"format": "WEBP", "density": "2"}, "'large' has no density '2'"),
        ],
    )
    def test_what_a_thumb_does_not_list_is_unknown(
        self, make_storage: MakeStorage, wanted: dict[str, Any], words: str
    ) -> None:
        storage = make_storage(thumbs=BOTH)
        for ask in (storage.thumb_key, storage.url_for_thumb):
            with pytest.raises(UnknownThumb, match=words):
                ask("cat.jpg", "large", **wanted)

    def test_the_format_of_another_name_is_unknown(self, make_storage: MakeStorage) -> None:
        storage = make_storage(thumbs={"small": {"size": (30, 30)}})
        assert storage.thumb_key("cat.png", "small", "PNG").endswith("small.png")
        with pytest.raises(UnknownThumb, match=r"'PNG'.*'JPEG'"):
            storage.thumb_key("cat.jpg", "small", "PNG")

    @pytest.mark.parametrize(
        ("original", "thumb", "sizes"),
        [
            ((300, 200), {"size": (120, 120)}, [(120, 80), (240, 160), (300, 200)]),
            ((100, 50), {"size": (120, 120)}, [(120, 60), (100, 50), (100, 50)]),
            ((100, 50), {"size": (120, 120), "upscale": False}, [(100, 50), (100, 50), (100, 50)]),
            ((300, 200), {"size": (80, 80), "crop": True}, [(80, 80), (160, 160), (200, 200)]),
            ((300, 90), {"size": (60, 30), "crop": "left"}, [(60, 30), (120, 60), (180, 90)]),
            ((30, 90), {"size": (60, 30), "crop": True}, [(60, 30), (30, 15), (30, 15)]),
            ((300, 200), {"size": (90, 90), "pad": "white"}, [(90, 90), (180, 180), (270, 270)]),
            ((150, 100), {"size": (90, 90), "pad": "white"}, [(90, 90), (150, 150), (150, 150)]),
        ],
    )
    def test_a_density_never_enlarges_and_shows_the_same(
        self, make_storage: MakeStorage, original: Any, thumb: dict[str, Any], sizes: list[Any]
    ) -> None:
        storage = make_storage(thumbs={"thumb": {**thumb, "densities": (1, 2, 3), "format": "PNG"}})
        image = Image.new("RGB", original, "red")
        image.paste("blue", (original[0] // 2, 0, *original))
        storage.save("cat.png", _png(image))
        images = [image_in(storage, storage.thumb_key("cat.png", "thumb", density=density)) for density in (1, 2, 3)]
        assert [each.size for each in images] == sizes
        shares = [_share_of_blue(each) for each in images]
        assert max(shares) - min(shares) < 0.02

    def test_a_naming_that_does_not_tell_variants_apart_is_an_error(self, make_storage: MakeStorage) -> None:
        storage = make_storage(thumbs={"large": {"size": (60, 60), "densities": (1, 2)}}, naming=ByName())
        with pytest.raises(
            AthumbError,
            match=r"gives the same key to large.* in JPEG and large.* in JPEG: .*thumbs/cat\.jpg/large\.jpg",
        ):
            storage.save("cat.jpg", upload())
        assert self.stored(storage) == []

    def test_the_key_of_a_fingerprint_changes_with_the_thumb(self, make_storage: MakeStorage) -> None:
        storage = make_storage(thumbs={"large": {"size": (60, 60)}}, naming="fingerprint")
        later = make_storage(thumbs={"large": {"size": (50, 50)}}, naming="fingerprint")
        storage.save("cat.jpg", upload())
        later.generate_thumbs("cat.jpg")
        before, after = storage.thumb_key("cat.jpg", "large"), later.thumb_key("cat.jpg", "large")
        assert self.stored(storage) == sorted(["cat.jpg", before, after])
        assert image_in(storage, before).size == (60, 40)
        assert image_in(storage, after).size == (50, 33)
        if self.can_list(storage):
            later.delete("cat.jpg")
            assert self.stored(storage) == []

    @pytest.mark.parametrize(
        ("pad", "colour"),
        [("white", (255, 255, 255)), ("#0000ff", (0, 0, 255)), ("#0f0", (0, 255, 0)), ("transparent", None)],
    )
    def test_a_pad_fills_the_box_beside_the_whole_original(
        self, make_storage: MakeStorage, pad: str, colour: Any
    ) -> None:
        storage = make_storage(thumbs={"boxed": {"size": (60, 60), "pad": pad, "format": "PNG"}})
        storage.save("cat.jpg", upload(size=(300, 150)))
        image = image_in(storage, storage.thumb_key("cat.jpg", "boxed"))
        assert image.size == (60, 60)
        alphas = [image.convert("RGBA").getchannel("A").getpixel(point) for point in ((30, 2), (30, 57), (2, 30))]
        assert alphas == ([0, 0, 255] if colour is None else [255, 255, 255])
        for y in (0, 14, 45, 59):
            assert colour is None or colour_at(image, 30, y) == colour
        for x, y in ((0, 15), (59, 44), (30, 30)):
            assert colour_at(image, x, y)[0] > 250 > 10 > colour_at(image, x, y)[1]

    def test_a_side_alone(self, make_storage: MakeStorage) -> None:
        storage = make_storage(thumbs={"wide": {"size": (60, None)}, "high": {"size": (None, 60)}})
        storage.save("cat.jpg", upload(size=(300, 100)))
        assert image_in(storage, storage.thumb_key("cat.jpg", "wide")).size == (60, 20)
        assert image_in(storage, storage.thumb_key("cat.jpg", "high")).size == (180, 60)

    @pytest.mark.parametrize("turned", [1, 6, 8])
    def test_a_smart_crop_keeps_what_draws_the_eye(self, make_storage: MakeStorage, turned: int) -> None:
        storage = make_storage(thumbs={"face": {"size": (30, 30), "crop": "smart", "densities": (1, 2)}})
        image = Image.new("RGB", (300, 100), "gray")
        image.paste("blue", (230, 20, 280, 70))
        exif = Image.Exif()
        exif[0x0112] = turned
        output = io.BytesIO()
        image.save(output, "JPEG", exif=exif)
        storage.save("cat.jpg", ContentFile(output.getvalue()))
        for density in (1, 2):
            thumb = image_in(storage, storage.thumb_key("cat.jpg", "face", density=density))
            assert thumb.size == (30 * density, 30 * density)
            assert _share_of_blue(thumb) > 0.2

    def test_a_focal_crop_shows_what_is_around_its_point(self, make_storage: MakeStorage) -> None:
        storage = make_storage(thumbs={"face": {"size": (30, 30), "crop": "focal", "format": "PNG"}})
        image = Image.new("RGB", (300, 100), "red")
        image.paste("blue", (200, 0, 300, 100))
        content = _png(image)
        upload_info(content).focal = (0.9, 0.5)
        storage.save("cat.png", content)
        assert _share_of_blue(image_in(storage, storage.thumb_key("cat.png", "face"))) > 0.9
        storage.generate_thumbs("cat.png", focal=(0.1, 0.5))
        assert _share_of_blue(image_in(storage, storage.thumb_key("cat.png", "face"))) == 0
        storage.generate_thumbs("cat.png")
        assert _share_of_blue(image_in(storage, storage.thumb_key("cat.png", "face"))) == 0

    def test_an_animation_keeps_moving_where_a_thumb_says_so(self, make_storage: MakeStorage) -> None:
        moving = {"size": (30, 30), "format": ("WEBP", "GIF", "JPEG"), "animated": True, "densities": (1, 2)}
        boxed = {"size": (30, 30), "format": "WEBP", "animated": True, "pad": "white"}
        storage = make_storage(thumbs={"moving": moving, "boxed": boxed, "still": {"size": (30, 30), "format": "WEBP"}})
        storage.save("cat.gif", upload(data=animation((90, 60))))
        for fmt, frames in (("WEBP", 3), ("GIF", 3), ("JPEG", 1)):
            for density in (1, 2):
                key = storage.thumb_key("cat.gif", "moving", fmt, density)  # type: ignore[arg-type]
                assert _frames(storage, key) == ((30 * density, 20 * density), COLOURS[:frames])
        assert _frames(storage, storage.thumb_key("cat.gif", "boxed")) == ((30, 30), COLOURS)
        assert _frames(storage, storage.thumb_key("cat.gif", "still")) == ((30, 20), COLOURS[:1])

    def test_an_animation_that_is_too_large_stands_still(
        self, make_storage: MakeStorage, caplog: pytest.LogCaptureFixture
    ) -> None:
        thumbs = {"moving": {"size": (30, 30), "format": "WEBP", "animated": True}}
        storage = make_storage(thumbs=thumbs, max_animation_pixels=3 * (90 * 60 + 30 * 20) - 1)
        storage.save("cat.gif", upload(data=animation((90, 60))))
        assert _frames(storage, storage.thumb_key("cat.gif", "moving")) == ((30, 20), COLOURS[:1])
        assert "'moving' stand still: 3 frames come to 18000 pixels, more than the 17999" in caplog.text
        storage = make_storage(thumbs=thumbs, max_frames=2)
        with pytest.raises(ImageLimitExceeded, match=r"dog\.gif.*3 frames, more than the 2"):
            storage.save("dog.gif", upload(data=animation((90, 60))))

    def test_processors_change_the_pixels(self, make_storage: MakeStorage) -> None:
        processors = (f"{__name__}.inverted", ("athumb_storage.processors.sharpen", {"percent": 80}))
        storage = make_storage(thumbs={"other": {"size": (60, 60), "processors": processors, "format": "PNG"}})
        storage.save("cat.jpg", upload(color="red"))
        red, green, blue = colour_at(image_in(storage, storage.thumb_key("cat.jpg", "other")), 30, 20)
        assert red < 5
        assert min(green, blue) > 250

    @pytest.mark.parametrize(
        ("path", "words"),
        [
            (f"{__name__}.halved", "halved gave an image of .30, 20.; an image of .60, 40. pixels is wanted"),
            (f"{__name__}.absent", "absent cannot be imported"),
            ("no_such_module.at_all", "no_such_module.at_all cannot be imported"),
            ("builtins.repr", "builtins.repr gave"),
        ],
    )
    def test_a_processor_that_fails_is_named_and_nothing_is_stored(
        self, make_storage: MakeStorage, path: str, words: str
    ) -> None:
        storage = make_storage(thumbs={"other": {"size": (60, 60), "processors": (path,)}})
        with pytest.raises(AthumbError, match=words) as caught:
            storage.save("cat.jpg", upload())
        assert "cat.jpg" in str(caught.value)
        assert self.stored(storage) == []


def _frames(storage: Storage, key: str) -> tuple[tuple[int, int], list[str]]:
    """The size of an animation, and what its frames show in the middle."""
    image = image_in(storage, key)
    found = []
    for number in range(getattr(image, "n_frames", 1)):
        image.seek(number)
        seen = colour_at(image, image.width // 2, image.height // 2)
        found.append(COLOURS[seen.index(max(seen))])
    return image.size, found


def _png(image: Image.Image) -> ContentFile[bytes]:
    output = io.BytesIO()
    image.save(output, "PNG")
    return ContentFile(output.getvalue(), name="cat.png")


def _share_of_blue(image: Image.Image) -> float:
    blue = image.convert("RGB").getchannel("B").point([255 * (value > 128) for value in range(256)])
    return blue.histogram()[255] / (image.width * image.height)
