"""django-pictures: it knows no boxes, only equal steps up to a width, so its sets come as near as they can."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from django.core.files.base import ContentFile
from django.core.files.uploadedfile import UploadedFile
from django.db import models
from pictures.models import PictureField, PillowPicture
from PIL import Image

from tests.benchmarks.ours import fresh_name
from tests.benchmarks.peers import JPEG_OR_WEBP
from tests.benchmarks.peers.tables import create_table
from tests.benchmarks.sets import ALL, ENCODER, WantedSet


class Quality85Picture(PillowPicture):
    """As many bytes of work as the others: its own class has no option for the quality."""

    def save(self, image: Image.Image) -> None:
        buffer = io.BytesIO()
        self.resize(image).save(buffer, format=self.file_type, exif=b"", icc_profile=b"", **ENCODER[self.file_type])
        self.storage.delete(self.name)
        self.storage.save(self.name, ContentFile(buffer.getvalue()))


def _model(wanted: WantedSet) -> Any:
    widest = max(thumb.width for thumb in wanted.thumbs)
    image = PictureField(
        max_length=200,
        container_width=widest,
        grid_columns=len(wanted.thumbs),
        file_types=[wanted.format],
        width_field="width",
        height_field="height",
    )
    meta = type("Meta", (), {"app_label": "benchmarks"})
    sides = {side: models.PositiveIntegerField(default=0) for side in ("width", "height")}
    fields = {**sides, "image": image, "Meta": meta, "__module__": __name__}
    model = type(f"Pictures{wanted.name}", (models.Model,), fields)
    create_table(model)
    return model


MODELS = {wanted.name: _model(wanted) for wanted in ALL}


class Pictures:
    name = "django-pictures"
    note = "six equal steps up to the widest, no crop"
    formats = JPEG_OR_WEBP

    def save(self, content: UploadedFile, wanted: WantedSet) -> list[str]:
        content.name = fresh_name("pictures")
        self.model = MODELS[wanted.name]
        self.photo = self.model.objects.create(image=content)
        return self._urls(self.photo)

    def warm_urls(self) -> Callable[[], int]:
        photo = self.model.objects.get(pk=self.photo.pk)
        return lambda: len(self._urls(photo))

    def _urls(self, photo: Any) -> list[str]:
        ratios = photo.image.aspect_ratios
        return [one.url for formats in ratios.values() for sizes in formats.values() for one in sizes.values()]
