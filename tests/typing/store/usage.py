"""What a project does with fields and storages, and the types that it gets."""

from collections.abc import Mapping
from typing import assert_type

from django.core.files.base import ContentFile

from athumb_storage import CropAmount, Thumb, ThumbSet
from athumb_storage.fields import FileWithThumbsFieldFile, ImageWithThumbsField, ImageWithThumbsFieldFile
from athumb_storage.storages import (
    FileSystemThumbnailStorage,
    InMemoryThumbnailStorage,
    S3ThumbnailStorage,
    ThumbnailStorageMixin,
)
from store.models import Product
from store.storages import ArchiveStorage, Mirror, TenantStorage


def files(product: Product) -> None:
    assert_type(product.image, ImageWithThumbsFieldFile)
    assert_type(product.photo, ImageWithThumbsFieldFile)
    assert_type(product.manual, FileWithThumbsFieldFile)
    assert_type(product.image.url_for_thumb("large"), str)
    assert_type(product.photo.url_for_thumb("small", force_ssl=True), str)
    assert_type(product.paper.url_for_thumb(Thumb(size=(200, 200))), str)
    assert_type(product.manual.url_for_thumb("page"), str)
    assert_type(product.image.thumb_size("square"), tuple[int, int])
    assert_type(product.image.width, int)
    assert_type(product.banner.srcset("hero", "AVIF"), str)
    assert_type(product.banner.thumbs["hero"].width, int | None)
    assert_type(product.banner.has_thumbs, bool)
    assert_type(product.image.storage, ThumbnailStorageMixin)
    assert_type(product.image.storage.url_for_thumb(product.image.name, "60x60"), str)
    assert_type(product.image.storage.thumb_key(product.image.name, "60x60"), str)
    assert_type(product.image.storage.generate_thumbs(product.image.name), dict[str, str])
    assert_type(product.image.url_for_thumb("large", "WEBP", density=2), str)
    assert_type(product.image.storage.generate_thumbs(product.image.name, focal=(0.3, 0.2)), dict[str, str])
    product.image.save("cat.jpg", ContentFile(b""))
    product.photo = None
    product.photo = ContentFile(b"", name="cat.jpg")


def thumbs() -> None:
    thumb = Thumb(size=(200, 200), crop=True, upscale=False, format="avif", quality=50)
    assert_type(thumb.size, tuple[int | None, int | None])
    assert_type(thumb.format, str | tuple[str, ...] | None)
    Thumb(size=(800, None), format=("AVIF", "WEBP", "jpg"), densities=(1, 2), quality={"AVIF": 60}, animated=True)
    Thumb(size=(9, 9), pad="white", processors=("a.b", ("c.d", {"percent": 60})))
    Thumb(size=(9, 9), crop="smart")
    ImageWithThumbsField(original={"size": (3000, 3000), "format": None, "quality": 90}, focal_field="focus")
    InMemoryThumbnailStorage(naming="fingerprint", original={"size": (3000, None)})
    assert_type(thumb.crop, str | None)
    Thumb(size=(9, 9), crop=CropAmount("50% 20%"))
    Thumb(size=(9, 9), crop=None, format=None)
    known = ThumbSet({"a": {"size": (9, 9)}, "b": thumb})
    as_mapping: Mapping[str, Thumb] = known
    assert_type(known["a"], Thumb)
    assert_type([*as_mapping], list[str])
    ThumbSet([("a", {"size": (9, 9), "crop": "top"}), ("b", thumb)])
    ThumbSet()


def storages(product: Product) -> None:
    s3 = S3ThumbnailStorage(
        bucket_name="media", location="photos", naming="athumb", signed_url_window=3600, default_acl=None,
        thumbs=(("small", {"size": (40, 40)}), ("large", Thumb(size=(400, 400)))),
    )  # fmt: skip
    assert_type(s3.with_thumbs({"small": {"size": (40, 40), "crop": "center"}}), S3ThumbnailStorage)
    assert_type(s3.unbound, S3ThumbnailStorage)
    assert_type(s3.thumbs, ThumbSet)
    assert_type(s3.url_for_thumb("cat.jpg", "small", expire=60), str)
    assert_type(s3.thumb_key("cat.jpg", "small"), str)
    assert_type(s3.generate_thumbs("cat.jpg", ["small"]), dict[str, str])
    assert_type(s3.save("cat.jpg", ContentFile(b"")), str)
    tenant = TenantStorage("a tenant", bucket_name="media", on_error="skip")
    assert_type(tenant.with_thumbs([("small", Thumb(size=(9, 9)))], on_error="raise"), TenantStorage)
    assert_type(tenant.tenant, str)
    archive = ArchiveStorage(location="archive", naming=Mirror(), thumbs={"small": {"size": (40, 40)}})
    assert_type(archive.with_thumbs({}), ArchiveStorage)
    assert_type(archive.url_for_thumb("cat.jpg", "small"), str)
    FileSystemThumbnailStorage("media", naming="folder", allowed_formats=["JPEG", "PNG"], time_budget=9.5)
    InMemoryThumbnailStorage(base_url="/media/", thumbs=None, fallback_format="png")
