"""Photos in three thumbs, and showpieces, of which a browser chooses the file."""

from django.db import models
from django.urls import reverse

from athumb_storage import Responsive, Thumb
from athumb_storage.fields import ImageWithThumbsField
from athumb_storage.validators import validate_focal_point


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


class Showpiece(models.Model):
    """A photo with a page of its own, in many more files than a `Photo` has: each takes seconds to store."""

    title = models.CharField(max_length=200)
    image_focus = models.CharField("focal point", max_length=20, blank=True, validators=[validate_focal_point])
    image = ImageWithThumbsField(
        upload_to="showpieces",
        width_field="width",
        height_field="height",
        focal_field="image_focus",
        placeholder_field="image_placeholder",
        thumbs=(
            (
                "hero",
                Responsive(
                    widths=(320, 640, 960, 1280, 1920), formats=("AVIF", "WEBP", "JPEG"), ratio=(16, 9), crop="focal"
                ),
            ),
            ("detail", Thumb(size=(160, 160), crop="focal", densities=(1, 2))),
            ("whole", Thumb(size=(320, 320), densities=(1, 2))),
        ),
    )
    image_placeholder = models.CharField(max_length=40, blank=True, editable=False)
    width = models.PositiveIntegerField(editable=False, null=True)
    height = models.PositiveIntegerField(editable=False, null=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("showpiece", args=[self.pk])
