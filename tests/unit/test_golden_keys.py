"""Where thumbs are, and what their URLs are, for good: sites have them in pages, mails and caches.

A line of `golden_keys.tsv` is never changed. New namings and new kinds of thumbs get lines of their own.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from athumb_storage import Thumb
from athumb_storage.storages import FileSystemThumbnailStorage, S3ThumbnailStorage

GOLDEN = [
    line.split("\t")
    for line in Path(__file__).with_name("golden_keys.tsv").read_text(encoding="utf-8").splitlines()
    if not line.startswith("# ")
]
THUMBS = (
    ("60x60", {"size": (60, 60)}),
    ("50x50_cropped", {"size": (50, 50), "crop": True}),
    ("web", Thumb(size=(200, 1000), format="WEBP", quality=80)),
    ("jpg", {"size": (9, 9), "format": "jpg"}),
    ("jpeg", {"size": (9, 9), "format": "JPEG"}),
    ("groß a", {"size": (8, 8), "format": "png"}),
)


def storages(naming):
    """In the order of the columns."""
    options = {"thumbs": THUMBS, "naming": naming}
    on_s3 = {"access_key": "k", "secret_key": "s", "region_name": "eu-west-1", "querystring_auth": False, **options}
    endpoint = {"endpoint_url": "http://s3.example.com:9000", "addressing_style": "path", "location": "of/mine"}
    return [
        FileSystemThumbnailStorage(location="/nowhere", base_url="/media/", **options),
        S3ThumbnailStorage(bucket_name="media", **on_s3),
        S3ThumbnailStorage(bucket_name="media", **endpoint, **on_s3),
        S3ThumbnailStorage(bucket_name="media", custom_domain="cdn.example.com", location="in it", **on_s3),
    ]


@pytest.mark.parametrize("naming", ["folder", "athumb"])
def test_no_key_and_no_url_has_moved(naming):
    made = storages(naming)
    lines = [line for line in GOLDEN if line[0] == naming]
    assert len(lines) == 156
    for _, name, thumb, key, *urls in lines:
        assert [storage.thumb_key(name, thumb) for storage in made] == [key] * 4
        assert [storage.url_for_thumb(name, thumb) for storage in made] == urls
