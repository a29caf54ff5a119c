"""What a type checker has to refuse: each comment that it does not need is an error."""

from athumb_storage import Thumb, ThumbOptions, ThumbSet
from athumb_storage.fields import ImageWithThumbsField
from athumb_storage.storages import FileSystemThumbnailStorage, InMemoryThumbnailStorage, S3ThumbnailStorage
from store.models import PhotoField, Product
from store.storages import ArchiveStorage, TenantStorage

Thumb(size=(9, 9), crop="middle")  # type: ignore[arg-type]
Thumb(size=(9, 9), crop="50% 20%")  # type: ignore[arg-type]
Thumb(siez=(9, 9))  # type: ignore[call-arg]
Thumb(crop=True)  # type: ignore[call-arg]
Thumb(size=9)  # type: ignore[arg-type]
Thumb(size=(9, 9), format="heic")  # type: ignore[arg-type]
Thumb(size=(9, 9), quality="high")  # type: ignore[arg-type]
ICON: ThumbOptions = {"sise": (1, 2)}  # type: ignore[typeddict-item, typeddict-unknown-key]

ThumbSet({"a": {"sise": (1, 2)}})  # type: ignore[dict-item]
ThumbSet([("a", {"size": (1, 2), "crop": "middle"})])  # type: ignore[list-item]
ThumbSet("small")  # type: ignore[arg-type]
ImageWithThumbsField(thumbs={"a": {"sise": (1, 2)}})  # type: ignore[dict-item]
ImageWithThumbsField(thumbnail_format="svg")  # type: ignore[arg-type]
PhotoField(thumbs=(("a", {"size": (1, 2), "cropp": True}),))  # type: ignore[arg-type]
PhotoField(on_error="ignore")  # type: ignore[arg-type]

S3ThumbnailStorage(bukcet_name="media")  # type: ignore[call-arg]
S3ThumbnailStorage(bucket_name="media", naming="thumbs")  # type: ignore[arg-type]
S3ThumbnailStorage(thumbs={"a": {"sise": (1, 2)}})  # type: ignore[dict-item]
S3ThumbnailStorage(content_types="client")  # type: ignore[arg-type]
TenantStorage("a tenant", bukcet_name="media")  # type: ignore[call-arg]
FileSystemThumbnailStorage(locaton="media")  # type: ignore[call-arg]
FileSystemThumbnailStorage(naming="thumbs")  # type: ignore[arg-type]
InMemoryThumbnailStorage(locaton="media")  # type: ignore[call-arg]
InMemoryThumbnailStorage(on_error="ignore")  # type: ignore[arg-type]
InMemoryThumbnailStorage().with_thumbs({"a": {"sise": (1, 2)}})  # type: ignore[dict-item]
InMemoryThumbnailStorage().with_thumbs({}, on_error="ignore")  # type: ignore[arg-type]

# Each of our options, in a class of the project's own, where all others are those of its base.
ArchiveStorage(thumbs={"a": {"sise": (1, 2)}})  # type: ignore[dict-item]
ArchiveStorage(naming="thumbs")  # type: ignore[arg-type]
ArchiveStorage(fallback_format="svg")  # type: ignore[arg-type]
ArchiveStorage(allowed_formats=9)  # type: ignore[arg-type]
ArchiveStorage(max_pixels="9")  # type: ignore[arg-type]
ArchiveStorage(max_frames="9")  # type: ignore[arg-type]
ArchiveStorage(max_animation_pixels="9")  # type: ignore[arg-type]
ArchiveStorage(max_bytes="9")  # type: ignore[arg-type]
ArchiveStorage(time_budget="9")  # type: ignore[arg-type]
ArchiveStorage(strip_original="yes")  # type: ignore[arg-type]
ArchiveStorage(on_error="ignore")  # type: ignore[arg-type]
ArchiveStorage(placeholder_url=9)  # type: ignore[arg-type]


def files(product: Product) -> None:
    product.image.url_for_thumb(60)  # type: ignore[arg-type]
    product.image.url_for_thum("large")  # type: ignore[attr-defined]
    product.cover.url_for_thumb("small")  # type: ignore[attr-defined]
