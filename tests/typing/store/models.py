"""Models as the guide has them, and what else may be written."""

from django.db import models

from athumb_storage import CropAmount, Responsive, Thumb, ThumbOptions, Thumbs, ThumbSet
from athumb_storage.fields import FileWithThumbsField, ImageWithThumbsField, ThumbsFieldMixin
from athumb_storage.storages import FileSystemThumbnailStorage, PublicS3ThumbnailStorage

PUBLIC_MEDIA = PublicS3ThumbnailStorage(bucket_name="public-media", naming="athumb")
ICON: ThumbOptions = {"size": (16, 16), "crop": "left top", "format": "png"}
ICONS: Thumbs = {"icon": ICON, "corner": {"size": (9, 9), "crop": CropAmount("0px 10px")}}


def choose_storage() -> FileSystemThumbnailStorage:
    return FileSystemThumbnailStorage("archive", base_url="/archive/", max_pixels=None, thumbs=ICONS)


class PhotoField(ThumbsFieldMixin, models.ImageField):
    pass


class PaperField(ThumbsFieldMixin, models.FileField):
    pass


class Product(models.Model):
    image = ImageWithThumbsField(
        upload_to="products",
        blank=True,
        width_field="width",
        height_field="height",
        thumbs=(
            ("square", {"size": (80, 80), "crop": True}),
            ("60x60", {"size": (60, 60)}),
            ("large", Thumb(size=(1200, 1200), format="WEBP", quality=80, upscale=False)),
        ),
    )
    photo = PhotoField(null=True, blank=True, storage=PUBLIC_MEDIA, thumbs={"small": {"size": (40, 40)}})
    paper = PaperField(thumbs=[("page", Thumb(size=(200, 200), crop="top"))], on_error="skip", storage=choose_storage)
    manual = FileWithThumbsField(null=True, thumbnail_format="PNG", thumbs={"page": Thumb(size=(200, 200), crop=True)})
    icon = ImageWithThumbsField(thumbs=ICONS)
    badge = ImageWithThumbsField(thumbs=ThumbSet(ICONS))
    banner = ImageWithThumbsField(
        placeholder_field="banner_placeholder",
        thumbs=[
            ("hero", Responsive(widths=(320, 640), formats=("AVIF", "JPEG"), ratio=(16, 9), crop="smart")),
            ("small", {"size": (40, 40)}),
        ],
    )
    banner_placeholder = models.CharField(max_length=40, blank=True)
    cover = models.ImageField(storage=FileSystemThumbnailStorage(thumbs={"small": {"size": (40, 40)}}), blank=True)
    width = models.PositiveIntegerField(null=True, editable=False)
    height = models.PositiveIntegerField(null=True, editable=False)
