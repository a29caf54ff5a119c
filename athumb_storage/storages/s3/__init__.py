"""Thumbs on S3. Only this room loads boto3 and django-storages' S3."""

from athumb_storage.storages.s3.storage import PublicS3ThumbnailStorage, S3ThumbnailStorage

__all__ = ["PublicS3ThumbnailStorage", "S3ThumbnailStorage"]
