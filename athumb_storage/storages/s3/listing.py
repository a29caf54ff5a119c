"""Listing a bucket: one request for a thousand keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from athumb_storage.storages.listing import ListingStorage, StoredFile
from athumb_storage.storages.s3.writes import status_of
from athumb_storage.storages.saving import logger

if TYPE_CHECKING:
    from athumb_storage.storages.s3.writes import Target


class ListingOnS3(ListingStorage):
    """How a storage on S3 tells what is there."""

    __slots__ = ()

    if TYPE_CHECKING:
        bucket_name: str

        @property
        def client(self) -> Any: ...
        def _key_on_s3(self, name: str) -> str: ...
        def _target(self, name: str) -> Target: ...
        def _parameters_of(self, operation: str, key: str) -> dict[str, Any]: ...

    def list_files(self, prefix: str = "") -> Iterator[StoredFile]:
        """All objects whose names begin with `prefix`, in the server's order, which may be any.

        An object whose key ends in a slash stands for a folder, and is none.
        """
        location = self._key_on_s3("x")[:-1]
        wanted = location + prefix
        parameters = self._parameters_of("ListObjectsV2", wanted)
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket_name, Prefix=wanted, **parameters
        )
        for page in pages:
            for entry in page.get("Contents", ()):
                key = entry["Key"]
                if key.startswith(wanted) and not key.endswith("/"):
                    yield StoredFile(key[len(location) :], entry["Size"], entry["LastModified"], entry.get("ETag"))

    def _stat(self, name: str) -> StoredFile | None:
        head = self._target(name).head()
        return StoredFile(name, head["ContentLength"], head["LastModified"], head["ETag"]) if head else None

    def _list_folder(self, folder: str) -> list[str] | None:
        prefix = self._key_on_s3(folder)
        listing = self.client.get_paginator("list_objects_v2")
        # What lies in folders below was stored by somebody else.
        parameters = self._parameters_of("ListObjectsV2", prefix)
        pages = listing.paginate(Bucket=self.bucket_name, Prefix=prefix, Delimiter="/", **parameters)
        try:
            return [folder + entry["Key"][len(prefix) :] for page in pages for entry in page.get("Contents", ())]
        except ClientError as error:
            if status_of(error) != 403:
                raise
            logger.warning("May not list %r; only the thumbs that are configured are deleted.", prefix)
            return None
