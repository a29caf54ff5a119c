"""One model with one image in three thumbs."""

from django.db import models

from athumb_storage import Thumb
from athumb_storage.fields import ImageWithThumbsField


class Photo(models.Model):
    """An uploaded photo. Its width and height, in pixels, are those of the original."""

    title = models.CharField(max_length=200)
    image = ImageWithThumbsField(
        upload_to="photos",
        width_field="width",
        height_field="height",
        thumbs=(
            ("square", {"size": (120, 120), "crop": True}),
            ("small", {"size": (320, 320)}),
            ("large", Thumb(size=(1200, 1200), format="WEBP", quality=80, upscale=False)),
        ),
    )
    width = models.PositiveIntegerField(editable=False, null=True)
    height = models.PositiveIntegerField(editable=False, null=True)
    uploaded_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-uploaded_at", "-pk"]

    def __str__(self) -> str:
        return self.title
