"""Storages of the project's own."""

from typing import Unpack

from django.core.files.storage import FileSystemStorage

from athumb_storage.specs import Variant
from athumb_storage.storages import S3ThumbnailStorage, ThumbnailStorageMixin
from athumb_storage.storages.s3.options import S3OptionsDict


class ArchiveStorage(ThumbnailStorageMixin, FileSystemStorage):
    pass


class TenantStorage(S3ThumbnailStorage):
    def __init__(self, tenant: str = "", **options: Unpack[S3OptionsDict]) -> None:
        options.setdefault("thumbs", {"icon": {"size": (16, 16)}})
        super().__init__(**options)
        self.tenant = tenant


class Mirror:
    """photos/cat.jpg -> thumbs/photos/cat.jpg/large.webp"""

    def key(self, name: str, variant: Variant) -> str:
        return f"thumbs/{name}/{variant.thumb_name}.{variant.extension}"

    def prefix(self, name: str) -> str:
        return f"thumbs/{name}/"

    def original(self, key: str) -> str | None:
        return key[len("thumbs/") :].rpartition("/")[0] if key.startswith("thumbs/") else None
