"""django-imagekit: an ImageSpecField per thumb, with the strategy it recommends for remote storages (Optimistic)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.db import models
from imagekit.models import ImageSpecField
from imagekit.processors import ResizeToFill, ResizeToFit

from tests.benchmarks.ours import fresh_name
from tests.benchmarks.peers import JPEG_OR_WEBP
from tests.benchmarks.peers.tables import create_table
from tests.benchmarks.sets import ALL, ENCODER, Wanted, WantedSet


def _spec(thumb: Wanted, image_format: str) -> ImageSpecField:
    size = thumb.width, thumb.height
    processor = ResizeToFill(*size) if thumb.crop else ResizeToFit(*size, upscale=False)
    return ImageSpecField(source="image", processors=[processor], format=image_format, options=ENCODER[image_format])


def _model(wanted: WantedSet) -> Any:
    specs = {f"thumb_{number}": _spec(thumb, wanted.format) for number, thumb in enumerate(wanted.thumbs)}
    meta = type("Meta", (), {"app_label": "benchmarks"})
    fields = {"image": models.ImageField(max_length=200), **specs, "Meta": meta, "__module__": __name__}
    model = type(f"ImageKit{wanted.name}", (models.Model,), fields)
    create_table(model)
    return model


MODELS = {wanted.name: _model(wanted) for wanted in ALL}


class ImageKit:
    name = "django-imagekit"
    note = ""
    formats = JPEG_OR_WEBP

    def save(self, content: UploadedFile, wanted: WantedSet) -> list[str]:
        content.name = fresh_name("imagekit")
        self.model, self.count = MODELS[wanted.name], len(wanted.thumbs)
        self.photo = self.model.objects.create(image=content)
        return self._urls(self.photo)

    def warm_urls(self) -> Callable[[], int]:
        photo = self.model.objects.get(pk=self.photo.pk)
        return lambda: len(self._urls(photo))

    def _urls(self, photo: Any) -> list[str]:
        return [getattr(photo, f"thumb_{number}").url for number in range(self.count)]
