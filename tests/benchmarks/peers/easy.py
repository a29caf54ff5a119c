"""easy-thumbnails: a ThumbnailerImageField, its thumbs asked for after the save, its database as the cache."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.db import models
from easy_thumbnails.fields import ThumbnailerImageField

from tests.benchmarks.ours import fresh_name
from tests.benchmarks.peers import JPEG_OR_WEBP
from tests.benchmarks.peers.tables import create_table
from tests.benchmarks.sets import QUALITY, Wanted, WantedSet


class EasyPhoto(models.Model):
    image = ThumbnailerImageField(max_length=200)

    class Meta:
        app_label = "benchmarks"


create_table(EasyPhoto)


class Easy:
    name = "easy-thumbnails"
    note = ""
    formats = JPEG_OR_WEBP

    def save(self, content: UploadedFile, wanted: WantedSet) -> list[str]:
        content.name = fresh_name("easy")
        self.photo = EasyPhoto.objects.create(image=content)
        self.wanted = wanted
        return self._urls(self.photo)

    def warm_urls(self) -> Callable[[], int]:
        photo = EasyPhoto.objects.get(pk=self.photo.pk)
        return lambda: len(self._urls(photo))

    def _urls(self, photo: EasyPhoto) -> list[str]:
        thumbnailer = photo.image
        thumbnailer.thumbnail_extension = {"JPEG": "jpg", "WEBP": "webp"}[self.wanted.format]
        return [thumbnailer.get_thumbnail(_options(thumb)).url for thumb in self.wanted.thumbs]


def _options(thumb: Wanted) -> dict[str, Any]:
    return {"size": (thumb.width, thumb.height), "crop": thumb.crop, "quality": QUALITY}
