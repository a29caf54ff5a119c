"""What an audit is tried on: models whose fields tests give storages that share a bucket, see `tests.stock.places`."""

from __future__ import annotations

import uuid

from django.db import models

from athumb_storage import Thumb
from athumb_storage.fields import FileWithThumbsField, ImageWithThumbsField
from athumb_storage.storages import InMemoryThumbnailStorage

SMALL = Thumb(size=(20, 20))


class Photo(models.Model):
    image = ImageWithThumbsField(
        blank=True, null=True, thumbs={"small": SMALL, "large": {"size": (40, 40), "format": "WEBP"}}
    )


class Framed(Photo):
    """A derived model with a file of its own."""

    certificate = models.FileField(max_length=255, blank=True)


class Shown(Photo):
    class Meta:
        proxy = True


class Poster(models.Model):
    image = FileWithThumbsField(
        thumbs={
            "small": SMALL,
            "wide": {"size": (60, 20), "crop": True, "format": ("WEBP", "PNG"), "densities": (1, 2)},
        }
    )


class Scan(models.Model):
    image = ImageWithThumbsField(thumbs={"small": SMALL})


class Attachment(models.Model):
    file = models.FileField(max_length=255, blank=True)


class Labelled(models.Model):
    """By a text that its database compares in its own way."""

    code = models.CharField(primary_key=True, max_length=50, db_collation="NOCASE")
    image = ImageWithThumbsField(thumbs={"small": SMALL})


class Numbered(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    image = ImageWithThumbsField(thumbs={"small": SMALL})


class Elsewhere(models.Model):
    """Of a table that somebody else may have made."""

    image = ImageWithThumbsField(storage=InMemoryThumbnailStorage, thumbs={"small": SMALL})

    class Meta:
        managed = False
        db_table = "stock_elsewhere"


class Replaced(models.Model):
    """Which the settings have another model for, so that it has no table."""

    image = ImageWithThumbsField(thumbs={"small": SMALL})

    class Meta:
        swappable = "STOCK_REPLACED"
