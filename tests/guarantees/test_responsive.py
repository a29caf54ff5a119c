"""A responsive set: every width is stored, in one decode, whatever the size of the original."""

from __future__ import annotations

import pytest
from django.core.management import call_command

from athumb_storage import Responsive
from athumb_storage.rendering import engine
from athumb_storage.storages import FileSystemThumbnailStorage, InMemoryThumbnailStorage
from tests.conftest import content_of, draw, image_in, stored, upload
from tests.shop.models import Story

WIDTHS = (40, 80, 160)
HERO = {"hero": Responsive(widths=WIDTHS, formats=("WEBP", "PNG"), ratio=(2, 1))}
WHOLE = {"whole": Responsive(widths=WIDTHS, formats="PNG")}


@pytest.fixture(params=["memory", "file", "s3"])
def make(request):
    def made(**options):
        if request.param == "s3":
            return request.getfixturevalue("make_s3")(**options)
        if request.param == "file":
            return FileSystemThumbnailStorage(location=request.getfixturevalue("tmp_path"), **options)
        return InMemoryThumbnailStorage(**options)

    return made


@pytest.fixture
def encodings(monkeypatch):
    """The labels of what is encoded."""
    labels = []
    encoded = engine.encoded

    def counted(image, variant, **options):
        labels.append(f"{variant.label}.{variant.extension}")
        return encoded(image, variant, **options)

    monkeypatch.setattr(engine, "encoded", counted)
    return labels


@pytest.fixture
def decodings(monkeypatch):
    count = []
    decode = engine.decode
    monkeypatch.setattr(engine, "decode", lambda *args: count.append(1) or decode(*args))
    return count


def test_every_width_is_stored_in_every_format(make, encodings, decodings):
    storage = make(thumbs=HERO)
    storage.save("cat.png", upload(size=(400, 300), format="PNG"))
    keys = [f"cat.png.thumbs/hero-{width}.{extension}" for width in WIDTHS for extension in ("webp", "png")]
    assert stored(storage) == sorted(["cat.png", *keys])
    for width in WIDTHS:
        for extension in ("webp", "png"):
            assert image_in(storage, f"cat.png.thumbs/hero-{width}.{extension}").size == (width, width // 2)
    assert len(encodings) == 6
    assert decodings == [1]


@pytest.mark.parametrize(
    ("size", "sizes", "count"),
    [
        ((100, 300), [(40, 20), (80, 40), (100, 50)], 3),
        ((60, 300), [(40, 20), (60, 30), (60, 30)], 2),
        ((400, 30), [(40, 20), (60, 30), (60, 30)], 2),
        ((30, 300), [(30, 15), (30, 15), (30, 15)], 1),
        ((1, 1), [(1, 1), (1, 1), (1, 1)], 1),
    ],
)
def test_widths_above_the_originals_are_stored_at_its_size_and_encoded_once(make, encodings, size, sizes, count):
    storage = make(thumbs=HERO)
    storage.save("cat.png", upload(size=size, format="PNG"))
    for extension in ("webp", "png"):
        keys = [f"cat.png.thumbs/hero-{width}.{extension}" for width in WIDTHS]
        assert [image_in(storage, key).size for key in keys] == sizes
        assert len({content_of(storage, key) for key in keys}) == count
    assert len(encodings) == 2 * count


def test_without_a_ratio_all_of_the_original_is_shown(make, encodings):
    storage = make(thumbs=WHOLE)
    storage.save("cat.png", upload(size=(100, 50), format="PNG"))
    sizes = [image_in(storage, f"cat.png.thumbs/whole-{width}.png").size for width in WIDTHS]
    assert sizes == [(40, 20), (80, 40), (100, 50)]
    assert len(encodings) == 3


def test_other_thumbs_that_come_out_alike_are_encoded_once(encodings):
    thumbs = {
        "a": {"size": (20, 20), "crop": True},
        "b": {"size": (20, 20), "crop": "50% 50%"},
        "c": {"size": (20, 15)},
    }
    storage = InMemoryThumbnailStorage(thumbs=thumbs | {"d": thumbs["a"], "e": {"size": (20, None)}})
    storage.save("cat.png", upload(size=(200, 150), format="PNG"))
    assert sorted(encodings) == ["a.png", "b.png", "c.png"]
    assert content_of(storage, "cat.png.thumbs/a.png") == content_of(storage, "cat.png.thumbs/d.png")
    assert image_in(storage, "cat.png.thumbs/e.png").size == (20, 15)


def test_a_width_is_enlarged_if_that_is_wanted(make):
    storage = make(thumbs={"hero": Responsive(widths=WIDTHS, formats="PNG", ratio=(2, 1), upscale=True)})
    storage.save("cat.png", upload(size=(60, 60), format="PNG"))
    assert [image_in(storage, f"cat.png.thumbs/hero-{width}.png").size[0] for width in WIDTHS] == [*WIDTHS]


def test_a_set_is_generated_again(make):
    storage = make(thumbs={**HERO, "small": {"size": (9, 9)}})
    name = storage.save("cat.png", upload(size=(400, 300), format="PNG"))
    storage.delete_thumbs(name)
    assert list(storage.generate_thumbs(name, ["hero"])) == [f"hero-{width}" for width in WIDTHS]
    assert len(stored(storage)) == 7
    storage.delete_thumbs(name)
    assert list(storage.generate_thumbs(name, ["hero-80"])) == ["hero-80"]


def test_the_url_of_a_set_is_that_of_its_widest(make):
    storage = make(thumbs=HERO)
    assert storage.url_for_thumb("cat.png", "hero") == storage.url_for_thumb("cat.png", "hero-160")
    assert storage.thumb_key("cat.png", "hero", "WEBP") == "cat.png.thumbs/hero-160.webp"
    urls = storage.urls_for_thumbs("cat.png", [("hero", None, 1), ("hero-40", "WEBP", 1)])
    assert urls == [storage.url_for_thumb("cat.png", "hero"), storage.url_for_thumb("cat.png", "hero-40", "WEBP")]


@pytest.mark.django_db
class TestCommand:
    @pytest.fixture
    def story(self):
        return Story.objects.create(image=upload(size=(400, 300)))

    @pytest.mark.parametrize("options", [{}, {"missing": True}])
    def test_a_set_can_be_asked_for(self, story, options):
        storage, name = story.image.storage, story.image.name
        storage.delete_thumbs(name)
        call_command("athumb_regen_field", "shop.Story", "image", thumb=["hero"], verbosity=0, **options)
        keys = [storage.thumb_key(name, f"hero-{width}", each) for width in WIDTHS for each in ("WEBP", "JPEG")]
        assert stored(storage, f"{name}.thumbs/") == sorted(keys)


def test_a_saved_row_names_what_is_there(db):
    story = Story.objects.create(image=upload(data=draw((100, 70))))
    assert (story.width, story.height) == (100, 70)
    urls = [each.partition(" ")[0] for each in story.image.srcset("hero").split(", ")]
    assert [url.rpartition("/")[2] for url in urls] == ["hero-40.jpg", "hero-80.jpg"]
    assert image_in(story.image.storage, story.image.storage.thumb_key(story.image.name, "hero")).size == (100, 50)
    assert story.image.thumb_size("hero") == (100, 50)
