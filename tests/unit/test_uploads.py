"""What a field and its storage tell each other of an upload, and the size that a row keeps of it."""

from __future__ import annotations

import io

import pytest
from django.core.files.base import ContentFile, File
from django.core.files.storage import FileSystemStorage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import models
from django.test.utils import isolate_apps
from PIL import Image

from athumb_storage import UploadedImageIsUnreadableError
from athumb_storage.fields import ImageWithThumbsField
from athumb_storage.formats import EXTENSIONS
from athumb_storage.storages import InMemoryThumbnailStorage
from athumb_storage.uploads import UploadInfo, upload_info
from tests.conftest import draw, noise, upload
from tests.shop.models import Sized, SizedByAnotherName

pytestmark = pytest.mark.django_db


@pytest.fixture
def keep_on(monkeypatch):
    """Lets the model keep its files on a storage."""

    def keep(storage):
        monkeypatch.setattr(Sized._meta.get_field("image"), "_given", storage)  # "storage" gives a view of it
        return storage

    return keep


@pytest.fixture
def on_s3(make_s3, keep_on):
    return keep_on(make_s3())


@pytest.fixture
def storage(make_storage, keep_on):
    """One of each kind."""
    return keep_on(make_storage())


def size_in_database(row):
    return Sized.objects.values_list("width", "height").get(pk=row.pk)


def turned(size):
    """An image that a camera held upright took: its pixels lie on their side."""
    output = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", size).save(output, "JPEG", exif=exif)
    return output.getvalue()


# What travels on the content


def test_a_save_tells_the_size_as_it_is_shown_and_the_format(make_storage):
    storage = make_storage(thumbs={"small": {"size": (9, 9)}})
    for data, expected in [
        (draw((30, 20)), UploadInfo(30, 20, "JPEG")),
        (draw((31, 20), format="PNG"), UploadInfo(31, 20, "PNG")),
        (turned((40, 20)), UploadInfo(20, 40, "JPEG")),
        (b"no image", UploadInfo()),
    ]:
        content = ContentFile(data)
        storage.save("cat.jpg", content)
        assert upload_info(content) == expected


@pytest.mark.parametrize("options", [{"strip_original": True}, {"naming": "athumb"}, {"thumbs": {}}], ids=str)
def test_so_it_does_whatever_becomes_of_the_image(make_storage, options):
    storage = make_storage(**{"thumbs": {"small": {"size": (9, 9)}}, **options}).with_thumbs({}, images_only=True)
    content = ContentFile(turned((40, 20)))
    storage.save("cat.jpg", content)
    assert upload_info(content) == UploadInfo(20, 40, "JPEG")


@pytest.mark.parametrize("thumbs", [{"small": {"size": (9, 9)}}, {}], ids=["thumbs", "no thumbs"])
def test_of_an_original_that_is_bounded_what_is_stored_counts(make_storage, thumbs):
    storage = make_storage(thumbs=thumbs, original={"size": (20, 20), "format": "WEBP"})
    content = ContentFile(turned((40, 20)))
    assert storage.save("cat.jpg", content) == "cat.webp"
    assert upload_info(content) == UploadInfo(10, 20, "WEBP")


def test_a_second_save_forgets_what_the_first_told(make_in_memory):
    content = ContentFile(draw((30, 20)))
    make_in_memory(thumbs={"small": {"size": (9, 9)}}).save("cat.jpg", content)
    make_in_memory().save("cat.jpg", content)
    assert upload_info(content) == UploadInfo()


# What a row keeps


@pytest.mark.parametrize("content_name", [None, "", "dog.jpg"])
@pytest.mark.parametrize("before", [None, (1, 1)])
def test_a_row_keeps_the_size_of_what_its_file_saves(storage, content_name, before):
    row = Sized()
    if before:
        row = Sized.objects.create(image=upload("old.jpg", draw((70, 50))))
    row.image.save("cat.jpg", ContentFile(turned((60, 40)), name=content_name))
    assert (row.width, row.height) == (40, 60)
    assert (row.image.width, row.image.height) == (40, 60)
    assert size_in_database(row) == (40, 60)
    assert row.image.thumb_size("small") == (13, 20)


def test_raw_bytes_will_do(storage):
    row = Sized()
    row.image.save("cat.jpg", io.BytesIO(draw((60, 40))))
    assert size_in_database(row) == (60, 40)


def test_a_file_that_is_assigned_is_measured_before_and_after_it_is_saved(storage):
    row = Sized(image=upload("cat.jpg", draw((60, 40))))
    assert (row.width, row.height) == (60, 40)
    row.save()
    row.image = upload("dog.jpg", draw((50, 30)))
    row.save()
    assert size_in_database(row) == (50, 30)


def test_a_row_without_a_file_has_no_size(storage):
    row = Sized.objects.create(image=upload("cat.jpg", draw((60, 40))))
    row.image.delete()
    assert size_in_database(row) == (None, None)


def test_what_is_saved_without_its_thumbs_has_a_size_too(make_storage, keep_on):
    keep_on(make_storage(on_error="skip"))
    data = noise()
    with Image.open(io.BytesIO(data)) as image:
        size = image.size
    row = Sized()
    row.image.save("cat.jpg", ContentFile(data[: len(data) // 2]))
    assert size_in_database(row) == size


def test_what_is_refused_changes_nothing(storage):
    row = Sized.objects.create(image=upload("cat.jpg", draw((60, 40))))
    with pytest.raises(UploadedImageIsUnreadableError):
        row.image.save("dog.jpg", ContentFile(noise()[:2000]))
    assert size_in_database(row) == (60, 40)


def test_a_storage_that_makes_no_thumbs_leaves_it_to_the_field(tmp_path):
    with isolate_apps("tests.shop"):

        class Thing(models.Model):
            width = models.IntegerField(null=True)
            height = models.IntegerField(null=True)
            image = ImageWithThumbsField(
                storage=FileSystemStorage(tmp_path), width_field="width", height_field="height"
            )

            class Meta:
                app_label = "shop"

        thing = Thing()
        thing.image.save("cat.jpg", ContentFile(turned((60, 40))), save=False)
    assert (thing.width, thing.height) == (40, 60)


# Saved in part


@pytest.mark.parametrize("model", [Sized, SizedByAnotherName])
def test_with_update_fields_the_size_is_saved_with_the_name(storage, model):
    row = model.objects.create(image=upload("cat.jpg", draw((60, 40))))
    row.image = upload("dog.jpg", draw((50, 30)))
    row.save(update_fields=["image"])
    assert size_in_database(row) == (50, 30)
    row.width = 7
    row.save(update_fields=["width"])
    assert size_in_database(row) == (7, 30)


@pytest.mark.parametrize(
    "rows",
    [Sized.objects.only("image"), Sized.objects.defer("image"), Sized.objects.only("pk"), Sized.objects.defer("width")],
    ids=["only image", "defer image", "only pk", "defer width"],
)
@pytest.mark.parametrize("way", ["assigned", "saved"])
def test_of_a_row_that_is_loaded_in_part_all_is_saved(storage, rows, way):
    pk = Sized.objects.create(image=upload("cat.jpg", draw((60, 40)))).pk
    row = rows.get(pk=pk)
    if way == "saved":
        row.image.save("dog.jpg", ContentFile(draw((50, 30))))
    else:
        row.image = upload("dog.jpg", draw((50, 30)))
        row.save()
    assert size_in_database(row) == (50, 30)
    assert Sized.objects.get(pk=pk).image.name == row.image.name != "sized/cat.jpg"


# Loading a row asks nobody


@pytest.mark.parametrize("known", [True, False])
def test_loading_a_row_asks_no_storage(on_s3, requests_sent, django_assert_num_queries, known):
    row = Sized.objects.create(image=upload("cat.jpg", draw((60, 40))))
    if not known:
        Sized.objects.update(width=None, height=None)
    on_s3.delete(row.image.name)
    requests_sent.clear()
    with django_assert_num_queries(8):
        Sized.objects.get(pk=row.pk)
        list(Sized.objects.all())
        list(Sized.objects.only("image"))
        list(Sized.objects.defer("image"))
        list(Sized.objects.only("image").iterator())
        row.refresh_from_db()
        row.refresh_from_db(fields=["image"])
        list(Sized.objects.defer("width"))
    assert requests_sent == []
    assert (row.width, row.height) == ((60, 40) if known else (None, None))


def test_saving_and_replacing_a_file_reads_nothing_back(on_s3, requests_sent):
    row = Sized()
    row.image.save("cat.jpg", ContentFile(draw((60, 40))))
    row.image.save("dog.jpg", ContentFile(draw((50, 30))))
    row = Sized.objects.get(pk=row.pk)
    row.image = upload("fox.jpg", draw((40, 30)))
    row.save()
    assert {method for method, _ in requests_sent} == {"PUT"}
    assert len(requests_sent) == 9


def test_a_stored_file_brings_its_size_along(on_s3, requests_sent):
    one = Sized.objects.create(image=upload("cat.jpg", draw((60, 40))))
    two = Sized.objects.create(image=upload("dog.jpg", draw((50, 30))))
    requests_sent.clear()
    two.image = one.image
    two.save()
    assert size_in_database(two) == (60, 40)
    assert requests_sent == []


# Nothing but allowed formats is opened


@pytest.mark.parametrize("data_format", sorted(set(EXTENSIONS) - {"JPEG"}))
def test_a_format_that_is_not_allowed_is_not_opened_to_be_measured(make_in_memory, keep_on, monkeypatch, data_format):
    keep_on(make_in_memory(allowed_formats=["JPEG"]))
    data = draw((60, 40), format=data_format)
    row = Sized(image=upload("cat.jpg", draw((60, 40))))
    opened = []
    monkeypatch.setattr(Image, "open", lambda *args, **kwargs: opened.append(args))
    row.image = SimpleUploadedFile("dog.jpg", data)
    assert (row.width, row.height) == (None, None)
    row.image = File(io.BytesIO(data), name="dog.jpg")
    row.image.save("dog.jpg", ContentFile(data), save=False)
    assert opened == []
    assert (row.width, row.height) == (None, None)


def test_a_storage_tells_by_its_own_formats():
    storage = InMemoryThumbnailStorage(allowed_formats=["PNG"], thumbs={"small": {"size": (9, 9)}})
    content = ContentFile(draw((30, 20)))
    storage.save("cat.jpg", content)
    assert upload_info(content) == UploadInfo()
