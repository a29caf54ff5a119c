"""The storages. Those on S3 load boto3, so they are imported only when they are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from athumb_storage.storages.base import ThumbnailStorageMixin
from athumb_storage.storages.filesystem import FileSystemThumbnailStorage
from athumb_storage.storages.memory import InMemoryThumbnailStorage
from athumb_storage.storages.travelling import configured

if TYPE_CHECKING:
    from athumb_storage.storages.s3 import PublicS3ThumbnailStorage, S3ThumbnailStorage

__all__ = [
    "FileSystemThumbnailStorage",
    "InMemoryThumbnailStorage",
    "PublicS3ThumbnailStorage",
    "S3ThumbnailStorage",
    "ThumbnailStorageMixin",
    "configured",
]


def __getattr__(name: str) -> Any:
    if name in ("S3ThumbnailStorage", "PublicS3ThumbnailStorage"):
        from athumb_storage.storages import s3

        return getattr(s3, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
