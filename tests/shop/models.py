"""A small shop: every way to put thumbs on a file."""

import uuid

from django.core.files.storage import Storage, storages
from django.db import models

from athumb_storage import Responsive, Thumb
from athumb_storage.fields import FileWithThumbsField, ImageWithThumbsField, ThumbsFieldMixin
from athumb_storage.storages import InMemoryThumbnailStorage
from athumb_storage.validators import validate_focal_point

OWN = InMemoryThumbnailStorage(location="own", thumbs={"cover": {"size": (30, 30), "crop": True}})


def chosen_storage() -> Storage:
    return storages["default"]


class Product(models.Model):
    name = models.CharField(max_length=50, default="")
    image = ImageWithThumbsField(
        upload_to="products",
        blank=True,
        null=True,
        thumbs=(
            ("50x50_cropped", {"size": (50, 50), "crop": True}),
            ("60x60", {"size": (60, 60)}),
            ("large", Thumb(size=(200, 1000), format="WEBP", quality=80)),
        ),
    )


class SaleProduct(Product):
    class Meta:
        proxy = True


class Book(Product):
    pages = models.IntegerField(default=0)


class Document(models.Model):
    manual = FileWithThumbsField(upload_to="manuals", thumbs={"page": {"size": (40, 40)}}, thumbnail_format="png")


class Plain(models.Model):
    """Plain fields on a storage that has thumbs of its own."""

    file = models.FileField(storage=OWN, upload_to="files")
    image = models.ImageField(storage=OWN, upload_to="images", blank=True)


class SizedField(ThumbsFieldMixin, models.ImageField):
    """A project's own field class."""


class Sized(models.Model):
    width = models.IntegerField(null=True)
    height = models.IntegerField(null=True)
    image = SizedField(
        upload_to="sized",
        storage=chosen_storage,
        width_field="width",
        height_field="height",
        thumbs={"small": {"size": (20, 20)}, "square": {"size": (20, 20), "crop": True}},
    )


class SizedByAnotherName(Sized):
    class Meta:
        proxy = True


class Portrait(models.Model):
    title = models.CharField(max_length=20, blank=True)
    image_focus = models.CharField(max_length=20, blank=True, validators=[validate_focal_point])
    image = ImageWithThumbsField(
        upload_to="portraits",
        focal_field="image_focus",
        thumbs={
            "face": {"size": (20, 20), "crop": "focal", "format": ("GIF", "PNG")},
            "middle": {"size": (20, 20), "crop": True, "format": "PNG"},
        },
    )


class HiddenPortrait(Portrait):
    class Meta:
        proxy = True


class SignedPortrait(Portrait):
    signature = models.CharField(max_length=20)


class Album(models.Model):
    title = models.CharField(max_length=20)


class AlbumPhoto(models.Model):
    album = models.ForeignKey(Album, models.CASCADE, related_name="photos")
    focus = models.CharField(max_length=20, blank=True, validators=[validate_focal_point])
    width = models.IntegerField(null=True, editable=False)
    height = models.IntegerField(null=True, editable=False)
    image = ImageWithThumbsField(
        upload_to="albums",
        focal_field="focus",
        width_field="width",
        height_field="height",
        thumbs={
            "admin": {"size": (60, 40), "crop": True},
            "small": {"size": (120, 120)},
            "medium": {"size": (300, 240)},
            "large": {"size": (600, 600)},
            "face": {"size": (80, 80), "crop": "focal", "format": "PNG"},
            "banner": {"size": (240, 60), "crop": "focal", "upscale": False},
        },
    )


class Story(models.Model):
    """Everything that a page wants of an image."""

    width = models.IntegerField(null=True)
    height = models.IntegerField(null=True)
    placeholder = models.CharField(max_length=40, blank=True)
    image = ImageWithThumbsField(
        upload_to="stories",
        blank=True,
        width_field="width",
        height_field="height",
        placeholder_field="placeholder",
        thumbs=(
            ("hero", Responsive(widths=(40, 80, 160), formats=("WEBP", "JPEG"), ratio=(2, 1))),
            ("whole", Responsive(widths=(30, 90))),
            ("square", {"size": (20, 20), "crop": True, "densities": (1, 2)}),
            ("fit", {"size": (50, 50), "format": ("WEBP", "PNG")}),
        ),
    )


class Label(models.Model):
    """Its rows have texts for primary keys."""

    code = models.CharField(max_length=50, primary_key=True)
    image = ImageWithThumbsField(upload_to="labels", thumbs={"small": {"size": (20, 20)}})


class Scan(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    image = ImageWithThumbsField(upload_to="scans", thumbs={"small": {"size": (20, 20)}})
