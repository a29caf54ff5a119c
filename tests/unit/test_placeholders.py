"""`placeholder_field`: the ThumbHash of an image, from the decode that makes its thumbs."""

from __future__ import annotations

import base64
import io

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.db import models
from django.test.utils import isolate_apps
from PIL import Image

from athumb_storage import InvalidThumb
from athumb_storage.fields import ImageWithThumbsField
from athumb_storage.rendering import engine, placeholder_png
from athumb_storage.storages import InMemoryThumbnailStorage
from tests.conftest import draw, upload
from tests.shop.models import Story

pytestmark = pytest.mark.django_db


def colour_of(placeholder):
    picture = Image.open(io.BytesIO(placeholder_png(placeholder)))
    return picture.getpixel((picture.width // 2, picture.height // 2))


def is_near(colour, other):
    return all(abs(a - b) <= 12 for a, b in zip(colour, other, strict=True))


def halves(orientation=1, fmt="JPEG"):
    """Red on the left and blue on the right, as it is stored."""
    image = Image.new("RGB", (200, 100), (200, 30, 30))
    image.paste((30, 30, 200), (100, 0, 200, 100))
    exif = Image.Exif()
    exif[0x0112] = orientation
    output = io.BytesIO()
    image.save(output, fmt, exif=exif)
    return ContentFile(output.getvalue(), name="cat.jpg")


def test_it_is_filled_by_the_save():
    story = Story.objects.create(image=upload(color=(40, 120, 200)))
    story.refresh_from_db()
    assert is_near(colour_of(story.placeholder), (40, 120, 200))
    assert len(story.placeholder) <= 40


def test_one_more_query_is_sent_where_the_column_comes_before_that_of_the_file(django_assert_num_queries):
    with django_assert_num_queries(2) as sent:
        Story.objects.create(image=upload())
    assert [each["sql"].split()[0] for each in sent] == ["INSERT", "UPDATE"]


def test_so_is_the_size_of_an_original_that_was_bounded(monkeypatch):
    storage = InMemoryThumbnailStorage(original={"size": (50, 50)})
    monkeypatch.setattr(Story._meta.get_field("image"), "_given", storage)
    monkeypatch.setattr(Story._meta.get_field("image"), "_bound", None)
    Story.objects.create(image=upload(size=(300, 150)))
    story = Story.objects.get()
    assert (story.width, story.height) == (50, 25)
    assert len(story.placeholder) > 20


def test_there_is_no_second_decode(monkeypatch):
    count = []
    decode = engine.decode
    monkeypatch.setattr(engine, "decode", lambda *args: count.append(1) or decode(*args))
    Story.objects.create(image=upload())
    assert count == [1]


@pytest.mark.parametrize(("orientation", "first", "last"), [(1, 200, 30), (3, 30, 200), (6, 200, 30), (8, 30, 200)])
def test_it_is_upright(orientation, first, last):
    placeholder = Story.objects.create(image=halves(orientation)).placeholder
    picture = Image.open(io.BytesIO(placeholder_png(placeholder)))
    assert (picture.width > picture.height) == (orientation in (1, 3))
    assert abs(picture.getpixel((0, 0))[0] - first) < 60
    assert abs(picture.getpixel((picture.width - 1, picture.height - 1))[0] - last) < 60


@pytest.mark.parametrize("fmt", ["PNG", "GIF", "WEBP", "AVIF", "BMP", "TIFF"])
def test_of_every_format(fmt):
    story = Story.objects.create(image=upload(format=fmt, color=(200, 30, 30)))
    assert is_near(colour_of(story.placeholder), (200, 30, 30))


def test_of_an_animation_that_moves(monkeypatch):
    storage = InMemoryThumbnailStorage(thumbs={"moving": {"size": (20, 20), "animated": True, "format": "GIF"}})
    monkeypatch.setattr(Story._meta.get_field("image"), "thumbs", storage.thumbs)
    monkeypatch.setattr(Story._meta.get_field("image"), "_given", storage)
    monkeypatch.setattr(Story._meta.get_field("image"), "_bound", None)
    output = io.BytesIO()
    frames = [Image.new("RGB", (60, 60), colour) for colour in ((200, 30, 30), (30, 30, 200))]
    frames[0].save(output, "GIF", save_all=True, append_images=frames[1:])
    story = Story.objects.create(image=ContentFile(output.getvalue(), name="cat.gif"))
    assert is_near(colour_of(story.placeholder), (200, 30, 30))


def test_of_an_image_that_one_sees_through_it_says_so():
    story = Story.objects.create(image=upload(format="PNG", mode="RGBA", color=(200, 30, 30, 90)))
    assert base64.b64decode(story.placeholder)[2] >> 7
    assert placeholder_png(story.placeholder) is None


def test_with_update_fields_it_is_saved_as_well():
    story = Story.objects.create()
    story.image = upload(color=(40, 120, 200))
    story.save(update_fields=["image"])
    assert is_near(colour_of(Story.objects.get().placeholder), (40, 120, 200))


def test_another_upload_has_another():
    story = Story.objects.create(image=upload(color=(40, 120, 200)))
    story.image.save("dog.jpg", upload(color=(200, 30, 30)))
    assert is_near(colour_of(Story.objects.get().placeholder), (200, 30, 30))


def test_it_goes_with_the_file():
    story = Story.objects.create(image=upload())
    story.image.delete()
    assert Story.objects.get().placeholder == ""


def test_a_file_that_is_taken_from_another_row_brings_it_along():
    story = Story.objects.create(image=upload(color=(40, 120, 200)))
    other = Story.objects.create()
    other.image = story.image
    other.save()
    assert Story.objects.get(pk=other.pk).placeholder == story.placeholder != ""


def test_a_form_that_leaves_the_file_alone_leaves_it():
    story = Story.objects.create(image=upload())
    story.image = story.image
    story.save()
    assert Story.objects.get().placeholder == story.placeholder != ""


def test_without_thumbs_it_is_made_all_the_same(monkeypatch):
    field = Story._meta.get_field("image")
    monkeypatch.setattr(field, "thumbs", InMemoryThumbnailStorage(thumbs={}).thumbs)
    monkeypatch.setattr(field, "_bound", None)
    story = Story.objects.create(image=upload(color=(40, 120, 200)))
    assert is_near(colour_of(story.placeholder), (40, 120, 200))


def test_a_storage_that_makes_no_thumbs_makes_none(monkeypatch, tmp_path):
    monkeypatch.setattr(Story._meta.get_field("image"), "_given", FileSystemStorage(tmp_path))
    assert Story.objects.create(image=upload()).placeholder == ""


def test_the_upload_that_fails_leaves_it():
    story = Story.objects.create(image=upload())
    before = story.placeholder
    with pytest.raises(ValueError, match="cat"):
        story.image.save("cat.jpg", ContentFile(draw((900, 900))[:2000]))
    assert Story.objects.get().placeholder == before


@pytest.mark.parametrize("name", ["", "a b", 5])
@isolate_apps("tests.shop")
def test_no_field_can_have_this_name(name):
    with pytest.raises(InvalidThumb, match="option 'placeholder_field'"):

        class Thing(models.Model):
            image = ImageWithThumbsField(placeholder_field=name)

            class Meta:
                app_label = "shop"
