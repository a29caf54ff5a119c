"""django-versatileimagefield: warmed after the save, then never created on demand, as it recommends for speed."""

from __future__ import annotations

from collections.abc import Callable

from django.core.files.uploadedfile import UploadedFile
from django.db import models
from versatileimagefield.fields import VersatileImageField
from versatileimagefield.image_warmer import VersatileImageFieldWarmer

from tests.benchmarks.ours import fresh_name
from tests.benchmarks.peers.tables import create_table
from tests.benchmarks.sets import WantedSet


class VersatilePhoto(models.Model):
    image = VersatileImageField(max_length=200)

    class Meta:
        app_label = "benchmarks"


create_table(VersatilePhoto)


class Versatile:
    name = "django-versatileimagefield"
    note = ""
    formats = frozenset({"JPEG"})  # it keeps the format of the original

    def save(self, content: UploadedFile, wanted: WantedSet) -> list[str]:
        name = fresh_name("versatile")
        content.name = name
        self.photo = VersatilePhoto.objects.create(image=content)
        self.wanted = wanted
        keys = [(thumb.name, f"{'crop' if thumb.crop else 'thumbnail'}__{thumb.geometry}") for thumb in wanted.thumbs]
        _, failed = VersatileImageFieldWarmer(self.photo, keys, "image").warm()
        if failed:
            raise RuntimeError(f"not made: {failed}")
        return self._urls(self.photo)

    def warm_urls(self) -> Callable[[], int]:
        photo = VersatilePhoto.objects.get(pk=self.photo.pk)
        return lambda: len(self._urls(photo))

    def _urls(self, photo: VersatilePhoto) -> list[str]:
        image = photo.image
        return [(image.crop if t.crop else image.thumbnail)[t.geometry].url for t in self.wanted.thumbs]
