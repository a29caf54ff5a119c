"""What lies in a bucket, looked at with as few requests as can be."""

from __future__ import annotations

import io

from PIL import Image

from athumb_storage.storages import S3ThumbnailStorage


def keys_in(storage: S3ThumbnailStorage) -> set[str]:
    """All keys of the bucket."""
    pages = storage.client.get_paginator("list_objects_v2").paginate(Bucket=storage.bucket_name)
    return {entry["Key"] for page in pages for entry in page.get("Contents", ())}


def image_at(storage: S3ThumbnailStorage, key: str) -> Image.Image:
    """The decoded image; one request."""
    image = Image.open(io.BytesIO(storage.client.get_object(Bucket=storage.bucket_name, Key=key)["Body"].read()))
    image.load()
    return image
